//! Rows hold what one engine alone could not hold, alike on both.

use headwater::projection::{Definition, ProjectionState, RowQuery};
use headwater::runtime::feed::Catalog;
use headwater::sql::{SqlError, ToValue, TxEngine, Value};

use super::fixture::{Balances, World, bank, deposited, opened, run_to};

async fn catalog(world: &World) -> Catalog {
    world.catalog(vec![Definition::of_rows(Balances::<1, 2>::default())]).await
}

#[tokio::test]
async fn a_row_with_nul_in_an_indexed_field_is_stored_and_read_back() {
    let world = World::new();
    world.append("bank", "a1", &[opened("a\0b"), deposited(5)]).await;
    let end = world.append("bank", "a2", &[opened("\u{FDD0}0000\u{FDD0}"), deposited(7)]).await;
    let catalog = catalog(&world).await;
    let mut runner = catalog.runner("balances").await.unwrap();
    run_to(&mut runner, end).await;
    // Each row is loaded and written once more by a program that remembers none.
    drop(runner);
    let end = world.append("bank", "a1", &[deposited(1)]).await;
    run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
    let row = catalog.get("balances", bank(), "a1".into()).await.unwrap().unwrap();
    let wanted = r#"{"owner":"a\u0000b","cents":6,"deposits":2,"is_rich":false}"#;
    assert_eq!(row.row.get(), wanted);
    let filters = vec![("owner".to_owned(), "\u{FDD0}0000\u{FDD0}".to_owned())];
    let query = RowQuery { filters, ..RowQuery::of("balances", bank()) };
    let found = catalog.query(query).await.unwrap().rows;
    assert_eq!(found.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["a2"]);
    assert_eq!(catalog.status("balances").unwrap().parked, 0);
}

#[tokio::test]
async fn a_field_too_large_for_its_index_is_poison_and_no_fault_of_the_read_side() {
    let world = World::new();
    // Random enough that no engine can press it into its index.
    let long: String =
        (0_u32..600).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    world.append("bank", "large", &[opened(&long)]).await;
    let end = world.append("bank", "small", &[opened(&long[..1_000])]).await;
    let catalog = catalog(&world).await;
    run_to(&mut catalog.runner("balances").await.unwrap(), end).await;
    let status = catalog.status("balances").unwrap();
    assert_eq!((status.state, status.parked), (ProjectionState::Running, 1));
    assert!(catalog.get("balances", bank(), "small".into()).await.unwrap().is_some());
    assert!(catalog.get("balances", bank(), "large".into()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_statement_with_nul_in_a_text_is_refused_alike_and_ends_nothing() {
    let world = World::new();
    let database = world.database().await;
    let told = |result: Result<(), SqlError>| result.unwrap_err().to_string();
    let read = database.read("select $1 as x", vec![Value::Text("a\0b".into())]).await;
    assert!(told(read.map(drop)).contains("U+0000 (NUL)"));
    let write = database.write(|tx: &mut dyn TxEngine| {
        tx.run_script("create table t (x text not null)")?;
        tx.execute("insert into t (x) values ($1)", &["a\0b".to_value()]).map(drop)
    });
    let write = told(write.await);
    assert!(write.contains("U+0000 (NUL)"), "{write}");
}
