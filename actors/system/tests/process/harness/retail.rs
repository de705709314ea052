//! Adds a retail file up without the program: whole thousandths straight from the text.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Reads an amount such as `-12.5` as thousandths.
pub fn thousandths(amount: &str) -> i128 {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    assert!(part.len() <= 3, "{amount} is finer than thousandths");
    format!("{whole}{part:0<3}").parse().unwrap()
}

/// Returns the sum of quantity times price of each month, of every line that has both.
pub fn totals_by_month(file: &Path) -> BTreeMap<String, i128> {
    let source = BufReader::new(File::open(file).unwrap());
    let source: Box<dyn Read> = match file.extension().is_some_and(|end| end == "gz") {
        true => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        false => Box::new(source),
    };
    let mut months = BTreeMap::new();
    for record in csv::ReaderBuilder::new().flexible(true).from_reader(source).records() {
        let record = record.unwrap();
        if let Ok(quantity) = record[3].parse::<i128>() {
            let month = record[4][..7].to_owned();
            *months.entry(month).or_default() += quantity * thousandths(&record[5]);
        }
    }
    months
}
