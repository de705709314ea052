//! The guard: every network of the registries, by name and by number, and what lies beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use headwater_outbox::webhook::{
    AddressGuard, FORBIDDEN, GuardedResolver, Verdict, WebhookSettings,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::names::Names;
use super::sending::{client_of, local, send, words};
use crate::receiver::{Receiver, Request, TAKEN, read_request};

/// First and last address of each network, written out from the registries of IANA, so that a
/// slip in a prefix of the guard's own table shows.
const ROWS: [(&str, &str); 48] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
    ("255.255.255.255", "255.255.255.255"),
    ("::", "::"),
    ("::1", "::1"),
    ("::", "::255.255.255.255"),
    ("::ffff:0:0", "::ffff:255.255.255.255"),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff"),
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:1::1", "2001:1::1"),
    ("2001:1::2", "2001:1::2"),
    ("2001:1::3", "2001:1::3"),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
    ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"),
    ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

fn rows() -> impl Iterator<Item = (IpAddr, IpAddr)> {
    ROWS.iter().map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()))
}

fn ends() -> impl Iterator<Item = IpAddr> {
    rows().flat_map(|(first, last)| [first, last])
}

/// Returns the addresses just before and just behind a network.
fn beside((first, last): (IpAddr, IpAddr)) -> Vec<IpAddr> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let ends = [first.to_bits().checked_sub(1), last.to_bits().checked_add(1)];
            ends.into_iter().flatten().map(|bits| Ipv4Addr::from_bits(bits).into()).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let ends = [first.to_bits().checked_sub(1), last.to_bits().checked_add(1)];
            ends.into_iter().flatten().map(|bits| Ipv6Addr::from_bits(bits).into()).collect()
        }
        _ => unreachable!("both ends of a row are of one kind"),
    }
}

fn url_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("http://{address}:9"),
        IpAddr::V6(address) => format!("http://[{address}]:9"),
    }
}

fn unencrypted() -> WebhookSettings {
    WebhookSettings { allow_http: true, ..WebhookSettings::default() }
}

#[test]
fn the_guard_knows_the_networks_of_the_registries_and_no_others() {
    assert_eq!(FORBIDDEN.len(), ROWS.len());
    for network in FORBIDDEN {
        let row = rows().find(|(first, last)| {
            let outside = beside((*first, *last));
            network.first == *first
                && network.contains(*last)
                && !outside.into_iter().any(|address| network.contains(address))
        });
        assert!(row.is_some(), "{network}");
    }
}

#[tokio::test]
async fn every_network_is_refused_by_number() {
    let names = Names::default();
    let client = client_of(&unencrypted(), names.clone());
    for address in ends() {
        let attempted = send(&client, &url_of(address)).await;
        assert_eq!(attempted.verdict, Verdict::Refused, "{address}");
        let said = words(&attempted);
        assert!(said.contains("outbox.allow_networks"), "{address}: {said}");
    }
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn a_name_in_any_forbidden_network_is_refused_without_its_address() {
    for address in ends() {
        let client = client_of(&unencrypted(), Names::to(address));
        let attempted = send(&client, "http://hook.test:9").await;
        assert_eq!(attempted.verdict, Verdict::Refused, "{address}");
        let said = words(&attempted);
        assert!(said.contains("hook.test does not resolve to public addresses"), "{said}");
        // Tenants read this: it must not tell them what a name means inside.
        assert!(!said.contains(&address.to_string()) && !said.contains("private"), "{said}");
    }
}

#[tokio::test]
async fn what_lies_beside_a_network_is_accepted_by_number_and_by_name() {
    let guard = Arc::new(AddressGuard::default());
    let inside = |address: IpAddr| {
        rows().any(|(first, last)| {
            first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address)
        })
    };
    let mut accepted = 0;
    for address in rows().flat_map(beside).filter(|address| !inside(*address)) {
        assert_eq!(guard.check(address), Ok(()), "{address}");
        let resolver = GuardedResolver::new(Arc::clone(&guard), Names::to(address).into());
        assert_eq!(resolver.addresses("hook.test".into()).await.unwrap()[0].ip(), address);
        accepted += 1;
    }
    assert!(accepted > 50, "{accepted}");
}

#[tokio::test]
async fn one_forbidden_address_refuses_the_whole_name() {
    for answer in [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"]] {
        let mut receiver = Receiver::answering(TAKEN).await;
        let client = client_of(&local(), Names::new(&[&answer]));
        let url = format!("http://hook.test:{}", receiver.address.port());
        assert_eq!(send(&client, &url).await.verdict, Verdict::Refused);
        assert_eq!(receiver.unseen(), 0);
    }
}

/// The name is asked for once per connection, and what was checked is what is connected to; the
/// change of the name in between is checked anew.
#[tokio::test]
async fn a_name_that_changes_between_check_and_connection_leads_nowhere() {
    let closing = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    let mut allowed = Receiver::answering(closing).await;
    let port = allowed.address.port();
    let inner = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let mut inner = Receiver::on(inner, |mut stream, seen, connection| async move {
        let (head, body) = read_request(&mut stream).await?.unwrap_or_default();
        let _ = seen.send(Request { head, body, connection });
        stream.write_all(TAKEN.as_bytes()).await
    });
    let names = Names::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = client_of(&local(), names.clone());
    let url = format!("http://hook.test:{port}");
    assert_eq!(send(&client, &url).await.verdict, Verdict::Delivered);
    assert!(allowed.seen.recv().await.is_some());
    assert_eq!(names.asked(), ["hook.test"]);
    let attempted = send(&client, &url).await;
    assert_eq!(attempted.verdict, Verdict::Refused, "{}", words(&attempted));
    assert_eq!((allowed.unseen(), inner.unseen()), (0, 0));
}

#[tokio::test]
async fn a_redirect_into_the_private_net_is_not_followed() {
    let inner = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let to = inner.local_addr().unwrap();
    let mut inner = Receiver::on(inner, |mut stream, seen, connection| async move {
        let (head, body) = read_request(&mut stream).await?.unwrap_or_default();
        let _ = seen.send(Request { head, body, connection });
        stream.write_all(TAKEN.as_bytes()).await
    });
    let answer = format!("HTTP/1.1 307 Go\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
    let outer = Receiver::answering(answer).await;
    let client = client_of(&local(), Names::default());
    let attempted = send(&client, &outer.url()).await;
    assert_eq!((attempted.verdict, attempted.status), (Verdict::Failed, Some(307)));
    assert!(words(&attempted).contains("redirects are not followed"), "{}", words(&attempted));
    assert_eq!(inner.unseen(), 0);
}
