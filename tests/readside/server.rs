//! What can go wrong with a server.

use headwater::postgres::Address;
use headwater::projection::{Definition, Step};
use headwater::sql::migration::StepState;
use headwater::sql::{Migrator, OpenError, PostgresConfig, SqlError, Value};
use headwater::test::ScratchSchema;
use tokio::sync::oneshot;

use super::fixture::{Balances, World, bank, run_to};
use super::place::Place;

fn open_at(url: &str) -> String {
    let error = PostgresConfig::at(url.parse().unwrap()).open().err().unwrap();
    assert!(matches!(error, OpenError::Server(_)), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("s3cret"), "{text}");
    text
}

#[test]
fn a_server_that_is_down_is_named_at_open_without_the_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = open_at(&format!("postgres://ann:s3cret@{free}/shop"));
    assert!(text.contains(&format!("PostgreSQL at {free} cannot be reached")), "{text}");
}

#[tokio::test]
async fn a_lost_connection_is_replaced_and_the_next_transaction_works() {
    let place = Place::new();
    let database = place.open();
    database.write(|tx| tx.run_script("create table t (x bigint)")).await.unwrap();
    for x in 0..3 {
        place.scratch.end_sessions().unwrap();
        let insert = "insert into t (x) values ($1)";
        database.write(move |tx| tx.execute(insert, &[Value::Int(x)])).await.unwrap();
        let rows = database.read("select count(*) from t", vec![]).await.unwrap().rows;
        assert_eq!(rows, [[Value::Int(x + 1)]]);
    }
}

#[tokio::test]
async fn a_connection_lost_in_a_transaction_undoes_it_and_says_so() {
    let place = Place::new();
    let database = place.open();
    database.write(|tx| tx.run_script("create table t (x bigint)")).await.unwrap();
    let work = |tx: &mut dyn headwater::sql::TxEngine| {
        tx.execute("insert into t (x) values (1)", &[])?;
        // The answer to this is an error already.
        tx.query("select pg_terminate_backend(pg_backend_pid())", &[])?;
        tx.execute("insert into t (x) values (2)", &[])
    };
    let error = database.write(work).await.unwrap_err();
    assert!(matches!(&error, SqlError::Unavailable(_)) && error.is_transient(), "{error}");
    let rows = database.read("select count(*) from t", vec![]).await.unwrap().rows;
    assert_eq!(rows, [[Value::Int(0)]]);
}

#[tokio::test]
async fn a_failed_statement_undoes_the_transaction_even_if_the_work_goes_on() {
    let place = Place::new();
    let database = place.open();
    database.write(|tx| tx.run_script("create table t (x bigint primary key)")).await.unwrap();
    let work = |tx: &mut dyn headwater::sql::TxEngine| {
        tx.execute("insert into t (x) values (1)", &[])?;
        let again = tx.execute("insert into t (x) values (1)", &[]);
        assert!(again.is_err());
        Ok(())
    };
    let error = database.write(work).await.unwrap_err().to_string();
    assert!(error.contains("insert into t (x) values (1)") && error.contains("t_pkey"), "{error}");
    let rows = database.read("select * from t", vec![]).await.unwrap().rows;
    assert!(rows.is_empty());
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_not_available() {
    let place = Place::new();
    let database = place.open();
    let work = |tx: &mut dyn headwater::sql::TxEngine| {
        tx.run_script("set transaction read only")?;
        tx.run_script("create table t (x bigint)")
    };
    let error = database.write(work).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("read-only"), "{error}");
}

#[tokio::test]
async fn a_lock_that_another_holds_is_not_waited_for_without_end() {
    let place = Place::new();
    let database = PostgresConfig { lock_timeout_ms: 50, ..place.config() }.open().unwrap();
    database.write(|tx| tx.run_script("create table t (x bigint)")).await.unwrap();
    let (held, is_held) = oneshot::channel();
    let (go, may_go) = oneshot::channel::<()>();
    let holder = database.clone();
    let holder = tokio::spawn(async move {
        let work = move |tx: &mut dyn headwater::sql::TxEngine| {
            tx.run_script("lock table t")?;
            held.send(()).unwrap();
            may_go.blocking_recv().unwrap();
            Ok(())
        };
        holder.write(work).await
    });
    is_held.await.unwrap();
    let write = database.write(|tx| tx.execute("insert into t (x) values (1)", &[]));
    let error = write.await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("lock timeout"), "{error}");
    go.send(()).unwrap();
    holder.await.unwrap().unwrap();
}

