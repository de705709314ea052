//! Charts drawn on the server: columns over time, with their numbers beside them as a table.

use maud::{Markup, Render, html};

use super::Tone;
use super::text::count;

/// Height of the drawing, in its own units; the page scales it.
const HEIGHT: u64 = 100;
/// Width of a column with the gap behind it, and without.
const PITCH: usize = 10;
const BAR: usize = 7;

/// Stacked columns over time.
pub struct Chart {
    id: String,
    title: String,
    description: String,
    series: Vec<(String, Tone)>,
    columns: Vec<(String, Vec<u64>)>,
}

impl Chart {
    /// Makes a chart; the description says in words what it shows, and its unit.
    #[must_use]
    pub fn columns(id: &str, title: &str, description: &str) -> Self {
        Self {
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
                    @let sum: u64 = self.columns.iter().filter_map(|(_, own)| own.get(at)).sum();
                    li { span class={ "swatch " (tone.class()) } aria-hidden="true" {}
                        (name) " " b { (count(sum)) } }
                }
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
                @for y in [0, HEIGHT / 2, HEIGHT] {
                    line class="grid" x1="0" x2=(width) y1=(y) y2=(y) {}
                }
                @for (at, (label, values)) in self.columns.iter().enumerate() {
                    (self.stack(at * PITCH, label, values, top))
                }
            }
        }
    }

    fn stack(&self, x: usize, label: &str, values: &[u64], top: u64) -> Markup {
        let mut below = 0;
        let parts = self.series.iter().zip(values).filter(|(_, value)| **value > 0);
        let bars: Vec<_> = parts
            .map(|((_, tone), value)| {
                let (from, to) = (scale(below, top), scale(below + value, top));
                below += value;
                (tone.class(), HEIGHT as f64 - to, to - from)
            })
            .collect();
        html! {
            @if !bars.is_empty() {
                g { title { (label) ": " (self.told(values)) }
                    @for (class, y, height) in bars {
                        rect class=(class) x=(x + (PITCH - BAR) / 2) y=(format!("{y:.2}"))
                            width=(BAR) height=(format!("{height:.2}")) {}
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
        let label = |at: usize| self.columns.get(at).map_or("", |(label, _)| label.as_str());
        let last = self.columns.len().saturating_sub(1);
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
                    }
                    div class="times" aria-hidden="true" {
                        span { (label(0)) } span { (label(last / 2)) } span { (label(last)) }
                    }
                    (self.numbers())
                }
            }
        }
    }
}

fn scale(value: u64, top: u64) -> f64 {
    value as f64 * HEIGHT as f64 / top.max(1) as f64
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
    fn a_chart_of_nothing_says_so() {
        let text = chart([0, 0]);
        assert!(text.contains("Nothing in this time.") && !text.contains("<svg"), "{text}");
    }
}
