//! One file per reader: desks, operators, bots.

pub(crate) mod admin;
pub(crate) mod bot;
pub(crate) mod callbacks;
pub(crate) mod cdrs;
pub(crate) mod controls;
pub(crate) mod desk;
pub(crate) mod handoffs;
pub(crate) mod rules;
pub(crate) mod trunks;

use crate::control::{Refused, Reply};
use crate::error::ApiError;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use std::time::Duration;

/// The switchboard answers in microseconds unless something is very wrong.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

async fn answer(asked: Reply<Result<(), Refused>>) -> Result<(), ApiError> {
    reply(asked).await?.map_err(ApiError::from)
}

/// What the switchboard says.
async fn reply<T>(asked: Reply<T>) -> Result<T, ApiError> {
    match tokio::time::timeout(ANSWER_LIMIT, asked).await {
        Ok(Ok(result)) => Ok(result),
        // The sender is gone, or silent.
        Ok(Err(_)) | Err(_) => Err(ApiError::busy()),
    }
}

/// The request's body, within the limit.
pub(crate) struct Body(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let (message, fix) = ("The body is larger than 64 KiB.", "Send less at once.");
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, fix))
            }
            Err(error) => {
                let fix = "Send the body as declared by its Content-Length.";
                Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_body", error.body_text(), fix))
            }
        }
    }
}
