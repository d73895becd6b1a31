//! Glucose Measurement Context (0x2A34), Glucose Service 1.0.1: the circumstances of the glucose record with the same
//! sequence number.

use afferent_plugin_sdk::registry::context_values::{carbohydrate, health, meal, medication, tester};
use afferent_plugin_sdk::registry::contexts;
use afferent_plugin_sdk::{Decimal, DecodeError, Flags, Incomplete, Number, Outcome, Reader, Reading, Value};

const CARBOHYDRATES: &[(u8, &str)] = &[
    (1, carbohydrate::BREAKFAST),
    (2, carbohydrate::LUNCH),
    (3, carbohydrate::DINNER),
    (4, carbohydrate::SNACK),
    (5, carbohydrate::DRINK),
    (6, carbohydrate::SUPPER),
    (7, carbohydrate::BRUNCH),
];

const MEALS: &[(u8, &str)] =
    &[(1, meal::PRE_PRANDIAL), (2, meal::POST_PRANDIAL), (3, meal::FASTING), (4, meal::CASUAL), (5, meal::BEDTIME)];

const TESTERS: &[(u8, &str)] =
    &[(1, tester::SELF), (2, tester::HEALTH_CARE_PROFESSIONAL), (3, tester::LABORATORY), (15, tester::NOT_AVAILABLE)];

const HEALTH: &[(u8, &str)] = &[
    (1, health::MINOR_ISSUES),
    (2, health::MAJOR_ISSUES),
    (3, health::MENSES),
    (4, health::STRESS),
    (5, health::NO_ISSUES),
    (15, health::NOT_AVAILABLE),
];

const MEDICATIONS: &[(u8, &str)] = &[
    (1, medication::RAPID_ACTING_INSULIN),
    (2, medication::SHORT_ACTING_INSULIN),
    (3, medication::INTERMEDIATE_ACTING_INSULIN),
    (4, medication::LONG_ACTING_INSULIN),
    (5, medication::PRE_MIXED_INSULIN),
];

/// The duration of exercise that is longer than the field can say.
const OVERRUN: u16 = 0xFFFF;

/// What the meter knows around a measurement. Codes that the service reserves say nothing, but for the meal's.
#[derive(Debug, Clone)]
pub struct Context {
    /// Number of the record that it belongs to.
    pub sequence: u16,
    said: Vec<(&'static str, String)>,
    meal: Option<u8>,
    hba1c: Option<Number>,
}

impl Context {
    /// Reads the whole payload. The extended flags (bit 7) are an octet whose bits are all reserved; should one of them
    /// announce a field, the length would give it away.
    ///
    /// # Errors
    ///
    /// It is truncated or has trailing bytes.
    pub fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let flags = Flags::any(u32::from(reader.u8()?));
        let mut context = Self { sequence: reader.u16_le()?, said: Vec::new(), meal: None, hba1c: None };
        if flags.has(7) {
            reader.u8()?;
        }
        if flags.has(0) {
            let what = reader.u8()?;
            context.code(contexts::CARBOHYDRATE, CARBOHYDRATES, what);
            context.amount(contexts::CARBOHYDRATE_GRAMS, reader.sfloat()?, 3);
        }
        if flags.has(1) {
            let code = reader.u8()?;
            context.meal = Some(code);
            context.code(contexts::MEAL, MEALS, code);
        }
        if flags.has(2) {
            let nibbles = reader.u8()?;
            context.code(contexts::TESTER, TESTERS, nibbles & 0x0F);
            context.code(contexts::HEALTH, HEALTH, nibbles >> 4);
        }
        if flags.has(3) {
            let seconds = reader.u16_le()?;
            if seconds != OVERRUN {
                context.said.push((contexts::EXERCISE_SECONDS, seconds.to_string()));
            }
            context.said.push((contexts::EXERCISE_INTENSITY_PERCENT, reader.u8()?.to_string()));
        }
        if flags.has(4) {
            let what = reader.u8()?;
            context.code(contexts::MEDICATION, MEDICATIONS, what);
            let (name, power) =
                if flags.has(5) { (contexts::MEDICATION_MILLILITRES, 3) } else { (contexts::MEDICATION_MILLIGRAMS, 6) };
            context.amount(name, reader.sfloat()?, power);
        }
        if flags.has(6) {
            context.hba1c = Some(reader.sfloat()?);
        }
        reader.finish()?;
        Ok(context)
    }

    fn code(&mut self, name: &'static str, codes: &[(u8, &'static str)], code: u8) {
        if let Some((_, word)) = codes.iter().find(|(known, _)| *known == code) {
            self.said.push((name, (*word).to_owned()));
        }
    }

    /// An amount in the unit that is `power` powers of ten smaller. Nobody eats less than nothing.
    fn amount(&mut self, name: &'static str, number: Number, power: i32) {
        if let Number::Finite(amount) = number
            && amount.mantissa >= 0
        {
            self.said.push((name, Decimal::new(amount.mantissa, amount.exponent + power).to_string()));
        }
    }

    /// Does it name a meal that the service does not know? Then what it belongs to may be no glucose at all.
    pub fn has_reserved_meal(&self) -> bool {
        self.meal.is_some_and(|code| !MEALS.iter().any(|(known, _)| *known == code))
    }

    /// Glycated haemoglobin in per cent, which is a measurement of its own.
    pub fn hba1c(&self) -> Option<Value> {
        self.hba1c.map(|number| number.in_unit("%"))
    }

    /// The reading with these circumstances.
    pub fn describe(&self, reading: Reading) -> Reading {
        self.said.iter().fold(reading, |reading, (name, value)| reading.context(name, value.as_str()))
    }

    /// What a context by itself comes to: it waits for its measurement.
    pub fn outcome(&self) -> Outcome {
        let waits = Incomplete::because("the context of a glucose measurement: the measurement (2A18) is needed");
        waits.decoded(format!("the context of the glucose record {}", self.sequence)).into()
    }
}
