//! What a node finds when it opens a schema.

use headwater::event::Position;
use headwater::sql::Dialect;
use headwater::sql::migration::{STORE, Script};
use headwater::store::{Append, AppendCondition, EventQuery, EventStore, Expected, StoreError};
use headwater::test::{ScratchError, ScratchSchema, ScratchServer};

use super::kit::{append, log_on, node, opening};

fn text(script: Script) -> &'static str {
    script.text(Dialect::Postgres)
}

#[test]
fn a_schema_without_a_log_names_the_command_that_makes_it() {
    let scratch = ScratchSchema::new().unwrap();
    let error = opening(scratch.address()).to_string();
    assert!(error.contains("holds no event log: run `headwater migrate up`"), "{error}");
    let gone = scratch.address().clone().with_schema("never_made").unwrap();
    let error = opening(&gone).to_string();
    assert!(error.contains("there is no schema \"never_made\": run"), "{error}");
}

#[test]
fn tables_of_another_program_are_left_alone() {
    let scratch = ScratchSchema::new().unwrap();
    scratch.run("create table events (id bigint, payload text)").unwrap();
    let error = opening(scratch.address()).to_string();
    assert!(error.contains("tables of another program"), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let scratch = ScratchSchema::new().unwrap();
    scratch
        .run(&text(STORE.steps[0].up).replace("(format) values (1)", "(format) values (3)"))
        .unwrap();
    let error = opening(scratch.address());
    assert!(matches!(error, StoreError::NewerFormat { found: 3, supported: 2, .. }), "{error}");
}

#[test]
fn what_goes_up_comes_down_and_up_again() {
    let scratch = ScratchSchema::new().unwrap();
    for _ in 0..2 {
        STORE.steps.iter().for_each(|step| scratch.take(step.up).unwrap());
        STORE.steps.iter().rev().for_each(|step| scratch.take(step.down).unwrap());
    }
    let error = opening(scratch.address()).to_string();
    assert!(error.contains("holds no event log"), "{error}");
}

#[test]
fn a_test_without_a_server_says_how_to_run_it() {
    let said = ScratchError::NoServer.to_string();
    for part in ["make test", "tests/with-postgres cargo test", "DATABASE_URL=postgres://"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// Tells of each statement, those inside of functions too, whether it was compiled; and compiles
/// each that may be.
const TALKATIVE: [&str; 7] = [
    "fsync=off",
    "jit=on",
    "jit_above_cost=0",
    "session_preload_libraries='auto_explain'",
    "auto_explain.log_min_duration=0",
    "auto_explain.log_analyze=on",
    "auto_explain.log_nested_statements=on",
];

#[tokio::test]
async fn nothing_is_compiled_while_the_order_is_held() {
    let server = ScratchServer::start(&TALKATIVE).unwrap();
    let scratch = log_on(&server);
    let client = headwater::postgres::connect(scratch.address()).await.unwrap();
    let can_compile = client.query_one("select pg_jit_available()", &[]).await.unwrap();
    let store = node(scratch.address());
    let condition = AppendCondition { query: EventQuery::all(), after: Position::ZERO };
    let request = Append { condition: Some(condition), ..append("a", Expected::Any, 3) };
    store.append(request).await.unwrap();
    store.close();
    server.stop();
    let log = server.log();
    let plans = || log.split("LOG:  duration:");
    let inside: Vec<_> = plans().filter(|plan| plan.contains("PL/pgSQL function")).collect();
    assert!(inside.len() > 5, "statements of append_batch were not told: {log}");
    assert!(inside.iter().all(|plan| !plan.contains("JIT:")), "{inside:#?}");
    assert_eq!(plans().any(|plan| plan.contains("JIT:")), can_compile.get::<_, bool>(0), "{log}");
}
