//! The grammar, by example.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::outcome::{Issue, IssueCode};

const BASE: &str = "https://us.example/t/a/fhir/r4";

fn try_search(resource_type: &str, query: &[(&str, &str)]) -> Result<Search, Vec<Issue>> {
    let query: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parse(resource_type, &query, &[BASE])
}

fn criterion(name: &str, value: &str) -> Criterion {
    let mut search = try_search("Observation", &[(name, value)]).unwrap();
    assert_eq!(search.unsupported, [], "{name}={value}");
    search.filters.pop().unwrap().criterion
}

fn is(system: &str, code: Option<&str>) -> Token {
    Token { system: TokenSystem::Is(system.to_owned()), code: code.map(str::to_owned) }
}

fn any(code: &str) -> Token {
    Token { system: TokenSystem::Any, code: Some(code.to_owned()) }
}

#[test]
fn tokens_have_four_forms() {
    assert_eq!(criterion("code", "8480-6"), Criterion::Token(vec![any("8480-6")]));
    assert_eq!(
        criterion("code", "http://loinc.org|8480-6,http://loinc.org|8462-4"),
        Criterion::Token(vec![is("http://loinc.org", Some("8480-6")), is("http://loinc.org", Some("8462-4"))])
    );
    assert_eq!(
        criterion("code", "|x"),
        Criterion::Token(vec![Token { system: TokenSystem::None, code: Some("x".into()) }])
    );
    assert_eq!(criterion("identifier", "urn:x|"), Criterion::Token(vec![is("urn:x", None)]));
    assert_eq!(criterion("status:not", "entered-in-error"), Criterion::TokenNot(vec![any("entered-in-error")]));
    assert_eq!(criterion("identifier", r"s|a\,b\|c\$d\\e\f"), Criterion::Token(vec![is("s", Some(r"a,b|c$d\e\f"))]));
    for bad in ["|", "a|b|c", "a,,b", ","] {
        let issues = try_search("Observation", &[("code", bad)]).unwrap_err();
        assert_eq!(
            (issues[0].code, issues[0].expression.as_slice()),
            (IssueCode::Value, ["http.code".to_owned()].as_slice()),
            "{bad}"
        );
    }
}

#[test]
fn dates_carry_prefix_and_precision() {
    let Criterion::Date(dates) = criterion("date", "ge2024-05") else { panic!() };
    assert_eq!(dates[0].prefix, Prefix::Ge);
    assert_eq!(dates[0].range.low.to_rfc3339(), "2024-05-01T00:00:00+00:00");
    assert_eq!(dates[0].range.high.to_rfc3339(), "2024-06-01T00:00:00+00:00");
    // An offset whose plus sign was not encoded.
    let Criterion::Date(dates) = criterion("date", "2024-05-01T10:00:00 02:00") else { panic!() };
    assert_eq!(dates[0].range.low.to_rfc3339(), "2024-05-01T08:00:00+00:00");
    let issues = try_search("Observation", &[("date", "after2024"), ("date", "2024-02-30")]).unwrap_err();
    assert!(issues[0].diagnostics.as_ref().unwrap().contains("eq, ne, gt"), "{issues:?}");
    assert_eq!(issues.len(), 2);
}

#[test]
fn date_prefixes_compare_ranges() {
    let value = |text: &str| DateRange::parse(text).unwrap();
    let matches = |asked: &str, given: &str| DateValue::parse(asked).unwrap().matches(&value(given));
    // The examples of the specification's table.
    assert!(
        matches("eq2013-01-14", "2013-01-14T00:00:00Z")
            && matches("2013-01-14", "2013-01-14T10:00:00Z")
            && !matches("eq2013-01-14", "2013-01-15T00:00:00Z")
    );
    assert!(!matches("2013-01-14", "2013-01") && matches("2013-01", "2013-01-14"));
    assert!(matches("ne2013-01-14", "2013-01-15T00:00:00Z") && !matches("ne2013-01-14", "2013-01-14T00:00:00Z"));
    assert!(matches("lt2013-01-14T10:00", "2013-01-14") && matches("gt2013-01-14T10:00", "2013-01-14"));
    assert!(
        matches("ge2013-03-14", "2013-03-14")
            && matches("le2013-03-14", "2013-03-14")
            && !matches("ge2013-03-14", "2013-03-13")
    );
    assert!(matches("sa2013-03-14", "2013-03-15") && !matches("sa2013-03-14", "2013-03-14"));
    assert!(matches("eb2013-03-14", "2013-03-13T23:59:59Z") && !matches("eb2013-03-14", "2013-03"));
    assert!(matches("ap2013-03-14", "2013-03-15") && !matches("ap2013-03-14", "2013-03-20"));
    // gt and lt look at instants after and before the asked range, not at its inside.
    assert!(!matches("gt2013-01-14", "2013-01-14T10:00:00Z") && !matches("lt2013-01-14", "2013-01-14T10:00:00Z"));
}

