//! Decoder for Renpho scales that speak Weight Measurement (0x2A9D) and Body Composition Measurement (0x2A9C) with deviations
//! of their own: steps of 0.05 kg, and a composition of which only the impedance can be trusted.

mod es_wbe28;

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{
    DecodeError, Decoder, Frame, Input, Manifest, Outcome, bluetooth_characteristic, join_outcomes,
};
use es_wbe28::{Impedance, Weight};

/// The decoder; a pure function over the frames of one uplink.
pub struct Renpho;

afferent_plugin_sdk::export_decoder!(Renpho);

const WEIGHT: u16 = 0x2A9D;
const COMPOSITION: u16 = 0x2A9C;

/// Name, title and channels of each model. The first channel is meant where a frame does not say, but for the product.
const MODELS: &[(&str, &str, &[&str])] = &[
    ("renpho-es-wbe28", "Renpho Elis 1 (ES-WBE28), scale", &["2A9D", "2A9C"]),
    ("renpho-vendor-2A9D", "Renpho scale, its variant of Weight Measurement (0x2A9D)", &["2A9D", "2A9C"]),
    ("renpho-vendor-2A9C", "Renpho scale, its variant of Body Composition Measurement (0x2A9C)", &["2A9C", "2A9D"]),
];

const A_WEIGHT: &[u8] = &[0x4E, 0x6A, 0x07, 0xEA, 0x07, 7, 4, 0x0C, 0x1A, 6, 0xAA, 0, 0, 0, 0];
#[rustfmt::skip]
const AN_IMPEDANCE: &[u8] = &[
    0x0C, 2, 0xF9, 1, 0xF7, 1, 0x44, 0, 0x0D, 0xEC, 0, 0xA5, 0, 0x29, 0, 0x91, 2, 6, 0,
];

impl Decoder for Renpho {
    fn describe() -> Manifest {
        let mut manifest = Manifest::new("renpho", "Afferent", env!("CARGO_PKG_VERSION"))
            .license("Apache-2.0")
            .description("Weight and impedance of Renpho scales that deviate from the Bluetooth SIG's layouts.")
            .kinds(&[kinds::BODY_WEIGHT, kinds::BODY_IMPEDANCE]);
        for (name, title, channels) in MODELS {
            let standard = Input::new(
                name,
                "2A9D",
                [0x0E, 0x78, 0x3E, 0xEA, 0x07, 5, 0x0C, 0x12, 0x35, 0x36, 1, 0xEE, 0, 0x26, 7],
            );
            manifest = manifest
                .model(name, title, channels)
                .example(
                    &format!("{name}: a weight"),
                    Input::new(name, "2A9D", A_WEIGHT),
                    "readings",
                    &["body-weight 94.90 kg"],
                )
                .example(
                    &format!("{name}: an impedance"),
                    Input::new(name, "2A9C", AN_IMPEDANCE),
                    "readings",
                    &["body-impedance 332.8 Ohm"],
                )
                .example(&format!("{name}: the steps of others"), standard, "error", &[])
                .example(&format!("{name}: truncated"), Input::new(name, "2A9D", &A_WEIGHT[..14]), "error", &[]);
        }
        manifest
    }

    /// A weight and the impedance that follows it are one measurement, with the weight's time, slot and key.
    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let Some((_, _, channels)) = MODELS.iter().find(|(name, _, _)| *name == input.model) else {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        };
        let mut together: Option<Outcome> = None;
        let mut before: Option<Weight> = None;
        for (index, frame) in input.frames.iter().enumerate() {
            let decoded = decode_frame(channels, frame, &mut before);
            let mut outcome =
                decoded.map_err(|error| if input.frames.len() == 1 { error } else { in_frame(index, error) })?;
            if let (Outcome::Readings(decoded), 2..) = (&mut outcome, input.frames.len()) {
                decoded.from_frame(index);
            }
            together = Some(match together {
                Some(before) => join_outcomes(before, outcome),
                None => outcome,
            });
        }
        together.ok_or_else(|| DecodeError::malformed("there is no frame"))
    }
}

/// Decodes a frame; a weight is remembered for the impedance that comes next.
fn decode_frame(channels: &[&str], frame: &Frame, before: &mut Option<Weight>) -> Result<Outcome, DecodeError> {
    let spoken = match (frame.channel.as_str(), channels) {
        ("", [first, ..]) => bluetooth_characteristic(first),
        (channel, _) => bluetooth_characteristic(channel),
    };
    match spoken {
        Some(WEIGHT) => {
            let weight = Weight::read(&frame.data)?;
            let outcome = weight.outcome();
            *before = Some(weight);
            Ok(outcome)
        }
        Some(COMPOSITION) => Ok(Impedance::read(&frame.data)?.outcome(before.as_ref())),
        _ => Err(DecodeError::unsupported("the channel is not a characteristic of this model")),
    }
}

fn in_frame(index: usize, mut error: DecodeError) -> DecodeError {
    error.message = format!("frame {}: {}", index + 1, error.message);
    error
}
