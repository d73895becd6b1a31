//! The same again, or another measurement?

use plugin_host::{DeviceTime, NameValue};

use super::super::stable_identifier;
use super::*;

fn hash(reading: &Reading) -> String {
    meaning(reading).identity.content_hash
}

#[test]
fn the_identifier_is_frozen() {
    // It is outside in the world: a change of this value is a change of every identifier.
    let identifier = stable_identifier("device", "key:1", "body-weight", Some("assignment"));
    assert_eq!(identifier, "694e40974b666fa12bef72e53884e53e");
}

#[test]
fn every_part_of_the_identifier_counts_and_none_runs_into_the_next() {
    let all = [
        stable_identifier("device", "key", "kind", Some("assignment")),
        stable_identifier("devicek", "ey", "kind", Some("assignment")),
        stable_identifier("device", "keyk", "ind", Some("assignment")),
        stable_identifier("device", "key", "kind", Some("")),
        stable_identifier("device", "key", "kind", None),
        stable_identifier("other", "key", "kind", Some("assignment")),
    ];
    for (place, identifier) in all.iter().enumerate() {
        assert_eq!(identifier.len(), 32);
        assert!(!all.iter().skip(place + 1).any(|other| other == identifier));
    }
}

#[test]
fn content_is_the_same_however_it_is_written() {
    let plain = reading("body-weight", quantity("70.0", "kg"));
    assert_eq!(hash(&plain), hash(&reading("body-weight", quantity("70.00", "kg"))));
    let named = |name: &str, value: &str| NameValue { name: name.to_owned(), value: value.to_owned() };
    let mut one = flagged(plain.clone(), &["questionable", "from-storage"]);
    one.context = vec![named("posture", "sitting"), named("arm", "left")];
    let mut other = flagged(plain.clone(), &["from-storage", "questionable", "questionable"]);
    other.context = vec![named("arm", "left"), named("posture", "sitting")];
    assert_eq!(hash(&one), hash(&other));
}

#[test]
fn other_content_is_other_content() {
    let plain = reading("body-weight", quantity("70.0", "kg"));
    let changes: [fn(&mut Reading); 7] = [
        |reading| reading.value = quantity("70.1", "kg"),
        |reading| reading.value = quantity("70.0", "[lb_av]"),
        |reading| reading.value = absent("error"),
        |reading| reading.kind = "body-water-mass".to_owned(),
        |reading| reading.flags.push("questionable".to_owned()),
        |reading| reading.user_slot = Some("1".to_owned()),
        |reading| reading.time = DeviceTime::Local("2026-11-22T08:30:01".to_owned()),
    ];
    for change in changes {
        let mut changed = plain.clone();
        change(&mut changed);
        assert_ne!(hash(&plain), hash(&changed));
    }
}

#[test]
fn the_way_it_took_makes_no_difference() {
    let reading = reading("body-weight", quantity("70", "kg"));
    let later = InterpretContext { captured_at: Some(instant("2026-11-22T10:00:00Z")), ..context() };
    let (direct, by_hub) = (meaning(&reading), interpret(&reading, &later, &tables()));
    assert_eq!(direct.identity.record_key("uplink 1"), by_hub.identity.record_key("uplink 2"));
    let mut ticks = reading;
    ticks.time = DeviceTime::BeforeCapture(1_000);
    let first = hash(&ticks);
    ticks.time = DeviceTime::BeforeCapture(61_000);
    assert_eq!(first, hash(&ticks));
}

#[test]
fn without_a_key_the_uplink_tells_equal_readings_apart() {
    let beat = Reading { record_key: None, time: DeviceTime::None, ..reading("heart-rate", quantity("72", "/min")) };
    let identity = meaning(&beat).identity;
    assert_eq!(identity.record_key("uplink 1"), identity.record_key("uplink 1"));
    assert_ne!(identity.record_key("uplink 1"), identity.record_key("uplink 2"));
    let captured = |text| InterpretContext { captured_at: Some(instant(text)), ..context() };
    let first = interpret(&beat, &captured("2026-11-22T10:59:30Z"), &tables()).identity;
    let second = interpret(&beat, &captured("2026-11-22T10:59:31Z"), &tables()).identity;
    assert_ne!(first.record_key("uplink 1"), second.record_key("uplink 1"));
}

#[test]
fn a_changed_record_is_what_the_decoder_declared() {
    let with =
        |on_change, value| meaning(&Reading { on_change, ..reading("steps", quantity(value, "{steps}")) }).identity;
    let same = |on_change| with(on_change, "100").record_key("u") == with(on_change, "200").record_key("u");
    assert!(same(OnChange::Replace) && same(OnChange::Conflict) && !same(OnChange::Distinct));
}

#[test]
fn an_oximeters_averages_are_different_observations() {
    let by =
        |method: &str| Reading { method: Some(method.to_owned()), ..reading("oxygen-saturation", quantity("97", "%")) };
    assert_ne!(meaning(&by("fast")).identity_kind, meaning(&by("slow")).identity_kind);
}
