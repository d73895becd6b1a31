//! What is killed, and who lives in it: a Postgres, two servers that reach it through proxies, an EHR, a clinic whose
//! devices go from patient to patient.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Mutex;

use super::ehr::Ehr;
use crate::support::{Actor, OwnPostgres, PostgresProxy, ServerProcess, TempDir, TestApp, free_address};

/// Devices that say the time of each reading, and devices that do not.
pub const CUFFS: usize = 12;
pub const SCALES: usize = 4;
const PATIENTS: usize = 5;

/// A device of the clinic.
#[derive(Clone)]
pub struct Device {
    pub id: String,
    pub token: String,
    pub is_scale: bool,
}

/// One of the two servers.
pub struct Server {
    pub address: SocketAddr,
    pub proxy: PostgresProxy,
    pub process: Mutex<Option<ServerProcess>>,
    /// Kept from process to process, as on a real machine.
    folder: TempDir,
}

impl Server {
    async fn build(postgres: &OwnPostgres) -> Self {
        let server = Self {
            address: free_address(),
            proxy: PostgresProxy::start(&postgres.database).await,
            process: Mutex::new(None),
            folder: TempDir::new(),
        };
        server.start().await;
        server
    }

    /// Starts its process, and waits until it is ready.
    pub async fn start(&self) {
        let mut process = self.spawn();
        let anonymous = Actor::new(format!("http://{}", self.address), None);
        let started = Instant::now();
        loop {
            // As whoever keeps a service alive: one that could not start is started again.
            if !process.is_alive() {
                eprintln!("soak: a server ended while it started:\n{}", self.last_words());
                tokio::time::sleep(Duration::from_millis(500)).await;
                process = self.spawn();
            }
            let request = anonymous.request(reqwest::Method::GET, "/readyz").timeout(Duration::from_secs(2));
            if anonymous.try_send(request).await.is_ok_and(|answer| answer.status == 200) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(120), "a server did not start:\n{}", self.last_words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        *self.process.lock().await = Some(process);
    }

    fn spawn(&self) -> ServerProcess {
        let folder = self.folder.path().to_str().unwrap().to_owned();
        let log = self.folder.path().join("log");
        let environment = [("AFFERENT_DATA_DIR", folder.as_str())];
        ServerProcess::spawn_logging(&self.proxy.database, self.address, &environment, &log)
    }

    /// The end of its log, for who has to find out.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

pub struct World {
    pub postgres: OwnPostgres,
    pub servers: [Server; 2],
    pub ehr: Ehr,
    pub tenant: String,
    admin_token: String,
    /// Ids of the patients, and their record numbers, by which the EHR knows them.
    pub patients: Vec<(String, String)>,
    pub devices: Vec<Device>,
    /// Payloads before a device goes to the next patient.
    pub worn: u32,
}

impl World {
    pub async fn build(worn: u32) -> Self {
        let postgres = OwnPostgres::start().await;
        let ehr = Ehr::start();
        let app = TestApp::on(postgres.database.clone(), &[]).await;
        let clinic = app.clinic("clinic").await;
        let wish = json!({
            "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": ehr.url(), "auth": { "kind": "none" },
            "patientIdentifierSystem": clinic.record_number.0,
        });
        clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
        let mut patients = Vec::new();
        for number in 0..PATIENTS {
            let name = format!("patient{number}");
            patients.push((clinic.patient(&name).await, format!("{}-{name}", clinic.tenant)));
        }
        let mut devices = Vec::new();
        for number in 0..CUFFS + SCALES {
            let is_scale = number >= CUFFS;
            let model = if is_scale { "gatt-2A9D" } else { "gatt-2A35" };
            let (id, actor) = clinic.device(model, &format!("SOAK-{number}")).await;
            if is_scale {
                clinic.assign(&id, &patients[number % PATIENTS].0, "2020-01-01T00:00:00Z", None).await;
            }
            devices.push(Device { id, token: actor.token.unwrap(), is_scale });
        }
        let (tenant, admin_token) = (clinic.tenant.clone(), clinic.admin.token.clone().unwrap());
        drop(app);
        let servers = [Server::build(&postgres).await, Server::build(&postgres).await];
        Self { postgres, servers, ehr, tenant, admin_token, patients, devices, worn }
    }

    /// Who wears a device at its payload of that number.
    pub fn wearer(&self, device: usize, number: u32) -> usize {
        if self.devices[device].is_scale { device % PATIENTS } else { wearer_in(device, number / self.worn) }
    }

    pub fn admin(&self, server: usize) -> Actor {
        Actor::new(format!("http://{}", self.servers[server].address), Some(self.admin_token.clone()))
    }

    pub async fn stop(self) {
        for server in &self.servers {
            if let Some(process) = server.process.lock().await.take() {
                assert_eq!(process.terminate().await, Some(0), "SIGTERM ends it cleanly");
            }
        }
        self.ehr.stop().await;
        self.postgres.stop().await;
    }
}

/// Patients take turns, with each device in another order.
pub fn wearer_in(device: usize, turn: u32) -> usize {
    (device + (1 + device % 3) * usize::try_from(turn).unwrap()) % PATIENTS
}
