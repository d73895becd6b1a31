//! A notification: whose data, of which kind, from when to when. It carries no measurement.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use db::{FeedId, TenantId, TenantScope};

use super::store::{self, Kind, NewPull};
use crate::app::App;
use crate::error::{Error, FieldError};
use crate::fleet::{Account, authorizations};

/// How Withings writes notifications.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// So long more is waited for of the same account, which is then fetched together.
const GATHER: TimeDelta = TimeDelta::seconds(1);

/// What a notification says.
#[derive(Debug, PartialEq, Eq)]
struct Notification {
    /// The vendor's id of the account.
    external_id: String,
    /// What it is about.
    about: About,
}

#[derive(Debug, PartialEq, Eq)]
enum About {
    /// Data of a kind, from when to when.
    Data(Kind, DateTime<Utc>, DateTime<Utc>),
    /// The owner took the consent back, or has no account any more.
    Left,
    /// Kinds of data that no decoder reads (sleep, ECG), and events.
    Other,
}

/// Stores what a notification asks for; answers what becomes of it.
///
/// # Errors
/// 422 for a notification that cannot be read; 503 when too much waits already; the database's error.
pub async fn receive(
    app: &App,
    tenant: TenantId,
    feed: FeedId,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<&'static str, Error> {
    let notification = parse(body).map_err(Error::fields)?;
    let of = Account { tenant, feed, external: &notification.external_id };
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let what = match notification.about {
        About::Other => "this kind of data is not fetched",
        About::Left => {
            authorizations::ended_by_owner(&mut transaction, of, now).await?;
            "nothing is fetched any more until the owner consents again"
        }
        About::Data(kind, from, until) => {
            let pull = NewPull { kind, from, until: Some(until), due: now + GATHER };
            store::add(&mut transaction, of, &pull, now).await?;
            "the data is fetched in the background"
        }
    };
    transaction.commit().await?;
    Ok(what)
}

/// Reads `userid`, `appli`, and `startdate` and `enddate`, or `date`, or `action`.
///
/// # Errors
/// What is missing or malformed.
fn parse(body: &[u8]) -> Result<Notification, Vec<FieldError>> {
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.trim());
    let mut wrong = Vec::new();
    let mut need = |name: &str, detail: &str, good: bool| {
        if !good {
            wrong.push(FieldError { pointer: format!("/{name}"), detail: detail.to_owned() });
        }
    };
    let external_id = field("userid").filter(|text| is_number(text)).unwrap_or_default().to_owned();
    need("userid", "the account: digits", !external_id.is_empty());
    let appli = field("appli").filter(|text| is_number(text));
    need("appli", "the kind of data: digits", appli.is_some());
    let kind = match appli {
        // Weight and composition; temperature; pressure, pulse and saturation.
        Some("1" | "2" | "4") => Some(Kind::Measurements),
        Some("16") => Some(Kind::Activity),
        _ => None,
    };
    let date = field("date").and_then(date);
    let (from, until) = (field("startdate").and_then(instant), field("enddate").and_then(instant));
    let about = match kind {
        None if appli == Some("46") && matches!(field("action"), Some("unlink" | "delete")) => About::Left,
        None => About::Other,
        Some(kind) => match (kind, date, from, until) {
            (Kind::Activity, Some(date), ..) => About::Data(kind, date, date),
            // The account's zone is not known here: a day more on either side.
            (Kind::Activity, None, Some(from), Some(until)) if from <= until => {
                let day = TimeDelta::days(1);
                About::Data(kind, midnight((from - day).date_naive()), midnight((until + day).date_naive()))
            }
            (_, _, Some(from), Some(until)) if from <= until => About::Data(kind, from, until),
            _ => {
                need(
                    "startdate",
                    "seconds since 1970, not after enddate; days of activity may have a date",
                    from.is_some(),
                );
                need(
                    "enddate",
                    "seconds since 1970, not before startdate",
                    until.is_some() && from.is_none_or(|from| Some(from) <= until),
                );
                About::Other
            }
        },
    };
    if wrong.is_empty() { Ok(Notification { external_id, about }) } else { Err(wrong) }
}

/// Seconds since 1970, until 2100.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let seconds = Some(text).filter(|text| is_number(text))?.parse().ok().filter(|seconds| *seconds < 4_102_444_800)?;
    DateTime::from_timestamp(seconds, 0)
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    Some(text).filter(|text| text.len() == 10).and_then(|text| text.parse().ok()).map(midnight)
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

fn is_number(text: &str) -> bool {
    (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    fn about(form: &str) -> About {
        parse(form.as_bytes()).unwrap().about
    }

    #[test]
    fn reads_what_withings_posts() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let weight = parse(b"userid=29&startdate=1530576000&enddate=1530698753&appli=1").unwrap();
        let range = (at("2018-07-03T00:00:00Z"), at("2018-07-04T10:05:53Z"));
        assert_eq!(weight.external_id, "29");
        assert_eq!(weight.about, About::Data(Kind::Measurements, range.0, range.1));
        let day = at("2026-03-10T00:00:00Z");
        assert_eq!(about("userid=29&date=2026-03-10&appli=16"), About::Data(Kind::Activity, day, day));
        let days = About::Data(Kind::Activity, at("2018-07-02T00:00:00Z"), at("2018-07-04T00:00:00Z"));
        assert_eq!(about("userid=29&startdate=1530576000&enddate=1530576001&appli=16"), days);
        assert_eq!(about("userid=29&appli=44&startdate=1&enddate=2"), About::Other, "sleep is not fetched");
        assert_eq!(about("userid=29&appli=46&action=unlink"), About::Left);
        assert_eq!(about("userid=29&appli=46&action=update"), About::Other);
    }

    #[test]
    fn says_what_is_missing() {
        for (form, pointers) in [
            ("", vec!["/userid", "/appli"]),
            ("userid=a&appli=1&startdate=1&enddate=2", vec!["/userid"]),
            ("userid=1&appli=1&startdate=1", vec!["/enddate"]),
            ("userid=1&appli=1&startdate=2&enddate=1", vec!["/enddate"]),
            ("userid=1&appli=4&startdate=x&enddate=99999999999", vec!["/startdate", "/enddate"]),
        ] {
            let wrong: Vec<String> =
                parse(form.as_bytes()).unwrap_err().into_iter().map(|wrong| wrong.pointer).collect();
            assert_eq!(wrong, pointers, "{form}");
        }
    }
}
