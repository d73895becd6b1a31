//! Withings' measurements and days of activity, page by page.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::app::App;
use crate::fleet::authorizations::access_token;
use crate::fleet::withings::{Trouble, body_of, call};
use crate::fleet::{FeedClient, FeedSnapshot};

/// Members of a day that the decoder reads, and those that tell days of two devices apart.
const ACTIVITY_FIELDS: &str = "steps,distance,elevation,soft,moderate,intense,calories,totalcalories,hr_average";

/// What of an account is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Measured from then to then.
    Within(DateTime<Utc>, DateTime<Utc>),
    /// Made or changed at the vendor since then.
    ChangedSince(DateTime<Utc>),
}

/// A page of data.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The whole answer, as it came.
    pub text: Vec<u8>,
    /// Where the next page begins, when there is one.
    pub next: Option<u64>,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    more: Option<serde_json::Value>,
    #[serde(default)]
    offset: Option<u64>,
}

/// Calls with the account's access token, which is refreshed once when the vendor does not take it.
///
/// # Errors
/// [`Trouble`], never [`Trouble::NotTaken`].
pub async fn with_token<T, F: Future<Output = Result<T, Trouble>>>(
    app: &App,
    feed: &FeedSnapshot,
    external: &str,
    mut ask: impl FnMut(String) -> F,
) -> Result<T, Trouble> {
    let token = access_token(app, feed, external, None).await?;
    match ask(token.token.clone()).await {
        Err(Trouble::NotTaken) => {}
        other => return other,
    }
    // By our clock it holds, and the vendor says otherwise.
    let next = access_token(app, feed, external, Some(&token)).await?;
    match ask(next.token).await {
        Err(Trouble::NotTaken) => {
            Err(Trouble::Later("the vendor does not take a token that it has just given".to_owned()))
        }
        other => other,
    }
}

/// Fetches a page.
///
/// # Errors
/// [`Trouble`].
pub async fn fetch(
    app: &App,
    client: &FeedClient,
    kind: &str,
    span: Span,
    offset: Option<u64>,
    token: &str,
) -> Result<Page, Trouble> {
    let (path, form) = request(kind, span, offset);
    let text = call(&app.outbound, client, path, &form, Some(token)).await?;
    let paging: Option<Paging> = body_of(&text)?.and_then(|body| serde_json::from_str(body.get()).ok());
    let next = paging.filter(|paging| is_more(paging.more.as_ref())).and_then(|paging| paging.offset);
    Ok(Page { text, next })
}

fn request(kind: &str, span: Span, offset: Option<u64>) -> (&'static str, Vec<(&'static str, String)>) {
    let seconds = |at: DateTime<Utc>| at.timestamp().to_string();
    let is_activity = kind == "activity";
    let mut form = if is_activity {
        vec![("action", "getactivity".to_owned()), ("data_fields", ACTIVITY_FIELDS.to_owned())]
    } else {
        // 1: measured; 2 would be objectives.
        vec![("action", "getmeas".to_owned()), ("category", "1".to_owned())]
    };
    match span {
        Span::ChangedSince(since) => form.push(("lastupdate", seconds(since))),
        Span::Within(from, until) if is_activity => {
            form.push(("startdateymd", from.date_naive().to_string()));
            form.push(("enddateymd", until.date_naive().to_string()));
        }
        Span::Within(from, until) => {
            form.push(("startdate", seconds(from)));
            form.push(("enddate", seconds(until)));
        }
    }
    form.extend(offset.map(|offset| ("offset", offset.to_string())));
    (if is_activity { "v2/measure" } else { "measure" }, form)
}

/// `more` is 1 in one service and true in the other.
fn is_more(more: Option<&serde_json::Value>) -> bool {
    more.is_some_and(|more| more.as_bool().unwrap_or_else(|| more.as_i64().is_some_and(|more| more != 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_where_there_is_more() {
        assert!(is_more(Some(&1.into())) && is_more(Some(&true.into())));
        assert!(!is_more(Some(&0.into())) && !is_more(Some(&false.into())) && !is_more(None));
    }

    #[test]
    fn ranges_are_seconds_for_measurements_and_dates_for_days() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let within = Span::Within(at(1_740_096_000), at(1_740_182_400));
        let (path, form) = request("measurements", within, Some(7));
        assert_eq!(path, "measure");
        assert!(form.contains(&("startdate", "1740096000".into())) && form.contains(&("offset", "7".into())));
        let (path, form) = request("activity", within, None);
        assert_eq!(path, "v2/measure");
        assert!(
            form.contains(&("startdateymd", "2025-02-21".into()))
                && form.contains(&("enddateymd", "2025-02-22".into()))
        );
        let (_, form) = request("measurements", Span::ChangedSince(at(5)), None);
        assert!(
            form.contains(&("lastupdate", "5".into()))
                && form.iter().all(|(name, _)| !matches!(*name, "startdate" | "enddate"))
        );
    }
}
