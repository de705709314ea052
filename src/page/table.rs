//! Tables: a caption, heads with scope, numbers to the right, words where there is nothing, and
//! cards of their own where the screen is narrow.

use maud::{Markup, Render, html};

/// A table that is being put together.
pub struct Table {
    id: String,
    caption: String,
    columns: Vec<Column>,
    rows: Vec<(String, Vec<Markup>)>,
    empty: String,
    newest: Option<String>,
    next: Option<String>,
}

struct Column {
    head: String,
    is_number: bool,
}

impl Table {
    /// Makes a table; the id tells it from others of the page.
    #[must_use]
    pub fn new(id: &str, caption: &str) -> Self {
        Self {
            id: id.to_owned(),
            caption: caption.to_owned(),
            columns: Vec::new(),
            rows: Vec::new(),
            empty: "Nothing here.".to_owned(),
            newest: None,
            next: None,
        }
    }

    /// Adds columns of text; the first of a table names the row.
    #[must_use]
    pub fn texts<const N: usize>(mut self, heads: [&str; N]) -> Self {
        self.columns.extend(heads.map(|head| Column { head: head.to_owned(), is_number: false }));
        self
    }

    /// Adds columns of numbers, which stand to the right.
    #[must_use]
    pub fn numbers<const N: usize>(mut self, heads: [&str; N]) -> Self {
        self.columns.extend(heads.map(|head| Column { head: head.to_owned(), is_number: true }));
        self
    }

    /// Says what stands there while there is no row.
    #[must_use]
    pub fn empty(mut self, words: &str) -> Self {
        words.clone_into(&mut self.empty);
        self
    }

    /// Adds a row, which its key tells from the others, with a cell for each column; cells beyond
    /// the last column are left out.
    #[must_use]
    pub fn row<const N: usize>(mut self, key: &str, cells: [Markup; N]) -> Self {
        self.rows.push((key.to_owned(), cells.into()));
        self
    }

    /// Leads to the first page, when this is another, and to the next, when there is one.
    #[must_use]
    pub fn paged(mut self, first: Option<String>, next: Option<String>) -> Self {
        (self.newest, self.next) = (first, next);
        self
    }

    fn head(&self) -> Markup {
        html! {
            thead role="rowgroup" {
                tr role="row" {
                    @for column in &self.columns {
                        th scope="col" role="columnheader" class=[column.class()] {
                            (column.head)
                        }
                    }
                }
            }
        }
    }

    fn body(&self) -> Markup {
        html! {
            tbody role="rowgroup" {
                @for (key, cells) in &self.rows {
                    tr role="row" data-key=(key) {
                        @for (at, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
                            @if at == 0 {
                                th scope="row" role="rowheader" class=[column.class()] { (cell) }
                            } @else {
                                td role="cell" class=[column.class()] data-label=(column.head) {
                                    div class="cell" { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn pages(&self) -> Markup {
        html! {
            @if self.newest.is_some() || self.next.is_some() {
                nav class="pages" aria-label={ "Pages of " (self.caption) } {
                    @if let Some(first) = &self.newest { a href=(first) { "First page" } }
                    @if let Some(next) = &self.next { a href=(next) rel="next" { "Next page" } }
                }
            }
        }
    }
}

impl Column {
    const fn class(&self) -> Option<&'static str> {
        if self.is_number { Some("number") } else { None }
    }
}

// The roles are said, because a table that is laid out as cards loses them in some browsers.
impl Render for Table {
    fn render(&self) -> Markup {
        let caption_id = format!("{}-caption", self.id);
        html! {
            div class="region" id=(self.id) role="region" aria-labelledby=(caption_id)
                tabindex=[(!self.rows.is_empty()).then_some("0")] {
                @if self.rows.is_empty() {
                    p class="caption" id=(caption_id) { (self.caption) }
                    p class="empty" { (self.empty) }
                } @else {
                    table role="table" {
                        caption id=(caption_id) { (self.caption) }
                        (self.head()) (self.body())
                    }
                }
            }
            (self.pages())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new("t", "Things").texts(["Name"]).numbers(["Size"]).empty("No things yet.")
    }

    #[test]
    fn a_table_has_a_caption_scopes_and_numbers_to_the_right() {
        let text = table().row("a", [html! { "A" }, html! { "5" }]).render().into_string();
        for part in [
            "<caption id=\"t-caption\">Things</caption>",
            "scope=\"col\"",
            "<th scope=\"row\"",
            "class=\"number\" data-label=\"Size\"><div class=\"cell\">5<",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_table_without_rows_says_so_in_words() {
        let text = table().render().into_string();
        assert!(text.contains("No things yet.") && !text.contains("<table"), "{text}");
    }

    #[test]
    fn hostile_text_in_a_cell_is_text() {
        let cell = html! { ("<script>alert(1)</script>") };
        let text = table().row("\"><i>", [cell, html! {}]).render().into_string();
        assert!(text.contains("&lt;script&gt;") && !text.contains("<script>"), "{text}");
        assert!(text.contains("data-key=\"&quot;&gt;&lt;i&gt;\""), "{text}");
    }
}
