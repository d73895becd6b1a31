//! Several claims in one request.

use actix_web::post;
use actix_web::web::Json;
use chrono::{DateTime, Utc};
use db::{DeviceId, HeldReadingId, TenantScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::Caller;
use crate::ingest::held::decide::{self, Decision};
use crate::ingest::held::model::{Action, MOST_AT_ONCE, check_reason};
use crate::ingest::held::store::{self, HeldItem, ListFilter};
use crate::platform::page::Page;

/// Several readings of one patient.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimSeveral {
    /// The Patient, as its FHIR id or `Patient/<id>`.
    pub patient: String,
    /// Why, for the record of corrections.
    pub reason: String,
    /// Which, by id: at most 500.
    pub ids: Option<Vec<HeldReadingId>>,
    /// Which, by what they have in common: the oldest 500 of them.
    pub filter: Option<ClaimFilter>,
}

/// Open unassigned readings of one device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimFilter {
    /// The device.
    pub device: DeviceId,
    /// The slot that the payload names; empty for readings that name none. Left out: any.
    pub slot: Option<String>,
    /// Measured from then on,
    pub from: Option<DateTime<Utc>>,
    /// and before then.
    pub until: Option<DateTime<Utc>>,
}

/// What became of several claims.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claimed {
    /// Those that are Observations of the patient now.
    pub claimed: Vec<HeldReadingId>,
    /// Those that are not, and why.
    pub failed: Vec<FailedClaim>,
    /// Whether there are more that the filter fits.
    pub more: bool,
}

/// A reading that could not be claimed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedClaim {
    /// Its id.
    pub id: HeldReadingId,
    /// Stable word.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// Claim several held readings
///
/// For one patient, by ids or by a filter over the open unassigned readings of one device; at most 500 at once. Each has its
/// own outcome: one that cannot be claimed does not keep the others back.
#[utoipa::path(tag = "ingest", request_body = ClaimSeveral, responses((status = 200, body = Claimed), Problems))]
#[post("/held-readings/claim")]
pub(super) async fn claim_held_readings(
    caller: Caller,
    app: AppData,
    body: Json<ClaimSeveral>,
) -> ApiResult<Json<Claimed>> {
    caller.require(caller.role().is_clinical(), "decide about readings of patients")?;
    let body = body.into_inner();
    let reason = check_reason(&body.reason)?;
    let tenant = caller.principal.tenant.ok_or_else(|| Error::not_found("tenant"))?;
    let scope = caller.clinical(tenant)?;
    let patient = decide::check_patient(&app, tenant, &body.patient).await?;
    let (items, missing, more) = chosen(&app, &scope, body.ids, body.filter).await?;
    let decision = Decision { action: Action::Claim { patient }, token: caller.principal.token, reason };
    let mut outcome = Claimed { claimed: Vec::new(), failed: missing, more };
    for (id, result) in decide::several(&app, &items, &decision).await {
        match result {
            Ok(()) => outcome.claimed.push(id),
            Err(error) => outcome.failed.push(FailedClaim {
                id,
                code: error.code().to_owned(),
                detail: error.public().to_owned(),
            }),
        }
    }
    Ok(Json(outcome))
}

/// The readings that a request means: those that are there, those that are not, and whether more fit.
async fn chosen(
    app: &AppData,
    scope: &TenantScope,
    ids: Option<Vec<HeldReadingId>>,
    filter: Option<ClaimFilter>,
) -> Result<(Vec<HeldItem>, Vec<FailedClaim>, bool), Error> {
    let tenants = scope.tenants();
    let mut transaction = scope.begin(&app.db).await?;
    let chosen = match (ids, filter) {
        (Some(mut ids), None) if (1..=MOST_AT_ONCE).contains(&ids.len()) => {
            ids.sort_unstable();
            ids.dedup();
            let (mut items, mut missing) = (Vec::new(), Vec::new());
            for id in ids {
                match store::find(&mut transaction, &tenants, id).await? {
                    Some(item) => items.push(item),
                    None => missing.push(FailedClaim {
                        id,
                        code: "not-found".to_owned(),
                        detail: "There is no such held reading.".to_owned(),
                    }),
                }
            }
            (items, missing, false)
        }
        (None, Some(filter)) => {
            let filter = ListFilter {
                device: Some(filter.device),
                reason: Some("unassigned".to_owned()),
                state: "open".to_owned(),
                slot: filter.slot,
                from: filter.from,
                until: filter.until,
            };
            let limit = i64::try_from(MOST_AT_ONCE).unwrap_or(i64::MAX);
            let rows = store::list(&mut transaction, &tenants, &filter, HeldReadingId(Uuid::nil()), limit + 1).await?;
            let page = Page::from_rows(rows, limit, |item: &HeldItem| item.id.0);
            (page.items, Vec::new(), page.next.is_some())
        }
        _ => return Err(Error::field("/ids", format!("either `ids` (1 to {MOST_AT_ONCE}) or `filter`"))),
    };
    transaction.commit().await?;
    Ok(chosen)
}