#[test]
fn references_are_local_or_not() {
    let local = |resource_type: Option<&str>, id: &str| {
        Criterion::Reference(vec![ReferenceValue::Local {
            resource_type: resource_type.map(str::to_owned),
            id: id.to_owned(),
        }])
    };
    assert_eq!(criterion("patient", "1"), local(Some("Patient"), "1"));
    assert_eq!(criterion("patient", "Patient/1"), local(Some("Patient"), "1"));
    assert_eq!(criterion("subject", "1"), local(None, "1"));
    assert_eq!(criterion("subject:Group", "1"), local(Some("Group"), "1"));
    assert_eq!(criterion("subject", "https://us.example/t/a/fhir/r4/Device/7"), local(Some("Device"), "7"));
    assert_eq!(
        criterion("subject", "https://ehr.example/Patient/7"),
        Criterion::Reference(vec![ReferenceValue::Url("https://ehr.example/Patient/7".into())])
    );
    assert_eq!(criterion("subject:identifier", "s|v"), Criterion::ReferenceIdentifier(vec![is("s", Some("v"))]));
    for (name, bad) in [
        ("patient", "Group/1"),
        ("subject", "a b"),
        ("subject:Group", "Patient/1"),
        ("subject", "#x"),
        ("subject", "Patient?identifier=x"),
    ] {
        assert_eq!(try_search("Observation", &[(name, bad)]).unwrap_err()[0].code, IssueCode::Value, "{name}={bad}");
    }
}

#[test]
fn strings_and_ids() {
    let search = try_search(
        "Patient",
        &[
            ("name", r"Müller\, A,Ma"),
            ("family:exact", "O'Neil"),
            ("given:contains", "an"),
            ("_id", "a,b"),
            ("birthdate:missing", "true"),
        ],
    )
    .unwrap();
    let expected = [
        Criterion::String(StringMatch::StartsWith, vec!["Müller, A".into(), "Ma".into()]),
        Criterion::String(StringMatch::Exact, vec!["O'Neil".into()]),
        Criterion::String(StringMatch::Contains, vec!["an".into()]),
        Criterion::Id(vec!["a".into(), "b".into()]),
        Criterion::Missing(true),
    ];
    assert_eq!(search.filters.into_iter().map(|filter| filter.criterion).collect::<Vec<_>>(), expected);
    assert!(try_search("Patient", &[("_id", "a_b")]).is_err());
}

#[test]
fn controls_shape_the_answer() {
    let search = try_search(
        "Observation",
        &[
            ("_count", "50"),
            ("_sort", "-date,_id"),
            ("_summary", "count"),
            ("_total", "accurate"),
            ("_format", "application/fhir json"),
            ("_pretty", "true"),
            ("_cursor", "x"),
        ],
    )
    .unwrap();
    assert_eq!(
        search.controls,
        Controls {
            count: Some(50),
            sort: vec![Sort { key: SortKey::Date, descending: true }, Sort { key: SortKey::Id, descending: false }],
            summary: Summary::Count,
            total: Total::Accurate,
            cursor: Some("x".into()),
        }
    );
    for (name, bad) in [
        ("_count", "-1"),
        ("_count", "+1"),
        ("_count", "x"),
        ("_total", "yes"),
        ("_summary", "maybe"),
        ("_format", "xml"),
    ] {
        assert!(try_search("Observation", &[(name, bad)]).is_err(), "{name}={bad}");
    }
    // Right in FHIR, not supported here: for the caller to refuse or to ignore.
    let search = try_search("Patient", &[("_sort", "birthdate"), ("_summary", "true")]).unwrap();
    assert_eq!((search.unsupported.len(), search.controls), (2, Controls::default()));
}

#[test]
fn what_is_not_supported_is_listed_with_what_is() {
    let query = [
        ("code", "x"),
        ("colour", "red"),
        ("patient.name", "x"),
        ("code:text", "x"),
        ("_include", "Observation:subject"),
        ("_has:Group:member:_id", "1"),
        ("_elements", "id"),
        ("_count:x", "1"),
    ];
    let search = try_search("Observation", &query).unwrap();
    assert_eq!(search.understood, [("code".to_owned(), "x".to_owned())]);
    assert_eq!(search.unsupported.len(), 7);
    let texts: Vec<&str> = search.unsupported.iter().filter_map(|issue| issue.diagnostics.as_deref()).collect();
    assert!(texts[0].contains("_id, _lastUpdated, identifier, patient, subject, code"), "{texts:?}");
    assert!(texts[2].contains(":missing, :not"), "{texts:?}");
    assert!(
        try_search("Basic", &[]).unwrap_err()[0]
            .diagnostics
            .as_ref()
            .unwrap()
            .contains("Observation, Patient, Device can")
    );
}

#[test]
fn numbers_imply_their_range() {
    let number = |text: &str| NumberValue::parse(text).unwrap();
    assert_eq!((number("100").value, number("100").half_width), (100.0, 0.5));
    assert_eq!((number("lt5.40").prefix, number("lt5.40").half_width), (Prefix::Lt, 0.005));
    assert_eq!(number("1e2").half_width, 50.0);
    let quantity = QuantityValue::parse("ge5.4|http://unitsofmeasure.org|mg").unwrap();
    assert_eq!((quantity.system.as_deref(), quantity.code.as_deref()), (Some("http://unitsofmeasure.org"), Some("mg")));
    assert_eq!(QuantityValue::parse("5.4||mg").unwrap().system, None);
    for bad in ["", "x", "ge", "inf", "NaN", "1|2", "1e999"] {
        assert!(QuantityValue::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_table_agrees_with_the_official_definitions() {
    let official: serde_json::Value =
        serde_json::from_str(include_str!("../../../../../fhir-profiles/r4/search-parameters.json")).unwrap();
    for table in TABLE {
        for parameter in table.parameters {
            let base = if parameter.code.starts_with('_') { "Resource" } else { table.resource_type };
            let found = &official[base][parameter.code];
            let name = format!("{}.{}", table.resource_type, parameter.code);
            assert_eq!(found["type"], parameter.kind.as_str(), "{name}");
            assert_eq!(found["url"], parameter.definition, "{name}");
        }
        assert!(table.sort.iter().all(|key| table.parameter(key).is_some()));
    }
}
