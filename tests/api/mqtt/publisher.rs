//! A device at a broker: another implementation of MQTT (rumqttc), in both versions.

use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::v5;

/// What a message says besides its payload (5.0 only).
#[derive(Debug, Clone, Default)]
pub struct Properties {
    pub content_type: Option<String>,
    pub user: Vec<(String, String)>,
}

/// A client that publishes with QoS 1, one message after the other.
#[expect(clippy::large_enum_variant, reason = "a test has a handful of them")]
pub enum Publisher {
    V3(rumqttc::AsyncClient, rumqttc::EventLoop),
    V5(v5::AsyncClient, v5::EventLoop),
}

/// How long a broker may take to acknowledge.
const PATIENCE: Duration = Duration::from_secs(5);

impl Publisher {
    pub fn v3(broker: SocketAddr, login: Option<(&str, &str)>) -> Self {
        let name = format!("device-{}", uuid::Uuid::new_v4().simple());
        let mut options = rumqttc::MqttOptions::new(name, broker.ip().to_string(), broker.port());
        options.set_max_packet_size(4 << 20, 4 << 20);
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, events) = rumqttc::AsyncClient::new(options, 10);
        Self::V3(client, events)
    }

    pub fn v5(broker: SocketAddr, login: Option<(&str, &str)>) -> Self {
        let name = format!("device-{}", uuid::Uuid::new_v4().simple());
        let mut options = v5::MqttOptions::new(name, broker.ip().to_string(), broker.port());
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, events) = v5::AsyncClient::new(options, 10);
        Self::V5(client, events)
    }

    /// Publishes, and waits until the broker has acknowledged it.
    pub async fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.try_publish(topic, payload, &Properties::default(), false).await.expect("the broker acknowledges");
    }

    pub async fn publish_with(&mut self, topic: &str, payload: &[u8], properties: &Properties) {
        self.try_publish(topic, payload, properties, false).await.expect("the broker acknowledges");
    }

    pub async fn publish_retained(&mut self, topic: &str, payload: &[u8]) {
        self.try_publish(topic, payload, &Properties::default(), true).await.expect("the broker acknowledges");
    }

    /// None when the connection broke: whether the broker has it is not known. This client is of no use then.
    pub async fn try_publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        properties: &Properties,
        retain: bool,
    ) -> Option<()> {
        let publishing = async {
            match self {
                Self::V3(client, events) => {
                    client.publish(topic, rumqttc::QoS::AtLeastOnce, retain, payload).await.ok()?;
                    loop {
                        if let rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)) = events.poll().await.ok()? {
                            return Some(());
                        }
                    }
                }
                Self::V5(client, events) => {
                    let said = v5::mqttbytes::v5::PublishProperties {
                        content_type: properties.content_type.clone(),
                        user_properties: properties.user.clone(),
                        ..Default::default()
                    };
                    let qos = v5::mqttbytes::QoS::AtLeastOnce;
                    let payload = payload.to_vec();
                    client.publish_with_properties(topic, qos, retain, payload, said).await.ok()?;
                    loop {
                        if let v5::Event::Incoming(v5::Incoming::PubAck(_)) = events.poll().await.ok()? {
                            return Some(());
                        }
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, publishing).await.ok().flatten()
    }
}
