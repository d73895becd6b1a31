//! A batch of a lane: what is due, as the receiver will see it, and what cannot be sent at all.

use std::collections::{HashMap, HashSet};

use db::DeliveryId;
use diesel_async::AsyncPgConnection;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::forward::bundle::{Entry, PatientEntry};
use crate::forward::receiver_view::{self, DeviceName, Identified, View};
use crate::forward::store::endpoints::{self, EndpointRow};
use crate::forward::store::lanes::Lease;
use crate::forward::store::settle::Finished;
use crate::forward::store::view::{self, DueRow};

/// What is due.
pub(super) struct Batch {
    pub(super) endpoint: EndpointRow,
    /// Ready to be sent, in order.
    pub(super) items: Vec<Item>,
    /// Cannot be sent as things are, with the reason.
    pub(super) unsendable: Vec<(DeliveryId, i32, String)>,
    /// There is nothing to deliver any more.
    pub(super) gone: Vec<Finished>,
}

/// A delivery that is ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: DeliveryId,
    /// Version that is sent.
    pub(super) version: i32,
    pub(super) attempts: i32,
    pub(super) age_seconds: i64,
    /// An earlier attempt may have been stored.
    pub(super) ambiguous: bool,
    pub(super) entry: Entry,
}

/// How the people and devices of a batch are named to the endpoint.
struct Names {
    mapped: HashMap<String, Identified>,
    patients: HashMap<String, Value>,
    devices: HashMap<String, Value>,
    /// `fullUrl` of a Patient that travels along.
    full_urls: HashMap<String, String>,
}

/// Reads the due deliveries of a lane. `None`: nothing is due, or nothing may be sent to this endpoint now.
pub(super) async fn load(app: &App, conn: &mut AsyncPgConnection, lease: &Lease) -> Result<Option<Batch>, Error> {
    let Some(endpoint) = endpoints::find_endpoint(conn, &[lease.tenant], lease.endpoint).await? else {
        return Ok(None);
    };
    let open = endpoint.closed_until.is_some_and(|until| until > app.clock.now());
    if !endpoint.active || open || view::is_stopped(conn, lease.tenant).await? {
        return Ok(None);
    }
    let limit = i64::try_from(app.config.forward.batch_size).unwrap_or(i64::MAX);
    let mut due = view::due_deliveries(conn, lease, limit).await?;
    due.truncate(bundle_size(&due, app.config.forward.batch_size));
    if due.is_empty() {
        return Ok(None);
    }
    let mut names = read_names(conn, lease, &due).await?;
    let own_bases = [app.fhir_base(lease.tenant), format!("{}/fhir/r4", app.public_url)];
    let mut batch = Batch { endpoint, items: Vec::new(), unsendable: Vec::new(), gone: Vec::new() };
    let mut seen = HashSet::new();
    for row in due {
        let (Some(version), Some(body)) = (row.version, row.body.as_deref()) else {
            batch.gone.push(Finished { id: row.id, version: row.wanted_version, location: None });
            continue;
        };
        let identifier = stable_identifier(app, lease, &row);
        // An identifier is once in a Bundle; the other one's turn comes next.
        if !seen.insert(identifier.clone()) {
            continue;
        }
        match entry(&batch.endpoint, &mut names, &row, version, body, identifier, &own_bases) {
            Ok(entry) => batch.items.push(Item {
                id: row.id,
                version,
                attempts: row.attempts,
                age_seconds: row.age_seconds,
                ambiguous: row.ambiguous,
                entry,
            }),
            Err(reason) => batch.unsendable.push((row.id, version, reason)),
        }
    }
    Ok(Some(batch))
}

/// How many of the first deliveries go into one Bundle. A delivery whose attempts failed in an unclear way halves it each
/// time: content that makes a server fail ends up alone, and its neighbours get through.
fn bundle_size(due: &[DueRow], most: usize) -> usize {
    let mut size = most;
    for (at, row) in due.iter().enumerate() {
        let attempts = if row.ambiguous { u32::try_from(row.attempts).unwrap_or_default() } else { 0 };
        let allowed = most.checked_shr(attempts.saturating_sub(1)).unwrap_or_default().max(1);
        if at >= size.min(allowed) {
            return at;
        }
        size = size.min(allowed);
    }
    size
}

