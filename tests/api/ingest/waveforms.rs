//! Waveforms from the recorder to the EHR: exact samples, letters where there are none, pages and Bundles of bounded size.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::fhir::{ids, link};
use crate::support::{Actor, Clinic, FakeEhr, TestApp, blood_pressure, eventually};

/// The twelve leads as the compact frame names them, and their MDC codes, in the order of the table of vitals.
const LEADS: [(u8, &str); 12] = [
    (1, "131329"),
    (2, "131330"),
    (61, "131389"),
    (62, "131390"),
    (63, "131391"),
    (64, "131392"),
    (3, "131331"),
    (4, "131332"),
    (5, "131333"),
    (6, "131334"),
    (7, "131335"),
    (8, "131336"),
];
const MISSING: i16 = i16::MIN;
const ABOVE: i16 = i16::MAX;

/// The checksum of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |register, byte| {
        (0..8).fold(register ^ u32::from(*byte), |register, _| (register >> 1) ^ (0xEDB8_8320 * (register & 1)))
    })
}

/// A compact frame of `plugins/afferent-waveform`: 500 Hz, 4.88 µV a count, from noon on 10 March 2026.
fn frame(number: u32, leads: &[u8], samples: &[Vec<i16>]) -> Vec<u8> {
    let mut frame = b"AFWF".to_vec();
    frame.extend([1, 1, 0, u8::try_from(leads.len()).unwrap()]);
    frame.extend(1_773_144_000_000_u64.to_le_bytes());
    frame.extend(number.to_le_bytes());
    frame.extend([0; 4]);
    let count = u32::try_from(samples[0].len()).unwrap();
    frame.extend([2_000_u32, 4_880, count].iter().flat_map(|number| number.to_le_bytes()));
    frame.extend(leads);
    frame.extend(samples.iter().flatten().flat_map(|sample| sample.to_le_bytes()));
    frame.extend(crc32(&frame).to_le_bytes());
    frame
}

/// Half a minute of twelve leads at 500 Hz: 180,000 samples.
fn twelve_leads(number: u32) -> (Vec<u8>, Vec<Vec<i16>>) {
    let seed = i32::try_from(number).unwrap();
    let lead = |lead: i32| {
        (0..15_000).map(|at| i16::try_from((at * 37 + lead * 101 + seed) % 2_401 - 1_200).unwrap()).collect()
    };
    let samples: Vec<Vec<i16>> = (0..12).map(lead).collect();
    (frame(number, &LEADS.map(|(code, _)| code), &samples), samples)
}

