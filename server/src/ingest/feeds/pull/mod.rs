//! Pulls: data that a vendor announced and lets us fetch (Withings). A notification is stored as work before it is answered;
//! a job fetches what was announced with the account's tokens, and the answer goes the way of every post to the feed.
//!
//! Owns `feed_pull`. Invariants: a notification is answered 2xx only when its work is committed; the work goes when all that
//! was fetched is committed, and not before; whoever dies in between leaves a lease that ends, and what is fetched twice is
//! known by its records' keys. An account is pulled by one process at a time, and what is announced of it meanwhile is
//! merged, so that a burst of notifications is a few requests.

mod fetch;
mod job;
mod notification;
mod shown;
mod store;
mod subscribe;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;

pub use job::run;
pub use notification::{FORM, receive};
pub use shown::{PullRow, discard, list, retry};
pub use store::forget;

use self::store::{Kind, NewPull};
use crate::app::App;
use crate::error::Error;
use crate::fleet::Account;

/// What changed this long before the tokens stopped to hold is fetched again.
const OVERLAP: TimeDelta = TimeDelta::hours(1);

/// An account was authorized (again), in the running transaction: what waits is tried at once, what was missed since then
/// is fetched, and the vendor is asked to announce what is new.
///
/// # Errors
/// The database's error; 503 when too much waits already.
pub async fn of_authorized(
    app: &App,
    conn: &mut AsyncPgConnection,
    of: Account<'_>,
    missed_since: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    let now = app.clock.now();
    store::wake(conn, of, now).await?;
    if let Some(since) = missed_since {
        for kind in [Kind::Measurements, Kind::Activity] {
            store::add(conn, of, &NewPull { kind, from: since - OVERLAP, until: None, due: now }, now).await?;
        }
    }
    subscribe(app, conn, of).await
}

/// The vendor is to announce an account's data, at the feed's address as it is now.
///
/// # Errors
/// The database's error; 503 when too much waits already.
pub async fn subscribe(app: &App, conn: &mut AsyncPgConnection, of: Account<'_>) -> Result<(), Error> {
    let now = app.clock.now();
    let wish = NewPull { kind: Kind::Subscription, from: now, until: None, due: now };
    store::add(conn, of, &wish, now).await
}
