//! The registered words that a decoder may say, as constants. They repeat `fhir-profiles/registry.json` (and, for the
//! kinds, the table of vitals), and a test compares both: the host refuses a decoder that declares any other word.

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

words! {
    /// Kinds of readings and of their components.
    kinds {
        /// Systolic, diastolic and mean pressure as components.
        BLOOD_PRESSURE = "blood-pressure",
        /// Component of `blood-pressure`.
        BLOOD_PRESSURE_SYSTOLIC = "blood-pressure-systolic",
        /// Component of `blood-pressure`.
        BLOOD_PRESSURE_DIASTOLIC = "blood-pressure-diastolic",
        /// Component of `blood-pressure`: the mean arterial pressure.
        BLOOD_PRESSURE_MEAN = "blood-pressure-mean",
        /// The pulse that a cuff counted.
        PULSE_RATE = "pulse-rate",
        /// The pulse that an oximeter counted.
        PULSE_RATE_OXIMETER = "pulse-rate-oximeter",
        /// The heart rate of a strap or watch.
        HEART_RATE = "heart-rate",
        /// SpO2.
        OXYGEN_SATURATION = "oxygen-saturation",
        /// The pulse amplitude index of an oximeter.
        PERFUSION_INDEX = "perfusion-index",
        /// Body temperature; the body site says where.
        BODY_TEMPERATURE = "body-temperature",
        /// Body weight.
        BODY_WEIGHT = "body-weight",
        /// Body height.
        BODY_HEIGHT = "body-height",
        /// Body mass index.
        BODY_MASS_INDEX = "body-mass-index",
    }
}

