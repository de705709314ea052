//! The alarm that sounds when the dispatcher itself is silent.

use std::time::Duration;

use headwater::sql::SqlError;
use jiff::Timestamp;
use tokio::time::timeout;

use super::SHARDS;
use crate::plugin::Shared;
use crate::table;

/// How long a shard may store nothing; one at work says so every 5 s.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long the database may take to say who is at work; less than a health check may take, so
/// that the alarm sounds too when it says nothing.
const ASK_MAX: Duration = Duration::from_secs(1);

/// A shard that nobody has lately worked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    pub shard: u32,
    /// For how long.
    pub time: Duration,
}

/// Checks that every shard has lately been worked for, by any node; an error names those that
/// were not. Where nobody can tell, all of them count as silent.
pub(crate) async fn check_dispatcher(shared: &Shared) -> Result<(), String> {
    let told = match timeout(ASK_MAX, silences(shared)).await {
        Ok(asked) => asked.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", ASK_MAX.as_secs())),
    };
    let count = told.as_ref().map_or(SHARDS as usize, Vec::len);
    shared.metrics.set_silent(count);
    let untold = |error| format!("the database does not say who works for the outbox: {error}");
    report(&told.map_err(untold)?)
}

/// Returns the shards that nobody has worked for lately, by number.
pub(crate) async fn silences(shared: &Shared) -> Result<Vec<Silence>, SqlError> {
    let since = *shared.watched_since.get_or_init(|| shared.clock.now());
    let beats = shared.database().inspect(table::beats).await?;
    Ok(silent(&beats, since, shared.clock.now()))
}

/// Returns the silent ones of all shards; one that nobody has ever worked for is silent since
/// this node began to watch.
fn silent(beats: &[(u32, Timestamp)], watched_since: Timestamp, now: Timestamp) -> Vec<Silence> {
    let last = |shard| beats.iter().find(|(own, _)| *own == shard).map(|(_, at)| *at);
    let silence = |shard| {
        let at = last(shard).unwrap_or(watched_since);
        // A clock that runs behind another node's makes no silence.
        let time = Duration::try_from(now.duration_since(at)).unwrap_or_default();
        Silence { shard, time }
    };
    (0..SHARDS).map(silence).filter(|own| own.time > SILENCE_MAX).collect()
}

fn report(silent: &[Silence]) -> Result<(), String> {
    let Some(longest) = silent.iter().map(|own| own.time).max() else { return Ok(()) };
    let names: Vec<String> = silent.iter().map(|own| own.shard.to_string()).collect();
    Err(format!(
        "no node works for the outbox shards {}, for up to {} s: their endpoints get nothing; \
         see who holds their leases with `headwater nodes`",
        names.join(", "),
        longest.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn numbers(beats: &[(u32, Timestamp)], since: i64, now: i64) -> Vec<u32> {
        silent(beats, at(since), at(now)).iter().map(|own| own.shard).collect()
    }

    #[test]
    fn silent_shards_are_named_with_the_longest_silence() {
        assert_eq!(report(&[]), Ok(()));
        let silence = |shard, seconds| Silence { shard, time: Duration::from_secs(seconds) };
        let words = report(&[silence(1, 30), silence(5, 90)]).unwrap_err();
        assert!(words.contains("shards 1, 5, for up to 90 s"), "{words}");
    }

    #[test]
    fn a_shard_is_silent_when_its_last_word_is_old() {
        let mut beats: Vec<_> = (0..SHARDS).map(|shard| (shard, at(1_000))).collect();
        assert!(numbers(&beats, 0, 1_020).is_empty());
        beats[3].1 = at(999);
        assert_eq!(numbers(&beats, 0, 1_020), [3]);
        assert!(numbers(&beats, 0, 900).is_empty());
    }

    #[test]
    fn a_shard_that_nobody_has_worked_for_is_silent_soon_after_the_start() {
        let beats: Vec<_> = (1..SHARDS).map(|shard| (shard, at(1_020))).collect();
        assert!(numbers(&beats, 1_000, 1_020).is_empty());
        assert_eq!(numbers(&beats, 1_000, 1_021), [0]);
    }
}
