//! The interpreter: a table and an input in, an outcome out. Slots hold what fields said; blocks run their fields in order,
//! then their reasons for nothing, their refusals, and last what they read.

mod bytes;
mod checksum;
mod condition;
mod datum;
mod json;
mod make;
mod readings;
mod refine;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::{
    DecodeError, Decoded, Input, Nothing, Outcome, Reader, bluetooth_characteristic, each_frame,
};

use crate::table::{Binding, Block, Format, Kind, Label, Repeat, Step, Table};
use datum::Datum;

/// The most readings of one payload; the host takes no more.
const MOST_READINGS: usize = 2_000;

/// Runs a table over an input.
///
/// # Errors
/// What the table refuses, or what contradicts its layout.
pub fn decode(table: &Table, input: &Input) -> Result<Outcome, DecodeError> {
    let mut bound: Option<(u16, Format)> = None;
    each_frame(input, |frame| {
        let index = format_of(&table.bindings, &input.model, &frame.channel)?;
        if bound.as_ref().is_none_or(|(of, _)| *of != index) {
            let bytes = table.formats.get(usize::from(index)).ok_or_else(damaged)?;
            bound = Some((index, postcard::from_bytes(&bytes.0).map_err(|_damaged| damaged())?));
        }
        let (_, format) = bound.as_ref().ok_or_else(damaged)?;
        let data = frame.data.as_slice();
        let document = if format.json { Some(Document::parse(data)?) } else { None };
        let mut run = Run {
            input,
            data,
            labels: table.labels.get(usize::from(index)).map_or(&[], |labels| labels.0.as_slice()),
            reader: Reader::new(data),
            slots: vec![Datum::Missing; usize::from(format.slots)],
            decoded: Decoded::from(Vec::new()),
            silence: None,
        };
        let root = document.as_ref().map(Document::root);
        run.block(&format.body, root, root)?;
        run.finish(format)
    })
}

/// The format of a model on a channel.
fn format_of(bindings: &[Binding], model: &str, channel: &str) -> Result<u16, DecodeError> {
    let mut of_model = bindings.iter().filter(|binding| binding.model == model).peekable();
    if of_model.peek().is_none() {
        return Err(DecodeError::not_for_me("the model is none of this decoder's"));
    }
    let is_same = |known: &str| {
        known == channel
            || bluetooth_characteristic(known).is_some_and(|number| bluetooth_characteristic(channel) == Some(number))
    };
    // A frame without a channel has the model's first format.
    let found = of_model.find(|binding| channel.is_empty() || binding.channel.is_empty() || is_same(&binding.channel));
    found
        .map(|binding| binding.format)
        .ok_or_else(|| DecodeError::unsupported("this model does not speak on this channel"))
}

#[cold]
fn damaged() -> DecodeError {
    DecodeError::unsupported("this decoder's table is damaged")
}

/// One payload being read.
struct Run<'r, 'd> {
    input: &'r Input,
    data: &'d [u8],
    /// The names of the format's fields, unread.
    labels: &'r [u8],
    reader: Reader<'d>,
    slots: Vec<Datum<'d>>,
    decoded: Decoded,
    /// The first reason for nothing that a block gave.
    silence: Option<Nothing>,
}