#[tokio::test]
async fn transactions_run_side_by_side_and_wait_for_each_other_by_name() {
    let place = Place::new();
    let database = place.open();
    let (begun, has_begun) = oneshot::channel();
    let (go, may_go) = oneshot::channel::<()>();
    let slow = database.clone();
    let slow = tokio::spawn(async move {
        let work = move |tx: &mut dyn headwater::sql::TxEngine| {
            tx.lock("one")?;
            tx.run_script("create table t (x bigint)")?;
            begun.send(()).unwrap();
            may_go.blocking_recv().unwrap();
            Ok(())
        };
        slow.write(work).await
    });
    has_begun.await.unwrap();
    database.write(|tx| tx.lock("other")).await.unwrap();
    let mut waiting = Box::pin(database.write(|tx| {
        tx.lock("one")?;
        tx.query("select count(*) from t", &[])
    }));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    go.send(()).unwrap();
    slow.await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap(), [[Value::Int(0)]]);
}

#[tokio::test]
async fn a_projection_whose_connections_are_ended_at_every_step_counts_every_event_once() {
    let world = World::new();
    let end = world.fill().await;
    let definitions = vec![Definition::of_rows(Balances::<1>::default())];
    let catalog = world.catalog(definitions).await;
    let mut runner = catalog.runner("balances").await.unwrap();
    while runner.status().position < end {
        world.place.scratch.end_sessions().unwrap();
        let step = runner.step().await.unwrap();
        assert!(matches!(step, Step::Applied { .. } | Step::Failed { .. }), "{step:?}");
    }
    run_to(&mut runner, end).await;
    let bob = catalog.get("balances", bank(), "bob".into()).await.unwrap().unwrap();
    assert!(bob.row.get().contains(r#""cents":5500,"deposits":10"#), "{bob:?}");
}

#[tokio::test]
async fn two_programs_that_open_a_projection_at_once_never_own_it_both() {
    let world = World::new();
    let end = world.fill().await;
    world.database().await;
    for _ in 0..4 {
        let open = || async {
            let definitions = vec![Definition::of_rows(Balances::<1>::default())];
            world.catalog(definitions).await.runner("balances").await.unwrap()
        };
        let (mut one, mut two) = tokio::join!(open(), open());
        let steps = tokio::join!(one.pause(), two.pause());
        let owners = [steps.0.is_ok(), steps.1.is_ok()];
        assert_eq!(owners.iter().filter(|is_owner| **is_owner).count(), 1, "{owners:?}");
        let mut owner = if owners[0] { one } else { two };
        owner.resume().await.unwrap();
        run_to(&mut owner, end).await;
    }
    let catalog = world.catalog(vec![Definition::of_rows(Balances::<1>::default())]).await;
    let bob = catalog.get("balances", bank(), "bob".into()).await.unwrap().unwrap();
    assert!(bob.row.get().contains(r#""cents":5500,"deposits":10"#), "{bob:?}");
}

#[tokio::test]
async fn values_of_many_types_are_bound_and_read_by_the_type_of_their_column() {
    let place = Place::new();
    let database = place.open();
    let make = "create table t (a int, b smallint, c boolean, d numeric(12, 2), e timestamptz,
        f jsonb, g date, h uuid, i real, j timestamp)";
    let texts = [
        "12.50",
        "2024-02-29T12:00:00.5Z",
        r#"{"a": [1]}"#,
        "2024-02-29",
        "0190a1b2-0000-7000-8000-000000000001",
    ];
    let mut values = vec![Value::Int(7), Value::Text("8".into()), Value::Bool(true)];
    values.extend(texts.iter().map(|text| Value::Text((*text).into())));
    values.extend([Value::Real(1.5), Value::Text("1999-12-31T23:59:59".into())]);
    let rows = database
        .write(move |tx| {
            tx.run_script(make)?;
            let insert = "insert into t values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
            tx.execute(insert, &values)?;
            let mut many = (0..8).flat_map(|_| values.iter().map(Value::borrow));
            assert_eq!(tx.execute_many(insert, 10, &mut many)?, 8);
            tx.query("select * from t group by a, b, c, d, e, f, g, h, i, j", &[])
        })
        .await
        .unwrap();
    let mut wanted = vec![Value::Int(7), Value::Int(8), Value::Bool(true)];
    wanted.extend(texts.iter().map(|text| Value::Text((*text).into())));
    wanted.extend([Value::Real(1.5), Value::Text("1999-12-31T23:59:59".into())]);
    assert_eq!(rows, [wanted]);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_still_tells_how_far_the_steps_are() {
    let place = Place::new();
    Migrator::new(place.open(), []).up().await.unwrap();
    let option = "options=-c%20default_transaction_read_only%3Don";
    let address: Address = ScratchSchema::server_with(option).unwrap().parse().unwrap();
    let address = address.with_schema(place.scratch.address().schema()).unwrap();
    let migrator = Migrator::new(PostgresConfig::at(address).open().unwrap(), []);
    let status = migrator.status().await.unwrap();
    assert!(status.iter().all(|step| step.state == StepState::Done), "{status:?}");
    migrator.check().await.unwrap();
}
