//! `headwater import`: takes data of another system in.

use headwater_shop::sender::ShopSender;

use super::output::{self, thousands};
use crate::cli::ImportCommand;
use crate::command::output::say;
use crate::error::Failure;
use crate::intake::{self, IntakeReport};
use crate::node::Node;

/// Imports what is asked for and says what became of every line.
pub async fn run(command: ImportCommand) -> Result<(), Failure> {
    let ImportCommand::Retail { file, shared } = command;
    let node = Node::open(super::settings(&shared)?).await?;
    let sender = ShopSender::new(node.system.clone(), shared.tenant.clone());
    let report = intake::take_file(sender, &file, shared.json).await;
    node.close().await?;
    let report = report?;
    if shared.json {
        return output::json(&report);
    }
    print(&report);
    Ok(())
}

/// Prints what an intake did.
pub fn print(report: &IntakeReport) {
    let read = &report.read;
    say!("  lines        {:>14}", thousands(read.lines));
    say!("  invoices     {:>14}", thousands(read.invoices));
    for (kind, of_kind) in &read.kinds {
        say!(
            "    {:<18} {:>6}  {:>9} lines  {:>14}",
            kind.to_string(),
            thousands(of_kind.invoices),
            thousands(of_kind.lines),
            of_kind.total.to_string(),
        );
    }
    say!("  total        {:>14}", read.total.to_string());
    say!("  commands     {:>14}", thousands(report.commands));
    if report.replayed > 0 {
        say!("    of which {} were known from an earlier run", thousands(report.replayed));
    }
    say!("  took         {:>12.1} s", report.seconds);
    print_refused(report);
}

fn print_refused(report: &IntakeReport) {
    if report.rejected > 0 {
        say!("  refused by the rules: {}", thousands(report.rejected));
        report.rejections.iter().take(10).for_each(|words| say!("    {words}"));
    }
    if report.read.malformed > 0 {
        say!("  malformed lines, not imported: {}", thousands(report.read.malformed));
        for line in report.read.malformed_lines.iter().take(10) {
            say!("    line {}: {}", line.line_number, line.reason);
        }
    }
}
