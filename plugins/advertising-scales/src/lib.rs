//! Decoder for scales that connect to nobody and say their weight in advertisements: Amazfit, Senssun, Xiaogui and
//! MaxxMee, Laica. A frame is the HCI advertising report in which a Bluetooth controller heard it, or the advertising
//! data alone, as many gateways give it.

mod amazfit;
mod laica;
mod manifest;
mod senssun;
mod xiaogui;

use afferent_plugin_sdk::registry::{device_identity, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    Advertisement, BluetoothAddress, Decimal, DecodeError, Decoder, Input, Manifest, Nothing, Outcome, Reading, Value,
    each_frame,
};

/// The decoder; a pure function over the frames of one uplink.
pub struct AdvertisingScales;

afferent_plugin_sdk::export_decoder!(AdvertisingScales);

/// A maker's reader: nothing where the advertisement is not of its kind.
type Maker = fn(&Advertisement<'_>) -> Option<Result<Outcome, DecodeError>>;

impl Decoder for AdvertisingScales {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let makers: &[Maker] = match input.model.as_str() {
            "hci-adv-scale" => &[amazfit::decode, senssun::decode, xiaogui::decode, laica::decode],
            "amazfit-smart-scale" => &[amazfit::decode],
            "senssun-if-b7" => &[senssun::decode],
            "xiaogui-tzc4" | "maxxmee-qj-j" => &[xiaogui::decode],
            "laica-smart-scale" => &[laica::decode],
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        each_frame(input, |frame| decode_frame(&frame.data, input, makers))
    }
}

fn decode_frame(data: &[u8], input: &Input, makers: &[Maker]) -> Result<Outcome, DecodeError> {
    let advertisement = if Advertisement::is_hci_report(data) {
        Advertisement::from_hci_report(data)?
    } else {
        Advertisement::from_structures(data)?
    };
    if let (Some(text), Some(sender)) = (input.variable("mac").filter(|text| !text.is_empty()), advertisement.address) {
        let known = BluetoothAddress::parse(text).ok_or_else(|| {
            DecodeError::unsupported("the variable `mac` is no Bluetooth address: twelve hexadecimal digits")
        })?;
        if known != sender {
            return Err(DecodeError::not_for_me("the advertisement has another address than the variable `mac`"));
        }
    }
    let found = makers.iter().find_map(|maker| maker(&advertisement));
    let mut outcome =
        found.unwrap_or_else(|| Err(DecodeError::not_for_me("the advertisement is of none of these scales")))?;
    if let (Outcome::Readings(decoded), Some(sender), true) =
        (&mut outcome, advertisement.address, advertisement.address_is_stable)
    {
        for reading in &mut decoded.readings {
            *reading = reading.clone().device_identity(device_identity::ADDRESS, sender.to_string());
        }
    }
    Ok(outcome)
}

fn quantity(mantissa: i64, exponent: i32, unit: &str) -> Value {
    Value::decimal(Decimal::new(mantissa, exponent), unit)
}

fn impedance(mantissa: u16, exponent: i32) -> Reading {
    let value = quantity(i64::from(mantissa), exponent, "Ohm");
    Reading::new(kinds::BODY_IMPEDANCE, value).method(methods::BIOIMPEDANCE)
}

fn nobody() -> Outcome {
    Nothing::because(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale").into()
}

fn not_final() -> Outcome {
    Nothing::because(nothing_reasons::NOT_FINAL, "the scale has not come to rest").into()
}

/// The address inside the payload must be the sender's: otherwise it is not this layout.
fn same_address(said: &[u8], advertisement: &Advertisement<'_>) -> Result<(), DecodeError> {
    match advertisement.address {
        Some(sender) if sender.0 != said => {
            Err(DecodeError::malformed("the address in the data is not that of the sender"))
        }
        _ => Ok(()),
    }
}
