//! Glucose Measurement (0x2A18) and its context (0x2A34): units, samples, times, status, keys, and what belongs together.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use afferent_plugin_sdk::registry::{clock_states, contexts, flags, nothing_reasons};
use afferent_plugin_sdk::{DeviceTime, ErrorKind, OnChange, Outcome, Reading, value_lines};
use support::{decode, decoded, expect_readings, frame_of, lines, nothing, readings, refusal, together};

/// Flags, then record 5 of 2026-03-10T07:15:00, then the rest.
fn record(flags: u8, rest: &str) -> String {
    format!("{flags:02x} 0500 ea07 03 0a 07 0f 00 {rest}")
}

#[test]
fn concentrations_keep_every_digit() {
    for (flags, sfloat, expected) in [
        (0x02, "64b0", "100 mg/dL"),
        (0x02, "01b0", "1 mg/dL"),
        (0x02, "00b0", "0 mg/dL"),
        (0x02, "fdb7", "2045 mg/dL"),
        (0x02, "78a0", "12.0 mg/dL"),
        (0x02, "0c90", "0.12 mg/dL"),
        (0x02, "0cc0", "120 mg/dL"),
        (0x02, "ffbf", "-1 mg/dL"),
        (0x06, "37c0", "5.5 mmol/L"),
        (0x06, "f4b1", "5.00 mmol/L"),
        (0x06, "06d0", "6 mmol/L"),
        (0x06, "5100", "81000 mmol/L"),
    ] {
        let expected = format!("glucose-capillary-whole-blood {expected}");
        assert_eq!(lines("2A18", &record(flags, &format!("{sfloat} 11"))), [expected.as_str()], "{sfloat}");
    }
    for (sfloat, reason) in [
        ("ff07", "not-a-number"),
        ("fe07", "positive-infinity"),
        ("0208", "negative-infinity"),
        ("0008", "error"),
        ("0108", "error"),
    ] {
        let expected = format!("glucose-capillary-whole-blood absent {reason}");
        for flags in [0x02, 0x06] {
            assert_eq!(lines("2A18", &record(flags, &format!("{sfloat} 11"))), [expected.as_str()]);
        }
    }
}

#[test]
fn the_sample_decides_the_kind_and_a_control_solution_is_never_a_result() {
    let kinds = [
        "glucose-capillary-whole-blood",
        "glucose-capillary-plasma",
        "glucose-venous-whole-blood",
        "glucose-venous-plasma",
        "glucose-arterial-whole-blood",
        "glucose-arterial-plasma",
        "glucose-whole-blood",
        "glucose-plasma",
        "glucose-interstitial",
    ];
    for (code, kind) in (1_u8..).zip(kinds) {
        for location in 0..16_u8 {
            let hex = record(0x02, &format!("64b0 {:02x}", location << 4 | code));
            if location == 4 {
                assert_eq!(nothing("2A18", &hex).reason, nothing_reasons::CONTROL_SOLUTION, "{code} {location}");
                continue;
            }
            let reading = &readings("2A18", &hex)[0];
            assert_eq!(reading.kind, kind);
            let site =
                [(1, "finger"), (2, "alternate-site"), (3, "earlobe")].into_iter().find(|(of, _)| *of == location);
            assert_eq!(reading.body_site.as_deref(), site.map(|(_, site)| site));
        }
    }
    for location in 0..16_u8 {
        let of = |code: u8| record(0x02, &format!("64b0 {:02x}", location << 4 | code));
        assert_eq!(nothing("2A18", &of(10)).reason, nothing_reasons::CONTROL_SOLUTION);
        for reserved in [0, 11, 12, 13, 14, 15].into_iter().filter(|_| location != 4) {
            assert_eq!(refusal("2A18", &of(reserved)).kind, ErrorKind::Unsupported, "{reserved}");
        }
    }
    // Control stays control with a value that is none, a status and a context.
    assert_eq!(nothing("2A18", &record(0x1A, "ff07 1a ffff")).reason, nothing_reasons::CONTROL_SOLUTION);
    let outcome = together(&[("2A18", &record(0x12, "64b0 1a")), ("2A34", "42 0500 03 1ef0")]).unwrap();
    assert!(matches!(outcome, Outcome::Nothing(nothing) if nothing.reason == nothing_reasons::CONTROL_SOLUTION));
}

