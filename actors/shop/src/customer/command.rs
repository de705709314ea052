//! What can be asked of a customer, and how the rules say no.

use headwater::aggregate::{Command, Rejection};
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::name::Country;

/// Makes a customer known under a new number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Where the customer is.
    pub country: Country,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
}

/// Moves a customer to another country.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Where the customer is now.
    pub country: Country,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
}

/// Refused because of the rules; the caller must ask for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomerRejection {
    /// The caller registers anew a customer who is known in another country.
    #[error("customer is registered already in {country}: move the customer instead")]
    AlreadyRegistered {
        /// Where the customer is.
        country: Country,
    },
    /// The caller moves a customer nobody knows.
    #[error("customer is not known: register the customer first")]
    NotRegistered,
}

impl Command for Register {
    const NAME: &'static str = "register";
}

impl Command for Move {
    const NAME: &'static str = "move";
}

impl Rejection for CustomerRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered { .. } => "already-registered",
            Self::NotRegistered => "not-registered",
        }
    }
}
