//! The actors: the only actix code. Shells around the pure verbs that own all I/O.
