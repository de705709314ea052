//! Logs, and what else tells an operator how the program is.
