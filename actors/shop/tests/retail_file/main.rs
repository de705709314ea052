//! A whole file: what the commands and read models add up to is what the file itself says,
//! computed by another path. The small file is always there; the real one is read when
//! `HEADWATER_RETAIL_CSV` names it (plain or gzip).

#[cfg(test)]
mod book;

#[cfg(test)]
mod retail_file {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Read;
    use std::path::{Path, PathBuf};

    use super::book::{Book, Rows};
    use headwater_shop::money::Money;
    use headwater_shop::order::OrderKind;
    use headwater_shop::retail::{Commands, ImportReport, read_lines};

    fn small_file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/retail_sample.csv")
    }

    fn real_file() -> Option<PathBuf> {
        std::env::var_os("HEADWATER_RETAIL_CSV").map(PathBuf::from)
    }

    /// Runs a file through reader, aggregates and read models.
    fn run(file: &Path) -> (ImportReport, Rows) {
        let mut commands = Commands::new(read_lines(File::open(file).unwrap()).unwrap());
        let mut book = Book::new();
        for command in commands.by_ref() {
            book.send(command.unwrap().command);
        }
        (commands.report().clone(), book.rows())
    }

    /// Adds the file up without the code under test: integer thousandths straight from the text.
    fn thousandths(file: &Path) -> BTreeMap<String, i128> {
        let mut bytes = Vec::new();
        File::open(file).unwrap().read_to_end(&mut bytes).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            bytes = plain;
        }
        let mut months = BTreeMap::new();
        for record in csv::Reader::from_reader(&bytes[..]).records() {
            let record = record.unwrap();
            let (whole, part) = record[5].split_once('.').unwrap();
            let price: i128 = format!("{whole}{part:0<3}").parse().unwrap();
            let quantity: i128 = record[3].parse().unwrap();
            *months.entry(record[4][..7].to_owned()).or_default() += price * quantity;
        }
        months
    }

    fn as_money(thousandths: i128) -> Money {
        Money::new(rust_decimal::Decimal::from_i128_with_scale(thousandths, 3))
    }

    fn assert_sums_agree(file: &Path, report: &ImportReport, rows: &Rows) {
        let sums = thousandths(file);
        let total = as_money(sums.values().sum());
        let months: BTreeMap<_, _> = sums.into_iter().map(|(m, sum)| (m, as_money(sum))).collect();
        assert_eq!(report.total, total);
        assert_eq!(report.months, months);
        assert_eq!(rows.months(), months);
        assert_eq!(rows.totals(), [total; 3]);
    }

    fn assert_no_line_is_lost(report: &ImportReport, rows: &Rows) {
        let by_kind: u64 = report.kinds.values().map(|kind| kind.lines).sum();
        assert_eq!(report.lines, by_kind + report.malformed);
        let by_order: u64 = rows.orders.rows().values().map(|row| u64::from(row.lines)).sum();
        assert_eq!(by_order, by_kind);
        let by_product: u64 = rows.products.rows().values().map(|row| row.lines).sum();
        assert_eq!(by_product, by_kind);
    }

    #[test]
    fn the_small_file_adds_up_to_what_it_says() {
        let (report, rows) = run(&small_file());
        assert_eq!(report.malformed, 0, "{:?}", report.malformed_lines);
        assert_sums_agree(&small_file(), &report, &rows);
        assert_no_line_is_lost(&report, &rows);
    }

    #[test]
    fn the_real_file_adds_up_to_what_it_says() {
        let Some(file) = real_file() else { return };
        let (report, rows) = run(&file);
        assert_sums_agree(&file, &report, &rows);
        assert_no_line_is_lost(&report, &rows);
        assert_eq!(report.total.to_string(), "9747747.934");
        assert_eq!((report.lines, report.malformed, report.invoices), (541_909, 0, 25_900));
        assert_eq!((report.customers, report.moves, report.products), (4_372, 16, 4_070));
        assert_eq!(report.lines_without_customer, 135_080);
        let kinds = [
            (OrderKind::Sale, 19_963),
            (OrderKind::Credit, 3_836),
            (OrderKind::DebtAdjustment, 3),
            (OrderKind::StockAdjustment, 2_098),
        ];
        assert_eq!(kinds.map(|(kind, _)| (kind, report.kinds[&kind].invoices)), kinds);
        assert_eq!(report.kinds[&OrderKind::Credit].lines, 9_288);
        assert_eq!(rows.orders.rows().len(), 25_900);
        assert_eq!(rows.customers.rows().len(), 4_372);
        assert_eq!(rows.products.rows().len(), 4_070);
    }

    #[test]
    fn a_second_run_gives_the_same_commands_under_the_same_keys() {
        let read = || {
            Commands::new(read_lines(File::open(small_file()).unwrap()).unwrap())
                .collect::<Result<Vec<_>, _>>()
                .unwrap()
        };
        let (first, second) = (read(), read());
        assert_eq!(first, second);
        let keys: std::collections::HashSet<_> = first.iter().map(|command| &command.key).collect();
        assert_eq!(keys.len(), first.len());
    }
}
