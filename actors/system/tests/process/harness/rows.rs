//! What a server tells of its log and its read models, as a whole.

use std::collections::BTreeMap;

use headwater::sql::Database;
use serde_json::Value;

use super::{Client, thousandths, wait_until};

/// Reads every row of a read model, page by page.
pub fn read_rows(client: &Client, projection: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut path = format!("/v1/read/{projection}?limit=1000");
    loop {
        let page = client.get(&path);
        rows.extend(page["rows"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(cursor) => path = format!("/v1/read/{projection}?limit=1000&cursor={cursor}"),
            None => return rows,
        }
    }
}

/// Adds up by month what the read model says was earned, in thousandths.
pub fn earned_by_month(client: &Client) -> BTreeMap<String, i128> {
    let mut months = BTreeMap::new();
    for entry in read_rows(client, "revenue") {
        let text = |field: &str| entry["row"][field].as_str().unwrap().to_owned();
        *months.entry(text("month")).or_default() += thousandths(&text("net"));
    }
    months
}

/// Reads every event of the tenant.
pub fn read_log(client: &Client) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("/v1/events?after={after}&limit=1000"));
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        after = page["next"].as_u64().unwrap();
        if page["is_end"].as_bool().unwrap() {
            return events;
        }
    }
}

/// Waits until every projection runs at the log's end; returns how they stand.
pub fn wait_for_projections(client: &Client) -> Vec<Value> {
    wait_until("projections at the log's end", || {
        let statuses = statuses(client);
        let is_there = |status: &Value| {
            assert!(status["state"] != "halted", "{status}");
            status["state"] == "running" && status["position"] == status["head"]
        };
        statuses.iter().all(is_there).then_some(statuses)
    })
}

/// Checks that each read model's rows are those that it gets when it is filled anew.
pub fn assert_rows_equal_a_rebuild(database: &Database, client: &Client) {
    for before in wait_for_projections(client) {
        let name = before["name"].as_str().unwrap();
        let rows = || match before["is_served"].as_bool().unwrap() {
            true => read_rows(client, name).iter().map(Value::to_string).collect(),
            false => read_table(database, name),
        };
        let live = rows();
        // Nobody registers an endpoint here.
        assert!(!live.is_empty() || name == "outbox_endpoints", "{name}");
        client.ask("POST", &format!("/v1/projections/{name}/rebuild")).body_of(200);
        wait_until("rebuilt rows", || {
            let after = wait_for_projections(client).into_iter().find(|own| own["name"] == name)?;
            (after["generation"].as_u64() > before["generation"].as_u64()).then_some(())
        });
        assert!(rows() == live, "{name}: rows differ from those of a rebuild");
    }
}

/// Reads the table of a projection whose rows no server shows.
fn read_table(database: &Database, name: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sql = format!("select * from {name} order by 1, 2, 3");
    let rows = runtime.block_on(database.read(&sql, Vec::new())).unwrap();
    rows.rows.iter().map(|row| format!("{row:?}")).collect()
}

fn statuses(client: &Client) -> Vec<Value> {
    client.get("/v1/projections")["projections"].as_array().unwrap().clone()
}
