//! The reference page's table, made from the settings themselves.

use std::fmt::Write;

use super::SETTINGS;

/// Writes every setting as a row of a Markdown table: key, default, bounds, purpose.
#[must_use]
pub fn reference_table() -> String {
    let mut out = String::from("| key | default | may be | what for |\n|---|---|---|---|\n");
    for setting in &SETTINGS {
        let (key, about) = (setting.key, setting.about);
        let default = match setting.default {
            "" => "empty".to_owned(),
            default => format!("`{default}`"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| `{key}` | {default} | {} | {about} |", setting.kind.expected());
    }
    out
}
