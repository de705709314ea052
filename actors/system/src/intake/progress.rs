//! Progress of long work on a terminal; silent when nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What a bar counts.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Things, such as invoices.
    Things,
    /// Bytes of a file.
    Bytes,
}

/// Makes a bar up to `total`; it draws on standard error, and only on a terminal.
pub fn bar(total: u64, unit: Unit, what: &'static str, is_quiet: bool) -> ProgressBar {
    let target = if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total), target).with_message(what);
    let template = match unit {
        Unit::Things => "  {msg:<12} {wide_bar} {human_pos}/{human_len}  {elapsed}",
        Unit::Bytes => "  {msg:<12} {wide_bar} {bytes}/{total_bytes}  {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
