//! The server that is measured: the real one, in this process, on a free port of loopback.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{self, App};
use crate::commands::database::Database;
use crate::config::Config;
use crate::{forward, ingest};

/// How long the end may take.
const GRACE: Duration = Duration::from_secs(10);

/// A server with its background work: committers and forwarder, as `afferent serve` runs them.
pub(super) struct Server {
    pub(super) app: Arc<App>,
    pub(super) address: SocketAddr,
    work: JoinSet<()>,
    stop: CancellationToken,
    handle: ServerHandle,
}

impl Server {
    pub(super) async fn start(config: Config, database: &Database) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen)?;
        let address = listener.local_addr()?;
        let app = Arc::new(App::build(config, database.server_url.expose(), address).await?);
        let stop = CancellationToken::new();
        let mut work = JoinSet::new();
        for _ in 0..app.config.ingest.committers {
            work.spawn(ingest::run_committer(Arc::clone(&app)));
        }
        work.spawn(forward::run(Arc::clone(&app), stop.clone()));
        let server = app::http_server(Arc::clone(&app), listener, GRACE)?;
        let handle = server.handle();
        work.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the server that is measured ended");
            }
        });
        Ok(Self { app, address, work, stop, handle })
    }

    /// Ends it; its database connections are closed then.
    pub(super) async fn stop(mut self) {
        self.app.drain();
        self.stop.cancel();
        self.handle.stop(true).await;
        self.app.intake.close();
        let finished = tokio::time::timeout(GRACE, async { while self.work.join_next().await.is_some() {} }).await;
        if finished.is_err() {
            self.work.shutdown().await;
        }
    }
}
