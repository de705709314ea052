//! How lists are printed: aligned columns for people, JSON for machines.

use std::io::{ErrorKind, Write};

use serde_json::Value;

use crate::error::Failure;

/// Prints a line like `println!`, but ends the program quietly when nobody reads any more, as
/// in `headwater events read | head`.
macro_rules! say {
    ($($words:tt)*) => { $crate::command::output::line(format_args!($($words)*)) };
}

/// Prints a line of a list; ends the program when it cannot.
///
/// Nobody reads any more: the rest of the list is not wanted, and all is well. Any other reason,
/// such as a full disk, is a failure: a list that was cut must not look whole. Ending here is safe
/// at any time: what was acknowledged is durable. Commands that change something use [`tell`].
pub fn line(words: std::fmt::Arguments<'_>) {
    match writeln!(std::io::stdout(), "{words}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => fail(&not_written(&error)),
    }
}

fn fail(failure: &Failure) -> ! {
    // Standard error may be closed; there is nobody left to tell then.
    let _ = writeln!(std::io::stderr(), "headwater: {failure}");
    std::process::exit(1);
}

/// Prints a line of what was done, as [`say`] does, and goes on when nobody reads any more.
macro_rules! note {
    ($($words:tt)*) => { $crate::command::output::note_line(format_args!($($words)*)) };
}

pub(crate) use {note, say};

/// Prints a line like [`tell`], but ends the program when it cannot be written.
pub fn note_line(words: std::fmt::Arguments<'_>) {
    if let Err(failure) = tell(words) {
        fail(&failure);
    }
}

/// Prints what a command has done; that nobody reads it any more changes nothing.
///
/// # Errors
/// A [`Failure`] when the output cannot be written.
pub fn tell(words: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{words}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(not_written(&error)),
        _ => Ok(()),
    }
}

/// Prints what is told once and cannot be found out later.
///
/// # Errors
/// A [`Failure`] when it was not written, also because nobody reads any more.
pub fn deliver(words: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{words}").and_then(|()| out.flush()).map_err(|error| not_written(&error))
}

fn not_written(error: &std::io::Error) -> Failure {
    Failure::new(format!("the output could not be written: {error}"))
}

/// Prints a JSON document of what a command has done.
///
/// # Errors
/// A [`Failure`] when it does not serialize or cannot be written.
pub fn tell_json(document: &impl serde::Serialize) -> Result<(), Failure> {
    tell(format_args!("{}", serde_json::to_string_pretty(document)?))
}

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
