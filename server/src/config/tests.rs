//! The configuration as an operator meets it: layers, secrets in files, every problem at once, and a manual that is true.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

/// A folder that disappears with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(nix::unistd::mkdtemp("/tmp/afferent-config-XXXXXX").unwrap())
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn load(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let home = [("HOME", "/home/somebody")];
    let all = environment.iter().chain(&home).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(all, None)
}

fn problems(environment: &[(&str, &str)]) -> Vec<String> {
    load(environment).unwrap_err().problems
}

#[test]
fn defaults_are_those_of_the_manual() {
    let config = load(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.public_url_for(config.listen), "http://127.0.0.1:8080");
    assert_eq!(config.max_body_bytes, 1024 * 1024);
    assert_eq!((config.ingest.batch_rows, config.ingest.batch_bytes), (200, 4 * 1024 * 1024));
    assert_eq!((config.ingest.queue_rows, config.ingest.committers), (2000, 2));
    assert_eq!(config.forward.request_timeout, Duration::from_secs(30));
    assert_eq!(config.forward.lease, Duration::from_secs(90));
    assert_eq!((config.forward.batch_size, config.uplink_retention_days), (50, 7));
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
    assert!(config.database_url.is_none() && config.outbound_allow.is_empty());
}

#[test]
fn the_manual_names_every_key_and_no_other() {
    let mut reader = Reader::new(Vec::new(), None, DEFAULT_CONFIG);
    Config::read(&mut reader, Some(PathBuf::from("/data")));
    let (known, problems) = reader.finish();
    assert!(problems.is_empty(), "{problems:?}");
    let mut in_manual = BTreeSet::new();
    for line in DEFAULT_CONFIG.lines() {
        if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
            && key.chars().all(|character| character.is_ascii_lowercase() || character == '_')
        {
            in_manual.insert(key.to_owned());
        }
    }
    let known: BTreeSet<String> = known.into_iter().filter(|key| !key.ends_with("_file")).collect();
    assert_eq!(in_manual, known);
    // Also the ones that are commented out by default have to be acceptable as they stand, but for the placeholders.
    let uncommented: String = DEFAULT_CONFIG
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ") && !rest.contains('…')).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let folder = Folder::new();
    let path = folder.file("afferent.toml", &uncommented);
    let config = Config::load(Vec::new(), Some(Path::new(&path))).unwrap();
    assert_eq!(config.public_url_for(config.listen), "https://rpm.example.org");
}

#[test]
fn environment_wins_over_file_wins_over_default() {
    let folder = Folder::new();
    let path = folder.file("a.toml", "listen = \"0.0.0.0:9000\"\nlog = \"debug\"\noutbound_allow = [\"10.0.0.0/8\"]\n");
    let config = load(&[("AFFERENT_CONFIG", &path), ("AFFERENT_LOG", "warn")]).unwrap();
    assert_eq!((config.listen.port(), config.log.as_str()), (9000, "warn"));
    assert_eq!(config.public_url_for(config.listen), "http://127.0.0.1:9000");
    assert_eq!(config.outbound_allow.len(), 1);
    let both = load(&[("AFFERENT_CONFIG", &path), ("AFFERENT_OUTBOUND_ALLOW", "127.0.0.0/8, ::1")]).unwrap();
    assert_eq!(both.outbound_allow.len(), 2);
}

#[test]
fn every_problem_is_reported_at_once_with_the_nearest_key() {
    let folder = Folder::new();
    let path = folder.file("a.toml", "listn = \"0.0.0.0:9000\"\nforward_lease = 90\n[forward]\nlease = \"1s\"\n");
    let found =
        problems(&[("AFFERENT_CONFIG", &path), ("AFFERENT_LOGFORMAT", "json"), ("AFFERENT_LISTEN", "everywhere")]);
    let expected = [
        format!("forward in {path} is a table: settings are texts, numbers or lists of texts, without [sections]"),
        "AFFERENT_LISTEN is not an address with a port, such as 127.0.0.1:8080 or [::]:8080".to_owned(),
        format!("forward_lease in {path} is not a duration such as \"30s\", \"5m\", \"2h\" or \"7d\""),
        "AFFERENT_LOGFORMAT is not a setting; the nearest key is AFFERENT_LOG_FORMAT".to_owned(),
        format!("listn in {path} is not a setting; the nearest key is listen"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let found = problems(&[("AFFERENT_FORWARD_LEASE", "30s"), ("AFFERENT_INGEST_QUEUE_ROWS", "10")]);
    assert!(found.iter().any(|problem| problem.starts_with("forward_lease must be longer")), "{found:?}");
    assert!(found.iter().any(|problem| problem.starts_with("ingest_queue_rows is smaller")), "{found:?}");
}

#[test]
fn secrets_come_from_values_or_files_and_stay_out_of_sight() {
    let folder = Folder::new();
    let file = folder.file("url", "postgres://me:hunter2@db/afferent\n");
    let config = load(&[("DATABASE_URL_FILE", &file)]).unwrap();
    assert_eq!(config.database_url.as_ref().unwrap().expose(), "postgres://me:hunter2@db/afferent");
    assert!(!format!("{config:?}").contains("hunter2"));
    let both = problems(&[("DATABASE_URL_FILE", &file), ("DATABASE_URL", "postgres://me:hunter2@db/afferent")]);
    assert_eq!(both, ["DATABASE_URL and DATABASE_URL_FILE are both set: remove one"]);
    let wrong = problems(&[("DATABASE_URL", "mysql://me:hunter2@db/x")]);
    assert_eq!(wrong, ["DATABASE_URL is not a URL of the form postgres://user:password@host:5432/database"]);
    let missing = problems(&[("AFFERENT_METRICS_TOKEN_FILE", "/nowhere/token")]);
    assert!(missing.first().unwrap().starts_with("AFFERENT_METRICS_TOKEN_FILE names /nowhere/token"), "{missing:?}");
}

#[test]
fn both_names_of_the_database_url_at_once_are_refused() {
    let found = problems(&[("DATABASE_URL", "postgres://a/b"), ("AFFERENT_DATABASE_URL", "postgres://a/c")]);
    assert_eq!(found, ["DATABASE_URL and AFFERENT_DATABASE_URL are both set: remove one"]);
}

#[test]
fn a_named_file_has_to_exist() {
    let found = problems(&[("AFFERENT_CONFIG", "/nowhere/afferent.toml")]);
    assert!(found.first().unwrap().starts_with("could not read the configuration /nowhere/afferent.toml"), "{found:?}");
}

#[test]
fn a_secret_key_is_made_once_and_kept_private() {
    let folder = Folder::new();
    let data_dir = folder.0.join("data");
    let config = load(&[("AFFERENT_DATA_DIR", data_dir.to_str().unwrap())]).unwrap();
    let first = config.secret_key_or_create().unwrap();
    let again = config.secret_key_or_create().unwrap();
    assert_eq!(first.expose(), again.expose());
    let mode = fs::metadata(data_dir.join("secret.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::write(data_dir.join("secret.key"), "short").unwrap();
    assert!(config.secret_key_or_create().unwrap_err().to_string().contains("is not 32 bytes in base64"));
}
