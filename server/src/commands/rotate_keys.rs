//! `afferent rotate-keys`: a new data key; everything sealed anew with a new `secret_key`; whether an old one is needed.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use db::Db;

use super::database::Database;
use crate::app::{open_keys, sealed_columns};
use crate::config::Config;
use crate::ingest::retention;
use crate::platform::data_keys;
use crate::platform::seal::{SealedBy, Sealer};
use crate::tenancy;

/// Arguments of `afferent rotate-keys`.
#[derive(Debug, Args)]
pub struct RotateKeysArgs {
    /// Seal everything anew with the present `secret_key`: data keys, device variables, credentials of endpoints and brokers.
    ///
    /// Give every server the new key first: set `secret_key` to it and `secret_keys_previous` to the old one (in an
    /// installation without these settings: rename `secret.key` in the data directory to `secret.key.previous`), and
    /// restart. Where several servers run, first add the new key to `secret_keys_previous` of all of them, so that each
    /// can open what the others seal. May be interrupted and run again; servers go on meanwhile.
    #[arg(long)]
    master: bool,
    /// Only say which keys are needed; exits with 1 when one besides the present `secret_key` is.
    #[arg(long, conflicts_with = "master")]
    check: bool,
    /// Give up what a lost key sealed (its id, as --check shows it), so that the server can start without that key.
    ///
    /// Device variables are emptied, endpoints and MQTT connections lose their credential and are deactivated, raw payloads that are still kept
    /// can never be opened again, and open items among them are closed as expired. Observations are not touched. Stop the
    /// servers first. There is no way back, except a backup and the key.
    #[arg(long, value_name = "KEY-ID", conflicts_with_all = ["master", "check"])]
    abandon: Option<SealedBy>,
}

/// Runs it.
///
/// # Errors
/// What is wrong, and what would be right.
pub async fn run(args: RotateKeysArgs, config: Config) -> anyhow::Result<ExitCode> {
    let database = Database::open(&config).await?;
    let result = rotate(&args, &config, &database).await;
    // A private Postgres that this command started must not outlive it.
    database.close().await;
    result
}

#[expect(clippy::print_stdout, reason = "what was done is what this command is for")]
async fn rotate(args: &RotateKeysArgs, config: &Config, database: &Database) -> anyhow::Result<ExitCode> {
    database.migrate().await?;
    let db = database.pool(2).await?;
    if args.check {
        return check(&db, &config.sealer()?).await;
    }
    if let Some(lost) = args.abandon {
        return abandon(&db, &config.sealer()?, lost).await;
    }
    let (sealer, keys) = open_keys(config, &db).await?;
    if !args.master {
        if let Some(id) = keys.rotate(&db, &sealer, None).await? {
            println!(
                "Made the data key {id}: raw payloads are sealed with it from now on, in every server within a minute."
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let count = data_keys::reseal(&db, &sealer).await?;
    println!("data keys: {count} sealed anew with {}", sealer.key());
    for column in sealed_columns() {
        let mut said = 0;
        let count = column
            .reseal(&db, &sealer, |done| {
                if done >= said + 10_000 {
                    said = done;
                    println!("{}: {done} so far", column.title);
                }
            })
            .await?;
        println!("{}: {count} sealed anew with {}", column.title, sealer.key());
    }
    check(&db, &sealer).await
}

/// Gives up what a lost key sealed.
#[expect(clippy::print_stdout, reason = "what was given up is to be known")]
async fn abandon(db: &Db, sealer: &Sealer, lost: SealedBy) -> anyhow::Result<ExitCode> {
    if let SealedBy::Key(id) = lost {
        anyhow::ensure!(
            !sealer.knows(id),
            "the key {id} is known here: nothing is lost. `afferent rotate-keys --master` seals anew what it sealed"
        );
    }
    // A value without id does not say whether it is lost: the check tries one.
    for column in sealed_columns() {
        anyhow::ensure!(
            lost != SealedBy::Unnamed || column.check(db, sealer).await.is_err(),
            "{} without a key's id open with the present key: nothing is lost",
            column.title
        );
    }
    let mut transaction = db.begin_platform().await?;
    let tenants = tenancy::all_tenants(&mut transaction).await?;
    transaction.commit().await?;
    for column in sealed_columns() {
        let mut count = 0;
        for tenant in &tenants {
            count += column.abandon(db, *tenant, lost).await?;
        }
        println!("{}: {count} given up", column.title);
    }
    let keys = data_keys::abandon(db, lost).await?;
    println!("data keys: {} given up", keys.len());
    println!("open items: {} closed as expired", retention::give_up(db, &keys).await?);
    check(db, sealer).await
}

/// Says which keys are needed, and for what.
#[expect(clippy::print_stdout, reason = "the answer is what this is for")]
async fn check(db: &Db, sealer: &Sealer) -> anyhow::Result<ExitCode> {
    let mut needed: BTreeMap<SealedBy, Vec<String>> = BTreeMap::new();
    let mut of_data_keys: BTreeMap<SealedBy, i64> = BTreeMap::new();
    for by in data_keys::sealed_with(db).await? {
        *of_data_keys.entry(by).or_default() += 1;
    }
    for (by, count) in of_data_keys {
        needed.entry(by).or_default().push(format!("{count} data keys"));
    }
    for column in sealed_columns() {
        for (by, count) in column.sealed_with(db).await? {
            needed.entry(by).or_default().push(format!("{count} {}", column.title));
        }
    }
    let current = SealedBy::Key(sealer.key());
    println!(
        "secret_key is {current}: {}",
        needed.get(&current).map_or("seals nothing yet".to_owned(), |of| of.join(", "))
    );
    needed.remove(&current);
    for (by, of) in &needed {
        let known = match by {
            SealedBy::Key(id) if !sealer.knows(*id) => ", and is not known here",
            _ => "",
        };
        println!("still needed: {by}{known}: {}", of.join(", "));
    }
    if needed.is_empty() {
        println!("No other key is needed: secret_keys_previous can go.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("Run `afferent rotate-keys --master` to seal these anew.");
    Ok(ExitCode::FAILURE)
}
