//! Attempts of the last hour by outcome, as a chart.

use headwater::api::Problem;
use headwater::page::{Chart, Markup, Render, Tone};
use headwater::sql::TxEngine;
use jiff::{SignedDuration, Timestamp};

use super::desk::Desk;
use crate::table::{self, MinuteCount};
use crate::webhook::Verdict;

const MINUTES: i64 = 60;
/// Outcomes from the bottom of the stack to its top.
const SERIES: [(&str, &[Verdict], Tone); 3] = [
    ("Delivered", &[Verdict::Delivered], Tone::Good),
    ("Throttled", &[Verdict::Throttled], Tone::Warn),
    ("Failed", &[Verdict::Failed, Verdict::Refused, Verdict::Gone], Tone::Bad),
];

/// Draws the chart of an endpoint.
pub(super) async fn chart(desk: &Desk, id: &str) -> Result<Markup, Problem> {
    let now = desk.now();
    let last = now.as_second().div_euclid(60);
    let first = last - MINUTES + 1;
    let since = Timestamp::from_second(first * 60).unwrap_or(now);
    let (tenant, id) = (desk.tenant.clone(), id.to_owned());
    let work = move |tx: &mut dyn TxEngine| table::by_minute(tx, (&tenant, &id), since);
    let counts = desk.shared.database().inspect(work).await?;
    let chart = Chart::columns(
        "attempts-chart",
        "Attempts in the last hour",
        "Attempts in each minute of the last hour, stacked by outcome; of those that are kept.",
    );
    let chart = SERIES.iter().fold(chart, |chart, (name, _, tone)| chart.series(name, *tone));
    let chart = (0..MINUTES).fold(chart, |chart, at| {
        let label = since.saturating_add(SignedDuration::from_mins(at)).unwrap_or(since);
        chart.column(&label.strftime("%H:%M").to_string(), values(&counts, first + at))
    });
    Ok(chart.render())
}

fn values(counts: &[MinuteCount], minute: i64) -> Vec<u64> {
    let of = |verdicts: &[Verdict]| {
        let own = counts.iter().filter(|own| own.minute == minute);
        own.filter(|own| verdicts.contains(&own.verdict)).map(|own| own.count).sum()
    };
    SERIES.iter().map(|(_, verdicts, _)| of(verdicts)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::VERDICTS;

    #[test]
    fn every_outcome_is_in_one_series() {
        for verdict in VERDICTS {
            let series = SERIES.iter().filter(|(_, own, _)| own.contains(&verdict));
            assert_eq!(series.count(), 1, "{verdict:?}");
        }
    }

    #[test]
    fn outcomes_are_counted_in_their_minute_and_series() {
        let count = |minute, verdict, count| MinuteCount { minute, verdict, count };
        let counts = [
            count(7, Verdict::Delivered, 5),
            count(7, Verdict::Failed, 1),
            count(7, Verdict::Refused, 2),
            count(8, Verdict::Throttled, 4),
        ];
        assert_eq!(values(&counts, 7), [5, 0, 3]);
        assert_eq!(values(&counts, 8), [0, 4, 0]);
        assert_eq!(values(&counts, 9), [0, 0, 0]);
    }
}
