//! What a desk's page and a desk's own systems ask.

use super::{Body, answer, reply};
use crate::audit::{self, Viewer};
use crate::board::{Claim, PopStatus};
use crate::error::ApiError;
use crate::metrics::Metric;
use crate::server::{Api, DeskLogin, IceServer, Peer};
use crate::{guard, session, sse};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use call_model::{DeskAction, DeskId, HandoffId};
use serde_json::{Value, json};
use std::time::Instant;

/// Longest name of a tab.
const TAB_LIMIT: usize = 64;
/// Longest notes of a human who gives a caller back, characters.
const NOTES_LIMIT: usize = 1000;
/// Longest session description, characters.
const SDP_LIMIT: usize = 16_000;
/// Longest reason for declining a caller, characters.
const REASON_LIMIT: usize = 200;

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/desks/{desk}", routing::get(who))
        .route("/v1/desks/{desk}/session", routing::post(sign_in).delete(sign_out))
        .route("/v1/session", routing::get(session))
        .route("/v1/desks/{desk}/events", routing::get(events))
        .route("/v1/desks/{desk}/handoffs/{id}/ack", routing::post(ack))
        .route("/v1/desks/{desk}/handoffs/{id}/accept", routing::post(accept))
        .route("/v1/desks/{desk}/handoffs/{id}/audio", routing::post(audio))
        .route("/v1/desks/{desk}/handoffs/{id}/decline", routing::post(decline))
        .route("/v1/desks/{desk}/handoffs/{id}/hand-back", routing::post(hand_back))
        .route("/v1/desks/{desk}/handoffs/{id}/done", routing::post(done))
        .route("/v1/handoffs/{id}", routing::get(package))
}

/// `GET /v1/desks/{desk}`: whether the token is right, and what to show.
async fn who(State(api): State<Api>, Path(desk): Path<String>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let desk = guard::desk(&api, &desk, &headers)?;
    let login = api.config.desks.iter().find(|login| login.desk == desk);
    let display = login.and_then(|login| login.display.as_deref()).unwrap_or(&desk.0);
    let skills = login.map(|login| login.skills.as_slice()).unwrap_or_default();
    let dispositions = &api.config.dispositions;
    let mut shape = json!({"desk": desk.0, "display": display, "skills": skills, "dispositions": dispositions});
    shape["audio"] = "telephone".into();
    if login.is_some_and(|login| login.browser) {
        shape["audio"] = "browser".into();
        shape["ice_servers"] = api.config.ice_servers.iter().map(ice_server).collect();
    }
    Ok(Json(shape))
}

/// `POST /v1/desks/{desk}/session`, with the desk's token: a cookie in its place, for a page.
async fn sign_in(
    State(api): State<Api>,
    Path(desk): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let desk = guard::desk(&api, &desk, &headers)?;
    let login = api.sessions.begin(&desk, Instant::now()).map_err(|error| {
        tracing::error!(%error, "no randomness for a session");
        ApiError::busy()
    })?;
    tracing::info!(%desk, who = audit::who(&api, &desk, peer, &headers), "signed in on the desk page");
    let cookie = session::set_cookie(&desk, Some(&login.id), secure(peer, &headers));
    Ok(([(header::SET_COOKIE, cookie)], Json(json!({"desk": desk.0, "page": login.page}))).into_response())
}

/// `GET /v1/session`: whose it is, for a page that is loaded again.
async fn session(State(api): State<Api>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let now = Instant::now();
    let found = api.config.desks.iter().find_map(|DeskLogin { desk, .. }| {
        let page = session::cookies(&headers, desk).find_map(|id| api.sessions.page(&id, desk, now))?;
        Some(Json(json!({"desk": desk.0, "page": page})))
    });
    found.ok_or_else(|| ApiError::unauthorized("Sign in first."))
}

/// `DELETE /v1/desks/{desk}/session`.
async fn sign_out(
    State(api): State<Api>,
    Path(desk): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let desk = guard::desk(&api, &desk, &headers)?;
    if let Some(id) = guard::session_of(&api, &desk, &headers) {
        api.sessions.end(&id);
        tracing::info!(%desk, "signed out on the desk page");
    }
    let cookie = session::set_cookie(&desk, None, secure(peer, &headers));
    Ok(([(header::SET_COOKIE, cookie)], Json(json!({"desk": desk.0}))).into_response())
}

