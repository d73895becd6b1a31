//! The private Postgres against a real one: data survives what happens to servers, and what must be refused is.
//!
//! They run as root (Postgres then runs under another account) and as an ordinary user.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::*;

/// A data directory that disappears with the test. Root gets one that is closed to others, as `mktemp -d` makes it.
struct DataDir(PathBuf);

impl DataDir {
    fn new() -> Self {
        Self(nix::unistd::mkdtemp("/tmp/afferent-test-XXXXXX").unwrap())
    }

    fn settings(&self) -> PrivatePostgresSettings {
        let mut settings = PrivatePostgresSettings::new(self.0.clone());
        settings.durable = false;
        settings.shared_buffers_mib = Some(32);
        settings
    }

    async fn start(&self) -> PrivatePostgres {
        PrivatePostgres::start(self.settings()).await.unwrap()
    }

    async fn refusal(&self) -> String {
        PrivatePostgres::start(self.settings()).await.unwrap_err().to_string()
    }

    fn cluster(&self) -> PathBuf {
        self.0.join("postgres/cluster").canonicalize().unwrap()
    }

    fn postmaster(&self) -> u32 {
        let text = fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Ok(home) = self.0.join("postgres").canonicalize()
            && !home.starts_with(&self.0)
        {
            let _ = fs::remove_dir_all(home);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sql(connection: &ConnectionInfo, statement: &str) -> Result<String, String> {
    let psql = binaries::choose(None, Path::new("/"), None).unwrap().program("psql");
    let output = Command::new(psql)
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement])
        .arg(connection.url("postgres").expose())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Waits until the database answers again after a crash.
async fn sql_when_back(connection: &ConnectionInfo, statement: &str) -> String {
    for _ in 0..300 {
        if let Ok(answer) = sql(connection, statement) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the database did not come back");
}

#[tokio::test]
async fn data_survives_stop_and_start() {
    let data_dir = DataDir::new();
    let postgres = data_dir.start().await;
    sql(postgres.connection(), "create table kept (note text); insert into kept values ('Ärztin')").unwrap();
    postgres.stop().await;
    assert!(!data_dir.cluster().join("postmaster.pid").exists(), "the shutdown was clean");
    assert!(PrivatePostgres::attach(&data_dir.0).unwrap().is_none());
    let postgres = data_dir.start().await;
    assert_eq!(sql(postgres.connection(), "select upper(note) from kept").unwrap(), "ÄRZTIN");
    postgres.stop().await;
}

#[tokio::test]
async fn a_durable_cluster_is_private_and_safe() {
    let data_dir = DataDir::new();
    let settings = PrivatePostgresSettings { durable: true, ..data_dir.settings() };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let connection = postgres.connection();
    let show = |name: &str| sql(connection, &format!("show {name}")).unwrap();
    assert_eq!((show("fsync"), show("synchronous_commit")), ("on".to_owned(), "on".to_owned()));
    assert_eq!((show("full_page_writes"), show("data_checksums")), ("on".to_owned(), "on".to_owned()));
    assert_eq!((show("listen_addresses"), show("server_encoding")), (String::new(), "UTF8".to_owned()));
    assert_eq!((show("jit"), show("shared_buffers")), ("off".to_owned(), "32MB".to_owned()));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(connection.socket_dir.clone()), 0o700);
    assert_eq!(mode(data_dir.0.join("postgres/password")), 0o600);
    assert_eq!(mode(data_dir.0.join("postgres.json")), 0o600);
    let mut intruder = connection.clone();
    intruder.password = Secret::new("guess".to_owned());
    assert!(sql(&intruder, "select 1").unwrap_err().contains("password authentication failed"));
    assert!(!format!("{connection:?}").contains(connection.password.expose().as_str()));
    let log = fs::read_to_string(data_dir.0.join("postgres/postgres.log")).unwrap();
    assert!(log.contains("password authentication failed"), "errors are logged");
    let _ = sql(connection, "select 'Mrs Example'::int");
    let log = fs::read_to_string(data_dir.0.join("postgres/postgres.log")).unwrap();
    assert!(!log.contains("select 'Mrs"), "statements are not logged: {log}");
    postgres.stop().await;
}

#[tokio::test]
async fn a_killed_postgres_comes_back_with_its_data() {
    let data_dir = DataDir::new();
    let settings = PrivatePostgresSettings { durable: true, ..data_dir.settings() };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    sql(postgres.connection(), "create table kept as select 1 as one").unwrap();
    let first = data_dir.postmaster();
    postmaster::send(first, Signal::SIGKILL);
    assert_eq!(sql_when_back(postgres.connection(), "select one from kept").await, "1");
    assert_ne!(data_dir.postmaster(), first);
    postgres.stop().await;
}

#[tokio::test]
async fn a_second_server_is_refused_but_commands_can_attach() {
    let data_dir = DataDir::new();
    let postgres = data_dir.start().await;
    let refusal = data_dir.refusal().await;
    assert!(refusal.contains(&format!("is in use by process {}", std::process::id())), "{refusal}");
    let attached = PrivatePostgres::attach(&data_dir.0).unwrap().unwrap();
    assert_eq!(sql(&attached, "select 1").unwrap(), "1");
    postgres.stop().await;
}

/// The data directory for [`server_to_be_killed`], which runs in a process of its own.
const KILLED_SERVER_DATA_DIR: &str = "KILLED_SERVER_DATA_DIR";

#[tokio::test]
#[ignore = "not a test: the server that a_killed_server_takes_its_postgres_along starts and kills"]
#[expect(clippy::disallowed_methods, reason = "a process that a test starts has no other way to be told something")]
async fn server_to_be_killed() {
    let Some(path) = std::env::var_os(KILLED_SERVER_DATA_DIR) else { return };
    let settings = PrivatePostgresSettings { durable: true, ..PrivatePostgresSettings::new(path) };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    sql(postgres.connection(), "create table kept as select 1 as one").unwrap();
    // Long enough to be killed in.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_killed_server_takes_its_postgres_along() {
    let data_dir = DataDir::new();
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", &format!("{module}::server_to_be_killed")])
        .env(KILLED_SERVER_DATA_DIR, &data_dir.0)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let table_exists = || {
        let connection = PrivatePostgres::attach(&data_dir.0).unwrap();
        connection.is_some_and(|connection| sql(&connection, "select one from kept").is_ok())
    };
    assert!(postmaster::wait_until(Duration::from_secs(60), table_exists));
    let left_behind = data_dir.postmaster();
    server.kill().unwrap();
    server.wait().unwrap();
    if cfg!(target_os = "linux") {
        let cluster = data_dir.cluster();
        let gone = || postmaster::look(&cluster) != Postmaster::Alive(left_behind);
        assert!(postmaster::wait_until(Duration::from_secs(20), gone), "Postgres outlived its server");
    }
    let postgres = data_dir.start().await;
    assert_eq!(sql(postgres.connection(), "select one from kept").unwrap(), "1");
    postgres.stop().await;
}

/// A server killed with SIGKILL leaves a note and a running Postgres (without the parent-death signal, as on macOS).
#[tokio::test]
async fn an_orphan_of_a_killed_server_is_stopped_and_replaced() {
    let data_dir = DataDir::new();
    let postgres = data_dir.start().await;
    sql(postgres.connection(), "create table kept as select 1 as one").unwrap();
    postgres.stop().await;
    let orphan = start_orphan(&data_dir);
    let old_socket_dir = nix::unistd::mkdtemp("/tmp/afferent-XXXXXX").unwrap();
    let note = RunningNote { owner: 1, postmaster: orphan, socket_dir: old_socket_dir.clone(), port: PORT };
    note.write(&data_dir.0).unwrap();
    let postgres = data_dir.start().await;
    assert!(!old_socket_dir.exists(), "nothing stays in /tmp");
    assert_ne!(data_dir.postmaster(), orphan);
    assert_eq!(sql(postgres.connection(), "select one from kept").unwrap(), "1");
    postgres.stop().await;
}

#[tokio::test]
async fn a_postgres_of_somebody_else_is_left_alone() {
    let data_dir = DataDir::new();
    data_dir.start().await.stop().await;
    let stranger = start_orphan(&data_dir);
    // An old note about another process does not make it ours.
    let note = RunningNote { owner: 1, postmaster: 1, socket_dir: PathBuf::from("/nowhere"), port: PORT };
    note.write(&data_dir.0).unwrap();
    let refusal = data_dir.refusal().await;
    assert!(refusal.contains(&format!("did not start (process {stranger})")), "{refusal}");
    assert_eq!(data_dir.postmaster(), stranger, "it still runs");
    postmaster::end_orphan(&data_dir.cluster(), stranger);
}

/// Runs Postgres on the cluster with nobody watching it: its parent ends at once.
fn start_orphan(data_dir: &DataDir) -> u32 {
    let cluster = data_dir.cluster();
    let account = Account::choose(None, Some(cluster.parent().unwrap())).unwrap();
    let postgres = binaries::choose(None, &cluster, None).unwrap().program("postgres");
    let socket = cluster.parent().unwrap().join("orphan");
    fs::create_dir(&socket).unwrap();
    account.give(&socket).unwrap();
    let script = format!(
        "{} -D {} -c listen_addresses= -c unix_socket_directories={} >/dev/null 2>&1 &",
        postgres.display(),
        cluster.display(),
        socket.display()
    );
    assert!(account.command(Path::new("/bin/sh")).arg("-c").arg(script).status().unwrap().success());
    assert!(postmaster::wait_until(Duration::from_secs(20), || {
        matches!(postmaster::look(&cluster), Postmaster::Alive(process) if postmaster::is_ready(&cluster, process))
    }));
    data_dir.postmaster()
}

#[tokio::test]
async fn a_stale_process_file_does_not_keep_it_from_starting() {
    let data_dir = DataDir::new();
    data_dir.start().await.stop().await;
    // A living process of the same account that is not Postgres, as after a container's restart.
    let cluster = data_dir.cluster();
    let account = Account::choose(None, Some(cluster.parent().unwrap())).unwrap();
    let mut other = account.command(Path::new("/bin/sleep")).arg("60").spawn().unwrap();
    let file = cluster.join("postmaster.pid");
    fs::write(&file, format!("{}\n{}\n1\n5432\n/tmp\n\n\n", other.id(), cluster.display())).unwrap();
    account.give(&file).unwrap();
    let postgres = data_dir.start().await;
    assert_eq!(sql(postgres.connection(), "select 1").unwrap(), "1");
    postgres.stop().await;
    // A killed process that nobody has reaped.
    other.kill().unwrap();
    fs::write(&file, format!("{}\n{}\n1\n5432\n/tmp\n\n\n", other.id(), cluster.display())).unwrap();
    account.give(&file).unwrap();
    data_dir.start().await.stop().await;
    other.wait().unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_version_is_refused_and_untouched() {
    let data_dir = DataDir::new();
    let cluster = data_dir.0.join("postgres/cluster");
    fs::create_dir_all(&cluster).unwrap();
    fs::write(cluster.join("PG_VERSION"), "12\n").unwrap();
    let refusal = data_dir.refusal().await;
    assert!(refusal.contains("was made by PostgreSQL 12, but only version"), "{refusal}");
    assert_eq!(fs::read_dir(&cluster).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_that_is_no_cluster_is_refused_and_untouched() {
    let data_dir = DataDir::new();
    let cluster = data_dir.0.join("postgres/cluster");
    fs::create_dir_all(&cluster).unwrap();
    fs::write(cluster.join("thesis.txt"), "important").unwrap();
    let refusal = data_dir.refusal().await;
    assert!(refusal.contains("is not a PostgreSQL cluster"), "{refusal}");
    assert_eq!(fs::read_to_string(cluster.join("thesis.txt")).unwrap(), "important");
}

#[tokio::test]
async fn a_long_path_gets_its_socket_elsewhere() {
    let outer = DataDir::new();
    let long = outer.0.join("a folder, with \"odd\" characters").join("x".repeat(100));
    // Root's Postgres has to pass through the folders above, too.
    fs::set_permissions(&outer.0, fs::Permissions::from_mode(0o711)).unwrap();
    let settings = PrivatePostgresSettings { data_dir: long, ..outer.settings() };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let socket_dir = postgres.connection().socket_dir.clone();
    assert!(layout::socket_file(&socket_dir).as_os_str().len() <= 107);
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(sql(postgres.connection(), "select 1").unwrap(), "1");
    postgres.stop().await;
    assert!(!socket_dir.exists(), "nothing stays in /tmp");
}

#[tokio::test]
async fn an_odd_path_works() {
    let outer = DataDir::new();
    fs::set_permissions(&outer.0, fs::Permissions::from_mode(0o711)).unwrap();
    for (name, socket_inside) in [("it's \"b\" #%?", true), ("a, b", false)] {
        let settings = PrivatePostgresSettings { data_dir: outer.0.join(name), ..outer.settings() };
        let postgres = PrivatePostgres::start(settings).await.unwrap();
        assert_eq!(postgres.connection().socket_dir.starts_with(&outer.0), socket_inside);
        assert_eq!(sql(postgres.connection(), "select 1").unwrap(), "1");
        postgres.stop().await;
    }
}

#[tokio::test]
async fn root_hands_the_cluster_to_an_account_that_can_reach_it() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let outer = DataDir::new();
    // A folder above the data directory is closed: the cluster goes to a reachable place, and a link points there.
    let data_dir = DataDir(outer.0.join("inner"));
    let postgres = data_dir.start().await;
    let home = data_dir.0.join("postgres").canonicalize().unwrap();
    assert!(home.starts_with("/var/lib/afferent/clusters"), "{}", home.display());
    assert_ne!(fs::metadata(&home).unwrap().uid(), 0);
    assert_eq!(fs::metadata(&outer.0).unwrap().permissions().mode() & 0o777, 0o700, "not ours to open");
    postgres.stop().await;
    // A home that is there already and cannot be reached is refused with the folder that is in the way.
    let closed = DataDir(outer.0.join("closed"));
    fs::create_dir_all(closed.0.join("postgres")).unwrap();
    let refusal = closed.refusal().await;
    assert!(refusal.contains(&format!("chmod o+x {}", outer.0.display())), "{refusal}");
}

#[tokio::test]
async fn an_account_without_a_name_works_or_says_what_is_missing() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let data_dir = DataDir::new();
    let settings = PrivatePostgresSettings { run_as: Some("48123".to_owned()), ..data_dir.settings() };
    match PrivatePostgres::start(settings).await {
        Ok(postgres) => {
            assert_eq!(fs::metadata(data_dir.cluster()).unwrap().uid(), 48123);
            assert_eq!(sql(postgres.connection(), "select 1").unwrap(), "1");
            postgres.stop().await;
            // Another account later: the files follow.
            let postgres = data_dir.start().await;
            postgres.stop().await;
        }
        Err(error) => assert!(error.to_string().contains("has no entry in the password database"), "{error}"),
    }
}
