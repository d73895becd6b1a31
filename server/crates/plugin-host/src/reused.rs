//! For the benchmark alone: an instance that decodes one uplink after the other.
//!
//! Never in production, where no instance outlives its uplink: what a decoder kept in its memory of one patient could come
//! out with another's. A test keeps everything but `afferent bench` from naming it.

use wasmtime::Store;

use crate::decoder::Decoder;
use crate::failure::{DecodeFailure, FailureKind, Stage, classify};
use crate::gate::Place;
use crate::guest::Guest;
use crate::world::DecoderInstance;
use crate::{Input, Outcome, output};

/// An instance that is used again. Its memory grows with every call, for a decoder's allocator gives nothing back: make a
/// new one now and then.
pub struct Reused<'a> {
    decoder: &'a Decoder,
    store: Store<Guest>,
    instance: Box<dyn DecoderInstance>,
    _place: Place<'a>,
}

impl std::fmt::Debug for Reused<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reused").field("decoder", self.decoder).finish_non_exhaustive()
    }
}

impl Decoder {
    /// For the benchmark alone, never for a patient's payload: an instance to be used more than once, to measure what a
    /// fresh one costs.
    ///
    /// # Errors
    /// [`DecodeFailure`] when it cannot be made.
    pub fn reused(&self) -> Result<Reused<'_>, DecodeFailure> {
        let place = self.shared.gate.enter();
        let mut store = Store::new(&self.shared.engine, Guest::new(&self.shared.limits));
        store.limiter(|guest| guest);
        self.allow(&mut store)?;
        match self.world.instantiate(&mut store) {
            Ok(instance) => Ok(Reused { decoder: self, store, instance, _place: place }),
            Err(error) => Err(failure(&error, Stage::Instantiate, &store)),
        }
    }

    /// Gives the store what one call may take.
    fn allow(&self, store: &mut Store<Guest>) -> Result<(), DecodeFailure> {
        let limits = &self.shared.limits;
        store.set_epoch_deadline(limits.deadline_ticks());
        store.set_hostcall_fuel(limits.lift_bytes);
        store.set_fuel(limits.fuel).map_err(|error| failure(&error, Stage::Instantiate, store))
    }
}

impl Reused<'_> {
    /// One call, under the limits of one call, with its answer checked: as [`Decoder::run`] but for the instance.
    ///
    /// # Errors
    /// [`DecodeFailure`] when the decoder breaks a limit or a rule; the instance is not to be used again then.
    pub fn decode(&mut self, input: &Input) -> Result<Outcome, DecodeFailure> {
        self.decoder.allow(&mut self.store)?;
        let outcome =
            self.instance.decode(&mut self.store, input).map_err(|error| failure(&error, Stage::Call, &self.store))?;
        let Decoder { shared, declared, .. } = self.decoder;
        match output::outcome(&shared.limits, &shared.registry, declared, &outcome) {
            Ok(()) => Ok(outcome),
            Err((kind, message)) => Err(DecodeFailure { kind, message, fuel_used: 0 }),
        }
    }
}

fn failure(error: &wasmtime::Error, stage: Stage, store: &Store<Guest>) -> DecodeFailure {
    let (kind, message): (FailureKind, String) = classify(error, stage, store.data());
    DecodeFailure { kind, message, fuel_used: 0 }
}
