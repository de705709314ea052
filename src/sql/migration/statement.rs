//! The statements of a script, one by one, for those that run outside of a transaction.

/// Returns the statements between the `;` that stand in no literal, body or comment.
pub(crate) fn statements(script: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(piece) = next_piece(script, at) {
        if piece == ";" {
            found.extend(script.get(start..at));
            start = at + 1;
        }
        at += piece.len();
    }
    found.extend(script.get(start..));
    found.into_iter().map(str::trim).filter(|text| !code(text).trim().is_empty()).collect()
}

/// Returns the text without its comments.
pub(super) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(piece) = next_piece(text, at) {
        at += piece.len();
        let is_comment = piece.starts_with("--") || piece.starts_with("/*");
        code.push_str(if is_comment { " " } else { piece });
    }
    code
}

/// Returns whether a name stands in the text, as a whole word.
pub(super) fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code(text).split(|c| !is_part(c)).any(|word| word == name)
}

/// Returns a comment, a literal, a quoted name, a body between dollars, or one character.
fn next_piece(text: &str, at: usize) -> Option<&str> {
    let rest = text.get(at..)?;
    let first = rest.chars().next()?;
    let length = match first {
        '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        '/' if rest.starts_with("/*") => end_of(rest, 2, "*/"),
        '\'' => end_of(rest, 1, "'"),
        '"' => end_of(rest, 1, "\""),
        '$' => match dollar_tag(rest) {
            Some(tag) => end_of(rest, tag.len(), tag),
            None => 1,
        },
        other => other.len_utf8(),
    };
    rest.get(..length)
}

/// Returns where a piece ends whose end is looked for from `from` on.
fn end_of(rest: &str, from: usize, end: &str) -> usize {
    let tail = rest.get(from..).unwrap_or_default();
    tail.find(end).map_or(rest.len(), |at| from + at + end.len())
}

/// Returns `$tag$`, if the text begins with one; `$1` is none.
fn dollar_tag(rest: &str) -> Option<&str> {
    let (tag, _) = rest.get(1..)?.split_once('$')?;
    let is_tag = tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !tag.starts_with(|c: char| c.is_ascii_digit());
    if is_tag { rest.get(..tag.len() + 2) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_only_outside_of_literals_bodies_and_comments() {
        let script = "-- one; two\nselect ';', \"a;b\" /* ; */, 'it''s; so';\n;\
            do $x$ begin perform ';$$'; end $x$; select $1 -- end;";
        let wanted = [
            "-- one; two\nselect ';', \"a;b\" /* ; */, 'it''s; so'",
            "do $x$ begin perform ';$$'; end $x$",
            "select $1 -- end;",
        ];
        assert_eq!(statements(script), wanted);
    }

    #[test]
    fn a_text_that_ends_in_the_middle_is_one_statement() {
        for script in ["select 'a;", "select $$a;", "select \"a;", "select 1 /* ;", "sélect 1"] {
            assert_eq!(statements(script), [script]);
        }
        assert!(statements(" -- nothing\n;;\n").is_empty());
    }

    #[test]
    fn a_name_is_found_as_a_whole_word_outside_of_comments() {
        let text = "create index concurrently if not exists by_name on t (x) -- not_this";
        assert!(names(text, "by_name") && names(text, "t"));
        assert!(!names(text, "by") && !names(text, "not_this"));
    }
}
