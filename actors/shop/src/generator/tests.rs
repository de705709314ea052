use headwater::event::EventId;

use super::*;
use crate::order::OrderKind;
use crate::retail::ImportReport;

fn report(seed: u64, invoices: u32) -> ImportReport {
    let mut commands = Generator::new(seed, invoices).commands();
    assert!(commands.by_ref().all(|command| command.is_ok()));
    commands.report().clone()
}

fn fingerprint(seed: u64) -> EventId {
    let mut text = String::new();
    for command in Generator::new(seed, 300).commands() {
        text.push_str(&format!("{:?}\n", command.unwrap()));
    }
    EventId::derived(&[text.as_bytes()])
}

#[test]
fn the_same_seed_gives_the_same_commands_on_every_machine() {
    assert_eq!(fingerprint(1).to_string(), "d21a7da1-b00a-84f7-811e-879fd8b47550");
    assert_ne!(fingerprint(1), fingerprint(2));
}

#[test]
fn a_full_shop_has_the_shape_and_size_of_the_real_one() {
    let report = report(1, REAL_INVOICES);
    assert_eq!((report.invoices, report.malformed), (25_900, 0));
    assert!((530_000..554_000).contains(&report.lines), "{} lines", report.lines);
    let without = report.lines_without_customer;
    assert!((120_000..150_000).contains(&without), "{without} without customer");
    assert!((3_800..4_372).contains(&report.customers), "{} customers", report.customers);
    assert!((3_900..4_075).contains(&report.products), "{} products", report.products);
    assert!((1..=8).contains(&report.moves), "{} moves", report.moves);
    let credits = report.kinds[&OrderKind::Credit];
    assert!((3_600..4_100).contains(&credits.invoices), "{credits:?}");
    assert!((8_500..10_500).contains(&credits.lines), "{credits:?}");
    assert_eq!(report.months.len(), 13);
}

#[test]
fn a_small_shop_has_as_many_invoices_as_asked_for() {
    for invoices in [0, 1, 77] {
        assert_eq!(report(3, invoices).invoices, u64::from(invoices));
    }
}

#[test]
fn exact_duplicate_lines_occur_as_in_the_real_file() {
    let rows: Vec<_> = Generator::new(1, 500).collect();
    let is_same =
        |pair: &&[Row]| pair[1] == Row { line_number: pair[1].line_number, ..pair[0].clone() };
    let doubles = rows.windows(2).filter(is_same).count();
    assert!((rows.len() / 200..rows.len() / 50).contains(&doubles), "{doubles}");
}
