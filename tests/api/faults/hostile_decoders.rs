//! Decoders that loop, allocate, recurse, trap, lie and shout: each costs one uplink an error, and nobody else anything.

use std::time::{Duration, Instant};

use crate::support::{TempDir, TestApp, blood_pressure};

const MODELS: [&str; 6] =
    ["hostile-loop", "hostile-allocate", "hostile-recurse", "hostile-trap", "hostile-lie", "hostile-huge"];

#[tokio::test(flavor = "multi_thread")]
async fn each_costs_one_uplink_and_nobody_else_anything() {
    let decoders = TempDir::new();
    std::fs::copy(env!("HOSTILE_DECODER"), decoders.path().join("hostile.wasm")).unwrap();
    let app = TestApp::start_with(&[("AFFERENT_DECODER_DIR", decoders.path().to_str().unwrap())]).await;
    let clinic = app.clinic("north").await;
    let mut expected = 0;
    for (number, model) in MODELS.iter().enumerate() {
        let (device, hostile) = clinic.device(model, model).await;
        clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
        let frame = [u8::try_from(number).unwrap(), 1, 2, 3];
        let started = Instant::now();
        // A neighbour sends at the same moment.
        let neighbour = blood_pressure(u32::try_from(number).unwrap());
        let (bad, good) = tokio::join!(hostile.uplink("", &frame), clinic.cuff.uplink("2A35", &neighbour));
        let bad = bad.expect(202);
        assert_eq!(bad["outcome"], "undecodable", "{model}: {bad}");
        assert_eq!(good.expect(201)["outcome"], "stored", "{model}");
        assert!(started.elapsed() < Duration::from_secs(20), "{model} took {:?}", started.elapsed());
        expected += 2;
    }
    assert_eq!(clinic.count("").await, expected, "only the neighbours' readings are there");
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let items = quarantine["items"].as_array().unwrap();
    assert_eq!(items.len(), MODELS.len());
    for item in items {
        assert!(!item["reason"].as_str().unwrap().is_empty());
        assert!(!item["detail"].as_str().unwrap().is_empty());
    }
    // The same sandbox still decodes what is well behaved.
    let (device, tame) = clinic.device("hostile-well-behaved", "tame").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    assert_eq!(tame.uplink("", &[0xB0, 0x36]).await.expect(201)["outcome"], "stored");
    assert_eq!(clinic.count("code=29463-7").await, 1);
}
