//! What every generation of the contract is called by, and its types as the host's own.
//!
//! The two macros are written out for the bindings of each generation: their types are distinct to the compiler, and have the
//! same names and fields as far as the host reads them. A generation that differs gets conversions of its own, and these stay
//! as they are.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower};

use crate::guest::Guest;

/// Checks a function's type without running anything of the component.
pub(super) fn has<P, R>(linked: &InstancePre<Guest>, interface: &str, function: &str) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let engine = linked.engine();
    let ty = linked.component().component_type();
    let Some(ComponentItem::ComponentInstance(instance)) = ty.get_export(engine, interface).map(|item| item.ty) else {
        return Err(wasmtime::Error::msg(format!("`{interface}` is no interface")));
    };
    match instance.get_export(engine, function).map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(found)) => found
            .typecheck::<P, R>(&linked.instance_type())
            .map_err(|error| error.context(format!("the function `{function}`"))),
        _ => Err(wasmtime::Error::msg(format!("the function `{function}` is missing"))),
    }
}

/// Converts a list.
pub(super) fn all<A, B: From<A>>(list: Vec<A>) -> Vec<B> {
    list.into_iter().map(Into::into).collect()
}

/// Copies a list that the caller keeps.
pub(super) fn copied<'a, A, B: From<&'a A>>(list: &'a [A]) -> Vec<B> {
    list.iter().map(Into::into).collect()
}

/// The worlds of the generation whose `bindings` stand in the calling module.
macro_rules! worlds {
    () => {
        use wasmtime::Store;
        use wasmtime::component::InstancePre;

        use self::bindings::afferent::decoder::types as wit;
        use super::generation::has;
        use super::{DecoderInstance, DecoderWorld};
        use crate::guest::Guest;
        use crate::{HubOutcome, Input, Manifest, Outcome};

        /// A device decoder, linked, when the functions of the interface have the contract's types.
        pub(super) fn device(linked: InstancePre<Guest>, interface: &str) -> wasmtime::Result<Box<dyn DecoderWorld>> {
            has::<(), (wit::Manifest,)>(&linked, interface, "describe")?;
            has::<(&wit::Input,), (wit::Outcome,)>(&linked, interface, "decode")?;
            Ok(Box::new(bindings::DecoderPre::new(linked)?))
        }

        /// A hub decoder, linked, when the functions of the interface have the contract's types.
        pub(super) fn hub(linked: InstancePre<Guest>, interface: &str) -> wasmtime::Result<Box<dyn DecoderWorld>> {
            has::<(), (wit::Manifest,)>(&linked, interface, "describe")?;
            has::<(&wit::Input,), (wit::HubOutcome,)>(&linked, interface, "split")?;
            Ok(Box::new(bindings::hub::HubDecoderPre::new(linked)?))
        }

        impl DecoderWorld for bindings::DecoderPre<Guest> {
            fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Box<dyn DecoderInstance>> {
                Ok(Box::new(bindings::DecoderPre::instantiate(self, store)?))
            }
        }

        impl DecoderWorld for bindings::hub::HubDecoderPre<Guest> {
            fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Box<dyn DecoderInstance>> {
                Ok(Box::new(bindings::hub::HubDecoderPre::instantiate(self, store)?))
            }
        }

        impl DecoderInstance for bindings::Decoder {
            fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Manifest> {
                self.afferent_decoder_device().call_describe(store).map(Into::into)
            }

            fn decode(&self, store: &mut Store<Guest>, input: &Input) -> wasmtime::Result<Outcome> {
                self.afferent_decoder_device().call_decode(store, &input.into()).map(Into::into)
            }

            fn split(&self, _store: &mut Store<Guest>, _input: &Input) -> wasmtime::Result<HubOutcome> {
                Err(wasmtime::Error::msg("a device decoder has no `split`"))
            }
        }

        impl DecoderInstance for bindings::hub::HubDecoder {
            fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Manifest> {
                self.afferent_decoder_hub().call_describe(store).map(Into::into)
            }

            fn decode(&self, _store: &mut Store<Guest>, _input: &Input) -> wasmtime::Result<Outcome> {
                Err(wasmtime::Error::msg("a hub decoder has no `decode`"))
            }

            fn split(&self, store: &mut Store<Guest>, input: &Input) -> wasmtime::Result<HubOutcome> {
                self.afferent_decoder_hub().call_split(store, &input.into()).map(Into::into)
            }
        }
    };
}
pub(super) use worlds;

