//! Reads `insert … values (…)` well enough to write many rows with one statement.

use tokio_postgres::types::{Kind, Type};

use super::cell::is_binary;

/// An insert of one row, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Insert<'a> {
    /// Up to `values`.
    head: &'a str,
    /// What stands between the brackets.
    items: Vec<&'a str>,
    /// Behind the brackets: nothing, or `on conflict …`.
    tail: &'a str,
    /// The placeholders, from 0, whose values must not occur twice in one statement; empty when
    /// they may.
    pub(super) key: Vec<usize>,
}

impl<'a> Insert<'a> {
    /// Takes an insert apart; `None` when it is none, or of a kind that must run row by row.
    pub(super) fn parse(sql: &'a str) -> Option<Self> {
        let lower = sql.to_ascii_lowercase();
        let is_plain = lower.trim_start().starts_with("insert into ")
            && ["--", "/*", ";", "\\", " returning ", "select", "$$"]
                .iter()
                .all(|part| !lower.contains(part));
        let values = is_plain.then(|| outer(sql, "values")).flatten()?;
        let (head, rest) = sql.split_at_checked(values)?;
        let rest = rest.get("values".len()..)?.trim_start();
        let close = closing(rest)?;
        let (items, tail) = (rest.get(1..close)?, rest.get(close + 1..)?.trim());
        let items: Vec<&str> = split(items);
        let is_simple = !items.iter().any(|item| item.eq_ignore_ascii_case("default"));
        if !is_simple || tail.starts_with(',') || tail.contains('$') {
            return None;
        }
        let key = key(head, &items, tail)?;
        Some(Self { head, items, tail, key })
    }

    /// Writes the statement that takes each value as an array; `None` when a type has none.
    pub(super) fn of_arrays(&self, types: &[Type]) -> Option<String> {
        let mut arrays = Vec::with_capacity(types.len());
        let mut names = Vec::with_capacity(types.len());
        let mut casts = Vec::with_capacity(types.len());
        for (at, ty) in (1..).zip(types) {
            let name = type_name(ty)?;
            names.push(format!("p{at}"));
            if is_binary(ty) {
                arrays.push(format!("${at}::{name}[]"));
                casts.push(format!("bulk.p{at}"));
            } else {
                arrays.push(format!("${at}::text[]"));
                casts.push(format!("bulk.p{at}::{name}"));
            }
        }
        let items: Option<Vec<String>> = self.items.iter().map(|it| replaced(it, &casts)).collect();
        Some(format!(
            "{} select {} from unnest({}) as bulk({}) {}",
            self.head.trim_end(),
            items?.join(", "),
            arrays.join(", "),
            names.join(", "),
            self.tail
        ))
    }
}

/// Returns a type as it is written in a cast; `None` for what is made of others.
fn type_name(ty: &Type) -> Option<String> {
    match (ty.kind(), ty.schema()) {
        (Kind::Simple | Kind::Enum(_) | Kind::Domain(_), "pg_catalog") => {
            Some(ty.name().to_owned())
        }
        (Kind::Simple | Kind::Enum(_) | Kind::Domain(_), schema) => {
            Some(format!("\"{schema}\".\"{}\"", ty.name()))
        }
        _ => None,
    }
}

/// Finds what `on conflict` compares; `None` when that cannot be told from the statement.
fn key(head: &str, items: &[&str], tail: &str) -> Option<Vec<usize>> {
    let lower = tail.to_ascii_lowercase();
    if tail.is_empty() || lower.ends_with("do nothing") {
        return Some(Vec::new());
    }
    let target = lower.strip_prefix("on conflict")?.trim_start();
    let target = target.get(1..closing(target)?)?;
    let columns = head.trim_end().strip_suffix(')')?;
    let columns = split(columns.get(columns.rfind('(')? + 1..)?);
    let place = |name: &str| {
        let at = columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        let number: usize = items.get(at)?.strip_prefix('$')?.parse().ok()?;
        number.checked_sub(1)
    };
    split(target).into_iter().map(place).collect()
}

/// Writes `bulk.pN`, or its cast, for every `$N`.
fn replaced(item: &str, casts: &[String]) -> Option<String> {
    let mut written = String::with_capacity(item.len() + 8);
    let mut rest = item;
    while let Some((before, behind)) = rest.split_once('$') {
        let digits = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        let number: usize = behind.get(..digits)?.parse().ok()?;
        written.push_str(before);
        written.push_str(casts.get(number.checked_sub(1)?)?);
        rest = behind.get(digits..)?;
    }
    // A dollar inside of a literal is none of ours.
    (!item.contains('\'') || !item.contains('$')).then(|| written + rest)
}

