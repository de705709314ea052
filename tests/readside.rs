//! The read side from outside, on both engines: migrations, projections, queries, snapshots.
//!
//! The same tests run on SQLite and on PostgreSQL; `place` is what differs, `fault` what can go
//! wrong with one of them alone.

#[cfg(test)]
mod readside {
    macro_rules! on_each_engine {
        ($( $engine:ident ),+) => { $(
            mod $engine {
                mod fault;
                mod place;

                #[path = "../database.rs"]
                mod database;
                #[path = "../fixture.rs"]
                mod fixture;
                #[path = "../migration.rs"]
                mod migration;
                #[path = "../poison.rs"]
                mod poison;
                #[path = "../query.rs"]
                mod query;
                #[path = "../rebuild.rs"]
                mod rebuild;
                #[path = "../runner.rs"]
                mod runner;
                #[path = "../snapshot.rs"]
                mod snapshot;
            }
        )+ };
    }

    on_each_engine!(sqlite, postgres);
}
