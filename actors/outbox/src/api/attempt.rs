//! What was sent to an endpoint, and what it said.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Reader;
use headwater::api::{Call, Parameters, Problem};
use headwater::event::Position;
use headwater::sql::TxEngine;
use serde::Serialize;
use utoipa::ToSchema;

use super::command::key;
use super::{after, known};
use crate::plugin::Shared;
use crate::table::{self, AttemptQuery, AttemptView, VERDICTS, verdict_name, verdict_of};
use crate::webhook::Verdict;

/// Attempts of an endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptPage)]
pub(super) struct AttemptPageDocument {
    /// The attempts, the latest first.
    attempts: Vec<AttemptView>,
    /// What to pass as `after` for the next page; null when this is the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Lists attempts, the latest first. A bounded number of them is kept.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/attempts",
    tag = "endpoints",
    operation_id = "listAttempts",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("limit" = Option<u32>, Query, description = "The most attempts", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "Only what follows the page that gave this as `next`"),
        ("before" = Option<String>, Query, description = "Only attempts that ended before this time (RFC 3339)"),
        ("position" = Option<u64>, Query, description = "Only of the event at this position"),
        ("stream" = Option<String>, Query, description = "Only of events of streams with this id"),
        ("verdict" = Option<Verdict>, Query, description = "Only those with this outcome"),
    ),
    responses(
        (status = 200, description = "A page", body = AttemptPageDocument),
        (status = 404, description = "No such endpoint"),
    ),
    security(("key" = ["read"])),
)]
pub(super) async fn list(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let known = ["limit", "after", "before", "position", "stream", "verdict"];
    let parameters = call.parameters(&known)?;
    let before = parameters.one("before")?.map(|text| {
        text.parse().map_err(|_| {
            Problem::field("query:before", "is not a time such as 2026-01-31T12:00:00Z")
        })
    });
    let query = AttemptQuery {
        before: before.transpose()?,
        after: after(&parameters)?,
        position: parameters.number("position")?.map(Position::new),
        verdict: verdict(&parameters)?,
        stream: parameters.one("stream")?.map(str::to_owned),
        limit: parameters.limit(call.limits())?,
        ..AttemptQuery::default()
    };
    let (key, limit) = (key(&caller, &call), query.limit);
    known::check(&shared, &key).await?;
    let work = move |tx: &mut dyn TxEngine| table::attempts(tx, (&key.tenant, &key.id), &query);
    let attempts = shared.database().inspect(work).await?;
    let next = attempts.last().filter(|_| attempts.len() == limit);
    let next = next.map(|attempt| attempt.place().to_string());
    call.reply(200, &AttemptPageDocument { attempts, next })
}

fn verdict(parameters: &Parameters) -> Result<Option<Verdict>, Problem> {
    let read = |name: &str| {
        verdict_of(name).ok_or_else(|| {
            let known = VERDICTS.map(verdict_name).join(", ");
            Problem::field("query:verdict", format!("is not known: known are {known}"))
        })
    };
    parameters.one("verdict")?.map(read).transpose()
}
