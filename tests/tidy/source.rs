//! A Rust file as the rules see it: code, comments and tests told apart.

/// A Rust file in three views of the same length and lines.
pub struct Source {
    pub path: String,
    /// As written.
    pub text: String,
    /// Comments and the insides of literals blanked.
    pub code: String,
    /// Everything but comments blanked.
    pub comments: String,
    /// `code` with everything under `#[cfg(test)]` or `#[test]` blanked; blank in test files.
    pub production: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let kinds = classify(text.as_bytes());
        let code = keep(text, &kinds, Kind::Code);
        let comments = keep(text, &kinds, Kind::Comment);
        let path = path.to_owned();
        let mut source =
            Self { path, text: text.to_owned(), code, comments, production: String::new() };
        let code = &source.code;
        source.production = if source.is_test() { blank(code) } else { without_tests(code) };
        source
    }

    /// Returns whether the whole file is a test; `tests.rs` is one by name, and `wiring` sees
    /// to it that only tests name it.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }

    /// Returns the code that only tests run.
    pub fn test_code(&self) -> String {
        if self.is_test() {
            return self.code.clone();
        }
        let pairs = self.code.bytes().zip(self.production.bytes());
        let bytes = pairs.map(|(code, production)| match code {
            b'\n' => code,
            _ if code == production => b' ',
            _ => code,
        });
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
    }

    /// Returns the line, from 1, of a place in any of the views.
    pub fn line(&self, at: usize) -> usize {
        line_of(&self.text, at)
    }
}

/// Returns the line, from 1, of a byte.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Returns where `word` stands as a word of its own.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).and_then(|index| text.as_bytes().get(index));
        let after = text.as_bytes().get(at + word.len());
        let bounded_before = !word.starts_with(is_ident) || !before.is_some_and(|b| part(*b));
        let bounded_after = !word.ends_with(is_ident) || !after.is_some_and(|b| part(*b));
        bounded_before && bounded_after
    })
}

/// Returns the identifier that begins at a byte, empty when none does.
pub fn ident_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.find(|c: char| !is_ident(c)).unwrap_or(rest.len())]
}

/// Returns the place behind the bracket that closes the one at `open`.
pub fn close_of(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Returns the place of the first `{` or `;` from `from` on that no bracket holds.
pub fn body_of(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' | b';' if depth == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

fn is_ident(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

fn part(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

fn keep(text: &str, kinds: &[Kind], kept: Kind) -> String {
    let pairs = text.bytes().zip(kinds);
    let bytes = pairs.map(|(byte, kind)| match byte {
        b'\n' => byte,
        _ if *kind == kept => byte,
        _ => b' ',
    });
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// Says of each byte what it belongs to.
fn classify(text: &[u8]) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(text.len());
    while let Some(rest) = text.get(kinds.len()..).filter(|rest| !rest.is_empty()) {
        let before = kinds.len().checked_sub(1).map_or(b' ', |at| text[at]);
        let (kind, len) = token(rest, before);
        kinds.extend(std::iter::repeat_n(kind, len.min(rest.len())));
    }
    kinds
}

fn token(rest: &[u8], before: u8) -> (Kind, usize) {
    match rest {
        [b'/', b'/', ..] => (Kind::Comment, until(rest, |left| left.starts_with(b"\n"))),
        [b'/', b'*', ..] => (Kind::Comment, block_comment(rest)),
        [b'"', ..] => (Kind::Literal, quoted(rest, b'"')),
        [b'r', b'"' | b'#', ..] if !part(before) || matches!(before, b'b' | b'c') => {
            raw_string(rest).map_or((Kind::Code, 1), |len| (Kind::Literal, len))
        }
        [b'\'', b'\\', ..] => (Kind::Literal, quoted(rest, b'\'')),
        [b'\'', first, ..] if *first != b'\'' => {
            let len = 1 + char_len(*first);
            let closed = rest.get(len) == Some(&b'\'');
            if closed { (Kind::Literal, len + 1) } else { (Kind::Code, 1) }
        }
        _ => (Kind::Code, 1),
    }
}

fn until(rest: &[u8], end: impl Fn(&[u8]) -> bool) -> usize {
    (0..rest.len()).find(|at| end(&rest[*at..])).unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        let step = match &rest[at..] {
            [b'/', b'*', ..] => (2, depth + 1),
            [b'*', b'/', ..] => (2, depth.saturating_sub(1)),
            _ => (1, depth),
        };
        at += step.0;
        depth = step.1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().skip(1).take_while(|byte| **byte == b'#').count();
    let start = hashes + 2;
    if rest.get(start - 1) != Some(&b'"') {
        return None;
    }
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    Some(start + until(&rest[start..], |left| left.starts_with(&end)) + end.len())
}

fn char_len(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

fn blank(code: &str) -> String {
    code.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn without_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for mark in ["#[cfg(test)]", "#[test]", "#[tokio::test"] {
        for (at, _) in code.match_indices(mark) {
            let body = body_of(code, at);
            let end = if code[body..].starts_with('{') { close_of(code, body) } else { body + 1 };
            let item = bytes.iter_mut().take(end).skip(at);
            item.filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "let a = \"{ // \\\" }\"; // b {\nlet c = r#\"\"{\"#; /* { /* */ { */ let d = '{';";
    let source = Source::new("x.rs", text);
    assert!(!source.code.contains('{'), "{}", source.code);
    assert!(source.code.contains("let d =") && source.comments.contains("b {"));
    assert_eq!(source.code.len(), text.len());
}

#[test]
fn a_lifetime_is_not_a_character() {
    let source = Source::new("x.rs", "fn f<'a>(x: &'a str) -> char { 'é' }");
    assert!(source.code.contains("fn f<'a>(x: &'a str)") && !source.code.contains('é'));
}

#[test]
fn tests_are_no_production_code() {
    let text = "fn kept() {}\n#[cfg(test)]\nmod tests { fn gone() { {} } }\nfn also_kept() {}";
    let source = Source::new("x.rs", text);
    assert!(source.production.contains("also_kept") && !source.production.contains("gone"));
    assert!(source.test_code().contains("gone") && !source.test_code().contains("kept"));
}
