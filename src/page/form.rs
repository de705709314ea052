//! Forms: what changes something is sent by POST, what is dangerous asks first, and all of it
//! works without JavaScript.

use maud::{Markup, Render, html};

/// How much a button stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// What the page is for.
    Main,
    /// One of several.
    Plain,
    /// It takes something away.
    Danger,
}

/// A button that changes something: a form of its own, sent by POST.
pub struct Button {
    to: String,
    label: String,
    weight: Weight,
    fields: Vec<(String, String)>,
}

/// Says exactly what will happen, and asks whether it shall.
pub struct Confirm {
    to: String,
    question: String,
    told: Markup,
    fields: Markup,
    label: String,
    weight: Weight,
    back: String,
}

impl Weight {
    const fn class(self) -> &'static str {
        match self {
            Self::Main => "button main",
            Self::Plain => "button",
            Self::Danger => "button danger",
        }
    }
}

impl Button {
    /// Makes a button that sends a form to a path.
    #[must_use]
    pub fn to(path: impl Into<String>, label: &str) -> Self {
        let (to, label) = (path.into(), label.to_owned());
        Self { to, label, weight: Weight::Plain, fields: Vec::new() }
    }

    /// Says how much it stands out.
    #[must_use]
    pub fn weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// Sends a field along.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Makes a link that looks like a button: it leads to a page, which asks first.
    #[must_use]
    pub fn leading(path: &str, label: &str, weight: Weight) -> Markup {
        html! { a class=(weight.class()) href=(path) { (label) } }
    }
}

impl Render for Button {
    fn render(&self) -> Markup {
        html! {
            form method="post" action=(self.to) class="inline" {
                @for (name, value) in &self.fields { (hidden(name, value)) }
                button class=(self.weight.class()) type="submit" { (self.label) }
            }
        }
    }
}

impl Confirm {
    /// Makes a question about a form that is sent to a path.
    #[must_use]
    pub fn to(path: impl Into<String>, question: &str) -> Self {
        Self {
            to: path.into(),
            question: question.to_owned(),
            told: html! {},
            fields: html! {},
            label: "Yes".to_owned(),
            weight: Weight::Main,
            back: "/ui".to_owned(),
        }
    }

    /// Says what will happen.
    #[must_use]
    pub fn telling(mut self, told: Markup) -> Self {
        self.told = told;
        self
    }

    /// Adds the fields of the form.
    #[must_use]
    pub fn with(mut self, fields: Markup) -> Self {
        self.fields = fields;
        self
    }

    /// Says what its button is called, and how much it stands out.
    #[must_use]
    pub fn by(mut self, label: &str, weight: Weight) -> Self {
        (self.label, self.weight) = (label.to_owned(), weight);
        self
    }

    /// Says where to go instead.
    #[must_use]
    pub fn or_back_to(mut self, path: impl Into<String>) -> Self {
        self.back = path.into();
        self
    }
}

impl Render for Confirm {
    fn render(&self) -> Markup {
        html! {
            form method="post" action=(self.to) class="panel confirm" {
                h2 { (self.question) }
                (self.told)
                (self.fields)
                div class="buttons" {
                    button class=(self.weight.class()) type="submit" { (self.label) }
                    a class="button" href=(self.back) { "Cancel" }
                }
            }
        }
    }
}

/// Makes a field that nobody sees.
#[must_use]
pub fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// Makes a field for text with its label; the hint stands below it.
#[must_use]
pub fn text_field(name: &str, label: &str, value: &str, hint: &str) -> Markup {
    let hint_id = format!("{name}-hint");
    html! {
        div class="field" {
            label for=(name) { (label) }
            input type="text" id=(name) name=(name) value=(value) autocomplete="off"
                spellcheck="false"
                aria-describedby=[(!hint.is_empty()).then_some(&hint_id)];
            @if !hint.is_empty() { small id=(hint_id) { (hint) } }
        }
    }
}

/// Makes a field with a choice of values, each with its words.
#[must_use]
pub fn select_field(name: &str, label: &str, chosen: &str, choices: &[(&str, &str)]) -> Markup {
    html! {
        div class="field" {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, words) in choices {
                    option value=(value) selected[*value == chosen] { (words) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_is_a_form_sent_by_post_with_its_fields_escaped() {
        let text = Button::to("/ui/x", "Go").with("a", "\"<").render().into_string();
        assert!(text.starts_with("<form method=\"post\" action=\"/ui/x\""), "{text}");
        assert!(text.contains("name=\"a\" value=\"&quot;&lt;\""), "{text}");
    }

    #[test]
    fn a_question_can_be_left_without_doing_anything() {
        let text = Confirm::to("/ui/x", "Go?").or_back_to("/ui/y").render().into_string();
        assert!(text.contains("<a class=\"button\" href=\"/ui/y\">Cancel</a>"), "{text}");
    }
}
