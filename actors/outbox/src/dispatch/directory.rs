//! The endpoints there are, folded from their events, the same on every node.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater::aggregate::Aggregate;
use headwater::event::{Category, Event, EventQuery, Position, QueryItem, RecordedEvent, Revision};
use headwater::runtime::{ActorContext, ActorError, ActorResult, ActorSpec, System};
use headwater::store::{LogRead, SharedStore, StreamRead};
use jiff::Timestamp;
use tokio::sync::watch;

use super::shard::shard_of;
use super::tail::Tail;
use crate::endpoint::{CATEGORY, Endpoint, EndpointEvent, Order};
use crate::table::{self, EndpointKey};

/// The name of the actor that keeps it.
const ACTOR: &str = "outbox directory";
/// Orders of an endpoint that are remembered; older ones are long done.
const ORDERS_KEPT: usize = 1_000;
const PAGE_EVENTS: usize = 1_000;

/// An endpoint as its events say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registered {
    pub endpoint: Endpoint,
    /// Which shard works for it.
    pub shard: u32,
    /// Where its registration lies.
    pub at: Position,
    /// The last revision that was folded.
    pub revision: Revision,
    /// When it was resumed last.
    pub resumed_at: Option<Timestamp>,
    /// What operators ordered, the oldest first.
    pub orders: Vec<Ordered>,
}

/// An order, and where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub revision: Revision,
    pub position: Position,
    pub order: Order,
}

/// All endpoints, up to a position of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub endpoints: BTreeMap<EndpointKey, Arc<Registered>>,
    pub position: Position,
    /// Raised by every event of an endpoint.
    pub generation: u64,
    /// Whether everything that was there at the start is in it.
    pub is_complete: bool,
}

/// The endpoints there are, and the end of the log; cheap to clone.
#[derive(Clone)]
pub(crate) struct Directory {
    view: Arc<watch::Sender<Arc<View>>>,
    tail: Tail,
}

impl Directory {
    /// Makes one that knows of nothing until its actor runs.
    pub fn new() -> Self {
        Self { view: Arc::new(watch::Sender::default()), tail: Tail::new() }
    }

    /// Returns the end of the log.
    pub const fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Watches the endpoints.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    /// Returns an endpoint; `None` when it is not known.
    pub fn get(&self, key: &EndpointKey) -> Option<Arc<Registered>> {
        self.view.borrow().endpoints.get(key).cloned()
    }

    /// Describes the actor that keeps it.
    pub fn actor(&self) -> ActorSpec {
        let own = self.clone();
        ActorSpec::new(ACTOR, move |actor| own.clone().run(actor))
    }

    async fn run(self, actor: ActorContext) -> ActorResult {
        let Some(system) = actor.system.upgrade() else { return Ok(()) };
        let store = Arc::clone(system.store());
        let mut view = self.load(&system).await.map_err(|error| ActorError(error.to_string()))?;
        // The actor must not keep the system running.
        drop(system);
        search(&store, &mut view, &actor).await?;
        view.is_complete = true;
        // Whoever watches compares generations, also across a restart of this actor.
        view.generation += self.view.borrow().generation + 1;
        let from = view.position;
        self.view.send_replace(Arc::new(view));
        let follow = self.tail.run(store, from, |page| {
            actor.heartbeat.beat();
            self.take(page);
        });
        tokio::select! {
            () = actor.heartbeat.idle(actor.stopped()) => Ok(()),
            end = follow => end.map_err(|error| ActorError(error.to_string())),
        }
    }

    /// Folds the endpoints that the tables know of.
    async fn load(&self, system: &System) -> Result<View, Box<dyn std::error::Error>> {
        let (keys, position) = system.database().inspect(table::known).await?;
        let mut view = View { position, ..View::default() };
        for key in keys {
            let stream = headwater::event::StreamId::new(CATEGORY, &*key.id)?;
            let mut from = Revision::ZERO;
            loop {
                let (tenant, stream) = (key.tenant.clone(), stream.clone());
                let read = StreamRead::after(tenant, stream, from, PAGE_EVENTS);
                let page = system.store().read_stream(read).await?;
                page.events.iter().for_each(|event| view.fold(event));
                match page.next {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        Ok(view)
    }

    /// Folds what a page says of endpoints.
    fn take(&self, page: &super::tail::Page) {
        let of_endpoints = || page.events.iter().filter(|event| event.category() == CATEGORY);
        let has_any = of_endpoints().next().is_some();
        self.view.send_if_modified(|view| {
            let view = Arc::make_mut(view);
            of_endpoints().for_each(|event| view.fold(event));
            view.position = page.next;
            has_any
        });
    }
}

/// Folds what the log says of endpoints behind the place of a view, up to the log's end.
async fn search(store: &SharedStore, view: &mut View, actor: &ActorContext) -> ActorResult {
    let categories = Category::new(CATEGORY).into_iter().collect();
    let query = EventQuery { items: vec![QueryItem { categories, ..QueryItem::default() }] };
    loop {
        let read = LogRead::after(view.position, PAGE_EVENTS).matching(query.clone());
        let page = store.read_log(read).await.map_err(|error| ActorError(error.to_string()))?;
        actor.heartbeat.beat();
        page.events.iter().for_each(|event| view.fold(event));
        view.position = page.next;
        if page.is_end || actor.is_stopped() {
            return Ok(());
        }
    }
}

impl View {
    /// Folds an event of an endpoint, once.
    fn fold(&mut self, event: &RecordedEvent) {
        let Ok(tenant) = event.tenant_name() else { return };
        let key = EndpointKey { tenant, id: event.stream_id().into() };
        let own = self.endpoints.entry(key).or_insert_with_key(|key| {
            Arc::new(Registered { shard: shard_of(key), ..Registered::default() })
        });
        let own = Arc::make_mut(own);
        if event.revision() <= own.revision {
            return;
        }
        own.revision = event.revision();
        self.generation += 1;
        let data = EndpointEvent::decode(event.event_type(), event.version(), event.data());
        match data {
            Ok(data) => own.take(&data, event),
            // Another program wrote it, or a newer one: it means nothing here.
            Err(error) => tracing::warn!(
                stream = event.stream_id(), position = %event.position(), %error,
                "event of an endpoint was passed over"
            ),
        }
    }
}

impl Registered {
    fn take(&mut self, data: &EndpointEvent, event: &RecordedEvent) {
        self.endpoint.evolve(data);
        match data {
            EndpointEvent::Registered { .. } => self.at = event.position(),
            EndpointEvent::Resumed {} => self.resumed_at = Some(event.recorded_at()),
            EndpointEvent::Ordered { order } => {
                let (revision, position) = (event.revision(), event.position());
                self.orders.push(Ordered { revision, position, order: order.clone() });
                let spare = self.orders.len().saturating_sub(ORDERS_KEPT);
                self.orders.drain(..spare);
            }
            _ => {}
        }
    }
}
