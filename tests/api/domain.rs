//! A small domain: tills that money is paid into.

use headwater::aggregate::{Aggregate, Command, Context, Decide, Rejection};
use headwater::event::Recorded;
use headwater::event_schema;
use headwater::projection::{ProjectionError, RowProjection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum TillEvent {
    Paid { amount: u64 },
}

event_schema! { TillEvent in "till" { Paid = 1 } }

#[derive(Default)]
pub struct Till {
    balance: u64,
}

/// Puts money in; refused beyond 1000, a panic at 666, nothing to do at 0.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    pub amount: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("till holds at most 1000: {0} is too much")]
pub struct Full(u64);

impl Aggregate for Till {
    type Event = TillEvent;
    type Rejection = Full;

    fn evolve(&mut self, event: &TillEvent) {
        let TillEvent::Paid { amount } = event;
        self.balance += amount;
    }
}

impl Decide<Pay> for Till {
    fn decide(&self, pay: Pay, _: &Context) -> Result<Vec<TillEvent>, Full> {
        match self.balance + pay.amount {
            _ if pay.amount == 0 => Ok(Vec::new()),
            _ if pay.amount == 666 => panic!("asked to panic"),
            sum if sum > 1000 => Err(Full(sum)),
            _ => Ok(vec![TillEvent::Paid { amount: pay.amount }]),
        }
    }
}

impl Command for Pay {
    const NAME: &'static str = "pay";
}

impl Rejection for Full {
    fn code(&self) -> &'static str {
        "till-full"
    }
}

/// The balance of each till.
pub struct Tills;

#[derive(Serialize, Deserialize)]
pub struct TillRow {
    balance: u64,
    level: String,
}

impl RowProjection for Tills {
    const NAME: &'static str = "tills";
    const VERSION: u32 = 1;
    const INDEXES: &'static [&'static str] = &["level"];
    type Event = TillEvent;
    type Key = String;
    type Row = TillRow;

    fn route(&self, event: &Recorded<TillEvent>) -> impl IntoIterator<Item = String> {
        [event.stream_id().to_owned()]
    }

    fn evolve(
        &self,
        _: &String,
        row: &mut Option<TillRow>,
        event: &Recorded<TillEvent>,
    ) -> Result<(), ProjectionError> {
        let TillEvent::Paid { amount } = event.data;
        let balance = row.as_ref().map_or(0, |row| row.balance) + amount;
        let level = if balance < 100 { "low" } else { "high" };
        *row = Some(TillRow { balance, level: level.to_owned() });
        Ok(())
    }
}
