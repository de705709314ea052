//! Sizes such as `64MiB` and times such as `1m30s`.

use std::fmt::Write;
use std::time::Duration;

const SIZE_UNITS: [(&str, u64); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Units of time in milliseconds, the largest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a size in bytes; a bare number is bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text.trim())?;
    let factor = match unit {
        "" => 1,
        unit => SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    parse_count(number)?.checked_mul(factor)
}

/// Reads a time made of numbers with units, such as `500ms` or `1m30s`; a bare `0` is zero.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total_ms = 0_u64;
    loop {
        let (number, behind) = split_unit(rest)?;
        let unit_len = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(unit_len);
        let factor = TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        total_ms = total_ms.checked_add(parse_count(number)?.checked_mul(factor)?)?;
        if next.is_empty() {
            return Some(Duration::from_millis(total_ms));
        }
        rest = next;
    }
}

/// Reads a whole number; `_` may part its digits.
pub fn parse_count(text: &str) -> Option<u64> {
    let digits = text.trim().replace('_', "");
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Writes a size in the largest unit that divides it.
pub fn show_size(bytes: u64) -> String {
    let whole = |(_, factor): &&(&str, u64)| bytes >= *factor && bytes.is_multiple_of(*factor);
    let (unit, factor) = SIZE_UNITS.iter().find(whole).copied().unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

/// Writes a time as a sum of units.
pub fn show_duration(time: Duration) -> String {
    let mut left = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut out = String::new();
    for (unit, factor) in TIME_UNITS {
        if left >= factor {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}{unit}", left / factor);
            left %= factor;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

fn split_unit(text: &str) -> Option<(&str, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    (at > 0).then(|| text.split_at(at)).map(|(number, unit)| (number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sizes_and_times_read_back_as_they_are_written(number in 0..u64::MAX / 2) {
            prop_assert_eq!(parse_size(&show_size(number)), Some(number));
            let time = Duration::from_millis(number);
            prop_assert_eq!(parse_duration(&show_duration(time)), Some(time));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC*") {
            let _ = (parse_size(&text), parse_duration(&text), parse_count(&text));
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("64MiB"), Some(64 << 20));
        assert_eq!(parse_size("1_024"), Some(1_024));
        assert_eq!(parse_size("2 KiB"), Some(2_048));
        for bad in ["", "MiB", "64MB", "-1B", "1.5MiB", "99999999999GiB", "_"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_have_units_and_add_up() {
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        for bad in ["", "5", "5 minutes", "-5s", "1.5s", "s", "99999999999999999999d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