/// Whether the browser came over HTTPS, to us or to a proxy before us: what its page says of its origin.
fn secure(peer: Option<Extension<Peer>>, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    peer.is_some_and(|Extension(peer)| peer.secure) || origin.starts_with("https://")
}

/// As `RTCPeerConnection` takes it.
fn ice_server(server: &IceServer) -> Value {
    let mut shape = json!({"urls": server.urls});
    if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
        shape["username"] = username.as_str().into();
        shape["credential"] = credential.expose().into();
    }
    shape
}

/// `GET /v1/desks/{desk}/events`.
async fn events(
    State(api): State<Api>,
    Path(desk): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let desk = guard::desk(&api, &desk, &headers)?;
    let viewer = Viewer::of(&api, &desk, peer, &headers);
    let counted = sse::Counted::new(&api.hub, Metric::DeskStreams).ok_or_else(ApiError::busy)?;
    let position = sse::position(&api.hub, &headers);
    let present = sse::Present::new(&api.hub, &api.control, &desk);
    Ok(sse::desk_stream(&api.hub, desk, position, (counted, present, viewer)).into_response())
}

/// `POST .../ack`: the page shows the pop.
async fn ack(
    State(api): State<Api>,
    Path((desk, id)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let (desk, id) = entitled(&api, &desk, &id, &headers, &body)?;
    api.hub.present(&desk, id).map_err(|why| why.map_or(ApiError::not_found("handoff"), |why| ApiError::gone(&why)))?;
    answer(api.control.desk_action(&desk, DeskAction::Acknowledged(id))).await?;
    api.hub.mark(&desk, id, PopStatus::Acknowledged);
    Ok(status(id, PopStatus::Acknowledged))
}

async fn accept(
    State(api): State<Api>,
    Path((desk, id)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let (desk, id) = entitled(&api, &desk, &id, &headers, &body)?;
    act(&api, &desk, id, &tab(&headers)?, DeskAction::Accepted(id), PopStatus::Accepted).await
}

/// `POST .../audio`: the page's offer; our answer. Only the window that accepted the caller has their audio, and may bring
/// it again.
async fn audio(
    State(api): State<Api>,
    Path((desk, id)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let (desk, id) = entitled(&api, &desk, &id, &headers, &body)?;
    let offer = text(&body, "sdp", SDP_LIMIT)?;
    match api.hub.claim(&desk, id, &tab(&headers)?, true) {
        Claim::Mine => {}
        Claim::Won => {
            api.hub.unclaim(&desk, id);
            return Err(conflict("not_now", "the caller has not been accepted"));
        }
        Claim::Taken => return Err(conflict("taken", "another tab of this desk talks with the caller")),
        Claim::TooLate(why) => return Err(conflict("not_now", why)),
        Claim::Closed(why) => return Err(ApiError::gone(&why)),
        Claim::Unknown => return Err(ApiError::not_found("handoff")),
    }
    let sdp = reply(api.control.desk_offer(&desk, id, offer)).await??;
    Ok(Json(json!({"handoff": id.to_string(), "sdp": sdp})))
}

async fn decline(
    State(api): State<Api>,
    Path((desk, id)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let (desk, id) = entitled(&api, &desk, &id, &headers, &body)?;
    let reason = text(&body, "reason", REASON_LIMIT)?;
    act(&api, &desk, id, &tab(&headers)?, DeskAction::Declined { handoff: id, reason }, PopStatus::Declined).await
}

/// `POST .../hand-back`: the human gives the caller back to the bot, with notes. Whether the bot came is told on the
/// stream.
async fn hand_back(
    State(api): State<Api>,
    Path((desk, id)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let (desk, handoff) = entitled(&api, &desk, &id, &headers, &body)?;
    if !api.hub.shows(&desk, handoff) {
        return Err(ApiError::not_found("handoff"));
    }
    let notes = text(&body, "notes", NOTES_LIMIT)?;
    answer(api.control.desk_action(&desk, DeskAction::HandBack { handoff, notes })).await?;
    Ok(Json(json!({"handoff": handoff.to_string(), "status": "handing_back"})))
}

/// A text of the body, which is a JSON object or empty. Left out, it is empty.
pub(super) fn text(body: &[u8], name: &str, most: usize) -> Result<String, ApiError> {
    let object: Value = serde_json::from_slice(body).unwrap_or_default();
    match object.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) if text.chars().count() <= most => Ok(text.clone()),
        Some(_) => Err(invalid(name, &format!("is a text of at most {most} characters"))),
    }
}

/// A field of the body is not what it must be.
pub(super) fn invalid(name: &str, what: &str) -> ApiError {
    let message = format!("The field {name} {what}.");
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message, "Correct it, or see docs/http-api.md.")
}

/// `POST .../done`: after a release only the human knows when the conversation is over. Twice is once.
async fn done(
    State(api): State<Api>,
    Path((desk, id)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let (desk, id) = entitled(&api, &desk, &id, &headers, &body)?;
    match api.hub.done(&desk, id) {
        Ok(()) | Err(None) => Ok(Json(json!({"handoff": id.to_string(), "status": "done"}))),
        Err(Some(_)) => Err(conflict("not_now", "the call still passes through here and ends by itself")),
    }
}

/// `GET /v1/handoffs/{id}`: the package, while the handoff is on a desk that the token opens.
async fn package(
    State(api): State<Api>,
    Path(id): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let desks = guard::desks_of_token(&api, &headers);
    let admin = guard::is_admin(&api, &headers);
    if desks.is_empty() && !admin {
        return Err(ApiError::unauthorized("Send 'Authorization: Bearer' with the token of the handoff's desk."));
    }
    let id: HandoffId = id.parse().map_err(|_| ApiError::bad_id("handoff"))?;
    let own = desks.iter().find_map(|desk| Some((Viewer::of(&api, desk, peer, &headers), api.hub.package(desk, id)?)));
    let any = || admin.then(|| Some((Viewer::operator(&api, peer), api.hub.any_package(id)?))).flatten();
    let (mut viewer, (call, package)) = own.or_else(any).ok_or_else(|| ApiError::not_found("handoff"))?;
    viewer.saw(&[(call, id)]);
    Ok(Json((*package).clone()))
}

pub(super) fn entitled(
    api: &Api,
    desk: &str,
    id: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(DeskId, HandoffId), ApiError> {
    let desk = guard::desk(api, desk, headers)?;
    let id = id.parse().map_err(|_| ApiError::bad_id("handoff"))?;
    let empty = body.iter().all(u8::is_ascii_whitespace);
    if !empty && !matches!(serde_json::from_slice(body), Ok(Value::Object(_))) {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "The body is not a JSON object.",
            "Send no body, or {}.",
        ));
    }
    Ok((desk, id))
}

/// Which tab it is, so that two of them do not both win. Programs may leave it out: they are then all one.
fn tab(headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(value) = headers.get("x-warmline-tab") else { return Ok(String::new()) };
    match value.to_str() {
        Ok(tab) if tab.len() <= TAB_LIMIT => Ok(tab.to_owned()),
        _ => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_tab",
            "X-Warmline-Tab is not a short name.",
            "Use at most 64 ASCII characters, or leave it out.",
        )),
    }
}

