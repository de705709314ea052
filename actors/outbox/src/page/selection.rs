//! Which dead letters, as the fields of a form and the parameters of an address.

use headwater::api::{Parameters, Problem};
use headwater::event::Position;
use headwater::page::{Markup, hidden, html, with_query};

use super::field::Field;
use crate::api::document::invalid;
use crate::endpoint::{EndpointRejection, Selection};

const POSITION: Field = Field::new("position", "Position");
const CATEGORY: Field = Field::new("category", "Category");
const STREAM: Field = Field::new("stream", "Stream");
const TYPE: Field = Field::new("type", "Event type");
const FROM: Field = Field::new("from", "From position");
const TO: Field = Field::new("to", "To position");

/// The names of the fields.
pub(super) const FIELDS: [&str; 6] =
    [POSITION.name, CATEGORY.name, STREAM.name, TYPE.name, FROM.name, TO.name];

/// What a person chose; each text is empty where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    position: Option<u64>,
    category: String,
    stream: String,
    event_type: String,
    from: Option<u64>,
    to: Option<u64>,
}

impl Chosen {
    pub fn read(parameters: &Parameters) -> Result<Self, Problem> {
        Ok(Self {
            position: POSITION.number(parameters)?,
            category: CATEGORY.text(parameters)?,
            stream: STREAM.text(parameters)?,
            event_type: TYPE.text(parameters)?,
            from: FROM.number(parameters)?,
            to: TO.number(parameters)?,
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

    /// Returns the selection; what is wrong with it names the fields as people know them.
    pub fn checked(&self) -> Result<Selection, Problem> {
        let selection = self.selection();
        match selection.check() {
            Ok(()) => Ok(selection),
            Err(EndpointRejection::Invalid { field, problem }) => {
                let name = field.rsplit('.').next().unwrap_or_default();
                let all = [CATEGORY, STREAM, TYPE, FROM, TO];
                let field = all.into_iter().find(|own| own.name == name);
                Err(field.unwrap_or(POSITION).wrong(&problem))
            }
            Err(other) => Err(invalid(&other)),
        }
    }

    fn selection(&self) -> Selection {
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

    /// Shows the fields to choose by, with what was chosen.
    pub fn inputs(&self) -> Markup {
        let number = |number: Option<u64>| number.map(|own| own.to_string()).unwrap_or_default();
        html! {
            (CATEGORY.input(&self.category, ""))
            (STREAM.input(&self.stream, ""))
            (TYPE.input(&self.event_type, ""))
            (FROM.input(&number(self.from), ""))
            (TO.input(&number(self.to), ""))
        }
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
    fn what_is_wrong_names_the_fields_that_people_see() {
        let streams = Chosen { stream: "a".into(), ..Chosen::default() };
        let told = streams.checked().unwrap_err().to_string();
        assert!(told.contains("Category is missing"), "{told}");
        let range = Chosen { from: Some(2), to: Some(1), ..Chosen::default() };
        let told = range.checked().unwrap_err().to_string();
        assert!(told.contains("From position must not lie behind"), "{told}");
    }

    #[test]
    fn an_address_has_what_was_chosen() {
        let chosen = Chosen { event_type: "A&B".into(), ..Chosen::default() };
        assert_eq!(chosen.query("/x", &[("kind", "skip")]), "/x?kind=skip&type=A%26B");
    }
}
