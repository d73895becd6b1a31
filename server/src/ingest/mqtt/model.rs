//! A connection to a broker: its address, its limits, and what it is opened with. Pure.

use std::fmt;

use db::{MqttConnectionId, TenantId};
use url::{Host, Url};

use super::packet::Version;
use super::topics::Topics;
use crate::config::Secret;
use crate::platform::outbound::TlsTrust;
use crate::platform::sealed_column::SealedColumn;

/// Sessions of one connection at most.
pub const MAX_SESSIONS: i16 = 16;
/// Messages of one session that wait for their commit, at most.
pub const MAX_IN_FLIGHT: i32 = 1000;

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name, or an address without brackets.
    pub host: String,
    /// 1883 and 8883 where the URL has none.
    pub port: u16,
    /// `mqtts`.
    pub tls: bool,
}

impl Address {
    /// Reads `mqtt://host:port` or `mqtts://host:port`.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "write the broker as mqtts://host, mqtts://host:8883 or mqtt://host:1883".to_owned();
        let url = Url::parse(text).map_err(|_no_url| wrong())?;
        let tls = match url.scheme() {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(wrong()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user name and password have fields of their own: a URL ends up in logs".to_owned());
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong());
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(wrong()),
        };
        Ok(Self { host, port: url.port().unwrap_or(if tls { 8883 } else { 1883 }), tls })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// A connection, ready to be opened.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Whose devices and hubs it carries.
    pub tenant: TenantId,
    /// Its id.
    pub id: MqttConnectionId,
    /// Where the broker is.
    pub address: Address,
    /// Which version is spoken.
    pub version: Version,
    /// Whom TLS trusts.
    pub trust: Option<TlsTrust>,
    /// The sessions are named after it: `<client id>-<number>`.
    pub client_id: String,
    /// The group of its shared subscriptions; none for a single session, which shares with nobody.
    pub group: Option<String>,
    /// User name.
    pub user_name: Option<String>,
    /// Password, opened.
    pub password: Option<Secret<String>>,
    /// What topics mean.
    pub topics: Topics,
    /// Messages of a session that wait for their commit, at most.
    pub in_flight: usize,
    /// Whether a distributor's connection carries its customers' sources too.
    pub include_customers: bool,
}

/// Where a connection's password is sealed.
#[must_use]
pub fn password_place(tenant: TenantId, id: MqttConnectionId) -> String {
    format!("mqtt_connection.password/{tenant}/{id}")
}

/// Where the passwords are, for changing the key.
pub const SEALED_PASSWORDS: SealedColumn = SealedColumn {
    title: "MQTT passwords",
    table: "mqtt_connection",
    column: "password_sealed",
    // Not connected to without its password: a person sets it again, then activates.
    emptied: "password_sealed = NULL, active = false, updated_at = now()",
    place: |tenant, id| password_place(tenant, MqttConnectionId(id)),
};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_written_as_urls() {
        for (text, expected) in [
            ("mqtt://broker.example.org", "mqtt://broker.example.org:1883"),
            ("mqtts://broker.example.org/", "mqtts://broker.example.org:8883"),
            ("mqtts://10.0.0.1:1", "mqtts://10.0.0.1:1"),
            ("mqtt://[::1]:1884", "mqtt://[::1]:1884"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), expected);
        }
        for text in
            ["broker", "http://broker", "mqtt://", "mqtt://u:p@broker", "mqtt://broker/topic", "mqtt://broker?x=1"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
