//! The read side from outside: migrations, projections, queries, snapshots. Here on SQLite; the
//! same files make `readside_postgres.rs`.

#[cfg(test)]
mod readside {
    mod file;
    mod sqlite;
    use sqlite as place;

    mod backfill;
    mod database;
    mod fixture;
    mod memory;
    mod migration;
    mod poison;
    mod query;
    mod rebuild;
    mod rename;
    mod rolling;
    mod runner;
    mod snapshot;
    mod storable;
}
