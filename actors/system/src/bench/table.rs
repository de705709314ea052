//! Prints outcomes as a person reads them, or as JSON.

use super::case::{Outcome, Target};
use crate::command::output::say;
use crate::error::Failure;

/// Prints the outcomes: a table, or one JSON document.
pub fn print(outcomes: &[Outcome], as_json: bool) -> Result<(), Failure> {
    if as_json {
        say!("{}", serde_json::to_string_pretty(outcomes)?);
        return Ok(());
    }
    say!("{:<44} {:>14} {:>14} {:>7}  target", "case", "measured", "limit", "ratio");
    for outcome in outcomes {
        say!(
            "{:<44} {:>14} {:>14} {:>7.2}  {} {}",
            outcome.name,
            format!("{} {}/s", short(outcome.rate), outcome.unit),
            format!("{}/s", short(outcome.limit_rate)),
            outcome.ratio,
            if outcome.reached { "✓" } else { "✗" },
            target(outcome.target),
        );
        say!("{:<44} {:>29}", "", outcome.limit_name);
        for note in &outcome.notes {
            say!("    {note}");
        }
    }
    Ok(())
}

fn target(target: Target) -> String {
    match target {
        Target::Ratio(ratio) => format!("ratio ≥ {ratio}"),
        Target::Rate(rate) => format!("≥ {}/s", short(rate)),
        Target::Seconds(seconds) => format!("≤ {seconds} s"),
    }
}

/// Writes a number with three digits and a magnitude.
pub fn short(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{:.2} M", n / 1e6),
        n if n >= 1e3 => format!("{:.1} k", n / 1e3),
        n => format!("{n:.1}"),
    }
}
