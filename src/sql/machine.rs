//! What this machine is called, for the people who read who did something.

/// Returns the machine's name; `None` when the system tells none.
pub(crate) fn machine_name() -> Option<String> {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = told.or_else(|| std::env::var("HOSTNAME").ok())?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}
