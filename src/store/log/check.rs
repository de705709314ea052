//! What the writer checks before it gives places: doubles, expectations, the condition.

use rustc_hash::FxHashSet;

use super::assembly::{Assembly, Refusal};
use super::batch::records;
use super::fault::Wait;
use super::frame::FRAME_HEADER_LEN;
use super::key::id_key;
use super::prepared::Prepared;
use crate::event::{EventId, Position, RecordedEvent, is_repeat};
use crate::store::condition::Examined;
use crate::store::{AppendError, Appended, LogRead, WrittenStream};

impl Assembly {
    /// Checks an append against everything before it, staged appends included, and notes where
    /// its streams end.
    pub(super) fn check(&mut self, prepared: &mut Prepared, wait: Wait) -> Result<(), Refusal> {
        self.check_ids(prepared, wait)?;
        for write in &mut prepared.writes {
            let actual = self.revision(&prepared.tenant, write, wait)?;
            if !write.expected.holds(actual) {
                let (stream, expected) = (write.stream.clone(), write.expected);
                return Err(AppendError::Conflict { stream, expected, actual }.into());
            }
            write.before = actual;
        }
        match &prepared.condition {
            None => Ok(()),
            // It may read through any number of events.
            Some(_) if wait == Wait::Never => Err(Refusal::WouldWait),
            Some(condition) => self.check_condition(prepared, condition),
        }
    }

    fn check_ids(&self, prepared: &Prepared, wait: Wait) -> Result<(), Refusal> {
        let staged = self.tail.ids();
        // As good as always: ids just made are greater than every one in the log.
        let is_new = |least| staged.is_before(least) && self.earlier_ids.is_before(least);
        if prepared.ascending_from.is_some_and(is_new) {
            return Ok(());
        }
        if let Some(id) = twice(prepared) {
            return Err(AppendError::Invalid(format!("event id {id} occurs twice")).into());
        }
        let tenant = prepared.tenant.as_str().as_bytes();
        for id in prepared.records.iter().map(|record| record.id) {
            let in_tail = match staged.may_hold(id) {
                true => self.tail.last(id_key(tenant, id), u32::MAX, wait)?,
                false => None,
            };
            // The index knows of it, the file does not hold it yet.
            if in_tail.is_some_and(|at| at >= self.tail.end()) {
                return Err(Refusal::NotYet);
            }
            if in_tail.is_none() && !self.earlier_ids.may_hold(id) {
                continue;
            }
            if let Some(event) = self.reader.event(&prepared.tenant, id, wait)? {
                return Err(self.duplicate_of(prepared, &event, wait)?);
            }
        }
        Ok(())
    }

    /// Tells the same append sent again from an id used for another event.
    fn duplicate_of(
        &self,
        prepared: &Prepared,
        known: &RecordedEvent,
        wait: Wait,
    ) -> Result<Refusal, Refusal> {
        let reused = |known: &RecordedEvent| {
            Refusal::from(AppendError::IdReused { id: known.id(), position: known.position() })
        };
        let first = prepared.records.first().map(|record| record.id);
        let base = match first {
            Some(id) if id == known.id() => known.position(),
            _ => return Ok(reused(known)),
        };
        let (mut at, mut streams) = (base.previous(), Vec::new());
        let mut records = prepared.records.iter();
        let mut bytes = prepared.bytes.get(FRAME_HEADER_LEN..).unwrap_or_default();
        for write in &prepared.writes {
            let mut revisions = None;
            for record in records.by_ref().take(write.count) {
                let (sent, later) = bytes.split_at_checked(record.len).unwrap_or_default();
                bytes = later;
                let Some(event) = self.event_at(at.next(), wait)? else {
                    return Ok(reused(known));
                };
                if !is_repeat(sent, event.as_bytes()) {
                    let is_own = event.id() == record.id && event.tenant() == known.tenant();
                    return Ok(reused(if is_own { &event } else { known }));
                }
                let first = revisions.map_or(event.revision(), |(first, _)| first);
                revisions = Some((first, event.revision()));
                at = at.next();
            }
            let (first, last) = revisions.unwrap_or_default();
            streams.push(WrittenStream { stream: write.stream.clone(), first, last });
        }
        Ok(Refusal::Duplicate(Appended { position: at, streams, duplicate: true }))
    }

    fn event_at(&self, position: Position, wait: Wait) -> Result<Option<RecordedEvent>, Refusal> {
        let read = LogRead::after(position.previous(), 1);
        Ok(self.reader.log_page(&read, wait)?.events.pop())
    }

    /// Looks at the few events that came since the condition was examined outside.
    fn check_condition(&self, prepared: &Prepared, condition: &Examined) -> Result<(), Refusal> {
        condition.check_rest(self.next)?;
        let read = LogRead::after(condition.upto, 1).of_tenant(prepared.tenant.clone());
        let mut read = read.matching(condition.query.clone());
        loop {
            let page = self.reader.log_page(&read, Wait::Allowed)?;
            if let Some(event) = page.events.first() {
                return Err(AppendError::ConditionFailed { position: event.position() }.into());
            }
            if page.is_end {
                break;
            }
            read.from = page.next;
        }
        let staged = records(&self.in_flight).chain(records(&self.building.bytes));
        let mut later = staged.filter(|record| record.position() > condition.upto);
        let tenant = prepared.tenant.as_str().as_bytes();
        match later.find(|r| r.tenant() == tenant && r.matches(&condition.query)) {
            Some(record) => {
                Err(AppendError::ConditionFailed { position: record.position() }.into())
            }
            None => Ok(()),
        }
    }
}

fn twice(prepared: &Prepared) -> Option<EventId> {
    if prepared.records.len() < 2 {
        return None;
    }
    let mut seen = FxHashSet::default();
    prepared.records.iter().map(|record| record.id).find(|id| !seen.insert(*id))
}
