//! What consumers say of the events that they took.

use std::time::Duration;

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Writer;
use headwater::api::{Call, Problem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::command::key;
use super::document::wall;
use super::place::{self, Place};
use crate::plugin::Shared;
use crate::pull::{Answer, Group, Nack, Token, TokenError};

/// The most deliveries of one request.
const DELIVERIES_MAX: usize = 1_000;
/// The most bytes of a reason.
const REASON_LEN_MAX: usize = 500;
/// The longest delay that a consumer may ask for, in seconds.
const RETRY_AFTER_S_MAX: u32 = 3_600;

/// What became of deliveries, at most 1,000 in all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcknowledgementBody)]
pub(in crate::api) struct AckBody {
    /// Those that the consumer has dealt with.
    #[serde(default)]
    acks: Vec<String>,
    /// Those that it could not deal with.
    #[serde(default)]
    nacks: Vec<NackBody>,
    /// Those that it still works at: it has the whole time again.
    #[serde(default)]
    extend: Vec<String>,
}

/// A delivery that the consumer could not deal with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NegativeAcknowledgement)]
struct NackBody {
    /// Which.
    delivery: String,
    /// How long to wait at least before it is delivered again, in seconds; the schedule decides
    /// alone when absent.
    #[schema(maximum = 3600)]
    retry_after_s: Option<u32>,
    /// Whether it is of no use to deliver it again: it is a dead letter at once.
    #[serde(default)]
    is_hopeless: bool,
    /// Why, for people, at most 500 bytes.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// What was made of it, in the order of the request: acks, nacks, extend.
#[derive(Serialize, ToSchema)]
#[schema(as = AcknowledgementResults)]
pub(in crate::api) struct AckDocument {
    results: Vec<ResultDocument>,
}

/// What was made of one delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = AcknowledgementResult)]
struct ResultDocument {
    /// Which.
    delivery: String,
    /// Whether it counts.
    outcome: OutcomeDocument,
    /// Until when the consumer has it, when it was extended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledge_by: Option<Timestamp>,
}

/// Whether what was said of a delivery counts.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AcknowledgementOutcome)]
enum OutcomeDocument {
    /// It counts.
    Ok,
    /// The time was over, or its connection broke, or the server was started again: the event is
    /// delivered again, or was dealt with by another.
    Gone,
}

/// One thing that a consumer says.
enum Said {
    Ack,
    Nack(Nack),
    Extend,
}

/// Says what became of deliveries. Said again, it does no harm.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/acks",
    tag = "endpoints",
    operation_id = "acknowledgeEvents",
    params(("id" = String, Path, description = "The endpoint")),
    request_body(content = AckBody),
    responses(
        (status = 200, description = "What was made of each", body = AckDocument),
        (status = 307, description = "Another node works for the endpoint: tell it in the same way", headers(("Location" = String, description = "Where"))),
        (status = 404, description = "No such endpoint"),
        (status = 503, description = "No node works for the endpoint now"),
    ),
    security(("key" = ["write"])),
)]
pub(in crate::api) async fn acknowledge(
    Writer(caller): Writer,
    shared: Data<Shared>,
    mut call: Call,
) -> Result<HttpResponse, Problem> {
    let group = match place::find(&shared, &call, &key(&caller, &call)).await? {
        Place::Here(group) => group,
        Place::There(reply) => return Ok(reply),
    };
    let body: AckBody = call.body().await?;
    let said = body.said()?;
    let results = said.into_iter().map(|(token, said)| result(&group, token, said)).collect();
    call.reply(200, &AckDocument { results })
}

impl AckBody {
    /// Checks everything before any of it counts.
    fn said(self) -> Result<Vec<(Token, Said)>, Problem> {
        let count = self.acks.len() + self.nacks.len() + self.extend.len();
        if !(1..=DELIVERIES_MAX).contains(&count) {
            let detail = format!("names {count} deliveries: name 1 to {DELIVERIES_MAX}");
            return Err(Problem::field("/acks", detail));
        }
        let mut said = Vec::with_capacity(count);
        for (number, text) in self.acks.iter().enumerate() {
            said.push((token(format!("/acks/{number}"), text)?, Said::Ack));
        }
        for (number, nack) in self.nacks.into_iter().enumerate() {
            let pointer = format!("/nacks/{number}");
            let token = token(format!("{pointer}/delivery"), &nack.delivery)?;
            said.push((token, Said::Nack(nack.checked(&pointer)?)));
        }
        for (number, text) in self.extend.iter().enumerate() {
            said.push((token(format!("/extend/{number}"), text)?, Said::Extend));
        }
        Ok(said)
    }
}

impl NackBody {
    fn checked(self, pointer: &str) -> Result<Nack, Problem> {
        if self.retry_after_s.is_some_and(|seconds| seconds > RETRY_AFTER_S_MAX) {
            let detail = format!("is not within 0 to {RETRY_AFTER_S_MAX}");
            return Err(Problem::field(format!("{pointer}/retry_after_s"), detail));
        }
        let is_wrong =
            |text: &String| text.len() > REASON_LEN_MAX || text.chars().any(char::is_control);
        if self.reason.as_ref().is_some_and(is_wrong) {
            let detail =
                format!("must have at most {REASON_LEN_MAX} bytes and no control character");
            return Err(Problem::field(format!("{pointer}/reason"), detail));
        }
        let retry_after = self.retry_after_s.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(Nack { reason: self.reason, retry_after, is_hopeless: self.is_hopeless })
    }
}

fn token(pointer: String, text: &str) -> Result<Token, Problem> {
    text.parse().map_err(|error: TokenError| Problem::field(pointer, error.to_string()))
}

fn result(group: &Group, token: Token, said: Said) -> ResultDocument {
    let answer = match said {
        Said::Ack => group.acknowledge(token),
        Said::Nack(nack) => group.reject(token, nack),
        Said::Extend => group.extend(token),
    };
    let (outcome, until) = match answer {
        Answer::Done => (OutcomeDocument::Ok, None),
        Answer::Extended(until) => (OutcomeDocument::Ok, Some(until)),
        Answer::Gone => (OutcomeDocument::Gone, None),
    };
    ResultDocument { delivery: token.to_string(), outcome, acknowledge_by: until.map(wall) }
}