words! {
    /// What a device says about a measurement besides its value.
    flags {
        /// A person typed the value in; no sensor measured it.
        MANUAL_ENTRY = "manual-entry",
        /// Test data of the device, not a measurement of a person.
        TEST = "test",
        /// Demonstration data of the device, not a measurement of a person.
        DEMO = "demo",
        /// A quality-control sample, never a result of the patient.
        CONTROL_SOLUTION = "control-solution",
        /// The device kept the measurement in its memory and sends it later.
        FROM_STORAGE = "from-storage",
        /// The device could not tell which of its users it measured.
        AMBIGUOUS_USER = "ambiguous-user",
        /// The sender guessed the time of the measurement.
        ESTIMATED_TIME = "estimated-time",
        /// The measurement was still running: the value is not final.
        ONGOING = "ongoing",
        /// The value is an early estimate of the final one.
        EARLY_ESTIMATE = "early-estimate",
        /// The device validated the measurement.
        VALIDATED = "validated",
        /// The device fully qualified the measurement.
        FULLY_QUALIFIED = "fully-qualified",
        /// The value had not settled (a scale that is still swinging).
        UNSTABLE = "unstable",
        /// The device was calibrating itself.
        CALIBRATION_ONGOING = "calibration-ongoing",
        /// The device says that it has no measurement to give.
        UNAVAILABLE = "unavailable",
        /// The device doubts its own measurement.
        QUESTIONABLE = "questionable",
        /// The device declares its own measurement invalid.
        INVALID = "invalid",
        /// The measurement did not succeed.
        FAILED_MEASUREMENT = "failed-measurement",
        /// The person moved during the measurement.
        BODY_MOVEMENT = "body-movement",
        /// The cuff sat too loosely.
        CUFF_TOO_LOOSE = "cuff-too-loose",
        /// The device detected an irregular pulse.
        IRREGULAR_PULSE = "irregular-pulse",
        /// The pulse was above the range of the device.
        PULSE_EXCEEDS_UPPER = "pulse-exceeds-upper",
        /// The pulse was below the range of the device.
        PULSE_BELOW_LOWER = "pulse-below-lower",
        /// The arm or wrist was in a wrong position.
        IMPROPER_POSITION = "improper-position",
        /// The device's display updates have slowed.
        EXTENDED_DISPLAY = "extended-display",
        /// The device reports a malfunction of itself.
        EQUIPMENT_MALFUNCTION = "equipment-malfunction",
        /// The signal processing found an irregularity.
        SIGNAL_IRREGULARITY = "signal-irregularity",
        /// The signal is inadequate.
        INADEQUATE_SIGNAL = "inadequate-signal",
        /// The signal is poor.
        POOR_SIGNAL = "poor-signal",
        /// Blood flow at the site of measurement is low.
        LOW_PERFUSION = "low-perfusion",
        /// The signal is erratic.
        ERRATIC_SIGNAL = "erratic-signal",
        /// The signal does not pulsate.
        NON_PULSATILE_SIGNAL = "non-pulsatile-signal",
        /// The pulse that was detected is doubtful.
        QUESTIONABLE_PULSE = "questionable-pulse",
        /// The signal is still being analysed.
        SIGNAL_ANALYSIS_ONGOING = "signal-analysis-ongoing",
        /// Ambient light or electrical noise disturbed the sensor.
        SENSOR_INTERFERENCE = "sensor-interference",
        /// The sensor is not attached to the person.
        SENSOR_UNCONNECTED = "sensor-unconnected",
        /// A sensor of unknown kind is connected.
        UNKNOWN_SENSOR = "unknown-sensor",
        /// The sensor has slipped.
        SENSOR_DISPLACED = "sensor-displaced",
        /// The sensor is broken.
        SENSOR_MALFUNCTION = "sensor-malfunction",
        /// The sensor is disconnected from the device.
        SENSOR_DISCONNECTED = "sensor-disconnected",
        /// The contact with the skin or the electrodes was poor.
        POOR_CONTACT = "poor-contact",
        /// The sensor supports contact detection and detected none.
        NO_CONTACT = "no-contact",
        /// The battery was low during the measurement.
        BATTERY_LOW = "battery-low",
        /// There was too little blood on the strip.
        SAMPLE_INSUFFICIENT = "sample-insufficient",
        /// The strip was inserted wrongly.
        STRIP_INSERTION_ERROR = "strip-insertion-error",
        /// The strip does not fit the device.
        STRIP_TYPE_ERROR = "strip-type-error",
        /// The result is above what the sensor can measure.
        RESULT_TOO_HIGH = "result-too-high",
        /// The result is below what the sensor can measure.
        RESULT_TOO_LOW = "result-too-low",
        /// The sensor was too warm for a valid result.
        TEMPERATURE_TOO_HIGH = "temperature-too-high",
        /// The sensor was too cold for a valid result.
        TEMPERATURE_TOO_LOW = "temperature-too-low",
        /// The strip was pulled before the reading was complete.
        READ_INTERRUPTED = "read-interrupted",
        /// The device reports a general fault.
        GENERAL_FAULT = "general-fault",
        /// A fault of the device's clock; its time may be wrong.
        TIME_FAULT = "time-fault",
        /// The sensor session had ended.
        SESSION_STOPPED = "session-stopped",
        /// The sensor does not fit the device.
        SENSOR_TYPE_INCORRECT = "sensor-type-incorrect",
        /// The device raised an alert of its own.
        DEVICE_ALERT = "device-alert",
        /// The device asks for its clock to be set.
        TIME_SYNCHRONISATION_REQUIRED = "time-synchronisation-required",
        /// The sensor cannot be calibrated now.
        CALIBRATION_NOT_ALLOWED = "calibration-not-allowed",
        /// A calibration is recommended.
        CALIBRATION_RECOMMENDED = "calibration-recommended",
        /// A calibration is required.
        CALIBRATION_REQUIRED = "calibration-required",
        /// The value is below the low limit set on the device.
        BELOW_PATIENT_LOW = "below-patient-low",
        /// The value is above the high limit set on the device.
        ABOVE_PATIENT_HIGH = "above-patient-high",
        /// The value is below the hypoglycaemia limit set on the device.
        BELOW_HYPOGLYCAEMIA = "below-hypoglycaemia",
        /// The value is above the hyperglycaemia limit set on the device.
        ABOVE_HYPERGLYCAEMIA = "above-hyperglycaemia",
        /// The value falls faster than the limit set on the device.
        RATE_OF_DECREASE_EXCEEDED = "rate-of-decrease-exceeded",
        /// The value rises faster than the limit set on the device.
        RATE_OF_INCREASE_EXCEEDED = "rate-of-increase-exceeded",
    }
}

words! {
    /// What a person should know before trusting a value; those that only the host computes are listed too.
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
    }
}

