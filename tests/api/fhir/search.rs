//! Search: what each parameter means, and pages that stay right while more is stored.

use reqwest::Method;
use serde_json::{Value, json};

use super::{heart_rate, ids, link, person};
use crate::support::{Clinic, TestApp};

async fn store(clinic: &Clinic, identifier: &str, effective: Value) -> String {
    let mut reading = heart_rate(&clinic.patient, identifier, "");
    let object = reading.as_object_mut().unwrap();
    object.remove("effectiveDateTime");
    object.extend(effective.as_object().unwrap().clone());
    let created = clinic.admin.post(&format!("{}/Observation", clinic.fhir), reading).await.expect(201);
    created["id"].as_str().unwrap().to_owned()
}

/// The identifiers of what a search finds, sorted.
async fn found(clinic: &Clinic, query: &str) -> Vec<String> {
    let bundle = clinic.admin.get(&format!("{}/Observation?{query}", clinic.fhir)).await.expect(200);
    let mut found: Vec<String> = bundle["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| entry["resource"]["identifier"][0]["value"].as_str().unwrap().to_owned())
        .collect();
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_compare_as_the_ranges_they_are() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    for (identifier, effective) in [
        ("day", json!({ "effectiveDateTime": "2024-05-14" })),
        ("month", json!({ "effectiveDateTime": "2024-05" })),
        ("minute-before", json!({ "effectiveDateTime": "2024-05-13T23:59:00Z" })),
        // The 14th in UTC, the 15th where it was measured.
        ("offset", json!({ "effectiveDateTime": "2024-05-15T00:30:00+02:00" })),
        ("period", json!({ "effectivePeriod": { "start": "2024-05-14T10:00:00Z", "end": "2024-05-16T10:00:00Z" } })),
        ("open", json!({ "effectivePeriod": { "start": "2024-05-20" } })),
        ("undated", json!({})),
    ] {
        store(&clinic, identifier, effective).await;
    }
    for (query, expected) in [
        ("date=2024-05-14", vec!["day", "offset"]),
        ("date=eq2024-05", vec!["day", "minute-before", "month", "offset", "period"]),
        ("date=ne2024-05-14", vec!["minute-before", "month", "open", "period"]),
        ("date=lt2024-05-14", vec!["minute-before", "month"]),
        ("date=gt2024-05-14", vec!["month", "open", "period"]),
        ("date=ge2024-05-14", vec!["day", "month", "offset", "open", "period"]),
        ("date=le2024-05-14", vec!["day", "minute-before", "month", "offset"]),
        ("date=sa2024-05-14", vec!["open"]),
        ("date=eb2024-05-14", vec!["minute-before"]),
        ("date=ap2024-05-13", vec!["day", "minute-before", "month", "offset", "period"]),
        // Both must hold: from, and to.
        ("date=ge2024-05-14&date=lt2024-05-15", vec!["day", "month", "offset", "period"]),
        // One of several is enough.
        ("date=2024-05-13,2024-05-14", vec!["day", "minute-before", "offset"]),
        ("date:missing=true", vec!["undated"]),
        ("date=2024-05-15T00:30:00%2B02:00", vec!["offset"]),
        // A plus that was not encoded.
        ("date=2024-05-15T00:30:00+02:00", vec!["offset"]),
        ("date=ge2030", vec!["open"]),
    ] {
        let query = format!("patient={}&{query}", clinic.patient);
        assert_eq!(found(&clinic, &query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_references_and_ids() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let a = store(&clinic, "a", json!({ "effectiveDateTime": "2024-05-14" })).await;
    let mut local = heart_rate(&clinic.patient, "b", "2024-05-15");
    local["code"]["coding"] =
        json!([{ "code": "8867-4" }, { "system": "http://snomed.info/sct", "code": "364075005" }]);
    local["category"] =
        json!([{ "coding": [{ "system": "urn:c", "code": "x" }] }, { "coding": [{ "system": "urn:c", "code": "y" }] }]);
    local["device"] = json!({ "reference": format!("Device/{}", clinic.device) });
    local["status"] = json!("preliminary");
    clinic.admin.post(&format!("{}/Observation", clinic.fhir), local).await.expect(201);
    let mut other = heart_rate(&clinic.patient("Other").await, "c", "2024-05-16");
    other["subject"] = json!({ "reference": format!("Device/{}", clinic.device) });
    other.as_object_mut().unwrap().remove("category");
    clinic.admin.post(&format!("{}/Observation", clinic.fhir), other).await.expect(201);
    let own = format!("{}{}", app.url(""), clinic.fhir);
    for (query, expected) in [
        ("code=8867-4".to_owned(), "abc"),
        ("code=http://loinc.org|8867-4".to_owned(), "ac"),
        ("code=|8867-4".to_owned(), "b"),
        ("code=http://snomed.info/sct|".to_owned(), "b"),
        ("code=http://loinc.org|8867-4,364075005".to_owned(), "abc"),
        ("code=http://loinc.org|9999-9".to_owned(), ""),
        ("code:not=http://snomed.info/sct|364075005".to_owned(), "ac"),
        ("category=vital-signs".to_owned(), "a"),
        ("category=urn:c|y".to_owned(), "b"),
        ("category=x&category=y".to_owned(), "b"),
        ("category:not=vital-signs".to_owned(), "bc"),
        ("category:missing=true".to_owned(), "c"),
        ("status=final,preliminary".to_owned(), "abc"),
        ("status=http://hl7.org/fhir/observation-status|preliminary".to_owned(), "b"),
        ("status=urn:other|preliminary".to_owned(), ""),
        ("status:not=final".to_owned(), "b"),
        (format!("patient={}", clinic.patient), "ab"),
        (format!("patient=Patient/{}", clinic.patient), "ab"),
        (format!("subject=Patient/{}", clinic.patient), "ab"),
        (format!("subject={}", clinic.patient), "ab"),
        (format!("subject={own}/Patient/{}", clinic.patient), "ab"),
        (format!("subject=https://elsewhere.example/Patient/{}", clinic.patient), ""),
        (format!("subject:Device={}", clinic.device), "c"),
        (format!("subject={}", clinic.device), "c"),
        ("patient:missing=true".to_owned(), "c"),
        (format!("device=Device/{}", clinic.device), "b"),
        (format!("device={}", clinic.device), "b"),
        (format!("_id={a}"), "a"),
        (format!("_id={a},nobody"), "a"),
        ("_lastUpdated=gt2020".to_owned(), "abc"),
        ("_lastUpdated=lt2020".to_owned(), ""),
        ("identifier:not=urn:example:readings|a".to_owned(), "bc"),
    ] {
        assert_eq!(found(&clinic, &query).await.concat(), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_what_they_are_called() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let path = format!("{}/Patient", clinic.fhir);
    let muller =
        clinic.admin.post(&path, person("1", "Müller-Ångström")).await.expect(201)["id"].as_str().unwrap().to_owned();
    let mut young = person("2", "Muller");
    young["birthDate"] = json!("2001-02");
    young["gender"] = json!("male");
    let young = clinic.admin.post(&path, young).await.expect(201)["id"].as_str().unwrap().to_owned();
    for (query, expected) in [
        ("family=muller", vec![&muller, &young]),
        ("family=MÜLLER-", vec![&muller]),
        ("family:exact=Muller", vec![&young]),
        ("family:exact=muller", vec![]),
        ("family:contains=angst", vec![&muller]),
        ("name=anne&birthdate=lt1970", vec![&muller]),
        ("given=änne", vec![&muller, &young]),
        ("birthdate=1960-05-17", vec![&muller]),
        ("birthdate=ge2001-01-01", vec![&young]),
        ("birthdate=2001", vec![&young]),
        ("gender=male", vec![&young]),
        ("gender=http://hl7.org/fhir/administrative-gender|male", vec![&young]),
        ("identifier=urn:example:people|1,urn:example:people|2", vec![&muller, &young]),
        ("identifier=2", vec![&young]),
        ("identifier=urn:other|2", vec![]),
        // A wildcard of SQL is a letter like any other.
        ("family=m%25", vec![]),
    ] {
        let bundle = clinic.admin.get(&format!("{path}?{query}")).await.expect(200);
        let mut found = ids(&bundle);
        found.retain(|id| *id != clinic.patient);
        found.sort_unstable();
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_repeat_nor_lose_anything_while_more_is_stored() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let mut stored = Vec::new();
    for day in 1..=9 {
        // Three at the same instant, and some without a date.
        let effective =
            if day > 7 { json!({}) } else { json!({ "effectiveDateTime": format!("2024-05-0{}", day.min(5)) }) };
        stored.push(store(&clinic, &day.to_string(), effective).await);
    }
    for sort in ["date", "-date", "_lastUpdated", "-_lastUpdated", "_id", "-_id"] {
        let mut path = format!("{}/Observation?patient={}&_sort={sort}&_count=2", clinic.fhir, clinic.patient);
        let whole = clinic.admin.get(&path.replace("_count=2", "_count=100")).await.expect(200);
        let whole: Vec<String> = ids(&whole).into_iter().filter(|id| stored.contains(id)).collect();
        assert_eq!(whole.len(), 9, "{sort}");
        let mut seen = Vec::new();
        for number in 0.. {
            let page = clinic.admin.get(&path).await.expect(200);
            assert!(ids(&page).len() <= 2, "{sort}");
            seen.extend(ids(&page).into_iter().filter(|id| stored.contains(id)));
            // Meanwhile, something newer than everything and something older than everything.
            if number < 2 {
                store(&clinic, &format!("{sort}-new-{number}"), json!({ "effectiveDateTime": "2030" })).await;
                store(&clinic, &format!("{sort}-old-{number}"), json!({ "effectiveDateTime": "1990" })).await;
            }
            match link(&page, "next") {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!(seen, whole, "{sort}");
    }
    // The undated come last in both directions.
    for sort in ["date", "-date"] {
        let bundle = clinic
            .admin
            .get(&format!("{}/Observation?patient={}&_sort={sort}", clinic.fhir, clinic.patient))
            .await
            .expect(200);
        let entries = bundle["entry"].as_array().unwrap();
        let undated: Vec<bool> =
            entries.iter().map(|entry| entry["resource"].get("effectiveDateTime").is_none()).collect();
        assert!(
            undated[undated.len() - 2..].iter().all(|undated| *undated)
                && undated.iter().filter(|undated| **undated).count() == 2,
            "{sort}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_says_what_was_used() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    for number in 0..3 {
        store(&clinic, &number.to_string(), json!({ "effectiveDateTime": "2024-05-14" })).await;
    }
    let path = format!("{}/Observation", clinic.fhir);
    let get = |query: &'static str| {
        let (admin, url) = (clinic.admin.clone(), format!("{path}?{query}"));
        async move { admin.get(&url).await }
    };
    // Not understood is refused, each with its name; or ignored on request, and then the links and the answer say so.
    let refused = get("code=8867-4&colour=red&_include=Observation:subject&date=yesterday").await.expect(400);
    let places = refused["issue"].to_string();
    assert!(places.contains("http.date") || places.contains("http.colour"), "{refused}");
    assert!(get("colour=red&_include=Observation:subject").await.expect(400)["issue"].as_array().unwrap().len() == 2);
    let lenient = clinic.admin.send(
        clinic
            .admin
            .request(Method::GET, &format!("{path}?code=8867-4&colour=red"))
            .header("Prefer", "handling=lenient"),
    );
    let lenient = lenient.await.expect(200);
    assert_eq!(ids(&lenient).len(), 3);
    assert_eq!(link(&lenient, "self").unwrap(), format!("{path}?code=8867-4"));
    assert_eq!(lenient["entry"][3]["search"]["mode"], "outcome");
    assert_eq!(lenient["entry"][3]["resource"]["issue"][0]["severity"], "warning");
    // Totals only when they are asked for.
    assert!(get("code=8867-4").await.expect(200).get("total").is_none());
    assert_eq!(get("code=8867-4&_total=accurate&_count=1").await.expect(200)["total"], 3);
    for count in ["_summary=count", "_count=0"] {
        let counted = get(count).await.expect(200);
        assert_eq!((&counted["total"], counted.get("entry")), (&json!(3), None), "{count}");
    }
    get("_summary=true").await.expect(400);
    get("_cursor=AAAA").await.expect(400);
    get("code=a%00b").await.expect(400);
    // The form means the same as the query, and both together.
    let form = clinic.admin.request(Method::POST, &format!("{path}/_search?_count=2"));
    let form = clinic
        .admin
        .send(
            form.header("Content-Type", "application/x-www-form-urlencoded")
                .body(format!("patient={}&code=8867-4", clinic.patient)),
        )
        .await;
    let form = form.expect(200);
    assert_eq!(ids(&form).len(), 2);
    let rest = clinic.admin.get(&link(&form, "next").unwrap()).await.expect(200);
    assert_eq!((ids(&rest).len(), link(&rest, "next")), (1, None));
    // Links keep the base that was called.
    let short = clinic.admin.get("/fhir/r4/Observation?_count=1").await.expect(200);
    assert!(link(&short, "next").unwrap().starts_with("/fhir/r4/Observation?"), "{short}");
    assert!(short["entry"][0]["fullUrl"].as_str().unwrap().contains("/fhir/r4/Observation/"));
}
