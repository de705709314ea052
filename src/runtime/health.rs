//! Whether the parts of a system work, asked part by part.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;

/// How long a check may take before it counts as failed.
const TIME_MAX: Duration = Duration::from_secs(2);

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// What was looked at.
    pub name: String,
    /// What is wrong, in words; `None` when it works.
    pub problem: Option<String>,
}

/// A check by name.
#[derive(Clone)]
pub(super) struct Check {
    name: String,
    run: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Check {
    pub fn new<F, C>(name: String, check: F) -> Self
    where
        F: Fn() -> C + Send + Sync + 'static,
        C: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, run: Arc::new(move || check().boxed()) }
    }
}

/// Runs checks side by side; needs a timer, so it must run on a thread of the system.
pub(super) async fn run_all(checks: Vec<Check>) -> Vec<HealthCheck> {
    let runs = checks.into_iter().map(|check| async move {
        // Spawned, so that a check that panics fails alone.
        let run = actix_rt::spawn(tokio::time::timeout(TIME_MAX, (check.run)())).await;
        let problem = match run {
            Ok(Ok(found)) => found.err(),
            Ok(Err(_)) => Some(format!("no answer within {} s", TIME_MAX.as_secs())),
            Err(_) => Some("check panicked".to_owned()),
        };
        HealthCheck { name: check.name, problem }
    });
    join_all(runs).await
}
