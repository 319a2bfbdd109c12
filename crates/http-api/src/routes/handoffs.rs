//! A handoff as a resource: asked for, answered at once with its name, and looked at until it has its outcome.

use super::{Body, reply};
use crate::error::ApiError;
use crate::guard;
use crate::server::Api;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use call_model::{CallId, DeskId, HandoffId, HandoffRefused, HandoffRequest, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest texts, in characters.
const REASON_LIMIT: usize = 500;
const SUMMARY_LIMIT: usize = 4000;
const NAME_LIMIT: usize = 128;

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/calls/{call}/handoffs", routing::post(ask))
        .route("/v1/handoffs/{id}/status", routing::get(status))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Asked {
    desk: Option<String>,
    skill: Option<String>,
    reason: Option<String>,
    summary: Option<String>,
    /// As `Idempotency-Key`.
    id: Option<String>,
}

/// `POST /v1/calls/{call}/handoffs`: 202 at once with the handoff's name, or why not.
async fn ask(
    State(api): State<Api>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let token = asker(&api, &headers)?;
    let call: CallId = call.parse().map_err(|_| ApiError::bad_id("call"))?;
    let request = request(&headers, &body, token.is_some())?;
    match reply(api.control.request_handoff(call, token, request)).await? {
        Ok(id) => {
            let url = format!("/v1/handoffs/{id}/status");
            let body = json!({
                "handoff": id.to_string(), "call": call.to_string(), "status": "accepted", "status_url": &url,
            });
            Ok((StatusCode::ACCEPTED, [(header::LOCATION, url)], Json(body)).into_response())
        }
        Err(refused) => Err(told(&api, call, refused)),
    }
}

/// `GET /v1/handoffs/{id}/status`: for operations, the desk that has it, and the bot of its call while that is up.
async fn status(State(api): State<Api>, Path(id): Path<String>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let token = asker(&api, &headers)?;
    let id: HandoffId = id.parse().map_err(|_| ApiError::bad_id("handoff"))?;
    let found = api.hub.handoff(id);
    if let Some(token) = token {
        let desk = guard::desks_of_token(&api, &headers).iter().any(|desk| api.hub.present(desk, id).is_ok());
        let Some((call, _)) = found.as_ref().filter(|_| !desk) else {
            return found.filter(|_| desk).map(|(_, shape)| Json(json!(shape))).ok_or_else(unknown_token);
        };
        reply(api.control.check_token(*call, token)).await?.map_err(|_| unknown_token())?;
    }
    found.map(|(_, shape)| Json(json!(shape))).ok_or_else(|| ApiError::not_found("handoff"))
}

/// Nothing for operations; what others present, which is to be checked.
fn asker(api: &Api, headers: &HeaderMap) -> Result<Option<Secret>, ApiError> {
    let offered = guard::bearer(headers);
    match offered {
        _ if guard::is_admin(api, headers) => Ok(None),
        "" => Err(unknown_token()),
        offered => Ok(Some(Secret::new(offered))),
    }
}

fn unknown_token() -> ApiError {
    ApiError::unauthorized("Send 'Authorization: Bearer' with the admin token, or that of the call's start message.")
}

fn request(headers: &HeaderMap, body: &[u8], by_bot: bool) -> Result<HandoffRequest, ApiError> {
    let empty = body.iter().all(u8::is_ascii_whitespace);
    let asked: Asked = if empty {
        Asked::default()
    } else {
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(invalid("The body must be a JSON object.".to_owned()));
        }
        serde_json::from_slice(body).map_err(|error| invalid(format!("The body is not right: {error}.")))?
    };
    if asked.desk.is_some() && asked.skill.is_some() {
        return Err(invalid("Both desk and skill are given.".to_owned()));
    }
    let header =
        headers.get("idempotency-key").map(|key| key.to_str().unwrap_or_default().trim_matches('"').to_owned());
    if header.is_some() && asked.id.is_some() && header != asked.id {
        return Err(invalid("Idempotency-Key and id differ.".to_owned()));
    }
    let key = header.or(asked.id);
    let limits = [
        (&asked.desk, NAME_LIMIT),
        (&asked.skill, NAME_LIMIT),
        (&asked.reason, REASON_LIMIT),
        (&asked.summary, SUMMARY_LIMIT),
    ];
    for (text, limit) in limits.into_iter().chain([(&key, NAME_LIMIT)]) {
        if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.chars().count() > limit) {
            return Err(invalid(format!("A field is empty or longer than {limit} characters.")));
        }
    }
    let Asked { desk, skill, reason: because, summary, .. } = asked;
    Ok(HandoffRequest { by_bot, desk: desk.map(DeskId), skill, because, summary, key })
}

fn invalid(why: String) -> ApiError {
    let fix = "Send {\"desk\" or \"skill\", \"reason\", \"summary\", \"id\"}, all optional; see docs/http-api.md.";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why, fix)
}

fn told(api: &Api, call: CallId, refused: HandoffRefused) -> ApiError {
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    match refused {
        HandoffRefused::UnknownCall if api.hub.call(call).is_some() => {
            ApiError::new(StatusCode::GONE, "gone", "The call is over.", "There is nobody left to hand over.")
        }
        HandoffRefused::UnknownCall => ApiError::not_found("call"),
        HandoffRefused::WrongToken => unknown_token(),
        HandoffRefused::UnknownDesk => ApiError::new(
            unprocessable,
            "unknown_desk",
            "No desk has that name.",
            "Use a name of [[desks]], or leave it out.",
        ),
        HandoffRefused::UnknownSkill => ApiError::new(
            unprocessable,
            "unknown_skill",
            "No desk has that skill.",
            "Use one of [[desks]] skills, or leave it out.",
        ),
        HandoffRefused::UnderWay(id) => {
            let message = "The call is being handed over, or was.";
            let fix = "Look at /v1/handoffs/ and the id in `handoff`, then /status.";
            ApiError::new(StatusCode::CONFLICT, "under_way", message, fix).about(id)
        }
        HandoffRefused::KeyTaken(id) => {
            let message = "That Idempotency-Key was used for another request of this call.";
            ApiError::new(unprocessable, "key_taken", message, "Use a fresh key for a fresh request.").about(id)
        }
        HandoffRefused::NotNow(why) => {
            let fix = "Look at the call's state, and try again.";
            ApiError::new(StatusCode::CONFLICT, "not_now", format!("Not now: {why}."), fix)
        }
    }
}
