//! The table of problems: the stable names that clients may branch on.

use actix_web::http::StatusCode;

macro_rules! problems {
    ($( $(#[$doc:meta])* $variant:ident = $status:literal, $slug:literal, $title:literal; )+) => {
        /// Names a kind of problem; `urn:headwater:problem:<slug>` is its `type` for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind {
            $( $(#[$doc])* $variant, )+
        }

        impl ProblemKind {
            /// Every kind, in the order of the reference page.
            pub const ALL: &[Self] = &[$( Self::$variant ),+];

            /// Returns the HTTP status.
            #[must_use]
            pub fn status(self) -> StatusCode {
                let code: u16 = match self { $( Self::$variant => $status, )+ };
                StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Returns the stable URI that names the kind.
            #[must_use]
            pub const fn uri(self) -> &'static str {
                match self { $( Self::$variant => concat!("urn:headwater:problem:", $slug), )+ }
            }

            /// Returns the short text that is the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $( Self::$variant => $title, )+ }
            }
        }
    };
}

problems! {
    /// The body, a parameter or a header is not as documented. Caller.
    Invalid = 400, "invalid-request", "Request is not valid";
    /// No key, or none that is known. Caller.
    Unauthenticated = 401, "unauthenticated", "Key is missing or not valid";
    /// The key lacks the scope. Caller: ask an admin of the tenant.
    Forbidden = 403, "forbidden", "Key does not allow this";
    /// Nothing is there. Caller.
    NotFound = 404, "not-found", "Not found";
    /// No aggregate takes the command. Caller: the detail lists the known ones.
    UnknownCommand = 404, "unknown-command", "Command is not known";
    /// The address does not take the method. Caller: `Allow` lists those it takes.
    MethodNotAllowed = 405, "method-not-allowed", "Method is not allowed";
    /// `Accept` rules out everything there is. Caller.
    NotAcceptable = 406, "not-acceptable", "Nothing acceptable to send";
    /// The body came too slowly. Caller: send it again.
    BodyTimeout = 408, "body-timeout", "Body came too slowly";
    /// A stream is not as the request expected, or changed too often. Caller: read again.
    Conflict = 409, "stream-conflict", "Stream has changed";
    /// An event matches the append condition. Caller: read again and decide anew.
    ConditionFailed = 409, "condition-failed", "Append condition failed";
    /// An event id belongs to another append. Caller: make a new id.
    EventIdReused = 409, "event-id-reused", "Event id is taken";
    /// The projection's state does not fit the request. Caller: look at its state.
    ProjectionRefused = 409, "projection-refused", "Projection cannot do this now";
    /// `If-Match` or `If-None-Match` does not hold. Caller: read again.
    RevisionMismatch = 412, "revision-mismatch", "Revision is another";
    /// The body is over its bound. Caller.
    TooLarge = 413, "body-too-large", "Body is too large";
    /// The body is not said to be JSON. Caller.
    UnsupportedMedia = 415, "unsupported-media-type", "Body must be JSON";
    /// The rules said no; `code` says which. Caller.
    Rejected = 422, "rejected", "Command was rejected";
    /// The idempotency key was used for something else. Caller: make a new key.
    KeyReused = 422, "idempotency-key-reused", "Idempotency key is taken";
    /// The key asks too often. Caller: wait for `Retry-After` seconds.
    RateLimited = 429, "rate-limited", "Too many requests";
    /// The tenant has had too many keyed commands that led to no event. Caller: send it later, or
    /// without an idempotency key.
    TooManyOutcomes = 429, "too-many-outcomes", "Too many outcomes to keep";
    /// Something broke that the caller cannot mend. Operator.
    Internal = 500, "internal", "Internal error";
    /// Too much waits already. Nobody: try again later.
    Overloaded = 503, "overloaded", "Server is busy";
    /// The server is stopping. Nobody: try again later.
    Stopping = 503, "stopping", "Server is stopping";
    /// A part of the server is not there. Operator.
    Unavailable = 503, "unavailable", "Not available";
    /// The outcome is not known. Caller: send it again with the same key or event ids.
    OutcomeUnknown = 503, "outcome-unknown", "Outcome is not known";
    /// The reply took too long; the outcome is not known. Caller: send it again.
    TimedOut = 503, "timed-out", "Request took too long";
    /// The projection did not reach the position in time. Nobody: try again later.
    NotReached = 504, "position-not-reached", "Read model is behind";
    /// The disk is full. Operator: make room.
    DiskFull = 507, "disk-full", "No room to store";
}
