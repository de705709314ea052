//! Panics as records: one line each, like everything else that is logged.

use std::panic::PanicHookInfo;

/// Replaces the hook that prints panics by one that logs them.
pub fn log_panics() {
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let reason = info.payload_as_str().unwrap_or("no text");
    tracing::error!(location, thread, reason, "panic");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::super::record::{FieldValue, Fields};
    use super::*;

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<Fields>>>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Seen {
        fn on_event(
            &self,
            event: &tracing::Event<'_>,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields);
        }
    }

    #[test]
    fn a_panic_is_one_record_with_place_thread_and_reason() {
        let seen = Seen::default();
        let subscriber = tracing_subscriber::registry().with(seen.clone());
        let before = std::panic::take_hook();
        log_panics();
        let outcome = tracing::subscriber::with_default(subscriber, || {
            std::panic::catch_unwind(|| panic!("seven\nlines"))
        });
        std::panic::set_hook(before);
        assert!(outcome.is_err());
        let records = seen.0.lock().unwrap();
        let record = records.iter().find(|record| record.message == "panic").unwrap();
        let reason = ("reason", FieldValue::Text("seven\nlines".into()));
        assert!(record.facts.contains(&reason), "{record:?}");
        assert!(record.facts.iter().any(|(name, _)| *name == "location"));
    }
}
