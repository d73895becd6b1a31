//! Between the SDK's types, which judge a decoder's answers, and the host's, which runs it.

use afferent_plugin_sdk as sdk;
use plugin_host as host;

fn pairs(pairs: &[sdk::NameValue]) -> Vec<host::NameValue> {
    pairs.iter().map(|pair| host::NameValue { name: pair.name.clone(), value: pair.value.clone() }).collect()
}

fn back(pairs: Vec<host::NameValue>) -> Vec<sdk::NameValue> {
    pairs.into_iter().map(|pair| sdk::NameValue { name: pair.name, value: pair.value }).collect()
}

/// What the host gives to a decoder.
pub(crate) fn input(input: &sdk::Input) -> host::Input {
    host::Input {
        model: input.model.clone(),
        frames: input
            .frames
            .iter()
            .map(|frame| host::Frame {
                channel: frame.channel.clone(),
                data: frame.data.clone(),
                captured_at_ms: frame.captured_at_ms,
                extra: pairs(&frame.extra),
            })
            .collect(),
        content_type: input.content_type.clone(),
        received_at_ms: input.received_at_ms,
        time_zone: input.time_zone.clone(),
        variables: pairs(&input.variables),
        extra: pairs(&input.extra),
    }
}

fn sdk_input(input: host::Input) -> sdk::Input {
    let mut given = sdk::Input::new(&input.model, "", []);
    given.frames = input.frames.into_iter().map(frame).collect();
    given.content_type = input.content_type;
    given.received_at_ms = input.received_at_ms;
    given.time_zone = input.time_zone;
    given.variables = back(input.variables);
    given.extra = back(input.extra);
    given
}

fn frame(frame: host::Frame) -> sdk::Frame {
    sdk::Frame {
        channel: frame.channel,
        data: frame.data,
        captured_at_ms: frame.captured_at_ms,
        extra: back(frame.extra),
    }
}

/// What a decoder says of itself, for the judge.
pub(crate) fn manifest(manifest: host::Manifest) -> sdk::Manifest {
    let mut told = sdk::Manifest::new(&manifest.name, &manifest.vendor, &manifest.version)
        .license(&manifest.license)
        .description(&manifest.description);
    for model in &manifest.models {
        let channels: Vec<&str> = model.channels.iter().map(String::as_str).collect();
        let variables: Vec<&str> = model.variables.iter().map(String::as_str).collect();
        told = told.model(&model.name, &model.title, &channels).model_variables(&variables);
    }
    for example in manifest.examples {
        let values: Vec<&str> = example.values.iter().map(String::as_str).collect();
        told = told.example(&example.name, sdk_input(example.input), &example.outcome, &values);
    }
    told.kinds = manifest.kinds;
    told.flags = manifest.flags;
    told.warnings = manifest.warnings;
    told.extra = back(manifest.extra);
    told
}

fn decimal(decimal: host::Decimal) -> sdk::Decimal {
    sdk::Decimal::new(decimal.mantissa, decimal.exponent)
}

fn coding(coding: host::Coding) -> sdk::Coding {
    sdk::Coding { system: coding.system, code: coding.code, display: coding.display, extra: Vec::new() }
}

fn value(value: host::Value) -> sdk::Value {
    match value {
        host::Value::None => sdk::Value::None,
        host::Value::Quantity(quantity) => {
            let mut told = sdk::Value::decimal(decimal(quantity.value), &quantity.unit);
            if let sdk::Value::Quantity(told) = &mut told {
                told.comparator = quantity.comparator;
            }
            told
        }
        host::Value::Coded(of) => sdk::Value::Coded(coding(of)),
        host::Value::Text(text) => sdk::Value::Text(text),
        host::Value::Boolean(boolean) => sdk::Value::Boolean(boolean),
        host::Value::Integer(integer) => sdk::Value::Integer(integer),
        host::Value::Sampled(sampled) => sdk::Value::Sampled(sdk::SampledData {
            origin: decimal(sampled.origin),
            period_ms: decimal(sampled.period_ms),
            factor: decimal(sampled.factor),
            unit: sampled.unit,
            lower_limit: sampled.lower_limit.map(decimal),
            upper_limit: sampled.upper_limit.map(decimal),
            dimensions: sampled.dimensions,
            samples: sampled.samples,
            extra: Vec::new(),
        }),
        host::Value::Absent(reason) => sdk::Value::Absent(reason),
    }
}

fn time(time: host::DeviceTime) -> sdk::DeviceTime {
    match time {
        host::DeviceTime::None => sdk::DeviceTime::None,
        host::DeviceTime::Local(text) => sdk::DeviceTime::Local(text),
        host::DeviceTime::Zoned(text) => sdk::DeviceTime::Zoned(text),
        host::DeviceTime::BeforeCapture(ms) => sdk::DeviceTime::BeforeCapture(ms),
    }
}

