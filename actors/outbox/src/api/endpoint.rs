//! Endpoints: registered, changed, paused, resumed, disabled, removed.

use headwater::aggregate::{Command, Decide, Receipt};
use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::{Admin, Caller, Reader};
use headwater::api::{Call, Problem, ProblemKind};
use headwater::event::{EventId, Tenant};
use headwater::projection::RowQuery;
use headwater::runtime::{SendError, SendOptions, System};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::document::{
    EndpointBody, EndpointDocument, NewEndpointDocument, ReceiptDocument, invalid, unsealed,
};
use super::handshake::ask;
use super::lookup::{self, READ_MODEL};
use crate::endpoint::{
    Change, Disable, DisableCause, Endpoint, EndpointRejection, Pause, Register, Remove, Resume,
    RotateSecret,
};
use crate::plugin::Shared;
use crate::secret::{Sealed, SecretError, SecretKind, SigningSecret};
use crate::table::EndpointKey;

/// How long the old secret signs too when nobody says: a day.
const KEEP_PREVIOUS_S: u32 = 24 * 3600;

/// A page of endpoints.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointPage)]
pub(super) struct EndpointPageDocument {
    /// The endpoints, by id.
    endpoints: Vec<EndpointDocument>,
    /// What to pass as `after` for the next page; null when this is the last.
    #[schema(required = true)]
    next: Option<String>,
    /// The page is at least as new as this position.
    position: u64,
}

/// Why an endpoint is paused or disabled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReasonBody)]
pub(super) struct ReasonBody {
    /// Why, for people, at most 200 bytes.
    #[serde(default)]
    reason: Option<String>,
}

/// How a secret is rotated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretBody)]
pub(super) struct SecretBody {
    /// The new secret; one is made when absent.
    #[serde(default)]
    secret: Option<String>,
    /// Which kind of secret is made.
    #[serde(default)]
    secret_kind: SecretKind,
    /// How long messages carry the old secret's signature too, in seconds; a day when absent.
    #[serde(default)]
    #[schema(maximum = 2_592_000)]
    keep_previous_s: Option<u32>,
}

/// Registers an endpoint, which gets events from then on. Its secret is shown this once.
#[utoipa::path(
    post,
    path = "/v1/endpoints",
    tag = "endpoints",
    operation_id = "registerEndpoint",
    request_body(content = EndpointBody),
    responses(
        (status = 201, description = "Registered", body = NewEndpointDocument, headers(("Location" = String, description = "The endpoint"))),
        (status = 403, description = "A broker is the target, and the key is not of the operator's tenant"),
        (status = 422, description = "The id is taken"),
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn register(
    Admin(caller): Admin,
    shared: Data<Shared>,
    mut call: Call,
) -> Result<HttpResponse, Problem> {
    let mut body: EndpointBody = call.body().await?;
    // Sent again under its key, the same request makes the same endpoint with the same secret.
    let intent = call.send_options(&caller)?.idempotency_key;
    let id = match body.id.take() {
        Some(id) => id,
        None => fresh_id(&shared, &caller, intent.as_deref())?,
    };
    let key = EndpointKey { tenant: caller.tenant().clone(), id: id.as_str().into() };
    let (start, kind) = (body.start.take().unwrap_or_default(), body.secret_kind.take());
    let made = Made { shared: &shared, key: &key, intent: intent.as_deref() };
    let secret = match (body.target.is_signed(), body.secret.take()) {
        (true, text) => Some(made.secret(text, kind.unwrap_or_default())?),
        (false, None) if kind.is_none() => None,
        (false, _) => return Err(Problem::field("/secret", "is only for webhooks: leave it out")),
    };
    let sealed = secret.as_ref().map(|secret| made.sealed(secret)).transpose()?;
    body.target.check_caller(&caller, call.operator())?;
    let asks = body.target.asks();
    let mut config = body.config(&shared, &key, None)?;
    if asks {
        ask(&shared, &mut config, None).await?;
    }
    let command = Register { config, secret: sealed, start };
    let receipt = send(&call, &caller, &id, command).await?;
    let document = NewEndpointDocument {
        secret: secret.as_ref().map(SigningSecret::reveal),
        public_key: secret.as_ref().and_then(SigningSecret::public_key),
        position: receipt.position.get(),
        id,
    };
    call.created(&format!("/v1/endpoints/{}", document.id), &document)
}

/// Lists the tenant's endpoints with how they stand.
#[utoipa::path(
    get,
    path = "/v1/endpoints",
    tag = "endpoints",
    operation_id = "listEndpoints",
    params(
        ("limit" = Option<u32>, Query, description = "The most endpoints", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "Only endpoints behind this id"),
        ("phase" = Option<String>, Query, description = "Only endpoints of this phase"),
        ("at_least" = Option<u64>, Query, description = "Wait until the list is as new as this position"),
    ),
    responses((status = 200, description = "A page", body = EndpointPageDocument)),
    security(("key" = ["read"])),
)]
pub(super) async fn list(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&["limit", "after", "phase", "at_least"])?;
    call.wait(READ_MODEL, &parameters).await?;
    let phase = parameters.one("phase")?.map(|phase| ("phase".to_owned(), phase.to_owned()));
    let query = RowQuery {
        projection: READ_MODEL.to_owned(),
        tenant: caller.tenant().clone(),
        filters: phase.into_iter().collect(),
        after_key: parameters.one("after")?.map(str::to_owned),
        limit: parameters.limit(call.limits())?.min(RowQuery::LIMIT_MAX),
    };
    let found = lookup::page(call.system(), &shared, query).await?;
    let lookup::Found { endpoints, next, position } = found;
    call.reply(200, &EndpointPageDocument { endpoints, next, position: position.get() })
}

