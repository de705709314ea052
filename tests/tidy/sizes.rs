//! Files, functions and parameter lists stay small, and nothing large lies in the repository.

use std::collections::HashSet;
use std::ops::Range;

use super::source::{Source, body_of, close_of, ident_at, line_of, words};
use super::{assert_clean, assert_fires, tree};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 60;
const PARAMETERS_MAX: usize = 5;
const FILE_BYTES_MAX: u64 = 256 << 10;

struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
    /// None of a method whose trait is declared elsewhere: nobody here can change their number.
    parameters: usize,
}

fn long_files(sources: &[Source]) -> Vec<String> {
    let long = |source: &Source| {
        let code = if source.is_test() { &source.text } else { &source.production };
        let tests = source.test_code();
        let only_test = |line: usize| {
            !source.is_test() && tests.lines().nth(line).is_some_and(|text| !text.trim().is_empty())
        };
        let lines = (0..code.lines().count()).filter(|line| !only_test(*line)).count();
        let path = &source.path;
        let fault = format!("{path}: {lines} lines, at most {FILE_LINES_MAX}: split it by concept");
        (lines > FILE_LINES_MAX).then_some(fault)
    };
    sources.iter().filter_map(long).collect()
}

fn large_functions(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    let own_traits: HashSet<&str> = sources.iter().flat_map(declared_traits).collect();
    for source in sources {
        for Function { name, line, lines, parameters } in functions(&source.code, &own_traits) {
            let at = format!("{}:{line}: {name}", source.path);
            if lines > FUNCTION_LINES_MAX {
                let max = FUNCTION_LINES_MAX;
                faults.push(format!("{at} has {lines} lines, at most {max}: name its steps"));
            }
            if parameters > PARAMETERS_MAX {
                let max = PARAMETERS_MAX;
                faults.push(format!("{at} has {parameters} parameters, at most {max}: a struct"));
            }
        }
    }
    faults
}

fn functions<'a>(code: &'a str, own_traits: &HashSet<&str>) -> Vec<Function<'a>> {
    let of_foreign_traits = foreign_trait_impls(code, own_traits);
    let found = words(code, "fn").filter_map(|at| {
        let name_at = at + 2 + code[at + 2..].find(|c: char| !c.is_whitespace())?;
        let name = ident_at(code, name_at);
        let open = parameters_at(code, name_at + name.len())?;
        let close = close_of(code, open);
        let body = body_of(code, close);
        let end = if code[body..].starts_with('{') { close_of(code, body) } else { body };
        let line = line_of(code, at);
        let lines = line_of(code, end) - line + 1;
        let is_given = of_foreign_traits.iter().any(|range| range.contains(&at));
        let parameters = if is_given { 0 } else { count_parameters(&code[open + 1..close - 1]) };
        (!name.is_empty()).then_some(Function { name, line, lines, parameters })
    });
    found.collect()
}

fn declared_traits(source: &Source) -> impl Iterator<Item = &str> {
    let code = source.code.as_str();
    words(code, "trait").map(|at| ident_at(code, at + "trait ".len()))
}

/// Returns where traits of other crates are implemented; of the tree's own the declarations
/// are held to the bound.
fn foreign_trait_impls(code: &str, own_traits: &HashSet<&str>) -> Vec<Range<usize>> {
    let found = words(code, "impl").filter_map(|at| {
        let body = body_of(code, at);
        let name = trait_of(&code[at..body])?;
        let is_foreign = code[body..].starts_with('{') && !own_traits.contains(name);
        is_foreign.then(|| body..close_of(code, body))
    });
    found.collect()
}

/// Returns the name of the trait in the head of an implementation; `None` when it has none.
fn trait_of(head: &str) -> Option<&str> {
    // `for<'a>` begins a bound.
    let is_of_impl = |at: &usize| !head[at + "for".len()..].trim_start().starts_with('<');
    let before = head[..words(head, "for").find(is_of_impl)?].trim_end();
    let path = before.split_once(char::is_whitespace).map_or(before, |(_, path)| path);
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next()
}

/// Returns the place of the `(` behind a function's name and generics.
fn parameters_at(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = b' ';
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'<' => depth += 1,
            b'>' if before != b'-' => depth = depth.saturating_sub(1),
            b'(' if depth == 0 => return Some(at),
            b'{' | b';' if depth == 0 => return None,
            _ => {}
        }
        before = byte;
    }
    None
}

fn count_parameters(list: &str) -> usize {
    let (mut depth, mut commas, mut before) = (0_usize, 0, b' ');
    for byte in list.bytes() {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b'>' if matches!(before, b'-' | b'=') => {}
            b')' | b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => commas += 1,
            _ => {}
        }
        before = byte;
    }
    match list.trim() {
        "" => 0,
        list if list.ends_with(',') => commas,
        _ => commas + 1,
    }
}

#[test]
fn files_functions_and_parameter_lists_are_small() {
    let sources = tree::sources();
    let faults: Vec<_> =
        long_files(&sources).into_iter().chain(large_functions(&sources)).collect();
    assert_clean(&faults);
}

#[test]
fn nothing_large_lies_in_the_repository() {
    let large = tree::files().into_iter().filter_map(|path| {
        let bytes = std::fs::metadata(tree::root().join(&path)).ok()?.len();
        let fault = format!("{path}: {bytes} bytes, at most {FILE_BYTES_MAX}: make it when needed");
        (bytes > FILE_BYTES_MAX).then_some(fault)
    });
    assert_clean(&large.collect::<Vec<_>>());
}

#[test]
fn a_file_of_501_lines_is_refused_and_its_tests_do_not_count() {
    let line = "fn f() {}\n";
    let long = [Source::new("src/x.rs", &line.repeat(501))];
    assert_fires(&long_files(&long), "501 lines");
    let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(490), line.repeat(90));
    assert_clean(&long_files(&[Source::new("src/x.rs", &tests)]));
}

#[test]
fn a_function_of_61_lines_is_refused() {
    let text = format!("fn long<F: Fn() -> u8>(f: F) {{\n{}}}\n", "    f();\n".repeat(59));
    assert_fires(&large_functions(&[Source::new("src/x.rs", &text)]), "long has 61 lines");
    let text = text.replacen("    f();\n", "", 1);
    assert_clean(&large_functions(&[Source::new("src/x.rs", &text)]));
}

#[test]
fn six_parameters_are_refused() {
    let text = "fn f<T>(&self, a: (u8, u8), b: Map<u8, T>, c: fn(u8) -> u8, d: u8, e: u8);";
    assert_fires(&large_functions(&[Source::new("src/x.rs", text)]), "6 parameters");
    let text = text.replace(", e: u8", ",");
    assert_clean(&large_functions(&[Source::new("src/x.rs", &text)]));
}

#[test]
fn a_method_has_the_parameters_of_its_trait_where_that_is_of_another_crate() {
    let method = "fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8)";
    let text = format!("impl Verifier for Own {{ {method} {{}} }}");
    assert_clean(&large_functions(&[Source::new("src/x.rs", &text)]));
    for own in [
        format!("impl Own {{ {method} {{}} }}"),
        format!("trait T {{ {method}; }}"),
        format!("trait T {{}} impl T for Own {{ {method} {{}} }}"),
        format!("trait T {{}} impl<A> crate::a::T<A> for Own {{ {method} {{}} }}"),
        format!("impl<F> Own<F> where F: for<'a> Fn(&'a u8) {{ {method} {{}} }}"),
    ] {
        assert_fires(&large_functions(&[Source::new("src/x.rs", &own)]), "6 parameters");
    }
}
