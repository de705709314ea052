//! Endpoints that are slow, silent, endless, gone, or have no name.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use headwater_outbox::webhook::{Verdict, WebhookSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::names::{Names, failing, silent};
use super::sending::{client, client_of, local, send, send_within, words};
use crate::receiver::{Receiver, Request, TAKEN, read_request};

#[tokio::test]
async fn an_endpoint_that_answers_too_late_is_throttled() {
    let late = Arc::new(Notify::new());
    let released = Arc::clone(&late);
    let receiver = Receiver::doing(move |mut stream, _, _| {
        let late = Arc::clone(&late);
        async move {
            read_request(&mut stream).await?;
            late.notified().await;
            stream.write_all(TAKEN.as_bytes()).await
        }
    })
    .await;
    let attempted = send_within(&client(), &receiver.url(), 200).await;
    released.notify_waiters();
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Throttled, None));
    assert_eq!(words(&attempted), "time-out: no answer within 0.2 s");
    assert!(attempted.took >= Duration::from_millis(200), "{:?}", attempted.took);
}

#[tokio::test]
async fn an_answer_whose_body_never_ends_in_time_counts_by_its_status() {
    let receiver = Receiver::doing(|mut stream, _, _| async move {
        read_request(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome").await?;
        read_request(&mut stream).await.map(drop)
    })
    .await;
    let attempted = send_within(&client(), &receiver.url(), 300).await;
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Delivered, Some(200)));
    assert_eq!(attempted.response.as_deref(), Some("some"));
    assert_eq!(words(&attempted), "the answer's body: did not end within 0.3 s");
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_closed() {
    let mut receiver = Receiver::doing(|mut stream, seen, connection| async move {
        read_request(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n").await?;
        while stream.write_all(b"5\r\nagain\r\n").await.is_ok() {}
        let (head, body) = ("closed".to_owned(), Vec::new());
        let _ = seen.send(Request { head, body, connection });
        Ok(())
    })
    .await;
    let attempted = send(&client(), &receiver.url()).await;
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Failed, Some(500)));
    assert!(words(&attempted).contains("more than 16 KiB"), "{}", words(&attempted));
    assert_eq!(attempted.response.as_ref().map(String::len), Some(1_024));
    assert_eq!(receiver.seen.recv().await.unwrap().head, "closed");
}

#[tokio::test]
async fn endless_headers_are_cut() {
    let receiver = Receiver::doing(|mut stream, _, _| async move {
        read_request(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        loop {
            stream.write_all(b"a: again and again\r\n").await?;
        }
    })
    .await;
    let attempted = send(&client(), &receiver.url()).await;
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Failed, None));
    assert!(words(&attempted).contains("no valid answer"), "{}", words(&attempted));
}

#[tokio::test]
async fn a_connection_that_is_reset_or_closed_says_so() {
    // What is not read when a socket is dropped makes the machine send a reset.
    let reset =
        Receiver::doing(|stream, _, _| async move { stream.peek(&mut [0]).await.map(drop) });
    let reset = reset.await;
    let attempted = send(&client(), &reset.url()).await;
    assert_eq!(attempted.verdict, Verdict::Failed);
    assert!(words(&attempted).contains("reset"), "{}", words(&attempted));
    let closed =
        Receiver::doing(
            |mut stream, _, _| async move { read_request(&mut stream).await.map(drop) },
        );
    let attempted = send(&client(), &closed.await.url()).await;
    assert_eq!(attempted.verdict, Verdict::Failed);
    assert!(words(&attempted).contains("connection closed"), "{}", words(&attempted));
}

#[tokio::test]
async fn a_port_where_nobody_listens_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let attempted = send(&client(), &url).await;
    assert_eq!(attempted.verdict, Verdict::Failed);
    assert_eq!(words(&attempted), "connection refused: nothing listens there");
}

#[tokio::test]
async fn what_is_no_http_says_so() {
    let receiver = Receiver::answering("220 mail.example.com ESMTP\r\n\r\n").await;
    let attempted = send(&client(), &receiver.url()).await;
    assert_eq!(attempted.verdict, Verdict::Failed);
    assert!(words(&attempted).contains("no valid answer"), "{}", words(&attempted));
}

#[tokio::test]
async fn a_name_without_an_address_says_so() {
    let not_found = || io::Error::new(io::ErrorKind::NotFound, "no");
    let unknown = || io::Error::other("failed to lookup address: Name or service not known");
    let clients = [
        client_of(&local(), Names::default()),
        client_of(&local(), failing(not_found)),
        client_of(&local(), failing(unknown)),
    ];
    for client in clients {
        let attempted = send(&client, "http://hook.test").await;
        assert_eq!(attempted.verdict, Verdict::Failed);
        assert_eq!(words(&attempted), "DNS: hook.test has no address: no such name");
    }
    let failing = client_of(&local(), failing(|| io::Error::other("try again")));
    let attempted = send(&failing, "http://hook.test").await;
    assert_eq!(attempted.verdict, Verdict::Failed);
    assert_eq!(words(&attempted), "DNS: hook.test could not be resolved: try again");
}

#[tokio::test]
async fn the_resolver_of_this_machine_does_not_know_a_name_that_must_not_exist() {
    let attempted = send(&client(), "http://hook.invalid").await;
    assert_eq!(attempted.verdict, Verdict::Failed);
    assert!(words(&attempted).starts_with("DNS: hook.invalid"), "{}", words(&attempted));
}

#[tokio::test]
async fn a_lookup_that_hangs_ends_with_the_time_for_a_connection() {
    let connect_timeout = Duration::from_millis(100);
    let settings = WebhookSettings { connect_timeout, ..local() };
    let attempted = send(&client_of(&settings, silent()), "http://hook.test").await;
    assert_eq!(attempted.verdict, Verdict::Throttled);
    assert_eq!(words(&attempted), "time-out: no connection within 0.1 s");
}

#[tokio::test]
async fn interim_answers_without_end_are_cut() {
    let mut receiver = Receiver::doing(|mut stream, seen, connection| async move {
        read_request(&mut stream).await?;
        let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000);
        while stream.write_all(&interim).await.is_ok() {}
        let (head, body) = ("closed".to_owned(), Vec::new());
        let _ = seen.send(Request { head, body, connection });
        Ok(())
    })
    .await;
    let attempted = send(&client(), &receiver.url()).await;
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Failed, None));
    assert!(words(&attempted).contains("more than 128 KiB"), "{}", words(&attempted));
    assert_eq!(receiver.seen.recv().await.unwrap().head, "closed");
}

#[tokio::test]
async fn interim_answers_within_the_bound_are_passed_over() {
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20);
    let receiver = Receiver::answering(format!("{interim}{TAKEN}")).await;
    let client = client();
    for _ in 0..300 {
        let attempted = send(&client, &receiver.url()).await;
        assert_eq!((attempted.verdict, attempted.status), (Verdict::Delivered, Some(204)));
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_fails_no_attempt() {
    // Answers the first request of a connection, takes the second, and closes without a word.
    let mut receiver = Receiver::doing(|mut stream, seen, connection| async move {
        let Some((head, body)) = read_request(&mut stream).await? else { return Ok(()) };
        let _ = seen.send(Request { head, body, connection });
        stream.write_all(TAKEN.as_bytes()).await?;
        read_request(&mut stream).await.map(drop)
    })
    .await;
    let client = client();
    for round in 1..=5 {
        let attempted = send(&client, &receiver.url()).await;
        assert_eq!(attempted.verdict, Verdict::Delivered, "{round}: {}", words(&attempted));
        assert_eq!(receiver.seen.recv().await.unwrap().connection, round);
    }
}
