//! The steps in which scales count: shared by Weight Measurement (0x2A9D) and Body Composition Measurement (0x2A9C).

use afferent_plugin_sdk::{Decimal, Value};

/// SI or imperial, as bit 0 of the flags says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// 0.005 kg and 0.001 m.
    Metric,
    /// 0.01 lb and 0.1 in.
    Imperial,
}

impl Units {
    /// By the bit of the flags.
    pub const fn of(imperial: bool) -> Self {
        if imperial { Self::Imperial } else { Self::Metric }
    }

    /// A mass: steps of 0.005 kg or 0.01 lb.
    pub fn mass(self, raw: u16) -> Value {
        match self {
            Self::Metric => Value::decimal(Decimal::new(i64::from(raw) * 5, -3), "kg"),
            Self::Imperial => Value::decimal(Decimal::new(i64::from(raw), -2), "[lb_av]"),
        }
    }

    /// A height: steps of 0.001 m or 0.1 in.
    pub fn height(self, raw: u16) -> Value {
        match self {
            Self::Metric => Value::decimal(Decimal::new(i64::from(raw), -3), "m"),
            Self::Imperial => Value::decimal(Decimal::new(i64::from(raw), -1), "[in_i]"),
        }
    }
}

/// Steps of a tenth: per cent, ohm, kg/m2.
pub fn tenths(raw: u16, unit: &str) -> Value {
    Value::decimal(Decimal::new(i64::from(raw), -1), unit)
}
