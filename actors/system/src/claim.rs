//! Keeps a second program out of a database until several nodes can share one.
//!
//! Two programs on one read side would take each projection from each other again and again:
//! nothing would be lost or doubled, and little would get done. A claim whose connection is lost
//! is lost too, without a word; what fences projections is their checkpoint, not this.

use headwater::postgres::{Address, Fault, connect};

use crate::error::Failure;

/// A lock that the server holds for this process as long as its connection lives.
pub struct Claim {
    _held: Box<dyn Send>,
}

impl Claim {
    /// Takes the lock of an engine's place.
    ///
    /// # Errors
    /// A [`Failure`] when another process has it or the server cannot be reached.
    pub async fn take(engine: &str, address: &Address) -> Result<Self, Failure> {
        let own = address.clone().with_application_name("headwater claim");
        let client = connect(&own).await?;
        let place = format!("headwater {engine} {}", address.schema());
        let take = "select pg_try_advisory_lock(hashtextextended($1, 0))";
        let row = client.query_one(take, &[&place]).await.map_err(|e| Fault::of(&e, address))?;
        let is_taken: bool = row.try_get(0).map_err(|error| Fault::of(&error, address))?;
        if !is_taken {
            let words = "another headwater runs on it: stop that one, or choose another ?schema=";
            return Err(Failure::new(format!("{address}: {words}")));
        }
        Ok(Self { _held: Box::new(client) })
    }
}
