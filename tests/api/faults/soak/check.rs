//! What the clients wrote down, against Postgres and the EHR.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Settings;
use super::clients::{Log, measured_at, value};
use super::kills::Kills;
use super::world::World;
use crate::support::connect;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    identifier: String,
    #[diesel(sql_type = Text)]
    patient: String,
    #[diesel(sql_type = Text)]
    device: String,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Text)]
    effective: String,
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// What was found.
#[derive(Default)]
pub struct Found {
    stored: usize,
    delivered: usize,
    lost: Vec<String>,
    doubled: Vec<String>,
    wrong_patient: Vec<String>,
    wrong: Vec<String>,
}

impl Found {
    pub async fn look(world: &World, log: &Log) -> Self {
        let mut found = Self { wrong: log.wrong.clone(), ..Self::default() };
        let rows = rows(world).await;
        found.stored = rows.len();
        found.acknowledged(world, log, &rows);
        found.twice(&rows);
        found.delivered(world, &rows).await;
        for table in ["quarantine", "held_reading"] {
            let count = super::super::count(
                &world.postgres.database.superuser_url,
                &format!("SELECT count(*) AS count FROM {table}"),
            )
            .await;
            if count > 0 {
                found.wrong.push(format!("{count} rows in {table}: faults were blamed on payloads"));
            }
        }
        found
    }

    /// Each acknowledged id is there, with its device, patient, time and value.
    fn acknowledged(&mut self, world: &World, log: &Log, rows: &[Row]) {
        let by_id: HashMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        let mut expected = 0;
        for entry in &log.acknowledged {
            let device = &world.devices[entry.device];
            let patient = &world.patients[world.wearer(entry.device, entry.number)].0;
            let what = format!("device {} payload {}", entry.device, entry.number);
            expected += entry.observations.len();
            for id in &entry.observations {
                let Some(row) = by_id.get(id.as_str()) else {
                    self.lost.push(format!("{what}: Observation/{id}"));
                    continue;
                };
                if row.patient != *patient || row.device != device.id {
                    self.wrong_patient.push(format!("{what}: {} and not {patient}", row.patient));
                }
                let wanted = value(entry.device, entry.number, device.is_scale);
                let right_value = match row.code.as_str() {
                    "85354-9" => row.value == Some(wanted.to_string()),
                    "29463-7" => row.value.as_deref().map(without_zeros) == Some(without_zeros(&kilograms(wanted))),
                    _ => true,
                };
                let right_time = device.is_scale
                    || row
                        .effective
                        .starts_with(&measured_at(entry.device, entry.number).format("%Y-%m-%dT%H:%M:%S").to_string());
                if !right_value || !right_time || row.version != 1 {
                    self.wrong.push(format!(
                        "{what}: {} {:?} at {} version {}",
                        row.code, row.value, row.effective, row.version
                    ));
                }
            }
        }
        // Every payload was sent until it was acknowledged: what is there more is there twice.
        if rows.len() != expected && self.lost.is_empty() {
            self.doubled.push(format!("{} Observations for {expected} acknowledged", rows.len()));
        }
    }

    /// One Observation of each kind for a device and time; for scales, for a device and value.
    fn twice(&mut self, rows: &[Row]) {
        let mut seen: HashMap<(&str, &str, &str), usize> = HashMap::new();
        for row in rows {
            let what =
                if row.code == "29463-7" { row.value.as_deref().unwrap_or_default() } else { row.effective.as_str() };
            *seen.entry((&row.device, &row.code, what)).or_default() += 1;
        }
        let twice = seen.into_iter().filter(|(_, count)| *count > 1);
        self.doubled.extend(twice.map(|(what, count)| format!("{what:?} {count} times")));
    }

