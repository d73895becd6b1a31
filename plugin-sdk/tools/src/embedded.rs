//! What the build put into the binary: the interpreter of tables, the SDK's sources, the lock file.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
