//! The rules of answers, one breach at a time.

use super::{Declared, hub_outcome, outcome};
use crate::{
    Coding, Component, Decimal, DecodeError, Decoded, DeviceFact, DeviceTime, ErrorKind, FailureKind, Frame,
    HubContent, HubItem, HubOutcome, Limits, NameValue, Nothing, OnChange, Outcome, Quantity, Reading, Registry,
    SampledData, Value, Warning,
};

fn text(text: &str) -> String {
    text.to_owned()
}

fn registry() -> Registry {
    Registry {
        kinds: ["glucose", "meter"].map(text).into(),
        units: ["mg/dL", "1", "mV", "%"].map(text).into(),
        reasons: [text("heartbeat")].into(),
        clock_states: [text("unknown")].into(),
        body_sites: [text("finger")].into(),
        methods: [text("glucometer")].into(),
        contexts: [(text("meal"), [text("fasting")].into()), (text("carbohydrate-grams"), [].into())].into(),
        facts: [text("battery")].into(),
        identities: [text("serial")].into(),
        ..Registry::default()
    }
}

fn declared() -> Declared {
    Declared {
        kinds: [text("glucose")].into(),
        flags: [text("test")].into(),
        warnings: [text("implausible")].into(),
        tells_exceptions: false,
    }
}

fn quantity(mantissa: i64, exponent: i32, unit: &str) -> Value {
    Value::Quantity(Quantity { value: Decimal { mantissa, exponent }, unit: text(unit), comparator: None })
}

fn pair(name: &str, value: &str) -> NameValue {
    NameValue { name: text(name), value: text(value) }
}

/// A reading that uses everything and breaks nothing.
fn good() -> Reading {
    Reading {
        kind: text("glucose"),
        codings: Vec::new(),
        value: quantity(105, 0, "mg/dL"),
        components: Vec::new(),
        time: DeviceTime::Local(text("2026-02-28T08:00:00")),
        time_end: DeviceTime::BeforeCapture(1_000),
        clock_state: text("unknown"),
        body_site: Some(text("finger")),
        method: Some(text("glucometer")),
        context: vec![pair("meal", "fasting"), pair("carbohydrate-grams", "12.5")],
        flags: vec![text("test")],
        user_slot: Some(text("1")),
        device_identity: vec![pair("serial", "A1")],
        record_key: Some(text("17")),
        on_change: OnChange::Conflict,
        extra: vec![pair("anything", "")],
    }
}

fn judged(readings: Vec<Reading>) -> Result<(), (FailureKind, String)> {
    let decoded = Decoded {
        readings,
        facts: vec![DeviceFact { kind: text("battery"), value: quantity(80, 0, "%"), extra: Vec::new() }],
        warnings: vec![Warning { code: text("implausible"), message: text("A sentence.") }],
        extra: Vec::new(),
    };
    outcome(&Limits::default(), &registry(), &declared(), &Outcome::Readings(decoded))
}

#[track_caller]
fn breaks(change: impl FnOnce(&mut Reading), kind: FailureKind, message: &str) {
    let mut reading = good();
    change(&mut reading);
    assert_eq!(judged(vec![good(), reading]), Err((kind, text(message))));
}

#[test]
fn a_good_reading_passes() {
    assert_eq!(judged(vec![good()]), Ok(()));
    let coding = Coding { system: text("http://loinc.org"), code: text("2339-0"), display: None };
    assert_eq!(judged(vec![Reading { kind: String::new(), codings: vec![coding], ..good() }]), Ok(()));
    for absent in ["not-a-number", "positive-infinity", "error"] {
        assert_eq!(judged(vec![Reading { value: Value::Absent(text(absent)), ..good() }]), Ok(()));
    }
}

