//! The control channel of a bot: what its audio protocol has no words for.

use super::{Body, answer};
use crate::error::ApiError;
use crate::guard;
use crate::server::Api;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing};
use call_model::{CallId, Secret};
use serde_json::{Value, json};

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router.route("/v1/calls/{call}/control", routing::post(control))
}

/// `POST /v1/calls/{call}/control`: one control event (docs/control-events.md), with the call's own token.
async fn control(
    State(api): State<Api>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let offered = guard::bearer(&headers);
    if offered.is_empty() {
        return Err(ApiError::unauthorized("Send 'Authorization: Bearer' with the token of the call's start message."));
    }
    let call: CallId = call.parse().map_err(|_| ApiError::bad_id("call"))?;
    let facts = api.control.parse_control(&body).map_err(|why| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why, "See docs/control-events.md for the shapes.")
    })?;
    let count = facts.len();
    answer(api.control.control(call, Secret::new(offered), facts)).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"accepted": count}))))
}
