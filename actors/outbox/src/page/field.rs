//! Fields of forms: what they are called in addresses, and what people read beside them.

use std::str::FromStr;

use headwater::api::{Parameters, Problem, ProblemKind};
use headwater::page::{Markup, hidden, select_field, text_field};

/// A field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub name: &'static str,
    pub label: &'static str,
}

impl Field {
    pub const fn new(name: &'static str, label: &'static str) -> Self {
        Self { name, label }
    }

    /// Reads a text; empty when nothing was written.
    pub fn text(self, parameters: &Parameters) -> Result<String, Problem> {
        let text = parameters.one(self.name).map_err(|problem| self.about(problem))?;
        Ok(text.unwrap_or_default().trim().to_owned())
    }

    /// Reads what is not a text; `None` when nothing was written, because a form sends fields
    /// that are empty too.
    pub fn value<T: FromStr>(
        self,
        parameters: &Parameters,
        wrong: &str,
    ) -> Result<Option<T>, Problem> {
        let text = self.text(parameters)?;
        let read = |text: String| text.parse().map_err(|_| self.wrong(wrong));
        Some(text).filter(|text| !text.is_empty()).map(read).transpose()
    }

    /// Reads a whole number; `None` when nothing was written.
    pub fn number<T: FromStr>(self, parameters: &Parameters) -> Result<Option<T>, Problem> {
        self.value(parameters, "is not a whole number, 0 or more")
    }

    /// Says what is wrong with it.
    pub fn wrong(self, detail: &str) -> Problem {
        Problem::new(ProblemKind::Invalid, format!("{} {detail}", self.label))
    }

    /// Shows it with what was written.
    pub fn input(self, value: &str, hint: &str) -> Markup {
        text_field(self.name, self.label, value, hint)
    }

    /// Shows it with the choices that there are.
    pub fn select(self, chosen: &str, choices: &[(&str, &str)]) -> Markup {
        select_field(self.name, self.label, chosen, choices)
    }

    /// Carries a value along that nobody sees.
    pub fn hidden(self, value: &str) -> Markup {
        hidden(self.name, value)
    }

    /// Lets a problem name the field as people know it, if it is about a single field.
    pub fn about(self, problem: Problem) -> Problem {
        match problem.errors() {
            [error] => self.wrong(&error.detail),
            _ => problem,
        }
    }
}
