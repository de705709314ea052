//! What the made-up shop sells, and to whom.

use jiff::civil::{Date, DateTime, date};
use rust_decimal::Decimal;

use super::random::mix;
use crate::money::Money;
use crate::name::{Country, CustomerId, NameFault, ProductCode};

/// How many customers the shop has.
pub const CUSTOMERS: u64 = 4_372;
/// How many products the shop has.
pub const PRODUCTS: u64 = 4_070;

/// From this day on some products are described in other words and some customers have moved.
const CHANGE_DAY: Date = date(2011, 6, 1);
const PRICES_PENCE: [i64; 16] =
    [42, 55, 65, 85, 85, 125, 125, 145, 165, 165, 195, 210, 295, 375, 495, 995];
const COLOURS: [&str; 8] = ["RED", "PINK", "BLUE", "WHITE", "IVORY", "GREEN", "BLACK", "VINTAGE"];
const MOTIFS: [&str; 8] =
    ["HEART", "SPOTTY", "UNION JACK", "OWL", "STAR", "PAISLEY", "STRAWBERRY", "FRENCH"];
const THINGS: [&str; 16] = [
    "T-LIGHT HOLDER",
    "LANTERN",
    "LUNCH BAG",
    "MUG",
    "HOT WATER BOTTLE",
    "CAKE STAND",
    "DOORMAT",
    "TEA TOWEL",
    "CANDLE",
    "BUNTING",
    "COAT RACK",
    "STORAGE BOX",
    "JUMBO BAG",
    "LIGHTS",
    "GIFT WRAP",
    "CLOCK",
];
/// Countries with the share of the shop's customers, of 1,000.
const COUNTRIES: [(&str, u64); 12] = [
    ("United Kingdom", 904),
    ("Germany", 22),
    ("France", 20),
    ("Spain", 7),
    ("Belgium", 6),
    ("Switzerland", 6),
    ("Portugal", 6),
    ("EIRE", 5),
    ("Netherlands", 5),
    ("Australia", 5),
    ("Channel Islands", 4),
    ("Unspecified", 10),
];

/// Returns the code of product `rank`; every ninth has a letter behind the number.
pub fn product_code(rank: u64) -> Result<ProductCode, NameFault> {
    let number = 20_000 + rank * 3;
    match rank % 9 {
        4 => ProductCode::new(format!("{number}B")),
        _ => ProductCode::new(number.to_string()),
    }
}

/// Returns how product `rank` is described at a time; every fourth changes once.
pub fn description(rank: u64, time: DateTime) -> String {
    let word = |list: &[&'static str], at: u64| {
        list.get(at as usize % list.len().max(1)).copied().unwrap_or_default()
    };
    let thing = word(&THINGS, rank);
    let (colour, motif) = (word(&COLOURS, rank / 16), word(&MOTIFS, rank / 128));
    match rank % 4 {
        1 if time.date() >= CHANGE_DAY => format!("{thing} {motif} {colour} No {}", rank / 1_024),
        _ => format!("{colour} {motif} {thing} {}", rank / 1_024),
    }
}

/// Returns the usual price of product `rank`; one of the lot costs a tenth of a penny.
pub fn price(rank: u64) -> Money {
    match rank {
        1_500 => Money::new(Decimal::new(1, 3)),
        _ => {
            let at = mix(rank) as usize % PRICES_PENCE.len();
            Money::new(Decimal::new(PRICES_PENCE.get(at).copied().unwrap_or_default(), 2))
        }
    }
}

/// Returns the number of customer `rank`.
pub fn customer_id(rank: u64) -> Result<CustomerId, NameFault> {
    CustomerId::new((12_346 + rank).to_string())
}

/// Returns where customer `rank` is at a time; eight of them move once.
pub fn customer_country(rank: u64, time: DateTime) -> Result<Country, NameFault> {
    let moves = rank % 547 == 3;
    match moves && time.date() >= CHANGE_DAY {
        true => Country::new("Cyprus"),
        false => country(mix(rank)),
    }
}

/// Returns the country that a draw falls on.
pub fn country(draw: u64) -> Result<Country, NameFault> {
    let mut left = draw % 1_000;
    for (name, share) in COUNTRIES {
        match left.checked_sub(share) {
            Some(rest) => left = rest,
            None => return Country::new(name),
        }
    }
    Country::new("Unspecified")
}
