//! Names, checked once at the boundary: tenant, category, stream, event type, tag.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Says why a name was refused; the caller must choose another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no character.
    #[error("{what} is empty: give it 1 to {max} bytes")]
    Empty {
        /// Which name.
        what: &'static str,
        /// The most bytes it may have.
        max: usize,
    },
    /// The name is over its bound.
    #[error("{what} has {len} bytes: at most {max} are allowed")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// How many bytes it has.
        len: usize,
        /// The most bytes it may have.
        max: usize,
    },
    /// A part of an address that clients take out of it: nobody could ask for it.
    #[error("{what} is '.' or '..', which clients take out of addresses: choose another")]
    Dots {
        /// Which name.
        what: &'static str,
    },
    /// The name holds a character that is not allowed there.
    #[error("{what} holds the character {}: allowed are {allowed}", shown(*found))]
    Character {
        /// Which name.
        what: &'static str,
        /// The first character that is not allowed.
        found: char,
        /// The allowed ones, in words.
        allowed: &'static str,
    },
}

const WORD: &str = "ASCII letters, digits, '_', '-' and '.'";
const KIND: &str = "every character but control characters and Unicode noncharacters";
const TEXT: &str = "every character but control characters and '/'";
const TAGGED: &str = "every character but control characters";

/// Shows a character, one without a shape by its number.
fn shown(c: char) -> String {
    if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { format!("'{c}'") }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Says what a `type` of CloudEvents 1.0.2 may hold: a text without control characters and
/// noncharacters.
fn is_kind(c: char) -> bool {
    let is_noncharacter =
        matches!(c, '\u{FDD0}'..='\u{FDEF}') || matches!(u32::from(c) & 0xFFFF, 0xFFFE | 0xFFFF);
    !c.is_control() && !is_noncharacter
}

fn is_text(c: char) -> bool {
    !c.is_control() && c != '/'
}

fn is_tagged(c: char) -> bool {
    !c.is_control()
}

fn check(
    what: &'static str,
    text: &str,
    max: usize,
    (is_allowed, allowed): (fn(char) -> bool, &'static str),
) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what, max });
    }
    if text.len() > max {
        let len = text.len();
        return Err(NameError::TooLong { what, len, max });
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(found) => Err(NameError::Character { what, found, allowed }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most bytes the name may have.
            pub const LEN_MAX: usize = $max;

            /// Checks a name.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, too long or holds a character that is not allowed.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                check($what, text.as_ref(), $max, $rule)?;
                Ok(Self(Arc::from(text.as_ref())))
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
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

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.to_string()
            }
        }
    };
}

name! {
    /// Owns data: nobody sees or changes what belongs to another tenant.
    Tenant, "tenant", 64, (is_word, WORD)
}
name! {
    /// The kind of a stream: one aggregate type, for example `order`.
    Category, "category", 64, (is_word, WORD)
}
name! {
    /// What kind of thing happened, for example `Placed`: the variant of the event enum. Types
    /// of other programs may be any text that CloudEvents allows, such as `Auftrag geändert`.
    EventType, "event type", 128, (is_kind, KIND)
}
name! {
    /// A mark on an event by which it can be found across streams, for example `customer:17850`.
    Tag, "tag", 128, (is_tagged, TAGGED)
}

impl Tenant {
    /// Returns the tenant of a program that knows only one: `default`.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self(Arc::from("default"))
    }
}

/// Names a stream inside its tenant: category and id, written `category/id`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    category: Category,
    id: Arc<str>,
}

impl StreamId {
    /// The most bytes the id part may have.
    pub const ID_LEN_MAX: usize = 256;

    /// Checks and joins a category and an id.
    ///
    /// # Errors
    /// [`NameError`] naming the part that is empty, too long or holds a forbidden character.
    pub fn new(category: impl AsRef<str>, id: impl AsRef<str>) -> Result<Self, NameError> {
        Self::of(Category::new(category)?, id)
    }

    /// Joins a checked category and an id.
    ///
    /// # Errors
    /// [`NameError`] when the id is empty, too long or holds a forbidden character.
    pub fn of(category: Category, id: impl AsRef<str>) -> Result<Self, NameError> {
        check("stream id", id.as_ref(), Self::ID_LEN_MAX, (is_text, TEXT))?;
        let id = Arc::from(id.as_ref());
        Ok(Self { category, id })
    }

    /// Checks that a new stream can be asked for by its address.
    ///
    /// Clients take `.` and `..` out of addresses, even when they are percent-encoded. Streams
    /// that have such names from earlier versions are still read.
    ///
    /// # Errors
    /// [`NameError::Dots`] naming the part.
    pub fn check_address(&self) -> Result<(), NameError> {
        let is_dots = |text: &str| matches!(text, "." | "..");
        match (is_dots(self.category.as_str()), is_dots(&self.id)) {
            (true, _) => Err(NameError::Dots { what: "category" }),
            (_, true) => Err(NameError::Dots { what: "stream id" }),
            (false, false) => Ok(()),
        }
    }

    /// Returns the category.
    #[must_use]
    pub const fn category(&self) -> &Category {
        &self.category
    }

    /// Returns the part after the category.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.category, self.id)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.category, self.id)
    }
}

impl std::str::FromStr for StreamId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (category, id) = text.split_once('/').unwrap_or((text, ""));
        Self::new(category, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_reads_back_from_its_text() {
        let stream = StreamId::new("order", "C536365 é").unwrap();
        assert_eq!(stream.to_string().parse::<StreamId>().unwrap(), stream);
    }

    #[test]
    fn a_bad_name_is_refused_with_the_reason() {
        let told = |r: Result<StreamId, NameError>| r.unwrap_err().to_string();
        assert_eq!(
            told(StreamId::new("or der", "1")),
            "category holds the character ' ': allowed are ASCII letters, digits, '_', '-' and '.'"
        );
        assert!(told(StreamId::new("order", "a\u{0}")).contains("the character U+0000: allowed"));
        assert_eq!(told(StreamId::new("order", "")), "stream id is empty: give it 1 to 256 bytes");
        let long = "x".repeat(257);
        assert_eq!(
            told(StreamId::new("order", long)),
            "stream id has 257 bytes: at most 256 are allowed"
        );
    }

    #[test]
    fn an_event_type_is_what_cloudevents_allows() {
        let umlauts = "ä".repeat(64);
        for good in ["Placed", "Auftrag geändert", " ", "a/b?c&d=e%f\"<>", "注文 🦀", &umlauts]
        {
            assert_eq!(EventType::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a\nb", "\0", "\u{7f}", "\u{85}", "\u{fdd0}", "\u{ffff}", "\u{1fffe}"] {
            assert!(EventType::new(bad).is_err(), "{bad:?}");
        }
        let long = EventType::new("ä".repeat(65)).unwrap_err().to_string();
        assert_eq!(long, "event type has 130 bytes: at most 128 are allowed");
    }

    #[test]
    fn dots_name_no_new_stream() {
        for (category, id) in [("note", "."), ("note", ".."), (".", "a"), ("..", "a")] {
            let stream = StreamId::new(category, id).unwrap();
            assert!(matches!(stream.check_address(), Err(NameError::Dots { .. })));
        }
        for id in ["...", ".a", "a.", "%2e", "%2E%2e"] {
            assert!(StreamId::new("note", id).unwrap().check_address().is_ok(), "{id}");
        }
    }

    #[test]
    fn a_name_from_json_is_checked_too() {
        assert!(serde_json::from_str::<Tenant>("\"a b\"").is_err());
        assert_eq!(serde_json::from_str::<Tenant>("\"shop\"").unwrap().as_str(), "shop");
    }
}
