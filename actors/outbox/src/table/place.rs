//! Where a page of a list ends, so that the next begins behind it and no row is left out.
//!
//! Times and positions alone do not tell rows apart: attempts that end together have the same
//! time, and what comes and a replay of it have the same position.

use std::fmt;
use std::str::FromStr;

use headwater::event::Position;
use jiff::Timestamp;

/// The place of an attempt in the log of attempts; its text is `us.position.replay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttemptPlace {
    /// When it ended, to the microsecond.
    pub at: Timestamp,
    pub position: Position,
    /// The replay that it was part of; 0 when it was none.
    pub feed: u64,
}

/// The place of an event among those that wait; its text is `position.replay`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaitingPlace {
    pub position: Position,
    /// The replay that it is part of; 0 when it is none.
    pub feed: u64,
}

/// Says that a text is no place. Caller: begin at the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not one that a page gave as `next`: leave it out to begin at the first page")]
pub(crate) struct PlaceError;

impl fmt::Display for AttemptPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at.as_microsecond(), self.position, self.feed)
    }
}

impl FromStr for AttemptPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (us, waiting) = text.split_once('.').ok_or(PlaceError)?;
        let at = us.parse().ok().and_then(|us| Timestamp::from_microsecond(us).ok());
        let WaitingPlace { position, feed } = waiting.parse()?;
        Ok(Self { at: at.ok_or(PlaceError)?, position, feed })
    }
}

impl fmt::Display for WaitingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.position, self.feed)
    }
}

impl FromStr for WaitingPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (position, feed) = text.split_once('.').ok_or(PlaceError)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| PlaceError);
        Ok(Self { position: Position::new(number(position)?), feed: number(feed)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_reads_back(us in 0_i64..=4_000_000_000_000_000, position: u64, feed: u64) {
            let waiting = WaitingPlace { position: Position::new(position), feed };
            prop_assert_eq!(waiting.to_string().parse(), Ok(waiting));
            let at = Timestamp::from_microsecond(us).unwrap();
            let attempt = AttemptPlace { at, position: waiting.position, feed };
            prop_assert_eq!(attempt.to_string().parse(), Ok(attempt));
        }
    }

    #[test]
    fn a_text_that_no_page_gave_is_refused() {
        for text in ["", "7", "7.", "7.x", "7.0.0", "-7.0", "7,0"] {
            assert_eq!(text.parse::<WaitingPlace>(), Err(PlaceError), "{text}");
        }
        for text in ["", "7", "7.0", "x.7.0", "7.0.0.0", "99999999999999999999.7.0"] {
            assert_eq!(text.parse::<AttemptPlace>(), Err(PlaceError), "{text}");
        }
    }
}
