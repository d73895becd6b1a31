//! What is killed: a broker, two servers that reach it over one network and devices over another.

use std::net::SocketAddr;

use serde_json::json;

use crate::support::{Actor, Mosquitto, ServerProcess, TcpProxy, TestApp, TestDatabase, free_address};

/// How a device sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over MQTT 3.1.1.
    V3,
    /// Over MQTT 5; a device without a clock says an `idempotency-key`.
    V5,
    /// Over HTTP, to either server.
    Http,
}

/// A device.
#[derive(Debug, Clone)]
pub struct Device {
    pub id: String,
    pub token: String,
    pub way: Way,
    /// A scale, which says no time; else a cuff.
    pub is_scale: bool,
}

/// Four cuffs and a scale a way.
const CUFFS: usize = 4;

/// One of the two servers.
pub struct Server {
    pub address: SocketAddr,
    pub process: Option<ServerProcess>,
}

pub struct World {
    pub database: TestDatabase,
    pub broker: Mosquitto,
    /// Between servers and broker.
    pub inner: TcpProxy,
    /// Between devices and broker.
    pub outer: TcpProxy,
    pub servers: [Server; 2],
    pub tenant: String,
    pub devices: Vec<Device>,
}

impl World {
    pub async fn build() -> Self {
        let app = TestApp::start().await;
        let broker = Mosquitto::start().await;
        let (inner, outer) = (TcpProxy::start(broker.address).await, TcpProxy::start(broker.address).await);
        let clinic = app.clinic("clinic").await;
        let mut devices = Vec::new();
        for way in [Way::V3, Way::V5, Way::Http] {
            for number in 0..=CUFFS {
                let is_scale = number == CUFFS;
                let model = if is_scale { "gatt-2A9D" } else { "gatt-2A35" };
                let (id, actor) = clinic.device(model, &format!("{way:?}-{number}")).await;
                // Each its own person: two devices of one would measure the same thing twice.
                let patient = clinic.patient(&format!("{way:?}-{number}")).await;
                clinic.assign(&id, &patient, "2020-01-01T00:00:00Z", None).await;
                devices.push(Device { id, token: actor.token.unwrap(), way, is_scale });
            }
        }
        let wish = json!({ "tenant": clinic.tenant, "name": "broker", "url": format!("mqtt://{}", inner.address) });
        app.platform_admin().await.post("/api/v1/mqtt-connections", wish).await.expect(201);
        let (database, tenant) = (app.database.clone(), clinic.tenant.clone());
        drop(app);
        let servers =
            [Server { address: free_address(), process: None }, Server { address: free_address(), process: None }];
        let mut world = Self { database, broker, inner, outer, servers, tenant, devices };
        for number in 0..2 {
            world.start(number).await;
        }
        world
    }

    /// Starts a server (again).
    pub async fn start(&mut self, number: usize) {
        let server = &mut self.servers[number];
        server.process =
            Some(ServerProcess::start(&self.database, Some(server.address), &[("AFFERENT_LOG", "error")]).await);
    }

    /// A device, as a server sees it.
    pub fn actor(&self, server: usize, device: &Device) -> Actor {
        Actor::new(format!("http://{}", self.servers[server].address), Some(device.token.clone()))
    }

    pub async fn stop(self) {
        for server in self.servers {
            if let Some(process) = server.process {
                assert_eq!(process.terminate().await, Some(0), "SIGTERM ends it cleanly");
            }
        }
    }
}
