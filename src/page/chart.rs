//! Charts drawn on the server: columns over time, with their numbers beside them as a table.

use maud::{Markup, Render, html};

use super::Tone;
use super::text::count;

/// Height of the drawing, in its own units; the page scales it.
const HEIGHT: f64 = 100.0;
/// Width of a column with the gaps beside it, and without.
const PITCH: usize = 10;
const BAR: f64 = 7.0;
/// The least height of what is not nothing: a few failures beside thousands of successes must be
/// seen.
const SEEN: f64 = 3.0;

/// What the values of a chart are, and so what they come to together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// What happened in each column's time: the sum says how much in all.
    Count,
    /// How much there was at each column's time: a sum would say nothing.
    Level,
}

/// Stacked columns over time.
pub struct Chart {
    measure: Measure,
    id: String,
    title: String,
    description: String,
    series: Vec<(String, Tone)>,
    columns: Vec<(String, Vec<u64>)>,
}

impl Chart {
    /// Makes a chart of counts: what happened in the time of each column. The legend shows the sum
    /// of each series. The description says in words what the chart shows, and its unit.
    #[must_use]
    pub fn columns(id: &str, title: &str, description: &str) -> Self {
        Self::of(Measure::Count, id, title, description)
    }

    /// Makes a chart of levels: how much there was at the time of each column, such as what waits.
    /// The legend shows the last value of each series and its highest.
    #[must_use]
    pub fn levels(id: &str, title: &str, description: &str) -> Self {
        Self::of(Measure::Level, id, title, description)
    }

