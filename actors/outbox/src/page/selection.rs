//! Which dead letters, as the fields of a form and the parameters of an address.

use headwater::api::{Parameters, Problem};
use headwater::event::Position;
use headwater::page::{Markup, hidden, html, with_query};

use crate::endpoint::Selection;

/// The names of the fields.
pub(super) const FIELDS: [&str; 6] = ["position", "category", "stream", "type", "from", "to"];

/// What a person chose; each text is empty where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    position: Option<u64>,
    pub category: String,
    pub stream: String,
    pub event_type: String,
    pub from: Option<u64>,
    pub to: Option<u64>,
}

impl Chosen {
    pub fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let text = |name| -> Result<String, Problem> {
            Ok(parameters.one(name)?.unwrap_or_default().trim().to_owned())
        };
        // A form sends fields that are empty too.
        let number = |name| match parameters.one(name)? {
            None | Some("") => Ok(None),
            Some(_) => parameters.number(name),
        };
        Ok(Self {
            position: number("position")?,
            category: text("category")?,
            stream: text("stream")?,
            event_type: text("type")?,
            from: number("from")?,
            to: number("to")?,
        })
    }

    /// Returns the dead letter at a position alone.
    pub fn at(position: u64) -> Self {
        Self { position: Some(position), ..Self::default() }
    }

    /// Returns the same, up to a position: what comes later was not looked at.
    pub fn up_to(mut self, last: u64) -> Self {
        self.to = Some(self.to.map_or(last, |to| to.min(last)));
        self
    }

    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    pub fn selection(&self) -> Selection {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Selection {
            position: self.position.map(Position::new),
            tenant: None,
            category: some(&self.category),
            stream: some(&self.stream),
            event_type: some(&self.event_type),
            from: self.from.map(Position::new),
            to: self.to.map(Position::new),
            all: self.is_all(),
        }
    }

    pub fn query(&self, path: &str, more: &[(&str, &str)]) -> String {
        let values = self.values();
        let own = FIELDS.into_iter().zip(values.iter().map(String::as_str));
        let all: Vec<_> = more.iter().copied().chain(own).collect();
        with_query(path, &all)
    }

    pub fn hidden(&self) -> Markup {
        html! {
            @for (name, value) in FIELDS.into_iter().zip(self.values()) {
                @if !value.is_empty() { (hidden(name, &value)) }
            }
        }
    }

    fn values(&self) -> [String; 6] {
        let number = |number: Option<u64>| number.map(|own| own.to_string()).unwrap_or_default();
        [
            number(self.position),
            self.category.clone(),
            self.stream.clone(),
            self.event_type.clone(),
            number(self.from),
            number(self.to),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_chosen_is_all_and_a_bound_makes_it_some() {
        assert!(Chosen::default().selection().all);
        let bounded = Chosen::default().up_to(7).selection();
        assert!(!bounded.all && bounded.to == Some(Position::new(7)));
        assert_eq!(Chosen { to: Some(3), ..Chosen::default() }.up_to(7).to, Some(3));
    }

    #[test]
    fn an_address_has_what_was_chosen() {
        let chosen = Chosen { event_type: "A&B".into(), ..Chosen::default() };
        assert_eq!(chosen.query("/x", &[("kind", "skip")]), "/x?kind=skip&type=A%26B");
    }
}
