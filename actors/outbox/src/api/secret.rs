//! What messages are signed with: made, read, sealed, rotated.

use headwater::api::http::{HttpResponse, web::Data};
use headwater::api::keys::Admin;
use headwater::api::{Call, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::command::{CommandHeaders, CommandProblems, key, send};
use super::document::{NewEndpointDocument, unsealed};
use crate::endpoint::{RotateSecret, Target};
use crate::plugin::Shared;
use crate::secret::{Sealed, SecretError, SecretKind, SigningSecret};
use crate::table::EndpointKey;

/// How long the old secret signs too when nobody says: a day.
const KEEP_PREVIOUS_S: u32 = 24 * 3600;

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

/// What a secret is made for.
pub(super) struct Made<'a> {
    pub shared: &'a Shared,
    pub key: &'a EndpointKey,
    /// The idempotency key of the request.
    pub intent: Option<&'a str>,
}

impl Made<'_> {
    pub fn sealed(&self, secret: &SigningSecret) -> Result<Sealed, Problem> {
        let sealed = self.shared.seal()?.seal(&secret.reveal(), &self.key.place());
        sealed.map_err(|error| unsealed(&error))
    }

    /// Reads or makes the secret of a new endpoint, if its messages are signed.
    pub fn of_target(
        &self,
        target: &Target,
        text: Option<String>,
        kind: Option<SecretKind>,
    ) -> Result<Option<SigningSecret>, Problem> {
        match target.is_signed() {
            true => self.secret(text, kind.unwrap_or_default()).map(Some),
            false if text.is_none() && kind.is_none() => Ok(None),
            false => Err(Problem::field("/secret", "is only for webhooks: leave it out")),
        }
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

/// Signs with another secret, for a while with the old one too. It is shown this once.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/secret",
    tag = "endpoints",
    operation_id = "rotateEndpointSecret",
    params(("id" = String, Path, description = "The endpoint"), CommandHeaders),
    request_body(content = SecretBody),
    responses(
        (status = 200, description = "Rotated", body = NewEndpointDocument, headers(("ETag" = String, description = "Revision, in quotes"))),
        CommandProblems,
    ),
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
    let document = NewEndpointDocument::new(id, Some(&secret), &receipt);
    Ok(call.at_revision(call.reply(200, &document)?, receipt.revision))
}
