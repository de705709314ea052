//! The HTTP interface: the only actix-web code.
