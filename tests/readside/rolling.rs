//! Migrations while programs of two versions run: what starts, what waits, what is refused.

use headwater::sql::migration::{NODES, Phase, Reach, Script, StepState};
use headwater::sql::{Database, Dialect, Migration, MigrationError, MigrationSet, Migrator, Value};

use super::place::{Place, schema};

const EXPAND: Migration = Migration {
    stem: "0001_things",
    up: Script::Same("create table things (id bigint primary key, old text)"),
    down: Script::Same("drop table things"),
};
const ADD: Migration = Migration {
    stem: "0002_add",
    up: Script::Same("alter table things add column fresh text"),
    down: Script::Same("alter table things drop column fresh"),
};
const FILL: Migration = Migration {
    stem: "0003_fill",
    up: Script::Same(
        "-- phase: backfill
-- batch: things by id
update things set fresh = old where id between $1 and $2",
    ),
    down: Script::Same(""),
};
const CONTRACT: Migration = Migration {
    stem: "0004_drop",
    up: Script::Same("-- phase: contract\nalter table things drop column old"),
    down: Script::Same("alter table things add column old text; update things set old = fresh"),
};
const MORE: Migration = Migration {
    stem: "0005_more",
    up: Script::Same("alter table things add column more text"),
    down: Script::Same("alter table things drop column more"),
};
const ALL: [Migration; 5] = [EXPAND, ADD, FILL, CONTRACT, MORE];

/// A program that knows the first steps.
fn program(database: &Database, knows: usize) -> Migrator {
    const STEPS: &[Migration] = &ALL;
    let sample = MigrationSet { capability: "sample", steps: &STEPS[..knows] };
    Migrator::only(database.clone(), [NODES, sample])
}

async fn started(knows: usize) -> (Place, Database) {
    let place = Place::new();
    let database = place.open();
    program(&database, knows).up().await.unwrap();
    (place, database)
}

async fn states(migrator: &Migrator) -> Vec<StepState> {
    let steps = migrator.status().await.unwrap().into_iter();
    steps.filter(|step| step.capability == "sample").map(|step| step.state).collect()
}

/// Lets a program be seen, so many milliseconds after now by the clock of the database.
async fn beat(database: &Database, name: &str, knows: &str, after_ms: i64) {
    let now = match database.dialect() {
        Dialect::Sqlite => "cast((julianday('now') - 2440587.5) * 86400000 as integer)",
        Dialect::Postgres => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let values = vec![text(name), text("0.7.0"), Value::Int(after_ms), text(knows)];
    let sql = format!(
        "insert into nodes (id, name, program_version, started_at, heartbeat_at, silence_ms,
            knows, runs)
        values ($1, $1, $2, 0, {now} + $3, 20000, $4, '{{}}')
        on conflict (id) do update set heartbeat_at = excluded.heartbeat_at,
            knows = excluded.knows"
    );
    database.write(move |tx| tx.execute(&sql, &values)).await.unwrap();
}

#[tokio::test]
async fn a_first_start_does_every_step() {
    let (_place, database) = started(5).await;
    assert_eq!(states(&program(&database, 5)).await, [StepState::Done; 5]);
}

