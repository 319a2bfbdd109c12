//! What operators and their systems ask: calls, the live trace, metrics, health.

use super::{Body, answer};
use crate::control::Readiness;
use crate::error::ApiError;
use crate::metrics::Metric;
use crate::server::{Api, Peer};
use crate::shapes::CallShape;
use crate::trace_shape::trace_json;
use crate::{guard, sse};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use call_model::{CallId, RecordingWish};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most calls or events in one answer.
const MOST: usize = 1000;

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/calls", routing::get(calls))
        .route("/v1/calls/{call}", routing::get(call))
        .route("/v1/calls/{call}/recording", routing::post(recording))
        .route("/v1/trace", routing::get(trace))
        .route("/v1/reports/calls", routing::get(past_calls))
        .route("/v1/reports/calls/{call}", routing::get(past_call))
        .route("/v1/reports/handoffs", routing::get(past_handoffs))
        .route("/v1/reports/outcomes", routing::get(outcomes))
        .route("/metrics", routing::get(metrics))
        .route("/healthz", routing::get(|| async { "ok\n" }))
        .route("/readyz", routing::get(ready))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallsQuery {
    limit: Option<usize>,
}

/// `GET /v1/calls?limit=`: live and recently ended calls, newest first.
async fn calls(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<CallsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let Query(query) = query.map_err(|error| bad_query(&error.body_text()))?;
    let wall = api.hub.wall();
    let calls = api.hub.calls(query.limit.unwrap_or(100).min(MOST));
    let calls: Vec<CallShape> = calls.into_iter().map(|(id, record)| record.shape(id, &wall)).collect();
    Ok(Json(json!({"calls": calls})))
}

/// `GET /v1/calls/{call}`: one call with the trace events that are still kept.
async fn call(State(api): State<Api>, Path(call): Path<String>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let id: CallId = call.parse().map_err(|_| ApiError::bad_id("call"))?;
    let (id, record) = api.hub.call(id).ok_or_else(|| ApiError::not_found("call"))?;
    let wall = api.hub.wall();
    let read = api.hub.read_trace(api.hub.trace_edge(true), Some(id), MOST);
    let events: Vec<_> = read.events.iter().map(|t| trace_json(&t.event, t.started, &wall)).collect();
    Ok(Json(json!({"call": record.shape(id, &wall), "events": events})))
}

/// `POST /v1/calls/{call}/recording`: `{"recording": "pause"}`, or `start`, `resume`, `stop`.
async fn recording(
    State(api): State<Api>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, ApiError> {
    guard::admin(&api, &headers)?;
    let id: CallId = call.parse().map_err(|_| ApiError::bad_id("call"))?;
    let asked: Option<Asked> = serde_json::from_slice(&body).ok();
    let wish = asked.and_then(|asked| RecordingWish::ALL.into_iter().find(|wish| wish.as_str() == asked.recording));
    let wish = wish.ok_or_else(|| {
        let what = "The body is not {\"recording\": \"start\"}, \"pause\", \"resume\" or \"stop\".";
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", what, "See docs/http-api.md.")
    })?;
    answer(api.control.recording(id, wish)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    recording: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TraceQuery {
    call: Option<String>,
    /// From the oldest event kept, rather than from now.
    #[serde(default)]
    backlog: bool,
}

/// `GET /v1/trace?call=&backlog=true`: events as they happen.
async fn trace(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<TraceQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    guard::admin(&api, &headers)?;
    let Query(query) = query.map_err(|error| bad_query(&error.body_text()))?;
    let call = query.call.map(|call| call.parse().map_err(|_| ApiError::bad_id("call"))).transpose()?;
    let counted = sse::Counted::new(&api.hub, Metric::Tails).ok_or_else(ApiError::busy)?;
    let position = sse::position(&api.hub, &headers).unwrap_or_else(|| api.hub.trace_edge(query.backlog));
    Ok(sse::trace_stream(&api.hub, call, position, counted).into_response())
}

/// `GET /v1/reports/calls?limit=`: from the ledger, newest first.
async fn past_calls(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<CallsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let limit = limit(query)?;
    Ok(Json(json!({"calls": asked(&api, move |ledger| ledger.calls(limit)).await?})))
}

/// `GET /v1/reports/calls/{call}`: with decisions, handoffs and events.
async fn past_call(
    State(api): State<Api>,
    Path(call): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let id: CallId = call.parse().map_err(|_| ApiError::bad_id("call"))?;
    let story = asked(&api, move |ledger| ledger.call(id)).await?.ok_or_else(|| ApiError::not_found("call"))?;
    Ok(Json(json!(story)))
}

/// `GET /v1/reports/handoffs?limit=`: newest first.
async fn past_handoffs(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<CallsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let limit = limit(query)?;
    Ok(Json(json!({"handoffs": asked(&api, move |ledger| ledger.handoffs(limit)).await?})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpanQuery {
    pub(crate) since_ms: Option<u64>,
    pub(crate) until_ms: Option<u64>,
}

/// `GET /v1/reports/outcomes?since_ms=&until_ms=`: handoffs by outcome and kind of reason.
async fn outcomes(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<SpanQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let Query(span) = query.map_err(|error| bad_query(&error.body_text()))?;
    let (since, until) = (span.since_ms.unwrap_or(0), span.until_ms.unwrap_or(u64::MAX));
    Ok(Json(json!({"outcomes": asked(&api, move |ledger| ledger.outcomes(since, until)).await?})))
}

fn limit(query: Result<Query<CallsQuery>, axum::extract::rejection::QueryRejection>) -> Result<u32, ApiError> {
    let Query(query) = query.map_err(|error| bad_query(&error.body_text()))?;
    Ok(u32::try_from(query.limit.unwrap_or(100).min(MOST)).unwrap_or(u32::MAX))
}

/// A ledger answers when its writer comes to it: not on a thread that serves others.
pub(crate) async fn asked<T: Send + 'static>(
    api: &Api,
    question: impl FnOnce(&ledger::Ledger) -> Result<T, ledger::QueryError> + Send + 'static,
) -> Result<T, ApiError> {
    let Some(ledger) = api.ledger.clone() else {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "no_ledger",
            "No ledger is kept, so there is nothing to report.",
            "Set a path for the ledger in the configuration.",
        ));
    };
    let answer = tokio::task::spawn_blocking(move || question(&ledger)).await;
    answer.map_err(|_| ApiError::busy())?.map_err(|error| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ledger_failed",
            format!("{error}."),
            "Look at the disk and the log.",
        )
    })
}

/// `GET /metrics`: Prometheus text.
async fn metrics(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    guard::local_or_admin(&api, peer.map(|Extension(peer)| peer), &headers)?;
    if let Some(ledger) = &api.ledger {
        api.hub.metrics().set(Metric::LedgerDropped, ledger.health().dropped);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, api.hub.render_metrics()).into_response())
}

/// `GET /readyz`: 200 `ready`, or 503 and why not.
async fn ready(State(api): State<Api>) -> (StatusCode, String) {
    match api.control.readiness() {
        Readiness::Ready => (StatusCode::OK, "ready\n".into()),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

pub(crate) fn bad_query(why: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_query", why, "See docs/http-api.md for the parameters.")
}