#[test]
fn words_are_declared_or_registered() {
    let invalid = FailureKind::InvalidOutput;
    breaks(|r| r.kind = text("meter"), invalid, "readings[1].kind: `meter` is no kind that the manifest declares");
    breaks(|r| r.kind = String::new(), invalid, "readings[1].kind: neither a kind nor a coding");
    breaks(|r| r.flags.push(text("demo")), invalid, "readings[1].flags: `demo` is no flag that the manifest declares");
    breaks(
        |r| r.clock_state = text("set"),
        invalid,
        "readings[1].clock-state: `set` is no registered state of a clock",
    );
    breaks(|r| r.body_site = Some(text("toe")), invalid, "readings[1].body-site: `toe` is no registered body site");
    breaks(|r| r.method = Some(text("guess")), invalid, "readings[1].method: `guess` is no registered method");
    breaks(|r| r.context.push(pair("arm", "left")), invalid, "readings[1].context: `arm` is no registered context");
    breaks(
        |r| r.context.push(pair("meal", "brunch")),
        invalid,
        "readings[1].context: `brunch` is no value of the context `meal`",
    );
    breaks(
        |r| r.device_identity.push(pair("name", "x")),
        invalid,
        "readings[1].device-identity: `name` is no registered identity",
    );
    breaks(
        |r| r.value = Value::Absent(text("broken")),
        invalid,
        "readings[1].value: `broken` is no code of FHIR's data-absent-reason",
    );
}

#[test]
fn an_error_does_not_show_what_might_be_a_person() {
    breaks(
        |r| r.flags = vec![text("Maria da Silva, 4 May 1950")],
        FailureKind::InvalidOutput,
        "readings[1].flags: a text that is no code is no flag that the manifest declares",
    );
}

#[test]
fn numbers_fit_a_record_and_have_a_unit() {
    let invalid = FailureKind::InvalidOutput;
    for exponent in [-65, 65, i32::MIN, i32::MAX] {
        let message = format!("readings[1].value: the exponent {exponent} is outside -64 to 64");
        breaks(|r| r.value = quantity(1, exponent, "1"), invalid, &message);
    }
    breaks(
        |r| r.value = quantity(1, 0, ""),
        invalid,
        "readings[1].value: a number without a unit (a pure number has the unit 1)",
    );
    breaks(|r| r.value = quantity(1, 0, "stone"), invalid, "readings[1].value: `stone` is no unit of the host's list");
    let compared = |comparator: &str| {
        let value = Decimal { mantissa: 600, exponent: 0 };
        Value::Quantity(Quantity { value, unit: text("mg/dL"), comparator: Some(text(comparator)) })
    };
    assert_eq!(judged(vec![Reading { value: compared(">"), ..good() }]), Ok(()));
    breaks(|r| r.value = compared("~"), invalid, "readings[1].value: the comparator is none of <, <=, >= and >");
}

/// A waveform in steps of 0.001 mV, up to 5 V.
fn waveform(samples: Vec<i32>) -> SampledData {
    let number = |mantissa| Decimal { mantissa, exponent: -3 };
    SampledData {
        origin: number(0),
        period_ms: Decimal { mantissa: 4, exponent: 0 },
        factor: number(1),
        unit: text("mV"),
        lower_limit: None,
        upper_limit: Some(number(5_000_000)),
        dimensions: 1,
        samples,
    }
}

#[test]
fn samples_are_whole_rows_at_a_positive_rate_and_bounded() {
    let good_one = |sampled| judged(vec![Reading { value: Value::Sampled(sampled), ..good() }]);
    let breaks_with = |sampled: SampledData, kind, what: &str| {
        breaks(|r| r.value = Value::Sampled(sampled.clone()), kind, &format!("readings[1].value: {what}"));
    };
    let (invalid, large) = (FailureKind::InvalidOutput, FailureKind::OutputTooLarge);
    assert_eq!(good_one(SampledData { dimensions: 2, ..waveform(vec![0; 6]) }), Ok(()));
    let rows = "the number of samples is no multiple of the dimensions";
    breaks_with(SampledData { dimensions: 2, ..waveform(vec![0; 5]) }, invalid, rows);
    breaks_with(SampledData { dimensions: 0, ..waveform(vec![0; 5]) }, invalid, rows);
    let period = |mantissa, exponent| Decimal { mantissa, exponent };
    let rate = "the time between samples is not above zero";
    breaks_with(SampledData { period_ms: period(0, 0), ..waveform(vec![0; 5]) }, invalid, rate);
    breaks_with(
        waveform(Vec::new()),
        invalid,
        "no samples; a waveform that was not measured is `absent` with the reason",
    );
    let flat = "the factor is zero: every sample would be the same";
    breaks_with(SampledData { factor: period(0, 0), ..waveform(vec![1]) }, invalid, flat);
    // 12 leads of half a minute at 500 Hz are fine, and no more than that.
    assert_eq!(
        good_one(SampledData { dimensions: 12, period_ms: period(2, 0), ..waveform(vec![-30_000; 180_000]) }),
        Ok(())
    );
    breaks_with(waveform(vec![0; 200_001]), large, "200001 samples; at most 200000 in one answer");
    breaks_with(waveform(vec![-200_000_000; 160_000]), large, "the answer exceeds 1572864 bytes");
    assert_eq!(good_one(SampledData { period_ms: period(36, 5), ..waveform(vec![0]) }), Ok(()), "an hour");
    let long = "the waveform lasts more than 3600 s";
    breaks_with(SampledData { period_ms: period(3_600_001, 0), ..waveform(vec![0]) }, large, long);
    breaks_with(SampledData { period_ms: period(1, 64), ..waveform(vec![0]) }, large, long);
}

