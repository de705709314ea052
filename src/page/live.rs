//! Parts of a page that change by themselves: rendered again on the server, sent when they differ.

use std::collections::HashMap;

use serde::Serialize;

use super::Page;

/// What a reader of a page has seen of its live parts.
#[derive(Debug, Default)]
pub struct LiveParts {
    seen: HashMap<String, blake3::Hash>,
}

/// A part as it is sent.
#[derive(Serialize)]
struct Part<'a> {
    id: &'a str,
    html: &'a str,
}

impl LiveParts {
    /// Returns the parts that the reader has not seen as they are now, as server-sent events;
    /// empty when nothing has changed.
    pub fn changes(&mut self, page: &Page) -> String {
        let mut out = String::new();
        for (id, content) in page.live_parts() {
            let hash = blake3::hash(content.as_bytes());
            if self.seen.insert(id.to_owned(), hash) != Some(hash) {
                // JSON has no line break, so each part is one line.
                let part = serde_json::to_string(&Part { id, html: content });
                out.push_str(&format!("event: part\ndata: {}\n\n", part.unwrap_or_default()));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::*;

    fn page(count: u8) -> Page {
        Page::new("A").live("a", html! { p { (count) "\n" } }).live("b", html! { "same" })
    }

    #[test]
    fn what_has_changed_is_sent_and_nothing_else() {
        let mut seen = LiveParts::default();
        let first = seen.changes(&page(1));
        assert_eq!(first.matches("event: part").count(), 2);
        assert_eq!(seen.changes(&page(1)), "");
        let second = seen.changes(&page(2));
        assert_eq!(second, "event: part\ndata: {\"id\":\"a\",\"html\":\"<p>2\\n</p>\"}\n\n");
    }
}
