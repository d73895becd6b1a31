//! What a person orders about a held reading, and the words for it; pure.

use db::{ApiTokenId, HeldReadingId};

use crate::error::Error;

/// Readings that one request may settle.
pub(super) const MOST_AT_ONCE: usize = 500;
/// Characters of a reason.
const MAX_REASON: usize = 1_000;

/// What is to be done with a held reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is this patient's.
    Claim {
        /// FHIR id, of the reading's tenant.
        patient: String,
    },
    /// It is right although it was held.
    Release,
    /// Somebody is recorded as wearing the device now: plan it as if it had just come.
    Take,
}

impl Action {
    /// As the record of corrections has it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Release => "release",
            Self::Take => "take",
        }
    }

    /// The state of the held row afterwards.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claimed",
            Self::Release => "released",
            Self::Take => "taken",
        }
    }
}

/// A decision about one held reading, on its way through the group commit's transaction.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which one.
    pub held: HeldReadingId,
    /// What is to be done.
    pub action: Action,
    /// Who decided.
    pub token: ApiTokenId,
    /// Why, in the person's words.
    pub reason: String,
}

/// A reason as a person gives it: it stays in the record of corrections, and never leaves for an EHR.
pub(in crate::ingest) fn check_reason(reason: &str) -> Result<String, Error> {
    let reason = reason.trim();
    let printable = !reason.chars().any(|character| character.is_control() && character != '\n');
    if (1..=MAX_REASON).contains(&reason.chars().count()) && printable {
        return Ok(reason.to_owned());
    }
    Err(Error::field("/reason", format!("why this is done, in 1 to {MAX_REASON} characters")))
}

/// 409: somebody else was faster.
pub(super) fn settled_already(state: &str) -> Error {
    Error::conflict(
        "held-reading.settled",
        format!("This reading is not open any more: it is {state}. What was decided stays; GET it to see."),
    )
}

/// 409: the device was somebody else's then.
pub(super) fn worn_by_another() -> Error {
    Error::conflict(
        "held-reading.worn-by-another",
        "Somebody else is recorded as wearing the device (in this slot) at that time. If that is wrong, correct it with POST /api/v1/devices/{id}/reassignments; then this reading can be claimed.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_text() {
        assert!(check_reason(" the ward's log says so ").is_ok_and(|reason| reason == "the ward's log says so"));
        for wrong in ["", "  ", "a\0b", &"x".repeat(MAX_REASON + 1)] {
            assert!(check_reason(wrong).is_err());
        }
    }
}
