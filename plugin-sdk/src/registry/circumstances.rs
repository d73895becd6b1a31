//! The circumstances of a measurement: clock, body site, method and context.

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
        /// Estimated from light that the skin reflects, without a cuff.
        PHOTOPLETHYSMOGRAPHY = "photoplethysmography",
    }
}

words! {
    /// Names of contexts; their values are in `context_values`.
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
