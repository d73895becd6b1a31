//! A small client of our own REST and FHIR interfaces.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// A client of one server.
pub(super) struct Api {
    client: Client,
    base: String,
}

impl Api {
    #[expect(
        clippy::disallowed_methods,
        reason = "the demo talks to its own server on loopback, as a script would; nothing here follows a tenant's URL"
    )]
    pub(super) fn new(base: &str) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { client, base: base.to_owned() })
    }

    /// Sends JSON and reads JSON; anything but 2xx is an error that shows what the server said.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(token);
        if let Some(body) = body {
            let media_type = if path.contains("/fhir/") { "application/fhir+json" } else { "application/json" };
            request = request.header("Content-Type", media_type).body(body.to_string());
        }
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{method} {path} answered {status}: {text}");
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, token, None).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, token, Some(body)).await
    }

    /// Sends one raw frame as a device does.
    pub(super) async fn send_frame(&self, token: &str, channel: &str, frame: Vec<u8>) -> anyhow::Result<StatusCode> {
        let response = self
            .client
            .post(format!("{}/ingest/v1/uplinks?channel={channel}", self.base))
            .bearer_auth(token)
            .header("Content-Type", "application/octet-stream")
            .body(frame)
            .send()
            .await?;
        Ok(response.status())
    }
}
