//! When something happened, as it was told: with its offset and every digit.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a second 60 counts as: the last microsecond of its minute, so that order holds.
const LEAP_NANOSECOND: i32 = 999_999_000;
const NANOSECONDS_OF_MICROSECOND: i32 = 1_000;

/// Says why a text is not a moment; the caller must correct it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// The text has another form.
    #[error("is not a time of RFC 3339: write it like 2026-11-30T10:00:00.25+01:00")]
    Form,
    /// The text is over its bound.
    #[error("has more than {} bytes: write fewer digits", Moment::LEN_MAX)]
    TooLong,
    /// The calendar has no such day or time, or it lies outside of the years that are kept.
    #[error("is not in the calendar, or not before 9999-12-30T22:00:00Z")]
    Calendar,
}

/// A moment as it was given, in RFC 3339: its offset, each digit of its fraction, and a second
/// 60 are kept.
///
/// Two moments are equal when they are written alike; [`instant`](Self::instant) compares them
/// in time. A small `t` or `z`, or a space between date and time, becomes `T` and `Z`.
///
/// ```
/// use headwater::event::Moment;
///
/// let moment: Moment = "2010-12-01T08:26:00.120+01:00".parse().unwrap();
/// assert_eq!(moment.to_string(), "2010-12-01T08:26:00.120+01:00");
/// assert_eq!(moment.instant().to_string(), "2010-12-01T07:26:00.12Z");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Moment {
    instant: Timestamp,
    /// `None` when the instant, to the microsecond and in UTC, says everything.
    text: Option<Arc<str>>,
}

impl Moment {
    /// The most bytes of a moment's text.
    pub const LEN_MAX: usize = 64;

    /// Returns the point in time, to the nanosecond; a second 60 is the last microsecond of its
    /// minute.
    #[must_use]
    pub const fn instant(&self) -> Timestamp {
        self.instant
    }

