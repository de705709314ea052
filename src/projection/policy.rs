//! What a projection does about events that it cannot apply (G7).

/// What to do about an event that cannot be applied, after the retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoisonPolicy {
    /// Stop before it and wait for an operator. The default: nothing is lost unseen.
    Halt,
    /// Record it as skipped, with the reason, and go on.
    Skip,
    /// Record it as parked, and everything later of the same stream behind it; go on with the
    /// other streams.
    Park,
}

/// What to do about an event whose type or version this program does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// Pass over it, counted. The default: an old program beside a new one goes on.
    Skip,
    /// Treat it as poison.
    Poison,
}
