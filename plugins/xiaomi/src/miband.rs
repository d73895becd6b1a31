//! Mi Band and its relatives, from their advertisements: the heart rate of the running activity, and the steps of the day.
//!
//! Manufacturer data of Huami (company 0x0157), 26 bytes with the company: `57 01 | 02 | 2 bytes | heart rate u8 | 13
//! bytes | tail u8 | address 6`, the heart rate 0xFF when none is measured. Service data of 0xFEE0, 4 bytes: steps u32.
//!
//! Three ways to say it: an HCI advertising report with both; the manufacturer data as a frame, with the service data in
//! a frame of the channel `FEE0`; or the service data in the variable `service_data_fee0`, as hexadecimal digits.

use afferent_plugin_sdk::registry::{device_identity, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    Advertisement, BluetoothAddress, Decimal, DecodeError, Frame, Input, Nothing, Outcome, Reader, Reading, Value,
    bluetooth_characteristic,
};

const HUAMI: u16 = 0x0157;
const STEPS_SERVICE: u16 = 0xFEE0;
/// The form of the manufacturer data that has a heart rate.
const WITH_HEART_RATE: u8 = 0x02;
/// Rates from here on stand for none; 0 as well.
const NO_RATE: u8 = 0xF0;
const STEPS_VARIABLE: &str = "service_data_fee0";

/// The heart rate and the steps that an advertisement shows.
///
/// # Errors
///
/// It is another device's advertisement, truncated, or of another length.
pub fn decode(frame: &Frame, input: &Input) -> Result<Outcome, DecodeError> {
    if bluetooth_characteristic(&frame.channel) == Some(STEPS_SERVICE) {
        return Ok(outcome(None, Some(steps(&frame.data)?), None));
    }
    if Advertisement::is_hci_report(&frame.data) {
        let report = Advertisement::from_hci_report(&frame.data)?;
        let Some((_, data)) = report.manufacturer_data().find(|(company, _)| *company == HUAMI) else {
            return Err(DecodeError::not_for_me("the advertisement is not of a band"));
        };
        let (rate, address) = manufacturer_data(data)?;
        let stepped = report.service_data(STEPS_SERVICE).map(steps).transpose()?;
        return Ok(outcome(rate, stepped, Some(address)));
    }
    let mut reader = Reader::new(&frame.data);
    if reader.u16_le()? != HUAMI {
        return Err(DecodeError::not_for_me("the manufacturer data is not of a band").at(0));
    }
    let (rate, address) = manufacturer_data(reader.bytes(reader.remaining())?)?;
    let told = input.variable(STEPS_VARIABLE).filter(|digits| !digits.is_empty());
    let told = told.map(|digits| steps(&Input::hex("", "", digits).frames.remove(0).data));
    let told =
        told.transpose().map_err(|error| DecodeError::malformed(format!("`{STEPS_VARIABLE}`: {}", error.message)));
    Ok(outcome(rate, told?, Some(address)))
}

/// The heart rate, if there is one, and the address at the end.
fn manufacturer_data(data: &[u8]) -> Result<(Option<u8>, BluetoothAddress), DecodeError> {
    let mut reader = Reader::new(data);
    let form = reader.u8()?;
    reader.bytes(2)?;
    let rate = reader.u8()?;
    reader.bytes(13 + 1)?;
    let mut address = [0; 6];
    address.iter_mut().zip(reader.bytes(6)?).for_each(|(place, octet)| *place = *octet);
    reader.finish()?;
    let measured = form == WITH_HEART_RATE && (1..NO_RATE).contains(&rate);
    Ok((measured.then_some(rate), BluetoothAddress(address)))
}

fn steps(data: &[u8]) -> Result<u32, DecodeError> {
    let mut reader = Reader::new(data);
    let steps = reader.u32_le()?;
    reader.finish()?;
    Ok(steps)
}

fn outcome(rate: Option<u8>, steps: Option<u32>, address: Option<BluetoothAddress>) -> Outcome {
    let number = |value: i64, unit: &str| Value::decimal(Decimal::new(value, 0), unit);
    let rate = rate.map(|rate| Reading::new(kinds::HEART_RATE, number(i64::from(rate), "/min")));
    let steps =
        steps.map(|steps| Reading::new(kinds::STEPS, number(i64::from(steps), "{steps}")).method(methods::PEDOMETER));
    let claimed = |reading: Reading| match address {
        Some(address) => reading.device_identity(device_identity::ADDRESS, address.to_string()),
        None => reading,
    };
    let readings: Vec<Reading> = [rate, steps].into_iter().flatten().map(claimed).collect();
    if readings.is_empty() {
        return Nothing::because(nothing_reasons::NO_MEASUREMENT, "neither a heart rate nor steps").into();
    }
    readings.into()
}
