//! `/ui/asset/…`: the style and the script of all pages, which never change under their name.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use crate::api::{Problem, ProblemKind};
use crate::page::Asset;

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Returns a file by its name, which holds the hash of its content.
pub(super) async fn asset(
    name: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let none = || Problem::new(ProblemKind::NotFound, "pages have no such file");
    let asset = Asset::named(&name).ok_or_else(none)?;
    let tag = format!("\"{}\"", asset.tag());
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.contains(&tag)) {
        let mut reply = HttpResponse::NotModified();
        return Ok(reply
            .insert_header((ETAG, tag))
            .insert_header((CACHE_CONTROL, FOR_EVER))
            .finish());
    }
    let mut reply = HttpResponse::Ok();
    reply.insert_header((CONTENT_TYPE, asset.media()));
    reply.insert_header((CACHE_CONTROL, FOR_EVER));
    Ok(reply.insert_header((ETAG, tag)).body(asset.text()))
}