/// Shows an endpoint and how it stands.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    operation_id = "readEndpoint",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("at_least" = Option<u64>, Query, description = "Wait until what is shown is as new as this position"),
    ),
    responses(
        (status = 200, description = "The endpoint", body = EndpointDocument),
        (status = 404, description = "No such endpoint"),
    ),
    security(("key" = ["read"])),
)]
pub(super) async fn one(
    Reader(caller): Reader,
    shared: Data<Shared>,
    call: Call,
) -> Result<HttpResponse, Problem> {
    let parameters = call.parameters(&["at_least"])?;
    call.wait(READ_MODEL, &parameters).await?;
    let document = lookup::one(call.system(), &shared, &key(&caller, &call)).await?;
    call.reply(200, &document)
}

/// Sets an endpoint up anew; what it got and owes stays.
#[utoipa::path(
    put,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    operation_id = "changeEndpoint",
    params(("id" = String, Path, description = "The endpoint")),
    request_body(content = EndpointBody),
    responses(
        (status = 200, description = "Changed", body = ReceiptDocument),
        (status = 422, description = "There is no such endpoint, or its target is of another kind"),
    ),
    security(("key" = ["admin"])),
)]
pub(super) async fn change(
    Admin(caller): Admin,
    shared: Data<Shared>,
    mut call: Call,
) -> Result<HttpResponse, Problem> {
    let body: EndpointBody = call.body().await?;
    body.check_change()?;
    let key = key(&caller, &call);
    let before = shared.directory.get(&key).and_then(|own| own.endpoint.config.clone());
    body.target.check_caller(&caller, call.operator())?;
    let asks = body.target.asks();
    let mut config = body.config(&shared, &key, before.as_ref())?;
    if asks {
        ask(&shared, &mut config, before.as_ref()).await?;
    }
    command(&call, &caller, Change { config }).await
}

/// Removes an endpoint for good, with what it owes; its id is not used again.
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    operation_id = "removeEndpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses((status = 200, description = "Removed", body = ReceiptDocument)),
    security(("key" = ["admin"])),
)]
pub(super) async fn remove(Admin(caller): Admin, call: Call) -> Result<HttpResponse, Problem> {
    command(&call, &caller, Remove {}).await
}

/// Holds an endpoint back; what comes waits for it.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/pause",
    tag = "endpoints",
    operation_id = "pauseEndpoint",
    params(("id" = String, Path, description = "The endpoint")),
    request_body(content = ReasonBody),
    responses((status = 200, description = "Paused", body = ReceiptDocument)),
    security(("key" = ["admin"])),
)]
pub(super) async fn pause(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let body: ReasonBody = call.body().await?;
    command(&call, &caller, Pause { reason: body.reason }).await
}

/// Lets a paused or disabled endpoint go on with what has waited.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/resume",
    tag = "endpoints",
    operation_id = "resumeEndpoint",
    params(("id" = String, Path, description = "The endpoint")),
    responses((status = 200, description = "Resumed", body = ReceiptDocument)),
    security(("key" = ["admin"])),
)]
pub(super) async fn resume(Admin(caller): Admin, call: Call) -> Result<HttpResponse, Problem> {
    command(&call, &caller, Resume {}).await
}

/// Takes an endpoint out of service until it is resumed.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/disable",
    tag = "endpoints",
    operation_id = "disableEndpoint",
    params(("id" = String, Path, description = "The endpoint")),
    request_body(content = ReasonBody),
    responses((status = 200, description = "Disabled", body = ReceiptDocument)),
    security(("key" = ["admin"])),
)]
pub(super) async fn disable(Admin(caller): Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let body: ReasonBody = call.body().await?;
    let cause = DisableCause::Operator { reason: body.reason };
    command(&call, &caller, Disable { cause }).await
}

