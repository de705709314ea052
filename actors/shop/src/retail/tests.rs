use std::io::{self, Cursor};

use super::*;
use crate::order::OrderKind;

const HEADING: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn rows(text: &str) -> io::Result<Vec<ReadRow>> {
    let file = format!("{HEADING}{text}").into_bytes();
    Ok(read_lines(Cursor::new(file))?.collect())
}

/// Runs rows through to the end.
fn import(text: &str) -> (Vec<KeyedCommand>, ImportReport) {
    let mut commands = Commands::new(rows(text).unwrap().into_iter());
    let sent = commands.by_ref().collect::<Result<_, _>>().unwrap();
    (sent, commands.report().clone())
}

/// A row of an invoice of customer 1 in the United Kingdom.
fn sale(invoice: &str, product: &str) -> String {
    format!("{invoice},{product},THING,1,2010-12-01 08:26:00,2.5,1.0,United Kingdom\n")
}

fn orders(commands: &[KeyedCommand]) -> Vec<&str> {
    let orders = commands.iter().filter(|keyed| keyed.command.category() == "order");
    orders.map(|keyed| keyed.command.id()).collect()
}

fn reason(text: &str) -> String {
    let (_, report) = import(text);
    assert_eq!((report.lines, report.malformed), (1, 1), "{:?}", report.malformed_lines);
    assert_eq!(report.malformed_lines[0].line_number, 2);
    report.malformed_lines[0].reason.clone()
}

#[test]
fn a_field_that_is_wrong_is_told_by_name() {
    let told = |from: &str, to: &str| reason(&sale("536365", "85123A").replace(from, to));
    assert!(told("536365", "").starts_with("InvoiceNo: "));
    assert!(told("536365", "X1").starts_with("InvoiceNo: "));
    assert!(told("85123A", "").starts_with("StockCode: "));
    assert!(told(",1,", ",1.5,").starts_with("Quantity: "));
    assert!(told("2010-12-01 08", "2010-12-32 08").starts_with("InvoiceDate: "));
    assert!(told("2.5", "2,5").contains("9 fields"));
    assert!(told(",2.5,", ",two,").starts_with("UnitPrice: "));
    assert!(told("United Kingdom", "").starts_with("Country: "));
}

#[test]
fn a_line_that_is_no_record_is_told_and_spoils_no_other() {
    let bad = "\n536365,1\n536365,1,\"open,1,2010-12-01 08:26:00,2.5,1.0,UK\n";
    let (commands, report) = import(&format!("{bad}{}", sale("536366", "85123A")));
    let told: Vec<_> = report.malformed_lines.iter().map(|line| line.reason.as_str()).collect();
    assert_eq!(
        told,
        [
            "line is empty",
            "line has 2 fields: 8 are needed",
            "a quote is not closed, or there are more than 8 fields"
        ]
    );
    assert_eq!(orders(&commands), ["536366"]);
}

#[test]
fn a_line_that_is_not_utf_8_is_told() {
    let mut file = HEADING.as_bytes().to_vec();
    file.extend_from_slice(b"536365,1,\xa3,1,2010-12-01 08:26:00,2.5,1.0,UK\n");
    let row = read_lines(Cursor::new(file)).unwrap().next().unwrap().unwrap();
    assert_eq!(row.unwrap_err().reason, "line is not UTF-8");
}

#[test]
fn an_endless_line_is_told_without_being_held() {
    let endless = "x".repeat(5_000_000);
    let rows = rows(&format!("{endless}\n{}", sale("536365", "85123A"))).unwrap();
    assert_eq!(rows.len(), 2);
    let told = rows[0].as_ref().unwrap().as_ref().unwrap_err();
    assert_eq!(told.reason, "line is longer than 16384 bytes");
    assert_eq!(rows[1].as_ref().unwrap().as_ref().unwrap().line_number, 3);
}

#[test]
fn a_file_with_another_heading_is_refused() {
    let error = read_lines(Cursor::new("a,b\n1,2\n")).err().unwrap();
    assert!(error.to_string().starts_with("heading is not InvoiceNo,StockCode"));
}

#[test]
fn a_gzip_file_that_is_cut_short_ends_with_an_error_after_its_last_line() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(format!("{HEADING}{}", sale("536365", "1").repeat(50)).as_bytes()).unwrap();
    let mut file = gzip.finish().unwrap();
    file.truncate(file.len() - 4);
    let commands = Commands::new(read_lines(Cursor::new(file)).unwrap());
    let outcomes: Vec<_> = commands.collect();
    assert!(matches!(outcomes.last(), Some(Err(ImportError::Read { .. }))));
}

#[test]
fn interleaved_invoices_are_gathered() {
    let text = [sale("1", "a"), sale("C2", "a").replace(",1,", ",-1,"), sale("1", "b")].concat();
    let (commands, report) = import(&text);
    assert_eq!(orders(&commands), ["1", "C2"]);
    assert_eq!((report.malformed, report.kinds[&OrderKind::Sale].lines), (0, 2));
}

