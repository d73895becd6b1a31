//! The disk is full: 503 with Retry-After, nothing acknowledged that is not stored, and everything goes on when there is
//! room again, also when Postgres had to give up in between.
//!
//! Where the test may mount, Postgres lives on a file system of 192 MiB that a ballast file fills to the last byte. A limit
//! on the size of its files, which works everywhere, is the second way.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::count;
use crate::support::{Clinic, OwnPostgres, TempDir, TestApp, blood_pressure};

/// A file system in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=192m,mode=0755", "afferent-test"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(path.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        for size in [1 << 20, 4096] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Sends payloads that were not acknowledged yet; the numbers of those that were, and how many were refused.
async fn send(clinic: &Clinic, numbers: &mut Vec<u32>) -> (Vec<u32>, usize) {
    let posts = numbers.drain(..).map(|number| async move {
        let answer = clinic.cuff.uplink("2A35", &blood_pressure(number)).await;
        (number, answer)
    });
    let (mut stored, mut refused) = (Vec::new(), 0);
    for (number, answer) in join_all(posts.collect::<Vec<_>>()).await {
        if answer.status == 503 {
            let seconds: u64 = answer.header("Retry-After").expect("Retry-After").parse().unwrap();
            assert!((1..=30).contains(&seconds));
            numbers.push(number);
            refused += 1;
        } else {
            assert!([200, 201].contains(&answer.status.as_u16()), "{}: {}", answer.status, answer.text);
            assert_eq!(answer.json()["observations"].as_array().unwrap().len(), 2);
            stored.push(number);
        }
    }
    (stored, refused)
}

/// Fills, sends until it is refused, frees, and sends the rest.
async fn survives(postgres: &OwnPostgres, stays_full: bool, mut fill: impl FnMut(), free: impl FnOnce()) {
    let app = TestApp::on(postgres.database.clone(), &[("AFFERENT_INGEST_QUEUE_WAIT", "1s")]).await;
    let clinic = app.clinic("north").await;
    let mut stored = vec![1];
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    let (mut next, mut open, mut refused) = (2, Vec::new(), 0);
    let started = Instant::now();
    let mut full_for = 0;
    while full_for < 3 && (stays_full || started.elapsed() < Duration::from_secs(8)) {
        fill();
        assert!(started.elapsed() < Duration::from_secs(60), "it never was full");
        open.extend(next..next + 16);
        next += 16;
        let (more, no) = send(&clinic, &mut open).await;
        stored.extend(more);
        refused += no;
        full_for += usize::from(no > 0);
        // The log needs room as well: without it Postgres gives up, and cannot even start.
        if let Ok(mut behind) = AsyncPgConnection::establish(&postgres.database.superuser_url).await {
            for _ in 0..4 {
                let _may_fail =
                    behind.batch_execute("SELECT pg_switch_wal(); CREATE TABLE more (); DROP TABLE more").await;
            }
        }
    }
    assert!(refused > 0 || !stays_full);
    free();
    let until = Instant::now() + Duration::from_secs(60);
    while !open.is_empty() {
        assert!(Instant::now() < until, "{} payloads are still refused", open.len());
        stored.extend(send(&clinic, &mut open).await.0);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(stored.len(), usize::try_from(next - 1).unwrap());
    assert_eq!(clinic.count("").await, 2 * u64::from(next - 1), "each is there, once");
    let quarantined = count(&postgres.database.superuser_url, "SELECT count(*) AS count FROM quarantine").await;
    assert_eq!(quarantined, 0, "the disk is nobody's fault");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_space_left_on_the_device() {
    let folder = TempDir::new();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("SKIPPED: this account may not mount; the limit on file sizes is the other way (a_limit_on_files)");
        return;
    };
    let postgres = OwnPostgres::start_in(folder).await;
    let mut filled = false;
    let fill = || {
        if !std::mem::replace(&mut filled, true) {
            disk.fill();
        }
    };
    survives(&postgres, true, fill, || disk.free()).await;
    postgres.stop().await;
}

/// The log cannot grow: Postgres panics at a commit, starts again, and panics again, for as long as the limit is set.
/// Whether sources notice depends on how fast it comes back; that nothing is lost does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_files() {
    let postgres = Arc::new(OwnPostgres::start().await);
    let limit = |postgres: &OwnPostgres, bytes: &str| {
        for process in postgres.children().into_iter().chain(postgres.postmaster()) {
            // One that has just ended needs none.
            let _ = Command::new("prlimit").args(["--pid", &process.to_string(), &format!("--fsize={bytes}")]).output();
        }
    };
    let full = CancellationToken::new();
    let (limited, over) = (Arc::clone(&postgres), full.clone());
    let mut limiting = None;
    let fill = || {
        limiting.get_or_insert_with(|| {
            let (limited, over) = (Arc::clone(&limited), over.clone());
            // Each new process starts without.
            std::thread::spawn(move || {
                while !over.is_cancelled() {
                    limit(&limited, "8192:unlimited");
                    std::thread::sleep(Duration::from_millis(5));
                }
                limit(&limited, "unlimited:unlimited");
            })
        });
    };
    survives(&postgres, false, fill, || full.cancel()).await;
    limiting.unwrap().join().unwrap();
    drop(limited);
    Arc::into_inner(postgres).unwrap().stop().await;
}
