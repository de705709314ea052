//! A runtime of its own for a run: sessions and pauses need one with a network and a clock that
//! runs, and the caller's may have neither.

use std::future::Future;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::MigrationError;
use crate::sql::SqlError;

/// Runs work on a thread apart; dropping the future ends the work where it waits next.
pub(super) async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, MigrationError>> + Send + 'static,
) -> Result<T, MigrationError> {
    let (mut caller, done) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| no_thread(&e))?;
    let run = move || {
        let ended = runtime.block_on(async {
            tokio::select! {
                ended = work => Some(ended),
                () = caller.closed() => None,
            }
        });
        // Sessions end before the caller goes on.
        drop(runtime);
        if let Some(ended) = ended {
            // A caller who has gone does not want to know.
            drop(caller.send(ended));
        }
    };
    thread::Builder::new().name("migrator".to_owned()).spawn(run).map_err(|e| no_thread(&e))?;
    done.await.unwrap_or_else(|_| Err(SqlError::Closed.into()))
}

fn no_thread(error: &std::io::Error) -> SqlError {
    SqlError::Unavailable(format!("no thread for migrations: {error}"))
}
