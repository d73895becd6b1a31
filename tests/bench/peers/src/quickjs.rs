//! The decoder in JavaScript, in QuickJS, as device platforms with JavaScript decoders run it: a new runtime and context
//! for every uplink, so that nothing of one is left for the next. (A fresh runtime is that approach's fresh sandbox.)

use anyhow::{Context as _, Result, anyhow};
use rquickjs::{Context, Ctx, Function, Module, Object, Runtime, WriteOptions};

use crate::shown::Shown;

/// The decoder.
const SOURCE: &str = include_str!("blood_pressure.js");

/// Decodes with the source compiled anew.
pub(crate) fn decode(frame: &[u8]) -> Result<Shown> {
    let runtime = Runtime::new()?;
    let context = Context::full(&runtime)?;
    context.with(|ctx| {
        let function = ctx
            .eval::<(), _>(SOURCE)
            .and_then(|()| ctx.globals().get("decodeUplink"))
            .map_err(|error| thrown(&ctx, &error))?;
        call(&ctx, &function, frame)
    })
}

/// The source as bytecode.
pub(crate) fn compile() -> Result<Vec<u8>> {
    let runtime = Runtime::new()?;
    let context = Context::full(&runtime)?;
    context.with(|ctx| {
        let module = Module::declare(ctx.clone(), "decoder", format!("{SOURCE}\nexport {{ decodeUplink }};"));
        let module = module.map_err(|error| thrown(&ctx, &error))?;
        Ok(module.write(WriteOptions::default())?)
    })
}

/// Decodes with what [`compile`] gave.
#[expect(unsafe_code, reason = "QuickJS trusts bytecode, and this is our own of the same process")]
pub(crate) fn decode_compiled(bytecode: &[u8], frame: &[u8]) -> Result<Shown> {
    let runtime = Runtime::new()?;
    let context = Context::full(&runtime)?;
    context.with(|ctx| {
        // SAFETY: the bytes are what this very QuickJS wrote in `compile`, unaltered.
        let module = unsafe { Module::load(ctx.clone(), bytecode) }.map_err(|error| thrown(&ctx, &error))?;
        let (module, evaluated) = module.eval().map_err(|error| thrown(&ctx, &error))?;
        evaluated.finish::<()>().map_err(|error| thrown(&ctx, &error))?;
        let function = module.get("decodeUplink").map_err(|error| thrown(&ctx, &error))?;
        call(&ctx, &function, frame)
    })
}

fn call<'js>(ctx: &Ctx<'js>, function: &Function<'js>, frame: &[u8]) -> Result<Shown> {
    let input = Object::new(ctx.clone())?;
    input.set("bytes", frame.to_vec())?;
    let answer: Object<'js> = function.call((input,)).map_err(|error| thrown(ctx, &error))?;
    let text = ctx.json_stringify(answer)?.context("the decoder gave nothing")?.to_string()?;
    Ok(serde_json::from_str(&text)?)
}

/// What was thrown, for a person.
fn thrown(ctx: &Ctx<'_>, error: &rquickjs::Error) -> anyhow::Error {
    let text = ctx.catch().as_exception().map(ToString::to_string);
    anyhow!("the JavaScript decoder: {}", text.unwrap_or_else(|| error.to_string()))
}
