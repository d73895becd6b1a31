//! The registered words that a decoder may say, as constants. They repeat `fhir-profiles/registry.json` and, for the
//! kinds, `fhir-profiles/vitals.json`; a test compares them, because the host refuses a decoder that declares any
//! other word.

/// Makes a module of constants and `ALL`, the list of them.
macro_rules! words {
    ($(#[$about:meta])* $set:ident { $($(#[$doc:meta])* $name:ident = $word:literal,)* }) => {
        $(#[$about])*
        pub mod $set {
            $($(#[$doc])* pub const $name: &str = $word;)*
            /// Every word of this set, in the order of the registry.
            pub const ALL: &[&str] = &[$($name),*];
        }
    };
}

mod circumstances;
mod flag;
mod kind;
#[cfg(test)]
mod tests;

pub use circumstances::{body_sites, clock_states, context_values, contexts, methods};
pub use flag::flags;
pub use kind::kinds;

words! {
    /// What a person should know before trusting a value. `fhir-profiles/registry.json` says which of them the host
    /// computes: a decoder does not say those.
    warnings {
        /// The value is well formed and outside what a body can show, or the parts contradict each other (systolic below diastolic).
        IMPLAUSIBLE = "implausible",
        /// The device says, or its time shows, that its clock was not set.
        DEVICE_TIME_UNTRUSTED = "device-time-untrusted",
        /// The device's time is later than the receipt by more than the tolerance.
        DEVICE_TIME_IN_FUTURE = "device-time-in-future",
        /// The device supports contact detection and detected no contact: the value is not trustworthy.
        NO_SENSOR_CONTACT = "no-sensor-contact",
        /// The payload has no usable time; the time of capture or receipt stands for it.
        TIME_FROM_RECEIPT = "time-from-receipt",
        /// Public descriptions of this format contradict each other about this payload.
        SOURCES_DISAGREE = "sources-disagree",
        /// Two time fields of one record contradict each other.
        TIMESTAMP_FIELDS_DISAGREE = "timestamp-fields-disagree",
        /// The payload carries a measurement that the decoder does not translate; the rest of it was read.
        UNSUPPORTED_METRIC = "unsupported-metric",
    }
}

words! {
    /// Why a well-formed payload has nothing to store.
    nothing_reasons {
        /// The device only says that it is alive.
        HEARTBEAT = "heartbeat",
        /// A quality-control sample, never a result of the patient.
        CONTROL_SOLUTION = "control-solution",
        /// The device says that the measurement did not succeed.
        FAILED_MEASUREMENT = "failed-measurement",
        /// Well formed, and without a measurement: an advertisement, an empty memory, nobody on the scale.
        NO_MEASUREMENT = "no-measurement",
        /// A live value before the final one: a scale that has not settled.
        NOT_FINAL = "not-final",
        /// Demonstration data of the device.
        DEMO = "demo",
        /// Test data of the device.
        TEST = "test",
        /// A measurement of an object.
        NOT_A_PERSON = "not-a-person",
        /// An intermediate cuff pressure, which is not a blood pressure.
        INTERMEDIATE = "intermediate",
        /// Only the state of the device or of its connection.
        STATUS = "status",
        /// The field holds an error code of the device in place of a value.
        ERROR_CODE = "error-code",
    }
}

words! {
    /// Facts about the device itself.
    fact_kinds {
        /// State of charge in percent (quantity, unit %).
        BATTERY = "battery",
        /// Voltage of the battery (quantity, unit V or mV).
        BATTERY_VOLTAGE = "battery-voltage",
        /// Version of the firmware (text).
        FIRMWARE = "firmware",
        /// Version of the hardware (text).
        HARDWARE = "hardware",
        /// The device's current time when it sent the payload (text, RFC 3339 or local).
        CLOCK = "clock",
        /// A fault that the device reports (text).
        FAULT = "fault",
        /// Strength of the radio signal (quantity or text).
        SIGNAL_STRENGTH = "signal-strength",
        /// How many records are still in the device's memory (integer).
        STORED_RECORDS = "stored-records",
    }
}

words! {
    /// What a payload may claim about its device.
    device_identity {
        /// International Mobile Equipment Identity, 15 digits.
        IMEI = "imei",
        /// Bluetooth device address, six octets in upper-case hexadecimal with colons.
        ADDRESS = "address",
        /// The maker's serial number as the payload says it.
        SERIAL = "serial",
        /// The id by which the vendor's platform knows the device, which is printed on none.
        VENDOR_DEVICE_ID = "vendor-device-id",
    }
}
