//! What becomes of a reading, for people: one line, and the Observation as it would be, for `afferent plugin vectors` and
//! for trying a decoder. Nothing is stored.

use chrono::SecondsFormat;
use fhir_model::dispositions::Disposition;
use fhir_model::observation::{AuthorError, Binding};

use super::{InterpretContext, Interpreted, Tables, author, stable_identifier};

/// One line: status, where it goes, what it counts for, where its time comes from, and what is odd. No values.
///
/// `final; forwarded; counts for $lastn, alerts, billing; time: device-local`,
/// `preliminary; held for a person; counts for nothing; time: receipt; because: The value lies outside …`; what is only
/// remarked on, and treated as any other, has `although` in place of `because`.
pub fn outlook(interpreted: &Interpreted) -> String {
    let disposition = &interpreted.disposition;
    let source = interpreted.time.source.code();
    let word = if disposition.restricted { "because" } else { "although" };
    let odd = disposition.reason.as_ref().map(|reason| format!("; {word}: {reason}")).unwrap_or_default();
    format!("{}; time: {source}{odd}", consequences(disposition))
}

/// `final; forwarded; counts for $lastn, alerts, billing`.
pub fn consequences(disposition: &Disposition) -> String {
    let way = match (disposition.stored, disposition.held, disposition.forwarded) {
        (false, ..) => return "not stored".to_owned(),
        (true, true, _) => "held for a person",
        (true, false, true) => "forwarded",
        (true, false, false) => "not forwarded",
    };
    let counts = disposition.counts;
    let counts = [(counts.lastn, "$lastn"), (counts.alerts, "alerts"), (counts.billing, "billing")];
    let counts: Vec<&str> = counts.iter().filter(|(counted, _)| *counted).map(|(_, name)| *name).collect();
    let counts = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
    format!("{}; {way}; counts for {counts}", disposition.status.code())
}

/// The Observation as it would be written for a patient `Patient/example`, with ids that depend on the reading alone.
///
/// # Errors
/// [`AuthorError`] when the resource cannot be written.
pub fn preview(interpreted: &Interpreted, context: &InterpretContext, tables: &Tables) -> Result<String, AuthorError> {
    let key = interpreted.identity.record_key("example");
    let identifier = stable_identifier("example", &key, &interpreted.identity_kind, Some("example"));
    let written_at = context.received_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let binding = Binding {
        id: &identifier,
        version: 1,
        last_updated: &written_at,
        source: None,
        identifier_system: "urn:uuid:00000000-0000-0000-0000-000000000000",
        identifier_value: &identifier,
        subject: Some("Patient/example"),
        device: Some("Device/example"),
        device_display: None,
        has_member: &[],
        derived_from: &[],
    };
    Ok(author(interpreted, &binding, &[], tables)?.json)
}
