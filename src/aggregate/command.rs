//! What is asked of an aggregate, and how it says no.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An intent, named in the imperative; one struct each.
///
/// It is cloned when it has to be decided again after a conflict, so keep it plain data.
/// `ToSchema` describes it in the OpenAPI document, `Serialize` gives the fingerprint that
/// tells a retry from another use of the same idempotency key.
pub trait Command:
    Clone + Send + Sync + Serialize + DeserializeOwned + utoipa::ToSchema + 'static
{
    /// Its name in addresses and logs, lower case with `-`: `place`, `return-lines`.
    const NAME: &'static str;
}

/// A no from the rules: the caller must ask for something else.
///
/// The error's text is shown to the caller; it becomes the `detail` of a problem document.
pub trait Rejection: std::error::Error + Send + Sync + 'static {
    /// Returns a stable name for this kind of no, lower case with `-`: `already-placed`.
    fn code(&self) -> &'static str;
}

/// The rejection of an aggregate that never says no.
impl Rejection for std::convert::Infallible {
    fn code(&self) -> &'static str {
        match *self {}
    }
}
