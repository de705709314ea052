//! The groups of the endpoints that this node works for.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::watch;
use tokio::time::timeout;

use super::group::Group;
use crate::endpoint::Phase;
use crate::table::EndpointKey;

/// Finds groups by their endpoints; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Groups {
    open: Arc<Mutex<FxHashMap<EndpointKey, Open>>>,
    /// Told when a group opens.
    has_opened: Arc<watch::Sender<()>>,
}

struct Open {
    group: Arc<Group>,
    /// How many lanes offer events to it.
    seats: usize,
}

/// What an endpoint holds its consumers to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub ack_timeout: Duration,
    pub phase: Phase,
}

/// A lane's place in a group, which closes with the last of them.
pub(crate) struct Seat {
    groups: Groups,
    key: EndpointKey,
    group: Arc<Group>,
}

impl Groups {
    /// Opens an endpoint's group, or joins it, and puts settings into force.
    pub fn open(&self, key: &EndpointKey, settings: Settings) -> Seat {
        let mut open = self.open.lock();
        let own = open.entry(key.clone());
        let own = own.or_insert_with(|| Open { group: Arc::new(Group::new(settings)), seats: 0 });
        if own.group.is_closed() {
            *own = Open { group: Arc::new(Group::new(settings)), seats: 0 };
        }
        own.seats += 1;
        own.group.set(settings);
        let group = Arc::clone(&own.group);
        drop(open);
        self.has_opened.send_replace(());
        Seat { groups: self.clone(), key: key.clone(), group }
    }

    /// Returns the group of an endpoint; `None` when this node does not work for it now.
    pub fn get(&self, key: &EndpointKey) -> Option<Arc<Group>> {
        let open = self.open.lock();
        let group = open.get(key).map(|own| Arc::clone(&own.group));
        group.filter(|group| !group.is_closed())
    }

    /// Waits until an endpoint's group is open, at most so long.
    pub async fn opened(&self, key: &EndpointKey, within: Duration) -> Option<Arc<Group>> {
        let mut opens = self.has_opened.subscribe();
        let found = async {
            loop {
                if let Some(group) = self.get(key) {
                    return Some(group);
                }
                opens.changed().await.ok()?;
            }
        };
        timeout(within, found).await.ok().flatten()
    }
}

impl Seat {
    pub const fn group(&self) -> &Arc<Group> {
        &self.group
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.groups.open.lock();
        // After it was closed another may have been opened under its name.
        let own = open.get_mut(&self.key).filter(|own| Arc::ptr_eq(&own.group, &self.group));
        let Some(own) = own else { return };
        own.seats = own.seats.saturating_sub(1);
        if own.seats == 0 {
            open.remove(&self.key);
            drop(open);
            self.group.close();
        }
    }
}
