//! Promises to call back: what is promised, and another time, or none, for one of them.

use super::{Body, answer, reply};
use crate::control::CallbackChange;
use crate::error::ApiError;
use crate::guard;
use crate::server::Api;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing};
use call_model::{Callback, CallbackId, CallbackWish};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/callbacks", routing::get(all))
        .route("/v1/callbacks/{callback}", routing::delete(cancel).post(reschedule))
}

/// `GET /v1/callbacks`: those that are open, and those of the last day; the oldest first.
async fn all(State(api): State<Api>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let all: Vec<Value> = reply(api.control.callbacks()).await?.iter().map(shape).collect();
    Ok(Json(json!({"callbacks": all})))
}

/// `DELETE /v1/callbacks/{callback}`: answered once that is written down.
async fn cancel(
    State(api): State<Api>,
    Path(callback): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    guard::admin(&api, &headers)?;
    answer(api.control.change_callback(id(&callback)?, CallbackChange::Cancel)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Another {
    at: String,
    zone: Option<String>,
}

/// `POST /v1/callbacks/{callback}`: `{"at": "2026-11-23T10:00", "zone": "Europe/London"}`; answered once that is written down.
async fn reschedule(
    State(api): State<Api>,
    Path(callback): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, ApiError> {
    guard::admin(&api, &headers)?;
    let id = id(&callback)?;
    let Another { at, zone } = serde_json::from_slice(&body).map_err(|_| {
        let what = "The body is not {\"at\": \"2026-11-23T10:00:00Z\"}, or a local time with \"zone\".";
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", what, "See docs/http-api.md.")
    })?;
    let wish = CallbackWish { number: None, at: Some(at), zone };
    answer(api.control.change_callback(id, CallbackChange::Reschedule(wish))).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn id(text: &str) -> Result<CallbackId, ApiError> {
    text.parse().map_err(|_| ApiError::bad_id("callback"))
}

fn shape(one: &Callback) -> Value {
    json!({
        "id": one.id.to_string(), "state": one.state.as_str(), "number": one.number.reveal(), "trunk": one.trunk,
        "call": one.call.to_string(), "asked_unix_ms": one.asked_ms, "promised_unix_ms": one.promised_ms,
        "due_unix_ms": one.state.is_open().then_some(one.due_ms), "attempts": one.attempts, "note": one.note,
        "summary": one.package.summary,
    })
}
