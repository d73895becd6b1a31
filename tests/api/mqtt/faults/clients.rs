//! The devices: each sends payload after payload, every one until somebody acknowledged it, and writes that down.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::world::{Device, Way, World};
use super::{Dice, Settings};
use crate::mqtt::device_topic;
use crate::mqtt::publisher::{Properties, Publisher};
use crate::support::{Actor, blood_pressure, weight};

/// A payload that was acknowledged.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub device: usize,
    pub number: u32,
    pub at: Instant,
}

/// What the devices wrote down.
#[derive(Debug, Default)]
pub struct Log {
    pub acknowledged: Vec<Acknowledged>,
    pub sent: u64,
    pub unanswered: u64,
    /// Answers of HTTP that should not have been given.
    pub wrong: Vec<String>,
}

/// The running devices.
pub struct Load {
    log: Arc<Mutex<Log>>,
    count: Arc<AtomicU64>,
    stop: CancellationToken,
    senders: JoinSet<()>,
}

impl Load {
    pub fn start(world: &World, settings: &Settings) -> Self {
        let (log, count, stop) = (Arc::<Mutex<Log>>::default(), Arc::<AtomicU64>::default(), CancellationToken::new());
        let mut senders = JoinSet::new();
        for (place, device) in world.devices.iter().enumerate() {
            let sender = Sender {
                place,
                device: device.clone(),
                servers: [0, 1].map(|server| world.actor(server, device)),
                broker: world.outer.address,
                publisher: None,
                pace: settings.pace,
                dice: Dice(settings.seed ^ (u64::try_from(place).unwrap() << 32)),
                log: Arc::clone(&log),
                count: Arc::clone(&count),
            };
            senders.spawn(sender.run(stop.clone()));
        }
        Self { log, count, stop, senders }
    }

    pub fn acknowledged(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Lets everybody finish the payload they are at.
    pub async fn stop(mut self) -> Log {
        self.stop.cancel();
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

struct Sender {
    place: usize,
    device: Device,
    servers: [Actor; 2],
    broker: SocketAddr,
    publisher: Option<Publisher>,
    pace: u64,
    dice: Dice,
    log: Arc<Mutex<Log>>,
    count: Arc<AtomicU64>,
}

impl Sender {
    async fn run(mut self, stop: CancellationToken) {
        let mut number = 0;
        while !stop.is_cancelled() {
            number += 1;
            let give_up = Instant::now() + Duration::from_secs(120);
            while !self.send(number).await {
                self.log.lock().unwrap().unanswered += 1;
                assert!(Instant::now() < give_up, "nothing was acknowledged for two minutes");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let entry = Acknowledged { device: self.place, number, at: Instant::now() };
            self.log.lock().unwrap().acknowledged.push(entry);
            self.count.fetch_add(1, Ordering::SeqCst);
            self.dice.pause(self.pace).await;
        }
    }

    /// Whether it was acknowledged.
    async fn send(&mut self, number: u32) -> bool {
        self.log.lock().unwrap().sent += 1;
        let (channel, frame) = match self.device.is_scale {
            true => ("2A9D", weight(steps(number))),
            false => ("2A35", blood_pressure(number)),
        };
        let key = format!("{}-{number}", self.place);
        if self.device.way == Way::Http {
            return self.post(channel, &frame, &key).await;
        }
        let (way, broker) = (self.device.way, self.broker);
        let publisher = self.publisher.get_or_insert_with(|| match way {
            Way::V5 => Publisher::v5(broker, None),
            _ => Publisher::v3(broker, None),
        });
        let mut properties = Properties::default();
        if self.device.is_scale {
            properties.user.push(("idempotency-key".to_owned(), key));
        }
        let topic = device_topic(&self.device.id, channel);
        let acknowledged = publisher.try_publish(&topic, &frame, &properties, false).await.is_some();
        if !acknowledged {
            self.publisher = None;
        }
        acknowledged
    }

    async fn post(&mut self, channel: &str, frame: &[u8], key: &str) -> bool {
        let server = &self.servers[usize::try_from(self.dice.roll(2)).unwrap()];
        let request = server
            .request(reqwest::Method::POST, &format!("/ingest/v1/uplinks?channel={channel}"))
            .header("Content-Type", "application/octet-stream")
            .header("Idempotency-Key", key)
            .timeout(Duration::from_secs(10))
            .body(frame.to_vec());
        match server.try_send(request).await {
            Ok(answer) if matches!(answer.status.as_u16(), 200 | 201) => true,
            Ok(answer) if answer.status == 503 => false,
            Ok(answer) => {
                self.log.lock().unwrap().wrong.push(format!("{}: {}", answer.status, answer.text));
                true
            }
            Err(_broken) => false,
        }
    }
}

/// A scale's payload of a number: from 40 kg on, in steps of 5 g, each another one.
pub fn steps(number: u32) -> u16 {
    u16::try_from(8000 + number).unwrap()
}
