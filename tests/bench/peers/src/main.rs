//! What `afferent bench` compares decoding with: the decoder of blood pressures linked natively, and the same decoder in
//! JavaScript in QuickJS. A program of its own, so that nothing of it is in the server.
//!
//! It reads a line of JSON, `{"calls": 2000, "warmUp": 50, "frames": [[6, 112, …], …]}`, and writes one: what every way says
//! of every frame, how long each call of the first frame took in nanoseconds, and a component that does nothing.

mod quickjs;
mod shown;

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use afferent_plugin_sdk::{Decoder, Input};
use anyhow::{Context, Result, anyhow};
use bluetooth_sig::BluetoothSig;
use serde::{Deserialize, Serialize};

use crate::shown::Shown;

/// A decoder that does nothing.
const EMPTY: &[u8] = include_bytes!(env!("EMPTY_DECODER"));

/// What is wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    calls: usize,
    warm_up: usize,
    frames: Vec<Vec<u8>>,
}

/// What one way says and takes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Way {
    id: &'static str,
    way: &'static str,
    /// Of each frame; nothing for one that is refused.
    said: Vec<Option<Shown>>,
    nanoseconds: Vec<u64>,
}

/// The answer.
#[derive(Serialize)]
struct Peers {
    ways: Vec<Way>,
    empty: &'static [u8],
}

fn main() -> Result<()> {
    let wish: Wish = serde_json::from_reader(std::io::stdin())?;
    let first = wish.frames.first().context("there is no frame")?;
    let bytecode = quickjs::compile()?;
    let input = input(first);
    let said = |decode: &dyn Fn(&[u8]) -> Result<Shown>| wish.frames.iter().map(|frame| decode(frame).ok()).collect();
    let ways = vec![
        Way {
            id: "native",
            way: "native",
            said: said(&native),
            nanoseconds: time(&wish, || Ok(BluetoothSig::decode(&input)))?,
        },
        Way {
            id: "quickjs",
            way: "QuickJS, new runtime, source compiled",
            said: said(&quickjs::decode),
            nanoseconds: time(&wish, || quickjs::decode(first))?,
        },
        Way {
            id: "quickjs-bytecode",
            way: "QuickJS, new runtime, bytecode",
            said: said(&|frame| quickjs::decode_compiled(&bytecode, frame)),
            nanoseconds: time(&wish, || quickjs::decode_compiled(&bytecode, first))?,
        },
    ];
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &Peers { ways, empty: EMPTY })?;
    Ok(out.flush()?)
}

fn input(frame: &[u8]) -> Input {
    Input::new("gatt-2A35", "", frame)
}

fn native(frame: &[u8]) -> Result<Shown> {
    shown::show(BluetoothSig::decode(&input(frame)).map_err(|error| anyhow!(error.message))?)
}

/// Times calls one by one, the end of their answers included.
fn time<T>(wish: &Wish, mut call: impl FnMut() -> Result<T>) -> Result<Vec<u64>> {
    let mut nanoseconds = Vec::with_capacity(wish.calls);
    for round in 0..wish.warm_up + wish.calls {
        let started = Instant::now();
        drop(black_box(call()?));
        let elapsed = started.elapsed();
        if round >= wish.warm_up {
            nanoseconds.push(u64::try_from(elapsed.as_nanos())?);
        }
    }
    Ok(nanoseconds)
}
