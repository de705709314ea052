//! Steps of migrations: each has a way back, and none takes away what an older program needs
//! unless it says so. `make sql-lint` looks closer, where squawk is installed.

use headwater::sql::migration::{Phase, StepHead};

use super::tree::Text;
use super::{assert_clean, assert_fires, tree};

/// What an older program would miss.
const TAKES_AWAY: [&str; 6] =
    ["drop column", "drop table", "drop constraint", " rename ", "set not null", " type "];

fn steps_without_a_way_back(paths: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for path in paths.iter().filter(|path| path.ends_with(".sql")) {
        let twin = match path.contains(".up.") {
            true => path.replace(".up.", ".down."),
            false => path.replace(".down.", ".up."),
        };
        if !paths.contains(&twin) {
            faults
                .push(format!("{path} has no {twin}: write it, and say if nothing is left to do"));
        }
    }
    faults
}

fn steps_that_take_away(texts: &[Text]) -> Vec<String> {
    let mut faults = Vec::new();
    for Text { path, text } in texts.iter().filter(|text| text.path.contains(".up.")) {
        let code: String = text
            .lines()
            .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
            .flat_map(str::split_whitespace)
            .flat_map(|word| [word, " "])
            .collect();
        let head = match text.parse::<StepHead>() {
            Ok(head) => head,
            Err(error) => {
                faults.push(format!("{path}, {error}"));
                continue;
            }
        };
        let found =
            TAKES_AWAY.iter().find(|words| altered(&code).any(|code| code.contains(**words)));
        if let Some(words) = found.filter(|_| head.phase != Phase::Contract) {
            let words = words.trim();
            faults.push(format!(
                "{path}: `{words}` takes away what an older program may need: say `-- phase: contract`"
            ));
        }
    }
    faults
}

/// Returns the statements that change or drop what is there.
fn altered(code: &str) -> impl Iterator<Item = String> {
    let statements = code.split(';').map(|statement| format!(" {} ", statement.trim()));
    statements.map(|it| it.to_ascii_lowercase()).filter(|statement| {
        [" alter table ", " drop table "].iter().any(|words| statement.starts_with(words))
    })
}

fn scripts() -> Vec<Text> {
    let paths = tree::files();
    paths.iter().filter(|path| path.ends_with(".sql")).filter_map(|path| tree::read(path)).collect()
}

#[test]
fn every_step_has_a_way_back() {
    assert_clean(&steps_without_a_way_back(&tree::files()));
}

#[test]
fn a_step_without_a_way_back_is_a_fault() {
    let paths = ["m/0001_x.up.sqlite.sql", "m/0001_x.up.sql", "m/0001_x.down.sql"];
    let faults = steps_without_a_way_back(&paths.map(str::to_owned));
    assert_fires(&faults, "m/0001_x.up.sqlite.sql has no m/0001_x.down.sqlite.sql");
}

#[test]
fn only_contract_steps_take_anything_away() {
    let scripts = scripts();
    assert!(scripts.iter().any(|text| text.path.contains(".up.")));
    assert_clean(&steps_that_take_away(&scripts));
}

#[test]
fn a_step_that_takes_away_without_saying_so_is_a_fault() {
    let text = "-- phase: expand\ncreate table t (type text);\nalter table t\n    drop column x;";
    let faults = steps_that_take_away(&[
        Text::new("m/0002_x.up.sql", text),
        Text::new("m/0002_x.down.sql", text),
        Text::new("m/0003_x.up.sql", &text.replace("expand", "contract")),
        Text::new("m/0004_x.up.sql", "create table t (type text);\n-- alter table t drop column x"),
    ]);
    assert_fires(&faults, "m/0002_x.up.sql: `drop column` takes away");
}
