//! The runtime from outside: commands, faults, passivation, supervision, shutdown.

#[cfg(test)]
mod runtime {
    mod command;
    mod fault;
    mod passivation;
    mod projection;
    mod sample;
    mod supervision;
}
