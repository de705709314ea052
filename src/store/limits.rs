//! The bounds of a store (G9).

use std::collections::HashSet;

use super::EventQuery;

/// What appends and pages are held to; past a bound the caller gets a clear refusal.
#[derive(Clone, Debug)]
pub struct StoreLimits {
    /// The most bytes of an event's data.
    pub data_bytes_max: usize,
    /// The most events of one append.
    pub append_events_max: usize,
    /// The most bytes of data of one append.
    pub append_bytes_max: usize,
    /// The most appends that wait for the writer.
    pub waiting_appends_max: usize,
    /// The most events in a page.
    pub page_events_max: usize,
    /// The most bytes of records in a page; a page with one larger record holds just that.
    pub page_bytes_max: usize,
    /// The most events that a filtered page looks at before it returns with what it has.
    pub page_scan_max: usize,
    /// The most items of a query, of a read or of an append condition.
    pub query_items_max: usize,
    /// The most categories, types and tags of a query, over all its items.
    pub query_names_max: usize,
    /// The most events that are looked at for one append condition.
    pub condition_scan_max: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            data_bytes_max: 1 << 20,
            append_events_max: 10_000,
            append_bytes_max: 16 << 20,
            waiting_appends_max: 16_384,
            page_events_max: 10_000,
            page_bytes_max: 4 << 20,
            page_scan_max: 100_000,
            query_items_max: 100,
            query_names_max: 1_000,
            condition_scan_max: 1_000_000,
        }
    }
}

impl StoreLimits {
    /// Checks an append's counts, sizes and events, and that no stream occurs twice.
    ///
    /// # Errors
    /// [`AppendError::Invalid`](super::AppendError::Invalid) or
    /// [`AppendError::Event`](super::AppendError::Event) naming the first bound that is broken.
    pub fn check(&self, append: &super::Append) -> Result<(), super::AppendError> {
        use super::AppendError::{Event, Invalid};
        if let Some(condition) = &append.condition {
            let checked = self.check_query(&condition.query);
            checked.map_err(|problem| Invalid(format!("condition: {problem}")))?;
        }
        let (mut bytes, mut seen) = (0, HashSet::new());
        for write in &append.writes {
            if write.events.is_empty() && write.expected == super::Expected::Any {
                let stream = &write.stream;
                return Err(Invalid(format!("no events and nothing to check for stream {stream}")));
            }
            if append.writes.len() > 1 && !seen.insert(&write.stream) {
                return Err(Invalid(format!("stream {} occurs twice", write.stream)));
            }
            write.stream.check_address().map_err(|error| Invalid(error.to_string()))?;
            for event in &write.events {
                event.check().map_err(|error| Event(error.into()))?;
                let len = event.data().len();
                if len > self.data_bytes_max {
                    let max = self.data_bytes_max;
                    return Err(Invalid(format!("event data has {len} bytes: at most {max}")));
                }
                bytes += len;
            }
        }
        match append.event_count() {
            0 if append.writes.is_empty() => Err(Invalid("no events".into())),
            count if count > self.append_events_max => {
                let max = self.append_events_max;
                Err(Invalid(format!("append has {count} events: at most {max}")))
            }
            _ if bytes > self.append_bytes_max => {
                let max = self.append_bytes_max;
                Err(Invalid(format!("append has {bytes} bytes of data: at most {max}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks how much a query asks for.
    ///
    /// # Errors
    /// A sentence that names the bound which is broken.
    pub fn check_query(&self, query: &EventQuery) -> Result<(), String> {
        let (items, max) = (query.items.len(), self.query_items_max);
        if items > max {
            return Err(format!("query has {items} items: at most {max}"));
        }
        let (names, max) = (query.name_count(), self.query_names_max);
        if names > max {
            let names = format!("query has {names} categories, types and tags in all");
            return Err(format!("{names}: at most {max}"));
        }
        Ok(())
    }
}
