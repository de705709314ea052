//! What stands around every page: head, navigation, title, footer.

use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

use super::session::SIGN_OUT;
use super::{SCRIPT, STYLE};

/// A small wave in a square, as an image in the page itself.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%231b6ac9'/%3E%3Cpath d='M2.5 9.5c2-4 3.5-4 5.5 0s3.5 4 5.5 0' fill='none' stroke='white' stroke-width='1.8' stroke-linecap='round'/%3E%3C/svg%3E";

/// The same wave beside the program's name.
const MARK: PreEscaped<&str> = PreEscaped(
    "<svg class=\"mark\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><rect width=\"16\" height=\"16\" rx=\"4\"></rect><path d=\"M2.5 9.5c2-4 3.5-4 5.5 0s3.5 4 5.5 0\"></path></svg>",
);

/// A link with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub to: String,
    /// What it says.
    pub words: String,
}

/// A page: a title, where it stands, and its parts from top to bottom.
pub struct Page {
    title: String,
    beside: Markup,
    trail: Vec<Link>,
    parts: Vec<Part>,
}

struct Part {
    /// The id of a part that changes by itself; `None` of one that does not.
    live: Option<String>,
    content: Markup,
}

/// Who looks at a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// Whose data is shown.
    pub tenant: String,
    /// The name of the key.
    pub name: String,
}

/// What stands around a page.
pub struct Shell<'a> {
    /// Every page of the first level, in the order of the navigation.
    pub navigation: &'a [Link],
    /// The path of the page that is shown.
    pub path: &'a str,
    /// Who looks at it; `None` before somebody has signed in.
    pub visitor: Option<&'a Visitor>,
    /// The version of the program.
    pub version: &'a str,
    /// When the page was made, with its zone.
    pub made_at: &'a str,
}

impl Link {
    /// Makes a link.
    #[must_use]
    pub fn new(to: impl Into<String>, words: impl Into<String>) -> Self {
        Self { to: to.into(), words: words.into() }
    }
}

impl Page {
    /// Makes an empty page.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), beside: html! {}, trail: Vec::new(), parts: Vec::new() }
    }

    /// Puts something small beside the title, for example a state.
    #[must_use]
    pub fn beside(mut self, content: Markup) -> Self {
        self.beside = content;
        self
    }

    /// Says under which page it stands; the outermost first.
    #[must_use]
    pub fn under(mut self, to: impl Into<String>, words: impl Into<String>) -> Self {
        self.trail.push(Link::new(to, words));
        self
    }

    /// Adds a part that stays as it is until the page is read again.
    #[must_use]
    pub fn part(mut self, content: impl Render) -> Self {
        self.parts.push(Part { live: None, content: content.render() });
        self
    }

    /// Adds a part that the server sends again whenever it differs; the id is its own on the page.
    #[must_use]
    pub fn live(mut self, id: &str, content: impl Render) -> Self {
        self.parts.push(Part { live: Some(id.to_owned()), content: content.render() });
        self
    }

    /// Returns whether any part changes by itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.parts.iter().any(|part| part.live.is_some())
    }

    pub(super) fn live_parts(&self) -> impl Iterator<Item = (&str, &str)> {
        let live = |part: &'_ Part| part.live.is_some();
        self.parts
            .iter()
            .filter(move |part| live(part))
            .map(|part| (part.live.as_deref().unwrap_or_default(), part.content.0.as_str()))
    }

    fn main(&self, path: &str) -> Markup {
        html! {
            main id="main" tabindex="-1" data-live[self.is_live()] {
                @if !self.trail.is_empty() {
                    nav class="trail" aria-label="Above this page" {
                        ol { @for link in &self.trail {
                            li { a href=(link.to) { (link.words) } }
                        } }
                    }
                }
                div class="title" {
                    h1 { (self.title) } (self.beside)
                    @if self.is_live() {
                        p class="live" id="live" role="status" {
                            a href=(path) data-refresh { "Refresh" }
                        }
                    }
                }
                @for part in &self.parts {
                    @match &part.live {
                        Some(id) => { div class="part" id=(id) { (part.content) } }
                        None => { div class="part" { (part.content) } }
                    }
                }
            }
        }
    }
}

