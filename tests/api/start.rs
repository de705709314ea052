//! What keeps a server from starting.

use headwater::aggregate::{Aggregate, Context, Decide};
use headwater::api::{ApiConfig, ServeError, serve};
use headwater::runtime::{AggregateSpec, System};
use headwater::store::MemoryStore;
use serde::{Deserialize, Serialize};

use crate::domain::{Full, Pay};
use crate::server::Server;

#[derive(Clone, Serialize, Deserialize)]
enum EventsEvent {
    Happened {},
}

headwater::event_schema! { EventsEvent in "events" { Happened = 1 } }

#[derive(Default)]
struct Events;

impl Aggregate for Events {
    type Event = EventsEvent;
    type Rejection = Full;

    fn evolve(&mut self, _: &EventsEvent) {}
}

impl Decide<Pay> for Events {
    fn decide(&self, _: Pay, _: &Context) -> Result<Vec<EventsEvent>, Full> {
        Ok(vec![EventsEvent::Happened {}])
    }
}

#[test]
fn an_aggregate_with_the_name_of_a_fixed_address_keeps_the_server_from_starting() {
    let server = Server::start();
    let spec = AggregateSpec::<Events>::new().command::<Pay>();
    let refused = server.runtime.block_on(async {
        let system = System::builder(MemoryStore::shared(), server.database.clone())
            .aggregate(spec)
            .start()
            .await
            .unwrap();
        serve(system, ApiConfig::default()).await.err().unwrap()
    });
    assert!(matches!(refused, ServeError::Reserved { name: "events" }));
}

#[test]
fn an_address_that_is_taken_keeps_the_server_from_starting() {
    let server = Server::start();
    let address = server.api.as_ref().unwrap().address();
    let config = ApiConfig { address, ..ApiConfig::default() };
    let started = serve(server.system.clone(), config);
    let refused = server.runtime.block_on(started).err().unwrap();
    assert!(refused.to_string().starts_with(&format!("cannot listen on {address}: ")));
}
