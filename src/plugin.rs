//! What a capability brings to the system.
