//! The bounds of a store (G9).

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
        let mut bytes = 0;
        for (at, write) in append.writes.iter().enumerate() {
            if write.events.is_empty() {
                return Err(Invalid(format!("no events for stream {}", write.stream)));
            }
            if append.writes.iter().take(at).any(|earlier| earlier.stream == write.stream) {
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
            0 => Err(Invalid("no events".into())),
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
}
