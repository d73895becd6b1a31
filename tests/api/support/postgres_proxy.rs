//! Between a server and its Postgres: cuts connections, also exactly when a commit of readings goes by.
//!
//! It reads along in the client's messages (Postgres protocol 3, "Message Formats"): a transaction in which a statement
//! that writes uplinks or their keys was bound is a commit of readings.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::bytes::{Buf, BytesMut};
use tokio_util::sync::CancellationToken;

use super::TestDatabase;

/// Where a connection is cut: at COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// COMMIT never reaches Postgres.
    Before,
    /// Postgres commits; its answer does not come back.
    After,
    /// The server is cut off at once, and COMMIT reaches Postgres only after this time: the transaction is alive, and not
    /// there to be seen, when the server asks.
    Late(Duration),
}

/// A running proxy.
pub struct PostgresProxy {
    /// The database through the proxy.
    pub database: TestDatabase,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    armed: Mutex<Option<Cut>>,
    cut: AtomicUsize,
    connections: Mutex<HashMap<usize, CancellationToken>>,
    number: AtomicUsize,
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<usize, CancellationToken>> {
        self.connections.lock().unwrap()
    }
}

impl PostgresProxy {
    /// In front of a database that is reached by a unix socket.
    pub async fn start(database: &TestDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = socket_of(&database.server_url);
        let shared: Arc<Shared> = Arc::default();
        let for_task = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (shared, socket) = (Arc::clone(&for_task), socket.clone());
                tokio::spawn(async move {
                    let number = shared.number.fetch_add(1, Ordering::Relaxed);
                    let token = CancellationToken::new();
                    shared.connections().insert(number, token.clone());
                    // Whatever ends it, both sides notice.
                    let _ended = Link::new(Arc::clone(&shared)).run(client, &socket, token).await;
                    shared.connections().remove(&number);
                });
            }
        });
        let database = TestDatabase {
            superuser_url: database.superuser_url.clone(),
            server_url: through(&database.server_url, address),
        };
        Self { database, shared, listening }
    }

    /// The next commit of readings is cut.
    pub fn arm(&self, cut: Cut) {
        *self.shared.armed.lock().unwrap() = Some(cut);
    }

    /// How many commits were cut.
    pub fn cuts(&self) -> usize {
        self.shared.cut.load(Ordering::SeqCst)
    }

    /// Cuts one connection, whatever it does.
    pub fn cut_one(&self, choose: usize) -> bool {
        let connections = self.shared.connections();
        let mut numbers: Vec<_> = connections.keys().collect();
        numbers.sort_unstable();
        let Some(number) = (!numbers.is_empty()).then(|| numbers[choose % numbers.len()]) else { return false };
        connections[number].cancel();
        true
    }

    /// Cuts all connections.
    pub fn cut_all(&self) -> bool {
        let connections = self.shared.connections();
        connections.values().for_each(CancellationToken::cancel);
        !connections.is_empty()
    }
}

impl Drop for PostgresProxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut_all();
    }
}

/// One connection on its way.
struct Link {
    shared: Arc<Shared>,
    started: bool,
    /// Prepared statements by name: whether they store uplinks, whether they commit.
    statements: HashMap<Vec<u8>, (bool, bool)>,
    stores: bool,
}

impl Link {
    fn new(shared: Arc<Shared>) -> Self {
        Self { shared, started: false, statements: HashMap::new(), stores: false }
    }

    async fn run(mut self, mut client: TcpStream, socket: &PathBuf, cut: CancellationToken) -> std::io::Result<()> {
        let mut upstream = UnixStream::connect(socket).await?;
        client.set_nodelay(true)?;
        let (mut from_client, mut from_upstream) = (BytesMut::new(), BytesMut::new());
        loop {
            tokio::select! {
                () = cut.cancelled() => return Ok(()),
                read = client.read_buf(&mut from_client) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some(message) = self.next_message(&mut from_client) {
                        if self.commits(&message) {
                            let armed = self.shared.armed.lock().unwrap().take();
                            if let Some(armed) = armed {
                                return self.cut(armed, &message, client, upstream).await;
                            }
                        }
                        upstream.write_all(&message).await?;
                    }
                }
                read = upstream.read_buf(&mut from_upstream) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    client.write_all(&from_upstream).await?;
                    from_upstream.clear();
                }
            }
        }
    }

    async fn cut(&self, cut: Cut, message: &[u8], client: TcpStream, mut upstream: UnixStream) -> std::io::Result<()> {
        self.shared.cut.fetch_add(1, Ordering::SeqCst);
        let client = match cut {
            Cut::Before => return Ok(()),
            Cut::After => Some(client),
            Cut::Late(late) => {
                drop(client);
                tokio::time::sleep(late).await;
                None
            }
        };
        upstream.write_all(message).await?;
        // Sync, in case that COMMIT was a prepared statement: the end of the answer is the same then.
        upstream.write_all(&[b'S', 0, 0, 0, 4]).await?;
        let mut answer = BytesMut::new();
        loop {
            if upstream.read_buf(&mut answer).await? == 0 {
                break;
            }
            // ReadyForQuery, idle: the transaction is over.
            if answer.windows(6).any(|end| end == [b'Z', 0, 0, 0, 5, b'I']) {
                break;
            }
        }
        drop(client);
        Ok(())
    }

    /// A complete message with its header.
    fn next_message(&mut self, buffer: &mut BytesMut) -> Option<BytesMut> {
        let header = usize::from(self.started);
        let length = buffer.get(header..header + 4)?;
        let length = header + usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        if buffer.len() < length {
            return None;
        }
        self.started = true;
        Some(buffer.split_to(length))
    }

    /// Whether the message commits readings.
    fn commits(&mut self, message: &BytesMut) -> bool {
        let (kind, mut body) = (message[0], &message[5.min(message.len())..]);
        match kind {
            b'Q' => {
                let text = String::from_utf8_lossy(body).to_uppercase();
                if text.contains("BEGIN") {
                    self.stores = false;
                }
                text.contains("COMMIT") && std::mem::take(&mut self.stores)
            }
            b'P' => {
                let name = word(&mut body);
                let text = String::from_utf8_lossy(&word(&mut body)).to_uppercase();
                let stores = ["INSERT INTO UPLINK", "UPDATE UPLINK", "INSERT INTO INGEST_KEY"];
                let stores = stores.iter().any(|words| text.contains(words));
                self.statements.insert(name, (stores, text.trim().starts_with("COMMIT")));
                false
            }
            b'B' => {
                let _portal = word(&mut body);
                let (stores, commits) = self.statements.get(&word(&mut body)).copied().unwrap_or_default();
                self.stores |= stores;
                commits && std::mem::take(&mut self.stores)
            }
            _ => false,
        }
    }
}

/// A text that ends with a zero byte.
fn word(body: &mut &[u8]) -> Vec<u8> {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    let word = body[..end].to_vec();
    body.advance((end + 1).min(body.len()));
    word
}

/// The unix socket of `postgres://user:password@/name?host=%2Ffolder&port=5432`.
fn socket_of(url: &str) -> PathBuf {
    let query = url.split_once('?').unwrap().1;
    let value =
        |name: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).unwrap().1.into_owned();
    PathBuf::from(value("host")).join(format!(".s.PGSQL.{}", value("port")))
}

fn through(url: &str, address: SocketAddr) -> String {
    let (login, rest) = url.split_once("@/").unwrap();
    format!("{login}@{address}/{}", rest.split_once('?').unwrap().0)
}
