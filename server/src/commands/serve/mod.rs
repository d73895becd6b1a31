//! `afferent serve`: the server, from configuration to a clean end.

mod demo;
pub mod maintenance;
pub mod phone_app;
pub mod status;

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::database::Database;
use crate::app::{self, App};
use crate::config::Config;
use crate::platform::statistics;
use crate::{fleet, forward, ingest};

/// How long an address in use is waited for.
const BIND_TRIES: u32 = 15;
const BIND_PAUSE: Duration = Duration::from_millis(200);

/// Arguments of `afferent serve`.
#[derive(Args)]
pub struct ServeArgs {
    /// Seed tenants, patients and devices, send payloads, and show what happens.
    #[arg(long)]
    demo: bool,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// Why it could not start: configuration, database, address.
pub async fn run(args: ServeArgs, mut config: Config) -> anyhow::Result<ExitCode> {
    let listener = listen(config.listen).await.with_context(|| {
        format!(
            "cannot listen on {}: is another server running there? Choose another address with AFFERENT_LISTEN",
            config.listen
        )
    })?;
    let bound = listener.local_addr()?;
    if args.demo {
        anyhow::ensure!(
            bound.ip().is_loopback(),
            "--demo serves made-up people on loopback only; AFFERENT_LISTEN is {bound}"
        );
        // The demo's EHR is this very server.
        config.outbound_allow.push(bound.ip().into());
    }
    let shutdown_grace = config.shutdown_grace;
    let database = Database::open_for_server(&config).await?;
    let result = serve(args, config, &database, listener, shutdown_grace).await;
    database.close().await;
    result?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    args: ServeArgs,
    config: Config,
    database: &Database,
    listener: TcpListener,
    grace: Duration,
) -> anyhow::Result<()> {
    database.migrate().await?;
    let bound = listener.local_addr()?;
    let app = Arc::new(App::build(config, database.server_url.expose(), bound).await?);
    let stop = CancellationToken::new();
    let mut work = JoinSet::new();
    for _ in 0..app.config.ingest.committers {
        work.spawn(ingest::run_committer(Arc::clone(&app)));
    }
    work.spawn(forward::run(Arc::clone(&app), stop.clone()));
    work.spawn(ingest::run_reassignments(Arc::clone(&app), stop.clone()));
    work.spawn(ingest::run_replays(Arc::clone(&app), stop.clone()));
    work.spawn(ingest::run_shadow_replays(Arc::clone(&app), stop.clone()));
    work.spawn(ingest::run_live_shadows(Arc::clone(&app), stop.clone()));
    work.spawn(ingest::run_joins(Arc::clone(&app), stop.clone()));
    work.spawn(ingest::run_claims(Arc::clone(&app), stop.clone()));
    work.spawn(fleet::follow_registry(Arc::clone(&app), stop.clone()));
    work.spawn(ingest::run_pulls(Arc::clone(&app), stop.clone()));
    work.spawn(maintenance::run(Arc::clone(&app), stop.clone()));
    work.spawn(statistics::follow(app.db.clone(), stop.clone()));
    let mqtt = tokio::spawn(ingest::run_mqtt(Arc::clone(&app), stop.clone()));

    let server = app::http_server(Arc::clone(&app), listener, grace)?;
    let handle = server.handle();
    let serving = tokio::spawn(server);
    tracing::info!(address = %bound, installation = %app.installation, "ready: {}", app.public_url);
    if args.demo {
        work.spawn(demo::run(Arc::clone(&app), stop.clone()));
    }

    stopped_by_signal().await?;
    tracing::info!("stopping: new work is refused, what is in flight finishes");
    app.drain();
    stop.cancel();
    handle.stop(true).await;
    serving.await??;
    if tokio::time::timeout(grace, mqtt).await.is_err() {
        tracing::warn!(
            "MQTT sessions did not end within the grace time; their brokers deliver again what was not acknowledged"
        );
    }
    // Everybody who waited for a commit was answered: nothing is left in the queue.
    app.intake.close();
    let finished = tokio::time::timeout(grace, async { while work.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        tracing::warn!("some background work did not finish within the grace time; it resumes at the next start");
        work.shutdown().await;
    }
    Ok(())
}

/// Binds the address. A server that was just killed may hold it for a moment longer, so that is waited for.
async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    for _ in 0..BIND_TRIES {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::time::sleep(BIND_PAUSE).await,
            other => return other,
        }
    }
    TcpListener::bind(address)
}

async fn stopped_by_signal() -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
