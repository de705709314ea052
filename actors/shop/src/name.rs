//! The shop's names, checked once at the boundary: order, customer, product, country.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Says why a name was refused; the caller must correct it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// The caller left the name empty.
    #[error("{what} is empty: give it 1 to {max} bytes")]
    Empty {
        /// Which name.
        what: &'static str,
        /// The most bytes it may have.
        max: usize,
    },
    /// The caller's name is over its bound.
    #[error("{what} has {len} bytes: at most {max} are allowed")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// How many bytes it has.
        len: usize,
        /// The most bytes it may have.
        max: usize,
    },
    /// The caller's name holds a control character, which no name may, or a `/`.
    #[error("{what} holds the character {found:?}: leave it out")]
    Character {
        /// Which name.
        what: &'static str,
        /// The first such character.
        found: char,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most bytes the name may have.
            pub const LEN_MAX: usize = 64;

            /// Checks a name; letters keep their case, spaces stay.
            ///
            /// # Errors
            /// [`NameFault`] when it is empty, too long or holds a control character or a `/`.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameFault> {
                check($what, text.as_ref(), Self::LEN_MAX)?;
                Ok(Self(Arc::from(text.as_ref())))
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameFault;

            fn try_from(text: String) -> Result<Self, NameFault> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name! {
    /// Names an order: the invoice number, for example `536365` or `C536379`.
    OrderId, "order id"
}
name! {
    /// Names a customer: the customer number, for example `17850`.
    CustomerId, "customer id"
}
name! {
    /// Names a product: the stock code, for example `85123A`. `72801c` and `72801C` are two
    /// products, as they are in the file.
    ProductCode, "product code"
}
name! {
    /// Names a country as the shop wrote it, for example `United Kingdom`, `EIRE` or
    /// `Unspecified`.
    Country, "country"
}

fn check(what: &'static str, text: &str, max: usize) -> Result<(), NameFault> {
    if text.is_empty() {
        return Err(NameFault::Empty { what, max });
    }
    if text.len() > max {
        return Err(NameFault::TooLong { what, len: text.len(), max });
    }
    match text.chars().find(|c| c.is_control() || *c == '/') {
        Some(found) => Err(NameFault::Character { what, found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_name_is_refused_with_the_reason() {
        let told = |text: &str| ProductCode::new(text).unwrap_err().to_string();
        assert_eq!(told(""), "product code is empty: give it 1 to 64 bytes");
        assert_eq!(told("a/b"), "product code holds the character '/': leave it out");
        assert_eq!(told(&"x".repeat(65)), "product code has 65 bytes: at most 64 are allowed");
    }

    #[test]
    fn a_name_is_checked_when_it_is_read_from_json() {
        assert!(serde_json::from_str::<Country>("\"\"").is_err());
        let country: Country = serde_json::from_str("\"United Kingdom\"").unwrap();
        assert_eq!(serde_json::to_string(&country).unwrap(), "\"United Kingdom\"");
    }
}
