//! Who holds which session. Every second a process says that it lives, renews the leases of its sessions, and takes free
//! ones up to its fair share; what it has beyond that, and what changed, it lets go of. So two processes share the load
//! without being told of each other, and what a dead one held is taken over when its leases end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use db::MqttConnectionId;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::deliver::Delivery;
use super::model::{Address, Connection, password_place};
use super::packet::Version;
use super::session::Session;
use super::sources::NamedSources;
use super::status::Status;
use super::store::connections::{self, ConnectionRow};
use super::store::sessions::{self, SessionKey, SessionRow};
use super::topics::Topics;
use crate::app::App;
use crate::config::Secret;
use crate::error::Error;
use crate::platform::outbound::TlsTrust;

/// How often leases are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// A session that this process runs.
struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
    status: Arc<Status>,
    /// The connection as it was opened.
    updated_at: DateTime<Utc>,
}

struct Holder {
    app: Arc<App>,
    process: Uuid,
    sources: Arc<NamedSources>,
    running: HashMap<SessionKey, Running>,
    /// Connections that cannot be opened as they are: nobody tries again before they are changed.
    broken: HashMap<MqttConnectionId, DateTime<Utc>>,
    /// The database said no last time.
    failing: bool,
}

/// Holds sessions until it is told to stop; then they end: what is under way is acknowledged, and the others take over.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut holder = Holder {
        app,
        process: Uuid::now_v7(),
        sources: Arc::default(),
        running: HashMap::new(),
        broken: HashMap::new(),
        failing: false,
    };
    while !stop.is_cancelled() {
        let result = holder.look().await;
        if let (Err(error), false) = (&result, holder.failing) {
            tracing::warn!(cause = %format!("{error:?}"), "MQTT sessions could not be looked at; those that are open go on");
        }
        holder.failing = result.is_err();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    holder.end().await;
}

