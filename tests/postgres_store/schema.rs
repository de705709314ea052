//! What a node finds when it opens a schema.

use headwater::sql::Dialect;
use headwater::sql::migration::{STORE, Script};
use headwater::store::StoreError;
use headwater::test::{ScratchError, ScratchSchema};

use super::kit::opening;

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
        .run(&text(STORE.steps[0].up).replace("(format) values (1)", "(format) values (2)"))
        .unwrap();
    let error = opening(scratch.address());
    assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
}

#[test]
fn what_goes_up_comes_down_and_up_again() {
    let scratch = ScratchSchema::new().unwrap();
    for _ in 0..2 {
        scratch.run(text(STORE.steps[0].up)).unwrap();
        scratch.run(text(STORE.steps[0].down)).unwrap();
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

#[tokio::test]
async fn nothing_is_compiled_while_the_order_is_held() {
    let scratch = ScratchSchema::with_log().unwrap();
    let client = headwater::postgres::connect(scratch.address()).await.unwrap();
    let settings = "select proconfig::text from pg_proc
        where proname = 'append_batch' and pronamespace = current_schema::regnamespace";
    let settings: String = client.query_one(settings, &[]).await.unwrap().get(0);
    assert!(settings.contains("jit=off"), "{settings}");
}
