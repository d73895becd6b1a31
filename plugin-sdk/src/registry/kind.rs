//! What was measured: the kinds of readings and of their components.

words! {
    /// Kinds of readings and of their components; `fhir-profiles/vitals.json` says what each is in FHIR.
    kinds {
        /// Blood pressure.
        BLOOD_PRESSURE = "blood-pressure",
        /// Systolic blood pressure.
        BLOOD_PRESSURE_SYSTOLIC = "blood-pressure-systolic",
        /// Diastolic blood pressure.
        BLOOD_PRESSURE_DIASTOLIC = "blood-pressure-diastolic",
        /// Mean blood pressure.
        BLOOD_PRESSURE_MEAN = "blood-pressure-mean",
        /// Pulse rate (cuff).
        PULSE_RATE = "pulse-rate",
        /// Pulse rate (pulse oximeter).
        PULSE_RATE_OXIMETER = "pulse-rate-oximeter",
        /// Heart rate.
        HEART_RATE = "heart-rate",
        /// Resting heart rate.
        HEART_RATE_RESTING = "heart-rate-resting",
        /// Heart rate variability (SDNN).
        HEART_RATE_VARIABILITY = "heart-rate-variability",
        /// Oxygen saturation.
        OXYGEN_SATURATION = "oxygen-saturation",
        /// Perfusion index.
        PERFUSION_INDEX = "perfusion-index",
        /// Body temperature.
        BODY_TEMPERATURE = "body-temperature",
        /// Body weight.
        BODY_WEIGHT = "body-weight",
        /// Body height.
        BODY_HEIGHT = "body-height",
        /// Body mass index.
        BODY_MASS_INDEX = "body-mass-index",
        /// Respiratory rate.
        RESPIRATORY_RATE = "respiratory-rate",
        /// Body fat.
        BODY_FAT_PERCENTAGE = "body-fat-percentage",
        /// Muscle share.
        BODY_MUSCLE_PERCENTAGE = "body-muscle-percentage",
        /// Muscle mass.
        BODY_MUSCLE_MASS = "body-muscle-mass",
        /// Fat-free mass.
        FAT_FREE_MASS = "fat-free-mass",
        /// Soft lean mass.
        SOFT_LEAN_MASS = "soft-lean-mass",
        /// Body water mass.
        BODY_WATER_MASS = "body-water-mass",
        /// Body impedance.
        BODY_IMPEDANCE = "body-impedance",
        /// Basal metabolic rate.
        BASAL_METABOLISM = "basal-metabolism",
        /// Waist circumference.
        WAIST_CIRCUMFERENCE = "waist-circumference",
        /// Glucose, capillary blood.
        GLUCOSE_CAPILLARY = "glucose-capillary",
        /// Glucose, capillary whole blood.
        GLUCOSE_CAPILLARY_WHOLE_BLOOD = "glucose-capillary-whole-blood",
        /// Glucose, capillary plasma.
        GLUCOSE_CAPILLARY_PLASMA = "glucose-capillary-plasma",
        /// Glucose, venous whole blood.
        GLUCOSE_VENOUS_WHOLE_BLOOD = "glucose-venous-whole-blood",
        /// Glucose, venous plasma.
        GLUCOSE_VENOUS_PLASMA = "glucose-venous-plasma",
        /// Glucose, arterial whole blood.
        GLUCOSE_ARTERIAL_WHOLE_BLOOD = "glucose-arterial-whole-blood",
        /// Glucose, arterial plasma.
        GLUCOSE_ARTERIAL_PLASMA = "glucose-arterial-plasma",
        /// Glucose, whole blood of undetermined origin.
        GLUCOSE_WHOLE_BLOOD = "glucose-whole-blood",
        /// Glucose, plasma of undetermined origin.
        GLUCOSE_PLASMA = "glucose-plasma",
        /// Glucose, interstitial fluid.
        GLUCOSE_INTERSTITIAL = "glucose-interstitial",
        /// Haemoglobin A1c.
        HBA1C = "hba1c",
        /// Steps in an interval.
        STEPS = "steps",
        /// Steps in a day.
        STEPS_DAY = "steps-day",
        /// Energy burned.
        ACTIVE_ENERGY = "active-energy",
        /// Peak expiratory flow.
        PEAK_EXPIRATORY_FLOW = "peak-expiratory-flow",
        /// Forced expiratory volume in one second.
        FORCED_EXPIRATORY_VOLUME_1S = "forced-expiratory-volume-1s",
        /// Electrocardiogram.
        ECG = "ecg",
        /// ECG lead I.
        ECG_LEAD_I = "ecg-lead-i",
        /// ECG lead II.
        ECG_LEAD_II = "ecg-lead-ii",
        /// ECG lead III.
        ECG_LEAD_III = "ecg-lead-iii",
        /// ECG lead aVR.
        ECG_LEAD_AVR = "ecg-lead-avr",
        /// ECG lead aVL.
        ECG_LEAD_AVL = "ecg-lead-avl",
        /// ECG lead aVF.
        ECG_LEAD_AVF = "ecg-lead-avf",
        /// ECG lead V1.
        ECG_LEAD_V1 = "ecg-lead-v1",
        /// ECG lead V2.
        ECG_LEAD_V2 = "ecg-lead-v2",
        /// ECG lead V3.
        ECG_LEAD_V3 = "ecg-lead-v3",
        /// ECG lead V4.
        ECG_LEAD_V4 = "ecg-lead-v4",
        /// ECG lead V5.
        ECG_LEAD_V5 = "ecg-lead-v5",
        /// ECG lead V6.
        ECG_LEAD_V6 = "ecg-lead-v6",
        /// ECG, lead not specified.
        ECG_LEAD_UNSPECIFIED = "ecg-lead-unspecified",
        /// Plethysmogram.
        PLETHYSMOGRAM = "plethysmogram",
    }
}
