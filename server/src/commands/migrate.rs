//! `afferent migrate`: brings the database up to date.

use std::process::ExitCode;

use clap::Args;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};

use super::database::Database;
use crate::config::Config;

/// Arguments of `afferent migrate`.
#[derive(Args)]
pub struct MigrateArgs {
    /// Then print the schema as Rust source (server/crates/db/src/schema.rs).
    #[arg(long)]
    print_schema: bool,
    /// Only say what is missing, and exit with 1 when anything is.
    #[arg(long, conflicts_with = "print_schema")]
    check: bool,
}

/// Runs it.
///
/// # Errors
/// What is wrong with the database, and what would be right.
#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
pub async fn run(args: MigrateArgs, config: Config) -> anyhow::Result<ExitCode> {
    let database = Database::open(&config).await?;
    if args.check {
        let pending = db::pending_migrations(database.owner_url.expose()).await?;
        for migration in &pending {
            println!("missing: {migration}");
        }
        database.close().await;
        return Ok(if pending.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let ran = database.migrate().await?;
    if args.print_schema {
        let mut connection = AsyncPgConnection::establish(database.owner_url.expose()).await?;
        connection.batch_execute("SET ROLE afferent_owner").await?;
        super::print(&db::print_schema(&mut connection).await?)?;
    } else if ran.is_empty() {
        println!("The schema is up to date.");
    } else {
        println!("Ran {} migration(s): {}.", ran.len(), ran.join(", "));
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