words! {
    /// What is known about the device's clock.
    clock_states {
        /// Nothing is known about the device's clock.
        UNKNOWN = "unknown",
        /// The device says that its clock follows a reference.
        SYNCHRONISED = "synchronised",
        /// The device says that its clock was never set, or its date is unknown.
        NOT_SET = "not-set",
        /// The clock gave a time that does not exist, or the device reports a fault of it.
        FAULT = "fault",
    }
}

words! {
    /// Where on the body it was measured.
    body_sites {
        /// The armpit.
        ARMPIT = "armpit",
        /// The body, with no nearer site given.
        BODY = "body",
        /// The ear.
        EAR = "ear",
        /// A finger.
        FINGER = "finger",
        /// The gastro-intestinal tract.
        GASTROINTESTINAL_TRACT = "gastrointestinal-tract",
        /// The mouth.
        MOUTH = "mouth",
        /// The rectum.
        RECTUM = "rectum",
        /// A toe.
        TOE = "toe",
        /// The tympanum (ear drum).
        TYMPANUM = "tympanum",
        /// The forehead.
        FOREHEAD = "forehead",
        /// A site other than the fingertip, such as the forearm or the palm.
        ALTERNATE_SITE = "alternate-site",
        /// The earlobe.
        EARLOBE = "earlobe",
        /// The upper arm.
        UPPER_ARM = "upper-arm",
        /// The wrist.
        WRIST = "wrist",
        /// The chest.
        CHEST = "chest",
    }
}

words! {
    /// How it was measured.
    methods {
        /// One measurement at a time.
        SPOT_CHECK = "spot-check",
        /// A continuous measurement with normal averaging.
        CONTINUOUS = "continuous",
        /// A continuous measurement with fast averaging.
        FAST = "fast",
        /// A continuous measurement with slow averaging.
        SLOW = "slow",
        /// A cuff that measures the oscillation of its pressure.
        OSCILLOMETRIC = "oscillometric",
        /// Measured by listening to the Korotkoff sounds.
        AUSCULTATORY = "auscultatory",
        /// A meter with test strips.
        GLUCOMETER = "glucometer",
        /// Estimated from electrical impedance of the body.
        BIOIMPEDANCE = "bioimpedance",
        /// Steps counted by a worn sensor.
        PEDOMETER = "pedometer",
    }
}

words! {
    /// Names of contexts; their values are in [`context_values`].
    contexts {
        /// The relation of the measurement to a meal.
        MEAL = "meal",
        /// What was eaten.
        CARBOHYDRATE = "carbohydrate",
        /// How many grams of carbohydrate were eaten, as a decimal.
        CARBOHYDRATE_GRAMS = "carbohydrate-grams",
        /// Who made the measurement.
        TESTER = "tester",
        /// The person's state of health.
        HEALTH = "health",
        /// Exercise around the measurement, by intensity.
        EXERCISE = "exercise",
        /// The intensity of the exercise in percent, as a decimal.
        EXERCISE_INTENSITY_PERCENT = "exercise-intensity-percent",
        /// How many seconds the exercise lasted, as an integer.
        EXERCISE_SECONDS = "exercise-seconds",
        /// Which medication was taken.
        MEDICATION = "medication",
        /// How much was taken, in milligrams, as a decimal.
        MEDICATION_MILLIGRAMS = "medication-milligrams",
        /// How much was taken, in millilitres, as a decimal.
        MEDICATION_MILLILITRES = "medication-millilitres",
        /// How the person was positioned.
        POSTURE = "posture",
        /// Which arm the cuff was on.
        ARM = "arm",
        /// What the person was doing.
        ACTIVITY = "activity",
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
    }
}

/// The values of each context that has a closed set of them.
pub mod context_values {
    words! {
        /// Values of `meal`.
        meal {
            /// Before a meal.
            PRE_PRANDIAL = "pre-prandial",
            /// After a meal.
            POST_PRANDIAL = "post-prandial",
            /// Fasting.
            FASTING = "fasting",
            /// At any time: snacks, drinks.
            CASUAL = "casual",
            /// At bedtime.
            BEDTIME = "bedtime",
        }
    }

