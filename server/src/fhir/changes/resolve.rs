//! From changes to plans: which resource each is about, whether it is there, what references mean. Everything that can
//! be refused is refused here, before the first row is written.

use std::collections::{HashMap, HashSet};

use db::TenantId;
use diesel_async::AsyncPgConnection;
use fhir_model::outcome::IssueCode;
use fhir_model::parse::Resource;
use fhir_model::search::{Sort, SortKey};
use uuid::Uuid;

use super::identifiers::{self, Identifiers};
use super::references::{self, Conditional};
use super::{Change, Criteria, Place, Stop, Target};
use crate::error::{Error, Kind};
use crate::fhir::model::{ResourceType, Stored};
use crate::fhir::observation_columns::{ObservationColumns, identifiers as identifiers_of};
use crate::fhir::store;

/// What will be done for one change.
pub(super) struct Plan<'a> {
    pub(super) change: &'a Change,
    /// The id, given or new.
    pub(super) id: String,
    pub(super) step: Step,
    /// The content with its references rewritten.
    pub(super) resource: Resource,
}

/// How the change is made.
pub(super) enum Step {
    /// Insert it. When `exclusive`, somebody else's equal identifier means that a race was lost.
    Create { exclusive: bool },
    /// Replace this version; for Observations with what stands beside it.
    Update { current: Box<Stored>, identifiers: Option<Identifiers> },
    /// Nothing: it is there.
    Existing(Box<Stored>),
}

/// What a change means before its resource was looked at.
enum Intent {
    Create {
        exclusive: bool,
    },
    /// With the id that the client gave, which must not be in use.
    CreateAs,
    Update {
        if_match: Option<i32>,
    },
    Existing,
}

/// Plans all changes, with the rows that they update locked.
///
/// # Errors
/// Whatever refuses a change, with its place.
pub(super) async fn plan<'a>(
    conn: &mut AsyncPgConnection,
    place: Place<'_>,
    changes: &'a [Change],
) -> Result<Vec<Plan<'a>>, Stop> {
    let own = place.base.own.each_ref().map(String::as_str);
    let conditional = references::conditional(place.specification, changes, &own)?;
    let keys = changes.iter().filter_map(|change| lock_key(change, place.tenant)).collect();
    store::lock_criteria(conn, keys).await?;

    let intents = intents(conn, place.tenant, changes).await?;
    refuse_overlap(changes, &intents)?;
    let mut current = current_versions(conn, place.tenant, changes, &intents).await?;
    let known = known_references(conn, place.tenant, changes, &intents, conditional).await?;

    let mut plans = Vec::with_capacity(changes.len());
    for (change, (id, intent)) in changes.iter().zip(intents) {
        let resource = references::rewritten(place.specification, change, &known)?;
        let found = current.remove(&(change.resource_type, id.clone())).map(Box::new);
        let step = step(change, intent, found)?;
        plans.push(Plan { change, id, step, resource });
    }
    identifiers::settle(conn, place, &mut plans).await?;
    refuse_missing_patients(conn, place.tenant, &own, &plans).await?;
    Ok(plans)
}

/// The lock of a conditional change. None is needed where the unique index on an Observation's identifier decides.
fn lock_key(change: &Change, tenant: TenantId) -> Option<i64> {
    let (Target::New(Some(criteria)) | Target::Matching(criteria, _)) = &change.target else { return None };
    (!is_decided_by_index(change, criteria)).then(|| criteria.lock_key(tenant))
}

fn is_decided_by_index(change: &Change, criteria: &Criteria) -> bool {
    let first = identifiers_of(&change.resource).into_iter().next();
    let first = first.as_ref().map(|(system, value)| (system.as_str(), value.as_str()));
    change.resource_type == ResourceType::Observation && first.is_some() && first == criteria.identifier()
}

async fn intents(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    changes: &[Change],
) -> Result<Vec<(String, Intent)>, Stop> {
    let criteria: Vec<&Criteria> = changes
        .iter()
        .filter_map(|change| match &change.target {
            Target::New(Some(criteria)) | Target::Matching(criteria, _) => Some(criteria),
            Target::New(None) | Target::Id(..) => None,
        })
        .collect();
    let mut matches = find(conn, tenant, &criteria).await?.into_iter();
    let mut intents = Vec::with_capacity(changes.len());
    for change in changes {
        let new = || Uuid::now_v7().to_string();
        intents.push(match &change.target {
            Target::New(None) => (new(), Intent::Create { exclusive: false }),
            Target::Id(id, if_match) => (id.clone(), Intent::Update { if_match: *if_match }),
            Target::New(Some(_)) => match only(change, matches.next())? {
                Some(id) => (id, Intent::Existing),
                None => (new(), Intent::Create { exclusive: true }),
            },
            Target::Matching(_, if_match) => match (only(change, matches.next())?, change.resource.id()) {
                (Some(id), Some(given)) if id != given => {
                    let text = "The id in the resource is not that of the resource that matches. Leave the id out.";
                    return Err(change
                        .error(Kind::Invalid, IssueCode::Value, &format!("{}.id", change.resource_type.as_str()), text)
                        .into());
                }
                (Some(id), _) => (id, Intent::Update { if_match: *if_match }),
                (None, _) if if_match.is_some() => return Err(no_such_version(change).into()),
                (None, Some(given)) if change.resource_type.is_created_by_update() => {
                    (given.to_owned(), Intent::CreateAs)
                }
                // The id of another server means nothing here.
                (None, _) => (new(), Intent::Create { exclusive: true }),
            },
        });
    }
    Ok(intents)
}

