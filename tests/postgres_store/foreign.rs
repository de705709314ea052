//! Writers that go past the program: refused by the schema, whoever they are.

use headwater::store::EventStore;
use headwater::store::Expected;

use super::kit::{append, node, scratch, whole_log};

/// One event for the stream `f`, by another program; its record names no tenant.
pub const APPEND_BATCH: &str = "select append_batch(array[1], null, array[0], '{}',
    array[1], array[-1]::bigint[], array[1], array[1], array['default/order/f'],
    array['default/order'], array['default'], array['order'], array['Placed'],
    array[1], array[1], array[gen_random_uuid()], array[decode(repeat('00', 80), 'hex')], null, null)";

fn refused(sql: &str, part: &str) {
    let scratch = scratch();
    let error = scratch.run(sql).unwrap_err().to_string();
    assert!(error.contains(part), "{sql}: {error}");
}

#[test]
fn every_plain_write_to_a_table_of_the_log_is_refused() {
    for table in ["event_order", "event_kinds", "streams", "events", "event_tags", "event_fences"] {
        let said = format!("table {table} is written by append_batch alone");
        refused(&format!("insert into {table} select * from {table}"), &said);
        refused(&format!("delete from {table}"), &said);
        refused(&format!("truncate {table}"), &said);
    }
    refused("update events set record = ''", "update refused");
}

#[test]
fn what_append_batch_opened_is_closed_behind_it() {
    refused(&format!("begin; {APPEND_BATCH}; delete from events; commit"), "delete refused");
}

#[test]
fn another_isolation_level_is_refused() {
    for level in ["repeatable read", "serializable"] {
        let said = format!("needs isolation level read committed, not {level}");
        refused(&format!("begin isolation level {level}; {APPEND_BATCH}; commit"), &said);
    }
}

#[tokio::test]
async fn a_foreign_call_of_append_batch_is_ordered_or_leaves_no_trace() {
    let scratch = scratch();
    let store = node(scratch.address());
    store.append(append("a", Expected::Any, 2)).await.unwrap();
    scratch.run(&format!("begin; {APPEND_BATCH}; {APPEND_BATCH}; rollback")).unwrap();
    let appended = store.append(append("a", Expected::Any, 1)).await.unwrap();
    assert_eq!((appended.position.get(), whole_log(&store).await.len()), (3, 3));
}
