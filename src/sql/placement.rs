//! Names in braces: which physical table a projection's own table name stands for.

/// Puts the physical names for the names in braces: `{revenue}` becomes `revenue` + `suffix`.
///
/// Only `{identifier}` outside of `'…'` is a name; braces of JSON and array literals stay.
#[must_use]
pub fn place_tables(sql: &str, suffix: &str) -> String {
    let mut placed = String::with_capacity(sql.len() + suffix.len());
    for part in parts(sql) {
        match part {
            Part::Text(text) => placed.push_str(text),
            Part::Table(name) => {
                placed.push_str(name);
                placed.push_str(suffix);
            }
        }
    }
    placed
}

/// Returns the tables that a schema makes: the names in braces behind `create table`.
#[must_use]
pub fn tables_of(schema: &str) -> Vec<String> {
    let mut tables = Vec::new();
    let mut before = "";
    for part in parts(schema) {
        match part {
            Part::Text(text) => before = text,
            Part::Table(name) => {
                if makes_table(before) && !tables.iter().any(|table| table == name) {
                    tables.push(name.to_owned());
                }
                before = "";
            }
        }
    }
    tables
}

/// Returns whether a text is a table name that this program may make: lower case, digits, `_`.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    text.len() <= 48
        && chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

enum Part<'a> {
    Text(&'a str),
    Table(&'a str),
}

/// Takes a statement apart; literals are never searched for names.
fn parts(sql: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = sql;
    while let Some((at, name)) = next_table(rest) {
        let (text, tail) = rest.split_at(at);
        parts.push(Part::Text(text));
        parts.push(Part::Table(name));
        rest = tail.get(name.len() + 2..).unwrap_or_default();
    }
    parts.push(Part::Text(rest));
    parts
}

/// Finds the next name in braces and where its brace opens.
fn next_table(sql: &str) -> Option<(usize, &str)> {
    let mut is_literal = false;
    for (at, byte) in sql.bytes().enumerate() {
        match byte {
            b'\'' => is_literal = !is_literal,
            b'{' if !is_literal => {
                let inner = sql.get(at + 1..)?;
                let name = inner.split_once('}').map(|(name, _)| name).unwrap_or_default();
                if is_identifier(name) {
                    return Some((at, name));
                }
            }
            _ => {}
        }
    }
    None
}

fn makes_table(before: &str) -> bool {
    let words: Vec<String> =
        before.rsplit(';').next().unwrap_or_default().split_whitespace().map(lower).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["create", "table"] | ["create", "table", "if", "not", "exists"])
}

fn lower(word: &str) -> String {
    word.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_in_braces_outside_of_literals_are_tables() {
        let sql = r#"insert into {rows} values ('{"a":1}', '{a,b}', $1) -- {not a name}"#;
        let placed = place_tables(sql, "__g2");
        let wanted = r#"insert into rows__g2 values ('{"a":1}', '{a,b}', $1) -- {not a name}"#;
        assert_eq!(placed, wanted);
    }

    #[test]
    fn an_index_name_may_begin_with_its_table() {
        let placed = place_tables("create index {revenue}_by_day on {revenue} (day)", "__g3");
        assert_eq!(placed, "create index revenue__g3_by_day on revenue__g3 (day)");
    }

    #[test]
    fn the_tables_of_a_schema_are_those_it_makes() {
        let schema = "create table {a} (x text); create index {a}_x on {a} (x);
            CREATE TABLE IF NOT EXISTS {b} (y text)";
        assert_eq!(tables_of(schema), ["a", "b"]);
    }
}
