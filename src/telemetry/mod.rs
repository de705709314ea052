//! Logs, and what else tells an operator how the program is.
//!
//! A record is one line: a constant message and facts as fields, those of the spans around it
//! included. Fields whose names tell of a secret are redacted where the line is made, so that
//! no caller has to think of it; control characters are escaped, so that no value can forge a
//! line or move a terminal. Payloads are never logged; nothing here could know them.

mod escape;
mod layer;
mod panic;
mod record;
mod redaction;

use std::io;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;

pub use layer::LineLayer;

/// What no filter lets through: libraries that put payloads, or what they log in with, into
/// their records.
const MUTED: [&str; 3] = ["amq_protocol=warn", "lapin=warn", "lapin::returned_messages=off"];

/// How a record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, message, fields.
    #[default]
    Pretty,
    /// For machines: one JSON object a line, no key twice.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            other => Err(TelemetryError::Format { found: other.to_owned() }),
        }
    }
}

/// Says why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The format is not known. Operator: correct the setting.
    #[error("log format {found:?} is not known: write pretty or json")]
    Format {
        /// What was asked for.
        found: String,
    },
    /// The filter does not parse. Operator: correct the setting.
    #[error("log filter {found:?} does not parse: {problem}; write a level or module=level,…")]
    Filter {
        /// What was asked for.
        found: String,
        /// What does not parse.
        problem: String,
    },
    /// Something else receives the process's records already. Developer: set up logging once.
    #[error("logging is set up already in this process")]
    AlreadySet,
}

/// Sends the process's records of `filter` to standard error and logs panics.
///
/// A filter is a level (`info`) or a list of modules with levels
/// (`info,headwater::store=debug`). Records before this call are lost.
///
/// # Errors
/// [`TelemetryError`] when the filter does not parse or logging is set up already.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let layer = LineLayer::new(format, io::stderr);
    let subscriber = tracing_subscriber::registry().with(parse_filter(filter)?).with(layer);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadySet)?;
    panic::log_panics();
    Ok(())
}

/// Checks a filter without setting anything up.
///
/// # Errors
/// [`TelemetryError::Filter`] naming what does not parse.
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    parse_filter(filter).map(drop)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let refused = |problem: String| TelemetryError::Filter { found: filter.to_owned(), problem };
    if filter.trim().is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    let filter = EnvFilter::try_new(filter).map_err(|error| refused(error.to_string()))?;
    MUTED.iter().try_fold(filter, |filter, directive| {
        let directive =
            directive.parse().map_err(|error: ParseError| refused(error.to_string()))?;
        Ok(filter.add_directive(directive))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_names() {
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
        assert_eq!("pretty".parse::<LogFormat>().unwrap(), LogFormat::Pretty);
        let error = "xml".parse::<LogFormat>().unwrap_err();
        assert_eq!(error.to_string(), "log format \"xml\" is not known: write pretty or json");
    }

    #[test]
    fn what_logs_payloads_is_muted_whatever_the_filter() {
        for filter in ["trace", "info,lapin=trace", "lapin::returned_messages=trace"] {
            let filter = parse_filter(filter).unwrap().to_string();
            assert!(filter.contains("lapin::returned_messages=off"), "{filter}");
            assert!(!filter.contains("lapin=trace") && filter.contains("lapin=warn"), "{filter}");
        }
    }

    #[test]
    fn a_filter_that_does_not_parse_is_refused() {
        check_filter("info,headwater::store=debug").unwrap();
        for bad in ["", "headwater=loud", "a=b=c"] {
            let error = check_filter(bad).unwrap_err().to_string();
            assert!(error.contains("does not parse"), "{bad:?}: {error}");
        }
    }
}
