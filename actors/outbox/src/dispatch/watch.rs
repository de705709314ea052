//! The alarm that sounds when the dispatcher itself is silent.

use std::time::Duration;

use headwater::sql::Database;
use jiff::Timestamp;

use crate::plugin::Shared;
use crate::table;

/// How long a shard may store nothing; one at work says so every 5 s.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Checks that every shard has lately been worked for, by any node; an error names those that
/// were not.
pub(crate) async fn check_dispatcher(shared: &Shared) -> Result<(), String> {
    let (database, now) = (shared.database(), shared.clock.now());
    let silent = silent_shards(&database, now).await?;
    shared.metrics.set_silent(silent.len());
    report(&silent)
}

/// Returns the silent shards and for how many seconds they have been.
async fn silent_shards(database: &Database, now: Timestamp) -> Result<Vec<(u32, i64)>, String> {
    let beats = database.inspect(table::beats).await.map_err(|error| error.to_string())?;
    let silence = beats.into_iter().map(|(shard, at)| (shard, now.duration_since(at).as_secs()));
    Ok(silence.filter(|(_, silent_s)| *silent_s > SILENCE_MAX.as_secs() as i64).collect())
}

fn report(silent: &[(u32, i64)]) -> Result<(), String> {
    let Some(longest) = silent.iter().map(|(_, silent_s)| silent_s).max() else { return Ok(()) };
    let names: Vec<String> = silent.iter().map(|(shard, _)| shard.to_string()).collect();
    Err(format!(
        "no node works for the outbox shards {}, for up to {longest} s: their endpoints get \
         nothing; see who holds their leases with `headwater nodes`",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_shards_are_named_with_the_longest_silence() {
        assert_eq!(report(&[]), Ok(()));
        let words = report(&[(1, 30), (5, 90)]).unwrap_err();
        assert!(words.contains("shards 1, 5, for up to 90 s"), "{words}");
    }
}
