//! Which events an endpoint gets, ready to be asked.

use std::sync::Arc;

use headwater::event::{EventQuery, RecordedEvent, Tenant};
use headwater::store::LogRead;
use tokio::sync::oneshot;

use crate::endpoint::{EndpointRejection, Expression, Filter};

/// A filter, with its parts parsed.
#[derive(Clone, Debug)]
pub(crate) struct Sieve {
    /// Whose events; everybody's when there is none.
    tenants: Option<Vec<Tenant>>,
    query: EventQuery,
    filter: Filter,
    expression: Option<Expression>,
}

impl Sieve {
    /// Makes a sieve of the filter of an endpoint, which gets its own tenant's events unless it is
    /// the operator's.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] when the filter cannot be asked, or may not be.
    pub fn new(
        (own, operator): (&Tenant, &Tenant),
        filter: &Filter,
    ) -> Result<Self, EndpointRejection> {
        if own != operator && filter.names_others(own) {
            return Err(EndpointRejection::invalid("filter.tenants", Filter::NOT_OPERATOR));
        }
        let (query, expression) = (filter.query()?, filter.parsed_expression()?);
        let tenants = match filter.tenants.is_empty() {
            true => Some(vec![own.clone()]),
            false => filter.tenants()?,
        };
        Ok(Self { tenants, query, filter: filter.clone(), expression })
    }

    /// Leaves out of a read what the store can leave out.
    pub fn narrow(&self, read: LogRead) -> LogRead {
        let read = read.matching(self.query.clone());
        match self.tenants.as_deref() {
            Some([one]) => read.of_tenant(one.clone()),
            _ => read,
        }
    }

    /// Returns those events that the endpoint gets, each in memory of its own, so that what is
    /// kept of a read does not keep all of it.
    ///
    /// An expression that may take long is asked elsewhere: this thread works for other endpoints
    /// too.
    pub async fn pass(self: &Arc<Self>, events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        let is_slow = self.expression.as_ref().is_some_and(Expression::has_loops);
        if !is_slow || events.is_empty() {
            return self.sift(&events, || false);
        }
        let (own, (tell, told)) = (Arc::clone(self), oneshot::channel());
        tokio::task::spawn_blocking(move || {
            let passed = own.sift(&events, || tell.is_closed());
            // Nobody waits any more when the endpoint is gone.
            let _ = tell.send(passed);
        });
        match told.await {
            Ok(passed) => passed,
            // The runtime ends. Nothing may go on as if these events had been looked at.
            Err(error) => {
                tracing::error!(%error, "events were not looked at: their endpoint waits");
                std::future::pending().await
            }
        }
    }

    /// Asks of each event, until that is of no more use.
    fn sift(&self, events: &[RecordedEvent], is_over: impl Fn() -> bool) -> Vec<RecordedEvent> {
        let asked = events.iter().take_while(|_| !is_over());
        asked.filter(|event| self.lets_through(event)).map(RecordedEvent::detached).collect()
    }

    fn lets_through(&self, event: &RecordedEvent) -> bool {
        let is_own = |own: &[Tenant]| own.iter().any(|own| own.as_str() == event.tenant());
        self.tenants.as_deref().is_none_or(is_own)
            && self.filter.takes_category(event.category())
            && self.query.matches(event)
            && self.expression.as_ref().is_none_or(|own| own.matches(event))
    }
}
