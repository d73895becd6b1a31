//! Tests with hand-written modules: what no compiler would make, and an attacker would.
//!
//! They call the sandbox below [`crate::PluginHost::load`], because such a module need not get past its own examples.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, LazyLock};

use wasmtime::component::Component;
use wit_parser::Resolve;

use crate::{
    DecodeFailure, FailureKind, HubOutcome, Input, Limits, LoadError, Outcome, PluginHost, Registry, Shared, Surface,
    decoder, world,
};

/// The parts of a module that behaves: each can be replaced by one that does not.
struct Module {
    memory: &'static str,
    realloc: &'static str,
    describe: &'static str,
    decode: &'static str,
    rest: &'static str,
}

/// The input record, flattened: texts and lists are a pointer and a length, options a tag and their value.
const PARAMETERS: &str = "(param i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32)";

/// `decode` answers `nothing` with empty texts and lists: the variant's tag is 2, all else is zero.
const GOOD: Module = Module {
    memory: "(memory (export \"memory\") 1)",
    // A bump allocator from 32 KiB on.
    realloc: "(global $next (mut i32) (i32.const 32768))
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at))",
    describe: "unreachable",
    decode: "(i32.store8 (i32.const 1024) (i32.const 2)) (i32.const 1024)",
    rest: "",
};

static HOST: LazyLock<PluginHost> =
    LazyLock::new(|| PluginHost::new(Limits::default(), Registry::default(), None).unwrap());

impl Module {
    /// A component of the contract's `decoder` world around this module.
    fn component(&self) -> Vec<u8> {
        self.component_of("decoder", "device", "decode")
    }

