//! What can be asked of a product, and how its rules say no.

use headwater::aggregate::{Command, Rejection};
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Adds a product under a new code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// 1 to 256 bytes; leave it out while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
}

/// Describes a product in other words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    /// 1 to 256 bytes.
    pub description: String,
    /// The local time in the United Kingdom, without zone; leave it out for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub local_time: Option<DateTime>,
}

/// Refused because of the rules; the caller must ask for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductRejection {
    /// The caller chose a code that is in use with another description.
    #[error("product is added already with another description: describe it instead")]
    AlreadyAdded,
    /// The caller named a code that is not in use.
    #[error("product is not known: add it first")]
    NotAdded,
    /// The caller gave an empty description.
    #[error("description is empty: give at least one character")]
    NoDescription,
    /// The caller gave a description over its bound.
    #[error("description has {0} bytes: at most {max}", max = super::DESCRIPTION_LEN_MAX)]
    DescriptionTooLong(usize),
}

impl Command for Add {
    const NAME: &'static str = "add";
}

impl Command for Describe {
    const NAME: &'static str = "describe";
}

impl Rejection for ProductRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyAdded => "already-added",
            Self::NotAdded => "not-added",
            Self::NoDescription => "no-description",
            Self::DescriptionTooLong(_) => "description-too-long",
        }
    }
}
