//! Fields that are made of others, and what times are counted from.

use afferent_plugin_sdk::Timestamp;

use super::block::{Compiler, Named};
use super::document::Field;
use super::field::{TEXT, TIME};
use super::names::unknown;
use super::place::Place;
use crate::table::{Epoch, Make};

impl Compiler<'_> {
    pub(super) fn made(&mut self, source: &Field, place: &Place) -> Option<(Make, Named)> {
        let required = |compiler: &mut Self, name: &str, value: Option<&String>| {
            if value.is_none() {
                compiler.wrong(place.clone(), format!("a field of the type {} needs `{name}`", source.kind));
            }
            value.cloned()
        };
        Some(match source.kind.as_str() {
            "variable" => (Make::Variable(required(self, "variable", source.variable.as_ref())?), TEXT),
            "first-of" => {
                let names = source.of.as_deref().unwrap_or_default();
                let found: Vec<Named> = names.iter().map(|name| self.field_of(name, &place.member("of"))).collect();
                let Some(first) = found.first().copied() else {
                    self.wrong(
                        place.clone(),
                        "`of` names the fields of which the first that is there is taken".to_owned(),
                    );
                    return None;
                };
                (Make::First(found.iter().map(|named| named.slot).collect()), first)
            }
            "time-of" => {
                let parts = [
                    ("year", &source.year),
                    ("month", &source.month),
                    ("day", &source.day),
                    ("hour", &source.hour),
                    ("minute", &source.minute),
                ];
                let mut slots = [0; 5];
                for (slot, (name, part)) in slots.iter_mut().zip(parts) {
                    let field = required(self, name, part.as_ref())?;
                    *slot = self.number(&field, &place.member(name));
                }
                let second = source.second.as_ref().map(|name| self.number(name, &place.member("second")));
                (Make::TimeParts(slots, second, source.year_base.unwrap_or(0)), TIME)
            }
            kind => {
                let by = required(self, "by", source.by.as_ref())?;
                let by = self.number(&by, &place.member("by"));
                let ms = self.unit_ms(source.unit.as_deref(), &place.member("unit"));
                if kind == "before-capture" {
                    return Some((Make::BeforeCapture(by, ms), TIME));
                }
                let time = required(self, "time", source.time.as_ref())?;
                let time = self.time(&time, &place.member("time"));
                (if kind == "later" { Make::Later(time, by, ms) } else { Make::AtOffset(time, by, ms / 1000) }, TIME)
            }
        })
    }

    fn unit_ms(&mut self, unit: Option<&str>, place: &Place) -> i64 {
        match unit {
            Some("milliseconds") => 1,
            Some("seconds") => 1000,
            None | Some("minutes") => 60_000,
            Some("hours") => 3_600_000,
            Some(other) => {
                self.wrong(
                    place.clone(),
                    unknown("unit of time", other, ["milliseconds", "seconds", "minutes", "hours"]),
                );
                1
            }
        }
    }

    /// What seconds or milliseconds are counted from: 1970 in UTC, unless the field says otherwise.
    pub(super) fn epoch(&mut self, source: &Field, unit_ms: u32, place: &Place) -> Epoch {
        let local = source.local.unwrap_or(false);
        let Some(text) = &source.epoch else { return Epoch { unit_ms, start_ms: 0, local } };
        let place = place.member("epoch");
        let start = match Timestamp::parse_date(text).or_else(|_no_date| Timestamp::parse(text)) {
            Err(_) => {
                let message = format!("`{text}` is no date and time: write \"2000-01-01\", or \"2000-01-01T12:00:00\"");
                self.wrong(place, message);
                None
            }
            Ok(start) if local && start.offset_minutes().is_some() => {
                let message = "with `local = true` the epoch is of the wall clock too: write it without Z and offset";
                self.wrong(place, message.to_owned());
                None
            }
            // Without an offset it is of the clock that counts: the wall clock, or UTC.
            Ok(start) if start.offset_minutes().is_none() => start.with_wall_clock_offset(0).epoch_ms(),
            Ok(start) => start.epoch_ms(),
        };
        let start_ms = start.unwrap_or(0);
        Epoch { unit_ms, start_ms, local }
    }
}
