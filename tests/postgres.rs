//! Addresses, connections and faults of PostgreSQL, against a real server and against liars.

#[cfg(test)]
mod postgres {
    mod fault;
    mod session;
}