#[test]
fn the_users_time_is_the_base_time_and_the_offset() {
    for (offset, local) in [
        ("0000", "2026-03-10T07:15:00"),
        ("3c00", "2026-03-10T08:15:00"),
        ("c4ff", "2026-03-10T06:15:00"),
        ("4cfe", "2026-03-09T23:59:00"),
        ("fe7f", "2026-04-02T01:21:00"),
        ("0180", "2026-02-15T13:08:00"),
    ] {
        let reading = &readings("2A18", &record(0x03, &format!("{offset} 64b0 11")))[0];
        assert_eq!(reading.time, DeviceTime::Local(local.into()), "{offset}");
        assert_eq!(reading.clock_state, clock_states::UNKNOWN);
        assert_eq!(reading.record_key.as_deref(), Some("2026-03-10T07:15:00/5"), "the offset takes no part");
    }
    for beyond in ["ff7f", "0080"] {
        let reading = &readings("2A18", &record(0x03, &format!("{beyond} 64b0 11")))[0];
        assert_eq!(reading.time, DeviceTime::Local("2026-03-10T07:15:00".into()));
        assert_eq!(reading.clock_state, clock_states::FAULT, "how far the offset goes is not known");
    }
}

#[test]
fn a_record_is_known_by_its_number_and_base_time() {
    let reading = |hex: &str| readings("2A18", hex).remove(0);
    let known = reading("02 ffff ea07 03 0a 07 0f 00 64b0 11");
    assert_eq!((known.record_key.as_deref(), known.on_change), (Some("2026-03-10T07:15:00/65535"), OnChange::Replace));
    for (date, state) in [("0000 00 00", clock_states::NOT_SET), ("ea07 0d 01", clock_states::FAULT)] {
        for offset in ["", "3c00"] {
            let flags = if offset.is_empty() { "02" } else { "03" };
            let timeless = reading(&format!("{flags} 0500 {date} 07 0f 00 {offset} 64b0 11"));
            assert_eq!((&timeless.time, timeless.clock_state.as_str()), (&DeviceTime::None, state));
            assert_eq!((timeless.record_key.as_deref(), timeless.on_change), (Some("/5"), OnChange::Distinct));
        }
    }
    let beyond = reading("03 0500 0f27 0c 1f 17 3b 00 0100 64b0 11");
    assert_eq!((beyond.time, beyond.clock_state.as_str()), (DeviceTime::None, clock_states::FAULT));
}

#[test]
fn every_bit_of_the_status_is_its_own_word() {
    let mut words = Vec::new();
    for bit in 0..16_u32 {
        let [low, high, ..] = (1_u32 << bit).to_le_bytes();
        let reading = readings("2A18", &record(0x0A, &format!("64b0 11 {low:02x}{high:02x}"))).remove(0);
        assert_eq!(value_lines(&reading.clone().into()), ["glucose-capillary-whole-blood 100 mg/dL"]);
        assert_eq!(reading.flags.len(), usize::from(bit < 12), "bit {bit}");
        let state = if bit == 11 { clock_states::FAULT } else { clock_states::UNKNOWN };
        assert_eq!(reading.clock_state, state, "bit {bit}");
        words.extend(reading.flags);
    }
    words.sort();
    words.dedup();
    assert_eq!(words.len(), 12);
    let worn_out = ["sensor-malfunction", "sample-insufficient"];
    assert_eq!(readings("2A18", &record(0x0A, "64b0 11 0600"))[0].flags, worn_out);
}

#[test]
fn a_record_without_a_concentration_says_why() {
    assert_eq!(nothing("2A18", &record(0x00, "")).reason, nothing_reasons::NO_MEASUREMENT);
    for harmless in ["0000", "0100", "0008", "00f0", "6000"] {
        assert_eq!(nothing("2A18", &record(0x08, harmless)).reason, nothing_reasons::NO_MEASUREMENT, "{harmless}");
    }
    for bit in [1, 2, 3, 4, 7, 8, 9, 10] {
        let [low, high, ..] = (1_u32 << bit | 1 << 5).to_le_bytes();
        let failed = nothing("2A18", &record(0x08, &format!("{low:02x}{high:02x}")));
        assert_eq!(failed.reason, nothing_reasons::FAILED_MEASUREMENT, "bit {bit}");
        assert_eq!(failed.facts[0].kind, "fault");
    }
    for (status, reason, flag) in
        [("2000", "positive-infinity", flags::RESULT_TOO_HIGH), ("4000", "negative-infinity", flags::RESULT_TOO_LOW)]
    {
        let reading = readings("2A18", &record(0x08, status)).remove(0);
        assert_eq!(reading.flags, [flag]);
        assert_eq!(value_lines(&reading.into()), [format!("glucose-whole-blood absent {reason}")]);
    }
}

