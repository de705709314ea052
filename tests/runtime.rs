//! The runtime from outside: commands, faults, passivation, supervision, shutdown.

#[cfg(test)]
mod runtime {
    mod answer;
    mod command;
    mod fault;
    mod passivation;
    mod projection;
    mod records;
    mod running;
    mod sample;
    mod snapshot;
    mod spans;
    mod supervision;
    mod trace;
}
