//! Statistics of tables that grow fast. The statements of the hot path are planned once a connection; a plan that was made
//! while a table was empty reads all of it for every question later. PostgreSQL plans anew when the table is analysed, and its
//! autovacuum looks once a minute, which is some hundred thousand readings too late.

use std::time::Duration;

use db::{Db, DbError};
use diesel::QueryableByName;
use diesel::sql_types::{Nullable, Text};
use diesel_async::RunQueryDsl;
use tokio_util::sync::CancellationToken;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);

/// Analyses what has grown, until it is told to stop.
pub async fn follow(db: Db, stop: CancellationToken) {
    loop {
        match analyze_one(&db).await {
            Ok(Some(table)) => tracing::debug!(table, "statistics were renewed"),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "statistics could not be renewed; it is tried again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Analyses the largest table that has grown to four times what its statistics know; its name.
async fn analyze_one(db: &Db) -> Result<Option<String>, DbError> {
    #[derive(QueryableByName)]
    struct Analyzed {
        #[diesel(sql_type = Nullable<Text>)]
        grown: Option<String>,
    }
    let mut transaction = db.begin_worker().await?;
    let analyzed: Analyzed =
        diesel::sql_query("SELECT analyze_grown_table() AS grown").get_result(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(analyzed.grown)
}
