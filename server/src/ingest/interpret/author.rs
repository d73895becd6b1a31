//! Inside the transaction: an interpreted reading and its binding become the stored text and its index columns.

use fhir_model::datetime::DateRange;
use fhir_model::dispositions::Disposition;
use fhir_model::observation::{self, AuthorError, Binding, Draft, Effective, EffectiveRange, IndexColumns, Value};
use fhir_model::vitals::Coding;

use super::{Interpreted, Tables};

/// An Observation as it is stored.
#[derive(Debug, Clone)]
pub struct Authored {
    /// The resource, exactly as it is served.
    pub json: String,
    /// What it is searched by.
    pub index: IndexColumns,
    /// What becomes of it, with what the transaction found out.
    pub disposition: Disposition,
}

/// Writes the Observation. `conditions` are rows of the table that only the transaction can see (`conflicting-record`,
/// `identity-mismatch` …); a binding without a subject adds `unassigned` by itself.
///
/// # Errors
/// [`AuthorError`] when the resource cannot be written; that is a defect, not a property of the payload.
pub fn author(
    interpreted: &Interpreted,
    binding: &Binding<'_>,
    conditions: &[&str],
    tables: &Tables,
) -> Result<Authored, AuthorError> {
    let unassigned = binding.subject.is_none().then_some("unassigned");
    let disposition = if conditions.is_empty() && unassigned.is_none() {
        interpreted.disposition.clone()
    } else {
        let known = interpreted.conditions.iter().map(String::as_str);
        let found = conditions.iter().copied().chain(unassigned);
        tables.dispositions.resolve(interpreted.counts, known.chain(found))
    };
    let draft = &interpreted.draft;
    Ok(Authored {
        json: observation::author(draft, &disposition, binding)?,
        index: index(interpreted, &disposition, binding)?,
        disposition,
    })
}

/// `meta.source`: the uplink, and which decoder read which bytes. Shape:
/// `urn:uuid:<uplink>#decoder=<name>@<version>&sha256=<payload hash>`.
pub fn source_uri(uplink: &uuid::Uuid, decoder: &str, version: &str, payload_sha256: &str) -> String {
    format!("{}#decoder={decoder}@{version}&sha256={payload_sha256}", uplink.urn())
}

fn index(
    interpreted: &Interpreted,
    disposition: &Disposition,
    binding: &Binding<'_>,
) -> Result<IndexColumns, AuthorError> {
    let draft = &interpreted.draft;
    let withdrawn = disposition.absent.is_some();
    let kept = |absent: bool| !absent;
    let absent = match &draft.value {
        Value::None => None,
        Value::Absent(reason) => Some(disposition.absent.as_ref().unwrap_or(reason).clone()),
        _ => disposition.absent.clone(),
    };
    Ok(IndexColumns {
        codes: draft.code.codings.clone(),
        component_codes: component_codes(draft),
        categories: draft.categories.to_vec(),
        status: disposition.status.code(),
        effective: effective_range(&draft.effective)?,
        value: interpreted.measure.clone().filter(|_| kept(withdrawn)),
        components: if withdrawn { Vec::new() } else { interpreted.components.clone() },
        absent,
        identifier_system: binding.identifier_system.to_owned(),
        identifier_value: binding.identifier_value.to_owned(),
    })
}

fn component_codes(draft: &Draft) -> Vec<Coding> {
    draft.components.iter().flat_map(|component| component.code.codings.iter().cloned()).collect()
}

fn effective_range(effective: &Effective) -> Result<EffectiveRange, AuthorError> {
    let parse = |text: &str| DateRange::parse(text).map_err(|error| AuthorError::new(error.to_string()));
    let (start, end) = match effective {
        Effective::Instant(instant) => (instant, instant),
        Effective::Period { start, end } => (start, end),
    };
    Ok(EffectiveRange { low: parse(start)?.low, high: parse(end)?.high })
}