fn text(samples: &[i16]) -> String {
    samples.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

async fn recorder(clinic: &Clinic, model: &str) -> Actor {
    let (device, recorder) = clinic.device(model, "RECORDER").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    recorder
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_minute_of_twelve_leads_arrives_sample_by_sample_and_travels_on() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let clinic = app.clinic("heart").await;
    let wish =
        json!({ "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": ehr.url(), "auth": { "kind": "none" } });
    clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    let recorder = recorder(&clinic, "afferent-waveform").await;
    let (frame, samples) = twelve_leads(7);

    let receipt = recorder.uplink("", &frame).await.expect(201);
    let [id] = receipt["observations"].as_array().unwrap().as_slice() else { panic!("{receipt}") };
    let ecg = clinic.observation(id.as_str().unwrap()).await;
    assert_eq!((&ecg["status"], &ecg["code"]["coding"][0]["code"]), (&json!("final"), &json!("11524-6")));
    assert_eq!(ecg["subject"]["reference"], format!("Patient/{}", clinic.patient));
    let period = json!({ "start": "2026-03-10T12:00:00Z", "end": "2026-03-10T12:00:30Z" });
    assert_eq!(ecg["effectivePeriod"], period);
    for (part, ((_, code), lead)) in ecg["component"].as_array().unwrap().iter().zip(LEADS.iter().zip(&samples)) {
        assert_eq!(part["code"]["coding"][0]["code"], *code);
        let wave = &part["valueSampledData"];
        assert_eq!(wave["data"].as_str().unwrap(), text(lead), "lead {code}");
        assert_eq!((&wave["origin"]["code"], &wave["dimensions"]), (&json!("uV"), &json!(1)));
        let exact = ["period", "factor", "lowerLimit", "upperLimit"].map(|name| wave[name].to_string());
        assert_eq!(exact, ["2.000", "4.880", "-159898.080", "159898.080"]);
    }
    assert_eq!(ecg["component"].as_array().unwrap().len(), 12);

    // The same recording again is the same recording.
    assert_eq!(recorder.uplink("", &frame).await.expect(200)["observations"], receipt["observations"]);
    assert_eq!(clinic.count("&code=http://loinc.org|11524-6").await, 1);
    let theirs = eventually("the EHR has it", || async { ehr.state().observations.first().cloned() }).await;
    assert_eq!(theirs["component"], ecg["component"], "every sample, over there too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_measured_is_a_letter_or_a_reason_and_never_a_number() {
    let app = TestApp::start().await;
    let clinic = app.clinic("heart").await;
    let recorder = recorder(&clinic, "afferent-waveform").await;
    let lead = vec![10, MISSING, MISSING, ABOVE, -3];
    let receipt = recorder.uplink("", &frame(1, &[1, 2], &[lead, vec![MISSING; 5]])).await.expect(201);
    let ecg = clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
    assert_eq!(ecg["component"][0]["valueSampledData"]["data"], "10 E E U -3");
    assert_eq!(ecg["component"][1]["dataAbsentReason"]["coding"][0]["code"], "error");
    assert!(!ecg.to_string().contains("32768") && !ecg.to_string().contains("32767"), "{ecg}");

    // No electrode at all: kept, and no result.
    let nothing = recorder.uplink("", &frame(2, &[1], &[vec![MISSING; 5]])).await.expect(201);
    let nothing = clinic.observation(nothing["observations"][0].as_str().unwrap()).await;
    assert_eq!(nothing["component"][0]["dataAbsentReason"]["coding"][0]["code"], "error");
    assert!(nothing["component"][0].get("valueSampledData").is_none(), "{nothing}");

    // A sample that no electrode can give is held for a person: 32,000 counts of 15 µV are 480 mV.
    let mut body = frame(3, &[1], &[vec![0, 32_000]]);
    body.truncate(body.len() - 4);
    body[28..32].copy_from_slice(&15_000_u32.to_le_bytes());
    body.extend(crc32(&body).to_le_bytes());
    assert_eq!(recorder.uplink("", &body).await.expect(202)["outcome"], "held");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_boundless_recordings_are_kept_with_the_reason() {
    let app = TestApp::start().await;
    let clinic = app.clinic("heart").await;
    let recorder = recorder(&clinic, "afferent-waveform").await;
    let good = frame(1, &[1], &[vec![5; 300]]);
    let mut flipped = good.clone();
    flipped[100] ^= 0x20;
    // A frame of 200,001 samples is whole, and more than one answer may hold.
    let boundless = frame(2, &[1], &[vec![0; 200_001]]);
    for (body, outcome, reason) in [
        (&good[..good.len() - 1], "undecodable", "malformed"),
        (&flipped, "undecodable", "malformed"),
        (&boundless, "undecodable", "output-too-large"),
    ] {
        let receipt = recorder.uplink("", body).await.expect(202);
        assert_eq!(receipt["outcome"], outcome, "{receipt}");
        let kept = clinic.admin.get("/api/v1/quarantine").await.expect(200);
        let item = kept["items"].as_array().unwrap().iter().find(|item| item["uplink"] == receipt["uplink"]).unwrap();
        assert_eq!(item["reason"], reason, "{item}");
    }
    let kept = clinic.admin.get("/api/v1/quarantine").await.expect(200).to_string();
    assert!(kept.contains("200001 samples; at most 200000 in one answer"), "{kept}");
    assert_eq!(clinic.count("").await, 0);
    // Its neighbours are not held up.
    recorder.uplink("", &good).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_waveforms_ends_before_it_is_large_and_the_next_link_goes_on() {
    let app = TestApp::start().await;
    let clinic = app.clinic("heart").await;
    let recorder = recorder(&clinic, "afferent-waveform").await;
    let mut sent = HashSet::new();
    for number in 1..=7 {
        let receipt = recorder.uplink("", &twelve_leads(number).0).await.expect(201);
        sent.insert(receipt["observations"][0].as_str().unwrap().to_owned());
    }
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    for query in ["code=http://loinc.org|11524-6&_count=50", "_sort=-_lastUpdated&_count=50", "_count=50"] {
        let mut path = format!("{}/Observation?patient={}&{query}", clinic.fhir, clinic.patient);
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let answer = clinic.admin.get(&path).await;
            assert!(answer.text.len() < 6 << 20, "{} bytes", answer.text.len());
            let page = answer.expect(200);
            pages += 1;
            let of_page = ids(&page);
            assert!(!of_page.is_empty(), "every page has an entry");
            found.extend(of_page);
            match link(&page, "next") {
                Some(next) => path = next,
                None => break,
            }
        }
        assert!(pages >= 2, "{query}: {pages} pages");
        assert_eq!(found.len(), found.iter().collect::<HashSet<_>>().len(), "{query}: nothing twice");
        let found: HashSet<String> = found.into_iter().collect();
        assert!(sent.is_subset(&found), "{query}: nothing is left out");
    }
    // Those who do not ask for waveforms never meet them.
    let vitals = format!("{}/Observation?patient={}&category=vital-signs", clinic.fhir, clinic.patient);
    assert!(clinic.admin.get(&vitals).await.text.len() < 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_without_a_place_for_waveforms_leaves_them_out() {
    let (app, ehr) = (TestApp::start().await, FakeEhr::start().await);
    let clinic = app.clinic("heart").await;
    let wish = json!({
        "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": ehr.url(), "auth": { "kind": "none" },
        "filter": { "exceptCodes": ["http://loinc.org|11524-6"] },
    });
    let endpoint = clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    assert_eq!(endpoint["filter"]["exceptCodes"], json!(["http://loinc.org|11524-6"]));
    let recorder = recorder(&clinic, "afferent-waveform").await;
    recorder.uplink("", &frame(1, &[1], &[vec![5; 300]])).await.expect(201);
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    let arrived = eventually("the blood pressure is there", || async {
        let observations = ehr.state().observations.clone();
        (observations.len() >= 2).then_some(observations)
    })
    .await;
    let codes: Vec<&Value> = arrived.iter().map(|observation| &observation["code"]["coding"][0]["code"]).collect();
    assert!(!codes.contains(&&json!("11524-6")), "{codes:?}");
    // What the endpoint wants changes for what comes from then on.
    let path = format!("/api/v1/endpoints/{}", endpoint["id"].as_str().unwrap());
    clinic.admin.patch(&path, json!({ "filter": {} })).await.expect(200);
    recorder.uplink("", &frame(2, &[1], &[vec![6; 300]])).await.expect(201);
    eventually("the waveform is there", || async { (ehr.state().observations.len() > arrived.len()).then_some(()) })
        .await;
    let wrong = json!({ "filter": { "exceptCodes": ["ecg"] } });
    clinic.admin.patch(&path, wrong).await.expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_of_a_chest_strap_become_one_recording_that_ends_when_the_last_was_taken() {
    let app = TestApp::start().await;
    let clinic = app.clinic("heart").await;
    let strap = recorder(&clinic, "polar-h10-ecg").await;
    let notification = |index: u64| {
        let mut bytes = vec![0];
        bytes.extend((599_616_000_123_456_789 + index * 561_538_462).to_le_bytes());
        bytes.push(0);
        bytes.extend((0..73_i32).flat_map(|sample| (sample * 10 - 300).to_le_bytes().into_iter().take(3)));
        hex::encode(bytes)
    };
    let frames: Vec<Value> = [0, 1, 2, 4]
        .map(|index| json!({ "channel": "", "hex": notification(index), "capturedAt": format!("2026-03-10T12:00:0{index}.500Z") }))
        .into();
    let request = strap
        .request(reqwest::Method::POST, "/ingest/v1/uplinks")
        .header("Content-Type", "application/vnd.afferent.uplink+json")
        .body(json!({ "frames": frames }).to_string());
    let receipt = strap.send(request).await.expect(201);
    let [id] = receipt["observations"].as_array().unwrap().as_slice() else { panic!("{receipt}") };
    let ecg = clinic.observation(id.as_str().unwrap()).await;
    let wave = &ecg["component"][0]["valueSampledData"];
    let letters: Vec<&str> = wave["data"].as_str().unwrap().split(' ').collect();
    assert_eq!(
        (letters.len(), letters[0], letters[218], letters[219], letters[291], letters[292]),
        (365, "-300", "420", "E", "E", "-300")
    );
    assert_eq!((wave["period"].to_string().as_str(), &wave["origin"]["code"]), ("7.692308", &json!("uV")));
    // 365 samples of 7.692308 ms before the capture of the last notification, in the tenant's zone.
    let period = json!({ "start": "2026-03-10T13:00:01.693+01:00", "end": "2026-03-10T13:00:04.500+01:00" });
    assert_eq!(ecg["effectivePeriod"], period);
}
