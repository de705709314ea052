//! The database goes away, comes back, loses answers, turns read-only.

use std::time::Duration;

use headwater::store::postgres::{PostgresStore, PostgresStoreConfig};
use headwater::store::{AppendError, EventStore, Expected, StoreError};
use headwater::test::ScratchSchema;

use super::kit::{Proxy, append, impatient, node, scratch, whole_log};

#[test]
fn a_server_that_is_down_is_named_without_the_password() {
    let address = "postgres://ann:s3cret@127.0.0.1:1/shop?connect_timeout=2&sslmode=disable";
    let error = PostgresStore::open(PostgresStoreConfig::new(address.parse().unwrap()));
    let error = error.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn an_append_is_done_although_every_session_was_ended() {
    let scratch = scratch();
    let store = node(scratch.address());
    for number in 1..=5 {
        store.append(append("a", Expected::Any, 1)).await.unwrap();
        assert!(scratch.end_sessions().unwrap() > 0);
        let appended = store.append(append("a", Expected::Any, 1)).await.unwrap();
        assert_eq!(appended.position.get(), number * 2);
        assert_eq!(whole_log(&store).await.len() as u64, number * 2);
    }
    assert_eq!(store.stats().reconnects, 5);
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_stored_once() {
    let scratch = scratch();
    let proxy = Proxy::before(&scratch);
    let store = node(&proxy.address);
    store.append(append("a", Expected::NoStream, 1)).await.unwrap();
    proxy.lose_next_answer();
    let appended = store.append(append("b", Expected::NoStream, 3)).await.unwrap();
    assert!(proxy.has_lost());
    assert_eq!(appended.streams.first().unwrap().last.get(), 3);
    assert_eq!(whole_log(&store).await.len(), 4);
}

#[tokio::test]
async fn an_append_that_may_be_stored_is_not_told_as_refused_by_its_next_attempt() {
    let scratch = scratch();
    let proxy = Proxy::before(&scratch);
    let store = node(&proxy.address);
    // Only the second attempt names a connection that was given up.
    scratch.run(NO_ROOM_FOR_FENCES).unwrap();
    proxy.lose_next_answer();
    let request = append("a", Expected::NoStream, 1);
    let error = store.append(request.clone()).await.unwrap_err();
    assert!(matches!(&error, AppendError::Unknown { cause } if cause.contains("full")), "{error}");
    scratch.run("drop trigger no_room on event_fences").unwrap();
    let appended = store.append(request).await.unwrap();
    assert!(appended.duplicate && whole_log(&store).await.len() == 1);
}

const NO_ROOM_FOR_FENCES: &str = "create function refuse_for_room() returns trigger
    language plpgsql as $$ begin raise exception 'full' using errcode = '53100'; end $$;
    create trigger no_room before insert on event_fences for each row
    execute function refuse_for_room()";

#[tokio::test]
async fn a_server_that_takes_connections_and_fails_all_work_is_asked_ever_more_rarely() {
    let scratch = scratch();
    let proxy = Proxy::before(&scratch);
    let config = PostgresStoreConfig::new(proxy.address.clone());
    let store = PostgresStore::open(config.with_patience(Duration::from_secs(1))).unwrap();
    proxy.lose_appends();
    let error = store.append(append("a", Expected::Any, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Unknown { .. }), "{error}");
    // 20, 40, 80, 160 and 320 ms are the pauses that fit; of the shortest it would be fifty.
    assert!(store.stats().reconnects <= 6, "{}", store.stats().reconnects);
}

#[tokio::test]
async fn an_append_that_was_refused_is_not_stored_by_its_delayed_first_attempt() {
    let scratch = scratch();
    let proxy = Proxy::before(&scratch);
    let (store, other) = (node(&proxy.address), node(scratch.address()));
    proxy.delay_next_append();
    let error = store.append(append("a", Expected::Exists, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { .. }), "{error}");
    other.append(append("a", Expected::NoStream, 1)).await.unwrap();
    tokio::task::spawn_blocking(move || proxy.deliver_delayed()).await.unwrap();
    assert_eq!(whole_log(&other).await.len(), 1);
    store.close();
}

#[tokio::test]
async fn without_a_database_an_append_is_refused_in_time_and_later_works_again() {
    let scratch = scratch();
    let proxy = Proxy::before(&scratch);
    let store = impatient(&proxy.address);
    store.append(append("a", Expected::Any, 1)).await.unwrap();
    proxy.cut();
    let request = append("a", Expected::Any, 1);
    let error = store.append(request.clone()).await.unwrap_err();
    assert!(
        matches!(error, AppendError::Unknown { .. } | AppendError::Unavailable { .. }),
        "{error}"
    );
    let error = store.append(append("b", Expected::Any, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
    proxy.mend();
    assert_eq!(store.append(request).await.unwrap().position.get(), 2);
}

#[tokio::test]
async fn a_database_that_is_read_only_refuses_and_says_so() {
    let scratch = scratch();
    let config = PostgresStoreConfig::new(read_only(&scratch));
    let store = PostgresStore::open(config.with_patience(Duration::from_millis(200))).unwrap();
    let error = store.append(append("a", Expected::Any, 1)).await.unwrap_err();
    assert!(matches!(&error, AppendError::Unavailable { cause } if cause.contains("read-only")));
    assert!(whole_log(&store).await.is_empty());
}

fn read_only(scratch: &ScratchSchema) -> headwater::postgres::Address {
    with_option(scratch, "default_transaction_read_only=on")
}

fn with_option(scratch: &ScratchSchema, option: &str) -> headwater::postgres::Address {
    let option = option.replace('=', "%3D").replace(' ', "%5C%20");
    let address = ScratchSchema::server_with(&format!("options=-c%20{option}")).unwrap();
    let address: headwater::postgres::Address = address.parse().unwrap();
    let name = scratch.address().schema();
    address.with_schema(name).unwrap().with_application_name(name)
}

#[tokio::test]
async fn an_isolation_level_that_is_set_by_default_does_not_matter() {
    let scratch = scratch();
    let isolation = "default_transaction_isolation=repeatable read";
    let store = node(&with_option(&scratch, isolation));
    store.append(append("a", Expected::Any, 1)).await.unwrap();
    assert_eq!(whole_log(&store).await.len(), 1);
}

#[tokio::test]
async fn a_store_that_is_closed_refuses() {
    let scratch = scratch();
    let store = node(scratch.address());
    let mut head = store.head();
    store.close();
    let error = store.append(append("a", Expected::Any, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
    assert!(head.changed().await.is_err());
}