fn only(change: &Change, found: Option<Vec<String>>) -> Result<Option<String>, Error> {
    let mut found = found.unwrap_or_default();
    if found.len() > 1 {
        let text = "Several resources match the condition; it has to select one at most.";
        return Err(change.error(Kind::Precondition, IssueCode::MultipleMatches, "request", text));
    }
    Ok(found.pop())
}

fn no_such_version(change: &Change) -> Error {
    let text = "If-Match names a version that is not the current one. Read the resource again, and repeat the change on that version.";
    change.error(Kind::Precondition, IssueCode::Conflict, "request.ifMatch", text)
}

/// The ids that match each of the criteria; of more than two, two.
async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    criteria: &[&Criteria],
) -> Result<Vec<Vec<String>>, Error> {
    let mut found: Vec<Vec<String>> = vec![Vec::new(); criteria.len()];
    for resource_type in ResourceType::ALL {
        let asked: Vec<(usize, (String, String))> = criteria
            .iter()
            .enumerate()
            .filter(|(_, criteria)| criteria.resource_type == resource_type)
            .filter_map(|(at, criteria)| {
                criteria.identifier().map(|(system, value)| (at, (system.to_owned(), value.to_owned())))
            })
            .collect();
        let (positions, identifiers): (Vec<usize>, Vec<_>) = asked.into_iter().unzip();
        for (position, id) in store::identified(conn, tenant, resource_type, &identifiers).await? {
            if let Some(ids) = positions.get(position).and_then(|at| found.get_mut(*at)) {
                ids.push(id);
            }
        }
    }
    for (criteria, ids) in criteria.iter().zip(&mut found).filter(|(criteria, _)| criteria.identifier().is_none()) {
        let by_id = Sort { key: SortKey::Id, descending: false };
        let rows = store::search(conn, tenant, criteria.resource_type, &criteria.filters, by_id, None, 2).await?;
        ids.extend(rows.into_iter().map(|row| row.id));
    }
    Ok(found)
}

/// R4: a transaction in which two entries are about the same resource fails.
fn refuse_overlap(changes: &[Change], intents: &[(String, Intent)]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    let mut conditions: Vec<&Criteria> = Vec::new();
    for (change, (id, intent)) in changes.iter().zip(intents) {
        let (Target::New(Some(criteria)) | Target::Matching(criteria, _)) = &change.target else {
            if !seen.insert((change.resource_type, id)) {
                return Err(overlap(change));
            }
            continue;
        };
        let again = match intent {
            Intent::Existing => false,
            Intent::Create { .. } => conditions.contains(&criteria),
            Intent::CreateAs | Intent::Update { .. } => !seen.insert((change.resource_type, id)),
        };
        if again {
            return Err(overlap(change));
        }
        conditions.push(criteria);
    }
    Ok(())
}

fn overlap(change: &Change) -> Error {
    let text = "Another entry of the Bundle is about the same resource; a transaction may name each once.";
    change.error(Kind::Invalid, IssueCode::Duplicate, "request", text)
}

/// The current versions of all resources that are updated (locked) or that a conditional create found.
async fn current_versions(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    changes: &[Change],
    intents: &[(String, Intent)],
) -> Result<HashMap<(ResourceType, String), Stored>, Stop> {
    let mut current = HashMap::new();
    for resource_type in ResourceType::ALL {
        let of_type = || {
            changes
                .iter()
                .zip(intents)
                .filter(|(change, _)| change.resource_type == resource_type)
                .map(|(_, intent)| intent)
        };
        let updated: Vec<String> = of_type()
            .filter(|(_, intent)| matches!(intent, Intent::CreateAs | Intent::Update { .. }))
            .map(|(id, _)| id.clone())
            .collect();
        let existing: Vec<String> =
            of_type().filter(|(_, intent)| matches!(intent, Intent::Existing)).map(|(id, _)| id.clone()).collect();
        let mut found = store::lock_current(conn, tenant, resource_type, &updated).await?;
        found.extend(store::read_many(conn, tenant, resource_type, &existing).await?);
        current.extend(found.into_iter().map(|stored| ((resource_type, stored.id.clone()), stored)));
    }
    Ok(current)
}

