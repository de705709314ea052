//! One comparison: what is measured, its limit in the same run, and what it must reach.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::Failure;

/// Makes an empty record of times, in microseconds, up to ten minutes.
pub fn times_us() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_max(600_000_000, 3).map_err(|error| Failure::new(error.to_string()))
}

/// How much was done in how long.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// How many things.
    pub count: u64,
    /// In what time.
    pub elapsed: Duration,
}

impl Measure {
    /// Returns things per second.
    pub fn rate(self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Calls `work` until `within` is over and adds up what it did.
    pub fn repeat(
        within: Duration,
        mut work: impl FnMut() -> Result<u64, Failure>,
    ) -> Result<Self, Failure> {
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < within {
            count += work()?;
        }
        Ok(Self { count, elapsed: start.elapsed() })
    }

    /// Calls `work` once.
    pub fn once(work: impl FnOnce() -> Result<u64, Failure>) -> Result<Self, Failure> {
        let start = Instant::now();
        let count = work()?;
        Ok(Self { count, elapsed: start.elapsed() })
    }
}

/// What a case must reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// At least this share of the limit measured beside it.
    Ratio(f64),
    /// At least so many a second.
    Rate(f64),
    /// At most so many seconds.
    Seconds(f64),
}

/// One round of a case: the subject and its limit, measured one after the other.
pub struct Round {
    /// What is measured.
    pub subject: Measure,
    /// Its limit, or a baseline, under the same conditions.
    pub limit: Measure,
}

/// The outcome of a case over all rounds.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// What was measured.
    pub name: String,
    /// What is counted.
    pub unit: &'static str,
    /// Median rate of the subject, per second.
    pub rate: f64,
    /// What it is compared with.
    pub limit_name: &'static str,
    /// Median rate of that, per second.
    pub limit_rate: f64,
    /// Median of the rounds' ratios of the two.
    pub ratio: f64,
    /// What it must reach.
    pub target: Target,
    /// Whether it did.
    pub reached: bool,
    /// Further facts, such as latencies.
    pub notes: Vec<String>,
}

/// What names a case in its outcome.
pub struct Case {
    /// What is measured.
    pub name: String,
    /// What is counted.
    pub unit: &'static str,
    /// What it is compared with.
    pub limit_name: &'static str,
    /// What it must reach.
    pub target: Target,
}

impl Case {
    /// Runs the rounds and takes the medians.
    pub fn run(
        self,
        rounds: usize,
        mut round: impl FnMut() -> Result<Round, Failure>,
    ) -> Result<Outcome, Failure> {
        let rounds: Vec<Round> = (0..rounds.max(1)).map(|_| round()).collect::<Result<_, _>>()?;
        let median_of = |pick: fn(&Round) -> f64| median(rounds.iter().map(pick).collect());
        let rate = median_of(|round| round.subject.rate());
        let limit_rate = median_of(|round| round.limit.rate());
        let ratio = median_of(|round| round.subject.rate() / round.limit.rate().max(1e-9));
        let seconds = median_of(|round| round.subject.elapsed.as_secs_f64());
        let reached = match self.target {
            Target::Ratio(least) => ratio >= least,
            Target::Rate(least) => rate >= least,
            Target::Seconds(most) => seconds <= most,
        };
        let Self { name, unit, limit_name, target } = self;
        let notes = Vec::new();
        Ok(Outcome { name, unit, rate, limit_name, limit_rate, ratio, target, reached, notes })
    }
}

/// Returns the middle value; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(count: u64) -> Measure {
        Measure { count, elapsed: Duration::from_secs(1) }
    }

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_and_decides() {
        let mut subjects = [90, 10, 95].into_iter();
        let case = |target| Case { name: "x".into(), unit: "events", limit_name: "raw", target };
        let outcome = case(Target::Ratio(0.9)).run(3, || {
            let subject = measure(subjects.next().unwrap());
            Ok(Round { subject, limit: measure(100) })
        });
        let outcome = outcome.unwrap();
        assert!((outcome.ratio - 0.9).abs() < 1e-9 && outcome.reached);
        let slow = case(Target::Rate(200.0))
            .run(1, || Ok(Round { subject: measure(100), limit: measure(100) }));
        assert!(!slow.unwrap().reached);
    }
}
