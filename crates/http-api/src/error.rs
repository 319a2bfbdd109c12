//! Errors as JSON: `{"error": {"code", "message", "fix"}}`.

use crate::control::Refused;
use crate::shapes::{ErrorBody, ErrorShape};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use call_model::HandoffId;

/// What a client did wrong, or what we cannot do now.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    body: ErrorBody,
    /// The handoff it is about, for programs that go on with that one.
    handoff: Option<HandoffId>,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status, body: ErrorBody { code, message: message.into(), fix: fix.into() }, handoff: None }
    }

    pub(crate) fn about(self, handoff: HandoffId) -> Self {
        Self { handoff: Some(handoff), ..self }
    }

    pub(crate) fn unauthorized(fix: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "The token is missing or wrong.", fix)
    }

    pub(crate) fn bad_id(what: &str) -> Self {
        let message = format!("This is not the id of a {what}.");
        Self::new(StatusCode::BAD_REQUEST, "bad_id", message, "Copy the id as it appears in events and traces.")
    }

    pub(crate) fn gone(why: &str) -> Self {
        Self::new(StatusCode::GONE, "gone", format!("Too late: {why}."), "Take it off the screen.")
    }

    pub(crate) fn not_found(what: &str) -> Self {
        let message = format!("There is no such {what}.");
        Self::new(StatusCode::NOT_FOUND, "not_found", message, "It may be over, or belong to another desk.")
    }

    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_answer",
            "The switchboard did not answer in time.",
            "Try again; if it persists, look at /readyz and the log.",
        )
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownCall => Self::not_found("call"),
            Refused::UnknownCallback => Self::not_found("callback"),
            Refused::UnknownHandoff | Refused::OtherDesk => Self::not_found("handoff"),
            Refused::BadToken => Self::unauthorized("Send the token that the call's start message carried."),
            Refused::NotNow(why) => {
                Self::new(StatusCode::CONFLICT, "not_now", format!("Not now: {why}."), "Look at the call's state.")
            }
            Refused::Invalid(why) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why, "Correct the body."),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, Json(ErrorShape { error: self.body, handoff: self.handoff.map(|id| id.to_string()) }))
                .into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