#[test]
fn a_row_that_comes_too_late_for_its_invoice_is_told() {
    let text: String = ["1", "2", "3", "4", "5", "6", "1"].iter().map(|id| sale(id, "a")).collect();
    let (commands, report) = import(&text);
    assert_eq!(orders(&commands), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!((report.lines, report.malformed), (7, 1));
    assert_eq!(report.malformed_lines[0].line_number, 8);
}

#[test]
fn rows_of_one_invoice_with_two_customers_are_told() {
    let text = [sale("1", "a"), sale("1", "a").replace(",1.0,", ",2.0,")].concat();
    let (_, report) = import(&text);
    assert!(report.malformed_lines[0].reason.starts_with("CustomerID: differs"));
}

#[test]
fn lines_that_do_not_fit_the_kind_are_told_and_the_others_booked() {
    let text = [sale("1", "a"), sale("1", "b").replace(",1,", ",-1,")].concat();
    let (commands, report) = import(&text);
    let told = &report.malformed_lines[0].reason;
    assert_eq!(told, "quantity -1 does not fit: a sale needs it above 0");
    let ShopCommand::Place(_, place) = &commands.last().unwrap().command else {
        unreachable!("the sale comes last")
    };
    assert_eq!(place.lines.len(), 1);
}

#[test]
fn a_line_at_another_minute_keeps_its_own_time() {
    let text = [sale("1", "a"), sale("1", "b").replace("08:26", "08:27")].concat();
    let (commands, _) = import(&text);
    let ShopCommand::Place(_, place) = &commands.last().unwrap().command else {
        unreachable!("the sale comes last")
    };
    let times: Vec<_> = place.lines.iter().map(|line| line.local_time).collect();
    assert_eq!(times, [None, Some("2010-12-01T08:27:00".parse().unwrap())]);
}

#[test]
fn only_what_changes_about_customers_and_products_becomes_a_command() {
    let text = [
        sale("1", "a"),
        sale("2", "a"),
        sale("3", "a").replace("THING", "OTHER").replace("United Kingdom", "EIRE"),
    ]
    .concat();
    let (commands, report) = import(&text);
    let keys: Vec<_> = commands.iter().map(|keyed| keyed.key.as_str()).collect();
    let expected = [
        "retail:customer:1:1",
        "retail:product:a:1",
        "retail:order:1",
        "retail:order:2",
        "retail:customer:1:2",
        "retail:product:a:2",
        "retail:order:3",
    ];
    assert_eq!(keys, expected);
    assert_eq!((report.moves, report.descriptions), (1, 1));
}

#[test]
fn a_note_on_a_stock_adjustment_is_not_the_products_description() {
    let (commands, _) = import("1,a,damaged,-3,2010-12-01 08:26:00,0.0,,United Kingdom\n");
    let ShopCommand::Add(_, add) = &commands[0].command else {
        unreachable!("the product comes first")
    };
    assert_eq!(add.description, None);
    let ShopCommand::AdjustStock(_, adjust) = &commands[1].command else {
        unreachable!("the adjustment comes last")
    };
    assert_eq!(adjust.lines[0].note.as_deref(), Some("damaged"));
}

#[test]
fn malformed_lines_past_the_bound_are_counted_and_not_kept() {
    let count = ImportReport::MALFORMED_KEPT + 5;
    let (_, report) = import(&"bad\n".repeat(count));
    assert_eq!((report.lines, report.malformed), (count as u64, count as u64));
    assert_eq!(report.malformed_lines.len(), ImportReport::MALFORMED_KEPT);
}

#[test]
fn commands_for_one_stream_go_by_one_lane_and_those_for_many_by_all() {
    let text: String = (1..200).map(|id| sale(&id.to_string(), "a")).collect();
    let (commands, _) = import(&text);
    let mut lanes = std::collections::HashMap::new();
    for keyed in &commands {
        let lane = keyed.command.lane(8);
        assert_eq!(*lanes.entry(keyed.command.stream().unwrap()).or_insert(lane), lane);
    }
    let used: std::collections::BTreeSet<_> = lanes.values().copied().collect();
    assert_eq!(used, (0..8).collect());
}

proptest::proptest! {
    #[test]
    fn every_line_is_either_part_of_a_command_or_told(lines in proptest::collection::vec(any_line(), 0..60)) {
        let (commands, report) = import(&lines.concat());
        let booked: u64 = report.kinds.values().map(|kind| kind.lines).sum();
        proptest::prop_assert_eq!(report.lines, lines.len() as u64);
        proptest::prop_assert_eq!(report.lines, booked + report.malformed);
        proptest::prop_assert_eq!(orders(&commands).len() as u64, report.invoices);
    }

    #[test]
    fn no_line_makes_the_reader_fail(line in "[^\n]{0,80}") {
        proptest::prop_assert_eq!(rows(&format!("{line}\n")).unwrap().len(), 1);
    }
}

/// Lines with all that a file may hold, right and wrong, of a few invoices.
fn any_line() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let invoice = prop_oneof!["[1-9]", "C[1-9]", "A[1-9]", "X"];
    let quantity = prop_oneof![-3..=3_i32, Just(20_000_000)];
    let price = prop_oneof![Just("0.0"), Just("2.55"), Just("-1.5"), Just("0.00001"), Just("x")];
    (invoice, "[ab]", quantity, price, "(1\\.0|2\\.0)?").prop_map(
        |(invoice, product, quantity, price, customer)| {
            format!(
                "{invoice},{product},THING,{quantity},2010-12-01 08:26:00,{price},{customer},UK\n"
            )
        },
    )
}