impl Holder {
    async fn look(&mut self) -> Result<(), Error> {
        let mut transaction = self.app.db.begin_worker().await?;
        let wanted = connections::active_connections(&mut transaction).await?;
        if wanted.is_empty() && self.running.is_empty() {
            return Ok(transaction.commit().await?);
        }
        let living = sessions::count_processes(&mut transaction, self.process).await?;
        let ids: Vec<MqttConnectionId> = wanted.iter().map(|row| row.id).collect();
        let rows = sessions::look(&mut transaction, self.process, &ids).await?;
        transaction.commit().await?;
        self.let_go(&wanted, &rows).await?;
        for row in &wanted {
            let of_it: Vec<&SessionRow> = rows.iter().filter(|session| session.connection_id == row.id).collect();
            self.share(row, &of_it, living).await?;
        }
        let connected = self.running.values().filter(|running| running.status.is_connected()).count();
        self.app.metrics.mqtt_sessions.set(i64::try_from(connected).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Renews what is held; stops what is no longer wanted, was changed, or is somebody else's by now; gives back what has
    /// stopped.
    async fn let_go(&mut self, wanted: &[ConnectionRow], rows: &[SessionRow]) -> Result<(), Error> {
        let keys: Vec<SessionKey> = self.running.keys().copied().collect();
        for key in keys {
            let Some(running) = self.running.get(&key) else { continue };
            let as_opened = wanted.iter().any(|row| row.id == key.1 && row.updated_at == running.updated_at);
            let mine = rows.iter().any(|row| (row.connection_id, row.number, row.mine) == (key.1, key.2, true));
            if !as_opened || (!mine && wanted.iter().any(|row| row.id == key.1)) {
                running.stop.cancel();
            }
            let (report, ended) = (running.status.report(key), running.task.is_finished());
            let mut transaction = self.app.db.begin_worker().await?;
            let written = if ended {
                sessions::release(&mut transaction, self.process, &report).await
            } else {
                sessions::renew(&mut transaction, self.process, &report).await.map(|_mine| ())
            };
            let written = match written {
                Ok(()) => transaction.commit().await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = written {
                running.status.take_back(report);
                return Err(error.into());
            }
            if ended
                && let Some(running) = self.running.remove(&key)
                && let Err(error) = running.task.await
            {
                tracing::error!(mqtt.connection = %key.1, %error, "an MQTT session panicked; it is opened anew");
            }
        }
        Ok(())
    }

    /// Takes free sessions of a connection up to the fair share, or lets go of what is beyond it.
    async fn share(&mut self, row: &ConnectionRow, rows: &[&SessionRow], living: i64) -> Result<(), Error> {
        if self.broken.get(&row.id) == Some(&row.updated_at) {
            return Ok(());
        }
        let living = usize::try_from(living.max(1)).unwrap_or(1);
        let share = rows.len().div_ceil(living);
        let held: Vec<SessionKey> = self.running.keys().filter(|key| key.1 == row.id).copied().collect();
        let staying = held.iter().filter(|key| self.running.get(key).is_some_and(|one| !one.stop.is_cancelled()));
        if let Some(beyond) = staying.clone().nth(share) {
            if let Some(running) = self.running.get(beyond) {
                running.stop.cancel();
            }
            return Ok(());
        }
        let mut count = staying.count();
        for session in rows.iter().filter(|session| session.free || session.mine) {
            let key = (session.tenant_id, session.connection_id, session.number);
            if count >= share || self.running.contains_key(&key) {
                continue;
            }
            let mut transaction = self.app.db.begin_worker().await?;
            let taken = sessions::claim(&mut transaction, self.process, key).await?;
            transaction.commit().await?;
            if !taken {
                continue;
            }
            count += 1;
            if let Err(error) = self.start(row, session, key) {
                // One connection's trouble is not the others'.
                tracing::error!(mqtt.connection = %row.id, cause = %format!("{error:?}"), "an MQTT connection cannot be opened");
                self.broken.insert(row.id, row.updated_at);
                let status = Status::default();
                status.failed(
                    "it cannot be opened as it is stored; see the server's log".to_owned(),
                    self.app.clock.now(),
                );
                let mut transaction = self.app.db.begin_worker().await?;
                sessions::release(&mut transaction, self.process, &status.report(key)).await?;
                transaction.commit().await?;
                return Ok(());
            }
        }
        Ok(())
    }

    fn start(&mut self, row: &ConnectionRow, session: &SessionRow, key: SessionKey) -> Result<(), Error> {
        let connection = open(&self.app, row)?;
        let delivery =
            Delivery { app: Arc::clone(&self.app), connection, number: key.2, sources: Arc::clone(&self.sources) };
        let (status, stop) = (Arc::<Status>::default(), CancellationToken::new());
        let session = Session {
            app: Arc::clone(&self.app),
            key,
            delivery: Arc::new(delivery),
            filters: session.filters.clone(),
            status: Arc::clone(&status),
        };
        let task = tokio::spawn(session.run(stop.clone()));
        self.running.insert(key, Running { task, stop, status, updated_at: row.updated_at });
        Ok(())
    }

    /// Ends every session, and says so to the others.
    async fn end(mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        let mut reports = Vec::new();
        for (key, running) in self.running.drain() {
            if let Err(error) = running.task.await {
                tracing::error!(%error, "an MQTT session panicked");
            }
            reports.push(running.status.report(key));
        }
        self.app.metrics.mqtt_sessions.set(0);
        let leave = async {
            let mut transaction = self.app.db.begin_worker().await?;
            for report in &reports {
                sessions::release(&mut transaction, self.process, report).await?;
            }
            sessions::forget_process(&mut transaction, self.process).await?;
            transaction.commit().await
        };
        if let Err(error) = leave.await {
            tracing::warn!(%error, "MQTT sessions could not be given back; others take them when their leases end");
        }
    }
}

/// A connection from its row.
fn open(app: &App, row: &ConnectionRow) -> Result<Connection, Error> {
    let broken =
        |what: &str| Error::internal(anyhow::anyhow!("the stored {what} of MQTT connection {} cannot be read", row.id));
    let address = Address::parse(&row.url).map_err(|_wrong| broken("url"))?;
    let topics = serde_json::from_value::<Vec<_>>(row.topics.clone()).map_err(Error::internal)?;
    let password = match &row.password_sealed {
        None => None,
        Some(sealed) => {
            let opened = app.sealer.open(&password_place(row.tenant_id, row.id), sealed).map_err(Error::internal)?;
            Some(Secret::new(String::from_utf8(opened.to_vec()).map_err(|_bytes| broken("password"))?))
        }
    };
    let trust = match address.tls {
        true => Some(TlsTrust::new(row.ca_certificates.as_deref()).map_err(|wrong| broken(&wrong))?),
        false => None,
    };
    Ok(Connection {
        tenant: row.tenant_id,
        id: row.id,
        address,
        version: if row.protocol == Version::V3.as_str() { Version::V3 } else { Version::V5 },
        trust,
        client_id: row.client_id.clone(),
        group: (row.sessions > 1).then(|| row.share_group.clone()),
        user_name: row.user_name.clone(),
        password,
        topics: Topics::parse(&topics).map_err(|_wrong| broken("topics"))?,
        in_flight: usize::try_from(row.in_flight).unwrap_or(1).max(1),
        include_customers: row.include_customers,
    })
}
