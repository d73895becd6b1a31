//! A client that costs next to nothing: HTTP/1.1 over one kept connection to our own server on loopback.
//!
//! The load shares the machine with what it measures. A general client takes several times the processor time of this
//! one, and would be measured with the server.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What the server answered.
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// The body, at its declared length.
    pub(super) body: Vec<u8>,
}

/// What is sent.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) token: &'a str,
    pub(super) media_type: &'a str,
    pub(super) body: &'a [u8],
}

/// One kept connection.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    /// Reused for every request and line.
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the server does not take connections")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), buffer: Vec::with_capacity(1024) })
    }

    /// Sends a request in one write and reads the whole answer.
    pub(super) async fn send(&mut self, request: &Request<'_>) -> anyhow::Result<Answer> {
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            request.method,
            request.path,
            request.token,
            request.media_type,
            request.body.len()
        );
        self.buffer.clear();
        self.buffer.extend_from_slice(head.as_bytes());
        self.buffer.extend_from_slice(request.body);
        self.stream.get_mut().write_all(&self.buffer).await?;

        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no HTTP status line: {status_line:?}"))?;
        let mut length = 0;
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("Content-Length is no number")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("the bench's client reads answers of a declared length only");
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body })
    }

    /// A line of the head, without its end.
    async fn line(&mut self) -> anyhow::Result<String> {
        self.buffer.clear();
        if self.stream.read_until(b'\n', &mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(String::from_utf8_lossy(&self.buffer).trim_end().to_owned())
    }
}
