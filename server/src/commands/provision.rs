//! `afferent provision`: API tokens for scripts, while the server runs or not.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use db::TenantId;

use super::database::Database;
use crate::config::Config;
use crate::identity::{Role, issue_token};

/// Arguments of `afferent provision`.
#[derive(Debug, Args)]
pub struct ProvisionArgs {
    #[command(subcommand)]
    command: ProvisionCommand,
}

#[derive(Debug, Subcommand)]
enum ProvisionCommand {
    /// Make an API token, and print it as the last word of the output. It is shown this once.
    ///
    /// Works while the server runs and while it does not: with `DATABASE_URL` it uses that database; without, it attaches to
    /// the private Postgres of the data directory, or starts it and stops it again. The schema is brought up to date first.
    ///
    ///   TOKEN=$(afferent provision token --role platform-admin | awk 'END {print $NF}')
    #[command(verbatim_doc_comment)]
    Token {
        /// platform-admin, distributor-admin, distributor-user, customer-admin, customer-user or practitioner. (A vendor's tokens: POST /api/v1/vendors/{id}/tokens.)
        #[arg(long)]
        role: Role,
        /// The tenant that the token belongs to; every role but platform-admin needs one.
        #[arg(long, value_name = "ID")]
        tenant: Option<TenantId>,
        /// What the token is for, so that it is recognised later.
        #[arg(long, default_value = "afferent provision", value_name = "TEXT")]
        name: String,
    },
}

/// Runs the command.
///
/// # Errors
/// What is wrong, and what would be right.
pub async fn run(args: ProvisionArgs, config: Config) -> anyhow::Result<ExitCode> {
    let ProvisionCommand::Token { role, tenant, name } = args.command;
    let database = Database::open(&config).await?;
    let made = make_token(&database, role, tenant, &name).await;
    // Closed before the answer is looked at: a private Postgres that this command started must not outlive it.
    database.close().await;
    print(role, &made?);
    Ok(ExitCode::SUCCESS)
}

async fn make_token(database: &Database, role: Role, tenant: Option<TenantId>, name: &str) -> anyhow::Result<String> {
    database.migrate().await?;
    let pool = database.pool(1).await?;
    Ok(issue_token::issue(&pool, role, tenant, name).await?)
}

#[expect(clippy::print_stdout, reason = "the token is what this command is for")]
fn print(role: Role, token: &str) {
    println!("{} {token}", role.as_str());
}
