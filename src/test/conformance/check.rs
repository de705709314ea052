//! Rules of checks: writes without events.

use futures_util::future::join_all;

use super::Outcome;
use super::kit::{event, events, put, refusal, stream, tenant, to, to_many, whole_log};
use crate::event::Revision;
use crate::store::{Append, AppendError, Expected, SharedStore, StreamWrite};

fn check(id: &str, expected: Expected) -> super::kit::Fallible<Append> {
    let writes = vec![StreamWrite::check(stream(id)?, expected)];
    Ok(Append { tenant: tenant(), writes, condition: None })
}

/// A check that holds tells the revision and the end of the log, and stores nothing.
pub async fn a_check_tells_the_revision_and_stores_nothing(store: SharedStore) -> Outcome {
    put(&store, "a", 2).await?;
    put(&store, "b", 1).await?;
    for expected in [Expected::At(Revision::new(2)), Expected::Exists] {
        let answer = store.append(check("a", expected)?).await?;
        assert_eq!((answer.position.get(), answer.duplicate), (3, false));
        let checked: Vec<_> = answer.streams.iter().map(|own| own.last.get()).collect();
        assert_eq!(checked, [2]);
    }
    assert_eq!(store.head().borrow().get(), 3);
    assert_eq!(whole_log(&store).await?.len(), 3);
    Ok(())
}

/// A check of a stream that is not there leaves none behind, also beside an append.
pub async fn a_check_makes_no_stream(store: SharedStore) -> Outcome {
    let none = Expected::NoStream;
    store.append(check("a", none)?).await?;
    let (checked, appended) =
        tokio::join!(store.append(check("a", none)?), store.append(to("b", none, events(1)?)?));
    assert_eq!((checked?.streams.len(), appended?.position.get()), (1, 1));
    store.append(to_many(vec![("a", none, vec![]), ("c", none, events(1)?)])?).await?;
    store.append(to("a", none, events(1)?)?).await?;
    let list = crate::store::StreamList {
        tenant: tenant(),
        category: None,
        after: crate::event::Position::ZERO,
        limit: 10,
    };
    let streams = store.list_streams(list).await?.streams;
    let names: Vec<_> = streams.iter().map(|(own, _)| own.id().to_owned()).collect();
    assert_eq!(names, ["b", "c", "a"]);
    Ok(())
}

/// A check that does not hold names the stream's revision.
pub async fn a_check_that_fails_is_a_conflict(store: SharedStore) -> Outcome {
    put(&store, "a", 2).await?;
    for expected in [Expected::At(Revision::new(1)), Expected::NoStream] {
        let error = refusal(&store, check("a", expected)?).await?;
        assert!(
            matches!(error, AppendError::Conflict { actual, .. } if actual == Revision::new(2))
        );
    }
    let error = refusal(&store, check("b", Expected::Exists)?).await?;
    assert!(matches!(error, AppendError::Conflict { actual: Revision::ZERO, .. }));
    Ok(())
}

/// A check that fails refuses the events for other streams in its append.
pub async fn a_check_guards_the_other_streams_of_its_append(store: SharedStore) -> Outcome {
    put(&store, "a", 1).await?;
    let wrong = vec![("a", Expected::NoStream, vec![]), ("b", Expected::Any, events(1)?)];
    let error = refusal(&store, to_many(wrong)?).await?;
    assert!(matches!(error, AppendError::Conflict { stream, .. } if stream.id() == "a"));
    let right = vec![("a", Expected::Exists, vec![]), ("b", Expected::Any, events(1)?)];
    let answer = store.append(to_many(right)?).await?;
    assert_eq!(answer.position.get(), 2);
    let last: Vec<_> = answer.streams.iter().map(|own| own.last.get()).collect();
    assert_eq!(last, [1, 1]);
    Ok(())
}

/// An append that is repeated is not checked again.
pub async fn a_check_is_not_repeated_with_its_append(store: SharedStore) -> Outcome {
    put(&store, "a", 1).await?;
    let (at, new) = (Expected::At(Revision::new(1)), events(2)?);
    let append = to_many(vec![("a", at, vec![]), ("b", Expected::Any, new)])?;
    let first = store.append(append.clone()).await?;
    put(&store, "a", 1).await?;
    let again = store.append(append).await?;
    assert_eq!((again.position, again.duplicate), (first.position, true));
    let revisions = again.streams.iter().map(|own| (own.first.get(), own.last.get()));
    assert_eq!(revisions.collect::<Vec<_>>(), [(0, 0), (1, 2)]);
    Ok(())
}

/// A check of nothing is refused.
pub async fn a_check_of_any_revision_is_refused(store: SharedStore) -> Outcome {
    let beside = to_many(vec![("a", Expected::Any, events(1)?), ("b", Expected::Any, vec![])])?;
    for append in [check("a", Expected::Any)?, beside] {
        assert!(matches!(refusal(&store, append).await?, AppendError::Invalid(_)));
    }
    Ok(())
}

/// Of checks and appends that race, a check holds exactly until the append that changes its
/// stream.
pub async fn a_check_and_an_append_of_one_stream_have_an_order(store: SharedStore) -> Outcome {
    for round in 0..20_u64 {
        let at = Expected::At(Revision::new(round));
        let appends = (0..6_usize).map(|number| match number {
            3 => to("a", at, vec![event(number)?]),
            _ => check("a", at),
        });
        let appends = appends.collect::<Result<Vec<_>, _>>()?;
        let outcomes = join_all(appends.into_iter().map(|append| store.append(append))).await;
        let seen = outcomes.iter().map(|outcome| match outcome {
            Ok(answer) => answer.streams.first().map(|own| own.last.get()),
            Err(AppendError::Conflict { actual, .. }) => Some(actual.get()),
            Err(_) => None,
        });
        for (number, revision) in seen.enumerate() {
            assert!(
                revision == Some(round) || revision == Some(round + 1),
                "append {number} of round {round}: {:?}",
                outcomes.get(number)
            );
        }
    }
    assert_eq!(whole_log(&store).await?.len(), 20);
    Ok(())
}