fn reading(reading: host::Reading) -> sdk::Reading {
    let mut told = sdk::Reading::new(&reading.kind, value(reading.value));
    told.codings = reading.codings.into_iter().map(coding).collect();
    told.components = reading
        .components
        .into_iter()
        .map(|part| sdk::Component {
            kind: part.kind,
            codings: part.codings.into_iter().map(coding).collect(),
            value: value(part.value),
            extra: back(part.extra),
        })
        .collect();
    told.time = time(reading.time);
    told.time_end = time(reading.time_end);
    told.clock_state = reading.clock_state;
    told.body_site = reading.body_site;
    told.method = reading.method;
    told.context = back(reading.context);
    told.flags = reading.flags;
    told.user_slot = reading.user_slot;
    told.device_identity = back(reading.device_identity);
    told.record_key = reading.record_key;
    told.on_change = match reading.on_change {
        host::OnChange::Replace => sdk::OnChange::Replace,
        host::OnChange::Distinct => sdk::OnChange::Distinct,
        host::OnChange::Conflict => sdk::OnChange::Conflict,
    };
    told.extra = back(reading.extra);
    told
}

fn facts(facts: Vec<host::DeviceFact>) -> Vec<sdk::DeviceFact> {
    let fact =
        |fact: host::DeviceFact| sdk::DeviceFact { kind: fact.kind, value: value(fact.value), extra: back(fact.extra) };
    facts.into_iter().map(fact).collect()
}

fn decoded(decoded: host::Decoded) -> sdk::Decoded {
    let mut told = sdk::Decoded::from(decoded.readings.into_iter().map(reading).collect::<Vec<_>>());
    told.facts = facts(decoded.facts);
    for warning in decoded.warnings {
        told = told.warning(&warning.code, &warning.message);
    }
    told.extra = back(decoded.extra);
    told
}

fn nothing(nothing: host::Nothing) -> sdk::Nothing {
    let mut told = sdk::Nothing::because(&nothing.reason, &nothing.message);
    told.facts = facts(nothing.facts);
    for warning in nothing.warnings {
        told = told.warning(&warning.code, &warning.message);
    }
    told.extra = back(nothing.extra);
    told
}

fn error(error: host::DecodeError) -> sdk::DecodeError {
    let mut told = match error.kind {
        host::ErrorKind::Malformed => sdk::DecodeError::malformed(error.message),
        host::ErrorKind::Unsupported => sdk::DecodeError::unsupported(error.message),
        host::ErrorKind::NotForMe => sdk::DecodeError::not_for_me(error.message),
    };
    (told.offset, told.path, told.extra) = (error.offset, error.path, back(error.extra));
    told
}

fn incomplete(incomplete: host::Incomplete) -> sdk::Incomplete {
    sdk::Incomplete { reason: incomplete.reason, extra: back(incomplete.extra) }
}

/// A device's decoder's answer, for the judge.
pub(crate) fn outcome(outcome: host::Outcome) -> sdk::Outcome {
    match outcome {
        host::Outcome::Readings(of) => sdk::Outcome::Readings(decoded(of)),
        host::Outcome::Incomplete(of) => sdk::Outcome::Incomplete(incomplete(of)),
        host::Outcome::Nothing(of) => sdk::Outcome::Nothing(nothing(of)),
        host::Outcome::Error(of) => sdk::Outcome::Error(error(of)),
    }
}

/// A hub's decoder's answer, for the judge.
pub(crate) fn hub_outcome(outcome: host::HubOutcome) -> sdk::HubOutcome {
    match outcome {
        host::HubOutcome::Items(items) => sdk::HubOutcome::Items(items.into_iter().map(item).collect()),
        host::HubOutcome::Incomplete(of) => sdk::HubOutcome::Incomplete(incomplete(of)),
        host::HubOutcome::Nothing(of) => sdk::HubOutcome::Nothing(nothing(of)),
        host::HubOutcome::Error(of) => sdk::HubOutcome::Error(error(of)),
    }
}

fn item(item: host::HubItem) -> sdk::HubItem {
    let content = match item.content {
        host::HubContent::Frame(of) => sdk::HubContent::Frame(frame(of)),
        host::HubContent::Readings(of) => sdk::HubContent::Readings(decoded(of)),
        host::HubContent::Nothing(of) => sdk::HubContent::Nothing(nothing(of)),
        host::HubContent::Error(of) => sdk::HubContent::Error(error(of)),
    };
    sdk::HubItem { device: item.device, item_id: item.item_id, content, extra: back(item.extra) }
}
