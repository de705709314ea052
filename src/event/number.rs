//! The two places of an event: in its stream and in the whole log.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Before the first event: nothing has been seen yet.
            pub const ZERO: Self = Self(0);
            /// The first event.
            pub const FIRST: Self = Self(1);
            /// After every event that can ever be.
            pub const MAX: Self = Self(u64::MAX);

            /// Wraps a number; 0 means "before the first".
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Returns the number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Returns the place after this one; stays at [`Self::MAX`] there.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// Returns the place before this one; stays at [`Self::ZERO`] there.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }

            /// Returns the place `count` further on.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }

            /// Returns how many places lie between `earlier` and this one; 0 when it is later.
            #[must_use]
            pub const fn since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number! {
    /// The place of an event in its stream: 1 for the first, without gaps.
    ///
    /// Zero is the revision of a stream that has no event yet.
    Revision
}

number! {
    /// The place of an event in the log: 1 for the first, without gaps, over all streams.
    ///
    /// A position is also a cursor: "after position p". Zero means "from the beginning".
    Position
}
