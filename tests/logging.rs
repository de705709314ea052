//! Logging of a whole process; in a test of its own because it is set up once for ever.

use headwater::telemetry::{LogFormat, TelemetryError, init};

#[test]
fn logging_is_set_up_once() {
    assert!(matches!(init(LogFormat::Json, "a=b=c"), Err(TelemetryError::Filter { .. })));
    init(LogFormat::Json, "off").unwrap();
    assert!(matches!(init(LogFormat::Json, "off"), Err(TelemetryError::AlreadySet)));
}
