//! `afferent plugin upload`: sends a component to a server's registry, signed if there is a key.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::Value;
use url::Url;

/// How long a server may take: it compiles and examines the component.
const PATIENCE: Duration = Duration::from_secs(120);

/// Arguments of `afferent plugin upload`.
#[derive(Debug, Args)]
pub struct UploadArgs {
    /// A WebAssembly component.
    file: PathBuf,
    /// The server, such as `https://afferent.example.org`.
    #[arg(long, value_name = "URL")]
    server: Url,
    /// File that holds the token: a vendor's, or a platform admin's. `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Ed25519 key to sign with, as `openssl genpkey -algorithm ed25519` writes it.
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
}

/// Uploads, and says what became of it.
///
/// # Errors
/// A file that cannot be read, or a server that cannot be reached.
#[expect(clippy::print_stderr, reason = "printing is what this command is for")]
pub async fn run(args: UploadArgs) -> anyhow::Result<ExitCode> {
    let component = std::fs::read(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let token = read_token(&args.token_file)?;
    let signature = args.signing_key.as_deref().map(|key| sign(key, &component)).transpose()?;
    let url = args.server.join("/api/v1/plugins").context("the server's address is none")?;
    #[expect(clippy::disallowed_methods, reason = "a command on somebody's own machine, which calls where they say")]
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let size = component.len();
    let mut request = client.post(url).bearer_auth(token).header("Content-Type", "application/wasm").body(component);
    if let Some(signature) = signature {
        request = request.header("Afferent-Signature", signature);
    }
    let answer = tokio::select! {
        answer = request.send() => answer,
        never = tell_the_time(size) => match never {},
    };
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let answer = answer.with_context(|| format!("{} does not answer", args.server))?;
    let status = answer.status();
    let text = answer.text().await?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(report(status.as_u16(), &body, &text))
}

/// Says every second, on a terminal, that it is still waited for: a server compiles an interpreter of 18 MB for some ten seconds.
#[expect(clippy::print_stderr, reason = "printing is what this command is for")]
async fn tell_the_time(size: usize) -> std::convert::Infallible {
    if !std::io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let begun = std::time::Instant::now();
    loop {
        let (kilobytes, seconds) = (size.div_ceil(1000), begun.elapsed().as_secs());
        eprint!("\r\x1b[K{kilobytes} KB are sent, compiled and tried by the server: {seconds} s");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this command is for")]
fn report(status: u16, body: &Value, text: &str) -> ExitCode {
    let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or("?");
    let (plugin, version) = (word("plugin"), word("version"));
    match status {
        201 => println!("uploaded: {plugin} {version}, a draft ({})", word("contentHash")),
        200 => println!("there already: {plugin} {version}, {}", word("state")),
        _ => {
            let why = body.get("detail").and_then(Value::as_str).unwrap_or(text);
            eprintln!("refused ({status}): {why}");
            return ExitCode::FAILURE;
        }
    }
    println!("next:");
    println!(
        "  POST /api/v1/decode with \"plugin\": {{\"name\": \"{plugin}\", \"version\": \"{version}\"}} tries it there"
    );
    println!("  a platform admin compares it with what serves (POST /api/v1/shadow-replays),");
    println!("  and activates it (POST /api/v1/plugins/{plugin}/versions/{version}/activate)");
    ExitCode::SUCCESS
}

fn read_token(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    }
    match text.trim() {
        "" => bail!("{} holds no token", file.display()),
        token => Ok(token.to_owned()),
    }
}

/// The signature of the bytes, base64.
fn sign(key: &Path, component: &[u8]) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(key).with_context(|| format!("{} cannot be read", key.display()))?;
    let wrong = || format!("{} is no Ed25519 key: make one with openssl genpkey -algorithm ed25519", key.display());
    let inside: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(inside.trim()).with_context(wrong)?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(anyhow::Error::msg).with_context(wrong)?;
    Ok(STANDARD.encode(pair.sign(component).as_ref()))
}
