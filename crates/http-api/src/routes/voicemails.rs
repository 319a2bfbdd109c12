//! Messages that callers left: who, when, what was known of them, and the audio.

use super::admin::{asked, bad_query};
use crate::audit::Viewer;
use crate::error::ApiError;
use crate::guard;
use crate::server::{Api, Peer};
use crate::shapes::PackageShape;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use call_model::{HandoffId, Voicemail, WallAnchor};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most messages in one answer.
const MOST: u32 = 1000;

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/voicemails", routing::get(all))
        .route("/v1/voicemails/{voicemail}", routing::get(one))
        .route("/v1/voicemails/{voicemail}/audio", routing::get(audio))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: Option<u32>,
}

/// `GET /v1/voicemails?limit=`: the newest first, without their packages.
async fn all(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<Limit>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let Query(Limit { limit }) = query.map_err(|error| bad_query(&error.body_text()))?;
    let limit = limit.unwrap_or(100).min(MOST);
    let all = asked(&api, move |ledger| ledger.voicemails(limit)).await?;
    Ok(Json(json!({"voicemails": all.iter().map(shape).collect::<Vec<_>>()})))
}

/// `GET /v1/voicemails/{voicemail}`: with the package.
async fn one(
    State(api): State<Api>,
    Path(id): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let left = find(&api, &id, peer).await?;
    let mut value = shape(&left);
    let wall: WallAnchor = api.hub.wall();
    value["package"] = json!(PackageShape::from_model(&left.package, &wall));
    Ok(Json(value))
}

/// `GET /v1/voicemails/{voicemail}/audio`: a WAV file.
async fn audio(
    State(api): State<Api>,
    Path(id): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    guard::admin(&api, &headers)?;
    let left = find(&api, &id, peer).await?;
    let gone = || ApiError::not_found("recording");
    let open = api.recordings.clone().ok_or_else(gone)?;
    let read = tokio::task::spawn_blocking(move || open(&left.recording)).await;
    let wav = read.map_err(|_| ApiError::busy())?.map_err(|_| gone())?;
    let kind = [(header::CONTENT_TYPE, "audio/wav"), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, kind, wav).into_response())
}

/// Who asks for one is written down.
async fn find(api: &Api, id: &str, peer: Option<Extension<Peer>>) -> Result<Voicemail, ApiError> {
    let id: HandoffId = id.parse().map_err(|_| ApiError::bad_id("voicemail"))?;
    let left =
        asked(api, move |ledger| ledger.voicemail_of(id)).await?.ok_or_else(|| ApiError::not_found("voicemail"))?;
    Viewer::operator(api, peer).saw(&[(left.call, left.id)]);
    Ok(left)
}

fn shape(left: &Voicemail) -> Value {
    json!({
        "id": left.id.to_string(), "call": left.call.to_string(), "number": left.number.reveal(),
        "at_unix_ms": left.at_ms, "lasted_ms": u64::try_from(left.lasted.as_millis()).unwrap_or(u64::MAX),
        "recording": left.recording, "summary": left.package.summary,
    })
}
