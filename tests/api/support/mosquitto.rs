//! A Mosquitto of a test's own: its configuration, its folder, its ports; killed and restarted at will.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;

use super::{TempDir, eventually, free_address};

/// What a broker asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// A user and password that everybody has to show.
    pub login: Option<(String, String)>,
    /// More users, with their passwords; only beside a login.
    pub devices: Vec<(String, String)>,
    /// Who may read and write what, as in docs/mqtt.md.
    pub access: Option<String>,
    /// TLS on a second port, with the tests' certificate.
    pub tls: bool,
    /// More lines of its configuration.
    pub more: String,
}

/// A running broker.
pub struct Mosquitto {
    /// Plain TCP.
    pub address: SocketAddr,
    /// TLS, when it was wished for.
    pub tls_address: SocketAddr,
    child: Option<Child>,
    folder: TempDir,
}

impl Mosquitto {
    pub async fn start() -> Self {
        Self::with(Wish::default()).await
    }

    pub async fn with(wish: Wish) -> Self {
        let folder = TempDir::new();
        let mut broker = Self { address: free_address(), tls_address: free_address(), child: None, folder };
        broker.configure(&wish);
        broker.run().await;
        broker
    }

    /// The configuration of docs/mqtt.md, with the test's ports and folder: whatever is queued survives the broker.
    fn configure(&self, wish: &Wish) {
        let folder = self.folder.path().display();
        let mut text = format!(
            "per_listener_settings false\npersistence true\npersistence_location {folder}/\n\
             autosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\nlog_dest file {folder}/log\n",
        );
        // Started by root it would become another account, which the folder does not belong to; else this says nothing.
        text.push_str("user root\n");
        match &wish.login {
            None => text.push_str("allow_anonymous true\n"),
            Some((user, password)) => {
                let file = self.folder.path().join("passwords");
                std::fs::write(&file, "").unwrap();
                let first = (user.clone(), password.clone());
                for (user, password) in std::iter::once(&first).chain(&wish.devices) {
                    let mut command = Command::new(program("mosquitto_passwd"));
                    command.arg("-b").arg(&file).args([user, password]);
                    assert!(made_quietly(&mut command), "mosquitto_passwd works");
                }
                text.push_str(&format!("allow_anonymous false\npassword_file {}\n", file.display()));
            }
        }
        if let Some(access) = &wish.access {
            let file = self.folder.path().join("acl");
            std::fs::write(&file, access).unwrap();
            text.push_str(&format!("acl_file {}\n", file.display()));
        }
        text.push_str(&format!("listener {} 127.0.0.1\n", self.address.port()));
        if wish.tls {
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/mqtt");
            text.push_str(&format!(
                "listener {} 127.0.0.1\ncertfile {fixtures}/broker.pem\nkeyfile {fixtures}/broker.key\n",
                self.tls_address.port(),
                fixtures = fixtures.display()
            ));
        }
        text.push_str(&wish.more);
        std::fs::write(self.folder.path().join("mosquitto.conf"), text).unwrap();
    }

    /// Starts it (again), and waits until it listens.
    pub async fn run(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let child = Command::new(program("mosquitto"))
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed: scripts/setup does that");
        self.child = Some(child);
        let address = self.address;
        eventually("the broker to listen", || async move { TcpStream::connect(address).await.ok().map(|_| ()) }).await;
    }

    /// SIGTERM: it saves what it has.
    pub fn terminate(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGKILL: what it has not saved is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// How long ago it saved what it has; it does so a moment after it acknowledged something, and later on a busy machine.
    pub fn unsaved_for(&self) -> Duration {
        let saved = std::fs::metadata(self.folder.path().join("mosquitto.db")).and_then(|file| file.modified());
        saved.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default()
    }

    /// As `url` of a connection.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn made_quietly(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Debian keeps brokers out of an ordinary user's path.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from));
    let mut places = folders.map(|folder| folder.join(name));
    places.find(|place| place.exists()).unwrap_or_else(|| PathBuf::from(name))
}
