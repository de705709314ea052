//! What a step says about itself in the comments at its top.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::batch::Batch;
use super::statement::{code, statements};

/// How a step is run: comment lines such as `-- phase: contract` at the top of its text.
///
/// `phase` is `expand` (the default), `backfill` or `contract`. `transaction: none` runs each
/// statement by itself, for what refuses to run in a transaction; SQLite, which has nothing of
/// the kind, runs it in one all the same. `batch` does a backfill in parts, see [`Batch`].
/// `lock-timeout`, in `ms` or `s`, is how long a statement may wait for a lock, and those who
/// come behind it with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepHead {
    /// When it may run.
    pub phase: Phase,
    /// Whether the whole step is one transaction.
    pub is_in_transaction: bool,
    /// The rows it goes through in parts; `None` when all is done at once.
    pub batch: Option<Batch>,
    /// How long a statement may wait for a lock; 1 ms to 60 s. Of a batch half a second unless
    /// said, of others two.
    pub lock_timeout: Duration,
}

/// When a step may run, while programs of two versions work side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Adds what the older program does not mind.
    #[default]
    Expand,
    /// Fills what was added.
    Backfill,
    /// Removes what no program needs any more.
    Contract,
}

/// Says which line of a head cannot be read. Developer: correct the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct HeadError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what is right.
    pub problem: String,
}

const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the second after which a server ends one of two who wait for each other: it must
/// not be the program's own work that is ended.
const LOCK_TIMEOUT_BATCH: Duration = Duration::from_millis(500);
const LOCK_TIMEOUT_MAX: Duration = Duration::from_secs(60);

impl Default for StepHead {
    fn default() -> Self {
        Self {
            phase: Phase::default(),
            is_in_transaction: true,
            batch: None,
            lock_timeout: LOCK_TIMEOUT,
        }
    }
}

impl FromStr for StepHead {
    type Err = HeadError;

    fn from_str(script: &str) -> Result<Self, HeadError> {
        let mut head = Self::default();
        let mut seen = Vec::new();
        for (at, line) in script.lines().enumerate() {
            let Some(comment) = line.strip_prefix("--") else { break };
            let Some((key, value)) = setting(comment) else { continue };
            let wrong = |problem| HeadError { line: at + 1, problem };
            if seen.contains(&key) {
                return Err(wrong(format!("{key} is said twice: keep one")));
            }
            seen.push(key);
            head.set(key, value).map_err(wrong)?;
        }
        if !head.is_in_transaction {
            check_repeatable(script)?;
        }
        head.check_batch(script)?;
        if head.batch.is_some() && !seen.contains(&"lock-timeout") {
            head.lock_timeout = LOCK_TIMEOUT_BATCH;
        }
        Ok(head)
    }
}

impl StepHead {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match (key, value) {
            ("phase", _) => self.phase = value.parse()?,
            ("transaction", "none") => self.is_in_transaction = false,
            ("transaction", _) => {
                return Err(format!("transaction is {value:?}: say none, or leave the line out"));
            }
            ("lock-timeout", _) => self.lock_timeout = duration(value)?,
            ("batch", _) => self.batch = Some(Batch::parse(value)?),
            _ => {
                return Err(format!(
                    "{key} is unknown: phase, transaction, batch and lock-timeout can be said"
                ));
            }
        }
        Ok(())
    }

    fn check_batch(&self, script: &str) -> Result<(), HeadError> {
        if self.batch.is_none() {
            return Ok(());
        }
        let checked = match (self.phase, self.is_in_transaction) {
            (Phase::Backfill, true) => Batch::check(script),
            (Phase::Backfill, false) => {
                Err("batch has a transaction for each part: leave `transaction: none` out".into())
            }
            _ => Err("batch belongs to a backfill: say `phase: backfill`, too".into()),
        };
        let said = |line: &str| line.trim_start_matches('-').trim().starts_with("batch");
        let line = script.lines().position(said).unwrap_or_default() + 1;
        checked.map_err(|problem| HeadError { line, problem })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
        })
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Self::Expand, Self::Backfill, Self::Contract];
        let found = all.into_iter().find(|phase| phase.to_string() == name);
        found.ok_or_else(|| format!("phase is {name:?}, not expand, backfill or contract"))
    }
}

