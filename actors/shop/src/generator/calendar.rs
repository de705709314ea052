//! When the made-up shop is open, and how its invoices spread over the year.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};

/// The year of the shop: its months, and how many invoices fall into each.
#[derive(Debug)]
pub struct Calendar {
    months: Vec<Month>,
}

#[derive(Debug)]
struct Month {
    open_days: Vec<Date>,
    first: u64,
    count: u64,
}

/// Invoices a month in the real file, December 2010 to December 2011.
const WEIGHTS: [u64; 13] =
    [2_025, 1_476, 1_393, 1_983, 1_744, 2_162, 2_012, 1_927, 1_737, 2_327, 2_637, 3_462, 1_015];
const WEIGHT_SUM: u64 = 25_900;
const FIRST_DAY: Date = jiff::civil::date(2010, 12, 1);
const LAST_DAY: Date = jiff::civil::date(2011, 12, 9);
const OPENS_MINUTE: u64 = 8 * 60;
const OPEN_MINUTES: u64 = 10 * 60;

impl Calendar {
    /// Spreads so many invoices over the year, with the real file's busy and quiet months.
    pub fn new(invoices: u64) -> Self {
        let mut months = Vec::with_capacity(WEIGHTS.len());
        let (mut weight_before, mut day) = (0, FIRST_DAY);
        for weight in WEIGHTS {
            let first = invoices * weight_before / WEIGHT_SUM;
            weight_before += weight;
            let count = invoices * weight_before / WEIGHT_SUM - first;
            months.push(Month { open_days: open_days(day), first, count });
            day = day.last_of_month().tomorrow().unwrap_or(day);
        }
        Self { months }
    }

    /// Returns the local time of invoice `index`; later invoices are never earlier.
    pub fn time_of(&self, index: u64) -> DateTime {
        let after = self.months.partition_point(|month| month.first <= index);
        let Some(month) = self.months.get(after.saturating_sub(1)) else {
            return FIRST_DAY.into();
        };
        let open = month.open_days.len() as u64 * OPEN_MINUTES;
        let minute = (index - month.first) * open / month.count.max(1);
        let day = month.open_days.get((minute / OPEN_MINUTES) as usize).copied();
        let of_day = OPENS_MINUTE + minute % OPEN_MINUTES;
        let (hour, minute) = ((of_day / 60) as i8, (of_day % 60) as i8);
        day.unwrap_or(LAST_DAY).at(hour, minute, 0, 0)
    }
}

/// The days of a month on which the shop is open: all but Saturdays.
fn open_days(first: Date) -> Vec<Date> {
    let last = first.last_of_month().min(LAST_DAY);
    let days = first.series(1.day()).take_while(|day| *day <= last);
    days.filter(|day| day.weekday() != Weekday::Saturday).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invoices_come_in_the_order_of_their_times_on_open_days() {
        for count in [1, 13, 500, 25_900] {
            let calendar = Calendar::new(count);
            let times: Vec<_> = (0..count).map(|index| calendar.time_of(index)).collect();
            assert!(times.is_sorted());
            assert!(times.iter().all(|time| time.weekday() != Weekday::Saturday));
            assert!(times.iter().all(|time| (FIRST_DAY..=LAST_DAY).contains(&time.date())));
        }
    }
}
