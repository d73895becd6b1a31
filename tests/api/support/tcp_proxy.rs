//! A network that is cut: TCP through here reaches its goal until a test says otherwise.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Shared {
    number: AtomicUsize,
    down: AtomicBool,
    connections: Mutex<HashMap<usize, CancellationToken>>,
}

/// A proxy in front of an address.
pub struct TcpProxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

impl TcpProxy {
    pub async fn start(goal: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared: Arc<Shared> = Arc::default();
        let for_task = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if for_task.down.load(Ordering::SeqCst) {
                    continue;
                }
                let shared = Arc::clone(&for_task);
                tokio::spawn(async move {
                    let number = shared.number.fetch_add(1, Ordering::Relaxed);
                    let cut = CancellationToken::new();
                    shared.connections.lock().unwrap().insert(number, cut.clone());
                    if let Ok(mut upstream) = TcpStream::connect(goal).await {
                        tokio::select! {
                            () = cut.cancelled() => {}
                            _ended = copy_bidirectional(&mut client, &mut upstream) => {}
                        }
                    }
                    shared.connections.lock().unwrap().remove(&number);
                });
            }
        });
        Self { address, shared, listening }
    }

    /// Cuts all connections; new ones are let through.
    pub fn cut(&self) -> usize {
        let connections = self.shared.connections.lock().unwrap();
        connections.values().for_each(CancellationToken::cancel);
        connections.len()
    }

    /// From now on nobody gets through; or everybody again.
    pub fn down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
        if down {
            self.cut();
        }
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}
