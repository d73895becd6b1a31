//! Keyset paging: `?limit=&after=`, where `after` is the `next` of the page before.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::error::Error;

/// Items on a page when the caller does not say.
const DEFAULT_LIMIT: i64 = 50;
/// Items on a page at most.
const MAX_LIMIT: i64 = 500;

/// The query parameters of every list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, oldest first.
    pub items: Vec<T>,
    /// Give this as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

impl PageQuery {
    /// The limit, checked.
    ///
    /// # Errors
    /// 422 when it is out of range.
    pub fn limit(&self) -> Result<i64, Error> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(limit) => Err(Error::field("?limit", format!("{limit} is not between 1 and {MAX_LIMIT}"))),
        }
    }

    /// The id after which the page starts; the smallest id when absent.
    #[must_use]
    pub fn after(&self) -> Uuid {
        self.after.unwrap_or(Uuid::nil())
    }
}

impl<T> Page<T> {
    /// A page from up to `limit + 1` rows: the extra one tells that there is another page.
    pub fn from_rows(mut items: Vec<T>, limit: i64, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(id) } else { None };
        Self { items, next }
    }
}