#[test]
fn a_sample_is_a_number_within_the_limits_or_says_why_not() {
    let judge = |sampled| judged(vec![Reading { value: Value::Sampled(sampled), ..good() }]);
    let breaks_with = |sampled: SampledData, what: &str| {
        let what = format!("readings[1].value: {what}");
        breaks(|r| r.value = Value::Sampled(sampled.clone()), FailureKind::InvalidOutput, &what);
    };
    let number = |mantissa| Some(Decimal { mantissa, exponent: 0 });
    let limited = |samples| SampledData { lower_limit: number(-5), upper_limit: number(5), ..waveform(samples) };
    let (missing, below, above) = (SampledData::MISSING, SampledData::BELOW_LIMIT, SampledData::ABOVE_LIMIT);
    assert_eq!(judge(limited(vec![-5_000, 5_000, missing, below, above])), Ok(()), "the limits belong to the range");
    assert_eq!(judge(limited(vec![below, above])), Ok(()), "known to be beyond, which is something");
    breaks_with(limited(vec![5_001]), "a sample is above the upper limit; such a one is said to be above it");
    breaks_with(limited(vec![-5_001]), "a sample is below the lower limit; such a one is said to be below it");
    let unlimited = SampledData { upper_limit: None, ..waveform(vec![1]) };
    breaks_with(
        SampledData { samples: vec![1, above], ..unlimited.clone() },
        "a sample is above the upper limit, and there is none",
    );
    breaks_with(
        SampledData { samples: vec![1, below], ..unlimited.clone() },
        "a sample is below the lower limit, and there is none",
    );
    breaks_with(waveform(vec![missing; 3]), "every sample is missing; such a waveform is `absent` with the reason");
    let crossed = SampledData { lower_limit: number(6), ..limited(vec![1]) };
    breaks_with(crossed, "the lower limit is above the upper one");
    // A negative factor turns the wave round: the smallest raw sample is then the highest value.
    let inverted = SampledData { factor: Decimal { mantissa: -1, exponent: -3 }, ..limited(vec![-5_001]) };
    breaks_with(inverted, "a sample is above the upper limit; such a one is said to be above it");
    // Numbers that cannot be held against each other are no waveform of this world.
    let absurd = SampledData { origin: Decimal { mantissa: 1, exponent: 64 }, ..limited(vec![1]) };
    breaks_with(absurd, "a sample is above the upper limit; such a one is said to be above it");
    assert_eq!(["E", "L", "U"].map(Some), [missing, below, above].map(SampledData::letter));
}

#[test]
fn times_and_texts_can_be_stored() {
    let invalid = FailureKind::InvalidOutput;
    let local = "readings[1].time: a local time is written YYYY-MM-DDThh:mm:ss[.fff]";
    breaks(|r| r.time = DeviceTime::Local(text("2026-02-29T08:00:00")), invalid, local);
    let zoned = "readings[1].time-end: a time with an offset is written as in RFC 3339";
    breaks(|r| r.time_end = DeviceTime::Zoned(text("2026-02-28T08:00:00")), invalid, zoned);
    let age = "readings[1].time: more than 100 years before the capture";
    breaks(|r| r.time = DeviceTime::BeforeCapture(u64::MAX), FailureKind::OutputTooLarge, age);
    breaks(|r| r.record_key = Some(text("a\0")), invalid, "readings[1].record-key: a text with a NUL character");
    breaks(|r| r.record_key = Some(String::new()), invalid, "readings[1].record-key: empty");
    let key = "readings[1].user-slot: 513 bytes; at most 512";
    breaks(|r| r.user_slot = Some("x".repeat(513)), FailureKind::OutputTooLarge, key);
}

