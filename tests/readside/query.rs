//! Queries: pages, cursors, filters, keys.

use headwater::projection::{Definition, QueryError, RowEntry, RowQuery};
use headwater::runtime::feed::Catalog;

use super::fixture::{Balances, Deposits, World, bank, deposited, opened, run_to};
use super::place::plan;

async fn filled() -> (World, Catalog) {
    let world = World::new();
    let mut end = headwater::event::Position::ZERO;
    for number in 0..25 {
        let owner = if number % 2 == 0 { "even \"x\"" } else { "odd" };
        let events = [opened(owner), deposited(number * 100), deposited(7)];
        end = world.append("bank", &format!("a{number:02}"), &events).await;
        world.append("else", &format!("b{number:02}"), &events[..1]).await;
    }
    let definitions = vec![Definition::of_rows(Balances::<1>::default()), Definition::of(Deposits)];
    let catalog = world.catalog(definitions).await;
    for name in ["balances", "deposits"] {
        run_to(&mut catalog.runner(name).await.unwrap(), end).await;
    }
    (world, catalog)
}

async fn all(catalog: &Catalog, mut query: RowQuery) -> Vec<RowEntry> {
    let mut rows = Vec::new();
    loop {
        let page = catalog.query(query.clone()).await.unwrap();
        assert!(page.rows.len() <= query.limit);
        rows.extend(page.rows);
        match page.next {
            Some(next) => query.after_key = Some(next),
            None => return rows,
        }
    }
}

fn filtered(field: &str, value: &str) -> RowQuery {
    let filters = vec![(field.to_owned(), value.to_owned())];
    RowQuery { filters, limit: 4, ..RowQuery::of("balances", bank()) }
}

#[tokio::test]
async fn pages_give_every_row_of_the_tenant_once_in_the_order_of_keys() {
    let (_world, catalog) = filled().await;
    let rows = all(&catalog, RowQuery { limit: 5, ..RowQuery::of("balances", bank()) }).await;
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys.len(), 25);
    assert!(keys.is_sorted() && keys.iter().all(|key| key.starts_with('a')));
    let missing = catalog.get("balances", bank(), "b00".into()).await.unwrap();
    assert!(missing.is_none());
}

#[tokio::test]
async fn filters_match_texts_numbers_and_truth_values_as_json_writes_them() {
    let (_world, catalog) = filled().await;
    assert_eq!(all(&catalog, filtered("owner", "odd")).await.len(), 12);
    assert_eq!(all(&catalog, filtered("owner", "even \"x\"")).await.len(), 13);
    assert_eq!(all(&catalog, filtered("cents", "107")).await.len(), 1);
    assert_eq!(all(&catalog, filtered("is_rich", "true")).await.len(), 15);
    assert_eq!(all(&catalog, filtered("is_rich", "1")).await.len(), 0);
    assert_eq!(all(&catalog, filtered("owner", "' or 1=1")).await.len(), 0);
}

#[tokio::test]
async fn a_filter_uses_its_index() {
    let (world, _catalog) = filled().await;
    let plan = plan(&world.database().await).await;
    assert!(plan.contains("balances_by_owner"), "{plan}");
}

#[tokio::test]
async fn a_field_without_index_is_refused_with_the_allowed_ones() {
    let (_world, catalog) = filled().await;
    let error = catalog.query(filtered("deposits", "1")).await.unwrap_err();
    let wanted = "projection balances cannot be filtered by \"deposits\": \
        allowed are owner, is_rich, cents";
    assert_eq!(error.to_string(), wanted);
    let error = catalog.query(RowQuery::of("balance", bank())).await.unwrap_err();
    assert_eq!(error.to_string(), "no projection \"balance\": known are balances, deposits");
}

#[tokio::test]
async fn tables_of_their_own_are_served_by_their_key_columns() {
    let (_world, catalog) = filled().await;
    let query = RowQuery { limit: 7, ..RowQuery::of("deposits", bank()) };
    assert_eq!(all(&catalog, query.clone()).await.len(), 50);
    for (value, count) in [("7", 25), ("seven", 0)] {
        let filters = vec![("cents".to_owned(), value.to_owned())];
        assert_eq!(all(&catalog, RowQuery { filters, ..query.clone() }).await.len(), count);
    }
    let row = catalog.get("deposits", bank(), "a03,2".into()).await.unwrap().unwrap();
    assert_eq!(row.row.get(), r#"{"account":"a03","cents":300,"revision":2}"#);
    let none = catalog.get("deposits", bank(), "a03,two".into()).await.unwrap();
    assert!(none.is_none());
    let error = catalog.get("deposits", bank(), "a03".into()).await.unwrap_err();
    assert!(matches!(error, QueryError::BadKey { .. }), "{error}");
}

#[tokio::test]
async fn a_comma_inside_a_key_column_is_marked() {
    let world = World::new();
    let end = world.append("bank", "a,b\\c", &[deposited(1), deposited(2)]).await;
    let catalog = world.catalog(vec![Definition::of(Deposits)]).await;
    run_to(&mut catalog.runner("deposits").await.unwrap(), end).await;
    let query = RowQuery { limit: 1, ..RowQuery::of("deposits", bank()) };
    let rows = all(&catalog, query).await;
    assert_eq!(rows[0].key, "a\\,b\\\\c,1");
    let found = catalog.get("deposits", bank(), rows[1].key.clone()).await.unwrap().unwrap();
    assert_eq!(found.row.get(), rows[1].row.get());
}

#[tokio::test]
async fn names_that_make_no_table_and_names_used_twice_are_refused() {
    let world = World::new();
    let twice = vec![Definition::of(Deposits), Definition::of(Deposits)];
    let store: headwater::store::SharedStore = world.store.clone();
    let opened = Catalog::open(world.database().await, store, twice, world.config.clone()).await;
    assert!(opened.err().unwrap().to_string().contains("same name"));
}
