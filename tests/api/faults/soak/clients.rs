//! The devices: each sends payload after payload, every one until it is acknowledged, and writes that down on disk before
//! it goes on. Before a payload of the next wearer is sent, its assignment is made, through the API, under the same faults.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike, FixedOffset, TimeDelta, Timelike};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::world::{Device, World, wearer_in};
use super::{Dice, Settings};
use crate::support::{Actor, Answer, TempDir, blood_pressure_at, weight};

/// An acknowledged payload, as the client wrote it down.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub device: usize,
    pub number: u32,
    pub observations: Vec<String>,
}

/// What the clients wrote down.
pub struct Log {
    pub acknowledged: Vec<Acknowledged>,
    /// Requests, those that were not answered, and those that were answered 503.
    pub requests: u64,
    pub unanswered: u64,
    pub refused: u64,
    /// Answers that should not have been given.
    pub wrong: Vec<String>,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    unanswered: AtomicU64,
    refused: AtomicU64,
    acknowledged: AtomicU64,
    /// When the request was sent whose acknowledgement came last, in ms since the start.
    last: AtomicU64,
    wrong: std::sync::Mutex<Vec<String>>,
}

/// The running clients.
pub struct Load {
    counters: Arc<Counters>,
    started: Instant,
    stop: CancellationToken,
    senders: JoinSet<()>,
    folder: TempDir,
}

impl Load {
    pub fn start(world: &World, settings: &Settings) -> Self {
        let (counters, stop, started) = (Arc::<Counters>::default(), CancellationToken::new(), Instant::now());
        let folder = TempDir::new();
        let mut senders = JoinSet::new();
        for (place, device) in world.devices.iter().enumerate() {
            let sender = Sender {
                place,
                device: device.clone(),
                servers: [0, 1].map(|server| world.admin(server).with_token(&device.token)),
                admins: [world.admin(0), world.admin(1)],
                patients: world.patients.iter().map(|(id, _)| id.clone()).collect(),
                worn: world.worn,
                pace: settings.pace,
                dice: Dice(settings.seed ^ (u64::try_from(place).unwrap() << 32)),
                counters: Arc::clone(&counters),
                started,
                log: File::create(folder.path().join(place.to_string())).unwrap(),
            };
            senders.spawn(sender.run(stop.clone()));
        }
        Self { counters, started, stop, senders, folder }
    }

