//! Where a decoder stopped, for its author: the innermost frame of the author's own code, and what the library that it called
//! stopped over. Only for development ([`crate::PluginHost::for_development`]); servers keep no such maps.

use wasmtime::WasmBacktrace;

/// One function that was being run; several stand for one frame where calls were inlined.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    name: String,
    file: Option<String>,
    line: Option<u32>,
}

/// What the library functions above the author's say of the cause: a part of a function's name or file, and a sentence.
const CAUSES: [(&str, &str); 18] = [
    ("panic_bounds_check", "an index was out of bounds"),
    ("slice/index.rs", "an index or a range was out of bounds"),
    ("slice_error", "a range of a text was out of bounds"),
    ("option::unwrap_failed", "`unwrap` found nothing"),
    ("option::expect_failed", "`expect` found nothing"),
    ("result::unwrap_failed", "`unwrap` or `expect` found an error"),
    ("div_by_zero", "a division by zero"),
    ("rem_by_zero", "a division by zero"),
    ("overflow", "a number became too large for its type"),
    ("copy_from_slice", "two slices had different lengths"),
    (
        "time.rs",
        "it asked for the time, and there is no clock: `received-at-ms` of the input says when the payload came",
    ),
    (
        "SystemTime",
        "it asked for the time, and there is no clock: `received-at-ms` of the input says when the payload came",
    ),
    ("std/src/fs", "it asked for files, and there are none"),
    ("std/src/env", "it asked for the environment, and there is none"),
    ("std/src/thread", "it asked for a thread, and there are none"),
    ("std/src/net", "it asked for the network, and there is none"),
    ("alloc_error", "there was no more memory"),
    ("panicking", "a panic"),
];

/// How the names of functions begin that are not the author's, where nothing says in which file they are.
const LIBRARY_NAMES: [&str; 13] = [
    "core::",
    "std::",
    "alloc::",
    "dlmalloc::",
    "compiler_builtins::",
    "rust_begin_unwind",
    "__rust",
    "rust_",
    "_rdl",
    "afferent_",
    "cabi_",
    "wit_bindgen",
    "hashbrown::",
];

/// Where files lie that are not the author's: the language's, crates that were fetched, and the SDK's copy in a project.
const LIBRARY_FILES: [&str; 5] = ["/rustc/", "/library/", "/registry/src/", "/sdk/", "/plugin-sdk/"];

/// `at src/lib.rs:42 in acme_scale::decode: an index was out of bounds`, as far as names and lines are in the component.
pub(crate) fn place(backtrace: &WasmBacktrace) -> Option<String> {
    let calls: Vec<Call> = backtrace.frames().iter().flat_map(calls).collect();
    sentence(&calls)
}

fn calls(frame: &wasmtime::FrameInfo) -> Vec<Call> {
    let name = |raw: Option<&str>| raw.map(|raw| format!("{:#}", rustc_demangle::demangle(raw)));
    let of_symbols = frame.symbols().iter().filter_map(|symbol| {
        Some(Call { name: name(symbol.name())?, file: symbol.file().map(str::to_owned), line: symbol.line() })
    });
    let calls: Vec<Call> = of_symbols.collect();
    if !calls.is_empty() {
        return calls;
    }
    name(frame.func_name()).map(|name| Call { name, file: None, line: None }).into_iter().collect()
}

fn sentence(calls: &[Call]) -> Option<String> {
    let own = calls.iter().position(|call| !is_library(call))?;
    let call = calls.get(own)?;
    let cause = cause(calls.get(..own).unwrap_or_default());
    let place = match (&call.file, call.line) {
        (Some(file), Some(line)) => format!("at {}:{line} in {}", short(file), call.name),
        _ => format!("in {}", call.name),
    };
    Some(cause.map_or_else(|| place.clone(), |cause| format!("{place}: {cause}")))
}

/// The most telling of the library functions above the author's.
fn cause(above: &[Call]) -> Option<&'static str> {
    let says = |call: &Call, part: &str| {
        call.name.contains(part) || call.file.as_ref().is_some_and(|file| file.contains(part))
    };
    CAUSES.into_iter().find(|(part, _)| above.iter().any(|call| says(call, part))).map(|(_, cause)| cause)
}

fn is_library(call: &Call) -> bool {
    if let Some(file) = &call.file {
        return LIBRARY_FILES.iter().any(|place| file.contains(place)) || file.starts_with("sdk/");
    }
    // `<core::slice::Iter<T> as …>::next`: a method by its type; `…#decode`: what the bindings made.
    let plain = call.name.trim_start_matches(['<', '&', '[']);
    matches!(plain, "memcpy" | "memmove" | "memset" | "memcmp")
        || plain.contains('#')
        || LIBRARY_NAMES.iter().any(|library| plain.starts_with(library))
}

/// The last two parts of a path: what comes before is the machine's.
fn short(file: &str) -> &str {
    file.rmatch_indices('/').nth(1).map_or(file, |(at, _)| file.get(at + 1..).unwrap_or(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, place: Option<(&str, u32)>) -> Call {
        Call { name: name.to_owned(), file: place.map(|(file, _)| file.to_owned()), line: place.map(|(_, line)| line) }
    }

    #[test]
    fn the_authors_line_and_the_librarys_reason() {
        let calls = [
            call("rust_begin_unwind", None),
            call("core::panicking::panic_fmt", None),
            call("core::panicking::panic_bounds_check", None),
            call("index<u8>", Some(("/rustc/59807616e1fa/library/core/src/slice/index.rs", 272))),
            call("afferent_plugin_sdk::reader", Some(("/home/me/acme-scale/sdk/src/bytes.rs", 7))),
            call("acme_scale::weight", Some(("/home/me/acme-scale/src/lib.rs", 42))),
            call("afferent_plugin_sdk::export::decode", None),
        ];
        let told = sentence(&calls);
        assert_eq!(told.as_deref(), Some("at src/lib.rs:42 in acme_scale::weight: an index was out of bounds"));
    }

    #[test]
    fn without_lines_there_is_the_function_and_without_names_nothing() {
        let calls = [call("<core::slice::Iter<u8> as core::iter::Iterator>::next", None), call("decode_weight", None)];
        assert_eq!(sentence(&calls).as_deref(), Some("in decode_weight"));
        assert_eq!(sentence(&[call("core::panicking::panic", None)]), None);
        assert_eq!(sentence(&[]), None);
    }

    #[test]
    fn who_asks_for_the_time_is_told_where_it_stands() {
        let calls = [
            call("core::panicking::panic_fmt", None),
            call("std::sys::pal::wasm::time::SystemTime::now", None),
            call("now", Some(("/rustc/59807616e1fa/library/std/src/time.rs", 700))),
            call("acme::decode", None),
        ];
        assert!(sentence(&calls).is_some_and(|told| told.contains("there is no clock")));
    }
}
