//! `headwater import`: takes data of another system in.

use headwater_shop::sender::ShopSender;

use super::output::{self, thousands};
use crate::cli::ImportCommand;
use crate::command::output::note;
use crate::error::Failure;
use crate::intake::{IntakeReport, RetailFile};
use crate::node::Node;

/// Imports what is asked for and says what became of every line.
pub async fn run(command: ImportCommand) -> Result<(), Failure> {
    let ImportCommand::Retail { file, allow_malformed, shared } = command;
    let config = super::settings(&shared)?;
    let file = RetailFile::open(&file, shared.json)?;
    let node = Node::open(config).await?;
    let sender = ShopSender::new(node.system.clone(), shared.tenant.clone());
    let report = file.take_in(sender).await;
    node.close().await?;
    let report = report?;
    match shared.json {
        true => output::tell_json(&report)?,
        false => print(&report),
    }
    expect_at_most(allow_malformed, &report)
}

/// Fails when more was left out of the import than is allowed.
///
/// # Errors
/// [`Failure::Findings`] with how much was left out.
pub fn expect_at_most(allowed: u64, report: &IntakeReport) -> Result<(), Failure> {
    let (malformed, refused) = (report.read.malformed, report.rejected);
    if malformed + refused <= allowed {
        return Ok(());
    }
    Err(Failure::Findings(format!(
        "not everything was taken in: of {} lines {} are malformed, of {} commands {} were refused \
         by the rules; correct them and run it again, which adds nothing twice, or allow so many \
         with --allow-malformed {}",
        thousands(report.read.lines),
        thousands(malformed),
        thousands(report.commands),
        thousands(refused),
        malformed + refused,
    )))
}

/// Prints what an intake did.
pub fn print(report: &IntakeReport) {
    let read = &report.read;
    note!("  lines        {:>14}", thousands(read.lines));
    note!("  invoices     {:>14}", thousands(read.invoices));
    for (kind, of_kind) in &read.kinds {
        note!(
            "    {:<18} {:>6}  {:>9} lines  {:>14}",
            kind.to_string(),
            thousands(of_kind.invoices),
            thousands(of_kind.lines),
            of_kind.total.to_string(),
        );
    }
    note!("  total        {:>14}", read.total.to_string());
    note!("  commands     {:>14}", thousands(report.commands));
    if report.replayed > 0 {
        note!("    of which {} were known from an earlier run", thousands(report.replayed));
    }
    note!("  took         {:>12.1} s", report.seconds);
    print_refused(report);
}

fn print_refused(report: &IntakeReport) {
    if report.rejected > 0 {
        note!("  refused by the rules: {}", thousands(report.rejected));
        report.rejections.iter().take(10).for_each(|words| note!("    {words}"));
    }
    if report.read.malformed > 0 {
        note!("  malformed lines, not imported: {}", thousands(report.read.malformed));
        for line in report.read.malformed_lines.iter().take(10) {
            note!("    line {}: {}", line.line_number, line.reason);
        }
    }
}
