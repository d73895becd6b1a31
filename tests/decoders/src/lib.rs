//! Every decoder that is shipped, as a subject of tests: the list that the corpus, the damaged payloads, the fuzz targets and
//! `docs/decoders.md` go over. A test compares it with the folders under `plugins/`, so that none is forgotten.

pub mod page;

use std::fs;
use std::path::{Path, PathBuf};

use afferent_plugin_sdk::vectors::{Subject, Vector};
use anyhow::{Context, Result, anyhow};

/// The folder under `plugins/`, and what makes its decoder a subject.
pub type Shipped = (&'static str, fn() -> Subject);

/// The decoders by folder. A new crate under `plugins/` gets a line here, a dependency in `Cargo.toml`, and a target in
/// `fuzz/Cargo.toml`.
#[must_use]
pub fn shipped() -> Vec<Shipped> {
    vec![
        ("advertising-scales", Subject::device::<advertising_scales::AdvertisingScales>),
        ("afferent-waveform", Subject::device::<afferent_waveform::AfferentWaveform>),
        ("ava4-qube-vital", Subject::hub::<ava4_qube_vital::Ava4QubeVital>),
        ("azure-iot", Subject::device::<azure_iot::AzureIot>),
        ("beurer", Subject::device::<beurer::Beurer>),
        ("bluetooth-sig", Subject::device::<bluetooth_sig::BluetoothSig>),
        ("bodytrace", Subject::device::<bodytrace::BodyTrace>),
        ("cassia", Subject::hub::<cassia::Cassia>),
        ("dexcom-cloud", Subject::device::<dexcom_cloud::DexcomCloud>),
        ("dexcom-transmitter", Subject::device::<dexcom_transmitter::DexcomTransmitter>),
        ("fitbit", Subject::device::<fitbit::Fitbit>),
        ("fitdays-scales", Subject::device::<fitdays_scales::FitdaysScales>),
        ("garmin-health", Subject::device::<garmin_health::GarminHealth>),
        ("google-fit", Subject::device::<google_fit::GoogleFit>),
        ("health-auto-export", Subject::device::<health_auto_export::HealthAutoExport>),
        ("huawei-scales", Subject::device::<huawei_scales::HuaweiScales>),
        ("ihealth", Subject::device::<ihealth::IHealth>),
        ("kati", Subject::device::<kati::Kati>),
        ("memory-scales", Subject::device::<memory_scales::MemoryScales>),
        ("nightscout", Subject::device::<nightscout::Nightscout>),
        ("omron", Subject::device::<omron::Omron>),
        ("polar", Subject::device::<polar::Polar>),
        ("renpho", Subject::device::<renpho::Renpho>),
        ("tellihealth", Subject::device::<tellihealth::Tellihealth>),
        ("tenovi", Subject::device::<tenovi::Tenovi>),
        ("vendor-cuffs", Subject::device::<vendor_cuffs::VendorCuffs>),
        ("withings", Subject::device::<withings::Withings>),
        ("xiaomi", Subject::device::<xiaomi::Xiaomi>),
    ]
}

/// The subject of a folder; nothing for an unknown one.
#[must_use]
pub fn subject(folder: &str) -> Option<Subject> {
    shipped().into_iter().find(|(name, _)| *name == folder).map(|(_, subject)| subject())
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or_else(|| Path::new("/")).to_owned()
}

/// The folders under `plugins/` that are crates, by name.
///
/// # Errors
///
/// The folder cannot be read.
pub fn folders() -> Result<Vec<String>> {
    let plugins = root().join("plugins");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&plugins).with_context(|| format!("cannot read {}", plugins.display()))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            folders.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    folders.sort();
    Ok(folders)
}

/// The vectors of a decoder, in the order of their files.
///
/// # Errors
///
/// A file cannot be read, or a line is no vector.
pub fn vectors(folder: &str) -> Result<Vec<Vector>> {
    let place = root().join("plugins").join(folder).join("vectors");
    let mut files: Vec<PathBuf> = fs::read_dir(&place)
        .with_context(|| format!("cannot read {}", place.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let mut vectors = Vec::new();
    for file in files {
        for line in fs::read_to_string(&file)?.lines().filter(|line| !line.trim().is_empty()) {
            vectors.push(Vector::parse(line).map_err(|problem| anyhow!("{}: {problem}", file.display()))?);
        }
    }
    Ok(vectors)
}
