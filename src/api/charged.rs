//! Replies that are charged to the budget for as long as the client has not taken them.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use bytes::Bytes;

use super::budget::Held;
use super::keys::Caller;
use super::{ApiState, Problem};

/// Replies up to this size are not worth counting.
const FREE: usize = 16 << 10;

/// What is handed to the connection at once: it asks for more when most of it was taken.
const PART: usize = 32 << 10;

/// A reply in parts, charged until the last one was handed over.
struct Charged {
    rest: Bytes,
    _held: Held,
}

/// Charges a reply to its tenant; a reply for which there is no room is dropped.
pub(super) fn charge(
    state: &ApiState,
    response: ServiceResponse<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Problem> {
    let BodySize::Sized(len) = response.response().body().size() else { return Ok(response) };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len <= FREE {
        return Ok(response);
    }
    let caller = response.request().extensions().get::<Caller>().cloned();
    let tenant = caller.as_ref().map_or(&state.config.operator, Caller::tenant);
    let held = state.budget.take_now(tenant, len)?;
    Ok(response.map_body(|_, body| match body.try_into_bytes() {
        Ok(rest) => BoxBody::new(Charged { rest, _held: held }),
        Err(body) => body,
    }))
}

impl MessageBody for Charged {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let len = self.rest.len().min(PART);
        Poll::Ready(Some(Ok(self.rest.split_to(len))))
    }
}
