//! What operators and their systems ask: calls, the live trace, metrics, health.

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
use call_model::CallId;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most calls or events in one answer.
const MOST: usize = 1000;

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/calls", routing::get(calls))
        .route("/v1/calls/{call}", routing::get(call))
        .route("/v1/trace", routing::get(trace))
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

/// `GET /metrics`: Prometheus text.
async fn metrics(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    guard::local_or_admin(&api, peer.map(|Extension(peer)| peer), &headers)?;
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

fn bad_query(why: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_query", why, "See docs/http-api.md for the parameters.")
}
