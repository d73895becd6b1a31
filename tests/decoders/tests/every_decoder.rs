//! Every decoder under `plugins/`: it has a fuzz target, its corpus and fixed mutations of it pass, every change of every line
//! of its vectors comes to an answer that harms nobody, and `docs/decoders.md` says what is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use afferent_plugin_sdk::vectors::Tally;
use shipped_decoders::{folders, page, root, shipped, subject, vectors};

/// Mutated inputs of each decoder, the same in every run.
const MUTATIONS: usize = 3_000;

#[test]
fn every_decoder_has_a_target() {
    let names: Vec<&str> = shipped().iter().map(|(name, _)| *name).collect();
    assert_eq!(folders().unwrap(), names, "list the decoder in tests/decoders/src/lib.rs");
    let targets = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for name in names {
        let target = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/decoder.rs\"\n");
        assert!(targets.contains(&target), "fuzz/Cargo.toml has no target\n{target}");
    }
}

#[test]
fn the_corpus_and_mutations_of_it_harm_nobody() {
    for (name, subject) in shipped() {
        let subject = subject();
        let vectors = vectors(name).unwrap();
        let seeds = subject.seeds(&vectors);
        assert!(seeds.len() >= vectors.len() && !vectors.is_empty(), "{name}: vectors that are no seeds");
        for (vector, (seed, bytes)) in vectors.iter().zip(&seeds) {
            assert_eq!(vector.id, *seed);
            let input = subject.input_of(bytes);
            assert_eq!(input, vector.input(&vector.format, ""), "{name}: the seed {seed} says something else");
        }
        assert_eq!(subject.fuzz_corpus(&seeds, MUTATIONS), seeds.len() + MUTATIONS);
    }
}

/// Done when 4 of the issue: every truncation, flipped bit and combination of flags.
#[test]
fn every_change_of_every_line_harms_nobody_and_the_page_says_so() {
    let (tallies, problems) = page::tallies().unwrap();
    let shown: Vec<&str> = problems.iter().take(100).map(String::as_str).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), shown.join("\n"));
    let mut all = Tally::default();
    tallies.values().for_each(|judged| all.add(&judged.tally));
    let verdicts = all.refused + all.nothing + all.absent + all.held + all.flagged + all.plausible;
    assert_eq!(verdicts, all.judged(), "an answer without a verdict");
    assert!(tallies.len() >= 57 && all.lines >= 246 && all.positive >= 180, "vectors are missing: {all:?}");
    assert!(all.truncations > 5_000 && all.flips > 50_000 && all.flags > 500_000 && all.edits > 1_000, "{all:?}");
    let behind: usize = tallies.values().map(|judged| judged.repaired.judged()).sum();
    assert!(behind > 50_000, "hardly anything was tried behind checksums: {behind}");
    let page = page::page(&tallies).unwrap();
    let there = std::fs::read_to_string(root().join(page::PATH)).unwrap_or_default();
    assert!(page == there, "{} is not what the decoders are: run `make decoders` and commit the result", page::PATH);
}

/// The judgement itself must be able to fail.
#[test]
fn an_undeclared_decoder_is_unknown() {
    assert!(subject("bluetooth-sig").is_some() && subject("no-decoder").is_none());
}
