//! A server of the tests' own that stops, locks out, refuses, follows, and comes back.

use headwater::event::Position;
use headwater::postgres::Address;
use headwater::store::postgres::PostgresStore;
use headwater::store::{AppendError, EventStore, Expected, LogRead, StoreError};
use headwater::test::ScratchServer;

use super::kit::{append, impatient, log_on, node, opening, whole_log};

/// Nothing here loses power.
const QUICK: [&str; 1] = ["fsync=off"];

/// Appends one event until it is stored, as callers do that are told to try again later.
async fn append_at_last(store: &PostgresStore) -> Position {
    let request = append("a", Expected::Any, 1);
    loop {
        match store.append(request.clone()).await {
            Ok(appended) => return appended.position,
            Err(AppendError::Unavailable { .. } | AppendError::Unknown { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_waits_for_a_server_that_restarts() {
    let server = ScratchServer::start(&QUICK).unwrap();
    let scratch = log_on(&server);
    let store = node(scratch.address());
    store.append(append("a", Expected::Any, 1)).await.unwrap();
    server.stop();
    let waiting = tokio::spawn(store.append(append("a", Expected::Any, 1)));
    tokio::task::block_in_place(|| server.start_again()).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().position.get(), 2);
    assert_eq!(whole_log(&store).await.len(), 2);
}

#[tokio::test]
async fn a_server_that_turns_read_only_is_waited_out() {
    let server = ScratchServer::start(&QUICK).unwrap();
    let scratch = log_on(&server);
    let store = impatient(scratch.address());
    assert_eq!(append_at_last(&store).await.get(), 1);
    server.set(&["default_transaction_read_only=on"]).unwrap();
    server.stop();
    server.start_again().unwrap();
    let error = store.append(append("a", Expected::Any, 1)).await.unwrap_err().to_string();
    assert!(error.contains("read-only") && error.contains("primary"), "{error}");
    assert_eq!(whole_log(&store).await.len(), 1);
    server.set(&["default_transaction_read_only=off"]).unwrap();
    server.stop();
    server.start_again().unwrap();
    assert_eq!(append_at_last(&store).await.get(), 2);
}

#[tokio::test]
async fn a_standby_serves_reads_refuses_appends_and_takes_over() {
    let primary = ScratchServer::start(&QUICK).unwrap();
    let scratch = log_on(&primary);
    node(scratch.address()).append(append("a", Expected::Any, 3)).await.unwrap();
    let standby = primary.standby().unwrap();
    let address = standby.address().unwrap().with_schema(scratch.address().schema()).unwrap();
    let store = impatient(&address);
    assert_eq!(whole_log(&store).await.len(), 3);
    let error = store.append(append("a", Expected::Any, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("standby"), "{error}");
    primary.kill();
    let client = headwater::postgres::connect(&address).await.unwrap();
    client.batch_execute("select pg_promote()").await.unwrap();
    assert_eq!(append_at_last(&store).await.get(), 4);
    assert_eq!(whole_log(&store).await.len(), 4);
}

#[tokio::test]
async fn a_node_that_knows_both_servers_finds_the_one_that_took_over() {
    let primary = ScratchServer::start(&QUICK).unwrap();
    let scratch = log_on(&primary);
    let standby = primary.standby().unwrap();
    let (one, two) = (primary.port(), standby.port());
    let url = format!(
        "postgres://postgres:scratch@127.0.0.1:{one},127.0.0.1:{two}/postgres\
         ?target_session_attrs=read-write"
    );
    let both: Address = url.parse().unwrap();
    let schema = scratch.address().schema();
    let store = impatient(&both.with_schema(schema).unwrap());
    assert_eq!(append_at_last(&store).await.get(), 1);
    let follower = node(&standby.address().unwrap().with_schema(schema).unwrap());
    while whole_log(&follower).await.is_empty() {}
    primary.kill();
    let client = headwater::postgres::connect(&standby.address().unwrap()).await.unwrap();
    client.batch_execute("select pg_promote()").await.unwrap();
    assert_eq!(append_at_last(&store).await.get(), 2);
    assert_eq!(whole_log(&store).await.len(), 2);
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_named_and_waited_out() {
    let settings =
        ["max_connections=6", "superuser_reserved_connections=0", "max_wal_senders=0", "fsync=off"];
    let server = ScratchServer::start(&settings).unwrap();
    let scratch = log_on(&server);
    let store = node(scratch.address());
    let mut others = Vec::new();
    while let Ok(other) = headwater::postgres::connect(scratch.address()).await {
        others.push(other);
    }
    let error = opening(scratch.address());
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("too many clients"), "{error}");
    let error = store.read_log(LogRead::after(Position::ZERO, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    store.append(append("a", Expected::Any, 1)).await.unwrap();
    drop(others);
    let read = || store.read_log(LogRead::after(Position::ZERO, 1));
    while read().await.is_err() {}
    assert_eq!(read().await.unwrap().events.len(), 1);
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let server = ScratchServer::start(&QUICK).unwrap();
    for (role, password) in [("postgres", "wr0ng"), ("nobody_known", "wr0ng")] {
        let error = opening(&server.address_of(role, password).unwrap());
        assert!(matches!(error, StoreError::Invalid { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("password authentication failed"), "{said}");
        assert!(said.contains(role) && !format!("{said} {error:?}").contains("wr0ng"), "{said}");
    }
    let error = opening(&server.url("postgres", "").replace(":@", "@").parse().unwrap());
    assert!(error.to_string().contains("password"), "{error}");
}

#[tokio::test]
async fn a_role_without_rights_is_told_which() {
    let server = ScratchServer::start(&QUICK).unwrap();
    let scratch = log_on(&server);
    let schema = scratch.address().schema();
    scratch.run("create role clerk login password 'clerk'").unwrap();
    let address = server.address_of("clerk", "clerk").unwrap().with_schema(schema).unwrap();
    let grant = |rights: &str| scratch.run(&format!("grant {rights} {schema} to clerk")).unwrap();
    let lacks = |said: String, part: &str| {
        let fix = format!("grant role \"clerk\" its rights on schema \"{schema}\"");
        assert!(said.contains(part) && said.contains(&fix), "{part}: {said}");
    };
    lacks(opening(&address).to_string(), "denied for schema");
    grant("usage on schema");
    lacks(opening(&address).to_string(), "denied for table event_order");
    grant("select on all tables in schema");
    let store = impatient(&address);
    let error = store.append(append("a", Expected::Any, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
    lacks(error.to_string(), "denied for table event_order");
    grant("insert, update on all tables in schema");
    assert_eq!(append_at_last(&store).await.get(), 1);
}
