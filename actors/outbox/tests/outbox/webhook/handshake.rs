//! The validation handshake over a real socket.

use std::num::NonZeroU32;

use headwater_outbox::webhook::{HandshakeError, Url};

use super::sending::client;
use crate::receiver::{Receiver, TAKEN, header};

const ORIGIN: &str = "events.example.com";

#[tokio::test]
async fn an_endpoint_that_wants_deliveries_says_so_and_how_many() {
    let allowing = "HTTP/1.1 405 Method Not Allowed\r\nwebhook-allowed-origin: *\r\n\
        webhook-allowed-rate: 60\r\ncontent-length: 0\r\n\r\n";
    let mut receiver = Receiver::answering(allowing).await;
    let url: Url = receiver.url().parse().unwrap();
    let allowed = client().handshake(url, ORIGIN, NonZeroU32::new(120)).await.unwrap();
    assert_eq!(allowed.per_minute, NonZeroU32::new(60));
    let got = receiver.seen.recv().await.unwrap();
    assert!(got.head.starts_with("OPTIONS /hook HTTP/1.1\r\n"), "{}", got.head);
    assert_eq!(header(&got.head, "webhook-request-origin"), Some(ORIGIN));
    assert_eq!(header(&got.head, "webhook-request-rate"), Some("120"));
}

#[tokio::test]
async fn an_endpoint_that_does_not_say_so_gets_none() {
    let receiver = Receiver::answering(TAKEN).await;
    let url: Url = receiver.url().parse().unwrap();
    let withheld = client().handshake(url, ORIGIN, None).await.unwrap_err();
    assert_eq!(withheld, HandshakeError::Withheld { status: 204 });
}

#[tokio::test]
async fn the_handshake_goes_to_no_forbidden_address() {
    let refused = client().handshake("http://10.0.0.1".parse().unwrap(), ORIGIN, None).await;
    assert!(matches!(refused, Err(HandshakeError::Refused { .. })), "{refused:?}");
}
