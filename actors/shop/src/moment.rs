//! When something happened: the instant, and what the clock on the shop's wall said.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// An instant with its local text: revenue of a day means the shop's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The instant.
    pub at: Timestamp,
    /// The local time in the United Kingdom, without zone, as it was given.
    pub local: DateTime,
}

/// The rule of United Kingdom time in force since 1996 (POSIX form, RFC 9636 section 3.3.1):
/// summer time from 01:00 on the last Sunday of March to 02:00 on the last Sunday of October.
/// Written out, so that the same input gives the same instant whatever time zone files the
/// machine has; instants before 1996 may be an hour off, the local text is right always.
const UK_RULE: &str = "GMT0BST,M3.5.0/1,M10.5.0";

static UK: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::posix(UK_RULE).unwrap_or(TimeZone::UTC));

impl Moment {
    /// Places a local time without zone.
    ///
    /// A time that occurs twice (01:00 to 02:00 when summer time ends) means the first of the
    /// two; one that does not exist (01:00 to 02:00 when it begins) means an hour later.
    #[must_use]
    pub fn of_local(local: DateTime) -> Self {
        let at = UK
            .to_ambiguous_timestamp(local)
            .compatible()
            .unwrap_or_else(|_| if local.year() < 0 { Timestamp::MIN } else { Timestamp::MAX });
        Self { at, local }
    }

    /// Returns the moment of an instant, to the microsecond that the log keeps.
    #[must_use]
    pub fn of_instant(at: Timestamp) -> Self {
        let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        Self { at, local: UK.to_datetime(at) }
    }

    /// Places a local time if there is one, otherwise takes `now`.
    #[must_use]
    pub fn of_local_or(local: Option<DateTime>, now: Timestamp) -> Self {
        local.map_or_else(|| Self::of_instant(now), Self::of_local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(local: &str) -> String {
        Moment::of_local(local.parse().unwrap()).at.to_string()
    }

    #[test]
    fn winter_is_greenwich_time_and_summer_an_hour_ahead() {
        assert_eq!(instant("2010-12-01 08:26:00"), "2010-12-01T08:26:00Z");
        assert_eq!(instant("2011-06-01 08:26:00"), "2011-06-01T07:26:00Z");
    }

    #[test]
    fn a_time_that_occurs_twice_means_the_first() {
        assert_eq!(instant("2011-10-30 01:30:00"), "2011-10-30T00:30:00Z");
    }

    #[test]
    fn a_time_that_does_not_exist_means_an_hour_later() {
        assert_eq!(instant("2011-03-27 01:30:00"), "2011-03-27T01:30:00Z");
    }

    #[test]
    fn an_instant_gets_the_local_time_of_its_season() {
        let at: Timestamp = "2011-07-01T23:30:00Z".parse().unwrap();
        assert_eq!(Moment::of_instant(at).local.to_string(), "2011-07-02T00:30:00");
    }
}
