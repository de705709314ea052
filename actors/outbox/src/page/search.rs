//! What is searched for in the log of attempts, as the fields of a form.

use headwater::api::{Parameters, Problem};
use headwater::event::Position;
use headwater::page::{Markup, html, with_query};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::desk::path;
use super::field::Field;
use crate::table::{AttemptPlace, AttemptQuery, VERDICTS, verdict_name, verdict_of};
use crate::webhook::Verdict;

const VERDICT: Field = Field::new("verdict", "Outcome");
const STATUS: Field = Field::new("status", "Answer");
const TYPE: Field = Field::new("type", "Event type");
const STREAM: Field = Field::new("stream", "Stream");
const EVENT: Field = Field::new("event", "Event id");
const POSITION: Field = Field::new("position", "Position");
const SINCE: Field = Field::new("since", "Since (UTC)");
const UNTIL: Field = Field::new("until", "Before (UTC)");
/// Set by links alone.
const AFTER: Field = Field::new("after", "The place where the page begins");

/// Answers of a kind.
#[derive(Debug, PartialEq, Eq)]
struct Class {
    name: &'static str,
    words: &'static str,
    /// The least and the greatest status.
    statuses: (u16, u16),
}

const CLASSES: [Class; 6] = [
    Class { name: "", words: "Any", statuses: (0, u16::MAX) },
    Class { name: "2xx", words: "2xx: taken", statuses: (200, 299) },
    Class { name: "3xx", words: "3xx: redirect", statuses: (300, 399) },
    Class { name: "4xx", words: "4xx: refused", statuses: (400, 499) },
    Class { name: "5xx", words: "5xx: failed", statuses: (500, 599) },
    Class { name: "none", words: "No answer", statuses: (0, 0) },
];

/// What is searched for; a text is empty where nothing was said.
#[derive(Debug)]
pub(super) struct Search {
    verdict: Option<Verdict>,
    class: &'static Class,
    event_type: String,
    stream: String,
    event_id: String,
    position: Option<Position>,
    since: Option<Moment>,
    until: Option<Moment>,
    /// Where the page before ended.
    after: Option<AttemptPlace>,
}

/// A time, and how it was written.
#[derive(Debug)]
struct Moment {
    text: String,
    at: Timestamp,
}

impl Search {
    /// The fields that an address may have.
    pub const FIELDS: [&'static str; 9] = [
        VERDICT.name,
        STATUS.name,
        TYPE.name,
        STREAM.name,
        EVENT.name,
        POSITION.name,
        SINCE.name,
        UNTIL.name,
        AFTER.name,
    ];

    pub fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let position: Option<u64> = POSITION.number(parameters)?;
        Ok(Self {
            verdict: verdict(&VERDICT.text(parameters)?)?,
            class: class(&STATUS.text(parameters)?)?,
            event_type: TYPE.text(parameters)?,
            stream: STREAM.text(parameters)?,
            event_id: EVENT.text(parameters)?,
            position: position.map(Position::new),
            since: moment(SINCE, SINCE.text(parameters)?)?,
            until: moment(UNTIL, UNTIL.text(parameters)?)?,
            after: AFTER.value(parameters, "is not one that a page gave")?,
        })
    }

    /// Returns whether it is about a page behind the first.
    pub const fn is_continued(&self) -> bool {
        self.after.is_some()
    }

    pub fn query(&self, limit: usize) -> AttemptQuery {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        AttemptQuery {
            before: self.until.as_ref().map(|own| own.at),
            after: self.after,
            since: self.since.as_ref().map(|own| own.at),
            position: self.position,
            verdict: self.verdict,
            stream: some(&self.stream),
            event_type: some(&self.event_type),
            event_id: some(&self.event_id),
            status: self.class.statuses,
            limit,
        }
    }

    /// Returns the address of a page: the first, or the one behind a place.
    pub fn path(&self, id: &str, after: Option<AttemptPlace>) -> String {
        let position = self.position.map(|own| own.to_string()).unwrap_or_default();
        let after = after.map(|own| own.to_string()).unwrap_or_default();
        let fields = [
            (VERDICT.name, self.verdict.map_or("", verdict_name)),
            (STATUS.name, self.class.name),
            (TYPE.name, &self.event_type),
            (STREAM.name, &self.stream),
            (EVENT.name, &self.event_id),
            (POSITION.name, &position),
            (SINCE.name, written(self.since.as_ref())),
            (UNTIL.name, written(self.until.as_ref())),
            (AFTER.name, &after),
        ];
        with_query(&path(id, "/attempts"), &fields)
    }

    pub fn form(&self, id: &str) -> Markup {
        let home = path(id, "/attempts");
        let classes = CLASSES.map(|own| (own.name, own.words));
        let position = self.position.map(|own| own.to_string()).unwrap_or_default();
        let is_open = self.path(id, None) == home;
        html! {
            form method="get" action=(home) class="panel filters" role="search" {
                (VERDICT.select(self.verdict.map_or("", verdict_name), &verdicts()))
                (STATUS.select(self.class.name, &classes))
                (TYPE.input(&self.event_type, ""))
                (STREAM.input(&self.stream, ""))
                (EVENT.input(&self.event_id, ""))
                (POSITION.input(&position, ""))
                (SINCE.input(written(self.since.as_ref()), "2026-01-31 12:00"))
                (UNTIL.input(written(self.until.as_ref()), "2026-01-31 13:00"))
                div class="buttons" {
                    button class="button" type="submit" { "Search" }
                    @if !is_open || self.is_continued() {
                        a class="button quiet" href=(home) { "Clear" }
                    }
                }
            }
        }
    }
}

