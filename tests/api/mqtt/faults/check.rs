//! What the devices wrote down, against Postgres.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Settings;
use super::clients::{Acknowledged, Log, steps};
use super::kills::{Kills, Lapse};
use super::world::{Way, World};
use crate::support::connect;

/// A save takes its time: what the broker acknowledged so shortly before it was through need not be in it.
const SAVING: Duration = Duration::from_millis(500);

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    device: String,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Text)]
    effective: String,
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Device, code, and what tells two readings apart: the time of a cuff's, the value of a scale's.
type Reading = (String, &'static str, String);

/// What was found.
#[derive(Default)]
pub struct Found {
    stored: usize,
    over_mqtt: usize,
    /// Acknowledged by the broker right before it was killed, and not there: the broker's own loss.
    lapsed: usize,
    lost: Vec<String>,
    doubled: Vec<String>,
    wrong: Vec<String>,
}

impl World {
    /// Observations of devices that send over MQTT.
    pub async fn stored_over_mqtt(&self) -> i64 {
        let devices: Vec<String> = self
            .devices
            .iter()
            .filter(|device| device.way != Way::Http)
            .map(|device| format!("'{}'", device.id))
            .collect();
        let query =
            format!("SELECT count(*) AS count FROM observation WHERE device_id::text IN ({})", devices.join(", "));
        self.count(&query).await
    }

    async fn count(&self, query: &str) -> i64 {
        let mut conn = connect(&self.database.superuser_url).await;
        diesel::sql_query(query).get_result::<Count>(&mut conn).await.unwrap().count
    }

    async fn rows(&self) -> Vec<Row> {
        let mut conn = connect(&self.database.superuser_url).await;
        diesel::sql_query(
            "SELECT device_id::text AS device, b #>> '{code,coding,0,code}' AS code, b ->> 'effectiveDateTime' AS effective, \
             b #>> '{valueQuantity,value}' AS value FROM (SELECT *, body::jsonb AS b FROM observation WHERE tenant_id = $1::uuid) o",
        )
        .bind::<Text, _>(&self.tenant)
        .load(&mut conn)
        .await
        .unwrap()
    }
}

impl Found {
    pub async fn look(world: &World, log: &Log, lapses: &[Lapse]) -> Self {
        let mut found = Self { wrong: log.wrong.clone(), ..Self::default() };
        // What the broker has is still on its way; what it lost itself never comes, and is waited for more briefly.
        let started = Instant::now();
        let mut there = Self::readings(world).await;
        loop {
            let missing: Vec<_> = log.acknowledged.iter().filter(|entry| !entry.is_there(world, &there)).collect();
            let patience = match missing.iter().all(|entry| may_have_lapsed(entry, lapses)) {
                true if missing.is_empty() => break,
                true => 10,
                false => 60,
            };
            if started.elapsed() > Duration::from_secs(patience) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            there = Self::readings(world).await;
        }
        // A moment for what would come twice.
        tokio::time::sleep(Duration::from_secs(2)).await;
        there = Self::readings(world).await;
        found.stored = there.values().sum();
        for entry in &log.acknowledged {
            let device = &world.devices[entry.device];
            found.over_mqtt += usize::from(device.way != Way::Http);
            if entry.is_there(world, &there) {
                continue;
            }
            if device.way != Way::Http && may_have_lapsed(entry, lapses) {
                found.lapsed += 1;
            } else {
                let what = format!("{:?} device {} payload {}", device.way, entry.device, entry.number);
                found.lost.push(format!("{what}, {}", before_a_kill(entry, lapses)));
            }
        }
        let twice = there.iter().filter(|(_, count)| **count > 1);
        found.doubled = twice.map(|(what, count)| format!("{what:?} {count} times")).collect();
        for table in ["quarantine", "held_reading"] {
            let count = world.count(&format!("SELECT count(*) AS count FROM {table}")).await;
            if count > 0 {
                found.wrong.push(format!("{count} rows in {table}: faults were blamed on payloads"));
            }
        }
        found
    }

    async fn readings(world: &World) -> HashMap<Reading, usize> {
        let mut there = HashMap::new();
        for row in world.rows().await {
            let (code, what) = match row.code.as_str() {
                "29463-7" => ("weight", without_zeros(row.value.as_deref().unwrap_or_default()).to_owned()),
                "85354-9" => ("pressure", row.effective.chars().take(19).collect()),
                _ => ("pulse", row.effective.chars().take(19).collect()),
            };
            *there.entry((row.device, code, what)).or_insert(0) += 1;
        }
        there
    }

    /// The result, as Markdown.
    pub fn table(&self, settings: &Settings, kills: &Kills, log: &Log, took: Duration) -> String {
        let mut text = format!("| kill (seed {}) | times | longest outage |\n|---|--:|--:|\n", settings.seed);
        for (kind, (count, outage)) in &kills.done {
            let _ = writeln!(text, "| {} | {count} | {:.1} s |", kind.words(), outage.as_secs_f64());
        }
        let _ = writeln!(text, "| **all, in {} s** | **{}** | |\n", took.as_secs(), settings.kills);
        let rows: [(&str, u64); 9] = [
            ("payloads sent", log.sent),
            ("… not acknowledged, and sent again", log.unanswered),
            ("payloads acknowledged", log.acknowledged.len() as u64),
            ("… by the broker", self.over_mqtt as u64),
            ("Observations stored", self.stored as u64),
            ("**lost**", self.lost.len() as u64),
            ("**doubled**", self.doubled.len() as u64),
            (
                "lost by the broker itself: acknowledged after it had saved for the last time before it was killed",
                self.lapsed as u64,
            ),
            ("other answers than 200, 201, 503; quarantined or held", self.wrong.len() as u64),
        ];
        text.push_str("| | |\n|---|--:|\n");
        for (what, count) in rows {
            let _ = writeln!(text, "| {what} | {count} |");
        }
        text
    }

    pub fn assert_nothing_is_wrong(&self) {
        for (what, list) in [("lost", &self.lost), ("doubled", &self.doubled), ("wrong", &self.wrong)] {
            assert!(list.is_empty(), "{what}: {} cases, such as {:?}", list.len(), &list[..list.len().min(5)]);
        }
        assert!(self.over_mqtt > 200, "the load was too small to show anything: {}", self.over_mqtt);
    }
}

/// Whether the broker was killed before it had saved this.
fn may_have_lapsed(entry: &Acknowledged, lapses: &[Lapse]) -> bool {
    lapses.iter().any(|lapse| lapse.at >= entry.at && lapse.at - entry.at < lapse.unsaved + SAVING)
}

/// For the message of a loss: `0.8 s before the broker was killed, which had saved 0.4 s before`.
fn before_a_kill(entry: &Acknowledged, lapses: &[Lapse]) -> String {
    let next = lapses.iter().filter(|lapse| lapse.at >= entry.at).min_by_key(|lapse| lapse.at);
    next.map_or_else(
        || "acknowledged after the last kill of the broker".to_owned(),
        |lapse| {
            format!(
                "acknowledged {:?} before the broker was killed, which had saved {:?} before",
                lapse.at - entry.at,
                lapse.unsaved
            )
        },
    )
}

impl Acknowledged {
    fn is_there(&self, world: &World, there: &HashMap<Reading, usize>) -> bool {
        let device = &world.devices[self.device];
        if device.is_scale {
            return there.contains_key(&(device.id.clone(), "weight", kilograms(steps(self.number).into())));
        }
        let at = measured_at(self.number);
        ["pressure", "pulse"].iter().all(|code| there.contains_key(&(device.id.clone(), *code, at.clone())))
    }
}

/// The wall-clock time that `blood_pressure(number)` says.
fn measured_at(number: u32) -> String {
    let day = 1 + number / 86_400 % 28;
    format!("2025-03-{day:02}T{:02}:{:02}:{:02}", number / 3600 % 24, number / 60 % 60, number % 60)
}

/// Steps of 5 g in kilograms.
fn kilograms(steps: u32) -> String {
    let grams = steps * 5;
    without_zeros(&format!("{}.{:03}", grams / 1000, grams % 1000)).to_owned()
}

/// 70.000 and 70 are the same weight.
fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}
