//! The read side from outside, on PostgreSQL: the rules of `readside.rs`, and what can go wrong
//! with a server.

#[cfg(test)]
mod readside {
    mod postgres;
    mod server;
    use postgres as place;

    mod backfill;
    mod database;
    mod fixture;
    mod kill;
    mod migration;
    mod poison;
    mod query;
    mod rebuild;
    mod rename;
    mod rolling;
    mod runner;
    mod snapshot;
    mod storable;
    mod turn;
}
