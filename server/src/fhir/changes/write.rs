//! From plans to rows.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use fhir_model::parse::Resource;

use super::resolve::{Plan, Step};
use super::{Change, Done, Place, Stop, What};
use crate::error::Error;
use crate::fhir::concepts::Codings;
use crate::fhir::model::{ResourceType, Stored, instant};
use crate::fhir::observation_columns::ObservationColumns;
use crate::fhir::store::{self, FurtherIdentifier, IndexRows, NewObservation, NewResource};
use crate::wiring::{self, RevisedReading};

/// Numbers of the codes and identifier systems that the changes use.
pub(super) struct Interned {
    concepts: HashMap<Codings, i64>,
    systems: HashMap<String, i64>,
}

/// Looks the numbers up, or makes them, before the transaction.
///
/// # Errors
/// The database's error.
pub(super) async fn intern(place: Place<'_>, changes: &[Change]) -> Result<Interned, Error> {
    let (mut sets, mut uris) = (Vec::new(), Vec::new());
    for change in changes.iter().filter(|change| change.resource_type == ResourceType::Observation) {
        let columns = ObservationColumns::of(&change.resource, &[]);
        sets.extend((!columns.code.is_empty()).then_some(columns.code));
        sets.extend(columns.categories);
        uris.extend(columns.identifiers.into_iter().map(|(system, _)| system));
    }
    let mut interned = Interned { concepts: HashMap::new(), systems: HashMap::new() };
    if !sets.is_empty() {
        let ids = place.app.concepts.ids(&place.app.db, &sets).await?;
        interned.concepts = sets.into_iter().zip(ids).collect();
    }
    if !uris.is_empty() {
        interned.systems = place.app.identifier_systems.ids(&place.app.db, &uris).await?;
    }
    Ok(interned)
}

/// A new version, ready to be stored.
struct Version<'a> {
    plan: &'a Plan<'a>,
    stored: Stored,
    what: What,
    columns: Option<ObservationColumns>,
}

/// Writes everything; answers in the order of the plans.
///
/// # Errors
/// The database's error, or a lost race.
pub(super) async fn write(
    conn: &mut AsyncPgConnection,
    place: Place<'_>,
    plans: Vec<Plan<'_>>,
    interned: &Interned,
    now: DateTime<Utc>,
) -> Result<Vec<Done>, Stop> {
    let own = place.base.own.each_ref().map(String::as_str);
    let versions: Vec<Version<'_>> = plans.iter().map(|plan| version(plan, &own, now)).collect();
    let of = |resource_type, what| -> Vec<&Version<'_>> {
        versions
            .iter()
            .filter(|version| version.plan.change.resource_type == resource_type && version.what == what)
            .collect()
    };
    let (created, updated) = (of(ResourceType::Patient, What::Created), of(ResourceType::Patient, What::Updated));
    write_patients(conn, place, &own, &created, &updated).await?;
    let (created, updated) =
        (of(ResourceType::Observation, What::Created), of(ResourceType::Observation, What::Updated));
    write_observations(conn, place, interned, created, &updated).await?;
    Ok(versions
        .into_iter()
        .map(|version| Done {
            what: version.what,
            resource_type: version.plan.change.resource_type,
            stored: version.stored,
        })
        .collect())
}

fn version<'a>(plan: &'a Plan<'a>, own: &[&str], now: DateTime<Utc>) -> Version<'a> {
    let columns = || {
        (plan.change.resource_type == ResourceType::Observation).then(|| ObservationColumns::of(&plan.resource, own))
    };
    let stamped = |version: i32, last_updated: DateTime<Utc>| {
        let mut resource: Resource = plan.resource.clone();
        resource.stamp(&plan.id, &version.to_string(), &instant(last_updated));
        Stored { id: plan.id.clone(), version, last_updated, deleted: false, body: resource.to_text() }
    };
    match &plan.step {
        Step::Existing(stored) => Version { plan, stored: (**stored).clone(), what: What::Existing, columns: None },
        Step::Create { .. } => Version { plan, stored: stamped(1, now), what: What::Created, columns: columns() },
        Step::Update { current, .. } => {
            // The same content is no new version: whoever repeats an update changes nothing.
            let same = stamped(current.version, current.last_updated);
            if !current.deleted && same.body == current.body {
                return Version { plan, stored: same, what: What::Unchanged, columns: None };
            }
            let stored = stamped(current.version + 1, now.max(current.last_updated));
            Version { plan, stored, what: What::Updated, columns: columns() }
        }
    }
}

async fn write_patients(
    conn: &mut AsyncPgConnection,
    place: Place<'_>,
    own: &[&str],
    created: &[&Version<'_>],
    updated: &[&Version<'_>],
) -> Result<(), Stop> {
    if created.is_empty() && updated.is_empty() {
        return Ok(());
    }
    let patient = ResourceType::Patient;
    let rows: Vec<NewResource<'_>> = created.iter().map(|version| resource_row(version, place)).collect();
    if !rows.is_empty() && store::insert_resources(conn, &rows).await?.len() < rows.len() {
        return Err(Stop::LostRace);
    }
    let ids: Vec<String> = updated.iter().map(|version| version.stored.id.clone()).collect();
    store::supersede(conn, place.tenant, patient, &ids).await?;
    for version in updated {
        store::update_resource(conn, &resource_row(version, place)).await?;
    }
    let mut index = IndexRows::default();
    for version in created.iter().chain(updated) {
        index.add(place.tenant, patient, &version.stored.id, place.specification.index(&version.plan.resource, own));
    }
    index.store(conn, place.tenant, patient, &ids).await?;
    Ok(())
}

fn resource_row<'a>(version: &'a Version<'_>, place: Place<'_>) -> NewResource<'a> {
    NewResource {
        tenant_id: place.tenant.0,
        type_: version.plan.change.resource_type.as_str(),
        id: &version.stored.id,
        version: version.stored.version,
        last_updated: version.stored.last_updated,
        deleted: false,
        body: &version.stored.body,
    }
}

