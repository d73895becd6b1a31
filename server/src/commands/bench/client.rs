//! A client that costs next to nothing: HTTP/1.1 over one kept connection to our own server on loopback.
//!
//! The load shares the machine with what it measures. A general client takes several times the processor time of this
//! one. It writes a prepared request in one call, and of the answer reads the status and the length, nothing else.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the server answered.
pub(super) struct Answer<'a> {
    /// HTTP status.
    pub(super) status: u16,
    /// The body, at its declared length.
    pub(super) body: &'a [u8],
}

impl Answer<'_> {
    /// The body for an error message.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }
}

/// A request up to its body, whose length is known.
pub(super) fn head(method: &str, path: &str, token: &str, media_type: &str, length: usize) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: {media_type}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// One kept connection.
pub(super) struct Connection {
    stream: TcpStream,
    /// Bytes of the answer so far; reused.
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the server does not take connections")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(2048) })
    }

    /// Sends a whole request and reads the whole answer.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (mut status, mut ends) = (0, None);
        while ends.is_none_or(|(_, end)| self.buffer.len() < end) {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if ends.is_none()
                && let Some(length) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let head = std::str::from_utf8(self.buffer.get(..length).unwrap_or_default())?;
                let body = length + 4;
                status = head.get(9..12).and_then(|word| word.parse().ok()).context("no HTTP status line")?;
                ends = Some((body, body + content_length(head)?));
            }
        }
        let (start, end) = ends.unwrap_or_default();
        Ok(Answer { status, body: self.buffer.get(start..end).unwrap_or_default() })
    }
}

fn content_length(head: &str) -> anyhow::Result<usize> {
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            return value.trim().parse().context("Content-Length is no number");
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("the bench's client reads answers of a declared length only");
        }
    }
    Ok(0)
}
