//! A loaded decoder, and one call of it: fresh instance, limits, checked answer, what it cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;

use crate::examples;
use crate::failure::{DecodeFailure, FailureKind, LoadError, Stage, brief, classify};
use crate::gate::Place;
use crate::guest::Guest;
use crate::output::{self, Declared};
use crate::world::{DecoderInstance, DecoderWorld, Surface};
use crate::{Example, HubOutcome, Input, Limits, Manifest, Outcome, Shared};

/// A decoder that was loaded, checked and tried. `Send + Sync`: any number of threads may call it.
pub struct Decoder {
    pub(crate) shared: Arc<Shared>,
    pub(crate) world: Box<dyn DecoderWorld>,
    pub(crate) surface: Surface,
    pub(crate) contract: String,
    pub(crate) content_hash: String,
    pub(crate) manifest: Manifest,
    pub(crate) declared: Declared,
}

/// What one call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunStats {
    /// Fuel burnt: about one unit an instruction, the same on every machine.
    pub fuel_used: u64,
    /// Wall time of instance, call and check.
    pub elapsed: Duration,
    /// Wall time spent waiting for a free place before that.
    pub waited: Duration,
    /// The most linear memory that the instance had, in bytes.
    pub memory_bytes: usize,
}

/// One call: its answer or failure, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Run<T> {
    /// The checked answer.
    pub result: Result<T, DecodeFailure>,
    /// What it cost, also when it failed.
    pub stats: RunStats,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("name", &self.manifest.name)
            .field("version", &self.manifest.version)
            .field("surface", &self.surface)
            .field("content_hash", &self.content_hash)
            .finish_non_exhaustive()
    }
}

impl Decoder {
    /// What the decoder says of itself, checked.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the component's bytes, 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// The version of the contract that it was compiled against, such as `1.0.0`.
    #[must_use]
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// Whether it decodes a device's payloads or splits a hub's.
    #[must_use]
    pub fn surface(&self) -> Surface {
        self.surface
    }

    /// Runs its own examples, and compares outcome and values with what they declare.
    ///
    /// # Errors
    /// [`LoadError::Example`] for the first that comes to something else.
    pub fn try_examples(&self) -> Result<(), LoadError> {
        self.manifest.examples.iter().try_for_each(|example| self.try_example(example))
    }

    fn try_example(&self, example: &Example) -> Result<(), LoadError> {
        let got = match self.surface {
            Surface::Device => self.decode(&example.input).map(|outcome| examples::Got::of(&outcome)),
            Surface::Hub => self.split(&example.input).map(|outcome| examples::Got::of_hub(&outcome)),
        };
        let got = match got {
            Ok(got) if got.outcome == example.outcome && got.values == example.values => return Ok(()),
            Ok(got) => brief(&got.sentence()),
            Err(failure) => failure.to_string(),
        };
        let expected = brief(&examples::summary(&example.outcome, &example.values));
        Err(LoadError::Example { example: brief(&example.name), expected, got })
    }

    /// Decodes one uplink in a fresh instance. Synchronous CPU work, tens of microseconds; it waits while all places are
    /// taken, so that it belongs on a thread that may block.
    ///
    /// # Errors
    /// [`DecodeFailure`] when the decoder breaks a limit or a rule. That the payload is malformed is no failure of the
    /// decoder but its answer: [`Outcome::Error`].
    pub fn decode(&self, input: &Input) -> Result<Outcome, DecodeFailure> {
        self.run(input).result
    }

    /// [`Decoder::decode`], with what it cost.
    pub fn run(&self, input: &Input) -> Run<Outcome> {
        self.decode_in(Entry::wait(&self.shared), input)
    }

    /// [`Decoder::run`] for a thread that must not be kept: never waits for a place, and gives the decoder `fuel` instead of
    /// its full measure (a million is half a millisecond). Nothing when that was not enough or no place was free: then
    /// [`Decoder::run`] decides, on a thread that may be kept. Any other answer is the one that `run` would give.
    pub fn run_briefly(&self, input: &Input, fuel: u64) -> Option<Run<Outcome>> {
        let fuel = fuel.min(self.shared.limits.fuel);
        let entry = Entry { place: self.shared.gate.try_enter()?, waited: Duration::ZERO, fuel };
        let run = self.decode_in(entry, input);
        let starved = matches!(&run.result, Err(failure) if failure.kind == FailureKind::OutOfFuel);
        (!starved).then_some(run)
    }

    fn decode_in(&self, entry: Entry<'_>, input: &Input) -> Run<Outcome> {
        self.call(
            Surface::Device,
            entry,
            input,
            |instance, store| instance.decode(store, input),
            |outcome| output::outcome(&self.shared.limits, &self.shared.registry, &self.declared, outcome),
        )
    }

