//! Words are found by what they mean, and units are judged as the host does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use fhir_model::units::Units;
use fhir_model::vitals::Vitals;
use registered_words::{Set, Words};

fn words() -> Words {
    Words::load().unwrap()
}

#[test]
fn what_people_call_it_is_found() {
    let words = words();
    for (set, asked, expected) in [
        (Set::Kind, "pef", "peak-expiratory-flow"),
        (Set::Kind, "peak-flow", "peak-expiratory-flow"),
        (Set::Kind, "Peak Flow", "peak-expiratory-flow"),
        (Set::Kind, "heartrate", "heart-rate"),
        (Set::Kind, "heart_rate", "heart-rate"),
        (Set::Kind, "SpO2", "oxygen-saturation"),
        (Set::Kind, "bp", "blood-pressure"),
        (Set::Kind, "systolic pressure", "blood-pressure-systolic"),
        (Set::Kind, "cuff", "blood-pressure"),
        (Set::Flag, "bad-contact", "poor-contact"),
        (Set::Kind, "systolic", "blood-pressure-systolic"),
        (Set::Kind, "weight", "body-weight"),
        (Set::Kind, "temp", "body-temperature"),
        (Set::Kind, "temprature", "body-temperature"),
        (Set::Kind, "body-wight", "body-weight"),
        (Set::Kind, "8867-4", "pulse-rate"),
        (Set::Kind, "MDC_PULS_OXIM_SAT_O2", "oxygen-saturation"),
        (Set::Kind, "glucose", "glucose-capillary"),
        (Set::Kind, "respiration", "respiratory-rate"),
        (Set::Kind, "FEV1", "forced-expiratory-volume-1s"),
        (Set::Flag, "doubtful", "questionable"),
        (Set::Flag, "cuff", "cuff-too-loose"),
        (Set::Flag, "loose cuff", "cuff-too-loose"),
        (Set::Flag, "low-battery", "battery-low"),
        (Set::Flag, "irregular", "irregular-pulse"),
        (Set::Flag, "movement", "body-movement"),
        (Set::Flag, "poorsignal", "poor-signal"),
        (Set::Warning, "clock", "device-time-untrusted"),
        (Set::Fact, "rssi", "signal-strength"),
        (Set::Fact, "battery-level", "battery"),
        (Set::NothingReason, "training", "demo"),
        (Set::NothingReason, "alive", "heartbeat"),
        (Set::AbsentReason, "not-measured", "not-performed"),
        (Set::AbsentReason, "missing", "unknown"),
        (Set::BodySite, "oral", "mouth"),
        (Set::Unit, "l/min", "L/min"),
        (Set::Unit, "mmHg", "mm[Hg]"),
        (Set::Unit, "°C", "Cel"),
        (Set::Unit, "lbs", "[lb_av]"),
        (Set::Unit, "bpm", "/min"),
    ] {
        let found: Vec<&str> = words.search(Some(set), asked).into_iter().map(|word| word.name.as_str()).collect();
        assert_eq!(found.first(), Some(&expected), "{set:?} {asked}: {found:?}");
    }
    assert!(words.search(Some(Set::Kind), "zzz").is_empty());
    assert!(words.search(None, " ").is_empty());
    let everywhere: Vec<Set> = words.search(None, "battery").into_iter().map(|word| word.set).collect();
    assert!(everywhere.contains(&Set::Flag) && everywhere.contains(&Set::Fact), "{everywhere:?}");
}

#[test]
fn every_word_is_found_first_by_its_own_name() {
    let words = words();
    for set in Set::ALL {
        assert!(words.of(set).count() > 0, "{set:?}");
        for word in words.of(set) {
            assert_eq!(words.search(Some(set), &word.name).first().unwrap().name, word.name, "{set:?}");
            assert!(!word.about.is_empty(), "{}", word.name);
        }
    }
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    let words = words();
    for (set, name, expected) in [
        (
            Set::Kind,
            "pef",
            "`pef` is no registered kind; did you mean `peak-expiratory-flow`? `afferent plugin words` lists all",
        ),
        (
            Set::Flag,
            "doubtful",
            "`doubtful` is no registered flag; did you mean `questionable`? `afferent plugin words` lists all",
        ),
        (
            Set::Kind,
            "body-wight",
            "`body-wight` is no registered kind; did you mean `body-weight`? `afferent plugin words` lists all",
        ),
        (
            Set::Kind,
            "hr",
            "`hr` is no registered kind; did you mean `heart-rate`, `pulse-rate` or `pulse-rate-oximeter`? \
             `afferent plugin words` lists all",
        ),
        (
            Set::ClockState,
            "zzz",
            "`zzz` is no registered clock state; there are unknown, synchronised, not-set and fault",
        ),
        (Set::Warning, "implausible", "the warning `implausible` is the host's to say: it knows ranges and clocks"),
    ] {
        assert_eq!(words.problem(set, name).unwrap(), expected);
    }
    for part in ["bone-mass", "visceral-fat", "pulse-pressure"] {
        let told = words.problem(Set::Kind, part).unwrap();
        assert!(!told.contains("did you mean"), "a part of what was asked is not what was meant: {told}");
        assert!(!words.search(Some(Set::Kind), part).is_empty(), "{part}");
    }
    let far = words.problem(Set::Flag, "zzz").unwrap();
    assert!(far.contains("is no registered flag; `afferent plugin words` lists all"), "{far}");
    assert_eq!(words.problem(Set::Kind, "body-weight"), None);
    assert_eq!(words.context_problem("meal", "fasting"), None);
    assert_eq!(words.context_problem("carbohydrate-grams", "12"), None);
    assert!(words.context_problem("meal", "hungry").unwrap().contains("there are pre-prandial"));
}

#[test]
fn a_unit_is_judged_for_its_kind() {
    let words = words();
    let wrong = |kind: &str, unit: &str| words.unit_problem(Some(kind), unit).unwrap();
    assert_eq!(
        wrong("peak-expiratory-flow", "l/min"),
        "`l/min` is no unit of the platform's list; did you mean `L/min`? `afferent plugin words` lists all"
    );
    assert_eq!(
        wrong("peak-expiratory-flow", "L"),
        "`L` is no unit of peak-expiratory-flow, which is in L/min, and L/s is converted"
    );
    assert_eq!(
        wrong("peak-expiratory-flow", "furlong"),
        "`furlong` is no unit of the platform's list; peak-expiratory-flow is in L/min, and L/s is converted"
    );
    assert_eq!(words.unit_problem(Some("forced-expiratory-volume-1s"), "mL"), None);
    assert_eq!(words.unit_problem(None, "mV"), None);
    assert!(words.unit_problem(None, "volts").unwrap().contains("`V`"));
}

/// The host's own rule (`allowed` in its `interpret/values`): a unit of the kind, or one that is converted into one of those.
#[test]
fn units_fit_where_the_host_can_keep_or_convert_them() {
    let words = words();
    let units = Units::load().unwrap();
    let vitals = Vitals::load(&units).unwrap();
    let mut pairs = 0;
    for vital in vitals.kinds() {
        for unit in units.iter() {
            let host = vital.units.is_empty()
                || vital.units.contains(&unit.code)
                || vital.units.iter().any(|kept| vital.conversion(&units, &unit.code, kept).is_some());
            let problem = words.unit_problem(Some(&vital.name), &unit.code);
            assert_eq!(problem.is_none(), host, "{} in {}: {problem:?}", vital.name, unit.code);
            pairs += 1;
        }
    }
    assert!(pairs > 2_000, "{pairs}");
}
