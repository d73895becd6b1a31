//! Packets against the specification's examples, an independent implementation (rumqttc), and broken ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use actix_web::web::BytesMut;

use super::*;

const LIMIT: usize = 100;

fn read(version: Version, bytes: &[u8]) -> Result<Vec<Incoming>, Malformed> {
    let mut reader = Reader::new(version, LIMIT);
    let mut buffer = BytesMut::new();
    let mut found = Vec::new();
    // Byte by byte: no packet depends on how the network cuts it.
    for byte in bytes {
        buffer.extend_from_slice(&[*byte]);
        while let Some(packet) = reader.next(&mut buffer)? {
            found.push(packet);
        }
    }
    assert!(buffer.is_empty(), "bytes are left over: {buffer:?}");
    Ok(found)
}

fn message(topic: &str, payload: &[u8], packet_id: Option<u16>) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: Bytes::copy_from_slice(payload),
        packet_id,
        duplicate: false,
        retained: false,
        content_type: None,
        properties: Vec::new(),
    }
}

#[test]
fn messages_of_3_1_1_are_read_as_another_implementation_writes_them() {
    use rumqttc::{Packet, Publish, QoS};
    let mut publish = Publish::new("a/b", QoS::AtLeastOnce, vec![1, 2, 3]);
    (publish.pkid, publish.dup) = (513, true);
    let mut bytes = BytesMut::new();
    Packet::Publish(publish).write(&mut bytes, 1000).unwrap();
    Packet::Publish(Publish::new("x", QoS::AtMostOnce, vec![])).write(&mut bytes, 1000).unwrap();
    let first = Message { duplicate: true, ..message("a/b", &[1, 2, 3], Some(513)) };
    let expected = [first, message("x", &[], None)].map(Incoming::Message);
    assert_eq!(read(Version::V3, &bytes).unwrap(), expected);
}

#[test]
fn messages_of_5_keep_their_payload_whatever_properties_come_before() {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::{Packet, Publish, PublishProperties};
    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(60),
        response_topic: Some("r".into()),
        correlation_data: Some(vec![9, 9].into()),
        user_properties: vec![("captured-at".into(), "now".into())],
        subscription_identifiers: vec![300],
        content_type: Some("text/plain".into()),
        topic_alias: None,
    };
    let mut publish = Publish::new("a/b", QoS::AtLeastOnce, vec![0x16, 0x78], Some(properties));
    publish.pkid = 7;
    let mut bytes = BytesMut::new();
    Packet::Publish(publish).write(&mut bytes, None).unwrap();
    let expected = Message {
        content_type: Some("text/plain".into()),
        properties: vec![("captured-at".into(), "now".into())],
        ..message("a/b", &[0x16, 0x78], Some(7))
    };
    assert_eq!(read(Version::V5, &bytes).unwrap(), [Incoming::Message(expected)]);
}

#[test]
fn what_we_say_is_what_another_implementation_reads() {
    let hello = Connect {
        client_id: "afferent-0",
        user_name: Some("u"),
        password: Some("p"),
        keep_alive: 30,
        receive_maximum: 20,
    };
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&connect(Version::V3, &hello).unwrap());
    bytes.extend_from_slice(&subscribe(Version::V3, 1, &["a/+".into()]).unwrap());
    bytes.extend_from_slice(&puback(77));
    let packet = rumqttc::Packet::read(&mut bytes, 1000).unwrap();
    let rumqttc::Packet::Connect(read) = packet else { panic!("{packet:?}") };
    assert_eq!((read.client_id.as_str(), read.clean_session, read.keep_alive), ("afferent-0", false, 30));
    assert_eq!(read.login.map(|login| (login.username, login.password)), Some(("u".into(), "p".into())));
    let packet = rumqttc::Packet::read(&mut bytes, 1000).unwrap();
    let rumqttc::Packet::Subscribe(read) = packet else { panic!("{packet:?}") };
    assert_eq!((read.pkid, read.filters[0].path.as_str()), (1, "a/+"));
    assert_eq!(read.filters[0].qos, rumqttc::QoS::AtLeastOnce);
    let packet = rumqttc::Packet::read(&mut bytes, 1000).unwrap();
    assert!(matches!(packet, rumqttc::Packet::PubAck(ack) if ack.pkid == 77));

    use rumqttc::v5::mqttbytes::v5::{Packet, RetainForwardRule};
    bytes.extend_from_slice(&connect(Version::V5, &hello).unwrap());
    bytes.extend_from_slice(&subscribe(Version::V5, 2, &["$share/g/a/+".into()]).unwrap());
    bytes.extend_from_slice(&unsubscribe(Version::V5, 3, &["b".into()]).unwrap());
    bytes.extend_from_slice(&puback(78));
    let packet = Packet::read(&mut bytes, None).unwrap();
    let Packet::Connect(read, None, Some(_)) = packet else { panic!("{packet:?}") };
    let properties = read.properties.unwrap();
    assert_eq!((properties.receive_maximum, properties.session_expiry_interval), (Some(20), Some(u32::MAX)));
    let packet = Packet::read(&mut bytes, None).unwrap();
    let Packet::Subscribe(read) = packet else { panic!("{packet:?}") };
    assert_eq!((read.pkid, read.filters[0].path.as_str()), (2, "$share/g/a/+"));
    assert_eq!(read.filters[0].retain_forward_rule, RetainForwardRule::Never);
    let packet = Packet::read(&mut bytes, None).unwrap();
    assert!(matches!(packet, Packet::Unsubscribe(read) if read.pkid == 3));
    let packet = Packet::read(&mut bytes, None).unwrap();
    assert!(matches!(packet, Packet::PubAck(ack) if ack.pkid == 78));
}

