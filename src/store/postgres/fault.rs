//! What a fault of the database means to callers of the store.

use crate::postgres::{Address, Fault, FaultKind};
use crate::store::{AppendError, StoreError};

/// Says why the store could not be opened or read.
pub(super) fn store_error(fault: &Fault, address: &Address) -> StoreError {
    let problem = fault.to_string();
    match fault.kind() {
        FaultKind::Lost | FaultKind::Unavailable | FaultKind::Contended => {
            StoreError::Unavailable { cause: problem }
        }
        _ => StoreError::Invalid { path: address.to_string(), problem },
    }
}

/// Says why an append was not done, although nothing of it was stored.
pub(super) fn append_error(fault: &Fault, address: &Address) -> AppendError {
    match fault.kind() {
        FaultKind::DiskFull => AppendError::DiskFull { path: address.to_string() },
        _ => AppendError::Unavailable { cause: fault.to_string() },
    }
}