async fn read_names(conn: &mut AsyncPgConnection, lease: &Lease, due: &[DueRow]) -> Result<Names, Error> {
    let unique = |id: fn(&DueRow) -> Option<&str>| {
        let ids: HashSet<&str> = due.iter().filter_map(id).collect();
        ids.into_iter().collect::<Vec<_>>()
    };
    let (patients, devices) = (unique(|row| row.patient_id.as_deref()), unique(|row| row.device_id.as_deref()));
    let mapped = view::mappings(conn, lease.tenant, lease.endpoint, &patients).await?;
    let patients = view::bodies(conn, lease.tenant, "Patient", &patients).await?;
    let devices = view::bodies(conn, lease.tenant, "Device", &devices).await?;
    let parsed = |texts: HashMap<String, String>| {
        texts
            .into_iter()
            .filter_map(|(id, text)| Some((id, serde_json::from_str(&text).ok()?)))
            .collect::<HashMap<String, Value>>()
    };
    Ok(Names { mapped, patients: parsed(patients), devices: parsed(devices), full_urls: HashMap::new() })
}

/// The identifier everything outward rests on: the reading's own, or for an Observation that a client wrote without one, one
/// that is made from its id.
fn stable_identifier(app: &App, lease: &Lease, row: &DueRow) -> Identified {
    match (&row.identifier_system, &row.identifier_value) {
        (Some(system), Some(value)) => Identified { system: system.clone(), value: value.clone() },
        _ => {
            let hash = Sha256::digest(format!("{}/{}/{}", lease.tenant, row.resource_type, row.resource_id));
            Identified { system: app.identifier_system(), value: hex::encode(hash) }
        }
    }
}

/// The entry of one delivery, or why there can be none.
fn entry(
    endpoint: &EndpointRow,
    names: &mut Names,
    row: &DueRow,
    version: i32,
    body: &str,
    identifier: Identified,
    own_bases: &[String],
) -> Result<Entry, String> {
    let mut resource: Map<String, Value> =
        serde_json::from_str(body).map_err(|_error| "the stored resource cannot be read".to_owned())?;
    let id = row.patient_id.as_deref().ok_or("the Observation has no patient")?;
    let patient = names.patients.get(id);
    let system = endpoint.patient_identifier_system.as_deref();
    let known_as = names
        .mapped
        .get(id)
        .cloned()
        .or_else(|| patient.and_then(|patient| receiver_view::patient_identifier(patient, system)));
    let known_as = known_as.ok_or_else(|| match system {
        Some(system) => {
            format!("the patient has no identifier of the system {system}, and no mapping for this endpoint")
        }
        None => "the patient has no identifier, and no mapping for this endpoint".to_owned(),
    })?;
    let along =
        patient.and_then(Value::as_object).filter(|_patient| endpoint.create_patients).map(|patient| PatientEntry {
            full_url: names
                .full_urls
                .entry(id.to_owned())
                .or_insert_with(|| format!("urn:uuid:{}", Uuid::now_v7()))
                .clone(),
            resource: receiver_view::rewrite_patient(patient, &known_as),
            identifier: known_as.clone(),
        });
    let subject =
        along.as_ref().map_or_else(|| format!("Patient?{}", known_as.query()), |along| along.full_url.clone());
    let device = row.device_id.as_ref().and_then(|id| names.devices.get(id)).map(DeviceName::of).unwrap_or_default();
    let view = View { identifier: &identifier, patient: id, subject: &subject, device: &device, own_bases };
    receiver_view::rewrite(&mut resource, &view);
    Ok(Entry { identifier, first_version: version == 1, resource, patient: along })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(attempts: i32, ambiguous: bool) -> DueRow {
        DueRow {
            id: DeliveryId(Uuid::nil()),
            resource_type: "Observation".into(),
            resource_id: "o".into(),
            attempts,
            ambiguous,
            age_seconds: 0,
            version: Some(1),
            identifier_system: None,
            identifier_value: None,
            patient_id: None,
            device_id: None,
            body: None,
            wanted_version: 1,
        }
    }

    #[test]
    fn what_fails_in_an_unclear_way_ends_up_alone() {
        let fresh = vec![row(0, false); 50];
        assert_eq!(bundle_size(&fresh, 50), 50);
        let outage = vec![row(40, false); 50];
        assert_eq!(bundle_size(&outage, 50), 50, "an unreachable endpoint says nothing about the content");
        for (attempts, expected) in [(1, 50), (2, 25), (3, 12), (6, 1), (40, 1)] {
            assert_eq!(bundle_size(&vec![row(attempts, true); 50], 50), expected, "{attempts}");
        }
        let mut mixed = vec![row(0, false); 50];
        mixed.insert(3, row(9, true));
        assert_eq!(bundle_size(&mixed, 50), 3, "the neighbours go first");
        mixed.swap(0, 3);
        assert_eq!(bundle_size(&mixed, 50), 1);
    }
}