#[test]
fn a_message_over_the_limit_is_skipped_and_named() {
    // 300 bytes of body: topic `t`, packet 5, 295 bytes of payload; then a PINGRESP.
    let mut bytes = vec![0x32, 0xAC, 0x02, 0, 1, b't', 0, 5];
    bytes.extend([0xD0; 295]);
    bytes.extend([0xD0, 0]);
    let skipped = Incoming::Oversize(Oversize { topic: "t".into(), packet_id: Some(5), size: 300 });
    assert_eq!(read(Version::V3, &bytes).unwrap(), [skipped, Incoming::Pong]);
}

#[test]
fn what_a_broker_grants_and_refuses_is_said_in_words() {
    let connected = read(Version::V3, &[0x20, 2, 1, 0]).unwrap();
    assert_eq!(connected, [Incoming::Connected(Connected { session_present: true, ..Connected::default() })]);
    let refused = read(Version::V3, &[0x20, 2, 0, 4]).unwrap();
    assert!(
        matches!(&refused[..], [Incoming::Connected(Connected { refused: Some(why), .. })] if why.contains("password"))
    );
    // Server keep-alive 10, no shared subscriptions.
    let connected = read(Version::V5, &[0x20, 8, 0, 0, 5, 19, 0, 10, 42, 0]).unwrap();
    assert!(matches!(&connected[..], [Incoming::Connected(Connected { keep_alive: Some(10), lacks: Some(_), .. })]));
    assert_eq!(read(Version::V5, &[0x90, 4, 0, 1, 0, 1]).unwrap(), [Incoming::Subscribed(1, None)]);
    let refused = read(Version::V5, &[0x90, 5, 0, 1, 0, 1, 0x87]).unwrap();
    assert!(matches!(refused[..], [Incoming::Subscribed(1, Some(_))]));
    assert!(matches!(read(Version::V3, &[0x90, 3, 0, 1, 0]).unwrap()[..], [Incoming::Subscribed(1, Some(_))]));
    assert!(matches!(&read(Version::V5, &[0xE0, 0]).unwrap()[..], [Incoming::Ending(_)]));
}

#[test]
fn broken_packets_end_the_connection() {
    for (version, bytes) in [
        (Version::V3, &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1][..]),
        (Version::V3, &[0x32, 5, 0, 1, b't', 0, 0]),
        (Version::V3, &[0x34, 5, 0, 1, b't', 0, 1]),
        (Version::V3, &[0x30, 3, 0, 9, b't']),
        (Version::V3, &[0x30, 3, 0, 1, 0xFF]),
        (Version::V3, &[0x30, 2, 0, 0]),
        (Version::V3, &[0xE0, 0]),
        (Version::V3, &[0x62, 2, 0, 1]),
        (Version::V5, &[0x30, 6, 0, 1, b't', 2, 99, 0]),
        (Version::V5, &[0x30, 6, 0, 1, b't', 9, 1, 0]),
        // A user property whose value runs past the properties: its end would become payload.
        (Version::V5, &[0x30, 12, 0, 1, b't', 6, 38, 0, 1, b'a', 0, 2, b'b', b'c']),
        (Version::V5, &[0xF0, 1, 0]),
    ] {
        assert!(read(version, bytes).is_err(), "{bytes:?}");
    }
}
