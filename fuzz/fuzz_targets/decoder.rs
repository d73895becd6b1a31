//! The fuzz target of every shipped decoder: the target's name is the decoder's folder under `plugins/`.
#![no_main]

use afferent_plugin_sdk::vectors::Subject;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static SUBJECT: Subject = shipped_decoders::subject(env!("CARGO_BIN_NAME")).expect("the target is a folder of plugins/");
}

fuzz_target!(|data: &[u8]| {
    SUBJECT.with(|subject| subject.fuzz(data));
});
