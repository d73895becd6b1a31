//! Where a decoder runs: on the request's own thread as long as that is brief, else on a thread that may be kept.

use std::sync::Arc;

use plugin_host::{Decoder, Input, Outcome, Run};

use super::intake::Ticket;
use crate::app::App;
use crate::error::Error;

/// Fuel for a run on a request's thread: some half a millisecond. A blood pressure burns 20,000.
const BRIEF_FUEL: u64 = 1_000_000;
/// Larger payloads go to the other threads at once.
const BRIEF_BYTES: usize = 16 * 1024;

/// Decodes in a fresh sandbox.
///
/// Most decodes take ten microseconds, which is less than handing them to another thread and back. One that needs more
/// than the brief fuel starts again where it may take its time: what it did is lost, a thousandth of what it may do. The
/// answer does not depend on where it ran.
///
/// # Errors
/// 503 when the threads are busy for longer than an uplink may wait; 500 when the runtime ends.
pub(super) async fn run_decoder(
    app: &App,
    decoder: &Arc<Decoder>,
    input: Input,
    ticket: Option<&Ticket>,
) -> Result<Run<Outcome>, Error> {
    let bytes: usize = input.frames.iter().map(|frame| frame.data.len()).sum();
    if bytes <= BRIEF_BYTES
        && let Some(run) = decoder.run_briefly(&input, BRIEF_FUEL)
    {
        return Ok(run);
    }
    let permit = match ticket {
        Some(ticket) => {
            let slot = app.intake.decode_slot(&app.decode_slots, ticket).await;
            slot.map_err(|bound| app.intake.refusal(bound))?
        }
        None => Arc::clone(&app.decode_slots).acquire_owned().await.map_err(Error::internal)?,
    };
    let decoder = Arc::clone(decoder);
    tokio::task::spawn_blocking(move || {
        let run = decoder.run(&input);
        drop(permit);
        run
    })
    .await
    .map_err(Error::internal)
}
