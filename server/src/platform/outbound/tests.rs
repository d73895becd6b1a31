//! The client against real sockets: which phases are certain, and that names cannot lead inside.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn names(answer: impl Fn() -> Vec<SocketAddr> + Send + Sync + 'static) -> Lookup {
    Arc::new(move |_name| {
        let found = answer();
        Box::pin(async move { Ok(found) })
    })
}

fn get(url: &str) -> OutboundRequest {
    OutboundRequest {
        method: Method::GET,
        url: Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: None,
        timeout: Duration::from_millis(500),
    }
}

/// Answers every connection with `reply` (or never, when it is empty), and counts them.
async fn server(reply: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut request = [0u8; 4096];
                let _ = stream.read(&mut request).await;
                if reply.is_empty() {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
                let _ = stream.write_all(&reply).await;
            });
        }
    });
    (address, seen)
}

fn loopback_allowed() -> Vec<IpNet> {
    vec!["127.0.0.1/32".parse().unwrap()]
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_without_a_connection() {
    let (address, seen) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let outbound = Outbound::with_lookup(Vec::new(), names(move || vec![address])).unwrap();
    let url = format!("http://rebinding.example:{}/", address.port());
    assert_eq!(outbound.send(get(&url)).await.unwrap_err(), OutboundError::Refused(Rule::Loopback));
    assert_eq!(outbound.check(&Url::parse(&url).unwrap()).await, Err(Rule::Loopback));
    let literal = format!("http://127.0.0.1:{}/", address.port());
    assert_eq!(outbound.send(get(&literal)).await.unwrap_err(), OutboundError::Refused(Rule::Loopback));
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn of_mixed_addresses_only_the_allowed_ones_are_used() {
    let (address, seen) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()).await;
    let mixed = move || {
        vec!["169.254.169.254:0".parse().unwrap(), "10.9.9.9:0".parse().unwrap(), SocketAddr::new(address.ip(), 0)]
    };
    let outbound = Outbound::with_lookup(loopback_allowed(), names(mixed)).unwrap();
    let passed = outbound.resolver.addresses("mixed.example").await.unwrap();
    assert_eq!(passed, vec![SocketAddr::new(address.ip(), 0)]);
    let response = outbound.send(get(&format!("http://mixed.example:{}/", address.port()))).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, b"ok".as_slice()));
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (address, seen) = server(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let asked = AtomicUsize::new(0);
    // First the allowed address, then one inside.
    let flipping = move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => vec![SocketAddr::new(address.ip(), 0)],
        _ => vec!["127.0.0.2:0".parse().unwrap()],
    };
    let outbound = Outbound::with_lookup(loopback_allowed(), names(flipping)).unwrap();
    let url = format!("http://flip.example:{}/", address.port());
    assert_eq!(outbound.send(get(&url)).await.unwrap().status, 200);
    assert_eq!(outbound.send(get(&url)).await.unwrap_err(), OutboundError::Refused(Rule::Loopback));
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn redirects_are_answers_not_instructions() {
    let (address, seen) =
        server(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let outbound = Outbound::with_lookup(loopback_allowed(), system_lookup()).unwrap();
    assert_eq!(outbound.send(get(&format!("http://{address}/"))).await.unwrap().status, 302);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn certain_and_uncertain_failures_are_told_apart() {
    let outbound = Outbound::with_lookup(loopback_allowed(), system_lookup()).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = outbound.send(get(&format!("http://{free}/"))).await.unwrap_err();
    assert_eq!((error.is_certainly_not_processed(), error), (true, OutboundError::Connect));

    let (silent, _) = server(Vec::new()).await;
    let error = outbound.send(get(&format!("http://{silent}/"))).await.unwrap_err();
    assert_eq!((error.is_certainly_not_processed(), error), (false, OutboundError::Timeout));

    let (cutting, _) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()).await;
    let error = outbound.send(get(&format!("http://{cutting}/"))).await.unwrap_err();
    assert_eq!((error.is_certainly_not_processed(), error), (false, OutboundError::Broken));

    let (plain, _) = server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let error = outbound.send(get(&format!("https://{plain}/"))).await.unwrap_err();
    assert_eq!((error.is_certainly_not_processed(), error), (true, OutboundError::Tls));

    let unknown: Lookup = Arc::new(|_| Box::pin(async { Err(std::io::Error::other("no such host")) }));
    let outbound = Outbound::with_lookup(Vec::new(), unknown).unwrap();
    let error = outbound.send(get("http://nowhere.example/")).await.unwrap_err();
    assert_eq!((error.is_certainly_not_processed(), error), (true, OutboundError::Dns));
}

#[tokio::test]
async fn answers_are_bounded() {
    let mut large = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 3 * BODY_LIMIT_BYTES).into_bytes();
    large.resize(large.len() + 3 * BODY_LIMIT_BYTES, b'x');
    let (address, _) = server(large.clone()).await;
    let outbound = Outbound::with_lookup(loopback_allowed(), system_lookup()).unwrap();
    let mut request = get(&format!("http://{address}/"));
    request.timeout = Duration::from_secs(10);
    let error = outbound.send(request.clone()).await.unwrap_err();
    assert_eq!(
        (error.is_certainly_not_processed(), error),
        (false, OutboundError::TooLarge { limit_bytes: BODY_LIMIT_BYTES })
    );

    let refusal = String::from_utf8(large).unwrap().replacen("200 OK", "422 No", 1).into_bytes();
    let (address, _) = server(refusal).await;
    request.url = Url::parse(&format!("http://{address}/")).unwrap();
    let response = outbound.send(request).await.unwrap();
    assert_eq!((response.status, response.body.len()), (422, BODY_LIMIT_BYTES));
}
