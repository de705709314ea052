//! Migrations: up, down, checked.

use headwater::sql::migration::{CORE, NODES, STORE, Script, StepState};
use headwater::sql::{Database, Migration, MigrationError, MigrationSet, Migrator};

use super::place::{Place, schema, tables};

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

fn part_of(set: MigrationSet, count: usize) -> MigrationSet {
    MigrationSet { steps: &set.steps[..count], ..set }
}

fn database() -> (Place, Database) {
    let place = Place::new();
    let database = place.open();
    (place, database)
}

#[tokio::test]
async fn up_down_up_gives_the_same_schema_and_down_leaves_nothing() {
    let (_place, database) = database();
    let migrator = Migrator::only(database.clone(), [CORE]);
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
async fn every_step_up_down_and_up_again_gives_the_same_schema() {
    for set in [CORE, NODES, STORE] {
        let (_place, database) = database();
        for count in 1..=set.steps.len() {
            let migrator = |count| Migrator::only(database.clone(), [part_of(set, count)]);
            migrator(count - 1).up().await.unwrap();
            let before = schema(&database).await;
            assert_eq!(migrator(count).up().await.unwrap(), 1);
            let after = schema(&database).await;
            let undone = migrator(count).down(set.capability, count as u32 - 1).await.unwrap();
            assert_eq!(
                (undone, schema(&database).await),
                (1, before),
                "{} {count}",
                set.capability
            );
            migrator(count).up().await.unwrap();
            assert_eq!(schema(&database).await, after, "{} {count}", set.capability);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_five_runners_at_once_each_step_is_done_by_one_and_none_fails() {
    let place = Place::new();
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(5));
    let runners: Vec<_> = (0..5)
        .map(|_| {
            let migrator = Migrator::only(place.open(), [CORE, set(&[STEP])]);
            let start = std::sync::Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                migrator.up().await
            })
        })
        .collect();
    let mut done = 0;
    for runner in runners {
        done += runner.await.unwrap().unwrap();
    }
    assert_eq!(done, CORE.steps.len() + 1);
}

#[tokio::test]
async fn a_table_of_steps_of_an_early_program_is_taken_over() {
    let (_place, database) = database();
    let migrator = Migrator::only(database.clone(), [CORE]);
    migrator.up().await.unwrap();
    let early = "create table early as select capability, number, stem, checksum, applied_at
            from schema_migrations;
        drop table schema_migrations;
        alter table early rename to schema_migrations;
        create unique index early_key on schema_migrations (capability, number)";
    database.write(|tx| tx.run_script(early)).await.unwrap();
    let status = migrator.status().await.unwrap();
    assert!(status.iter().all(|step| step.state == StepState::Done), "{status:?}");
    assert_eq!(migrator.down("core", 0).await.unwrap(), CORE.steps.len());
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_before_anything_is_done() {
    const MISTYPED: Migration =
        Migration { up: Script::Same("-- fase: expand\ncreate table x (x bigint)"), ..STEP };
    let (_place, database) = database();
    let error = Migrator::new(database.clone(), [set(&[MISTYPED])]).up().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("sample/0001_things, line 1: fase is unknown"), "{text}");
    let status = Migrator::new(database, []).status().await.unwrap();
    assert!(status.iter().all(|step| step.state == StepState::Pending), "{status:?}");
}

#[tokio::test]
async fn verify_and_status_name_everything_that_does_not_fit() {
    const CHANGED: Migration = Migration { down: Script::Same("drop table  things"), ..STEP };
    const MORE: Migration = Migration {
        stem: "0002_more",
        up: Script::Same("-- phase: contract"),
        down: Script::Same(""),
    };
    let (_place, database) = database();
    let migrator = Migrator::only(database.clone(), [set(&[STEP, MORE])]);
    migrator.up().await.unwrap();
    assert!(migrator.verify().await.unwrap().is_empty());
    let older = Migrator::only(database, [set(&[CHANGED])]);
    let problems = older.verify().await.unwrap();
    assert!(
        matches!(problems[..], [MigrationError::Changed { .. }, MigrationError::Newer { .. }]),
        "{problems:?}"
    );
    let states: Vec<_> = older.status().await.unwrap().iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Changed, StepState::UnknownContract]);
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
async fn a_step_that_fails_is_undone_as_a_whole_and_the_ones_before_stay() {
    let (_place, database) = database();
    let migrator = Migrator::only(database.clone(), [CORE, set(&[STEP, BROKEN])]);
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

#[tokio::test]
async fn a_first_start_that_stopped_half_way_is_gone_on_with_as_one() {
    const TAKE: Migration = Migration {
        stem: "0002_take",
        up: Script::Same("-- phase: contract\ndrop table things"),
        down: Script::Same("create table things (x bigint)"),
    };
    const BAD: Migration = Migration { up: Script::Same("-- phase: contract\ndrop tabel"), ..TAKE };
    const LATER: Migration = Migration {
        stem: "0003_later",
        up: Script::Same("create table more (x bigint)"),
        down: Script::Same("drop table more"),
    };
    let (_place, database) = database();
    let migrator = |steps| Migrator::only(database.clone(), [set(steps)]);
    let stopped = migrator(&[STEP, BAD, LATER]).up().await.unwrap_err();
    assert!(matches!(stopped, MigrationError::Failed { .. }), "{stopped}");
    assert_eq!(migrator(&[STEP, TAKE, LATER]).up().await.unwrap(), 2);
    // From here on the tables are in use, even if the steps are undone.
    assert_eq!(migrator(&[STEP, TAKE, LATER]).down("sample", 1).await.unwrap(), 2);
    let error = migrator(&[STEP, TAKE, LATER]).up().await.unwrap_err();
    assert!(matches!(error, MigrationError::Waits { .. }), "{error}");
}

#[tokio::test]
async fn who_only_looks_makes_no_table_and_finds_every_step_pending() {
    let (_place, database) = database();
    let migrator = Migrator::only(database.clone(), [CORE]);
    let status = migrator.status().await.unwrap();
    assert!(status.iter().all(|step| step.state == StepState::Pending), "{status:?}");
    assert!(migrator.verify().await.unwrap().is_empty());
    let error = migrator.check().await.unwrap_err();
    assert!(matches!(error, MigrationError::Pending { .. }), "{error}");
    assert_eq!(migrator.down("core", 0).await.unwrap(), 0);
    assert!(tables(&database, "schema_migrations").await.is_empty());
}
