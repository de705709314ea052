//! What the handler of a page has of a request.

use std::future::Future;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpMessage, HttpResponse};
use jiff::Timestamp;

use super::{around, html_reply, see_other, stream};
use crate::api::keys::Caller;
use crate::api::query::Parameters;
use crate::api::{ApiState, Call, Problem, ProblemKind, body, border};
use crate::page::{Page, Visitor};

/// The most bytes of a form.
const FORM_BYTES_MAX: usize = 64 << 10;

impl Call {
    /// Shows a page; to a script that asks for a stream, sends its live parts as they change.
    ///
    /// `view` makes the page, again and again while somebody looks at it: it reads, and changes
    /// nothing.
    ///
    /// # Errors
    /// The [`Problem`] of `view`; [`ProblemKind::Overloaded`] when as many follow as may.
    pub async fn show<V, F>(self, view: V) -> Result<HttpResponse, Problem>
    where
        V: Fn() -> F + 'static,
        F: Future<Output = Result<Page, Problem>> + 'static,
    {
        if stream::wants_stream(self.request.headers()) {
            return stream::follow(self, view);
        }
        let page = view().await?;
        Ok(self.page(StatusCode::OK, &page))
    }

    /// Shows a page that came of a form, once.
    #[must_use]
    pub fn show_once(&self, page: &Page) -> HttpResponse {
        self.page(StatusCode::OK, page)
    }

    /// Leads on to another page after a form, so that reading it again sends nothing again.
    #[must_use]
    pub fn see_other(&self, path: &str) -> HttpResponse {
        see_other(path)
    }

    /// Reads the fields of a form, which may be only these; once.
    ///
    /// # Errors
    /// A [`Problem`] naming the field that is not known; of a body that is no form, too large,
    /// too slow, or read twice.
    pub async fn form(&mut self, known: &[&str]) -> Result<Parameters, Problem> {
        let media = self.request.headers().get(CONTENT_TYPE);
        let media = media.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let detail = "content-type must be application/x-www-form-urlencoded";
            return Err(Problem::new(ProblemKind::UnsupportedMedia, detail).closing());
        }
        let twice = || Problem::new(ProblemKind::Internal, "body was read already");
        let payload = self.payload.take().ok_or_else(twice)?;
        let bytes = body::read_any(payload, FORM_BYTES_MAX, self.limits()).await?;
        Parameters::of(border::check_form(&bytes)?, known)
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    pub(super) fn state(&self) -> &ApiState {
        &self.state
    }

    /// Returns who asks; `None` before the guard.
    pub(super) fn caller(&self) -> Option<Caller> {
        self.request.extensions().get::<Caller>().cloned()
    }

    fn page(&self, status: StatusCode, page: &Page) -> HttpResponse {
        let visitor = self.caller().map(|caller| Visitor {
            tenant: caller.tenant().as_str().to_owned(),
            name: caller.name().to_owned(),
        });
        let path = self.request.uri().path_and_query().map_or("/ui", |path| path.as_str());
        html_reply(status, around(&self.state, page, (path, visitor.as_ref())))
    }
}
