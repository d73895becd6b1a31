//! Decoder for Xiaomi's scales, thermometers and bands: what they say in advertisements and in their scale records.
//!
//! | model | what it reads |
//! |---|---|
//! | `xiaomi-miscale-v1`, `xiaomi-miscale-v2` | the Mi scales' records (service data of 0x181D and 0x181B) |
//! | `xiaomi-mibeacon`, and one model a product | MiBeacon advertisements (service data of 0xFE95), plain and encrypted |
//! | `miband-adv` | the bands' advertisements |

mod manifest;
mod miband;
mod mibeacon;
mod miscale;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};
use mibeacon::Product;

/// The decoder; a pure function over the frames of one uplink.
pub struct Xiaomi;

afferent_plugin_sdk::export_decoder!(Xiaomi);

impl Decoder for Xiaomi {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let products: &[Product] = match input.model.as_str() {
            "xiaomi-miscale-v1" => return each_frame(input, |frame| miscale::decode_v1(&frame.data)),
            "xiaomi-miscale-v2" => return each_frame(input, |frame| miscale::decode_v2(&frame.data)),
            "miband-adv" => return each_frame(input, |frame| miband::decode(frame, input)),
            "xiaomi-mibeacon" => Product::ALL,
            "xiaomi-s200" => &[Product::S200],
            "xiaomi-s400" => &[Product::S400],
            "xiaomi-mmc-t201" => &[Product::BabyThermometer],
            "xiaomi-mmc-w505" => &[Product::BodyThermometer],
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        each_frame(input, |frame| mibeacon::decode(&frame.data, input, products))
    }
}
