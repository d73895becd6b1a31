//! Decoder for what the transmitters of Dexcom G5 and G6 say over Bluetooth, as the wearer's own phone hears it: the
//! current glucose (`dexcom-g5-rx`) and the readings that were missed (`dexcom-backfill`). What Dexcom's cloud says has
//! another decoder.

mod backfill;
mod checksum;
mod glucose;
mod live;
mod manifest;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

/// The decoder; a pure function over the frames of one uplink.
pub struct DexcomTransmitter;

afferent_plugin_sdk::export_decoder!(DexcomTransmitter);

impl Decoder for DexcomTransmitter {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let activated = glucose::activated(input)?;
        match input.model.as_str() {
            "dexcom-g5-rx" => each_frame(input, |frame| live::decode(&frame.data, activated)),
            "dexcom-backfill" => backfill::decode(input, activated),
            // A transmitter as the phone hears it: the frames of a backfill are recognised by what begins it.
            "dexcom-transmitter" => match input.frames.first().and_then(|frame| frame.data.first()) {
                Some(0x31 | 0x4F) => each_frame(input, |frame| live::decode(&frame.data, activated)),
                _ => backfill::decode(input, activated),
            },
            _ => Err(DecodeError::not_for_me("the model is none of this decoder's")),
        }
    }
}
