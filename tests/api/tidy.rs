//! The architecture as tests: what ARCHITECTURE.md promises about the sources. Each message says what to do.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Rust sources below a folder of the repository.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn all_sources() -> Vec<(String, String)> {
    ["server", "plugin-sdk", "plugins", "tests"].into_iter().flat_map(sources).collect()
}

#[test]
fn every_file_says_what_it_owns() {
    for (name, text) in all_sources() {
        assert!(text.starts_with("//!"), "{name}: open the file with `//!` and what it owns");
    }
}

#[test]
fn rooms_form_a_list() {
    // In reading order; a room may use those before it.
    let rooms = ["tenancy", "identity", "fhir", "fleet", "ingest", "forward"];
    // Known and explained: whoever calls is asked for the tree, and the tree's own handlers ask who calls.
    let excused = [("tenancy", "identity")];
    for (place, room) in rooms.iter().enumerate() {
        for (name, text) in sources(&format!("server/src/{room}")) {
            for later in rooms.iter().skip(place + 1) {
                if excused.contains(&(*room, *later)) {
                    continue;
                }
                assert!(
                    !text.contains(&format!("crate::{later}::")),
                    "{name} uses `crate::{later}`, a room below it: write a row and let wiring.rs say who reacts, or move the code"
                );
            }
        }
    }
}

#[test]
fn heavy_names_stay_behind_their_fences() {
    let fences = [
        ("wasmtime::", "server/crates/plugin-host/"),
        ("fhirbolt::", "server/crates/fhir-model/"),
        ("reqwest::Client", "server/src/platform/outbound"),
    ];
    for (name, text) in sources("server/src").into_iter().chain(sources("server/crates")) {
        for (word, fence) in fences {
            // The demo talks to its own server, as a script would; an upload goes where its user says, from their machine.
            let scripts = ["server/src/commands/serve/demo", "server/src/commands/plugin/upload.rs"];
            let allowed = name.starts_with(fence) || scripts.iter().any(|script| name.starts_with(script));
            assert!(allowed || !text.contains(word), "{name} names {word}; only {fence} does");
        }
    }
}

/// An instance that outlives its uplink could carry one patient's data to the next.
#[test]
fn only_the_benchmark_uses_an_instance_again() {
    for (name, text) in sources("server/src") {
        let bench = name.starts_with("server/src/commands/bench/");
        assert!(
            bench || !text.contains(".reused("),
            "{name}: a decoder's instance is for one uplink; use Decoder::run"
        );
    }
}

#[test]
fn tenants_tables_are_named_in_stores_only() {
    for (name, text) in sources("server/src") {
        let store = name.contains("/store")
            || name.contains("/concepts.rs")
            || name.contains("/identifier_systems.rs")
            || name.contains("/credential.rs");
        assert!(
            store || !text.contains("db::schema::"),
            "{name} names db::schema; put the query into the room's store"
        );
    }
}

#[test]
fn every_migration_can_be_undone_and_explains_its_tables() {
    for entry in std::fs::read_dir(root().join("migrations")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let up = std::fs::read_to_string(entry.path().join("up.sql")).unwrap();
        assert!(entry.path().join("down.sql").exists(), "{}: a migration has a down.sql", entry.path().display());
        for line in up.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")) {
            let table = line.split_whitespace().next().unwrap();
            assert!(up.contains(&format!("COMMENT ON TABLE {table} IS")), "{table} has no comment");
        }
    }
}

#[test]
fn architecture_names_every_room() {
    let text = std::fs::read_to_string(root().join("server/ARCHITECTURE.md")).unwrap();
    for entry in std::fs::read_dir(root().join("server/src")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let room = entry.file_name().to_string_lossy().into_owned();
        assert!(text.contains(&format!("src/{room}")), "server/ARCHITECTURE.md does not say what {room} is");
    }
}
