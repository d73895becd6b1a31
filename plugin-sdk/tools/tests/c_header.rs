//! The structs of the C SDK lie in memory as the contract's records do: `wit-parser` says where each field lies, and clang agrees.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use wit_parser::{Resolve, SizeAlign, Type, TypeDefKind};

/// What the enumerators of a type begin with; types of the hubs' world are not in the header.
const ENUMERATORS: &[(&str, &str)] = &[
    ("value", "AFFERENT_VALUE_"),
    ("device-time", "AFFERENT_TIME_"),
    ("outcome", "AFFERENT_OUTCOME_"),
    ("on-change", "AFFERENT_"),
    ("error-kind", "AFFERENT_"),
];
const HUBS: &[&str] = &["hub-content", "hub-item", "hub-outcome"];

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

/// Assertions about every type, in C.
fn assertions() -> String {
    let wit = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/decoder.wit")).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("decoder.wit", &wit).unwrap();
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);
    let mut text = String::from("#include \"afferent.h\"\n");
    let mut assert = |claim: String| writeln!(text, "_Static_assert({claim}, \"{claim}\");").unwrap();
    let types = &resolve.interfaces[resolve.packages[package].interfaces["types"]].types;
    let mut unknown = BTreeSet::new();
    for (name, id) in types {
        if HUBS.contains(&name.as_str()) {
            continue;
        }
        let record = format!("struct afferent_{}", snake(name));
        let whole = Type::Id(*id);
        let prefix = ENUMERATORS.iter().find(|(known, _)| known == name).map(|(_, prefix)| *prefix);
        let mut cases = |cases: Vec<&str>| {
            let Some(prefix) = prefix else { return unknown.insert(name.clone()) };
            for (number, case) in cases.iter().enumerate() {
                assert(format!("{prefix}{} == {number}", snake(case).to_uppercase()));
            }
            true
        };
        match &resolve.types[*id].kind {
            TypeDefKind::Record(fields) => {
                for (field, (offset, kind)) in
                    fields.fields.iter().zip(sizes.field_offsets(fields.fields.iter().map(|field| &field.ty)))
                {
                    let field = snake(&field.name);
                    assert(format!("offsetof({record}, {field}) == {}", offset.size_wasm32()));
                    assert(format!("sizeof((({record} *)0)->{field}) == {}", sizes.size(kind).size_wasm32()));
                }
            }
            TypeDefKind::Variant(variant) => {
                cases(variant.cases.iter().map(|case| case.name.as_str()).collect());
                let at = sizes.payload_offset(variant.tag(), variant.cases.iter().map(|case| case.ty.as_ref()));
                for case in variant.cases.iter().filter(|case| case.ty.is_some()) {
                    assert(format!("offsetof({record}, {}) == {}", snake(&case.name), at.size_wasm32()));
                    let payload = sizes.size(case.ty.as_ref().unwrap()).size_wasm32();
                    assert(format!("sizeof((({record} *)0)->{}) == {payload}", snake(&case.name)));
                }
            }
            TypeDefKind::Enum(closed) => {
                cases(closed.cases.iter().map(|case| case.name.as_str()).collect());
                continue;
            }
            other => panic!("{name}: {other:?}"),
        }
        assert(format!("sizeof({record}) == {}", sizes.size(&whole).size_wasm32()));
        assert(format!("_Alignof({record}) == {}", sizes.align(&whole).align_wasm32()));
    }
    assert_eq!(unknown, BTreeSet::new(), "types whose enumerators nobody named");
    text
}

/// What clang says about a text beside the header, or none where there is no clang.
fn compile(text: &str) -> Option<(bool, String)> {
    let headers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../c");
    let started = Command::new("clang")
        .args(["--target=wasm32-unknown-unknown", "-std=c11", "-ffreestanding", "-fsyntax-only", "-xc", "-", "-I"])
        .arg(headers)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut clang = started.ok()?;
    clang.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = clang.wait_with_output().unwrap();
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn structs_lie_in_memory_as_the_contracts_records_do() {
    let text = assertions();
    assert!(text.lines().count() > 150, "{text}");
    let Some((right, told)) = compile(&text) else {
        eprintln!("SKIPPED: there is no clang");
        return;
    };
    assert!(right, "{told}");
    // The assertions do assert.
    let (right, _) = compile(&text.replacen("== 8", "== 9", 1)).unwrap();
    assert!(!right);
}
