//! Migrations: up, down, checked.

use headwater::sql::migration::{CORE, Script};
use headwater::sql::{Database, Migration, MigrationError, MigrationSet, Migrator};

use super::place::{Place, schema};

const STEP: Migration = Migration {
    stem: "0001_things",
    up: Script::Same("create table things (x bigint)"),
    down: Script::Same("drop table things"),
};
const BROKEN: Migration = Migration {
    stem: "0002_broken",
    up: Script::Same("create table more (x bigint); create tabel less"),
    down: Script::Same(""),
};

fn set(steps: &'static [Migration]) -> MigrationSet {
    MigrationSet { capability: "sample", steps }
}

fn database() -> (Place, Database) {
    let place = Place::new();
    let database = place.open();
    (place, database)
}

#[tokio::test]
async fn up_down_up_gives_the_same_schema_and_down_leaves_nothing() {
    let (_place, database) = database();
    let migrator = Migrator::new(database.clone(), []);
    let bare = migrator.status().await.unwrap();
    assert!(bare.iter().all(|step| step.applied_at.is_none()));
    let empty = schema(&database).await;
    assert_eq!(migrator.up().await.unwrap(), CORE.steps.len());
    let full = schema(&database).await;
    assert_eq!(migrator.up().await.unwrap(), 0);
    assert_eq!(migrator.down("core", 0).await.unwrap(), CORE.steps.len());
    assert_eq!(schema(&database).await, empty);
    migrator.up().await.unwrap();
    assert_eq!(schema(&database).await, full);
    assert_eq!(migrator.down("core", 1).await.unwrap(), CORE.steps.len() - 1);
}

#[tokio::test]
async fn a_step_that_was_changed_after_it_was_done_is_refused() {
    const CHANGED: Migration = Migration { down: Script::Same("drop table  things"), ..STEP };
    let (_place, database) = database();
    Migrator::new(database.clone(), [set(&[STEP])]).up().await.unwrap();
    let error = Migrator::new(database, [set(&[CHANGED])]).up().await.unwrap_err();
    assert!(matches!(error, MigrationError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let (_place, database) = database();
    Migrator::new(database.clone(), [set(&[STEP])]).up().await.unwrap();
    let error = Migrator::new(database, [set(&[])]).up().await.unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "database has migration sample/0001_things, unknown here: use a newer program"
    );
}

#[tokio::test]
async fn a_step_that_fails_is_undone_as_a_whole_and_the_ones_before_stay() {
    let (_place, database) = database();
    let migrator = Migrator::new(database.clone(), [set(&[STEP, BROKEN])]);
    let error = migrator.up().await.unwrap_err();
    assert!(matches!(&error, MigrationError::Failed { stem, .. } if stem == "0002_broken"));
    let names = format!("{:?}", schema(&database).await);
    assert!(names.contains("things") && !names.contains("more"), "{names}");
    let status = migrator.status().await.unwrap();
    let done = status.iter().filter(|step| step.applied_at.is_some()).count();
    assert_eq!(done, CORE.steps.len() + 1);
}

#[tokio::test]
async fn steps_out_of_order_and_unknown_capabilities_are_refused() {
    let (_place, database) = database();
    let error = Migrator::new(database.clone(), [set(&[BROKEN])]).up().await.unwrap_err();
    assert!(matches!(error, MigrationError::Order { .. }), "{error}");
    let error = Migrator::new(database, []).down("sample", 0).await.unwrap_err();
    assert!(matches!(error, MigrationError::UnknownCapability { .. }), "{error}");
}