#[test]
fn a_value_or_components_but_not_neither() {
    let invalid = FailureKind::InvalidOutput;
    breaks(|r| r.value = Value::None, invalid, "readings[1].value: no value and no components");
    let part = |value| Component { kind: text("glucose"), codings: Vec::new(), value, extra: Vec::new() };
    let whole = Reading { value: Value::None, components: vec![part(quantity(1, 0, "1"))], ..good() };
    assert_eq!(judged(vec![whole]), Ok(()));
    let empty = "readings[1].components[0].value: a component has a value, or `absent` with the reason";
    breaks(|r| r.components = vec![part(Value::None)], invalid, empty);
}

#[test]
fn sizes_add_up() {
    let large = FailureKind::OutputTooLarge;
    assert_eq!(judged(vec![good(); 2_001]), Err((large, text("readings: 2001 readings; at most 2000"))));
    breaks(|r| r.flags = vec![text("test"); 513], large, "readings[1].flags: 513 elements; at most 512");
    let long = "readings[1].value: a text of 65537 bytes; at most 65536";
    breaks(|r| r.value = Value::Text("x".repeat(65_537)), large, long);
    let texts = vec![Reading { value: Value::Text("x".repeat(60_000)), ..good() }; 30];
    assert_eq!(judged(texts).map_err(|(kind, _)| kind), Err(large));
}

#[test]
fn the_other_outcomes_are_judged_too() {
    let nothing = |reason: &str| {
        let (facts, warnings, extra) = (Vec::new(), Vec::new(), Vec::new());
        let nothing = Nothing { reason: text(reason), message: String::new(), facts, warnings, extra };
        outcome(&Limits::default(), &registry(), &declared(), &Outcome::Nothing(nothing))
    };
    assert_eq!(nothing("heartbeat"), Ok(()));
    assert_eq!(nothing("bored"), Err((FailureKind::InvalidOutput, text("reason: `bored` is no registered reason"))));
}

#[test]
fn the_readings_of_a_hub_are_counted_over_all_devices() {
    let item = |content| HubItem { device: text("AA:BB"), item_id: None, content, extra: Vec::new() };
    let judged = |items| hub_outcome(&Limits::default(), &registry(), &declared(), &HubOutcome::Items(items));
    let readings = |count| Decoded { readings: vec![good(); count], ..Decoded::default() };
    let frame = Frame { channel: text("2A35"), data: vec![1, 2], captured_at_ms: None, extra: Vec::new() };
    assert_eq!(judged(vec![item(HubContent::Readings(readings(3))), item(HubContent::Frame(frame))]), Ok(()));
    let many = vec![item(HubContent::Readings(readings(1_500))); 2];
    let message = text("items[1].readings: 3000 readings; at most 2000");
    assert_eq!(judged(many), Err((FailureKind::OutputTooLarge, message)));
    let unnamed = HubItem { device: String::new(), ..item(HubContent::Readings(readings(1))) };
    assert_eq!(judged(vec![unnamed]), Err((FailureKind::InvalidOutput, text("items[0].device: empty"))));
}

/// The decoder's author is told all; a server only what cannot be personal data.
#[test]
fn an_exception_is_a_failure_of_the_decoder() {
    let fails = |declared: &Declared, at: &str| {
        let extra = vec![
            pair("exception", "TypeError"),
            pair("exception-at", at),
            pair("exception-message", "Jane Doe is no number"),
        ];
        let error = DecodeError {
            kind: ErrorKind::Malformed,
            message: text("the decoder failed"),
            offset: None,
            path: None,
            extra,
        };
        outcome(&Limits::default(), &registry(), declared, &Outcome::Error(error))
    };
    let trap = |message: &str| Err((FailureKind::Trap, text(message)));
    assert_eq!(fails(&declared(), "decoder.js:31"), trap("an exception, `TypeError` at decoder.js:31"));
    assert_eq!(fails(&declared(), "Jane Doe"), trap("an exception, `TypeError`"));
    let told = fails(&Declared { tells_exceptions: true, ..declared() }, "decoder.js:31");
    assert_eq!(told, trap("an exception, `TypeError` at decoder.js:31: Jane Doe is no number"));
}
