//! The last revisions of the streams written lately, so that a hot stream costs no lookup.

use rustc_hash::FxHashMap;

use crate::event::{Revision, StreamId, Tenant};

/// A bounded memory of streams' last revisions, staged appends included.
///
/// Two generations: when the young one is full it becomes the old one and the old one is
/// forgotten, so what is used stays.
pub struct Heads {
    young: FxHashMap<u64, Head>,
    old: FxHashMap<u64, Head>,
    generation_max: usize,
}

struct Head {
    tenant: Tenant,
    stream: StreamId,
    revision: Revision,
}

impl Heads {
    /// Makes an empty memory of at most `max` streams.
    pub fn new(max: usize) -> Self {
        let generation_max = (max / 2).max(1);
        Self { young: FxHashMap::default(), old: FxHashMap::default(), generation_max }
    }

    /// Returns a stream's last revision; `None` when it is not remembered.
    pub fn get(&self, key: u64, tenant: &Tenant, stream: &StreamId) -> Option<Revision> {
        let head = self.young.get(&key).or_else(|| self.old.get(&key))?;
        (head.stream == *stream && head.tenant == *tenant).then_some(head.revision)
    }

    /// Remembers a stream's last revision.
    pub fn put(&mut self, key: u64, tenant: &Tenant, stream: &StreamId, revision: Revision) {
        if let Some(head) = self.young.get_mut(&key)
            && head.stream == *stream
            && head.tenant == *tenant
        {
            head.revision = revision;
            return;
        }
        if self.young.len() >= self.generation_max {
            self.old = std::mem::take(&mut self.young);
        }
        let (tenant, stream) = (tenant.clone(), stream.clone());
        self.young.insert(key, Head { tenant, stream, revision });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_streams_with_one_key_are_told_apart() {
        let (tenant, mut heads) = (Tenant::default_tenant(), Heads::new(4));
        let [a, b] = ["a", "b"].map(|id| StreamId::new("c", id).unwrap());
        heads.put(7, &tenant, &a, Revision::FIRST);
        assert_eq!(heads.get(7, &tenant, &a), Some(Revision::FIRST));
        assert_eq!(heads.get(7, &tenant, &b), None);
    }

    #[test]
    fn it_holds_no_more_than_its_bound() {
        let (tenant, mut heads) = (Tenant::default_tenant(), Heads::new(10));
        for key in 0..1_000 {
            let stream = StreamId::new("c", key.to_string()).unwrap();
            heads.put(key, &tenant, &stream, Revision::FIRST);
        }
        assert!(heads.young.len() + heads.old.len() <= 10);
    }
}