    /// Splits a hub's uplink into items per device, under the same limits.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn split(&self, input: &Input) -> Result<HubOutcome, DecodeFailure> {
        self.run_hub(input).result
    }

    /// [`Decoder::split`], with what it cost.
    pub fn run_hub(&self, input: &Input) -> Run<HubOutcome> {
        self.call(
            Surface::Hub,
            Entry::wait(&self.shared),
            input,
            |instance, store| instance.split(store, input),
            |outcome| output::hub_outcome(&self.shared.limits, &self.shared.registry, &self.declared, outcome),
        )
    }

    fn call<T>(
        &self,
        surface: Surface,
        entry: Entry<'_>,
        input: &Input,
        guest: impl FnOnce(&dyn DecoderInstance, &mut Store<Guest>) -> wasmtime::Result<T>,
        check: impl FnOnce(&T) -> Result<(), output::Breach>,
    ) -> Run<T> {
        let refusal = if surface == self.surface {
            input_problem(input, &self.shared.limits).map(|message| (FailureKind::InputTooLarge, message))
        } else {
            Some((FailureKind::WrongSurface, "a hub's decoder has `split`, a device's `decode`".to_owned()))
        };
        if let Some((kind, message)) = refusal {
            let failure = DecodeFailure { kind, message, fuel_used: 0 };
            return Run { result: Err(failure), stats: RunStats::default() };
        }
        let mut run = enter(&self.shared, self.world.as_ref(), entry, guest);
        let check_started = Instant::now();
        run.result = run.result.and_then(|answer| match check(&answer) {
            Ok(()) => Ok(answer),
            Err((kind, message)) => Err(DecodeFailure { kind, message, fuel_used: run.stats.fuel_used }),
        });
        run.stats.elapsed += check_started.elapsed();
        run
    }
}

/// A place in the pool, and what may be burnt there.
pub(crate) struct Entry<'a> {
    place: Place<'a>,
    waited: Duration,
    fuel: u64,
}

impl<'a> Entry<'a> {
    /// Waits for a place; the full measure of fuel.
    pub(crate) fn wait(shared: &'a Shared) -> Self {
        let arrived = Instant::now();
        Self { place: shared.gate.enter(), waited: arrived.elapsed(), fuel: shared.limits.fuel }
    }
}

/// One call in a fresh instance that is gone when it returns.
pub(crate) fn enter<T>(
    shared: &Shared,
    world: &dyn DecoderWorld,
    entry: Entry<'_>,
    call: impl FnOnce(&dyn DecoderInstance, &mut Store<Guest>) -> wasmtime::Result<T>,
) -> Run<T> {
    let started = Instant::now();
    let Entry { place, waited, fuel } = entry;
    let limits = &shared.limits;
    let mut store = Store::new(&shared.engine, Guest::new(limits));
    store.limiter(|guest| guest);
    store.set_epoch_deadline(limits.deadline_ticks());
    store.set_hostcall_fuel(limits.lift_bytes);
    let answer = match store.set_fuel(fuel) {
        Err(error) => Err((Stage::Instantiate, error)),
        Ok(()) => match world.instantiate(&mut store) {
            Err(error) => Err((Stage::Instantiate, error)),
            Ok(instance) => call(instance.as_ref(), &mut store).map_err(|error| (Stage::Call, error)),
        },
    };
    let fuel_used = fuel.saturating_sub(store.get_fuel().unwrap_or(0));
    let result = answer.map_err(|(stage, error)| {
        let (kind, message) = classify(&error, stage, store.data());
        DecodeFailure { kind, message, fuel_used }
    });
    let memory_bytes = store.data().memory_bytes();
    // The instance's place in the pool is free before the gate lets the next one in.
    drop(store);
    drop(place);
    let stats = RunStats { fuel_used, elapsed: started.elapsed(), waited, memory_bytes };
    Run { result, stats }
}

/// Why a payload is not given to a decoder.
fn input_problem(input: &Input, limits: &Limits) -> Option<String> {
    if input.frames.len() > limits.input_frames {
        return Some(format!("{} frames; at most {} are given to a decoder", input.frames.len(), limits.input_frames));
    }
    let pairs = |pairs: &[crate::NameValue]| pairs.iter().map(|pair| pair.name.len() + pair.value.len()).sum::<usize>();
    let frames =
        input.frames.iter().map(|frame| frame.data.len() + frame.channel.len() + pairs(&frame.extra)).sum::<usize>();
    let bytes = frames
        + input.model.len()
        + input.content_type.len()
        + input.time_zone.as_ref().map_or(0, String::len)
        + pairs(&input.variables)
        + pairs(&input.extra);
    (bytes > limits.input_bytes)
        .then(|| format!("{bytes} bytes; at most {} are given to a decoder", limits.input_bytes))
}