impl<'d> Run<'_, 'd> {
    fn slot(&self, slot: u16) -> &Datum<'d> {
        self.slots.get(usize::from(slot)).unwrap_or(&Datum::Missing)
    }

    fn put(&mut self, slot: u16, datum: Datum<'d>) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = datum;
        }
    }

    /// A block as often as it repeats. `root` is the document, `element` what `@` stands for.
    fn block(&mut self, block: &Block, root: Option<Json<'d>>, element: Option<Json<'d>>) -> Result<(), DecodeError> {
        if !block.when.as_ref().is_none_or(|when| self.holds(when)) {
            return Ok(());
        }
        match &block.repeat {
            None => self.once(block, root, element),
            Some(Repeat::Each(path, or_single)) => {
                let Some(list) = json::find(path, root, element)? else { return Ok(()) };
                if *or_single && list.is_object() {
                    return self.once(block, root, Some(list));
                }
                for item in list.items()? {
                    self.once(block, root, Some(item))?;
                }
                Ok(())
            }
            Some(Repeat::Rest) => {
                while self.reader.remaining() > 0 {
                    let before = self.reader.position();
                    self.once(block, root, element)?;
                    if self.reader.position() == before {
                        return Err(self.reader.error("a repetition without a byte"));
                    }
                }
                Ok(())
            }
            Some(Repeat::Times(times)) => self.times(block, i64::from(*times), root, element),
            Some(Repeat::Counted(slot)) => {
                let count = self.slot(*slot).integer().unwrap_or(0);
                self.times(block, count, root, element)
            }
        }
    }

    fn times(
        &mut self,
        block: &Block,
        times: i64,
        root: Option<Json<'d>>,
        element: Option<Json<'d>>,
    ) -> Result<(), DecodeError> {
        for _ in 0..times {
            self.once(block, root, element)?;
        }
        Ok(())
    }

    fn once(&mut self, block: &Block, root: Option<Json<'d>>, element: Option<Json<'d>>) -> Result<(), DecodeError> {
        let before = self.decoded.readings.len();
        let (first, behind) = (usize::from(block.slots.0), usize::from(block.slots.1));
        self.slots.get_mut(first..behind).into_iter().flatten().for_each(|datum| *datum = Datum::Missing);
        for step in &block.steps {
            match step {
                Step::Bytes(field) => self.bytes(field).map_err(|error| self.named(field.slot, error))?,
                Step::Json(field) => {
                    self.json(field, root, element).map_err(|error| self.named(field.slot, error))?;
                }
                Step::Made(field) => self.make(field).map_err(|error| self.named(field.slot, error))?,
                Step::Block(inner) => self.block(inner, root, element)?,
                Step::Members(members) => self.members(members, root, element)?,
            }
        }
        let silence = block.nothings.iter().find(|silence| self.holds(&silence.when));
        // What is no measurement is not refused for the values that it shows: a training blow, a control solution.
        if silence.is_none()
            && let Some(refusal) = block.refusals.iter().find(|refusal| self.holds(&refusal.when))
        {
            let error = error(refusal.kind, refusal.message.as_str());
            return Err(match element.filter(|element| !element.is_null()) {
                Some(element) if block.repeat.is_some() => error.at_path(element.path()),
                _ => error,
            });
        }
        for fact in &block.facts {
            self.fact(fact)?;
        }
        for caution in &block.warnings {
            if caution.when.as_ref().is_none_or(|when| self.holds(when)) {
                self.decoded.warn(&caution.code, &caution.message);
            }
        }
        if let Some(silence) = silence {
            let nothing = || Nothing::because(&silence.reason, &silence.message);
            self.silence.get_or_insert_with(nothing);
            // Nor does anything within it say a reading: a control solution is nobody's.
            self.decoded.readings.truncate(before);
            return Ok(());
        }
        for rule in &block.readings {
            self.reading(rule)?;
        }
        if self.decoded.readings.len() > MOST_READINGS {
            return Err(DecodeError::unsupported("more readings than one payload may have"));
        }
        Ok(())
    }

    /// Says in which field of the table it is.
    #[cold]
    fn named(&self, slot: u16, mut error: DecodeError) -> DecodeError {
        let labels: Vec<Label> = postcard::from_bytes(self.labels).unwrap_or_default();
        if let Some((_, name)) = labels.iter().find(|(of, _)| *of == slot) {
            error.message = match error.message.strip_prefix("truncated: ") {
                Some(rest) => format!("truncated: field `{name}`: {rest}"),
                None => format!("field `{name}`: {}", error.message),
            };
        }
        error
    }

    fn finish(self, format: &Format) -> Result<Outcome, DecodeError> {
        if !format.json {
            self.reader.finish()?;
        }
        let (reason, message) = &format.empty;
        Ok(match self.silence {
            Some(silence) => self.decoded.or_nothing(&silence.reason, &silence.message),
            None => self.decoded.or_nothing(reason, message),
        })
    }
}

/// A refusal of this kind.
fn error(kind: Kind, message: &str) -> DecodeError {
    match kind {
        Kind::Malformed => DecodeError::malformed(message),
        Kind::Unsupported => DecodeError::unsupported(message),
        Kind::NotForMe => DecodeError::not_for_me(message),
    }
}
