//! The fields of a span or an event, redacted as they are taken in.

use std::fmt;

use tracing::field::{Field, Visit};

use super::escape::cut;
use super::redaction::{REDACTED, is_secret, redact_text};

/// A value as it will be written.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Written as it is: a number or a truth value.
    Bare(String),
    /// Written as a text.
    Text(String),
}

/// The fields of a span or an event in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The constant text of an event; empty for spans.
    pub message: String,
    /// The facts; a name occurs once, the last value wins.
    pub facts: Vec<(&'static str, FieldValue)>,
}

impl Fields {
    /// Sets a fact.
    pub fn set(&mut self, name: &'static str, value: FieldValue) {
        match self.facts.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = value,
            None => self.facts.push((name, value)),
        }
    }

    fn take(&mut self, field: &Field, value: FieldValue) {
        let name = field.name().trim_start_matches("r#");
        match value {
            FieldValue::Text(text) if name == "message" => self.message = text,
            _ if is_secret(name) => self.set(name, FieldValue::Text(REDACTED.to_owned())),
            value => self.set(name, value),
        }
    }

    fn take_text(&mut self, field: &Field, text: String) {
        // Redacted first: a cut could leave the beginning of a secret that no rule knows.
        self.take(field, FieldValue::Text(cut(redact_text(text))));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take_text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, FieldValue::Bare(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, FieldValue::Bare(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, FieldValue::Bare(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = value.to_string();
        // JSON has no word for what is not finite.
        let value = if value.is_finite() { FieldValue::Bare(text) } else { FieldValue::Text(text) };
        self.take(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.take_text(field, text);
    }
}