    /// Everything arrived at the EHR, once, under the same person.
    async fn delivered(&mut self, world: &World, rows: &[Row]) {
        let patience = Instant::now() + Duration::from_secs(300);
        while world.ehr.count() < rows.len() && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // A moment for what would come twice.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (shelf, twins) = world.ehr.contents();
        self.delivered = shelf.len();
        if twins > 0 {
            self.doubled.push(format!("{twins} creates without condition, or under another person, at the EHR"));
        }
        let numbers: HashMap<&str, &str> =
            world.patients.iter().map(|(id, number)| (id.as_str(), number.as_str())).collect();
        for row in rows {
            match shelf.get(&row.identifier) {
                None => self.lost.push(format!("Observation/{} did not reach the EHR", row.id)),
                Some(subject) if !subject.ends_with(&format!("|{}", numbers[row.patient.as_str()])) => {
                    self.wrong_patient.push(format!("Observation/{} at the EHR: {subject}", row.id));
                }
                Some(_) => {}
            }
        }
        if shelf.len() > rows.len() {
            self.doubled.push(format!("the EHR has {} more than there are", shelf.len() - rows.len()));
        }
    }

    /// The result, as Markdown.
    pub fn table(&self, settings: &Settings, kills: &Kills, log: &Log, took: Duration) -> String {
        let mut text = format!("| kill (seed {}) | times | longest outage |\n|---|--:|--:|\n", settings.seed);
        let mut longest = Duration::ZERO;
        for (kind, (count, outage)) in &kills.done {
            longest = longest.max(*outage);
            let _ = writeln!(text, "| {} | {count} | {:.1} s |", kind.words(), outage.as_secs_f64());
        }
        let _ = writeln!(
            text,
            "| **all, in {} s** | **{}** | **{:.1} s** |\n",
            took.as_secs(),
            settings.kills,
            longest.as_secs_f64()
        );
        let rows: [(&str, u64); 10] = [
            ("requests sent", log.requests),
            ("… not answered (the connection broke)", log.unanswered),
            ("… answered 503", log.refused),
            ("payloads acknowledged", len(&log.acknowledged)),
            ("Observations stored", self.stored as u64),
            ("Observations at the EHR", self.delivered as u64),
            ("**lost**", len(&self.lost)),
            ("**doubled**", len(&self.doubled)),
            ("**under another patient**", len(&self.wrong_patient)),
            ("other answers than 200, 201, 503; quarantined or held; wrong values", len(&self.wrong)),
        ];
        text.push_str("| | |\n|---|--:|\n");
        for (what, count) in rows {
            let _ = writeln!(text, "| {what} | {count} |");
        }
        text
    }

    pub fn assert_nothing_is_wrong(&self) {
        for (what, list) in [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("under another patient", &self.wrong_patient),
            ("wrong", &self.wrong),
        ] {
            assert!(list.is_empty(), "{what}: {} cases, such as {:?}", list.len(), &list[..list.len().min(5)]);
        }
        assert!(self.stored > 100, "the load was too small to show anything: {}", self.stored);
    }
}

fn len<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap()
}

/// 70.000 and 70 are the same weight.
fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// Steps of 5 g as the Observation says them, in kilograms with three places.
fn kilograms(steps: u16) -> String {
    let grams = u32::from(steps) * 5;
    format!("{}.{:03}", grams / 1000, grams % 1000)
}

async fn rows(world: &World) -> Vec<Row> {
    let mut conn = connect(&world.postgres.database.superuser_url).await;
    diesel::sql_query(
        "SELECT id, identifier_value AS identifier, patient_id AS patient, device_id AS device, version::bigint AS version, \
         b #>> '{code,coding,0,code}' AS code, b ->> 'effectiveDateTime' AS effective, \
         coalesce(b #>> '{valueQuantity,value}', b #>> '{component,0,valueQuantity,value}') AS value \
         FROM (SELECT *, body::jsonb AS b FROM observation WHERE tenant_id = $1::uuid) o",
    )
    .bind::<Text, _>(&world.tenant)
    .load(&mut conn)
    .await
    .unwrap()
}