    /// Returns the text where the microsecond in UTC does not say everything.
    pub(super) fn beyond_microsecond(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Joins what a record says of a moment.
    pub(super) fn of_record(microsecond: Timestamp, text: Option<&str>) -> Self {
        let Some(text) = text else { return Self { instant: microsecond, text: None } };
        // A text that this program cannot read is shown all the same.
        let instant = instant_of(text).unwrap_or(microsecond);
        Self { instant, text: Some(text.into()) }
    }
}

impl From<Timestamp> for Moment {
    fn from(instant: Timestamp) -> Self {
        let is_whole = instant.subsec_nanosecond() % NANOSECONDS_OF_MICROSECOND == 0;
        let text = (!is_whole).then(|| instant.to_string().into());
        Self { instant, text }
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        if text.len() > Self::LEN_MAX {
            return Err(MomentError::TooLong);
        }
        let instant = instant_of(text)?;
        let written = text.to_ascii_uppercase().replace(' ', "T");
        let text = (written != instant.to_string()).then(|| written.into());
        let is_whole = instant.subsec_nanosecond() % NANOSECONDS_OF_MICROSECOND == 0;
        Ok(if is_whole || text.is_some() { Self { instant, text } } else { instant.into() })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text),
            None => self.instant.fmt(f),
        }
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.text {
            Some(text) => serializer.serialize_str(text),
            None => self.instant.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads the point in time that a text of RFC 3339 names.
fn instant_of(text: &str) -> Result<Timestamp, MomentError> {
    let mut rest = Rest(text.as_bytes());
    let [year, month, day] =
        [rest.number(4, b"-")?, rest.number(2, b"-")?, rest.number(2, b"Tt ")?];
    let [hour, minute] = [rest.number(2, b":")?, rest.number(2, b":")?];
    let (second, nanosecond) = (rest.number(2, b"")?, rest.fraction()?);
    let offset = rest.offset()?;
    let (second, nanosecond) = match second {
        60 => (59, LEAP_NANOSECOND),
        second => (second, nanosecond),
    };
    let small = |number: i32| i8::try_from(number).map_err(|_| MomentError::Calendar);
    let year = i16::try_from(year).map_err(|_| MomentError::Calendar)?;
    let date = Date::new(year, small(month)?, small(day)?).map_err(|_| MomentError::Calendar)?;
    let time = Time::new(small(hour)?, small(minute)?, small(second)?, nanosecond);
    let time = time.map_err(|_| MomentError::Calendar)?;
    let offset = Offset::from_seconds(offset).map_err(|_| MomentError::Calendar)?;
    offset.to_timestamp(date.to_datetime(time)).map_err(|_| MomentError::Calendar)
}

/// What is still to be read of a text.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Reads a number of so many digits and, if `ends` has any, one of these signs behind it.
    fn number(&mut self, digits: usize, ends: &[u8]) -> Result<i32, MomentError> {
        let (number, rest) = self.0.split_at_checked(digits).ok_or(MomentError::Form)?;
        self.0 = rest;
        if !number.iter().all(u8::is_ascii_digit) {
            return Err(MomentError::Form);
        }
        if !ends.is_empty() {
            self.sign().filter(|sign| ends.contains(sign)).ok_or(MomentError::Form)?;
        }
        Ok(number.iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')))
    }

    /// Reads the fraction of a second, if there is one, down to the nanosecond.
    fn fraction(&mut self) -> Result<i32, MomentError> {
        let Some(rest) = self.0.strip_prefix(b".") else { return Ok(0) };
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at_checked(len).ok_or(MomentError::Form)?;
        self.0 = rest;
        let nine = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        match digits {
            [] => Err(MomentError::Form),
            _ => Ok(nine.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'))),
        }
    }

    /// Reads the offset from UTC, in seconds, with which the text must end.
    fn offset(&mut self) -> Result<i32, MomentError> {
        let way = match self.sign() {
            Some(b'Z' | b'z') if self.0.is_empty() => return Ok(0),
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(MomentError::Form),
        };
        let (hours, minutes) = (self.number(2, b":")?, self.number(2, b"")?);
        match (hours, minutes) {
            (0..=23, 0..=59) if self.0.is_empty() => Ok(way * (hours * 3_600 + minutes * 60)),
            _ => Err(MomentError::Form),
        }
    }

    fn sign(&mut self) -> Option<u8> {
        let (sign, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_given_is_shown_again() {
        for text in [
            "2010-12-01T08:26:00Z",
            "2010-12-01T08:26:00.000001Z",
            "2010-12-01T08:26:00.120Z",
            "2010-12-01T08:26:00.123456789+01:00",
            "2010-12-01T08:26:00.12345678901234567890-09:30",
            "2016-12-31T23:59:60Z",
            "2017-01-01T08:59:60.25+09:00",
            "1937-01-01T12:00:27.87+00:20",
            "2010-12-01T08:26:00-00:00",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(moment(text).to_string(), text);
            let json = serde_json::to_string(&moment(text)).unwrap();
            assert_eq!(serde_json::from_str::<Moment>(&json).unwrap(), moment(text));
        }
        assert_eq!(moment("2010-12-01t08:26:00z"), moment("2010-12-01T08:26:00Z"));
        assert_eq!(moment("2010-12-01 08:26:00+01:00"), moment("2010-12-01T08:26:00+01:00"));
    }

    #[test]
    fn the_instant_is_that_of_the_offset_and_a_leap_second_comes_last() {
        let at = |text: &str| moment(text).instant();
        assert_eq!(at("2010-12-01T08:26:00.5+01:00"), at("2010-12-01T07:26:00.500Z"));
        assert!(at("2016-12-31T23:59:59.999998Z") < at("2016-12-31T23:59:60Z"));
        assert!(at("2016-12-31T23:59:60Z") < at("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn a_microsecond_in_utc_needs_no_text_of_its_own() {
        let now = Timestamp::from_microsecond(1_700_000_000_000_001).unwrap();
        assert_eq!(Moment::from(now).beyond_microsecond(), None);
        assert_eq!(moment(&now.to_string()), now.into());
        let finer = Timestamp::from_nanosecond(1_700_000_000_000_000_001).unwrap();
        assert_eq!(moment(&finer.to_string()), finer.into());
        assert_eq!(Moment::from(finer).beyond_microsecond(), Some(&*finer.to_string()));
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_reason() {
        use MomentError::{Calendar, Form, TooLong};
        for (text, error) in [
            ("", Form),
            ("yesterday", Form),
            ("2010-12-01", Form),
            ("2010-12-01T08:26Z", Form),
            ("2010-12-01T08:26:00", Form),
            ("2010-12-01T08:26:00.Z", Form),
            ("2010-12-01T08:26:00,5Z", Form),
            ("2010-12-01T08:26:00+0100", Form),
            ("2010-12-01T08:26:00+24:00", Form),
            ("2010-12-01T08:26:00Z ", Form),
            ("+2010-12-01T08:26:00Z", Form),
            ("2010-12-01T08:26:00Z[UTC]", Form),
            ("2010-02-30T08:26:00Z", Calendar),
            ("2010-12-01T24:00:00Z", Calendar),
            ("2010-12-01T08:26:61Z", Calendar),
            ("9999-12-31T23:59:59Z", Calendar),
            (&format!("2010-12-01T08:26:00.{}Z", "1".repeat(64)), TooLong),
        ] {
            assert_eq!(text.parse::<Moment>(), Err(error), "{text}");
        }
    }
}
