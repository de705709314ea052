//! Rooms that hold ten people, and how many came into each: a whole program on Headwater.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use headwater::aggregate::{Aggregate, Command, Context, Decide, Rejection};
use headwater::api::{ApiConfig, keys, serve};
use headwater::clock::{Clock, SystemClock};
use headwater::event::{Recorded, Tenant};
use headwater::projection::{ProjectionError, RowProjection};
use headwater::runtime::{AggregateSpec, System};
use headwater::sql::SqliteConfig;
use headwater::store::log::{LogConfig, LogStore};
use serde::{Deserialize, Serialize};

/// What can happen, in the past tense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum RoomEvent {
    Entered { people: u32 },
    Left { people: u32 },
}

// Every shape that may lie on disk, with the version of its fields.
headwater::event_schema! { RoomEvent in "room" { Entered = 1, Left = 1 } }

/// What can be asked, in the imperative. The name is the last part of its address.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
struct Enter {
    people: u32,
}

impl Command for Enter {
    const NAME: &'static str = "enter";
}

#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
struct Leave {
    people: u32,
}

impl Command for Leave {
    const NAME: &'static str = "leave";
}

/// How the rules say no. Text and code are shown to the caller.
#[derive(Debug, PartialEq, thiserror::Error)]
enum Refused {
    #[error("room has place for {places} more")]
    Full { places: u32 },
    #[error("only {inside} are inside")]
    NotInside { inside: u32 },
}

impl Rejection for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Full { .. } => "full",
            Self::NotInside { .. } => "not-inside",
        }
    }
}

const PEOPLE_MAX: u32 = 10;

/// What the events add up to: only what the rules need.
#[derive(Default)]
struct Room {
    inside: u32,
}

impl Aggregate for Room {
    type Event = RoomEvent;
    type Rejection = Refused;

    fn evolve(&mut self, event: &RoomEvent) {
        self.inside = match event {
            RoomEvent::Entered { people } => self.inside.saturating_add(*people),
            RoomEvent::Left { people } => self.inside.saturating_sub(*people),
        }
    }
}

impl Decide<Enter> for Room {
    fn decide(&self, Enter { people }: Enter, _: &Context) -> Result<Vec<RoomEvent>, Refused> {
        let places = PEOPLE_MAX.saturating_sub(self.inside);
        match people {
            0 => Ok(vec![]),
            people if people > places => Err(Refused::Full { places }),
            people => Ok(vec![RoomEvent::Entered { people }]),
        }
    }
}

impl Decide<Leave> for Room {
    fn decide(&self, Leave { people }: Leave, _: &Context) -> Result<Vec<RoomEvent>, Refused> {
        match people {
            0 => Ok(vec![]),
            people if people > self.inside => Err(Refused::NotInside { inside: self.inside }),
            people => Ok(vec![RoomEvent::Left { people }]),
        }
    }
}

/// A read model: how many people came into each room, over all time.
struct Visits;

impl RowProjection for Visits {
    const NAME: &'static str = "visits";
    const VERSION: u32 = 1;
    type Event = RoomEvent;
    type Key = String;
    type Row = u64;

    fn route(&self, event: &Recorded<RoomEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        _: &String,
        row: &mut Option<u64>,
        event: &Recorded<RoomEvent>,
    ) -> Result<(), ProjectionError> {
        if let RoomEvent::Entered { people } = event.data {
            *row.get_or_insert(0) += u64::from(people);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let log = Arc::new(LogStore::open(LogConfig::new("rooms-data/log"))?);
    let database = SqliteConfig::at("rooms-data/read.sqlite").open()?;
    let rooms = AggregateSpec::<Room>::new().command::<Enter>().command::<Leave>();
    let builder = System::builder(log.clone(), database.clone()).aggregate(rooms).rows(Visits);
    let system = builder.start().await?;

    let now = SystemClock.now();
    if let Some(key) = keys::create_first(&database, Tenant::default_tenant(), now).await? {
        println!("key, shown this once: {}", key.text.reveal());
    }
    let server = serve(system.clone(), ApiConfig::default()).await?;
    println!("serving on http://{}, stop with Ctrl-C", server.address());

    tokio::signal::ctrl_c().await?;
    server.stop().await;
    system.shutdown(Duration::from_secs(10)).await;
    log.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use headwater::test::{given, given_nothing, given_rows, golden};

    use super::*;

    const ENTERED: RoomEvent = RoomEvent::Entered { people: 4 };
    const LEFT: RoomEvent = RoomEvent::Left { people: 4 };

    #[test]
    fn people_enter_while_there_is_room() {
        given_nothing::<Room>().when(Enter { people: 4 }).then([ENTERED]);
        given::<Room>([ENTERED, ENTERED])
            .when(Enter { people: 3 })
            .then_rejected(Refused::Full { places: 2 });
        given::<Room>([ENTERED]).when(Enter { people: 0 }).then_nothing();
    }

    #[test]
    fn only_who_is_inside_can_leave() {
        given::<Room>([ENTERED]).when(Leave { people: 4 }).then([LEFT]);
        given::<Room>([ENTERED, LEFT])
            .when(Leave { people: 1 })
            .then_rejected(Refused::NotInside { inside: 0 });
        given::<Room>([ENTERED]).when(Leave { people: 0 }).then_nothing();
    }

    #[test]
    fn every_visit_counts() {
        let visits = given_rows(Visits).events("hall", [ENTERED, LEFT, ENTERED]);
        visits.then_row(&"hall".to_owned(), &8);
    }

    #[test]
    fn every_shape_of_a_room_event_has_its_golden_file() {
        golden::check("schema/events", [ENTERED, LEFT]);
    }
}
