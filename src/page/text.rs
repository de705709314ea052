//! Values as people read them: counts with thin separators, ages, times with their zone, and
//! states that are told by word and shape, never by colour alone.

use jiff::Timestamp;
use maud::{Markup, Render, html};

/// What something means for whoever looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth knowing.
    Notice,
    /// Somebody should look.
    Warn,
    /// Something is wrong.
    Bad,
    /// Of no weight now.
    Quiet,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Notice => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }

    /// Returns the shape that tells it apart where colours are not seen.
    const fn shape(self) -> &'static str {
        match self {
            Self::Good => "●",
            Self::Notice => "◆",
            Self::Warn => "▲",
            Self::Bad => "■",
            Self::Quiet => "○",
        }
    }
}

/// Shows a state: a shape, a colour and its word.
#[must_use]
pub fn badge(tone: Tone, word: &str) -> Markup {
    html! {
        span class={ "badge " (tone.class()) } {
            span class="shape" aria-hidden="true" { (tone.shape()) } (word)
        }
    }
}

/// Shows a message that is not to be missed.
#[must_use]
pub fn notice(tone: Tone, words: impl Render) -> Markup {
    html! {
        div class={ "notice " (tone.class()) } role="status" {
            span class="shape" aria-hidden="true" { (tone.shape()) } div { (words) }
        }
    }
}

/// Shows a figure with what it counts.
#[must_use]
pub fn stat(label: &str, value: impl Render) -> Markup {
    html! { div class="stat" { dt { (label) } dd { (value) } } }
}

/// Shows figures in a row.
#[must_use]
pub fn stats(figures: impl IntoIterator<Item = Markup>) -> Markup {
    html! { dl class="stats" { @for figure in figures { (figure) } } }
}

/// Shows facts, each with its name before it.
#[must_use]
pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        dl class="facts" {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// Writes a count with a thin space before every three digits.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Writes a length of time as the two largest units that matter: `3 min`, `2 h 5 min`, `4 d`.
#[must_use]
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: u64, name: &str, small: u64, rest: &str| match small {
        0 => format!("{large} {name}"),
        small => format!("{large} {name} {small} {rest}"),
    };
    match () {
        () if days >= 10 => format!("{} d", count(days)),
        () if days > 0 => two(days, "d", hours % 24, "h"),
        () if hours > 0 => two(hours, "h", minutes % 60, "min"),
        () if minutes > 0 => format!("{minutes} min"),
        () => format!("{seconds} s"),
    }
}

/// Writes how long ago something was, or in how long it will be.
#[must_use]
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match at.as_second().saturating_sub(now.as_second()) {
        0 => "now".to_owned(),
        ahead @ 1.. => format!("in {}", span(ahead.unsigned_abs())),
        behind => format!("{} ago", span(behind.unsigned_abs())),
    }
}

/// Writes a time with its zone: `2026-01-31 12:00:00 UTC`.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Shows how long ago something was; the time itself is there for machines and on hovering.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at) title=(time(at)) { (ago(at, now)) } }
}

/// Writes how long something took, from microseconds: `840 µs`, `12.3 ms`, `1.25 s`.
#[must_use]
pub fn duration(us: u64) -> String {
    let parts = |unit: u64| us as f64 / unit as f64;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..100_000 => format!("{:.1} ms", parts(1_000)),
        100_000..1_000_000 => format!("{:.0} ms", parts(1_000)),
        _ => format!("{:.2} s", parts(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thin_separators() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn ages_have_at_most_two_units() {
        let expected = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (86_400, "1 d"),
            (3 * 86_400 + 4 * 3_600, "3 d 4 h"),
            (40 * 86_400, "40 d"),
        ];
        for (seconds, text) in expected {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn what_was_and_what_will_be_are_told_apart() {
        let now = Timestamp::from_second(1_000).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(ago(at(1_000), now), "now");
        assert_eq!(ago(at(820), now), "3 min ago");
        assert_eq!(ago(at(1_005), now), "in 5 s");
    }

    #[test]
    fn times_name_their_zone() {
        assert_eq!(time(Timestamp::UNIX_EPOCH), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn durations_have_a_unit_that_fits() {
        let expected =
            [(840, "840 µs"), (12_300, "12.3 ms"), (250_000, "250 ms"), (1_250_000, "1.25 s")];
        for (us, text) in expected {
            assert_eq!(duration(us), text);
        }
    }

    #[test]
    fn a_badge_tells_its_state_by_a_word_and_a_shape_and_escapes_it() {
        let badge = badge(Tone::Bad, "<b>").into_string();
        assert!(badge.contains("■") && badge.contains("&lt;b&gt;") && !badge.contains("<b>"));
    }
}