#[test]
fn what_would_shift_the_fields_is_refused() {
    for bit in 5..8 {
        let error = refusal("2A18", &record(0x02 | 1 << bit, "64b0 11"));
        assert_eq!((error.kind, error.offset), (ErrorKind::Malformed, Some(0)));
    }
    assert_eq!(refusal("2A18", &record(0x02, "64b0 11 00")).offset, Some(13));
    // With the unit bit and without a concentration there is nothing that it could shift.
    assert_eq!(nothing("2A18", &record(0x04, "")).reason, nothing_reasons::NO_MEASUREMENT);
}

/// The contexts of the only reading of a record and its context.
fn described(context: &str) -> Reading {
    let outcome = together(&[("2A18", &record(0x12, "64b0 11")), ("2A34", context)]).unwrap();
    expect_readings(outcome).readings.remove(0)
}

fn told(context: &str) -> Vec<(String, String)> {
    described(context).context.into_iter().map(|pair| (pair.name, pair.value)).collect()
}

#[test]
fn a_context_describes_the_record_with_its_number() {
    let all = "ff 0500 b3 03 64d0 04 12 3c00 32 04 7b10 43f0";
    // What the meter ate, did and took: 0.100 kg, 60 s at 50 %, 1.23 L of a long acting insulin.
    let outcome = together(&[("2A18", &record(0x12, "64b0 11")), ("2A34", all)]);
    let outcome = expect_readings(outcome.unwrap());
    assert_eq!(value_lines(&outcome.clone().into()), ["glucose-capillary-whole-blood 100 mg/dL", "hba1c 6.7 %"]);
    let [glucose, hba1c] = outcome.readings.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((&glucose.record_key, &glucose.time), (&hba1c.record_key, &hba1c.time));
    assert_eq!((frame_of(glucose), frame_of(hba1c)), ("0", "0"));
    let said: Vec<(&str, &str)> =
        glucose.context.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())).collect();
    assert_eq!(
        said,
        [
            (contexts::CARBOHYDRATE, "dinner"),
            (contexts::CARBOHYDRATE_GRAMS, "100"),
            (contexts::MEAL, "casual"),
            (contexts::TESTER, "health-care-professional"),
            (contexts::HEALTH, "minor-issues"),
            (contexts::EXERCISE_SECONDS, "60"),
            (contexts::EXERCISE_INTENSITY_PERCENT, "50"),
            (contexts::MEDICATION, "long-acting-insulin"),
            (contexts::MEDICATION_MILLILITRES, "1230000"),
        ]
    );
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(told("10 0500 09 05d0"), one(contexts::MEDICATION_MILLIGRAMS, "5000"), "a reserved code, an amount");
    assert_eq!(told("01 0500 00 28d0"), one(contexts::CARBOHYDRATE_GRAMS, "40"));
    assert_eq!(told("01 0500 01 ff07"), one(contexts::CARBOHYDRATE, "breakfast"), "an amount that is none");
    assert_eq!(told("01 0500 01 ffdf"), one(contexts::CARBOHYDRATE, "breakfast"), "less than nothing");
    assert_eq!(told("08 0500 ffff 50"), one(contexts::EXERCISE_INTENSITY_PERCENT, "80"), "an overrun");
    assert_eq!(told("04 0500 44"), one(contexts::HEALTH, "stress"));
    assert_eq!(told("00 0500"), Vec::new());
}

#[test]
fn every_code_is_a_word_or_says_nothing() {
    let words = |context: &dyn Fn(u8) -> String, name: &str| -> Vec<String> {
        let value = |code: u8| told(&context(code)).into_iter().find(|(of, _)| of == name).map(|(_, value)| value);
        (0..=u8::MAX).filter_map(value).collect()
    };
    assert_eq!(
        words(&|code| format!("01 0500 {code:02x} ff07"), contexts::CARBOHYDRATE),
        ["breakfast", "lunch", "dinner", "snack", "drink", "supper", "brunch"]
    );
    assert_eq!(
        words(&|code| format!("02 0500 {code:02x}"), contexts::MEAL),
        ["pre-prandial", "post-prandial", "fasting", "casual", "bedtime"]
    );
    assert_eq!(words(&|code| format!("10 0500 {code:02x} ff07"), contexts::MEDICATION).len(), 5);
    let testers = words(&|code| format!("04 0500 {:02x}", code & 0x0F), contexts::TESTER);
    assert_eq!(testers.iter().filter(|word| *word == "self").count(), 16);
    assert_eq!(testers.len(), 4 * 16);
    assert_eq!(words(&|code| format!("04 0500 {:02x}", code & 0xF0), contexts::HEALTH).len(), 6 * 16);
}

