//! The record of corrections, read.

use actix_web::get;
use actix_web::web::{Json, Query};
use chrono::{DateTime, Utc};
use db::{ApiTokenId, DeviceId, HeldReadingId, ReadingCorrectionId, ReassignmentId, ReplayId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::AppData;
use crate::error::{ApiResult, Problems};
use crate::identity::Caller;
use crate::ingest::held::store::{self, CorrectionFilter, CorrectionRow};
use crate::platform::page::{Page, PageQuery};

/// An entry of the record of corrections.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadingCorrection {
    /// Its id.
    pub id: ReadingCorrectionId,
    /// Whose reading it is.
    pub tenant: TenantId,
    /// When.
    pub at: DateTime<Utc>,
    /// `claim`, `release`, `take`, `discard`, `reassign` or `replay`.
    pub action: String,
    /// Why, in the person's words; shown to roles that may see patient data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The API token that did it; absent where the platform acted by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<ApiTokenId>,
    /// The device.
    pub device: DeviceId,
    /// The held reading that was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_reading: Option<HeldReadingId>,
    /// The reassignment that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reassignment: Option<ReassignmentId>,
    /// The Observation that was corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_observation: Option<String>,
    /// The Observation that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_observation: Option<String>,
    /// The replay that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayId>,
}

impl ReadingCorrection {
    fn of(row: CorrectionRow, clinical: bool) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant_id,
            at: row.at,
            action: row.action,
            reason: clinical.then_some(row.reason),
            token: row.token_id,
            device: row.device_id,
            held_reading: row.held_reading_id,
            reassignment: row.reassignment_id,
            old_observation: row.old_observation,
            new_observation: row.new_observation,
            replay: row.replay_id,
        }
    }
}

/// What the record is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CorrectionQuery {
    /// One tenant.
    pub tenant: Option<TenantId>,
    /// One device.
    pub device: Option<DeviceId>,
    /// One held reading.
    pub held_reading: Option<HeldReadingId>,
    /// One reassignment.
    pub reassignment: Option<ReassignmentId>,
    /// An Observation, corrected or made by a correction.
    pub observation: Option<String>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

/// List corrections of readings
///
/// The append-only record: who claimed, released, discarded or reassigned which reading, when and why, and which
/// Observation became which. Oldest first.
#[utoipa::path(tag = "ingest", params(CorrectionQuery), responses((status = 200, body = Page<ReadingCorrection>), Problems))]
#[get("/reading-corrections")]
pub(super) async fn list_reading_corrections(
    caller: Caller,
    app: AppData,
    query: Query<CorrectionQuery>,
) -> ApiResult<Json<Page<ReadingCorrection>>> {
    let query = query.into_inner();
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let filter = CorrectionFilter {
        device: query.device,
        held: query.held_reading,
        reassignment: query.reassignment,
        observation: query.observation,
    };
    let mut transaction = scope.begin(&app.db).await?;
    let after = ReadingCorrectionId(page.after());
    let rows = store::list_corrections(&mut transaction, &scope.tenants(), &filter, after, limit + 1).await?;
    transaction.commit().await?;
    let clinical = caller.role().is_clinical();
    let rows = Page::from_rows(rows, limit, |row: &CorrectionRow| row.id.0);
    let items = rows.items.into_iter().map(|row| ReadingCorrection::of(row, clinical)).collect();
    Ok(Json(Page { items, next: rows.next }))
}
