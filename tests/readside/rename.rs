//! The example of docs/guides/migrations.md: a column gets another name while it is read and
//! written.

use std::time::Duration;

use headwater::sql::migration::{Phase, Reach, Script};
use headwater::sql::{Database, Dialect, Migration, MigrationSet, Migrator, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::place::{Place, schema};

const STEPS: MigrationSet = headwater::migrations!("people" in "tests/readside/rename" {
    "0001_people",
    "0002_full_name" for each,
    "0003_fill",
    "0004_drop_name" for each,
});
const PEOPLE: i64 = 1_500;

/// What a program writes and reads: `name`, or `full_name`, or in between.
#[derive(Clone, Copy)]
struct Program {
    writes: &'static str,
    reads: &'static str,
}

const OLD: Program = Program { writes: "name", reads: "name" };
const BETWEEN: Program = Program { writes: "full_name", reads: "name" };
const NEW: Program = Program { writes: "full_name", reads: "full_name" };

/// Which programs run: two at a time, so that each meets the one before it.
const STAGES: [[Program; 2]; 5] =
    [[OLD, OLD], [OLD, BETWEEN], [BETWEEN, BETWEEN], [BETWEEN, NEW], [NEW, NEW]];

/// Two programs that read and write until they are stopped.
struct Load {
    /// How often a stage was entered, and which it is.
    turn: watch::Sender<(u64, usize)>,
    /// The turn in which each program was last at work, and how much it has done in it.
    done: watch::Sender<[(u64, u64); 2]>,
    programs: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(database: &Database) -> Self {
        let (turn, done) = (watch::Sender::new((0, 0)), watch::Sender::new([(0, 0); 2]));
        let program = |at: usize| {
            let (database, turn, done) = (database.clone(), turn.subscribe(), done.clone());
            tokio::spawn(async move {
                for id in (PEOPLE..).map(|n| 2 * n + at as i64) {
                    let (now, stage) = *turn.borrow();
                    let Some(programs) = STAGES.get(stage) else { break };
                    work(&database, programs[at], id).await;
                    done.send_modify(|done| {
                        let (last, count) = done[at];
                        done[at] = (now, if last == now { count + 1 } else { 1 });
                    });
                }
            })
        };
        let programs = vec![program(0), program(1)];
        Self { turn, done, programs }
    }

    /// Enters a stage and waits until both programs have read and written in it.
    async fn reach(&self, stage: usize) {
        self.turn.send_modify(|(turn, now)| (*turn, *now) = (*turn + 1, stage));
        let wanted = self.turn.borrow().0;
        let has_worked = |done: &[(u64, u64); 2]| done.iter().all(|it| *it >= (wanted, 3));
        let mut done = self.done.subscribe();
        let worked = done.wait_for(has_worked);
        // A program that has failed does not work any more.
        tokio::time::timeout(Duration::from_secs(60), worked).await.unwrap().unwrap();
    }

    /// Stops them; a panic of theirs is the test's.
    async fn stop(self) {
        self.turn.send_modify(|(_, stage)| *stage = usize::MAX);
        for program in self.programs {
            program.await.unwrap();
        }
    }
}

/// Adds somebody, names somebody from before anew, and sees that nobody is without a name.
async fn work(database: &Database, program: Program, id: i64) {
    let Program { writes, reads } = program;
    let (insert, update) = (
        format!("insert into people (id, {writes}) values ($1, $2)"),
        format!("update people set {writes} = $2 where id = $1"),
    );
    let name = Value::Text(format!("person {id}"));
    let before = id % PEOPLE;
    let write = database.write(move |tx| {
        tx.execute(&insert, &[Value::Int(id), name.clone()])?;
        tx.execute(&update, &[Value::Int(before), name])
    });
    write.await.unwrap();
    let nameless = format!("select id from people where {reads} is null");
    assert!(database.read(&nameless, vec![]).await.unwrap().rows.is_empty(), "{reads}");
    let own = format!("select {reads} from people where id = $1");
    let rows = database.read(&own, vec![Value::Int(id)]).await.unwrap().rows;
    assert_eq!(rows, [[Value::Text(format!("person {id}"))]], "{writes} {reads}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_is_renamed_while_programs_read_and_write_it_and_none_fails() {
    let place = Place::new();
    let (database, migrator) = (place.open(), Migrator::only(place.open(), [STEPS]));
    migrator.advance(&Reach::all().to("people", 1)).await.unwrap();
    let insert = "insert into people (id, name) values ($1, $2)";
    let people = (0..PEOPLE).flat_map(|id| [Value::Int(id), Value::Text(format!("person {id}"))]);
    let people: Vec<Value> = people.collect();
    let work = move |tx: &mut dyn headwater::sql::TxEngine| {
        tx.execute_many(insert, 2, &mut people.iter().map(Value::borrow))
    };
    database.write(work).await.unwrap();
    let load = Load::start(&database);
    load.reach(0).await;
    assert_eq!(migrator.advance(&Reach::all().phase(Phase::Expand)).await.unwrap(), 1);
    load.reach(1).await;
    load.reach(2).await;
    assert_eq!(migrator.advance(&Reach::all().phase(Phase::Backfill)).await.unwrap(), 1);
    load.reach(3).await;
    load.reach(4).await;
    assert_eq!(migrator.advance(&Reach::all()).await.unwrap(), 1);
    load.reach(4).await;
    load.stop().await;
}

#[tokio::test]
async fn every_step_before_the_last_is_undone_to_what_was_and_the_last_keeps_the_names() {
    let place = Place::new();
    let (database, migrator) = (place.open(), Migrator::only(place.open(), [STEPS]));
    let mut before = Vec::new();
    for number in 1..=3 {
        migrator.advance(&Reach::all().to("people", number)).await.unwrap();
        before.push(schema(&database).await);
    }
    for number in (1..3).rev() {
        migrator.down("people", number).await.unwrap();
        assert_eq!(schema(&database).await, before[number as usize - 1], "{number}");
    }
    migrator.advance(&Reach::all()).await.unwrap();
    let insert = "insert into people (id, full_name) values (1, 'Ann')";
    database.write(move |tx| tx.run_script(insert)).await.unwrap();
    migrator.down("people", 3).await.unwrap();
    let names = database.read("select name, full_name from people", vec![]).await.unwrap().rows;
    assert_eq!(names, [[Value::Text("Ann".into()), Value::Text("Ann".into())]]);
    // A column that comes back comes last, so only the names of columns are as they were.
    assert_eq!(schema(&database).await.len(), before[2].len());
}

#[test]
fn a_step_for_one_engine_does_nothing_on_the_other() {
    const ONE: MigrationSet = headwater::migrations!("people" in "tests/readside/rename" {
        "0002_full_name" for sqlite,
        "0002_full_name" for postgres,
    });
    let texts = |way: fn(&Migration) -> Script| {
        let text = |step: &Migration| {
            [Dialect::Sqlite, Dialect::Postgres].map(|dialect| way(step).text(dialect))
        };
        ONE.steps.iter().map(text).collect::<Vec<_>>()
    };
    for (way, each) in
        [(texts(|step| step.up), STEPS.steps[1].up), (texts(|step| step.down), STEPS.steps[1].down)]
    {
        let [sqlite, postgres] = [each.text(Dialect::Sqlite), each.text(Dialect::Postgres)];
        assert!(!sqlite.is_empty() && !postgres.is_empty() && sqlite != postgres);
        assert_eq!(way, [[sqlite, ""], ["", postgres]]);
    }
}
