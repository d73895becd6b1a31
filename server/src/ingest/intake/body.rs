//! The body of an uplink: read after the source is known, counted in the queue's bytes chunk by chunk, so that what is
//! arriving cannot fill the memory either.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::{Decompress, Payload};
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::{Bound, Intake, Ticket};
use crate::error::{Error, Kind};

/// A body takes at most so long to arrive; a slow mobile network needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

impl Intake {
    /// Reads a body of at most `limit` bytes (after decompression), and lets its uplink in.
    ///
    /// # Errors
    /// 413 over the limit; 400 when it ends early or is too slow; 503 when a bound of the queue is met.
    pub(in crate::ingest) async fn read(
        &self,
        request: &HttpRequest,
        payload: Payload,
        limit: usize,
    ) -> Result<(Bytes, Ticket), Error> {
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let announced: usize = announced.unwrap_or_default();
        if announced > limit {
            return Err(too_large(limit));
        }
        if self.rows.available_permits() == 0 {
            // Not one byte is read for somebody who has no chance.
            return Err(self.refusal(Bound::Rows));
        }
        let reading = self.collect(Decompress::from_headers(payload, request.headers()), limit);
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read,
            Err(_elapsed) => Err(Error::invalid(
                "body.slow",
                format!("The body did not arrive within {} s; nothing of it was kept.", PATIENCE.as_secs()),
            )),
        }
    }

    async fn collect(&self, mut stream: Decompress<Payload>, limit: usize) -> Result<(Bytes, Ticket), Error> {
        let mut body = BytesMut::new();
        let mut held = self.room(0).map_err(|bound| self.refusal(bound))?;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| {
                tracing::debug!(%error, "a body could not be read");
                Error::invalid("body.unreadable", "The body ended early, or is not encoded as its headers say.")
            })?;
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            held.merge(self.room(chunk.len()).map_err(|bound| self.refusal(bound))?);
            body.extend_from_slice(&chunk);
        }
        let ticket = self.admit_with(held).map_err(|bound| self.refusal(bound))?;
        Ok((body.freeze(), ticket))
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(
        Kind::TooLarge,
        "body.too-large",
        format!("An uplink may have {limit} bytes at most; send fewer frames at once."),
    )
}
