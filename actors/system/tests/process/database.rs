//! The program and a database that locks it out, is killed, or hides behind a pooler.

use headwater::postgres::Pooler;
use headwater::sql::PostgresConfig;
use headwater::test::{ScratchPooler, ScratchSchema, ScratchServer, skip};
use serde_json::{Value, json};

use super::harness::{Folder, Place, Server, assert_rows_equal_a_rebuild, read_log, wait_until};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

#[test]
fn a_wrong_password_is_told_for_either_engine_and_not_shown() {
    let (folder, database) = (Folder::new(), ScratchServer::start(&[]).unwrap());
    for (setting, role) in [("--store", "postgres"), ("--read", "postgres"), ("--read", "bob")] {
        let address = database.url(role, "pass1word");
        let outcome = folder.run(&[&SERVE[..], &[setting, &address]].concat());
        outcome.assert_refused(&["password authentication failed", role, "correct the address"]);
        assert!(!format!("{outcome:?}").contains("pass1word"), "{outcome:?}");
    }
}

#[test]
fn a_role_without_rights_is_told_for_either_engine() {
    let (folder, database) = (Folder::new(), ScratchServer::start(&[]).unwrap());
    let scratch = ScratchSchema::on(&database.address().unwrap()).unwrap();
    scratch.run("create role clerk login password 'clerk'").unwrap();
    for setting in ["--store", "--read"] {
        let address = database.url("clerk", "clerk");
        let outcome = folder.run(&[&SERVE[..], &[setting, &address]].concat());
        outcome.assert_refused(&["permission denied", "grant role \"clerk\" its rights"]);
    }
}

#[test]
fn a_pooler_of_transactions_is_refused_with_what_to_use_instead() {
    let (folder, place) = (Folder::new(), Place::new());
    let address = format!("{}&pooler=transaction", place.text);
    for setting in ["--store", "--read"] {
        let outcome = folder.run(&[&SERVE[..], &[setting, &address]].concat());
        outcome.assert_refused(&["pooler of transactions", "pooler=session"]);
    }
}

#[test]
fn the_program_runs_through_a_pooler_of_sessions() {
    if !ScratchPooler::is_installed() {
        skip("pgbouncer is not installed (Debian: apt install pgbouncer)");
        return;
    }
    let (folder, scratch) = (Folder::new(), ScratchSchema::new().unwrap());
    let settings = ["default_pool_size = 50"];
    let pooler = ScratchPooler::before(scratch.address(), Pooler::Session, &settings).unwrap();
    let address = pooler.url(scratch.address(), Pooler::Session);
    let demo = ["demo", "--invoices", "100", "--exit", "--json"];
    let place = ["--store", &address, "--read", &address];
    let outcome = folder.json(&[&demo[..], &place].concat());
    assert_eq!(outcome["caught_up"], true, "{outcome}");
}

#[test]
fn a_database_that_is_killed_is_waited_out_and_gone_on_with() {
    let (folder, database) = (Folder::new(), ScratchServer::start(&[]).unwrap());
    let address = database.url("postgres", "scratch");
    let server = Server::start(&folder, &["--store", &address, "--read", &address]);
    let send = |path: &str, id: &str, body: &Value| {
        let key = format!("{}-{id}", path.rsplit('/').next().unwrap());
        let path = path.replace('*', id);
        server.client.command(&path, &key, body).unwrap().status
    };
    for (path, body) in commands() {
        assert_eq!(send(path, "first", &body), 201, "{path}");
    }
    database.kill();
    let (path, body) = commands().swap_remove(0);
    assert_eq!(send(path, "second", &body), 503, "without a database");
    database.start_again().unwrap();
    for (path, body) in commands() {
        wait_until(path, || (send(path, "second", &body) < 300).then_some(()));
        assert_eq!(send(path, "first", &body), 200, "{path}: done before");
    }
    let tables = PostgresConfig::at(address.parse().unwrap()).open().unwrap();
    assert_rows_equal_a_rebuild(&tables, &server.client);
    assert_eq!(read_log(&server.client).len(), 6);
    server.stop();
}

/// One command for each kind of thing, with its path.
fn commands() -> Vec<(&'static str, Value)> {
    let line = json!({ "product": "first", "quantity": 1, "price": "1.25" });
    vec![
        ("/v1/product/*/add", json!({ "description": "FIRST" })),
        ("/v1/customer/*/register", json!({ "country": "Malta" })),
        ("/v1/order/*/place", json!({ "country": "Malta", "lines": [line] })),
    ]
}