async fn act(
    api: &Api,
    desk: &DeskId,
    id: HandoffId,
    tab: &str,
    action: DeskAction,
    then: PopStatus,
) -> Result<Json<Value>, ApiError> {
    match api.hub.claim(desk, id, tab, then == PopStatus::Accepted) {
        Claim::Won => {}
        Claim::Mine => return Ok(status(id, then)),
        Claim::Taken => return Err(conflict("taken", "another tab of this desk has already answered")),
        Claim::TooLate(why) => return Err(conflict("not_now", why)),
        Claim::Closed(why) => return Err(ApiError::gone(&why)),
        Claim::Unknown => return Err(ApiError::not_found("handoff")),
    }
    let mut claimed = Unclaim { api, desk, id, armed: true };
    answer(api.control.desk_action(desk, action)).await?;
    claimed.armed = false;
    api.hub.mark(desk, id, then);
    Ok(status(id, then))
}

/// Gives the claim back when the switchboard refused, did not answer, or the client went away while we asked.
struct Unclaim<'a> {
    api: &'a Api,
    desk: &'a DeskId,
    id: HandoffId,
    armed: bool,
}

impl Drop for Unclaim<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.api.hub.unclaim(self.desk, self.id);
        }
    }
}

fn conflict(code: &'static str, why: &str) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, code, format!("Not now: {why}."), "Look at the event stream.")
}

fn status(id: HandoffId, status: PopStatus) -> Json<Value> {
    Json(json!({"handoff": id.to_string(), "status": status.as_str()}))
}
