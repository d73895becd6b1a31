//! `docs/vectors.md`: its lines are run, and every member that is known stands in it.

use super::{Checker, Subject, strict};
use crate::registry::{fact_kinds, kinds, nothing_reasons};
use crate::{
    Decimal, DecodeError, Decoded, Decoder, Input, Manifest, Nothing, OnChange, Outcome, Reader, Reading, Value,
    record_key,
};

const PAGE: &str = include_str!("../../../docs/vectors.md");

/// The example scale of `afferent plugin new`.
struct Scale;

impl Decoder for Scale {
    fn describe() -> Manifest {
        Manifest::new("acme-scale", "Acme", "1.0.0")
            .model("acme-scale", "Scale", &["FFB2"])
            .kinds(&[kinds::BODY_WEIGHT])
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let mut reader = Reader::new(input.only_frame()?);
        let flags = reader.flags_u8(0b0000_0011)?;
        let weight = reader.u16_le()?;
        let clock = if flags.has(1) { Some(reader.date_time()?.wall_clock()) } else { None };
        let battery = Value::decimal(Decimal::new(reader.u8()?.into(), 0), "%");
        reader.finish()?;
        let value = match weight {
            0 => {
                let nothing = Nothing::because(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale");
                return Ok(nothing.fact(fact_kinds::BATTERY, battery).into());
            }
            0xFFFF => Value::absent("error"),
            weight => Value::decimal(Decimal::new(weight.into(), -2), if flags.has(0) { "[lb_av]" } else { "kg" }),
        };
        let mut reading = Reading::new(kinds::BODY_WEIGHT, value);
        if let Some(clock) = clock {
            reading = reading.at_wall_clock(&clock).record_key(record_key(&clock, None), OnChange::Distinct);
        }
        Ok(Decoded::from(vec![reading]).fact(fact_kinds::BATTERY, battery).into())
    }
}

fn lines() -> Vec<&'static str> {
    let blocks = PAGE.split("```jsonl\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.flat_map(str::lines).collect()
}

/// What is wrong with a line as the page's decoder answers it.
fn problems(line: &str) -> Vec<String> {
    let subject = Subject::device::<Scale>();
    let checked = Checker::new(subject.manifest()).check(line);
    let mut problems = checked.problems;
    problems.extend(checked.notices);
    if let Some(vector) = checked.vector {
        problems.extend(subject.vector_problems(&vector, &vector.input(&vector.format, "")));
    }
    problems
}

#[test]
fn every_line_of_the_page_passes() {
    assert!(lines().len() >= 5);
    for line in lines() {
        assert_eq!(problems(line), Vec::<String>::new(), "{line}");
    }
}

/// Whatever the page says of a payload is compared: with anything else in its place the line does not pass.
#[test]
fn whatever_a_line_says_is_compared_and_told_in_peoples_words() {
    let lines = lines();
    for (line, from, to, told) in [
        (0, "\"decoded\"", "\"reject\"", "expected reject, and got decoded: body-weight 70.00 kg"),
        (0, "70.00,", "71,", "body-weight: expected 71 kg, and got 70.00 kg"),
        (0, "\"unit\": \"kg\"", "\"unit\": \"g\"", "body-weight: expected 70.00 g, and got 70.00 kg"),
        (0, "body-weight", "body-height", "expected body-height, and got body-weight"),
        (
            0,
            "\"kind\": \"body-weight\"",
            "\"loinc\": \"8302-2\"",
            "expected LOINC 8302-2, and got 29463-7 (body-weight)",
        ),
        (0, "85 %", "3 %", "expected the battery 3 %, and got 85 %"),
        (0, "\"85 %\"", "null", "expected the battery none, and got 85 %"),
        (0, "\"battery\"", "\"firmware\"", "expected the firmware 85 %, and got none"),
        (
            0,
            "\"unit\": \"kg\"}",
            "\"unit\": \"kg\"}, {\"kind\": \"steps\", \"value\": 1}",
            "expected 2 observations, and got 1: body-weight 70.00 kg",
        ),
        (
            1,
            "\"flags\": []",
            "\"flags\": [\"questionable\"]",
            "body-weight: expected the flags questionable, and got none",
        ),
        (1, "\"unknown\"", "\"not-set\"", "body-weight: expected the clock state not-set, and got unknown"),
        (
            1,
            "\"recordKey\": \"2026-05-23T08:30:00\"",
            "\"recordKey\": \"x\"",
            "body-weight: expected the record key x, and got 2026-05-23T08:30:00",
        ),
        (1, "\"slot\": null", "\"slot\": \"1\"", "body-weight: expected the user slot 1, and got none"),
        (1, "\"slot\": null", "\"bodySite\": \"wrist\"", "body-weight: expected the body site wrist, and got none"),
        (1, "\"slot\": null", "\"method\": \"fast\"", "body-weight: expected the method fast, and got none"),
        (
            1,
            "\"slot\": null",
            "\"context\": {\"meal\": \"fasting\"}",
            "body-weight: expected the meal fasting, and got none",
        ),
        (
            1,
            "\"device_time_local\": \"2026-05-23T08:30:00\"",
            "\"device_time_local\": \"2026-05-23T08:31:00\"",
            "body-weight: expected the local time 2026-05-23T08:31:00, and got 2026-05-23T08:30:00",
        ),
        (
            1,
            "\"warnings\": []",
            "\"warnings\": [\"no-sensor-contact\"]",
            "expected the warnings no-sensor-contact, and got none",
        ),
        (2, "\"error\"", "\"not-performed\"", "body-weight: expected absent not-performed, and got absent error"),
        (
            2,
            "\"dataAbsentReason\": \"error\"",
            "\"value\": 7, \"unit\": \"kg\"",
            "body-weight: expected 7 kg, and got absent error",
        ),
        (3, "no-measurement", "demo", "expected the reason demo, and got no-measurement: nobody is on the scale"),
        (3, "85 %", "84 %", "expected the battery 84 %, and got 85 %"),
        (
            3,
            "\"reason\": \"no-measurement\"",
            "\"message\": \"asleep\"",
            "expected `asleep` in the message, and got `nobody is on the scale`",
        ),
        (4, "malformed", "unsupported", "expected the reason unsupported, and got malformed: truncated: "),
        (4, "\"truncated\"", "\"sum\"", "expected `sum` in the message, and got `truncated: "),
    ] {
        let changed = lines[line].replacen(from, to, 1);
        assert_ne!(changed, lines[line], "{from} is not in the line");
        let problems = problems(&changed);
        assert!(problems.iter().any(|problem| problem.starts_with(told)), "{changed}\n{told}\n{problems:#?}");
        assert!(!problems.iter().any(|problem| problem.contains("Quantity")), "{problems:?}");
    }
}

#[test]
fn every_member_that_is_known_is_on_the_page() {
    for name in strict::every_member() {
        assert!(PAGE.contains(&format!("`{name}`")), "docs/vectors.md does not name `{name}`");
    }
}
