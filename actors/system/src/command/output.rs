//! How lists are printed: aligned columns for people, JSON for machines.

use std::io::Write;

use serde_json::Value;

use crate::error::Failure;

/// Prints a line like `println!`, but ends the program quietly when nobody reads any more, as
/// in `headwater events read | head`.
macro_rules! say {
    ($($words:tt)*) => { $crate::command::output::line(format_args!($($words)*)) };
}

/// Prints a line; ends the program when the output is closed.
///
/// Ending here is safe at any time: what was acknowledged is durable, the rest is made anew.
pub fn line(words: std::fmt::Arguments<'_>) {
    if writeln!(std::io::stdout(), "{words}").is_err() {
        std::process::exit(0);
    }
}

pub(crate) use say;

/// Prints a JSON document.
///
/// # Errors
/// A [`Failure`] when it does not serialize.
pub fn json(document: &impl serde::Serialize) -> Result<(), Failure> {
    say!("{}", serde_json::to_string_pretty(document)?);
    Ok(())
}

/// Prints rows under headings, every column as wide as its widest cell.
pub fn columns(headings: &[&str], rows: &[Vec<String>]) {
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain([heading.chars().count()]).max().unwrap_or_default()
        })
        .collect();
    row_line(headings.iter().copied(), &widths);
    for row in rows {
        row_line(row.iter().map(String::as_str), &widths);
    }
}

fn row_line<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) {
    let padded = cells.zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    say!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
}

/// Writes a number with commas between the thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<String> = digits
        .chars()
        .rev()
        .collect::<Vec<_>>()
        .chunks(3)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(",").chars().rev().collect()
}

/// Returns a field of a JSON object as text without quotes; empty when it is not there.
pub fn text(value: &Value, field: &str) -> String {
    match value.get(field) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted_by_commas() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(541_909), "541,909");
        assert_eq!(thousands(1_000_000), "1,000,000");
    }
}
