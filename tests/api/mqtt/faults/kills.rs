//! The kinds of kills, one after the other in an order that the seed decides.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::world::World;
use super::{Dice, Settings};

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    ServerKilled,
    ServerEnded,
    BothKilled,
    BrokerEnded,
    BrokerKilled,
    InnerCut,
    InnerDown,
    OuterCut,
    InnerFlapping,
}

pub const KINDS: [Kind; 9] = [
    Kind::ServerKilled,
    Kind::BrokerEnded,
    Kind::InnerCut,
    Kind::BothKilled,
    Kind::OuterCut,
    Kind::InnerDown,
    Kind::BrokerKilled,
    Kind::ServerEnded,
    Kind::InnerFlapping,
];

impl Kind {
    pub fn words(self) -> &'static str {
        match self {
            Self::ServerKilled => "a server killed (SIGKILL) and started again",
            Self::ServerEnded => "a server told to end (SIGTERM) and started again",
            Self::BothKilled => "both servers killed at once",
            Self::BrokerEnded => "the broker told to end (SIGTERM) and started again",
            Self::BrokerKilled => "the broker killed (SIGKILL) and started again",
            Self::InnerCut => "connections between servers and broker cut",
            Self::InnerDown => "the network between servers and broker down for a second",
            Self::OuterCut => "connections between devices and broker cut",
            Self::InnerFlapping => "connections between servers and broker cut ten times in two seconds",
        }
    }
}

/// The broker was killed.
pub struct Lapse {
    pub at: Instant,
    /// How long before it had saved what it had.
    pub unsaved: Duration,
}

pub struct Kills {
    dice: Dice,
    pause: u64,
    order: Vec<Kind>,
    /// How often, and the longest time until a reading that was published later was stored.
    pub done: BTreeMap<Kind, (usize, Duration)>,
    /// When the broker was killed: what it acknowledged since it saved last is not there any more.
    pub lapses: Vec<Lapse>,
}

impl Kills {
    pub fn new(settings: &Settings) -> Self {
        Self {
            dice: Dice(settings.seed),
            pause: settings.pause,
            order: Vec::new(),
            done: BTreeMap::new(),
            lapses: Vec::new(),
        }
    }

    /// The next kill, and the wait until things work again.
    pub async fn one(&mut self, world: &mut World) {
        self.dice.pause(self.pause).await;
        if self.order.is_empty() {
            self.order = KINDS.to_vec();
        }
        let choose = usize::try_from(self.dice.roll(self.order.len() as u64)).unwrap();
        let kind = self.order.swap_remove(choose);
        let before = world.stored_over_mqtt().await;
        let started = Instant::now();
        self.carry_out(kind, world).await;
        while world.stored_over_mqtt().await <= before {
            assert!(started.elapsed() < Duration::from_secs(90), "nothing came in over MQTT after: {}", kind.words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (count, longest) = self.done.entry(kind).or_default();
        *count += 1;
        *longest = (*longest).max(started.elapsed());
    }

    async fn carry_out(&mut self, kind: Kind, world: &mut World) {
        let number = usize::try_from(self.dice.roll(2)).unwrap();
        match kind {
            Kind::ServerKilled => {
                world.servers[number].process.take().unwrap().kill();
                self.dice.pause(500).await;
                world.start(number).await;
            }
            Kind::ServerEnded => {
                assert_eq!(world.servers[number].process.take().unwrap().terminate().await, Some(0));
                world.start(number).await;
            }
            Kind::BothKilled => {
                for number in 0..2 {
                    world.servers[number].process.take().unwrap().kill();
                }
                for number in 0..2 {
                    world.start(number).await;
                }
            }
            Kind::BrokerEnded => {
                world.broker.terminate();
                self.dice.pause(500).await;
                world.broker.run().await;
            }
            Kind::BrokerKilled => {
                world.broker.kill();
                self.lapses.push(Lapse { at: Instant::now(), unsaved: world.broker.unsaved_for() });
                self.dice.pause(500).await;
                world.broker.run().await;
            }
            Kind::InnerCut => {
                world.inner.cut();
            }
            Kind::InnerDown => {
                world.inner.down(true);
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.inner.down(false);
            }
            Kind::OuterCut => {
                world.outer.cut();
            }
            Kind::InnerFlapping => {
                for _ in 0..10 {
                    world.inner.cut();
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }
}
