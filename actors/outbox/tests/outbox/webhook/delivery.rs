//! What an endpoint gets, and what its answers come to.

use std::time::Duration;

use headwater_outbox::webhook::{HeaderValue, Verdict};

use super::sending::{client, request, send, words};
use crate::receiver::{Receiver, TAKEN, header};

#[tokio::test]
async fn an_endpoint_gets_the_bytes_and_headers_as_they_were_given() {
    let mut receiver = Receiver::answering(TAKEN).await;
    let mut request = request(&receiver.url());
    request.body = "{\"a\": 1.10}".into();
    request.headers.insert("webhook-id", HeaderValue::from_static("e-1"));
    let attempted = client().send(request).await;
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Delivered, Some(204)));
    assert_eq!((attempted.error, attempted.response), (None, None));
    let got = receiver.seen.recv().await.unwrap();
    assert_eq!(got.body, b"{\"a\": 1.10}");
    assert!(got.head.starts_with("POST /hook HTTP/1.1\r\n"), "{}", got.head);
    assert_eq!(header(&got.head, "webhook-id"), Some("e-1"));
    let agent = concat!("headwater/", env!("CARGO_PKG_VERSION"));
    assert_eq!(header(&got.head, "user-agent"), Some(agent));
    assert_eq!(header(&got.head, "host"), Some(&*receiver.address.to_string()));
    for absent in ["cookie", "referer", "accept-encoding", "transfer-encoding"] {
        assert_eq!(header(&got.head, absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let mut receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let client = client();
    for _ in 0..3 {
        let attempted = send(&client, &receiver.url()).await;
        assert_eq!(attempted.response.as_deref(), Some("ok"));
        assert_eq!(receiver.seen.recv().await.unwrap().connection, 1);
    }
}

#[tokio::test]
async fn no_cookie_comes_back() {
    let answer = "HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n";
    let mut receiver = Receiver::answering(answer).await;
    let client = client();
    for _ in 0..2 {
        send(&client, &receiver.url()).await;
        assert_eq!(header(&receiver.seen.recv().await.unwrap().head, "cookie"), None);
    }
}

#[tokio::test]
async fn an_endpoint_under_load_says_how_long_to_leave_it_alone() {
    let answer =
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 90\r\ncontent-length: 4\r\n\r\nbusy";
    let receiver = Receiver::answering(answer).await;
    let attempted = send(&client(), &receiver.url()).await;
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Throttled, Some(429)));
    assert_eq!(attempted.retry_after, Some(Duration::from_secs(90)));
    assert_eq!(attempted.response.as_deref(), Some("busy"));
    assert!(words(&attempted).contains("429 Too Many Requests"), "{}", words(&attempted));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let mut inner = Receiver::answering(TAKEN).await;
    for status in
        ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let to = inner.url();
        let answer = format!("HTTP/1.1 {status}\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        let attempted = send(&client(), &Receiver::answering(answer).await.url()).await;
        assert_eq!(attempted.verdict, Verdict::Failed);
        assert!(words(&attempted).contains(&format!("{status} to {to}")), "{}", words(&attempted));
    }
    assert_eq!(inner.unseen(), 0);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let mut proxy = Receiver::answering(TAKEN).await;
    let mut receiver = Receiver::answering(TAKEN).await;
    let mut program = std::process::Command::new(std::env::current_exe().unwrap());
    program.args([
        "--exact",
        "webhook::delivery::a_delivery_to_the_url_of_the_environment",
        "--nocapture",
    ]);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        program.env(name, format!("http://{}", proxy.address));
    }
    program.env_remove("no_proxy").env_remove("NO_PROXY").env_remove("REQUEST_METHOD");
    program.env("DELIVER_TO", receiver.url());
    let done = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(receiver.seen.recv().await.is_some());
    assert_eq!(proxy.unseen(), 0);
}

/// Runs in a program of its own for the test above, because a proxy is set for whole programs;
/// without it there is nothing to do.
#[tokio::test]
async fn a_delivery_to_the_url_of_the_environment() {
    if let Ok(url) = std::env::var("DELIVER_TO") {
        assert_eq!(send(&client(), &url).await.verdict, Verdict::Delivered);
    }
}