/// An Observation's row, with the identifier that stands in it.
struct Row<'a> {
    version: &'a Version<'a>,
    columns: &'a ObservationColumns,
    unique: Option<&'a (String, String)>,
    may_count: bool,
}

async fn write_observations(
    conn: &mut AsyncPgConnection,
    place: Place<'_>,
    interned: &Interned,
    created: Vec<&Version<'_>>,
    updated: &[&Version<'_>],
) -> Result<(), Stop> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for version in created {
        let Some(columns) = &version.columns else { continue };
        rows.push(Row { version, columns, unique: columns.identifiers.first(), may_count: true });
    }
    insert(conn, place, interned, &mut rows).await?;

    let ids: Vec<String> = updated.iter().map(|version| version.stored.id.clone()).collect();
    let mut revised = Vec::new();
    store::supersede(conn, place.tenant, ResourceType::Observation, &ids).await?;
    for version in updated {
        let (Some(columns), Step::Update { identifiers: Some(identifiers), .. }) =
            (&version.columns, &version.plan.step)
        else {
            continue;
        };
        let row = Row { version, columns, unique: identifiers.unique.as_ref(), may_count: identifiers.may_count };
        store::update_observation(conn, &observation_row(&row, place, interned)).await?;
        revised.extend(announced(&row, place, identifiers.offered));
        rows.push(row);
    }
    let further: Vec<FurtherIdentifier<'_>> = rows.iter().flat_map(|row| further_identifiers(row, place)).collect();
    store::replace_further_identifiers(conn, place.tenant, &ids, &further).await?;
    // A correction reaches whoever was sent what it corrects.
    wiring::readings_revised(conn, &revised).await?;
    Ok(())
}

fn announced(row: &Row<'_>, place: Place<'_>, offered: bool) -> Option<RevisedReading> {
    Some(RevisedReading {
        tenant: place.tenant,
        id: row.version.stored.id.clone(),
        version: row.version.stored.version,
        patient: row.columns.patient()?.to_owned(),
        codings: row.columns.code.clone(),
        offered,
    })
}

/// Inserts new Observations in the order of their identifiers, so that two requests never wait for each other. One whose
/// identifier is taken is stored without it in its row, unless it must be the only one.
async fn insert(
    conn: &mut AsyncPgConnection,
    place: Place<'_>,
    interned: &Interned,
    rows: &mut [Row<'_>],
) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by(|one, other| {
        one.unique.map(|(system, value)| (value, system)).cmp(&other.unique.map(|(system, value)| (value, system)))
    });
    let new: Vec<NewObservation<'_>> = rows.iter().map(|row| observation_row(row, place, interned)).collect();
    let inserted: HashSet<String> = store::insert_observations(conn, &new).await?.into_iter().collect();
    drop(new);
    let mut without = Vec::new();
    for row in rows.iter_mut().filter(|row| !inserted.contains(&row.version.stored.id)) {
        if matches!(row.version.plan.step, Step::Create { exclusive: true }) {
            return Err(Stop::LostRace);
        }
        row.unique = None;
        without.push(&*row);
    }
    if !without.is_empty() {
        let new: Vec<NewObservation<'_>> =
            without.into_iter().map(|row| observation_row(row, place, interned)).collect();
        store::insert_observations(conn, &new).await?;
    }
    Ok(())
}

fn observation_row<'a>(row: &Row<'a>, place: Place<'_>, interned: &Interned) -> NewObservation<'a> {
    let Row { version, columns, unique, may_count } = *row;
    let system = unique.and_then(|(system, _)| interned.systems.get(system).copied());
    NewObservation {
        tenant_id: place.tenant.0,
        id: &version.stored.id,
        version: version.stored.version,
        last_updated: version.stored.last_updated,
        deleted: false,
        identifier_system: system,
        identifier_value: unique.filter(|_| system.is_some()).map(|(_, value)| value.as_str()),
        status: &columns.status,
        code_id: interned.concepts.get(&columns.code).copied(),
        category_ids: columns.categories.iter().filter_map(|set| interned.concepts.get(set).copied()).collect(),
        patient_id: columns.patient(),
        subject_type: columns.subject.as_ref().map(|(resource_type, _)| resource_type.as_str()),
        subject_id: columns.subject.as_ref().map(|(_, id)| id.as_str()),
        device_id: columns.device.as_deref(),
        effective_low: columns.effective.map(|(low, _)| low),
        effective_high: columns.effective.map(|(_, high)| high),
        value_number: columns.value_number,
        value_unit: columns.value_unit.as_deref(),
        counted: may_count && columns.is_counted(),
        edited_at: Some(version.stored.last_updated),
        body: &version.stored.body,
    }
}

fn further_identifiers<'a>(row: &Row<'a>, place: Place<'_>) -> Vec<FurtherIdentifier<'a>> {
    let Row { version, columns, unique, .. } = *row;
    let further = columns.identifiers.iter().filter(|identifier| Some(*identifier) != unique);
    further
        .map(|(system, value)| FurtherIdentifier { tenant_id: place.tenant.0, value, system, id: &version.stored.id })
        .collect()
}
