//! Supervised actors: restart on panic, error and freeze, halt, resume, stop.

use std::sync::Arc;
use std::time::Duration;

use headwater::plugin::Plugin;
use headwater::runtime::{
    ActorContext, ActorError, ActorResult, ActorSpec, Contribution, ExitReason, RuntimeConfig,
    Supervision,
};
use headwater::store::MemoryStore;
use tokio::sync::watch;

use super::running::{Running, start_with};
use super::sample::{Counter, add, tenant};

/// Counts starts, and misbehaves in so many of the first ones.
struct Patient {
    starts: watch::Sender<u64>,
    bad_starts: u64,
    illness: fn() -> Illness,
}

#[derive(PartialEq, Eq)]
enum Illness {
    Panic,
    Error,
    Freeze,
}

/// How long one that freezes is waited for. The others may take longer than this: to write the
/// backtrace of a panic, say.
const FREEZE_AFTER: Duration = Duration::from_millis(500);

struct Ward(Arc<Patient>);

impl Plugin for Ward {
    fn name(&self) -> &'static str {
        "patient"
    }

    fn contribute(self, parts: Contribution) -> Contribution {
        let health = |word: &'static str| move || async move { Err(word.to_owned()) };
        parts.health("always ill", health("ill")).routes(7_u8).actor(ActorSpec::new(
            "patient",
            move |actor| {
                let patient = Arc::clone(&self.0);
                async move { patient.live(actor).await }
            },
        ))
    }
}

impl Patient {
    async fn live(&self, actor: ActorContext) -> ActorResult {
        let mut start = 0;
        self.starts.send_modify(|starts| {
            *starts += 1;
            start = *starts;
        });
        if start > self.bad_starts {
            actor.heartbeat.idle(actor.stopped()).await;
            return Ok(());
        }
        match (self.illness)() {
            Illness::Panic => panic!("ill"),
            Illness::Error => Err(ActorError("ill".into())),
            Illness::Freeze => std::future::pending().await,
        }
    }
}

async fn ward(bad_starts: u64, illness: fn() -> Illness) -> (Running, Arc<Patient>) {
    let patient = Arc::new(Patient { starts: watch::Sender::new(0), bad_starts, illness });
    let calm = Supervision::default();
    let will_freeze = illness() == Illness::Freeze;
    let config = RuntimeConfig {
        supervision: Supervision {
            backoff_min: Duration::from_millis(1),
            restarts_max: 3,
            freeze_after: if will_freeze { FREEZE_AFTER } else { calm.freeze_after },
            ..calm
        },
        ..RuntimeConfig::default()
    };
    let plugin = Ward(Arc::clone(&patient));
    let system = start_with(MemoryStore::shared(), config, |own| own.plugin(plugin)).await;
    (system, patient)
}

#[tokio::test]
async fn an_actor_that_panics_fails_or_freezes_is_started_again_with_the_reason_kept() {
    let illnesses: [(fn() -> Illness, ExitReason); 3] = [
        (|| Illness::Panic, ExitReason::Panicked("ill".into())),
        (|| Illness::Error, ExitReason::Failed("ill".into())),
        (|| Illness::Freeze, ExitReason::Frozen),
    ];
    for (illness, reason) in illnesses {
        let (system, patient) = ward(1, illness).await;
        patient.starts.subscribe().wait_for(|starts| *starts == 2).await.unwrap();
        let report = system.report().actors.into_iter().find(|a| a.kind == "patient").unwrap();
        assert_eq!((report.active, report.restarts), (1, 1), "{report:?}");
        assert_eq!(report.last_exit, Some(reason));
        let leftover = system.shutdown(Duration::from_secs(10)).await;
        assert!(leftover.actors.is_empty(), "{leftover:?}");
    }
}

#[tokio::test]
async fn an_actor_that_fails_too_often_is_halted_until_it_is_resumed() {
    let (system, patient) = ward(4, || Illness::Error).await;
    let mut status = system.watch_actor("patient").unwrap();
    let is_halted = |status: &headwater::runtime::ActorStatus| {
        status.state == headwater::runtime::ActorState::Halted
    };
    status.wait_for(is_halted).await.unwrap();
    assert_eq!(*patient.starts.borrow(), 4);
    let health = system.health().await;
    let ill: Vec<_> = health.iter().filter_map(|check| check.problem.as_deref()).collect();
    assert_eq!(ill, ["ill", "halted: failed: ill"]);
    assert!(!system.resume_actor("nobody").await);
    assert!(system.resume_actor("patient").await);
    patient.starts.subscribe().wait_for(|starts| *starts == 5).await.unwrap();
}

#[tokio::test]
async fn what_a_plugin_brings_for_the_server_is_found_by_its_type() {
    let (system, _) = ward(0, || Illness::Error).await;
    assert_eq!(system.routes::<u8>(), [Arc::new(7)]);
    assert!(system.routes::<u16>().is_empty());
}

#[tokio::test]
async fn an_actor_sends_commands_that_continue_the_thread_of_their_cause() {
    let (told, mut heard) = watch::channel(None);
    let spec = ActorSpec::new("nested", move |actor| {
        let told = told.clone();
        async move {
            let system = actor.system.upgrade().ok_or_else(|| ActorError("gone".into()))?;
            let cause = headwater::event::Metadata {
                correlation_id: Some("outer".into()),
                causation_id: Some("event".into()),
                ..Default::default()
            };
            let counter = system.at::<Counter>(&tenant(), "a").unwrap();
            headwater::runtime::caused_by(cause, counter.send(add(1))).await.unwrap();
            told.send_replace(Some(()));
            Ok(())
        }
    });
    let store = MemoryStore::shared();
    let system = start_with(store.clone(), RuntimeConfig::default(), |own| own.actor(spec)).await;
    heard.wait_for(Option::is_some).await.unwrap();
    let read = headwater::store::LogRead::after(headwater::event::Position::ZERO, 1);
    let page = headwater::store::EventStore::read_log(&*store, read).await.unwrap();
    assert_eq!(page.events[0].metadata().correlation_id.as_deref(), Some("outer"));
    assert_eq!(page.events[0].metadata().causation_id.as_deref(), Some("event"));
    system.shutdown(Duration::from_secs(10)).await;
}
