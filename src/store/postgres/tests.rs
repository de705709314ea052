//! What statements look at does not hang on statistics: behind a restore there are none.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::reader::SETUP;
use super::request::items_json;
use super::statement::{Plan, Statements};
use super::{PostgresStore, PostgresStoreConfig};
use crate::event::{EventQuery, EventType, NewEvent, QueryItem, StreamId, Tag, Tenant};
use crate::postgres::connect;
use crate::store::{Append, Direction, EventStore, Expected};
use crate::test::ScratchSchema;

const LIMIT: i64 = 100;
const SCAN: i64 = 6_400;

/// A log of 30,000 events of three types, one of them rare, in tables that are never analyzed.
async fn filled() -> (ScratchSchema, Client) {
    let scratch = ScratchSchema::with_log().unwrap();
    let client = connect(scratch.address()).await.unwrap();
    for table in ["events", "event_tags", "streams", "event_kinds"] {
        let off = format!("alter table {table} set (autovacuum_enabled = off)");
        client.batch_execute(&off).await.unwrap();
    }
    let store = PostgresStore::open(PostgresStoreConfig::new(scratch.address().clone())).unwrap();
    for round in 0..30 {
        let event = |number: usize| {
            let event_type = match (round, number) {
                (29, 999) => "Rare",
                _ if number.is_multiple_of(2) => "Placed",
                _ => "Paid",
            };
            let tag = Tag::new(format!("customer:{}", number % 50)).unwrap();
            NewEvent::json(event_type, 1, "{}").unwrap().with_tags(vec![tag])
        };
        let stream = StreamId::new("order", format!("{}", round % 3)).unwrap();
        let events = (0..1_000).map(event).collect();
        let tenant = Tenant::default_tenant();
        store.append(Append::to_stream(tenant, stream, Expected::Any, events)).await.unwrap();
    }
    store.close();
    client.batch_execute(SETUP).await.unwrap();
    (scratch, client)
}

fn query(types: &[&str], tags: &[&str]) -> QueryItem {
    let types = types.iter().map(|name| EventType::new(*name).unwrap()).collect();
    let tags = tags.iter().map(|name| Tag::new(*name).unwrap()).collect();
    QueryItem { types, tags, ..QueryItem::default() }
}

/// Returns how many rows of tables a statement looks at.
async fn looked_at(client: &Client, statement: &str, (types, values): (&str, &str)) -> f64 {
    let prepare = format!("deallocate all; prepare page ({types}) as {statement}");
    client.batch_execute(&prepare).await.unwrap();
    let explain = format!("explain (analyze, format json) execute page ({values})");
    let told = client.simple_query(&explain).await.unwrap();
    let row = told.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let told: serde_json::Value = serde_json::from_str(row.unwrap()).unwrap();
    rows_of(&told[0]["Plan"])
}

fn rows_of(node: &serde_json::Value) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let rows = ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"];
    let own = match node["Relation Name"].is_string() || node["Index Name"].is_string() {
        true => rows.map(number).iter().sum::<f64>() * number("Actual Loops"),
        false => 0.0,
    };
    own + node["Plans"].as_array().into_iter().flatten().map(rows_of).sum::<f64>()
}

async fn pages(plan: Plan, items: Vec<QueryItem>) -> Vec<f64> {
    let (scratch, client) = filled().await;
    let statements = Statements::of(scratch.address().schema());
    let items = items_json(&EventQuery { items }).to_string();
    let mut looked = Vec::new();
    for (direction, from) in [
        (Direction::Forward, 0),
        (Direction::Forward, 15_000),
        (Direction::Backward, 15_000),
        (Direction::Backward, i64::MAX),
    ] {
        let first = format!("{from}, {LIMIT}, {}", 4 << 20);
        let (types, values) = match plan {
            Plan::All => ("bigint, bigint, bigint", first),
            Plan::Tags => {
                ("bigint, bigint, bigint, text, text", format!("{first}, 'default', '{items}'"))
            }
            Plan::Kinds | Plan::Mixed => (
                "bigint, bigint, bigint, text, text, bigint",
                format!("{first}, 'default', '{items}', {SCAN}"),
            ),
        };
        let statement = statements.log(plan, direction);
        looked.push(looked_at(&client, statement, (types, &values)).await);
    }
    looked
}

#[tokio::test]
async fn a_page_of_the_log_looks_at_what_it_returns() {
    let looked = pages(Plan::All, Vec::new()).await;
    assert!(looked.iter().all(|rows| *rows <= 120.0), "{looked:?}");
}

#[tokio::test]
async fn a_page_of_a_tenant_or_of_types_looks_at_little_more_than_it_returns() {
    for items in [query(&[], &[]), query(&["Placed"], &[])] {
        let looked = pages(Plan::Kinds, vec![items]).await;
        assert!(looked.iter().all(|rows| *rows <= 400.0), "{looked:?}");
    }
}

#[tokio::test]
async fn a_rare_type_is_found_without_a_look_at_all_others() {
    let looked = pages(Plan::Kinds, vec![query(&["Rare"], &[])]).await;
    assert!(looked.iter().all(|rows| *rows <= 7_000.0), "{looked:?}");
}

#[tokio::test]
async fn a_page_by_tags_looks_at_what_the_index_leads_to() {
    let looked = pages(Plan::Tags, vec![query(&[], &["customer:7"])]).await;
    assert!(looked.iter().all(|rows| *rows <= 1_000.0), "{looked:?}");
}

#[tokio::test]
async fn a_page_of_types_or_tags_looks_at_a_bounded_number() {
    let items = vec![query(&["Rare"], &[]), query(&[], &["customer:7"])];
    let looked = pages(Plan::Mixed, items).await;
    assert!(looked.iter().all(|rows| *rows <= 4.0 * SCAN as f64), "{looked:?}");
}
