//! What the framework logs as a warning or worse, kept so that tests can look at it. The one
//! subscriber of the process, so it takes in the spans too.

use std::io::{self, Write};
use std::sync::{Mutex, Once};

use headwater::telemetry::{LineLayer, LogFormat};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;

use super::spans::{self, SpanLayer};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static START: Once = Once::new();

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps records and spans from now on; actors have threads of their own, so those of all tests.
pub fn keep() {
    START.call_once(|| {
        let layer = LineLayer::new(LogFormat::Pretty, || Lines).with_filter(LevelFilter::WARN);
        let spans = SpanLayer.with_filter(filter_fn(spans::is_kept));
        let subscriber = tracing_subscriber::registry().with(layer).with(spans);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Returns the records that have a field, written `name=value`.
pub fn of(field: &str) -> Vec<String> {
    let lines = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
    let has_field = |line: &&str| line.split(' ').any(|word| word == field);
    lines.lines().filter(has_field).map(str::to_owned).collect()
}
