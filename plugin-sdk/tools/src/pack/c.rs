//! C projects: clang for `wasm32-unknown-unknown` without an operating system or a libc, and `wasm-ld`; then the contract's types and the
//! wrapping as a component, in this process.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use super::Made;

/// How every file is compiled. What C leaves undefined, and an implicit conversion that changes a number, is a trap: a decode that fails
/// is seen, and a wrong number is not.
const COMPILE: &[&str] = &[
    "--target=wasm32-unknown-unknown",
    "-std=c11",
    "-ffreestanding",
    "-O2",
    "-gline-tables-only",
    "-mbulk-memory",
    "-Isdk",
    "-Wall",
    "-Wextra",
    "-Werror=implicit-function-declaration",
    "-Werror=return-type",
    "-fsanitize=undefined,implicit-integer-truncation,implicit-integer-arithmetic-value-change",
    "-fsanitize-trap=all",
];

/// How they are linked: the stack lies below everything else, so that one that is too deep leaves the memory and traps.
const LINK: &[&str] = &["--no-entry", "--gc-sections", "--stack-first", "-z", "stack-size=65536"];

/// The line of `decoder.c` that names the decoder.
const NAME: &str = "#define DECODER_NAME ";

/// Builds it with names and lines, which are taken out of what is handed in.
pub(super) fn pack(directory: &Path) -> Result<Made> {
    let directory = std::path::absolute(directory)?;
    let name = decoder_name(&directory)?;
    let build = directory.join("build");
    fs::create_dir_all(&build).with_context(|| format!("cannot make {}", build.display()))?;
    let mut linker = Command::new("wasm-ld");
    linker.args(LINK).current_dir(&directory);
    for source in sources(&directory)? {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let object = build.join(format!("{stem}.o"));
        let mut compiler = Command::new("clang");
        compiler.args(COMPILE).arg("-c").arg(&source).arg("-o").arg(&object).current_dir(&directory);
        run(&mut compiler, "clang")?;
        linker.arg(object);
    }
    let linked = build.join("decoder.wasm");
    run(linker.arg("-o").arg(&linked), "wasm-ld")?;
    let module = fs::read(&linked).context("wasm-ld wrote no module")?;
    let wit = super::read(&directory.join("sdk/decoder.wit"))?;
    Made::of_module(name, &componentize::with_contract(&module, &wit, "decoder")?)
}

/// `decoder.c` and whatever lies beside it, and the SDK; as paths from the project, which compilers repeat in what they say.
fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::from("sdk/afferent.c")];
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let name = PathBuf::from(entry?.file_name());
        if name.extension() == Some(OsStr::new("c")) {
            ensure!(name != Path::new("afferent.c"), "afferent.c is the SDK's: call your file otherwise");
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// What the preprocessor says that `DECODER_NAME` is: it becomes a file's name.
fn decoder_name(directory: &Path) -> Result<String> {
    let mut compiler = Command::new("clang");
    compiler.args(COMPILE).args(["-E", "-dM", "decoder.c"]).current_dir(directory);
    let defined = String::from_utf8_lossy(&run(&mut compiler, "clang")?.stdout).into_owned();
    let name = defined.lines().find_map(|line| line.strip_prefix(NAME)).unwrap_or_default().trim().trim_matches('"');
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    ensure!(
        !name.is_empty() && name.chars().all(plain),
        "decoder.c has to name the decoder in a line such as `{NAME}\"acme-scale\"`: letters, digits and hyphens"
    );
    Ok(name.to_owned())
}

fn run(command: &mut Command, program: &str) -> Result<Output> {
    let output = command.output().with_context(|| {
        format!("cannot start {program}: decoders in C need clang and lld (Debian: apt-get install clang lld)")
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let hint = if told.contains("undefined symbol") {
        "\nThere is no C library in a decoder; plugin-sdk's afferent.h says what there is.\n"
    } else if told.contains("unknown target triple") || told.contains("No available targets") {
        "\nThis clang has no WebAssembly target; LLVM's own and Debian's have (Apple's has not: brew install llvm lld).\n"
    } else {
        ""
    };
    bail!("{program} failed ({}):\n{told}{hint}", output.status)
}