    pub fn acknowledged(&self) -> u64 {
        self.counters.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until something is acknowledged that was sent after a moment.
    pub async fn goes_on_after(&self, moment: Instant) {
        let moment = u64::try_from((moment - self.started).as_millis()).unwrap();
        let patience = Instant::now() + Duration::from_secs(60);
        while self.counters.last.load(Ordering::SeqCst) <= moment {
            assert!(Instant::now() < patience, "nothing was acknowledged for a minute");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets everybody finish the payload they are at, and reads what they wrote down.
    pub async fn stop(mut self) -> Log {
        self.stop.cancel();
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        let files: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let acknowledged = files.iter().flat_map(read).collect();
        let counters = &self.counters;
        Log {
            acknowledged,
            requests: counters.requests.load(Ordering::SeqCst),
            unanswered: counters.unanswered.load(Ordering::SeqCst),
            refused: counters.refused.load(Ordering::SeqCst),
            wrong: counters.wrong.lock().unwrap().clone(),
        }
    }
}

fn read(file: &PathBuf) -> Vec<Acknowledged> {
    let device = file.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let number = words.next().unwrap().parse().unwrap();
        Acknowledged { device, number, observations: words.map(str::to_owned).collect() }
    };
    text.lines().map(line).collect()
}

/// When payload `number` of a cuff was measured, by the clock on the wall of the clinic. Each cuff has a day of its own: two
/// that measure one patient in the same minute would be flagged as one measurement by two routes, which does not travel.
pub fn measured_at(device: usize, number: u32) -> DateTime<FixedOffset> {
    let first = DateTime::parse_from_rfc3339("2025-06-01T00:00:00+02:00").unwrap();
    first + TimeDelta::days(device.try_into().unwrap()) + TimeDelta::seconds(number.into())
}

/// The first value of a payload: systolic pressure in mmHg, or weight in steps of 5 g.
pub fn value(device: usize, number: u32, is_scale: bool) -> u16 {
    let device = u32::try_from(device).unwrap();
    u16::try_from(if is_scale { 10_000 + number % 40_000 } else { 100 + (number * 7 + device) % 80 }).unwrap()
}

struct Sender {
    place: usize,
    device: Device,
    /// The device, as it sends to each server.
    servers: [Actor; 2],
    admins: [Actor; 2],
    patients: Vec<String>,
    worn: u32,
    pace: u64,
    dice: Dice,
    counters: Arc<Counters>,
    started: Instant,
    log: File,
}

impl Sender {
    async fn run(mut self, stop: CancellationToken) {
        let mut number = 0;
        while !stop.is_cancelled() {
            if !self.device.is_scale && number % self.worn == 0 {
                self.hand_over(number / self.worn).await;
            }
            let observations = self.send(number).await;
            writeln!(self.log, "{number} {}", observations.join(" ")).unwrap();
            self.log.sync_data().unwrap();
            number += 1;
            self.dice.pause(self.pace).await;
        }
    }

    /// The next patient wears the device from now on, for so many payloads.
    async fn hand_over(&mut self, turn: u32) {
        let (from, until) =
            (measured_at(self.place, turn * self.worn), measured_at(self.place, (turn + 1) * self.worn));
        let wish = json!({
            "patient": self.patients[wearer_in(self.place, turn)], "from": from.to_rfc3339(), "until": until.to_rfc3339(),
        });
        let path = format!("/api/v1/devices/{}/assignments", self.device.id);
        loop {
            let admin = &self.admins[self.dice.roll(2)];
            let request = admin.request(Method::POST, &path).timeout(Duration::from_secs(10)).json(&wish);
            // 409: an attempt before took effect, and its answer was lost.
            match admin.try_send(request).await {
                Ok(answer) if [201, 409].contains(&answer.status.as_u16()) => return,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn send(&mut self, number: u32) -> Vec<String> {
        loop {
            let sent = u64::try_from(self.started.elapsed().as_millis()).unwrap();
            let first = self.dice.roll(2);
            // Now and then the phone and its owner's tablet send the same at once, to both servers.
            let answers = if self.dice.roll(8) == 0 {
                let (one, other) = tokio::join!(self.post(first, number), self.post(1 - first, number));
                vec![one, other]
            } else {
                vec![self.post(first, number).await]
            };
            let acknowledged: Vec<Vec<String>> =
                answers.into_iter().filter_map(|answer| self.judge(number, answer)).collect();
            if acknowledged.windows(2).any(|pair| pair[0] != pair[1]) {
                self.wrong(format!("twins got different ids: {acknowledged:?}"));
            }
            if let Some(observations) = acknowledged.into_iter().next() {
                self.counters.acknowledged.fetch_add(1, Ordering::SeqCst);
                self.counters.last.fetch_max(sent, Ordering::SeqCst);
                return observations;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn post(&self, server: usize, number: u32) -> reqwest::Result<Answer> {
        let actor = &self.servers[server];
        let value = value(self.place, number, self.device.is_scale);
        let (channel, frame) = if self.device.is_scale {
            ("2A9D", weight(value))
        } else {
            let time = measured_at(self.place, number);
            let small = |number: u32| u16::try_from(number).unwrap();
            let time = [
                2025,
                small(time.month()),
                small(time.day()),
                small(time.hour()),
                small(time.minute()),
                small(time.second()),
            ];
            ("2A35", blood_pressure_at(value, 70, 62, time))
        };
        self.counters.requests.fetch_add(1, Ordering::SeqCst);
        let request = actor.request(Method::POST, &format!("/ingest/v1/uplinks?channel={channel}"));
        let request = if self.device.is_scale {
            // Nothing in the payload tells two equal weights apart: the client's key does.
            request.header("Idempotency-Key", format!("soak-{number}"))
        } else {
            request
        };
        actor.try_send(request.timeout(Duration::from_secs(45)).body(frame)).await
    }

    /// The ids, if it was acknowledged.
    fn judge(&self, number: u32, answer: reqwest::Result<Answer>) -> Option<Vec<String>> {
        let Ok(answer) = answer else {
            self.counters.unanswered.fetch_add(1, Ordering::SeqCst);
            return None;
        };
        match answer.status.as_u16() {
            200 | 201 => {
                let body: Value = answer.json();
                let ids = body["observations"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
                let ids: Vec<String> = ids.collect();
                if ids.len() != if self.device.is_scale { 1 } else { 2 } {
                    self.wrong(format!("device {} payload {number}: {body}", self.place));
                }
                Some(ids)
            }
            503 => {
                self.counters.refused.fetch_add(1, Ordering::SeqCst);
                if answer.header("Retry-After").is_none() {
                    self.wrong(format!("503 without Retry-After: {}", answer.text));
                }
                None
            }
            status => {
                self.wrong(format!("device {} payload {number}: {status} {}", self.place, answer.text));
                None
            }
        }
    }

    fn wrong(&self, what: String) {
        eprintln!("soak: {what}");
        self.counters.wrong.lock().unwrap().push(what);
    }
}
