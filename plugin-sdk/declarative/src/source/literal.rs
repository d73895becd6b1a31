//! Values that a table writes.

use afferent_plugin_sdk::Decimal;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::table::{Exact, Literal};

/// A whole number, a text, or true or false. Numbers with a point are texts here (`"0.01"`), because TOML would make binary
/// floats of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plain {
    Whole(i64),
    Text(String),
    Boolean(bool),
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plainly;
        impl Visitor<'_> for Plainly {
            type Value = Plain;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a whole number, a text, or true or false")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Plain, E> {
                Ok(Plain::Whole(value))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Plain, E> {
                Ok(Plain::Boolean(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Plain, E> {
                Ok(Plain::Text(value.to_owned()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Plain, E> {
                Err(E::custom(format!("write numbers with a point as text, so that they stay exact: \"{value}\"")))
            }
        }
        deserializer.deserialize_any(Plainly)
    }
}

impl Plain {
    /// As a literal: texts that are numbers stay texts.
    pub(super) fn literal(&self) -> Literal {
        match self {
            Self::Whole(number) => Literal::Number(Exact(*number, 0)),
            Self::Text(text) => Literal::Text(text.clone()),
            Self::Boolean(boolean) => Literal::Boolean(*boolean),
        }
    }

    /// As an exact decimal.
    pub(super) fn decimal(&self) -> Option<Exact> {
        match self {
            Self::Whole(number) => Some(Exact(*number, 0)),
            Self::Text(text) => exact(text),
            Self::Boolean(_) => None,
        }
    }
}

/// A number as a table writes it: `12`, `-0.5`, `0x7FF`.
pub(super) fn exact(text: &str) -> Option<Exact> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok().map(|number| Exact(number, 0));
    }
    let plain = text.bytes().all(|letter| letter.is_ascii_digit() || letter == b'.' || letter == b'-');
    let decimal = plain.then(|| Decimal::parse(text).ok()).flatten()?;
    Some(Exact(decimal.mantissa, decimal.exponent))
}

/// A key of a map: a number where it is one (`"0xFFFF"`, `"3"`), `true` or `false`, else a text.
pub(super) fn key(text: &str, of_texts: bool) -> Literal {
    match text {
        _ if of_texts => Literal::Text(text.to_owned()),
        "true" => Literal::Boolean(true),
        "false" => Literal::Boolean(false),
        _ => exact(text).map_or_else(|| Literal::Text(text.to_owned()), Literal::Number),
    }
}
