//! `headwater demo`: ends at the log's end, adds nothing twice, and adds up.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::harness::{Folder, Server, earned_by_month, thousandths, totals_by_month};

const DEMO: [&str; 5] = ["demo", "--invoices", "300", "--exit", "--json"];

/// Every quirk of the real file: credits, debt adjustments, lines without customer, lines that
/// are there twice, and one line (the sixth) that is none.
pub const QUIRKS: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,\"LANTERN, WHITE\",8,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536365,71053,\"LANTERN, WHITE\",8,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom
536380,22961,JAM MAKING SET,many,2010-12-01 09:41:00,1.45,17809.0,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
539330,37449,CERAMIC CAKE STAND,8,2010-12-17 09:38:00,8.5,12370.0,Cyprus
550193,PADS,PADS TO MATCH ALL CUSHIONS,3,2011-04-15 09:27:00,0.001,12370.0,Austria
A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom
A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom
A563187,B,Adjust bad debt,1,2011-08-12 14:52:00,-7.5,,United Kingdom
";

fn assert_at_the_end(demo: &Value) {
    assert_eq!(demo["caught_up"], true, "{demo}");
    let projections = demo["projections"].as_array().unwrap();
    assert_eq!(projections.len(), 6);
    for projection in projections {
        assert_eq!(projection["position"], demo["head"], "{projection}");
        assert_eq!(projection["state"], "running", "{projection}");
    }
}

/// Reads amounts by month from a report.
fn months(report: &Value) -> BTreeMap<String, i128> {
    let months = report["months"].as_object().unwrap().iter();
    months.map(|(month, sum)| (month.clone(), thousandths(sum.as_str().unwrap()))).collect()
}

/// Imports a file by the demo and holds report and rows to sums of the file itself.
fn assert_adds_up(folder: &Folder, file: &Path) -> Value {
    let demo = folder.json(&["demo", "--exit", "--json", "--import", file.to_str().unwrap()]);
    assert_at_the_end(&demo);
    let own = totals_by_month(file);
    let total = thousandths(demo["intake"]["total"].as_str().unwrap());
    assert_eq!(total, own.values().sum::<i128>());
    assert_eq!(months(&demo["intake"]), own);
    let server = Server::start(folder, &["--data-dir", "headwater-demo"]);
    assert_eq!(earned_by_month(&server.client), own);
    server.stop();
    demo
}

#[test]
fn the_demo_ends_with_every_projection_at_the_end_of_the_log() {
    let folder = Folder::new();
    let demo = folder.json(&DEMO);
    assert_at_the_end(&demo);
    assert_eq!(demo["intake"]["invoices"], 300);
    assert!(demo["head"].as_u64().unwrap() > 300, "{demo}");
    assert_eq!((&demo["intake"]["replayed"], &demo["intake"]["rejected"]), (&0.into(), &0.into()));
}

#[test]
fn the_demo_makes_the_same_shop_everywhere() {
    let [one, other] = [Folder::new().json(&DEMO), Folder::new().json(&DEMO)];
    assert_eq!(one["head"], other["head"]);
    for field in ["total", "months", "kinds", "lines", "commands", "customers", "products"] {
        assert_eq!(one["intake"][field], other["intake"][field], "{field}");
    }
}

#[test]
fn an_imported_file_adds_up_and_its_malformed_line_is_told() {
    let folder = Folder::new();
    let file = folder.write("quirks.csv", QUIRKS);
    let demo = assert_adds_up(&folder, &file);
    let intake = &demo["intake"];
    assert_eq!((&intake["lines"], &intake["invoices"]), (&11.into(), &8.into()), "{intake}");
    assert_eq!((&intake["malformed"], &intake["rejected"]), (&1.into(), &0.into()), "{intake}");
    assert_eq!(intake["lines_without_customer"], 4);
    let malformed = &intake["malformed_lines"][0];
    assert_eq!(malformed["line_number"], 6);
    assert!(malformed["reason"].as_str().unwrap().contains("\"many\""), "{malformed}");
}

#[test]
fn the_real_file_adds_up() {
    let Some(file) = std::env::var_os("HEADWATER_RETAIL_CSV") else { return };
    let demo = assert_adds_up(&Folder::new(), Path::new(&file));
    assert_eq!(demo["intake"]["invoices"], 25_900);
    assert_eq!(demo["intake"]["total"], "9747747.934");
    assert_eq!(demo["intake"]["malformed"], 0);
}