    words! {
        /// Values of `carbohydrate`.
        carbohydrate {
            /// Breakfast.
            BREAKFAST = "breakfast",
            /// Lunch.
            LUNCH = "lunch",
            /// Dinner.
            DINNER = "dinner",
            /// A snack.
            SNACK = "snack",
            /// A drink.
            DRINK = "drink",
            /// Supper.
            SUPPER = "supper",
            /// Brunch.
            BRUNCH = "brunch",
        }
    }

    words! {
        /// Values of `tester`.
        tester {
            /// The person measured themselves.
            SELF = "self",
            /// A health care professional.
            HEALTH_CARE_PROFESSIONAL = "health-care-professional",
            /// A laboratory.
            LABORATORY = "laboratory",
            /// The device does not say.
            NOT_AVAILABLE = "not-available",
        }
    }

    words! {
        /// Values of `health`.
        health {
            /// Minor health issues.
            MINOR_ISSUES = "minor-issues",
            /// Major health issues.
            MAJOR_ISSUES = "major-issues",
            /// During menses.
            MENSES = "menses",
            /// Under stress.
            STRESS = "stress",
            /// No health issues.
            NO_ISSUES = "no-issues",
            /// The device does not say.
            NOT_AVAILABLE = "not-available",
        }
    }

    words! {
        /// Values of `exercise`.
        exercise {
            /// No exercise.
            NONE = "none",
            /// Light exercise.
            LIGHT = "light",
            /// Moderate exercise.
            MODERATE = "moderate",
            /// Vigorous exercise.
            VIGOROUS = "vigorous",
        }
    }

    words! {
        /// Values of `medication`.
        medication {
            /// Rapid acting insulin.
            RAPID_ACTING_INSULIN = "rapid-acting-insulin",
            /// Short acting insulin.
            SHORT_ACTING_INSULIN = "short-acting-insulin",
            /// Intermediate acting insulin.
            INTERMEDIATE_ACTING_INSULIN = "intermediate-acting-insulin",
            /// Long acting insulin.
            LONG_ACTING_INSULIN = "long-acting-insulin",
            /// Pre-mixed insulin.
            PRE_MIXED_INSULIN = "pre-mixed-insulin",
        }
    }

    words! {
        /// Values of `posture`.
        posture {
            /// Sitting.
            SITTING = "sitting",
            /// Standing.
            STANDING = "standing",
            /// Lying.
            LYING = "lying",
            /// Lying on the back.
            SUPINE = "supine",
        }
    }

    words! {
        /// Values of `arm`.
        arm {
            /// The left arm.
            LEFT = "left",
            /// The right arm.
            RIGHT = "right",
        }
    }

    words! {
        /// Values of `activity`.
        activity {
            /// At rest.
            RESTING = "resting",
            /// In motion.
            ACTIVE = "active",
            /// Asleep.
            SLEEPING = "sleeping",
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::Value;

    fn registered(set: &Value) -> Vec<&str> {
        set.as_array().expect("a list").iter().map(|entry| entry["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn the_constants_are_the_registry() {
        let registry: Value = serde_json::from_str(include_str!("../../fhir-profiles/registry.json")).unwrap();
        for (set, constants) in [
            ("flags", super::flags::ALL),
            ("warnings", super::warnings::ALL),
            ("clockStates", super::clock_states::ALL),
            ("bodySites", super::body_sites::ALL),
            ("methods", super::methods::ALL),
            ("contexts", super::contexts::ALL),
            ("nothingReasons", super::nothing_reasons::ALL),
            ("factKinds", super::fact_kinds::ALL),
            ("deviceIdentity", super::device_identity::ALL),
        ] {
            assert_eq!(registered(&registry[set]), constants, "{set}");
        }
        use super::context_values as values;
        let constants = [
            ("meal", values::meal::ALL),
            ("carbohydrate", values::carbohydrate::ALL),
            ("tester", values::tester::ALL),
            ("health", values::health::ALL),
            ("exercise", values::exercise::ALL),
            ("medication", values::medication::ALL),
            ("posture", values::posture::ALL),
            ("arm", values::arm::ALL),
            ("activity", values::activity::ALL),
        ];
        for context in registry["contexts"].as_array().unwrap() {
            let name = context["name"].as_str().unwrap();
            let expected = constants.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, words)| words);
            let registered = context.get("values").map(registered).unwrap_or_default();
            assert_eq!(registered, expected, "values of {name}");
        }
    }
}
