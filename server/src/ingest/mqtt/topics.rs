//! What topics mean: templates such as `afferent/devices/{device}/{channel}`, the filter that each subscribes to, and the
//! source that a topic names. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest template.
const MAX_TOPIC: usize = 1000;
/// Templates of one connection at most.
const MAX_TEMPLATES: usize = 16;
/// In place of a channel: the payload is an envelope of frames, which carry their channels themselves.
const ENVELOPE_LEVEL: &str = "json";

/// A template as it is written and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopicTemplate {
    /// Levels between slashes. One of them says who the source is: `{device}` or `{hub}` (our id), `{device-serial}` or
    /// `{hub-serial}` (the maker's). `{channel}` may be another. The rest is literal.
    pub topic: String,
    /// The channel, where no level says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// Whom a topic names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Named {
    /// A device, by our id.
    Device(String),
    /// A device, by the maker's serial.
    DeviceSerial(String),
    /// A hub, by our id.
    Hub(String),
    /// A hub, by the maker's serial.
    HubSerial(String),
}

/// What a topic means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The source.
    pub source: Named,
    /// The channel; empty where the payload is an envelope.
    pub channel: String,
    /// The payload is an envelope of frames.
    pub envelope: bool,
}

#[derive(Debug, Clone)]
enum Level {
    Literal(String),
    Source(fn(String) -> Named),
    Channel,
}

/// Templates, taken apart.
#[derive(Debug, Clone)]
pub struct Topics {
    templates: Vec<(Vec<Level>, String)>,
}

/// The templates of a connection that names none.
#[must_use]
pub fn standard(prefix: &str) -> Vec<TopicTemplate> {
    ["devices/{device}", "hubs/{hub}"]
        .map(|source| TopicTemplate { topic: format!("{prefix}/{source}/{{channel}}"), channel: None })
        .to_vec()
}

impl Topics {
    /// Takes templates apart.
    ///
    /// # Errors
    /// Which template is wrong (its place), and how.
    pub fn parse(templates: &[TopicTemplate]) -> Result<Self, (usize, String)> {
        if templates.is_empty() || templates.len() > MAX_TEMPLATES {
            return Err((0, format!("a connection has 1 to {MAX_TEMPLATES} topics")));
        }
        let parsed =
            templates.iter().enumerate().map(|(place, template)| parse(template).map_err(|wrong| (place, wrong)));
        let topics = Self { templates: parsed.collect::<Result<_, _>>()? };
        let filters = topics.filters(None);
        match filters
            .iter()
            .enumerate()
            .find(|(place, filter)| filters.iter().take(*place).any(|other| other == *filter))
        {
            Some((place, _)) => {
                Err((place, "another topic has the same levels: what comes could mean both".to_owned()))
            }
            None => Ok(topics),
        }
    }

    /// What is subscribed to; shared where the group has a name.
    #[must_use]
    pub fn filters(&self, group: Option<&str>) -> Vec<String> {
        let shared = group.map(|group| format!("$share/{group}/")).unwrap_or_default();
        let filter = |levels: &[Level]| {
            let levels: Vec<&str> = levels
                .iter()
                .map(|level| match level {
                    Level::Literal(text) => text.as_str(),
                    Level::Source(_) | Level::Channel => "+",
                })
                .collect();
            format!("{shared}{}", levels.join("/"))
        };
        self.templates.iter().map(|(levels, _)| filter(levels)).collect()
    }

    /// What a topic means; none when no template is like it. The first that is wins.
    #[must_use]
    pub fn route(&self, topic: &str) -> Option<Route> {
        self.templates.iter().find_map(|(levels, channel)| matching(levels, channel, topic))
    }
}

fn matching(levels: &[Level], channel: &str, topic: &str) -> Option<Route> {
    let mut parts = topic.split('/');
    let (mut source, mut channel, mut envelope) = (None, channel.to_owned(), false);
    for level in levels {
        let part = parts.next()?;
        match level {
            Level::Literal(text) if text == part => {}
            Level::Literal(_) => return None,
            Level::Source(named) => source = Some(named(part.to_owned())),
            Level::Channel if part == ENVELOPE_LEVEL => envelope = true,
            Level::Channel => part.clone_into(&mut channel),
        }
    }
    if parts.next().is_some() {
        return None;
    }
    Some(Route { source: source?, channel, envelope })
}