    fn component_of(&self, world: &str, interface: &str, call: &str) -> Vec<u8> {
        let Self { memory, realloc, describe, decode, rest } = self;
        let text = format!(
            "(module {memory} {realloc}
                (func (export \"afferent:decoder/{interface}@1.0.0#describe\") (result i32) {describe})
                (func (export \"afferent:decoder/{interface}@1.0.0#{call}\") {PARAMETERS} (result i32) {decode})
                {rest})"
        );
        let mut module = wat::parse_str(text).unwrap();
        let mut resolve = Resolve::default();
        let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../plugin-sdk/wit");
        let (package, _) = resolve.push_path(wit).unwrap();
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
        componentize::encode(&module).unwrap()
    }

    fn decode(&self) -> Result<Outcome, DecodeFailure> {
        let shared: &Arc<Shared> = &HOST.shared;
        let component = Component::from_binary(&shared.engine, &self.component()).unwrap();
        let world = world::pick(&shared.engine, &component).unwrap().world;
        decoder::enter(shared, world.as_ref(), decoder::Entry::wait(shared), |instance, store| {
            instance.decode(store, &input())
        })
        .result
    }

    #[track_caller]
    fn fails(&self, kind: FailureKind) -> DecodeFailure {
        let failure = self.decode().unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        failure
    }
}

fn input() -> Input {
    Input {
        model: "raw".to_owned(),
        frames: Vec::new(),
        content_type: "application/octet-stream".to_owned(),
        received_at_ms: 0,
        time_zone: None,
        variables: Vec::new(),
        extra: Vec::new(),
    }
}

fn refused(component: &[u8]) -> String {
    HOST.load(component).unwrap_err().to_string()
}

fn refused_text(text: &str) -> String {
    refused(&wat::parse_str(text).unwrap())
}

#[test]
fn the_good_module_works_so_that_the_others_fail_for_their_own_reason() {
    assert!(matches!(GOOD.decode(), Ok(Outcome::Nothing(_))));
}

#[test]
fn a_module_has_one_memory_and_only_components_are_made_of_several() {
    let two = Module { memory: "(memory (export \"memory\") 1) (memory 1)", ..GOOD };
    let reason = refused(&two.component());
    assert!(reason.contains("memories count of 2 exceeds"), "{reason}");
}

/// What the engine makes between the parts of a composed component needs both memories: without multi-memory it panics.
#[test]
fn a_composed_component_is_judged_like_any_other() {
    let composed = "(component
        (component $inner
            (core module $m (memory (export \"m\") 1) (func (export \"f\") (param i32 i32))
                (func (export \"r\") (param i32 i32 i32 i32) (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func (export \"f\") (param \"s\" string)
                (canon lift (core func $i \"f\") (memory $i \"m\") (realloc (func $i \"r\")))))
        (component $outer
            (import \"f\" (func $f (param \"s\" string)))
            (core module $libc (memory (export \"m\") 1))
            (core instance $l (instantiate $libc))
            (core func $lowered (canon lower (func $f) (memory $l \"m\")))
            (core module $m (import \"\" \"f\" (func (param i32 i32))))
            (core instance (instantiate $m (with \"\" (instance (export \"f\" (func $lowered)))))))
        (instance $i (instantiate $inner))
        (instance (instantiate $outer (with \"f\" (func $i \"f\")))))";
    assert!(refused_text(composed).contains("exports no `afferent:decoder` interface"));
}

#[test]
fn pointers_that_lie() {
    let beyond = Module { decode: "(i32.const 65530)", ..GOOD };
    beyond.fails(FailureKind::InvalidOutput);
    let unaligned = Module { decode: "(i32.const 1025)", ..GOOD };
    unaligned.fails(FailureKind::InvalidOutput);
    let no_such_case = Module { decode: "(i32.store8 (i32.const 1024) (i32.const 9)) (i32.const 1024)", ..GOOD };
    no_such_case.fails(FailureKind::InvalidOutput);
    // `nothing.reason`: a text at the end of the memory that reaches 4 GiB further.
    let long = Module {
        decode: "(i32.store8 (i32.const 1024) (i32.const 2))
            (i32.store (i32.const 1032) (i32.const 65535))
            (i32.store (i32.const 1036) (i32.const -1)) (i32.const 1024)",
        ..GOOD
    };
    long.fails(FailureKind::InvalidOutput);
}

#[test]
fn allocators_that_lie() {
    let outside = Module {
        realloc: "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const -8))",
        ..GOOD
    };
    outside.fails(FailureKind::InvalidOutput);
    let endless = Module {
        realloc: "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (loop (br 0)) unreachable)",
        ..GOOD
    };
    endless.fails(FailureKind::OutOfFuel);
}

#[test]
fn loops_outside_of_the_call() {
    let start = Module { rest: "(func $forever (loop (br 0))) (start $forever)", ..GOOD };
    start.fails(FailureKind::OutOfFuel);
    let after = Module {
        rest: "(func (export \"cabi_post_afferent:decoder/device@1.0.0#decode\") (param i32) (loop (br 0)))",
        ..GOOD
    };
    after.fails(FailureKind::OutOfFuel);
    let describe = Module { describe: "(loop (br 0)) unreachable", ..GOOD };
    let error = HOST.load(&describe.component()).unwrap_err();
    assert!(
        matches!(&error, LoadError::Describe(failure) if failure.kind == FailureKind::OutOfFuel),
        "a decoder that never describes itself is refused: {error}"
    );
}

#[test]
fn a_hub_decoder_is_told_from_a_device_decoder_and_splits() {
    let items = Module { decode: "(i32.const 1024)", ..GOOD };
    let shared = &HOST.shared;
    let component = Component::from_binary(&shared.engine, &items.component_of("hub-decoder", "hub", "split")).unwrap();
    let world::Picked { surface, world, contract } = world::pick(&shared.engine, &component).unwrap();
    assert_eq!((surface, contract.as_str()), (Surface::Hub, "1.0.0"));
    let split = decoder::enter(shared, world.as_ref(), decoder::Entry::wait(shared), |instance, store| {
        instance.split(store, &input())
    });
    assert_eq!(split.result, Ok(HubOutcome::Items(Vec::new())));
}

#[test]
fn recursion_without_end() {
    let deep = Module {
        decode: "(call $deep (i32.const 0))",
        rest: "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))",
        ..GOOD
    };
    assert!(deep.fails(FailureKind::Trap).message.contains("call stack exhausted"));
    GOOD.decode().unwrap();
}

#[test]
fn a_call_back_into_the_host_while_lowering_finds_nothing_to_call() {
    let trapping =
        Module { realloc: "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)", ..GOOD };
    trapping.fails(FailureKind::Trap);
}

#[test]
fn more_than_the_pool_has_is_refused_when_loading() {
    let memory = Module { memory: "(memory (export \"memory\") 1000)", ..GOOD };
    assert!(refused(&memory.component()).starts_with("not a component that this server can run"));
    let table = Module { rest: "(table 1000000 funcref)", ..GOOD };
    assert!(refused(&table.component()).starts_with("not a component that this server can run"));
}

#[test]
fn imports_are_refused_by_name() {
    let function = "(component (import \"now\" (func)))";
    assert!(refused_text(function).starts_with("the component imports `now`;"));
    let interface = "(component (import \"wasi:clocks/wall-clock@0.2.0\" (instance (export \"now\" (func)))))";
    assert!(refused_text(interface).starts_with("the component imports `wasi:clocks/wall-clock@0.2.0#now`;"));
    let resource = "(component (import \"a:b/c\" (instance (export \"handle\" (type (sub resource))))))";
    assert!(refused_text(resource).starts_with("the component imports `a:b/c#handle`;"));
}

#[test]
fn what_is_no_decoder_is_told_so() {
    let exports = |name: &str| refused_text(&format!("(component (instance $i) (export \"{name}\" (instance $i)))"));
    assert_eq!(exports("afferent:decoder/device@2.3.0"), "built for decoder 2.3.0, this server hosts 0.1 and 1.0");
    assert_eq!(
        exports("other:thing/device@0.1.0"),
        "the component exports no `afferent:decoder` interface; it exports: other:thing/device@0.1.0"
    );
    for version in ["0.1.0", "1.0.0"] {
        let empty = exports(&format!("afferent:decoder/device@{version}"));
        assert!(empty.starts_with("the component's types differ from the contract"), "{version}: {empty}");
    }
    assert_eq!(exports("afferent:decoder/hub@2.0.0"), "built for decoder 2.0.0, this server hosts 0.1 and 1.0");
    assert_eq!(exports("afferent:decoder/device@1.1.0"), "built for decoder 1.1.0, this server hosts 0.1 and 1.0");
    assert!(refused_text("(component)").ends_with("it exports: nothing"));
    assert!(refused_text("(module)").starts_with("not a component that this server can run"));
    assert!(refused(b"\0asm").starts_with("not a component that this server can run"));
}

#[test]
fn functions_of_other_types_are_told_so() {
    let text = "(component
        (core module $m (func (export \"f\")))
        (core instance $m (instantiate $m))
        (func $f (canon lift (core func $m \"f\")))
        (instance $i (export \"describe\" (func $f)) (export \"decode\" (func $f)))
        (export \"afferent:decoder/device@1.0.0\" (instance $i)))";
    let message = refused_text(text);
    assert!(message.starts_with("the component's types differ from the contract"), "{message}");
}