/// The types of a generation into the host's own, and the input the other way. Everything moves; only the input is copied,
/// because it is the caller's. What a guest says beyond the host's own fields (in an `extra` that nobody reads) is dropped.
macro_rules! conversions {
    () => {
        use super::generation::{all, copied};
        use crate::types as host;

        impl From<wit::Decimal> for host::Decimal {
            fn from(from: wit::Decimal) -> Self {
                Self { mantissa: from.mantissa, exponent: from.exponent }
            }
        }

        impl From<wit::NameValue> for host::NameValue {
            fn from(from: wit::NameValue) -> Self {
                Self { name: from.name, value: from.value }
            }
        }

        impl From<wit::Coding> for host::Coding {
            fn from(from: wit::Coding) -> Self {
                Self { system: from.system, code: from.code, display: from.display }
            }
        }

        impl From<wit::Quantity> for host::Quantity {
            fn from(from: wit::Quantity) -> Self {
                Self { value: from.value.into(), unit: from.unit, comparator: from.comparator }
            }
        }

        impl From<wit::SampledData> for host::SampledData {
            fn from(from: wit::SampledData) -> Self {
                Self {
                    origin: from.origin.into(),
                    period_ms: from.period_ms.into(),
                    factor: from.factor.into(),
                    unit: from.unit,
                    lower_limit: from.lower_limit.map(Into::into),
                    upper_limit: from.upper_limit.map(Into::into),
                    dimensions: from.dimensions,
                    samples: from.samples,
                }
            }
        }

        impl From<wit::Value> for host::Value {
            fn from(from: wit::Value) -> Self {
                match from {
                    wit::Value::None => Self::None,
                    wit::Value::Quantity(quantity) => Self::Quantity(quantity.into()),
                    wit::Value::Coded(coding) => Self::Coded(coding.into()),
                    wit::Value::Text(text) => Self::Text(text),
                    wit::Value::Boolean(boolean) => Self::Boolean(boolean),
                    wit::Value::Integer(integer) => Self::Integer(integer),
                    wit::Value::Sampled(sampled) => Self::Sampled(sampled.into()),
                    wit::Value::Absent(reason) => Self::Absent(reason),
                }
            }
        }
        impl From<wit::DeviceTime> for host::DeviceTime {
            fn from(from: wit::DeviceTime) -> Self {
                match from {
                    wit::DeviceTime::None => Self::None,
                    wit::DeviceTime::Local(text) => Self::Local(text),
                    wit::DeviceTime::Zoned(text) => Self::Zoned(text),
                    wit::DeviceTime::BeforeCapture(milliseconds) => Self::BeforeCapture(milliseconds),
                }
            }
        }
        impl From<wit::OnChange> for host::OnChange {
            fn from(from: wit::OnChange) -> Self {
                match from {
                    wit::OnChange::Replace => Self::Replace,
                    wit::OnChange::Distinct => Self::Distinct,
                    wit::OnChange::Conflict => Self::Conflict,
                }
            }
        }

        impl From<wit::Component> for host::Component {
            fn from(from: wit::Component) -> Self {
                Self { kind: from.kind, codings: all(from.codings), value: from.value.into(), extra: all(from.extra) }
            }
        }

        impl From<wit::Reading> for host::Reading {
            fn from(from: wit::Reading) -> Self {
                Self {
                    kind: from.kind,
                    codings: all(from.codings),
                    value: from.value.into(),
                    components: all(from.components),
                    time: from.time.into(),
                    time_end: from.time_end.into(),
                    clock_state: from.clock_state,
                    body_site: from.body_site,
                    method: from.method,
                    context: all(from.context),
                    flags: from.flags,
                    user_slot: from.user_slot,
                    device_identity: all(from.device_identity),
                    record_key: from.record_key,
                    on_change: from.on_change.into(),
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::DeviceFact> for host::DeviceFact {
            fn from(from: wit::DeviceFact) -> Self {
                Self { kind: from.kind, value: from.value.into(), extra: all(from.extra) }
            }
        }

        impl From<wit::Warning> for host::Warning {
            fn from(from: wit::Warning) -> Self {
                Self { code: from.code, message: from.message }
            }
        }

        impl From<wit::Decoded> for host::Decoded {
            fn from(from: wit::Decoded) -> Self {
                Self {
                    readings: all(from.readings),
                    facts: all(from.facts),
                    warnings: all(from.warnings),
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::Incomplete> for host::Incomplete {
            fn from(from: wit::Incomplete) -> Self {
                Self { reason: from.reason, extra: all(from.extra) }
            }
        }

        impl From<wit::Nothing> for host::Nothing {
            fn from(from: wit::Nothing) -> Self {
                Self {
                    reason: from.reason,
                    message: from.message,
                    facts: all(from.facts),
                    warnings: all(from.warnings),
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::ErrorKind> for host::ErrorKind {
            fn from(from: wit::ErrorKind) -> Self {
                match from {
                    wit::ErrorKind::Malformed => Self::Malformed,
                    wit::ErrorKind::Unsupported => Self::Unsupported,
                    wit::ErrorKind::NotForMe => Self::NotForMe,
                }
            }
        }

        impl From<wit::DecodeError> for host::DecodeError {
            fn from(from: wit::DecodeError) -> Self {
                Self {
                    kind: from.kind.into(),
                    message: from.message,
                    offset: from.offset,
                    path: from.path,
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::Outcome> for host::Outcome {
            fn from(from: wit::Outcome) -> Self {
                match from {
                    wit::Outcome::Readings(decoded) => Self::Readings(decoded.into()),
                    wit::Outcome::Incomplete(incomplete) => Self::Incomplete(incomplete.into()),
                    wit::Outcome::Nothing(nothing) => Self::Nothing(nothing.into()),
                    wit::Outcome::Error(error) => Self::Error(error.into()),
                }
            }
        }

        impl From<wit::Frame> for host::Frame {
            fn from(from: wit::Frame) -> Self {
                Self {
                    channel: from.channel,
                    data: from.data,
                    captured_at_ms: from.captured_at_ms,
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::Input> for host::Input {
            fn from(from: wit::Input) -> Self {
                Self {
                    model: from.model,
                    frames: all(from.frames),
                    content_type: from.content_type,
                    received_at_ms: from.received_at_ms,
                    time_zone: from.time_zone,
                    variables: all(from.variables),
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::Model> for host::Model {
            fn from(from: wit::Model) -> Self {
                Self { name: from.name, title: from.title, channels: from.channels, variables: from.variables }
            }
        }

        impl From<wit::Example> for host::Example {
            fn from(from: wit::Example) -> Self {
                Self { name: from.name, input: from.input.into(), outcome: from.outcome, values: from.values }
            }
        }

        impl From<wit::Manifest> for host::Manifest {
            fn from(from: wit::Manifest) -> Self {
                Self {
                    name: from.name,
                    vendor: from.vendor,
                    version: from.version,
                    license: from.license,
                    description: from.description,
                    models: all(from.models),
                    kinds: from.kinds,
                    flags: from.flags,
                    warnings: from.warnings,
                    examples: all(from.examples),
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::HubContent> for host::HubContent {
            fn from(from: wit::HubContent) -> Self {
                match from {
                    wit::HubContent::Frame(frame) => Self::Frame(frame.into()),
                    wit::HubContent::Readings(decoded) => Self::Readings(decoded.into()),
                    wit::HubContent::Nothing(nothing) => Self::Nothing(nothing.into()),
                    wit::HubContent::Error(error) => Self::Error(error.into()),
                }
            }
        }

        impl From<wit::HubItem> for host::HubItem {
            fn from(from: wit::HubItem) -> Self {
                Self {
                    device: from.device,
                    item_id: from.item_id,
                    content: from.content.into(),
                    extra: all(from.extra),
                }
            }
        }

        impl From<wit::HubOutcome> for host::HubOutcome {
            fn from(from: wit::HubOutcome) -> Self {
                match from {
                    wit::HubOutcome::Items(items) => Self::Items(all(items)),
                    wit::HubOutcome::Incomplete(incomplete) => Self::Incomplete(incomplete.into()),
                    wit::HubOutcome::Nothing(nothing) => Self::Nothing(nothing.into()),
                    wit::HubOutcome::Error(error) => Self::Error(error.into()),
                }
            }
        }

        impl From<&host::NameValue> for wit::NameValue {
            fn from(from: &host::NameValue) -> Self {
                Self { name: from.name.clone(), value: from.value.clone() }
            }
        }

        impl From<&host::Frame> for wit::Frame {
            fn from(from: &host::Frame) -> Self {
                Self {
                    channel: from.channel.clone(),
                    data: from.data.clone(),
                    captured_at_ms: from.captured_at_ms,
                    extra: copied(&from.extra),
                }
            }
        }

        impl From<&host::Input> for wit::Input {
            fn from(from: &host::Input) -> Self {
                Self {
                    model: from.model.clone(),
                    frames: copied(&from.frames),
                    content_type: from.content_type.clone(),
                    received_at_ms: from.received_at_ms,
                    time_zone: from.time_zone.clone(),
                    variables: copied(&from.variables),
                    extra: copied(&from.extra),
                }
            }
        }
    };
}
pub(super) use conversions;
