//! Hub decoder for two hubs of one family of payloads: the AVA4 Bluetooth hub (`ava4-hub`), whose list names a device for
//! each entry, and the Qube-Vital kiosk (`qube-vital`), which sends one device's values beside the identity of the person.
//! Both decode their devices themselves, so that each item is readings.
//!
//! Of the person's identity (`citiz`, `nameTH`, `nameEN`, `brith`, `gender`) nothing is ever read: whose a reading is, is
//! known from who wore the device.

mod manifest;
mod measurement;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{
    BluetoothAddress, DecodeError, HubContent, HubDecoder, HubItem, HubOutcome, Input, Manifest, Nothing, Timestamp,
};

use measurement::{Family, Record};

/// The decoder; a pure function over one payload.
pub struct Ava4QubeVital;

afferent_plugin_sdk::export_hub_decoder!(Ava4QubeVital);

/// What an item is called whose entry names no device.
const UNNAMED: &str = "unnamed";

impl HubDecoder for Ava4QubeVital {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn split(input: &Input) -> Result<HubOutcome, DecodeError> {
        let items: fn(Json<'_>) -> Result<Vec<HubItem>, DecodeError> = match input.model.as_str() {
            manifest::AVA4 => of_list,
            manifest::QUBE_VITAL => of_one,
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        let document = Document::parse(input.only_frame()?)?;
        let root = document.root();
        let kind = root.required("type")?;
        match kind.text()? {
            "reportAttribute" => {}
            "HB_Msg" | "reportMsg" => {
                return Ok(Nothing::because(nothing_reasons::HEARTBEAT, "the hub says that it is alive").into());
            }
            _ => return Err(kind.unsupported("a type of message that is not known")),
        }
        let items = items(root)?;
        if items.is_empty() {
            return Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "the list of devices is empty").into());
        }
        Ok(items.into())
    }
}

/// AVA4: `data.value.device_list`, an entry a measurement, each with its device and the time of the scan.
fn of_list(root: Json<'_>) -> Result<Vec<HubItem>, DecodeError> {
    let data = root.required("data")?;
    let family = Family::of(data.required("attribute")?)?;
    let list = data.required("value")?.required("device_list")?;
    let sent = root.get("time")?;
    list.items()?.map(|entry| item(&family, "ble_addr", entry, entry, "scan_time", sent)).collect()
}

/// Qube-Vital: one device, its values, and the time of the kiosk.
fn of_one(root: Json<'_>) -> Result<Vec<HubItem>, DecodeError> {
    let data = root.required("data")?;
    let family = Family::of(data.required("attribute")?)?;
    Ok(vec![item(&family, "ble_mac", data, data.required("value")?, "scan_time", root.get("time")?)?])
}

/// One measurement. What is wrong with it is said of it alone, once it is known to be an object.
fn item(
    family: &Family<'_>,
    address: &str,
    named: Json<'_>,
    values: Json<'_>,
    time: &str,
    sent: Option<Json<'_>>,
) -> Result<HubItem, DecodeError> {
    let (name, parsed) = match named.required(address).and_then(device) {
        Ok(found) => found,
        Err(error) => return Ok(HubItem::new(UNNAMED, HubContent::Error(error))),
    };
    let content = measured_at(values, time, sent).and_then(|at| family.decode(values, &Record { address: parsed, at }));
    Ok(HubItem::new(name, content.into()).device_type(family.name))
}

/// The device as the hub writes it, and its address.
fn device(value: Json<'_>) -> Result<(&str, BluetoothAddress), DecodeError> {
    let text = value.text()?.trim();
    let address = BluetoothAddress::parse(text);
    address.map(|address| (text, address)).ok_or_else(|| value.malformed("this is no Bluetooth address"))
}

/// When it was measured: the entry's own time, else when the hub sent it; seconds since 1970, by the hub's clock.
fn measured_at(values: Json<'_>, time: &str, sent: Option<Json<'_>>) -> Result<Option<(i64, Timestamp)>, DecodeError> {
    let Some(seconds) = values.get(time)?.or(sent) else { return Ok(None) };
    let epoch = seconds.integer()?;
    let at = Timestamp::from_epoch_seconds(epoch).map_err(|error| error.at_path(seconds.path()))?;
    Ok(Some((epoch, at)))
}