/// Finds a word outside of brackets and quotes.
fn outer(sql: &str, word: &str) -> Option<usize> {
    let is_part = |byte: Option<u8>| byte.is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric());
    let bytes = sql.as_bytes();
    let (mut depth, mut quote) = (0_usize, None);
    for (at, byte) in sql.bytes().enumerate() {
        depth = step(byte, depth, &mut quote);
        let found = bytes.get(at..at + word.len());
        let is_word = found.is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()));
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let behind = bytes.get(at + word.len()).copied();
        if is_word && depth == 0 && quote.is_none() && !is_part(before) && !is_part(behind) {
            return Some(at);
        }
    }
    None
}

/// Finds the bracket that closes the one at the beginning.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    text.starts_with('(').then_some(())?;
    text.bytes().enumerate().find_map(|(at, byte)| {
        depth = step(byte, depth, &mut quote);
        (depth == 0 && quote.is_none()).then_some(at)
    })
}

/// Parts a list at its commas.
fn split(list: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut from) = (0_usize, None, 0);
    let mut parts = Vec::new();
    for (at, byte) in list.bytes().enumerate() {
        depth = step(byte, depth, &mut quote);
        if byte == b',' && depth == 0 && quote.is_none() {
            parts.extend(list.get(from..at).map(str::trim));
            from = at + 1;
        }
    }
    parts.extend(list.get(from..).map(str::trim));
    parts
}

fn step(byte: u8, depth: usize, quote: &mut Option<u8>) -> usize {
    match (byte, *quote) {
        (b'\'' | b'"', None) => *quote = Some(byte),
        (_, Some(open)) if byte == open => *quote = None,
        (b'(', None) => return depth + 1,
        (b')', None) => return depth.saturating_sub(1),
        _ => {}
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(sql: &str, types: &[Type]) -> Option<String> {
        Insert::parse(sql)?.of_arrays(types)
    }

    #[test]
    fn an_insert_takes_arrays_in_place_of_values() {
        let sql = "insert into t (a, b) values ($1, lower($2))";
        let wanted = "insert into t (a, b) select bulk.p1, lower(bulk.p2) \
            from unnest($1::int8[], $2::text[]) as bulk(p1, p2) ";
        assert_eq!(bulk(sql, &[Type::INT8, Type::TEXT]).unwrap(), wanted);
    }

    #[test]
    fn types_without_a_binary_form_travel_as_texts() {
        let sql = "insert into t (a) values ($1) on conflict do nothing";
        let wanted = "insert into t (a) select bulk.p1::numeric from unnest($1::text[]) \
            as bulk(p1) on conflict do nothing";
        assert_eq!(bulk(sql, &[Type::NUMERIC]).unwrap(), wanted);
    }

    #[test]
    fn the_values_that_must_differ_are_those_of_the_conflict() {
        let sql = "insert into t (x, tenant, key) values (1, $2, $1) \
            on conflict (tenant, key) do update set x = t.x + excluded.x";
        assert_eq!(Insert::parse(sql).unwrap().key, [1, 0]);
        let sql = "insert into t (a) values ($1) on conflict do nothing";
        assert!(Insert::parse(sql).unwrap().key.is_empty());
    }

    #[test]
    fn what_cannot_be_written_together_runs_row_by_row() {
        for sql in [
            "update t set a = $1",
            "insert into t (a) select $1",
            "insert into t (a) values ($1), ($2)",
            "insert into t (a) values (default)",
            "insert into t (a) values ($1) returning a",
            "insert into t (a) values (lower($1)) on conflict (a) do update set a = excluded.a",
            "insert into t (a) values ($1) on conflict on constraint c do update set a = 1",
            "insert into t (a, b) values ($1, 1) on conflict (a) do update set b = $2",
            "insert into t values ($1) on conflict (a) do update set a = 1",
        ] {
            assert_eq!(Insert::parse(sql), None, "{sql}");
        }
    }

    #[test]
    fn quotes_and_brackets_hide_what_is_in_them() {
        let sql = "insert into \"values\" (a, b) values ('x, (', $1)";
        let wanted = "insert into \"values\" (a, b) select 'x, (', bulk.p1 \
            from unnest($1::int8[]) as bulk(p1) ";
        assert_eq!(bulk(sql, &[Type::INT8]).unwrap(), wanted);
    }
}
