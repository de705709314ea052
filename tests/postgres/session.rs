//! What a session is when it begins, and what is left when a scratch schema is dropped.

use headwater::postgres::{FaultKind, connect, make_schema, pool};
use headwater::test::ScratchSchema;

#[tokio::test]
async fn a_session_begins_in_its_schema_read_committed_and_in_utc() {
    let scratch = ScratchSchema::new().unwrap();
    let client = connect(scratch.address()).await.unwrap();
    let sql = "select current_schema::text, current_setting('default_transaction_isolation'),
        current_setting('TimeZone'), current_setting('application_name')";
    let row = client.query_one(sql, &[]).await.unwrap();
    let schema = scratch.address().schema();
    let wanted = [schema, "read committed", "UTC", schema];
    assert_eq!([0, 1, 2, 3].map(|at| row.get::<_, String>(at)), wanted);
}

#[tokio::test]
async fn a_pool_opens_no_more_connections_than_it_may_and_replaces_lost_ones() {
    let scratch = ScratchSchema::new().unwrap();
    let pool = pool(scratch.address(), 2).unwrap();
    let pid = async || {
        let client = pool.get().await.unwrap();
        client.query_one("select pg_backend_pid()", &[]).await.unwrap().get::<_, i32>(0)
    };
    let first = pid().await;
    assert_eq!(pid().await, first);
    assert_eq!(scratch.end_sessions().unwrap(), 1);
    let lost = pool.get().await.unwrap();
    // The driver notices as soon as it is polled; what it then gives out works.
    while !lost.is_closed() {
        tokio::task::yield_now().await;
    }
    drop(lost);
    assert_ne!(pid().await, first);
    assert_eq!(pool.status().max_size, 2);
}

#[tokio::test]
async fn a_schema_may_be_made_by_many_at_once() {
    let scratch = ScratchSchema::new().unwrap();
    let name = format!("{}_b", scratch.address().schema());
    let address = scratch.address().clone().with_schema(&name).unwrap();
    let making = (0..8).map(|_| async {
        let client = connect(&address).await?;
        make_schema(&client, &address).await
    });
    for made in futures_util::future::join_all(making).await {
        made.unwrap();
    }
    scratch.run(&format!("drop schema {name}")).unwrap();
}

#[tokio::test]
async fn a_scratch_schema_leaves_nothing_even_when_a_session_holds_it() {
    let scratch = ScratchSchema::new().unwrap();
    let (name, address) = (scratch.address().schema().to_owned(), scratch.address().clone());
    let holder = connect(&address).await.unwrap();
    holder.batch_execute("create table t (x int); begin; lock table t").await.unwrap();
    drop(scratch);
    let client = connect(&address).await.unwrap();
    let sql = "select from pg_namespace where nspname = $1";
    assert!(client.query_opt(sql, &[&name]).await.unwrap().is_none());
    let error = client.batch_execute("create table t (x int)").await.unwrap_err();
    let fault = headwater::postgres::Fault::of(&error, &address);
    assert_eq!(fault.kind(), FaultKind::Misconfigured, "{fault}");
    assert!(fault.to_string().contains(&name), "{fault}");
}