    fn of(measure: Measure, id: &str, title: &str, description: &str) -> Self {
        Self {
            measure,
            id: id.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            series: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// Adds a series, the lowest of the stack first.
    #[must_use]
    pub fn series(mut self, name: &str, tone: Tone) -> Self {
        self.series.push((name.to_owned(), tone));
        self
    }

    /// Adds a column with a value for each series.
    #[must_use]
    pub fn column(mut self, label: &str, values: Vec<u64>) -> Self {
        self.columns.push((label.to_owned(), values));
        self
    }

    fn top(&self) -> u64 {
        let sums = self.columns.iter().map(|(_, values)| values.iter().sum::<u64>());
        round_up(sums.max().unwrap_or_default())
    }

    fn is_empty(&self) -> bool {
        self.columns.iter().all(|(_, values)| values.iter().all(|value| *value == 0))
    }

    fn legend(&self) -> Markup {
        html! {
            ul class="legend" {
                @for (at, (name, tone)) in self.series.iter().enumerate() {
                    li { span class={ "swatch " (tone.class()) } aria-hidden="true" {}
                        (name) " " (self.figure(at)) }
                }
            }
        }
    }

    /// What the values of a series come to.
    fn figure(&self, at: usize) -> Markup {
        let values = self.columns.iter().filter_map(|(_, own)| own.get(at)).copied();
        match self.measure {
            Measure::Count => {
                let sum = values.fold(0, u64::saturating_add);
                html! { b { (count(sum)) } }
            }
            Measure::Level => {
                let (last, most) = (values.clone().last(), values.max());
                html! { b { (count(last.unwrap_or_default())) }
                " now, at most " (count(most.unwrap_or_default())) }
            }
        }
    }

    fn drawing(&self, top: u64) -> Markup {
        let (title_id, words_id) = (format!("{}-title", self.id), format!("{}-words", self.id));
        let width = self.columns.len().max(1) * PITCH;
        html! {
            svg class="plot" role="img" aria-labelledby={ (title_id) " " (words_id) }
                viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" {
                title id=(title_id) { (self.title) }
                desc id=(words_id) { (self.description) }
                @for y in [0, 50, 100] {
                    line class="grid" x1="0" x2=(width) y1=(y) y2=(y) {}
                }
                @for (at, (label, values)) in self.columns.iter().enumerate() {
                    (self.stack(at * PITCH, label, values, top))
                }
            }
        }
    }

    fn stack(&self, x: usize, label: &str, values: &[u64], top: u64) -> Markup {
        let parts = self.series.iter().zip(values).filter(|(_, value)| **value > 0);
        let (classes, own): (Vec<_>, Vec<_>) =
            parts.map(|((_, tone), value)| (tone.class(), *value)).unzip();
        let left = x as f64 + (PITCH as f64 - BAR) / 2.0;
        let mut y = HEIGHT;
        let bars = classes.into_iter().zip(heights(&own, top)).map(|(class, height)| {
            y -= height;
            (class, y, height)
        });
        html! {
            @if !own.is_empty() {
                g { title { (label) ": " (self.told(values)) }
                    @for (class, y, height) in bars {
                        rect class=(class) x=(left) y=(format!("{y:.2}"))
                            width=(BAR) height=(format!("{height:.2}")) {}
                    }
                }
            }
        }
    }

    /// The times of the first column, the one in the middle and the last, each under its own.
    fn times(&self) -> Markup {
        let last = self.columns.len().saturating_sub(1);
        // A narrow column at the edge has no room for its time on both sides.
        let [start, end] = if last < 10 { ["middle"; 2] } else { ["start", "end"] };
        let mut shown = vec![(0, start), (last / 2, "middle"), (last, end)];
        shown.dedup_by_key(|(at, _)| *at);
        let width = self.columns.len().max(1) as f64;
        let place = |at: usize| format!("{:.3}%", (at as f64 + 0.5) * 100.0 / width);
        html! {
            svg class="times" aria-hidden="true" {
                @for (at, anchor) in shown {
                    @if let Some((label, _)) = self.columns.get(at) {
                        text x=(place(at)) y="0.75rem" text-anchor=(anchor) { (label) }
                    }
                }
            }
        }
    }

    fn told(&self, values: &[u64]) -> String {
        let parts = self.series.iter().zip(values).filter(|(_, value)| **value > 0);
        let parts: Vec<_> = parts
            .map(|((name, _), value)| format!("{} {}", count(*value), name.to_lowercase()))
            .collect();
        parts.join(", ")
    }

    /// The numbers, for who does not see the drawing or wants to know exactly.
    fn numbers(&self) -> Markup {
        html! {
            details class="numbers" {
                summary { "Numbers" }
                div class="region" tabindex="0" role="region"
                    aria-label={ "Numbers of " (self.title) } {
                    table class="plain" {
                        thead { tr { th scope="col" { "Time" }
                            @for (name, _) in &self.series {
                                th scope="col" class="number" { (name) }
                            } } }
                        tbody { @for (label, values) in &self.columns {
                            @if values.iter().any(|value| *value > 0) {
                                tr { th scope="row" { (label) }
                                    @for value in values { td class="number" { (count(*value)) } } }
                            }
                        } }
                    }
                }
            }
        }
    }
}

impl Render for Chart {
    fn render(&self) -> Markup {
        let top = self.top();
        html! {
            figure class="chart" id=(self.id) {
                figcaption { h2 { (self.title) } (self.legend()) }
                @if self.is_empty() {
                    p class="empty" { "Nothing in this time." }
                } @else {
                    div class="axes" {
                        div class="ticks" aria-hidden="true" {
                            span { (count(top)) }
                            span { @if top > 1 { (count(top / 2)) } }
                            span { "0" }
                        }
                        (self.drawing(top))
                        (self.times())
                    }
                    (self.numbers())
                }
            }
        }
    }
}

/// Returns how high each part of a column is: in proportion, but never too low to be seen. What
/// that adds is taken from the highest part when the column would be higher than the drawing.
fn heights(values: &[u64], top: u64) -> Vec<f64> {
    let scale = |value: &u64| *value as f64 * HEIGHT / top.max(1) as f64;
    let mut heights: Vec<f64> = values.iter().map(|value| scale(value).max(SEEN)).collect();
    let excess = heights.iter().sum::<f64>() - HEIGHT;
    if excess > 0.0
        && let Some(highest) = heights.iter_mut().max_by(|one, other| one.total_cmp(other))
    {
        *highest = (*highest - excess).max(SEEN);
    }
    heights
}

/// Returns the next of 1, 2, 4, 10, 20, 40, 100 …: their halves are whole, but for the first.
fn round_up(most: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for step in [1, 2, 4] {
            let mark = power.saturating_mul(step);
            if mark >= most {
                return mark;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: [u64; 2]) -> String {
        let chart = Chart::columns("c", "Attempts", "Attempts in each minute")
            .series("Delivered", Tone::Good)
            .series("Failed", Tone::Bad)
            .column("<12:00>", values.to_vec());
        chart.render().into_string()
    }

    #[test]
    fn a_chart_has_a_title_a_description_and_its_numbers_as_a_table() {
        let text = chart([3, 1]);
        assert!(text.contains("<title id=\"c-title\">Attempts</title>"), "{text}");
        assert!(text.contains("<desc id=\"c-words\">Attempts in each minute</desc>"), "{text}");
        assert!(text.contains("<title>&lt;12:00&gt;: 3 delivered, 1 failed</title>"), "{text}");
        assert!(text.contains("<td class=\"number\">3</td>"), "{text}");
    }

    #[test]
    fn columns_are_stacked_up_to_the_rounded_top() {
        let text = chart([3, 1]);
        assert!(text.contains("y=\"25.00\" width=\"7\" height=\"75.00\""), "{text}");
        assert!(text.contains("y=\"0.00\" width=\"7\" height=\"25.00\""), "{text}");
        assert_eq!([0, 1, 3, 5, 11, 41].map(round_up), [1, 1, 4, 10, 20, 100]);
        assert!(round_up(u64::MAX) == u64::MAX);
    }

    #[test]
    fn a_few_failures_beside_thousands_of_successes_are_seen() {
        let text = chart([2_889, 1]);
        assert!(text.contains("class=\"bad\"") && text.contains("height=\"3.00\""), "{text}");
        let high = heights(&[3_999, 1], 4_000);
        assert_eq!((high.iter().sum::<f64>(), high[1]), (HEIGHT, SEEN));
        assert_eq!(heights(&[1, 1, 1], 4_000), [SEEN; 3]);
    }

    #[test]
    fn counts_are_summed_and_levels_are_not() {
        let filled = |chart: Chart| {
            let chart = chart.series("Waiting", Tone::Notice);
            [7, 9, 3].iter().fold(chart, |chart, value| chart.column("x", vec![*value]))
        };
        let counts = filled(Chart::columns("c", "t", "d")).render().into_string();
        assert!(counts.contains("Waiting <b>19</b>"), "{counts}");
        let levels = filled(Chart::levels("c", "t", "d")).render().into_string();
        assert!(levels.contains("Waiting <b>3</b> now, at most 9"), "{levels}");
    }

    #[test]
    fn each_time_stands_under_its_column() {
        let chart = Chart::columns("c", "t", "d").series("All", Tone::Good);
        let chart = (0..60).fold(chart, |chart, at| chart.column(&format!("m{at}"), vec![1]));
        let text = chart.render().into_string();
        // The middle of column 29 of 60, and of its bar: 29.5 / 60.
        assert!(
            text.contains("<text x=\"49.167%\" y=\"0.75rem\" text-anchor=\"middle\">m29<"),
            "{text}"
        );
        assert!(text.contains("x=\"291.5\""), "{text}");
        assert!(text.contains("text-anchor=\"start\">m0<"), "{text}");
        assert!(text.contains("text-anchor=\"end\">m59<"), "{text}");
    }

    #[test]
    fn a_chart_of_nothing_says_so() {
        let text = chart([0, 0]);
        assert!(text.contains("Nothing in this time.") && !text.contains("<svg"), "{text}");
    }
}
