//! Fields of JSON.

use std::borrow::Cow;

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::{Decimal, DecodeError, Timestamp};

use super::Run;
use super::datum::{Datum, Moment};
use super::refine::refine;
use crate::table::{JsonField, JsonRead, Members, Path, PathStep};

/// What stands at a path; none where a member on the way is missing or `null`.
pub(super) fn find<'d>(
    path: &Path,
    root: Option<Json<'d>>,
    element: Option<Json<'d>>,
) -> Result<Option<Json<'d>>, DecodeError> {
    let Some(mut here) = (if path.from_element { element } else { root }) else { return Ok(None) };
    for step in &path.steps {
        let next = match step {
            PathStep::Member(name) => here.get(name)?,
            PathStep::Item(index) => here.items()?.nth(usize::try_from(*index).unwrap_or(usize::MAX)),
        };
        match next {
            Some(next) if !next.is_null() => here = next,
            _ => return Ok(None),
        }
    }
    Ok(Some(here))
}

/// As the table writes it.
fn shown(path: &Path) -> String {
    let mut text = String::from(if path.from_element { "@" } else { "$" });
    for step in &path.steps {
        match step {
            PathStep::Member(name) => text.extend([".", name.as_str()]),
            PathStep::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

impl<'d> Run<'_, 'd> {
    /// Reads one field, if it is there.
    pub(super) fn json(
        &mut self,
        field: &JsonField,
        root: Option<Json<'d>>,
        element: Option<Json<'d>>,
    ) -> Result<(), DecodeError> {
        if !field.when.as_ref().is_none_or(|when| self.holds(when)) {
            return Ok(());
        }
        let Some(found) = find(&field.path, root, element)? else {
            if field.optional {
                return Ok(());
            }
            let path = shown(&field.path);
            return Err(DecodeError::malformed("this member is missing").at_path(path));
        };
        let raw = read(field, found)?;
        let datum = refine(&field.refine, raw).map_err(|error| error.at_path(found.path()))?;
        self.put(field.slot, datum);
        Ok(())
    }

    /// Members that the table does not know: a warning each, or a refusal.
    pub(super) fn members(
        &mut self,
        members: &Members,
        root: Option<Json<'d>>,
        element: Option<Json<'d>>,
    ) -> Result<(), DecodeError> {
        if !members.when.as_ref().is_none_or(|when| self.holds(when)) {
            return Ok(());
        }
        let Some(object) = find(&members.path, root, element)? else { return Ok(()) };
        for (name, member) in object.members()? {
            if members.known.iter().any(|known| known == name) || member.is_null() {
                continue;
            }
            if members.refuse {
                return Err(member.unsupported("a member that this format does not have"));
            }
            self.decoded.warn_of_metric(name);
        }
        Ok(())
    }
}

fn read<'d>(field: &JsonField, found: Json<'d>) -> Result<Datum<'d>, DecodeError> {
    let stamp = |stamp: Result<Timestamp, DecodeError>, wall: bool| {
        let stamp = stamp.map_err(|error| error.at_path(found.path()))?;
        let stamp = if wall { stamp.as_wall_clock() } else { stamp };
        Ok::<_, DecodeError>(Datum::Time(Moment::Stamp(stamp)))
    };
    Ok(match &field.read {
        JsonRead::Number(None) => Datum::Number(found.decimal()?),
        JsonRead::Number(Some(places)) => Datum::Number(found.rounded(*places)?),
        JsonRead::Integer => Datum::Number(Decimal::new(found.integer()?, 0)),
        JsonRead::Text => Datum::Text(Cow::Borrowed(found.text()?)),
        JsonRead::Identifier => Datum::Text(Cow::Borrowed(found.identifier()?)),
        JsonRead::Boolean => Datum::Boolean(found.boolean()?),
        JsonRead::Time(wall) => stamp(Timestamp::parse(found.text()?), *wall)?,
        JsonRead::Date => stamp(Timestamp::parse_date(found.text()?), false)?,
        JsonRead::EpochNanoseconds => stamp(Timestamp::from_epoch_nanoseconds(found.integer()?), false)?,
        JsonRead::Epoch(epoch) => {
            let count = found.integer()?;
            if !field.refine.missing.is_empty() && field.refine.is_missing(&Datum::Number(Decimal::new(count, 0))) {
                return Ok(Datum::Missing);
            }
            let stamp =
                epoch.time(count).ok_or_else(|| found.malformed("a time before its epoch, or beyond the year 9999"));
            Datum::Time(Moment::Stamp(stamp?))
        }
    })
}
