//! Words that mean unfinished, silenced or machine-bound work, each with what to do instead.

use super::source::{Source, words};
use super::tree::{self, Text};
use super::{assert_clean, assert_fires};

/// Refused anywhere in code.
const IN_CODE: [(&str, &str); 10] = [
    ("todo!", "write it, or leave it out"),
    ("unimplemented!", "write it, or leave it out"),
    ("dbg!", "use a tracing event, or nothing"),
    ("#[ignore", "make the test fast, or move it behind a variable with a bound"),
    ("#[allow(", "mend what the lint names"),
    ("#![allow(", "mend what the lint names"),
    ("#[should_panic", "assert on the error that is returned"),
    ("unsafe impl", "find the safe form"),
    ("lazy_static!", "use std::sync::LazyLock"),
    ("extern crate", "use the path"),
];

/// Refused in comments.
const IN_COMMENTS: [(&str, &str); 4] = [
    (concat!("TO", "DO"), "do it, or write an issue"),
    (concat!("FIX", "ME"), "fix it, or write an issue"),
    (concat!("XX", "X"), "say what is wrong and why it stays"),
    (concat!("HA", "CK"), "say why it is so, or make it otherwise"),
];

/// Refused in code that only tests run.
const IN_TESTS: [(&str, &str); 2] = [
    ("sleep", "wait for a fact: a watch, a channel, a condition"),
    ("sleep_until", "wait for a fact: a watch, a channel, a condition"),
];

/// Folders of one machine; refused in every file.
const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Use", "rs/")];

type View = fn(&Source) -> String;

fn banned(sources: &[Source], list: &[(&str, &str)], view: View) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let text = view(source);
        for (word, instead) in list {
            let found = words(&text, word).map(|at| source.line(at));
            faults.extend(found.map(|line| format!("{}:{line}: {word}: {instead}", source.path)));
        }
    }
    faults
}

fn code(source: &Source) -> String {
    source.code.clone()
}

fn comments(source: &Source) -> String {
    source.comments.clone()
}

fn machine_paths(texts: &[Text]) -> Vec<String> {
    let mut faults = Vec::new();
    for Text { path, text } in texts {
        for (number, line) in text.lines().enumerate() {
            if MACHINE_FOLDERS.iter().any(|folder| stands_alone(line, folder)) {
                faults.push(format!("{path}:{}: a folder of one machine", number + 1));
            }
        }
    }
    faults
}

/// Returns whether the line names the folder from the root, not as part of another path.
fn stands_alone(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}".contains(c))
    })
}

#[test]
fn no_code_is_unfinished_or_silenced() {
    assert_clean(&banned(&tree::sources(), &IN_CODE, code));
}

#[test]
fn no_comment_puts_work_off() {
    assert_clean(&banned(&tree::sources(), &IN_COMMENTS, comments));
}

#[test]
fn no_test_sleeps() {
    assert_clean(&banned(&tree::sources(), &IN_TESTS, Source::test_code));
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    assert_clean(&machine_paths(&tree::texts()));
}

#[test]
fn each_word_banned_in_code_is_found() {
    for (word, instead) in IN_CODE {
        let sample = [Source::new("src/x.rs", &format!("fn f() {{ {word} }}"))];
        assert_fires(&banned(&sample, &IN_CODE, code), instead);
    }
}

#[test]
fn each_word_banned_in_comments_is_found_and_harmless_elsewhere() {
    for (word, instead) in IN_COMMENTS {
        let sample = [Source::new("src/x.rs", &format!("// {word}: later\nlet a = \"{word}\";"))];
        assert_fires(&banned(&sample, &IN_COMMENTS, comments), instead);
    }
}

#[test]
fn a_sleep_is_refused_in_tests_alone() {
    let text = "fn f() { sleep(a) }\n#[cfg(test)]\nmod tests { fn g() { time::sleep(a) } }";
    let faults = banned(&[Source::new("src/x.rs", text)], &IN_TESTS, Source::test_code);
    assert_fires(&faults, "src/x.rs:3");
}

#[test]
fn a_folder_of_one_machine_is_found() {
    for folder in MACHINE_FOLDERS {
        assert_fires(&machine_paths(&[Text::new("a.md", &format!("see {folder}x"))]), "a.md:1");
        assert_clean(&machine_paths(&[Text::new("a.md", &format!("see src{folder}x"))]));
    }
}