/// Takes `key: value` apart; prose has more than one word before its first colon.
fn setting(comment: &str) -> Option<(&str, &str)> {
    let (key, value) = comment.split_once(':')?;
    let key = key.trim();
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    is_key.then(|| (key, value.trim()))
}

fn duration(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| digits.trim().parse::<u64>().ok();
    let parsed = match text.strip_suffix("ms") {
        Some(digits) => number(digits).map(Duration::from_millis),
        None => text.strip_suffix('s').and_then(number).map(Duration::from_secs),
    };
    parsed
        .filter(|it| !it.is_zero() && *it <= LOCK_TIMEOUT_MAX)
        .ok_or_else(|| format!("lock-timeout is {text:?}, not 1ms to 60s, such as 200ms or 2s"))
}

/// Refuses statements that a run after a kill could not do again.
fn check_repeatable(script: &str) -> Result<(), HeadError> {
    for statement in statements(script) {
        let words: Vec<String> =
            code(statement).split_whitespace().map(str::to_ascii_lowercase).collect();
        let text = words.join(" ");
        let is_safe = match words.first().map(String::as_str) {
            Some("create") => {
                text.starts_with("create or replace") || text.contains(" if not exists ")
            }
            Some("drop") => text.contains(" if exists "),
            Some("begin" | "start" | "commit" | "rollback") => false,
            _ => true,
        };
        if !is_safe {
            let first = words.first().map(String::as_str).unwrap_or_default();
            let problem = format!(
                "`{first}` in a step with `transaction: none` must be repeatable: say `if not \
                 exists` or `if exists`, and begin no transaction"
            );
            return Err(HeadError { line: line_of(script, statement), problem });
        }
    }
    Ok(())
}

/// Returns the line in which a part of a script begins, past the comments before it.
fn line_of(script: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).saturating_sub(script.as_ptr() as usize);
    let comments = part.lines().take_while(|line| code(line).trim().is_empty()).count();
    script.get(..offset).unwrap_or_default().matches('\n').count() + comments + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(script: &str) -> Result<StepHead, HeadError> {
        script.parse()
    }

    #[test]
    fn a_step_without_a_head_expands_in_a_transaction_and_waits_two_seconds() {
        let head = parse("-- One row for each name: the live one.\ncreate table t (x text);");
        assert_eq!(head.unwrap(), StepHead::default());
    }

    #[test]
    fn a_head_is_read_up_to_the_first_line_that_is_no_comment() {
        let head = parse(
            "-- Why: nobody reads it.\n-- phase: contract\n-- lock-timeout: 200ms\n\
             -- transaction: none\ndrop index concurrently if exists i;\n-- phase: expand\n",
        );
        let wanted = StepHead {
            phase: Phase::Contract,
            is_in_transaction: false,
            batch: None,
            lock_timeout: Duration::from_millis(200),
        };
        assert_eq!(head.unwrap(), wanted);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let wrong = [
            ("-- phase: expnad\n", "line 1: phase is \"expnad\""),
            ("-- text\n-- fase: expand\n", "line 2: fase is unknown"),
            ("-- lock-timeout: 2\n", "line 1: lock-timeout is \"2\""),
            ("-- lock-timeout: 0s\n", "not 1ms to 60s"),
            ("-- lock-timeout: 61s\n", "not 1ms to 60s"),
            ("-- transaction: yes\n", "say none, or leave the line out"),
            ("-- phase: expand\n-- phase: expand\n", "line 2: phase is said twice"),
            ("-- x\n-- batch: t by id\nupdate t set x = 1", "line 2: batch belongs to a backfill"),
            ("-- phase: backfill\n-- batch: t\n", "line 2: batch is \"t\""),
            ("-- phase: backfill\n-- batch: t by id\nselect 1", "between $1 and $2"),
        ];
        for (script, part) in wrong {
            let error = parse(script).unwrap_err().to_string();
            assert!(error.contains(part), "{script}: {error}");
        }
    }

    #[test]
    fn without_a_transaction_every_statement_must_be_repeatable() {
        let error = parse(
            "-- transaction: none\ncreate index concurrently if not exists i on t (x);\n\
             -- Why.\ncreate index concurrently j on t (y);\n",
        );
        assert_eq!(error.unwrap_err().line, 4);
        assert!(parse("-- transaction: none\ndrop index concurrently i").is_err());
        assert!(parse("-- transaction: none\nbegin; vacuum t").is_err());
    }
}