impl Shell<'_> {
    /// Makes the whole document.
    #[must_use]
    pub fn around(&self, page: &Page) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (page.title) " · Headwater" }
                    link rel="icon" href=(ICON);
                    link rel="stylesheet" href=(STYLE.path());
                    script src=(SCRIPT.path()) defer {}
                }
                body class=[self.visitor.is_none().then_some("alone")] {
                    a class="skip" href="#main" { "Skip to content" }
                    (self.header())
                    (page.main(self.path))
                    footer {
                        span { "Headwater " (self.version) }
                        span { "Made at " (self.made_at) }
                        span { "Times are in UTC" }
                    }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header { div class="bar" {
                a class="brand" href="/ui" { (MARK) "Headwater" }
                @if let Some(visitor) = self.visitor {
                    nav class="pages-of-all" aria-label="Pages" {
                        ul { @for link in self.navigation {
                            li { a href=(link.to) aria-current=[self.current(link)] {
                                (link.words)
                            } }
                        } }
                    }
                    form method="post" action=(SIGN_OUT) class="who" {
                        span title="Tenant and name of the key" {
                            b { (visitor.tenant) } " " (visitor.name)
                        }
                        button class="button quiet" type="submit" { "Sign out" }
                    }
                }
            } }
        }
    }

    fn current(&self, link: &Link) -> Option<&'static str> {
        let path = self.path.split('?').next().unwrap_or_default();
        let is_below =
            path.strip_prefix(link.to.as_str()).is_some_and(|rest| rest.starts_with('/'));
        match path {
            path if path == link.to => Some("page"),
            _ if is_below && link.to != "/ui" => Some("true"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &Page, path: &str) -> String {
        let navigation = [Link::new("/ui", "Overview"), Link::new("/ui/outbox", "Outbox")];
        let visitor = Visitor { tenant: "<t>".into(), name: "\"n\"".into() };
        let visitor = Some(&visitor);
        let (version, made_at) = ("1.0", "2026-01-31 12:00:00 UTC");
        let shell = Shell { navigation: &navigation, path, visitor, version, made_at };
        shell.around(page).into_string()
    }

    #[test]
    fn a_page_has_language_viewport_skip_link_navigation_and_footer() {
        let text = shown(&Page::new("Title"), "/ui/outbox/a");
        for part in [
            "<!DOCTYPE html><html lang=\"en\">",
            "name=\"viewport\"",
            "href=\"#main\"",
            "<a href=\"/ui/outbox\" aria-current=\"true\">Outbox</a>",
            "<a href=\"/ui\">Overview</a>",
            "Headwater 1.0",
            "Times are in UTC",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_is_inline() {
        let text = shown(&Page::new("Title").live("a", html! { "x" }), "/ui");
        let outside = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http"), "{text}");
        for inline in ["style=", "<style", "onclick", "<script>"] {
            assert!(!text.contains(inline), "{inline}: {text}");
        }
    }

    #[test]
    fn names_of_tenants_keys_and_titles_are_escaped() {
        let text = shown(&Page::new("<h1>").under("/ui", "<li>"), "/ui");
        assert!(text.contains("&lt;t&gt;") && text.contains("&quot;n&quot;"), "{text}");
        assert!(text.contains("<h1>&lt;h1&gt;</h1>") && text.contains("&lt;li&gt;"), "{text}");
    }

    #[test]
    fn a_live_page_can_be_read_again_without_javascript() {
        let text = shown(&Page::new("T").live("a", html! { "x" }), "/ui/outbox?q=1");
        assert!(text.contains("data-live"), "{text}");
        assert!(text.contains("<a href=\"/ui/outbox?q=1\" data-refresh>Refresh</a>"), "{text}");
        assert!(!shown(&Page::new("T"), "/ui").contains("data-live"));
    }
}