#[tokio::test]
async fn a_start_leaves_backfills_in_parts_and_contract_steps_to_an_operator() {
    let (_place, database) = started(1).await;
    let newer = program(&database, 4);
    assert_eq!(newer.up().await.unwrap(), 1);
    let wanted = [StepState::Done, StepState::Done, StepState::Pending, StepState::Pending];
    assert_eq!(states(&newer).await, wanted);
    assert_eq!(newer.up().await.unwrap(), 0);
    assert_eq!(newer.advance(&Reach::all()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_start_that_needs_what_comes_after_such_a_step_is_refused_with_the_command() {
    let (_place, database) = started(2).await;
    let newest = program(&database, 5);
    let error = newest.up().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "migration sample/0005_more comes after backfill step 0003_fill, which is not done by \
         itself: run `headwater migrate up`"
    );
    assert_eq!(states(&newest).await[2..], [StepState::Pending; 3]);
    assert_eq!(newest.advance(&Reach::all()).await.unwrap(), 3);
    assert_eq!(newest.up().await.unwrap(), 0);
}

#[tokio::test]
async fn an_older_program_starts_on_what_a_newer_one_added_but_not_on_what_it_took_away() {
    let (_place, database) = started(1).await;
    let (older, newer) = (program(&database, 1), program(&database, 4));
    newer.advance(&Reach::all().phase(Phase::Backfill)).await.unwrap();
    assert_eq!(older.up().await.unwrap(), 0);
    assert!(older.verify().await.unwrap().is_empty());
    assert_eq!(states(&older).await[1..], [StepState::Unknown; 2]);
    newer.advance(&Reach::all()).await.unwrap();
    let error = older.up().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("contract step sample/0004_drop of a newer program"), "{text}");
    assert_eq!(states(&older).await[3], StepState::UnknownContract);
}

#[tokio::test]
async fn a_program_whose_step_was_undone_since_it_looked_refuses() {
    let (_place, database) = started(2).await;
    let newcomer = program(&database, 2);
    assert_eq!(newcomer.up().await.unwrap(), 0);
    program(&database, 2).down("sample", 1).await.unwrap();
    let error = newcomer.check().await.unwrap_err();
    assert!(
        matches!(&error, MigrationError::Pending { stem, .. } if stem == "0002_add"),
        "{error}"
    );
}

#[tokio::test]
async fn a_run_goes_as_far_as_the_phase_and_the_step_that_are_said() {
    let (_place, database) = started(1).await;
    let newer = program(&database, 4);
    assert_eq!(newer.advance(&Reach::all().phase(Phase::Expand)).await.unwrap(), 1);
    assert_eq!(newer.advance(&Reach::all().phase(Phase::Backfill)).await.unwrap(), 1);
    assert_eq!(newer.down("sample", 1).await.unwrap(), 2);
    assert_eq!(newer.advance(&Reach::all().to("sample", 3)).await.unwrap(), 2);
    assert_eq!(newer.advance(&Reach::all().to("sample", 3)).await.unwrap(), 0);
    let error = newer.advance(&Reach::all().to("sample", 9)).await.unwrap_err();
    assert!(matches!(error, MigrationError::UnknownStep { number: 9, .. }), "{error}");
    let error = program(&database, 5).advance(&Reach::all().phase(Phase::Expand)).await;
    assert!(matches!(error, Err(MigrationError::Waits { .. })), "{error:?}");
}

#[tokio::test]
async fn a_contract_step_is_refused_while_a_program_runs_that_does_not_know_it() {
    let (_place, database) = started(3).await;
    beat(&database, "web-1", r#"{"sample":3,"nodes":1}"#, 0).await;
    beat(&database, "web-2", r#"{"sample":4}"#, 0).await;
    beat(&database, "other", r#"{"nodes":1}"#, 0).await;
    beat(&database, "dead", r#"{"sample":1}"#, -20_100).await;
    let newer = program(&database, 4);
    let error = newer.advance(&Reach::all()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, MigrationError::InUse { .. }), "{text}");
    assert!(text.contains("web-1 (program 0.7.0, knows sample up to 3); replace them"), "{text}");
    assert_eq!(states(&newer).await[3], StepState::Pending);
    beat(&database, "web-1", r#"{"sample":4}"#, 0).await;
    assert_eq!(newer.advance(&Reach::all()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_program_that_does_not_say_what_it_knows_is_taken_for_an_old_one() {
    let (_place, database) = started(3).await;
    for knows in ["", "{", r#"{"sample":"four"}"#] {
        beat(&database, "web-1", knows, 0).await;
        let error = program(&database, 4).advance(&Reach::all()).await.unwrap_err().to_string();
        assert!(error.contains("what it knows of sample cannot be read"), "{error}");
    }
}

#[tokio::test]
async fn what_a_running_program_may_use_is_not_undone() {
    let (_place, database) = started(2).await;
    let migrator = program(&database, 2);
    beat(&database, "web-1", r#"{"sample":2}"#, 0).await;
    let error = migrator.down("sample", 1).await.unwrap_err().to_string();
    assert!(error.contains("web-1 (program 0.7.0, knows sample up to 2); replace"), "{error}");
    beat(&database, "web-1", r#"{"sample":1}"#, 0).await;
    assert_eq!(migrator.down("sample", 1).await.unwrap(), 1);
}

#[tokio::test]
async fn an_older_program_undoes_the_steps_of_a_newer_one_by_the_text_that_was_left() {
    let (_place, database) = started(1).await;
    let before = schema(&database).await;
    program(&database, 4).advance(&Reach::all()).await.unwrap();
    let older = program(&database, 1);
    assert_eq!(older.down("sample", 1).await.unwrap(), 3);
    // Rebuilt columns of SQLite are written down as they were.
    assert_eq!(schema(&database).await.len(), before.len());
    assert_eq!(older.up().await.unwrap(), 0);
    assert_eq!(older.down("sample", 0).await.unwrap(), 1);
}

#[tokio::test]
async fn a_stored_text_that_was_changed_undoes_nothing() {
    let (_place, database) = started(2).await;
    for (edit, part) in [
        ("update schema_migrations set down_sql = 'drop table things'", "was changed after"),
        ("update schema_migrations set down_sql = null", "is missing"),
    ] {
        database.write(move |tx| tx.run_script(edit)).await.unwrap();
        let error = program(&database, 1).down("sample", 1).await.unwrap_err();
        assert!(matches!(error, MigrationError::Stored { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(states(&program(&database, 2)).await, [StepState::Done; 2]);
}