#[test]
fn a_reserved_meal_makes_the_value_unknown() {
    for reserved in [0_u8, 6, 7, 255] {
        let reading = described(&format!("02 0500 {reserved:02x}"));
        assert_eq!(reading.flags, [flags::QUESTIONABLE], "{reserved}");
        assert_eq!(value_lines(&reading.into()), ["glucose-capillary-whole-blood absent unsupported"]);
    }
}

#[test]
fn contexts_find_their_records_in_a_memory_in_any_order() {
    let record = |sequence: u8| format!("12 {sequence:02x}00 ea07 03 0a 07 0f 00 64b0 11");
    let context = |sequence: u8, meal: u8| format!("02 {sequence:02x}00 {meal:02x}");
    let frames = [
        ("2A34", context(2, 1)),
        ("2A18", record(1)),
        ("2A18", record(2)),
        ("2A34", context(3, 2)),
        ("2A34", context(1, 3)),
        ("2A18", record(3)),
        ("2A34", context(9, 4)),
    ];
    let frames: Vec<(&str, &str)> = frames.iter().map(|(channel, hex)| (*channel, hex.as_str())).collect();
    let decoded = expect_readings(together(&frames).unwrap());
    let got: Vec<(&str, &str)> =
        decoded.readings.iter().map(|reading| (frame_of(reading), reading.context[0].value.as_str())).collect();
    assert_eq!(got, [("1", "fasting"), ("2", "pre-prandial"), ("5", "post-prandial")]);
}

#[test]
fn the_same_number_twice_has_a_context_each() {
    let old = "12 0100 ea07 03 0a 07 0f 00 64b0 11";
    let new = "12 0100 ea07 03 0b 07 0f 00 c8b0 11";
    let frames = [("2A18", old), ("2A34", "02 0100 01"), ("2A18", new), ("2A34", "02 0100 02")];
    let meals = |decoded: afferent_plugin_sdk::Decoded| -> Vec<String> {
        decoded.readings.iter().flat_map(|reading| reading.context.iter().map(|pair| pair.value.clone())).collect()
    };
    assert_eq!(meals(expect_readings(together(&frames).unwrap())), ["pre-prandial", "post-prandial"]);
    let one = [("2A18", old), ("2A18", new), ("2A34", "02 0100 02")];
    let decoded = expect_readings(together(&one).unwrap());
    assert!(decoded.readings[0].context.is_empty(), "it was sent after the second");
    assert_eq!(meals(decoded), ["post-prandial"]);
}

#[test]
fn a_record_alone_is_told_and_a_context_alone_waits() {
    assert_eq!(decoded("2A18", &record(0x12, "64b0 11")).readings.len(), 1, "a context that follows may never come");
    for alone in
        [decode("2A34", "02 0500 03").unwrap(), together(&[("2A34", "02 0500 03"), ("2A34", "00 0600")]).unwrap()]
    {
        match alone {
            Outcome::Incomplete(incomplete) => assert!(incomplete.is_decoded(), "{incomplete:?}"),
            other => panic!("{other:?}"),
        }
    }
    let beside = together(&[("2A34", "02 0500 03"), ("2A9D", "00 b036")]).unwrap();
    assert_eq!(value_lines(&beside), ["body-weight 70.000 kg"], "what can be stored is stored");
    let beside = together(&[("2A34", "02 0500 03"), ("2A9D", "00 ffff")]).unwrap();
    assert!(matches!(beside, Outcome::Incomplete(_)), "nothing to store: the context waits");
    assert_eq!(refusal("2A34", "00 0500 00").offset, Some(3));
    let refused = together(&[("2A18", &record(0x12, "64b0 11")), ("2A34", "02 0500")]).unwrap_err();
    assert!(refused.message.starts_with("frame 2: "), "{}", refused.message);
    let reserved = together(&[("2A37", "0050"), ("2A18", &record(0x12, "64b0 1b"))]).unwrap_err();
    assert!(reserved.message.starts_with("frame 2: "), "{}", reserved.message);
}
