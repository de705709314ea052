//! Progress of long work on a terminal; silent when nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Makes a bar over `total` things; it draws on standard error, and only on a terminal.
pub fn bar(total: u64, what: &'static str, is_quiet: bool) -> ProgressBar {
    let target =
        if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total), target).with_message(what);
    let template = "{msg:>12} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
