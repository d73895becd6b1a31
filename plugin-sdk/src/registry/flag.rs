//! What a device says about a measurement besides its value.

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
        /// The device shows the value to its wearer and says that nothing else may be made of it.
        DISPLAY_ONLY = "display-only",
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
        /// The device says two things of the measurement that exclude each other.
        CONTRADICTORY_STATUS = "contradictory-status",
        /// The device reports a rate of change that a body cannot show.
        IMPLAUSIBLE_TREND = "implausible-trend",
    }
}
