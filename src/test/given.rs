//! Given, when, then: the rules of an aggregate as sentences, without store or actor.
//!
//! Three questions are asked of every command: does it lead to the right events, does it say
//! no when it must, does it stay quiet when there is nothing to do.
//!
//! ```
//! use headwater::aggregate::{Aggregate, Command, Context, Decide, Rejection};
//! use headwater::test::{given, given_nothing};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
//! enum LampEvent { Lit {} }
//! headwater::event_schema! { LampEvent in "lamp" { Lit = 1 } }
//!
//! #[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
//! struct Light { fuel: u32 }
//! impl Command for Light { const NAME: &'static str = "light"; }
//!
//! #[derive(Debug, PartialEq, thiserror::Error)]
//! #[error("lamp has no fuel: fill it first")]
//! struct NoFuel;
//! impl Rejection for NoFuel { fn code(&self) -> &'static str { "no-fuel" } }
//!
//! #[derive(Default)]
//! struct Lamp { lit: bool }
//! impl Aggregate for Lamp {
//!     type Event = LampEvent;
//!     type Rejection = NoFuel;
//!     fn evolve(&mut self, LampEvent::Lit {}: &LampEvent) { self.lit = true; }
//! }
//! impl Decide<Light> for Lamp {
//!     fn decide(&self, Light { fuel }: Light, _: &Context) -> Result<Vec<LampEvent>, NoFuel> {
//!         match fuel {
//!             _ if self.lit => Ok(vec![]),
//!             0 => Err(NoFuel),
//!             _ => Ok(vec![LampEvent::Lit {}]),
//!         }
//!     }
//! }
//!
//! given_nothing::<Lamp>().when(Light { fuel: 1 }).then([LampEvent::Lit {}]);
//! given_nothing::<Lamp>().when(Light { fuel: 0 }).then_rejected(NoFuel);
//! given::<Lamp>([LampEvent::Lit {}]).when(Light { fuel: 1 }).then_nothing();
//! ```

use std::fmt::Debug;

use jiff::Timestamp;

use crate::aggregate::{Aggregate, Command, Context, Decide};
use crate::event::{Event, Metadata, NameError, StreamId, Tenant};

/// An aggregate with its history; the next step is [`when`](Given::when).
pub struct Given<A: Aggregate> {
    state: A,
    context: Context,
}

/// What an aggregate answered; the next step is one of the `then`s.
///
/// They panic, as an assertion does, when the answer is another one. Each gives the history
/// back, with the new events if there are any, so that the next `when` can follow.
#[must_use = "say then"]
pub struct When<A: Aggregate> {
    given: Given<A>,
    answer: Result<Vec<A::Event>, A::Rejection>,
}

/// Starts from a history.
///
/// The context is fixed: the time is 2020-01-01 00:00 UTC, the tenant `default`, the stream
/// `category/1`, the metadata empty. [`Given::at`] and [`Given::with_context`] change it.
///
/// # Panics
/// If the category of the aggregate's events is not a valid name.
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let context = match fixed_context(A::Event::CATEGORY) {
        Ok(context) => context,
        Err(error) => fail(&format!("category {:?}: {error}", A::Event::CATEGORY)),
    };
    let mut given = Given { state: A::default(), context };
    given.fold(&events.into_iter().collect::<Vec<_>>());
    given
}

/// Starts from an empty history.
///
/// # Panics
/// If the category of the aggregate's events is not a valid name.
#[track_caller]
pub fn given_nothing<A: Aggregate>() -> Given<A> {
    given([])
}

impl<A: Aggregate> Given<A> {
    /// Sets the time at which the next commands are decided.
    pub const fn at(mut self, now: Timestamp) -> Self {
        self.context.now = now;
        self
    }

    /// Sets all that a decision may know besides state and command.
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Asks the aggregate to decide a command.
    pub fn when<C: Command>(self, command: C) -> When<A>
    where
        A: Decide<C>,
    {
        let answer = self.state.decide(command, &self.context);
        When { given: self, answer }
    }

