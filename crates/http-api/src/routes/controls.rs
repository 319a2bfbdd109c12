//! What a human does with the caller they have, and with themselves: hold, mute, keys, pass on, end; whether they take
//! callers; what became of a conversation.

use super::desk::{entitled, invalid, text};
use super::{Body, answer, reply};
use crate::error::ApiError;
use crate::guard;
use crate::server::Api;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Json, Router, routing};
use call_model::{DeskAction, DeskId, DeskState, Disposition, HandoffId};
use serde_json::{Value, json};

/// Longest reason for passing a caller on, characters.
const REASON_LIMIT: usize = 200;
/// Longest notes about a conversation, characters.
const NOTES_LIMIT: usize = 4000;
/// Most keys at once.
const MOST_KEYS: usize = 32;

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/desks/{desk}/handoffs/{id}/hold", routing::post(hold))
        .route("/v1/desks/{desk}/handoffs/{id}/mute", routing::post(mute))
        .route("/v1/desks/{desk}/handoffs/{id}/keys", routing::post(keys))
        .route("/v1/desks/{desk}/handoffs/{id}/pass-on", routing::post(pass_on))
        .route("/v1/desks/{desk}/handoffs/{id}/end", routing::post(end))
        .route("/v1/desks/{desk}/handoffs/{id}/disposition", routing::post(disposition))
        .route("/v1/desks/{desk}/state", routing::post(state))
        .route("/v1/desks/{desk}/colleagues", routing::get(colleagues))
}

type Handoff = Path<(String, String)>;
type Answer = Result<Json<Value>, ApiError>;

/// `POST .../hold`: the caller waits with music, or no longer.
async fn hold(State(api): State<Api>, Path((desk, id)): Handoff, headers: HeaderMap, Body(body): Body) -> Answer {
    let (desk, handoff) = entitled(&api, &desk, &id, &headers, &body)?;
    let on = flag(&body, "on")?;
    act(&api, &desk, DeskAction::Hold { handoff, on }, if on { "held" } else { "joined" }).await
}

/// `POST .../mute`: the caller does not hear the human, or does again.
async fn mute(State(api): State<Api>, Path((desk, id)): Handoff, headers: HeaderMap, Body(body): Body) -> Answer {
    let (desk, handoff) = entitled(&api, &desk, &id, &headers, &body)?;
    let on = flag(&body, "on")?;
    act(&api, &desk, DeskAction::Mute { handoff, on }, if on { "muted" } else { "joined" }).await
}

/// `POST .../keys`: keys for a machine at the caller's end.
async fn keys(State(api): State<Api>, Path((desk, id)): Handoff, headers: HeaderMap, Body(body): Body) -> Answer {
    let (desk, handoff) = entitled(&api, &desk, &id, &headers, &body)?;
    let keys = text(&body, "keys", MOST_KEYS)?;
    if keys.is_empty() || !keys.chars().all(|key| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')) {
        return Err(invalid("keys", "holds 1 to 32 of 0-9, *, # and A-D"));
    }
    act(&api, &desk, DeskAction::Keys { handoff, keys }, "pressed").await
}

/// `POST .../pass-on`: the caller to another human. Whether one came is told on the stream.
async fn pass_on(State(api): State<Api>, Path((desk, id)): Handoff, headers: HeaderMap, Body(body): Body) -> Answer {
    let (desk, handoff) = entitled(&api, &desk, &id, &headers, &body)?;
    let to = Some(text(&body, "desk", 128)?).filter(|to| !to.is_empty()).map(DeskId);
    let reason = text(&body, "reason", REASON_LIMIT)?;
    act(&api, &desk, DeskAction::PassOn { handoff, desk: to, reason }, "passing_on").await
}

/// `POST .../end`: the caller is hung up.
async fn end(State(api): State<Api>, Path((desk, id)): Handoff, headers: HeaderMap, Body(body): Body) -> Answer {
    let (desk, handoff) = entitled(&api, &desk, &id, &headers, &body)?;
    act(&api, &desk, DeskAction::End(handoff), "ended").await
}

/// `POST .../disposition`: what became of a conversation, during or after it.
async fn disposition(
    State(api): State<Api>,
    Path((desk, id)): Handoff,
    headers: HeaderMap,
    Body(body): Body,
) -> Answer {
    let (desk, handoff) = entitled(&api, &desk, &id, &headers, &body)?;
    let (code, notes) = (text(&body, "code", 64)?, text(&body, "notes", NOTES_LIMIT)?);
    if !api.config.dispositions.contains(&code) {
        return Err(invalid("code", &format!("is one of {}", api.config.dispositions.join(", "))));
    }
    let call = api.hub.conversation(&desk, handoff).ok_or_else(|| ApiError::not_found("handoff"))?;
    answer(api.control.disposition(&desk, (call, handoff), Disposition { code, notes })).await?;
    Ok(told(handoff, "disposed"))
}

/// `POST /v1/desks/{desk}/state`: whether the human takes callers.
async fn state(State(api): State<Api>, Path(desk): Path<String>, headers: HeaderMap, Body(body): Body) -> Answer {
    let desk = guard::desk(&api, &desk, &headers)?;
    let word = text(&body, "state", 32)?;
    let state = DeskState::ALL.into_iter().find(|state| state.as_str() == word);
    let state = state.ok_or_else(|| invalid("state", "is available, busy, away or after_call"))?;
    answer(api.control.desk_state(&desk, state)).await?;
    Ok(Json(json!({"desk": desk.0, "state": word})))
}

/// `GET /v1/desks/{desk}/colleagues`: to whom a caller may be passed on.
async fn colleagues(State(api): State<Api>, Path(desk): Path<String>, headers: HeaderMap) -> Answer {
    let own = guard::desk(&api, &desk, &headers)?;
    let peers = reply(api.control.peers()).await?;
    let others = peers.into_iter().filter(|peer| !peer.trunk && peer.name != own.0).map(|peer| {
        let desk = DeskId(peer.name);
        let login = api.config.desks.iter().find(|login| login.desk == desk);
        json!({
            "display": login.and_then(|login| login.display.as_ref()).unwrap_or(&desk.0), "skills": peer.skills,
            "state": peer.state.as_str(), "page": api.hub.has_page(&desk), "callers": peer.busy, "up": peer.up,
            "desk": desk.0,
        })
    });
    Ok(Json(json!({"colleagues": others.collect::<Vec<_>>()})))
}

async fn act(api: &Api, desk: &DeskId, action: DeskAction, then: &'static str) -> Answer {
    let handoff = action.handoff();
    if !api.hub.shows(desk, handoff) {
        return Err(ApiError::not_found("handoff"));
    }
    answer(api.control.desk_action(desk, action)).await?;
    Ok(told(handoff, then))
}

fn told(handoff: HandoffId, status: &'static str) -> Json<Value> {
    Json(json!({"handoff": handoff.to_string(), "status": status}))
}

fn flag(body: &[u8], name: &str) -> Result<bool, ApiError> {
    let object: Value = serde_json::from_slice(body).unwrap_or_default();
    object.get(name).and_then(Value::as_bool).ok_or_else(|| invalid(name, "is true or false"))
}
