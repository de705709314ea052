//! The segments in their order, and the head that readers watch.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::segment::Segment;
use crate::event::Position;

/// Every segment of the log, oldest first; shared by the writer and all readers.
pub struct Catalog {
    segments: RwLock<Arc<Vec<Arc<Segment>>>>,
    sender: Mutex<Option<watch::Sender<Position>>>,
    head: watch::Receiver<Position>,
}

impl Catalog {
    /// Makes a catalog of segments that follow one another.
    pub fn new(segments: Vec<Arc<Segment>>) -> Self {
        let last = segments.last().map_or(0, |segment| segment.last_position());
        let (sender, head) = watch::channel(Position::new(last));
        let segments = RwLock::new(Arc::new(segments));
        Self { segments, sender: Mutex::new(Some(sender)), head }
    }

    /// Returns the segments, oldest first.
    pub fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.segments.read().clone()
    }

    /// Adds the segment that follows the last one.
    pub fn push(&self, segment: Arc<Segment>) {
        Arc::make_mut(&mut *self.segments.write()).push(segment);
    }

    /// Returns the segment that holds a position and its place in the catalog.
    ///
    /// Positions beyond the end belong to the last segment, those before the first to it.
    pub fn holding(segments: &[Arc<Segment>], position: u64) -> usize {
        segments.partition_point(|segment| segment.base <= position).saturating_sub(1)
    }

    /// Tells everybody who watches that the log goes up to `position` now.
    pub fn show(&self, position: Position) {
        if let Some(sender) = &*self.sender.lock() {
            sender.send_replace(position);
        }
    }

    /// Returns a watch on the head.
    pub fn head(&self) -> watch::Receiver<Position> {
        self.head.clone()
    }

    /// Returns the position of the last visible event.
    pub fn position(&self) -> Position {
        *self.head.borrow()
    }

    /// Ends every watch on the head.
    pub fn close(&self) {
        self.sender.lock().take();
    }
}
