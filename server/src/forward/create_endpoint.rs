//! A new endpoint: its wish is checked, its credential sealed.

use db::{EndpointId, TenantId, TenantScope};
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::model;
use super::store::endpoints::{self, EndpointRow};
use crate::app::App;
use crate::error::{Error, FieldError};
use crate::platform::sealed_column::SealedColumn;

/// How Afferent shows itself to an endpoint. Secrets are never shown again.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum AuthWish {
    /// Not at all.
    None,
    /// `Authorization: Bearer …`.
    Bearer {
        /// The token, 1 to 8192 characters.
        token: String,
    },
}

/// Which Observations go to an endpoint. Absent or empty lists want everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filter {
    /// Codes as `system|code`, such as `http://loinc.org|85354-9`; one match is enough.
    pub(super) codes: Vec<String>,
    /// Codes of what does not go there, whatever the other lists say: an EHR without a place for waveforms leaves out
    /// `http://loinc.org|11524-6` and `urn:iso:std:iso:11073:10101|150452`.
    pub(super) except_codes: Vec<String>,
    /// Ids of patients.
    pub(super) patients: Vec<String>,
}

/// A new endpoint.
#[derive(Debug)]
pub(super) struct EndpointWish {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) auth: AuthWish,
    pub(super) filter: Filter,
    pub(super) patient_identifier_system: Option<String>,
    pub(super) create_patients: bool,
    pub(super) active: bool,
}

/// Creates an endpoint in the tenant of `scope`.
///
/// # Errors
/// 422 with the fields that cannot be accepted.
pub(super) async fn create(
    app: &App,
    scope: &TenantScope,
    tenant: TenantId,
    wish: EndpointWish,
) -> Result<EndpointRow, Error> {
    let mut wrong = check_name(&wish.name);
    wrong.extend(check_filter(&wish.filter));
    wrong.extend(wish.patient_identifier_system.as_deref().and_then(check_system));
    let url = check_url(app, &wish.url).await.map_err(|field| wrong.push(field)).unwrap_or_default();
    wrong.extend(check_auth(&wish.auth));
    if !wrong.is_empty() {
        return Err(Error::fields(wrong));
    }
    let (id, now) = (EndpointId::generate(), app.clock.now());
    let (auth_kind, auth_sealed) = seal(app, tenant, id, &wish.auth)?;
    let row = EndpointRow {
        tenant_id: tenant,
        id,
        name: wish.name,
        kind: "fhir".to_owned(),
        url,
        auth_kind,
        auth_sealed,
        active: wish.active,
        filter_codes: wish.filter.codes,
        filter_except_codes: wish.filter.except_codes,
        filter_patients: wish.filter.patients,
        patient_identifier_system: wish.patient_identifier_system,
        create_patients: wish.create_patients,
        failures: 0,
        closed_until: None,
        last_error: None,
        last_success_at: None,
        created_at: now,
        updated_at: now,
    };
    let mut transaction = scope.begin(&app.db).await?;
    endpoints::insert_endpoint(&mut transaction, &row).await?;
    transaction.commit().await?;
    tracing::info!(tenant.id = %tenant, endpoint.id = %id, "an endpoint was created");
    Ok(row)
}

/// Where an endpoint's credential is sealed.
pub(super) fn auth_place(tenant: TenantId, id: EndpointId) -> String {
    format!("endpoint.auth/{tenant}/{id}")
}

/// Where the credentials are, for changing the key.
pub const SEALED_CREDENTIALS: SealedColumn = SealedColumn {
    title: "endpoint credentials",
    table: "endpoint",
    column: "auth_sealed",
    // Not sent to without its credential: a person sets it again, then activates.
    emptied: "auth_sealed = NULL, auth_kind = 'none', active = false, updated_at = now(), \
              last_error = 'its credential was lost with the key that sealed it; set it again, then activate'",
    place: |tenant, id| auth_place(tenant, EndpointId(id)),
};

/// Kind and sealed secret.
pub(super) fn seal(
    app: &App,
    tenant: TenantId,
    id: EndpointId,
    auth: &AuthWish,
) -> Result<(String, Option<Vec<u8>>), Error> {
    match auth {
        AuthWish::None => Ok(("none".to_owned(), None)),
        AuthWish::Bearer { token } => {
            let sealed = app.sealer.seal(&auth_place(tenant, id), token.as_bytes()).map_err(Error::internal)?;
            Ok(("bearer".to_owned(), Some(sealed)))
        }
    }
}

fn wrong(pointer: &str, detail: impl Into<String>) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail: detail.into() }
}

/// 1 to 200 characters.
pub(super) fn check_name(name: &str) -> Vec<FieldError> {
    let good = (1..=200).contains(&name.chars().count()) && !name.trim().is_empty() && !name.contains('\0');
    if good { Vec::new() } else { vec![wrong("/name", "a name has 1 to 200 characters")] }
}

/// A token that a header can carry.
pub(super) fn check_auth(auth: &AuthWish) -> Option<FieldError> {
    let AuthWish::Bearer { token } = auth else { return None };
    let good = (1..=8192).contains(&token.len())
        && !token.contains(char::is_whitespace)
        && HeaderValue::from_str(token).is_ok();
    (!good).then(|| wrong("/auth/token", "a bearer token has 1 to 8192 visible characters without spaces"))
}

/// Tokens `system|code`, and ids.
pub(super) fn check_filter(filter: &Filter) -> Vec<FieldError> {
    let mut found = Vec::new();
    if filter.codes.len() > 200 || filter.except_codes.len() > 200 || filter.patients.len() > 10_000 {
        found.push(wrong("/filter", "a filter has at most 200 codes, 200 excepted codes and 10000 patients"));
    }
    for (list, codes) in [("codes", &filter.codes), ("exceptCodes", &filter.except_codes)] {
        for (at, _) in codes.iter().enumerate().filter(|(_, code)| !model::is_code_token(code)).take(20) {
            found.push(wrong(
                &format!("/filter/{list}/{at}"),
                "a code is written `system|code`, such as `http://loinc.org|85354-9`",
            ));
        }
    }
    for (at, _) in filter.patients.iter().enumerate().filter(|(_, id)| !is_fhir_id(id)).take(20) {
        found.push(wrong(&format!("/filter/patients/{at}"), "a patient's id has 1 to 64 letters, digits, `-` and `.`"));
    }
    found
}

/// An identifier system is a URI.
pub(super) fn check_system(system: &str) -> Option<FieldError> {
    let good = (1..=500).contains(&system.len()) && !system.chars().any(|c| c.is_whitespace() || c.is_control());
    (!good)
        .then(|| wrong("/patientIdentifierSystem", "a system is a URI of 1 to 500 characters, such as `urn:oid:1.2.3`"))
}

/// The FHIR base of the receiver: an address that may be reached, without query; stored without a slash at the end.
pub(super) async fn check_url(app: &App, text: &str) -> Result<String, FieldError> {
    let url = Url::parse(text)
        .map_err(|_error| wrong("/url", "write the FHIR base as a URL, such as `https://ehr.example.org/fhir`"))?;
    if url.query().is_some() || url.fragment().is_some() || text.len() > 2000 {
        return Err(wrong("/url", "a FHIR base has no query and no fragment, and at most 2000 characters"));
    }
    app.outbound.check(&url).await.map_err(|rule| {
        wrong("/url", format!("this is {rule}, which is not reached from here unless the operator lists its network in outbound_allow (AFFERENT_OUTBOUND_ALLOW)"))
    })?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// `[A-Za-z0-9.-]{1,64}`
pub(super) fn is_fhir_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