fn parse(template: &TopicTemplate) -> Result<(Vec<Level>, String), String> {
    let topic = &template.topic;
    if topic.is_empty() || topic.len() > MAX_TOPIC || topic.chars().any(char::is_control) {
        return Err(format!("a topic has 1 to {MAX_TOPIC} printable characters"));
    }
    if topic.starts_with('$') {
        return Err("topics that begin with $ are the broker's own; sharing is arranged by Afferent itself".to_owned());
    }
    let levels = topic.split('/').map(level).collect::<Result<Vec<Level>, String>>()?;
    if levels.iter().filter(|level| matches!(level, Level::Source(_))).count() != 1 {
        return Err(
            "exactly one level says who the source is: {device}, {hub}, {device-serial} or {hub-serial}".to_owned()
        );
    }
    let channels = levels.iter().filter(|level| matches!(level, Level::Channel)).count();
    if channels > 1 || (channels == 1 && template.channel.is_some()) {
        return Err("the channel is said once: by a level {channel}, or by `channel`".to_owned());
    }
    let channel = template.channel.clone().unwrap_or_default();
    crate::ingest::envelope::check_channel("", &channel)
        .map_err(|_long| "a channel has at most 200 printable characters, such as `2A35`".to_owned())?;
    Ok((levels, channel))
}

fn level(text: &str) -> Result<Level, String> {
    match text {
        "{device}" => Ok(Level::Source(Named::Device)),
        "{device-serial}" => Ok(Level::Source(Named::DeviceSerial)),
        "{hub}" => Ok(Level::Source(Named::Hub)),
        "{hub-serial}" => Ok(Level::Source(Named::HubSerial)),
        "{channel}" => Ok(Level::Channel),
        _ if text.contains(['{', '}']) => Err(format!(
            "`{text}` is no level: {{device}}, {{hub}}, {{device-serial}}, {{hub-serial}} and {{channel}} stand alone between slashes"
        )),
        _ if text.contains(['+', '#']) => {
            Err("wildcards are not written: {device}, {hub} and {channel} become one each".to_owned())
        }
        _ => Ok(Level::Literal(text.to_owned())),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn template(topic: &str, channel: Option<&str>) -> TopicTemplate {
        TopicTemplate { topic: topic.to_owned(), channel: channel.map(str::to_owned) }
    }

    #[test]
    fn the_standard_topics_name_source_and_channel() {
        let topics = Topics::parse(&standard("afferent")).unwrap();
        assert_eq!(topics.filters(None), ["afferent/devices/+/+", "afferent/hubs/+/+"]);
        assert_eq!(topics.filters(Some("rpm"))[0], "$share/rpm/afferent/devices/+/+");
        let route = topics.route("afferent/devices/d1/2A35").unwrap();
        let expected = Route { source: Named::Device("d1".into()), channel: "2A35".into(), envelope: false };
        assert_eq!(route, expected);
        let route = topics.route("afferent/hubs/h1/json").unwrap();
        assert_eq!(route, Route { source: Named::Hub("h1".into()), channel: String::new(), envelope: true });
        for topic in
            ["afferent/devices/d1", "afferent/devices/d1/2A35/more", "other/devices/d1/2A35", "afferent/d1/2A35"]
        {
            assert_eq!(topics.route(topic), None, "{topic}");
        }
    }

    #[test]
    fn a_hubs_own_topics_are_mapped() {
        let topics = Topics::parse(&[template("device/{hub-serial}/up", Some("up"))]).unwrap();
        assert_eq!(topics.filters(None), ["device/+/up"]);
        let route = topics.route("device/CC:1B:E0/up").unwrap();
        let expected = Route { source: Named::HubSerial("CC:1B:E0".into()), channel: "up".into(), envelope: false };
        assert_eq!(route, expected);
    }

    #[test]
    fn templates_that_could_mean_anything_are_refused() {
        for (topic, channel) in [
            ("", None),
            ("a/b", None),
            ("a/{device}/{hub}", None),
            ("a/{device}/#", None),
            ("a/+/{device}", None),
            ("a/x{device}", None),
            ("$share/g/{device}", None),
            ("{device}/{channel}/{channel}", None),
            ("{device}/{channel}", Some("2A35")),
            ("{device}/{patient}", None),
        ] {
            assert!(Topics::parse(&[template(topic, channel)]).is_err(), "{topic}");
        }
        let twice = [template("a/{device}", None), template("a/{hub}", None)];
        assert_eq!(Topics::parse(&twice).unwrap_err().0, 1);
    }
}
