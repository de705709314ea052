//! `/v1/keys`: a tenant's admins manage its keys.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::keys::{self, Admin, KeyError, KeyInfo, KeyRequest, Scope};
use crate::api::query::Parameters;
use crate::api::reply::{json, with_location};
use crate::api::{ApiState, Problem, ProblemKind, body};

/// What a new key is to be like; its tenant is the caller's.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRequest)]
pub(in crate::api) struct KeyBody {
    /// What people call it; also `who` in the metadata of what it sets off.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// What it allows.
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// When it stops working; never when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = NewKey)]
pub(in crate::api) struct NewKeyDocument {
    /// The text to send as `Authorization: Bearer <key>`; it is never shown again.
    key: String,
    /// What is stored of it.
    info: KeyInfo,
}

/// The keys of a tenant.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = KeyList)]
pub(in crate::api) struct KeyListDocument {
    /// The keys, the oldest first, revoked ones too.
    keys: Vec<KeyInfo>,
}

/// Makes a key of the caller's tenant. Its text is shown this once.
#[utoipa::path(
    post,
    path = "/v1/keys",
    tag = "keys",
    operation_id = "createKey",
    request_body(content = KeyBody),
    responses(
        (status = 201, description = "Made", body = NewKeyDocument, headers(("Location" = String, description = "The key"))),
        (status = 422, description = "The tenant has too many keys"),
    ),
    security(("key" = ["admin"])),
)]
pub(in crate::api) async fn create(
    Admin(caller): Admin,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    Parameters::of(request.query_string(), &[])?;
    let limits = &state.config.limits;
    let bytes = body::read(&request, payload, limits.command_bytes_max, limits).await?;
    let body: KeyBody = body::parse(&bytes)?;
    let KeyBody { name, scopes, expires_at } = body;
    let wanted = KeyRequest { tenant: caller.tenant().clone(), name, scopes, expires_at };
    let key = keys::create(state.system.database(), wanted, state.clock.now()).await?;
    let location = format!("/v1/keys/{}", key.info.id);
    let document = NewKeyDocument { key: key.text.reveal().to_owned(), info: key.info };
    Ok(with_location(json(StatusCode::CREATED, &document)?, &location))
}

/// Lists the keys of the caller's tenant.
#[utoipa::path(
    get,
    path = "/v1/keys",
    tag = "keys",
    operation_id = "listKeys",
    responses((status = 200, description = "The keys", body = KeyListDocument)),
    security(("key" = ["admin"])),
)]
pub(in crate::api) async fn list(
    Admin(caller): Admin,
    state: Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Parameters::of(request.query_string(), &[])?;
    let keys = keys::list(state.system.database(), caller.tenant()).await?;
    json(StatusCode::OK, &KeyListDocument { keys })
}

/// Revokes a key of the caller's tenant, at once and for good.
#[utoipa::path(
    delete,
    path = "/v1/keys/{key}",
    tag = "keys",
    operation_id = "revokeKey",
    params(("key" = String, Path, description = "The key's id", max_length = 64)),
    responses(
        (status = 204, description = "Revoked"),
        (status = 404, description = "The tenant has no such key that works"),
    ),
    security(("key" = ["admin"])),
)]
pub(in crate::api) async fn revoke(
    Admin(caller): Admin,
    state: Data<ApiState>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (database, now) = (state.system.database(), state.clock.now());
    let is_revoked = keys::revoke(database, caller.tenant(), &path, now).await?;
    if !is_revoked {
        return Err(Problem::new(ProblemKind::NotFound, "tenant has no such key that works"));
    }
    state.keys.forget(&path);
    Ok(HttpResponse::NoContent().finish())
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Invalid { field, problem } => Self::field(format!("/{field}"), problem),
            KeyError::TooMany => {
                Self::new(ProblemKind::Rejected, error.to_string()).with("code", "too-many-keys")
            }
            KeyError::Sql(error) => error.into(),
            KeyError::Random(error) => {
                tracing::error!(%error, "no randomness for a key");
                Self::new(ProblemKind::Internal, "key could not be made: the cause is logged")
            }
        }
    }
}
