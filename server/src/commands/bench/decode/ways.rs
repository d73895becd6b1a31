//! One decoder and one payload in several ways, each timed alike: from the bytes to an outcome in the host's own types, and
//! the end of that outcome. The sandbox is timed here; native code and QuickJS by a program beside the server
//! (tests/bench/peers), for neither belongs into it. What they say is compared first, over all examples of the model.

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use plugin_host::{Decoder, Input};
use serde::Deserialize;
use serde_json::json;

use super::super::percentile::Sorted;
use super::shown::{self, Shown};
use super::{PeerCost, WARM_UP};
use crate::fleet::Decoders;

/// The model whose decoder it is.
const MODEL: &str = "gatt-2A35";
/// Calls of one instance that is used again, before it is replaced: its memory only grows.
const CALLS_OF_ONE_INSTANCE: u32 = 500;

/// What the program beside us tells.
#[derive(Deserialize)]
struct Peers {
    ways: Vec<Way>,
    /// A component that does nothing.
    empty: Vec<u8>,
}

#[derive(Deserialize)]
struct Way {
    id: String,
    way: String,
    /// Of each frame; nothing for one that it refused.
    said: Vec<Option<Shown>>,
    nanoseconds: Vec<u64>,
}

/// Measures the sandbox, and what `peers` is there for if it is there; CPU work on the calling thread.
pub(super) fn measure(decoders: &Decoders, calls: u32, peers: Option<&Path>) -> Result<Vec<PeerCost>> {
    let decoder = &decoders.model(MODEL).context("the decoder of blood pressures is bundled")?.decoder;
    let examples = decoder.manifest().examples.iter();
    let inputs: Vec<&Input> =
        examples.filter(|example| example.input.model == MODEL).map(|example| &example.input).collect();
    let first = *inputs.first().context("the decoder has an example")?;
    let peers = peers.map(|program| ask(program, &inputs, calls)).transpose()?;
    let said = inputs.iter().map(|input| fresh_and_reused(decoder, input)).collect::<Result<Vec<_>>>()?;
    let mut costs = Vec::new();
    for way in peers.iter().flat_map(|peers| &peers.ways) {
        ensure!(said == way.said, "{} says {:?}, the sandbox {said:?}", way.way, way.said);
        costs.push(cost(&way.id, &way.way, way.nanoseconds.iter().copied().map(Duration::from_nanos).collect()));
    }
    costs.push(cost("fresh", "sandbox, fresh instance (production)", time(calls, || Ok(decoder.run(first)))?));
    costs.push(cost("reused", "sandbox, instance used again", time_reused(decoder, first, calls)?));
    if let Some(peers) = &peers {
        let empty = decoders.host().load(&peers.empty)?;
        let nothing = Input { model: "empty".to_owned(), ..first.clone() };
        costs.push(cost("empty", "sandbox, fresh, empty component", time(calls, || Ok(empty.run(&nothing)))?));
    }
    costs.sort_by(|one, other| one.median_us.total_cmp(&other.median_us));
    let native = costs.iter().find(|cost| cost.id == "native").map(|cost| cost.median_us);
    for cost in &mut costs {
        cost.times_native = native.map(|native| cost.median_us / native);
    }
    Ok(costs)
}

/// What the sandbox says of an example, whether the instance is fresh or not; nothing when it refuses.
fn fresh_and_reused(decoder: &Decoder, input: &Input) -> Result<Option<Shown>> {
    let (fresh, reused) = (decoder.decode(input)?, decoder.reused()?.decode(input)?);
    ensure!(fresh == reused, "a fresh instance says {fresh:?}, one that is used again {reused:?}");
    if matches!(fresh, plugin_host::Outcome::Error(_)) { Ok(None) } else { shown::show(fresh).map(Some) }
}

/// Has the other program decode all examples, and time the first.
fn ask(program: &Path, inputs: &[&Input], calls: u32) -> Result<Peers> {
    let frames: Vec<&[u8]> = inputs.iter().map(|input| frame(input)).collect::<Result<_>>()?;
    let wish = json!({ "calls": calls, "warmUp": WARM_UP, "frames": frames });
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be run", program.display()))?;
    child.stdin.take().context("it reads")?.write_all(wish.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{} ended with {}", program.display(), output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn frame(input: &Input) -> Result<&[u8]> {
    let [frame] = input.frames.as_slice() else { return Err(anyhow!("an example of {MODEL} is one frame")) };
    Ok(&frame.data)
}

/// Times calls one by one, the end of their answers included.
fn time<T>(calls: u32, mut call: impl FnMut() -> Result<T>) -> Result<Vec<Duration>> {
    let mut durations = Vec::new();
    for round in 0..WARM_UP + calls {
        let started = Instant::now();
        drop(black_box(call()?));
        let elapsed = started.elapsed();
        if round >= WARM_UP {
            durations.push(elapsed);
        }
    }
    Ok(durations)
}

fn time_reused(decoder: &Decoder, input: &Input, calls: u32) -> Result<Vec<Duration>> {
    let mut durations = Vec::new();
    while u32::try_from(durations.len())? < calls {
        let mut instance = decoder.reused()?;
        durations.extend(time(calls.min(CALLS_OF_ONE_INSTANCE), || Ok(instance.decode(input)?))?);
    }
    Ok(durations)
}

fn cost(id: &str, way: &str, durations: Vec<Duration>) -> PeerCost {
    let sorted = Sorted::new(durations);
    PeerCost {
        id: id.to_owned(),
        way: way.to_owned(),
        calls: sorted.len(),
        median_us: sorted.microseconds(500),
        p99_us: sorted.microseconds(990),
        times_native: None,
    }
}