fn written(moment: Option<&Moment>) -> &str {
    moment.map_or("", |own| &own.text)
}

/// Returns what can be chosen, with its words.
fn verdicts() -> Vec<(&'static str, &'static str)> {
    let words = |verdict| match verdict {
        Verdict::Delivered => "Delivered",
        Verdict::Failed => "Failed",
        Verdict::Throttled => "Throttled",
        Verdict::Gone => "Gone",
        Verdict::Refused => "Refused",
    };
    let own = VERDICTS.map(|verdict| (verdict_name(verdict), words(verdict)));
    [("", "Any")].into_iter().chain(own).collect()
}

fn verdict(name: &str) -> Result<Option<Verdict>, Problem> {
    match verdict_of(name) {
        None if !name.is_empty() => Err(VERDICT.wrong("is no outcome of an attempt")),
        verdict => Ok(verdict),
    }
}

fn class(name: &str) -> Result<&'static Class, Problem> {
    let class = CLASSES.iter().find(|own| own.name == name);
    class.ok_or_else(|| STATUS.wrong("is no class of answers"))
}

/// Reads a time of a form: with a zone, or else of UTC.
fn moment(field: Field, text: String) -> Result<Option<Moment>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let read = text.parse().ok().or_else(|| civil().map(|zoned| zoned.timestamp()));
    let at = read.ok_or_else(|| field.wrong("is not a time such as 2026-01-31 12:00"))?;
    Ok(Some(Moment { text, at }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_a_zone_are_of_utc() {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for text in ["2026-01-31 12:00", "2026-01-31T12:00", "2026-01-31T13:00:00+01:00"] {
            let read = moment(SINCE, text.to_owned()).unwrap();
            assert_eq!(read.map(|own| own.at), Some(noon), "{text}");
        }
        assert!(moment(SINCE, String::new()).unwrap().is_none());
        let told = moment(UNTIL, "noon".to_owned()).unwrap_err().to_string();
        assert!(told.contains("Before (UTC) is not a time"), "{told}");
    }

    #[test]
    fn a_class_of_answers_is_a_range_of_statuses() {
        assert_eq!(class("4xx").unwrap().statuses, (400, 499));
        assert_eq!(class("none").unwrap().statuses, (0, 0));
        let told = class("9xx").unwrap_err().to_string();
        assert!(told.contains("Answer is no class of answers"), "{told}");
    }

    #[test]
    fn an_outcome_is_one_that_attempts_have() {
        assert_eq!(verdict("").unwrap(), None);
        assert_eq!(verdict("gone").unwrap(), Some(Verdict::Gone));
        assert!(verdict("done").unwrap_err().to_string().contains("Outcome is no outcome"));
        assert_eq!(verdicts().len(), 6);
    }
}