/// Signs with another secret, for a while with the old one too. It is shown this once.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/secret",
    tag = "endpoints",
    operation_id = "rotateEndpointSecret",
    params(("id" = String, Path, description = "The endpoint")),
    request_body(content = SecretBody),
    responses((status = 200, description = "Rotated", body = NewEndpointDocument)),
    security(("key" = ["admin"])),
)]
pub(super) async fn rotate_secret(
    Admin(caller): Admin,
    shared: Data<Shared>,
    mut call: Call,
) -> Result<HttpResponse, Problem> {
    let body: SecretBody = call.body().await?;
    let intent = call.send_options(&caller)?.idempotency_key;
    let key = key(&caller, &call);
    let made = Made { shared: &shared, key: &key, intent: intent.as_deref() };
    let secret = made.secret(body.secret, body.secret_kind)?;
    let sealed = made.sealed(&secret)?;
    let keep_previous_s = body.keep_previous_s.unwrap_or(KEEP_PREVIOUS_S);
    let id = call.variable("id").into_owned();
    let command = RotateSecret { secret: sealed, keep_previous_s };
    let receipt = send(&call, &caller, &id, command).await?;
    let document = NewEndpointDocument {
        secret: Some(secret.reveal()),
        public_key: secret.public_key(),
        position: receipt.position.get(),
        id,
    };
    call.reply(200, &document)
}

/// Sends a command to the endpoint of the address and replies with its receipt.
pub(super) async fn command<C: Command>(
    call: &Call,
    caller: &Caller,
    command: C,
) -> Result<HttpResponse, Problem>
where
    Endpoint: Decide<C>,
{
    let receipt = send(call, caller, &call.variable("id"), command).await?;
    let (revision, position) = (receipt.revision.get(), receipt.position.get());
    call.reply(200, &ReceiptDocument { revision, position })
}

async fn send<C: Command>(
    call: &Call,
    caller: &Caller,
    id: &str,
    command: C,
) -> Result<Receipt, Problem>
where
    Endpoint: Decide<C>,
{
    let address = (caller.tenant(), id);
    send_with(call.system(), address, command, call.send_options(caller)?).await
}

/// Sends a command to an endpoint of a tenant.
pub(crate) async fn send_with<C: Command>(
    system: &System,
    (tenant, id): (&Tenant, &str),
    command: C,
    options: SendOptions,
) -> Result<Receipt, Problem>
where
    Endpoint: Decide<C>,
{
    let handle = system.at::<Endpoint>(tenant, id);
    let handle = handle.map_err(|error| Problem::field("/id", error.to_string()))?;
    let sent = handle.send_with(command, options).await;
    sent.map_err(|error| match error {
        SendError::Rejected(EndpointRejection::NotRegistered) => unknown(),
        SendError::Rejected(rejection @ EndpointRejection::Invalid { .. }) => invalid(&rejection),
        error => error.into(),
    })
}

/// What a secret is made for.
struct Made<'a> {
    shared: &'a Shared,
    key: &'a EndpointKey,
    /// The idempotency key of the request.
    intent: Option<&'a str>,
}

impl Made<'_> {
    fn sealed(&self, secret: &SigningSecret) -> Result<Sealed, Problem> {
        let sealed = self.shared.seal()?.seal(&secret.reveal(), &self.key.place());
        sealed.map_err(|error| unsealed(&error))
    }

    /// Reads the secret that was sent, or makes one.
    fn secret(&self, text: Option<String>, kind: SecretKind) -> Result<SigningSecret, Problem> {
        let made = match (text, self.intent) {
            (Some(text), _) => text.parse(),
            (None, None) => SigningSecret::generate(kind),
            (None, Some(intent)) => {
                let purpose = format!("secret of {} by {intent}", self.key.place());
                SigningSecret::of_seed(kind, self.shared.seal()?.derive(&purpose))
            }
        };
        made.map_err(|error: SecretError| Problem::field("/secret", error.to_string()))
    }
}

fn fresh_id(shared: &Shared, caller: &Caller, intent: Option<&str>) -> Result<String, Problem> {
    let Some(intent) = intent else { return Ok(EventId::fresh().to_string()) };
    let bytes = shared.seal()?.derive(&format!("endpoint of {} by {intent}", caller.tenant()));
    Ok(bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the endpoint of the address.
pub(crate) fn key(caller: &Caller, call: &Call) -> EndpointKey {
    EndpointKey { tenant: caller.tenant().clone(), id: (&*call.variable("id")).into() }
}

pub(crate) fn unknown() -> Problem {
    Problem::new(ProblemKind::NotFound, "the tenant has no such endpoint")
}
