//! The shop in memory: commands decided, events folded, rows kept; for tests of whole files.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use headwater::aggregate::{Aggregate, Command, Context, Decide};
use headwater::event::{Event, Metadata, StreamId, Tenant};
use headwater::test::{GivenRows, given_rows};
use headwater_shop::customer::Customer;
use headwater_shop::money::Money;
use headwater_shop::order::Order;
use headwater_shop::product::Product;
use headwater_shop::read_model::{Customers, Orders, Products, Revenue};
use headwater_shop::retail::ShopCommand;

/// All aggregates and the rows that follow.
pub struct Book {
    orders: HashMap<String, Order>,
    customers: HashMap<String, Customer>,
    products: HashMap<String, Product>,
    rows: Option<Rows>,
}

/// The rows of every row-form read model.
pub struct Rows {
    pub orders: GivenRows<Orders>,
    pub customers: GivenRows<Customers>,
    pub products: GivenRows<Products>,
    pub revenue: GivenRows<Revenue>,
}

impl Book {
    pub fn new() -> Self {
        let rows = Rows {
            orders: given_rows(Orders),
            customers: given_rows(Customers),
            products: given_rows(Products),
            revenue: given_rows(Revenue),
        };
        Self {
            orders: HashMap::new(),
            customers: HashMap::new(),
            products: HashMap::new(),
            rows: Some(rows),
        }
    }

    /// Sends a command; the test fails when it is refused.
    pub fn send(&mut self, command: ShopCommand) {
        let id = command.id().to_owned();
        match command {
            ShopCommand::Register(_, asked) => self.customer(&id, asked),
            ShopCommand::Move(_, asked) => self.customer(&id, asked),
            ShopCommand::Add(_, asked) => self.product(&id, asked),
            ShopCommand::Describe(_, asked) => self.product(&id, asked),
            ShopCommand::Place(_, asked) => self.order(&id, asked),
            ShopCommand::ReturnLines(_, asked) => self.order(&id, asked),
            ShopCommand::Cancel(_, asked) => self.order(&id, asked),
            ShopCommand::AdjustDebt(_, asked) => self.order(&id, asked),
            ShopCommand::AdjustStock(_, asked) => self.order(&id, asked),
        }
    }

    pub fn rows(self) -> Rows {
        self.rows.unwrap()
    }

    fn order<C: Command>(&mut self, id: &str, command: C)
    where
        Order: Decide<C>,
    {
        let events = decide(&mut self.orders, id, command);
        self.rows = self.rows.take().map(|rows| rows.apply(id, &events));
    }

    fn customer<C: Command>(&mut self, id: &str, command: C)
    where
        Customer: Decide<C>,
    {
        let events = decide(&mut self.customers, id, command);
        self.rows = self.rows.take().map(|rows| rows.apply(id, &events));
    }

    fn product<C: Command>(&mut self, id: &str, command: C)
    where
        Product: Decide<C>,
    {
        let events = decide(&mut self.products, id, command);
        self.rows = self.rows.take().map(|rows| rows.apply(id, &events));
    }
}

impl Rows {
    /// Gives events to every read model; each takes what it subscribes to.
    fn apply<E: Event>(self, id: &str, events: &[E]) -> Self {
        Self {
            orders: self.orders.events(id, events.to_vec()),
            customers: self.customers.events(id, events.to_vec()),
            products: self.products.events(id, events.to_vec()),
            revenue: self.revenue.events(id, events.to_vec()),
        }
    }

    /// Returns the net revenue by local month.
    pub fn months(&self) -> BTreeMap<String, Money> {
        let mut months = BTreeMap::new();
        for row in self.revenue.rows().values() {
            *months.entry(row.month.clone()).or_default() += row.net;
        }
        months
    }

    /// Returns the total of each read model that holds all of it: orders, products, revenue.
    pub fn totals(&self) -> [Money; 3] {
        [
            self.orders.rows().values().map(|row| row.total).sum(),
            self.products.rows().values().map(|row| row.revenue).sum(),
            self.revenue.rows().values().map(|row| row.net).sum(),
        ]
    }
}

fn decide<A, C>(aggregates: &mut HashMap<String, A>, id: &str, command: C) -> Vec<A::Event>
where
    A: Decide<C> + Aggregate<Rejection: Debug>,
    C: Command,
{
    let context = Context {
        now: jiff::Timestamp::UNIX_EPOCH,
        tenant: Tenant::default_tenant(),
        stream: StreamId::new(A::Event::CATEGORY, id).unwrap(),
        metadata: Metadata::default(),
    };
    let state = aggregates.entry(id.to_owned()).or_default();
    let events = state.decide(command, &context).unwrap();
    events.iter().for_each(|event| state.evolve(event));
    events
}