    /// Returns the state that the history adds up to.
    #[must_use]
    pub const fn state(&self) -> &A {
        &self.state
    }

    fn fold(&mut self, events: &[A::Event]) {
        events.iter().for_each(|event| self.state.evolve(event));
    }
}

impl<A: Aggregate<Event: Debug + PartialEq, Rejection: Debug>> When<A> {
    /// Asserts that the command led to exactly these events, in this order.
    ///
    /// # Panics
    /// If it led to others or was refused.
    #[track_caller]
    pub fn then(mut self, expected: impl IntoIterator<Item = A::Event>) -> Given<A> {
        let expected: Vec<_> = expected.into_iter().collect();
        match &self.answer {
            Err(rejection) => {
                fail(&format!("expected {expected:#?}\nbut it was rejected: {rejection:?}"))
            }
            Ok(events) if *events != expected => fail(&difference(&expected, events)),
            Ok(events) => self.given.fold(events),
        }
        self.given
    }

    /// Asserts that the command was allowed and led to no event.
    ///
    /// # Panics
    /// If it led to events or was refused.
    #[track_caller]
    pub fn then_nothing(self) -> Given<A> {
        self.then([])
    }

    /// Asserts that the command was refused with exactly this rejection.
    ///
    /// # Panics
    /// If it was allowed or refused otherwise.
    #[track_caller]
    pub fn then_rejected(self, expected: A::Rejection) -> Given<A>
    where
        A::Rejection: PartialEq,
    {
        match &self.answer {
            Err(rejection) if *rejection == expected => self.given,
            Err(rejection) => fail(&format!("expected {expected:?}\n but was {rejection:?}")),
            Ok(events) => fail(&format!("expected {expected:?}\nbut it led to {events:#?}")),
        }
    }
}

fn fixed_context(category: &str) -> Result<Context, NameError> {
    Ok(Context {
        now: Timestamp::constant(1_577_836_800, 0),
        tenant: Tenant::default_tenant(),
        stream: StreamId::new(category, "1")?,
        metadata: Metadata::default(),
    })
}

/// Ends the test: an assertion about the test's subject that does not hold, told in words.
#[track_caller]
pub(super) fn fail(told: &str) -> ! {
    assert!(told.is_empty(), "{told}");
    // Only without words, which no caller does: there is nothing to go on with.
    std::process::abort()
}

/// Shows two lists of values line by line: `-` is missing, `+` is too much.
pub(super) fn difference<T: Debug>(expected: &[T], found: &[T]) -> String {
    let (expected, found) = (format!("{expected:#?}"), format!("{found:#?}"));
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = expected.iter().zip(&found).take_while(same).count();
    let (old, new) =
        (expected.get(head..).unwrap_or_default(), found.get(head..).unwrap_or_default());
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    let part = |sign: char, lines: &[&str]| -> Vec<String> {
        let kept = lines.len().saturating_sub(tail);
        lines.iter().take(kept).map(|line| format!("{sign} {line}")).collect()
    };
    let same =
        |lines: &[&str]| -> Vec<String> { lines.iter().map(|line| format!("  {line}")).collect() };
    let mut out = vec!["events differ (- expected, + found):".to_owned()];
    out.extend(same(expected.get(..head).unwrap_or_default()));
    out.extend(part('-', old));
    out.extend(part('+', new));
    out.extend(same(old.get(old.len().saturating_sub(tail)..).unwrap_or_default()));
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_shows_only_what_differs_as_different() {
        let told = difference(&[1, 2, 3], &[1, 4, 3]);
        let lines: Vec<_> = told.lines().skip(1).collect();
        assert_eq!(lines, ["  [", "      1,", "-     2,", "+     4,", "      3,", "  ]"]);
    }

    #[test]
    fn a_difference_of_lengths_shows_what_is_too_much() {
        let told = difference(&[1], &[1, 1]);
        assert_eq!(told.lines().filter(|line| line.starts_with('+')).count(), 1);
        assert_eq!(told.lines().filter(|line| line.starts_with('-')).count(), 0);
    }
}
