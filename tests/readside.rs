//! The read side from outside: SQLite, migrations, projections, queries, snapshots.

#[cfg(test)]
mod readside {
    mod database;
    mod fixture;
    mod memory;
    mod migration;
    mod poison;
    mod query;
    mod rebuild;
    mod runner;
    mod snapshot;
}