/// What each reference as written means: the `fullUrl`s of the entries, and the conditional references.
async fn known_references(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    changes: &[Change],
    intents: &[(String, Intent)],
    conditional: Vec<Conditional>,
) -> Result<HashMap<String, String>, Error> {
    let mut known = HashMap::new();
    for (change, (id, _)) in changes.iter().zip(intents) {
        if let Some(full_url) = &change.full_url {
            known.insert(full_url.clone(), format!("{}/{id}", change.resource_type.as_str()));
        }
    }
    let criteria: Vec<&Criteria> = conditional.iter().map(|reference| &reference.criteria).collect();
    let stored = find(conn, tenant, &criteria).await?;
    for (reference, mut ids) in conditional.into_iter().zip(stored) {
        // Conditional references are resolved last: what the same Bundle creates can match.
        for (change, (id, intent)) in changes.iter().zip(intents) {
            let wanted = reference.criteria.identifier();
            let created = change.resource_type == reference.criteria.resource_type
                && matches!(intent, Intent::Create { .. } | Intent::CreateAs);
            if created
                && identifiers_of(&change.resource).iter().any(|(system, value)| wanted == Some((system, value)))
                && !ids.contains(id)
            {
                ids.push(id.clone());
            }
        }
        let Some(change) = changes.get(reference.change) else { continue };
        let (code, text) = match ids.as_slice() {
            [only] => {
                known.insert(reference.text, format!("{}/{only}", reference.criteria.resource_type.as_str()));
                continue;
            }
            [] => {
                (IssueCode::NotFound, "No resource matches this conditional reference; it has to select exactly one.")
            }
            _ => (
                IssueCode::MultipleMatches,
                "Several resources match this conditional reference; it has to select exactly one.",
            ),
        };
        return Err(change.error(Kind::Precondition, code, &reference.path, text));
    }
    Ok(known)
}

fn step(change: &Change, intent: Intent, found: Option<Box<Stored>>) -> Result<Step, Stop> {
    match (intent, found) {
        (Intent::Create { exclusive }, _) => Ok(Step::Create { exclusive }),
        (Intent::CreateAs, None) => Ok(Step::Create { exclusive: true }),
        (Intent::CreateAs, Some(_)) => {
            let text = "The id is that of a resource which does not match the condition. Leave the id out, or update that resource by its id.";
            Err(change
                .error(Kind::Conflict, IssueCode::Conflict, &format!("{}.id", change.resource_type.as_str()), text)
                .into())
        }
        (Intent::Existing, Some(stored)) => Ok(Step::Existing(stored)),
        (Intent::Existing, None) => Err(Stop::LostRace),
        (Intent::Update { if_match: Some(version) }, found)
            if found.as_ref().is_none_or(|stored| stored.version != version) =>
        {
            Err(no_such_version(change).into())
        }
        (Intent::Update { .. }, Some(current)) => Ok(Step::Update { current, identifiers: None }),
        (Intent::Update { .. }, None) if change.resource_type.is_created_by_update() => {
            Ok(Step::Create { exclusive: true })
        }
        (Intent::Update { .. }, None) => {
            let text = format!(
                "There is no {} with this id, and the ids of new ones are given by the server: create it with POST, \
                 or update it by its identifier (PUT {0}?identifier=system|value).",
                change.resource_type.as_str()
            );
            Err(change.error(Kind::MethodNotAllowed, IssueCode::NotSupported, "request.url", text).into())
        }
    }
}

/// The Patient that an Observation is about has to exist here, or to be made by the same request.
async fn refuse_missing_patients(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    own: &[&str],
    plans: &[Plan<'_>],
) -> Result<(), Error> {
    let made: HashSet<&str> = plans
        .iter()
        .filter(|plan| plan.change.resource_type == ResourceType::Patient)
        .map(|plan| plan.id.as_str())
        .collect();
    let mut named: Vec<(&Change, String)> = Vec::new();
    for plan in plans.iter().filter(|plan| plan.change.resource_type == ResourceType::Observation) {
        if matches!(plan.step, Step::Existing(_)) {
            continue;
        }
        if let Some(patient) = ObservationColumns::of(&plan.resource, own).patient().filter(|id| !made.contains(id)) {
            named.push((plan.change, patient.to_owned()));
        }
    }
    let mut ids: Vec<String> = named.iter().map(|(_, id)| id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let there: HashSet<String> = store::existing_patients(conn, tenant, &ids).await?.into_iter().collect();
    match named.into_iter().find(|(_, id)| !there.contains(id)) {
        None => Ok(()),
        Some((change, _)) => {
            let text = "There is no such Patient here. Create the Patient first, or in the same transaction Bundle.";
            Err(change.error(Kind::Unprocessable, IssueCode::NotFound, "Observation.subject.reference", text))
        }
    }
}
