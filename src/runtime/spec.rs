//! What is registered of an aggregate: its commands by name.

use std::panic::{AssertUnwindSafe, catch_unwind};

use utoipa::openapi::{RefOr, Schema};

use super::envelope::{Decision, Typed};
use super::error::BodyError;
use crate::aggregate::{Aggregate, Command, Decide};
use crate::json::{self, JsonFault};

/// Lists the commands of an aggregate that can be sent by name, as JSON.
pub struct AggregateSpec<A: Aggregate> {
    pub(super) commands: Vec<CommandSpec<A>>,
    pub(super) is_reserved: bool,
}

/// A command by name.
pub(super) struct CommandSpec<A: Aggregate> {
    pub name: &'static str,
    pub info: fn(&'static str) -> CommandInfo,
    pub parse: fn(&[u8]) -> Parsed<A>,
}

/// A command read from its body.
type Parsed<A> = Result<Box<dyn Decision<A>>, BodyError>;

/// Describes a command that can be sent by name.
#[derive(Clone)]
pub struct CommandInfo {
    /// The category of its aggregate.
    pub category: &'static str,
    /// Its name.
    pub command: &'static str,
    /// The name of its schema.
    pub schema_name: String,
    /// The shape of its body.
    pub schema: RefOr<Schema>,
    /// The schemas that the shape refers to, by name.
    pub referenced: Vec<(String, RefOr<Schema>)>,
}

impl<A: Aggregate> AggregateSpec<A> {
    /// Begins without commands.
    #[must_use]
    pub const fn new() -> Self {
        Self { commands: Vec::new(), is_reserved: false }
    }

    /// Reserves its category: the API appends no raw events there, so that everything in it was
    /// decided by the aggregate.
    ///
    /// For aggregates that a capability acts upon; without it, raw events may be appended to the
    /// category beside the aggregate's own.
    #[must_use]
    pub const fn reserved(mut self) -> Self {
        self.is_reserved = true;
        self
    }

    /// Adds a command; one that `A` does not decide is a compile error.
    #[must_use]
    pub fn command<C: Command>(mut self) -> Self
    where
        A: Decide<C>,
    {
        self.commands.push(CommandSpec {
            name: C::NAME,
            info: describe::<C>,
            parse: parse::<A, C>,
        });
        self
    }
}

impl<A: Aggregate> Default for AggregateSpec<A> {
    fn default() -> Self {
        Self::new()
    }
}

fn describe<C: Command>(category: &'static str) -> CommandInfo {
    let mut referenced = Vec::new();
    C::schemas(&mut referenced);
    CommandInfo {
        category,
        command: C::NAME,
        schema_name: C::name().into_owned(),
        schema: C::schema(),
        referenced,
    }
}

fn parse<A: Decide<C>, C: Command>(body: &[u8]) -> Parsed<A> {
    // A command's own `Deserialize` may be hand-written, and then it may panic.
    catch_unwind(AssertUnwindSafe(|| Ok(json::read::<C>(body)?)))
        .unwrap_or_else(|_| Err(JsonFault::whole("the command's deserializer panicked").into()))
        .map(|command| Box::new(Typed(command)) as Box<dyn Decision<A>>)
}

impl From<JsonFault> for BodyError {
    fn from(fault: JsonFault) -> Self {
        let JsonFault { pointer, problem } = fault;
        Self { pointer, problem }
    }
}
