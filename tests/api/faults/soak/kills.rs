//! What is done to them: each kind in turn, in an order and at places that the seed decides.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use nix::sys::signal::Signal;

use super::clients::Load;
use super::world::World;
use super::{Dice, Settings};
use crate::support::{Actor, Cut};

/// A kind of kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    ServerKilled,
    ServerTerminated,
    ServerStopped,
    BothServersKilled,
    PostmasterKilled,
    PostgresKilled,
    BackendKilled,
    PostgresImmediate,
    PostgresFast,
    SessionsTerminated,
    ConnectionCut,
    ConnectionsCut,
    CutBeforeCommit,
    CutAfterCommit,
    LateCommit,
}

pub const KINDS: [Kind; 15] = [
    Kind::ServerKilled,
    Kind::ServerTerminated,
    Kind::ServerStopped,
    Kind::BothServersKilled,
    Kind::PostmasterKilled,
    Kind::PostgresKilled,
    Kind::BackendKilled,
    Kind::PostgresImmediate,
    Kind::PostgresFast,
    Kind::SessionsTerminated,
    Kind::ConnectionCut,
    Kind::ConnectionsCut,
    Kind::CutBeforeCommit,
    Kind::CutAfterCommit,
    Kind::LateCommit,
];

impl Kind {
    /// For the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::ServerKilled => "a server killed (SIGKILL)",
            Self::ServerTerminated => "a server told to end (SIGTERM) and started again",
            Self::ServerStopped => "a server stopped for 2 s (SIGSTOP)",
            Self::BothServersKilled => "both servers killed at once",
            Self::PostmasterKilled => "Postgres' main process killed (SIGKILL)",
            Self::PostgresKilled => "all processes of Postgres killed at once",
            Self::BackendKilled => "one process of Postgres killed",
            Self::PostgresImmediate => "Postgres stopped at once (SIGQUIT) and started again",
            Self::PostgresFast => "Postgres stopped (SIGINT) and started again",
            Self::SessionsTerminated => "all sessions ended (`pg_terminate_backend`)",
            Self::ConnectionCut => "one connection cut",
            Self::ConnectionsCut => "all connections of a server cut",
            Self::CutBeforeCommit => "a connection cut, COMMIT not forwarded",
            Self::CutAfterCommit => "a connection cut, COMMIT done, its answer lost",
            Self::LateCommit => "a connection cut, COMMIT forwarded a second later",
        }
    }
}

pub struct Kills {
    dice: Dice,
    bag: Vec<Kind>,
    pause: u64,
    /// How many of each kind, and the longest outage after one.
    pub done: BTreeMap<Kind, (usize, Duration)>,
}

impl Kills {
    pub fn new(settings: &Settings) -> Self {
        Self { dice: Dice(settings.seed), bag: Vec::new(), pause: settings.pause, done: BTreeMap::new() }
    }

    /// One kill, and the wait until everything works again.
    pub async fn one(&mut self, world: &World, load: &Load) {
        if self.bag.is_empty() {
            self.bag = KINDS.to_vec();
        }
        let kind = self.bag.swap_remove(self.dice.roll(self.bag.len()));
        self.dice.pause(self.pace()).await;
        let moment = Instant::now();
        self.kill(kind, world).await;
        load.goes_on_after(moment).await;
        let outage = moment.elapsed();
        for server in 0..2 {
            ready(world, server).await;
        }
        let done = self.done.entry(kind).or_default();
        *done = (done.0 + 1, done.1.max(outage));
    }

    fn pace(&self) -> u64 {
        self.pause
    }

    async fn kill(&mut self, kind: Kind, world: &World) {
        let which = self.dice.roll(2);
        let server = &world.servers[which];
        match kind {
            Kind::ServerKilled => {
                server.process.lock().await.take().unwrap().kill();
                server.start().await;
            }
            Kind::ServerTerminated => {
                let process = server.process.lock().await.take().unwrap();
                assert_eq!(process.terminate().await, Some(0), "SIGTERM under load ends it cleanly");
                server.start().await;
            }
            Kind::ServerStopped => {
                let process = server.process.lock().await;
                process.as_ref().unwrap().signal(Signal::SIGSTOP);
                tokio::time::sleep(Duration::from_secs(2)).await;
                process.as_ref().unwrap().signal(Signal::SIGCONT);
            }
            Kind::BothServersKilled => {
                for server in &world.servers {
                    server.process.lock().await.take().unwrap().kill();
                }
                tokio::join!(world.servers[0].start(), world.servers[1].start());
            }
            Kind::PostmasterKilled => assert!(world.postgres.kill_postmaster()),
            Kind::PostgresKilled => assert!(world.postgres.kill_all()),
            Kind::BackendKilled => assert!(world.postgres.kill_child(self.dice.roll(1000))),
            Kind::PostgresImmediate => assert!(world.postgres.restart_immediately()),
            Kind::PostgresFast => assert!(world.postgres.restart_fast()),
            Kind::SessionsTerminated => {
                let mut behind = AsyncPgConnection::establish(&world.postgres.database.superuser_url).await.unwrap();
                let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
                behind.batch_execute(all).await.unwrap();
            }
            Kind::ConnectionCut => assert!(server.proxy.cut_one(self.dice.roll(1000))),
            Kind::ConnectionsCut => assert!(server.proxy.cut_all()),
            Kind::CutBeforeCommit => cut(world, which, Cut::Before).await,
            Kind::CutAfterCommit => cut(world, which, Cut::After).await,
            Kind::LateCommit => cut(world, which, Cut::Late(Duration::from_secs(1))).await,
        }
    }
}

/// Arms, and waits until a commit went by.
async fn cut(world: &World, server: usize, cut: Cut) {
    let proxy = &world.servers[server].proxy;
    let before = proxy.cuts();
    proxy.arm(cut);
    let patience = Instant::now() + Duration::from_secs(30);
    while proxy.cuts() == before {
        assert!(Instant::now() < patience, "no commit went by for 30 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server that was not killed has to be there still, and to take work again.
async fn ready(world: &World, server: usize) {
    let slot = &world.servers[server];
    let anonymous = Actor::new(format!("http://{}", slot.address), None);
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let alive = slot.process.lock().await.as_mut().unwrap().is_alive();
        assert!(alive, "a server ended by itself; its last words:\n{}", slot.last_words());
        let request = anonymous.request(reqwest::Method::GET, "/readyz").timeout(Duration::from_secs(2));
        if anonymous.try_send(request).await.is_ok_and(|answer| answer.status == 200) {
            return;
        }
        assert!(
            Instant::now() < patience,
            "a server is not ready after a minute; its last words:\n{}",
            slot.last_words()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
