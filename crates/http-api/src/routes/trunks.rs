//! What trunks and desks can do, how that is known, and how they are doing.

use super::reply;
use crate::control::{AbilityView, PeerView, RegistrationShown, TelephoneShown, WaitingShown};
use crate::error::ApiError;
use crate::guard;
use crate::server::Api;
use crate::shapes::urgency;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Json, Router, routing};
use call_model::{Instant, WallAnchor};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    router.route("/v1/trunks", routing::get(trunks)).route("/v1/queue", routing::get(queue))
}

/// `GET /v1/trunks`.
async fn trunks(State(api): State<Api>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let wall = api.hub.wall();
    let (trunks, desks): (Vec<_>, Vec<_>) = reply(api.control.peers()).await?.into_iter().partition(|peer| peer.trunk);
    let trunks: Vec<Value> = trunks
        .iter()
        .map(|peer| {
            let mut value = shape(peer, &wall);
            value["registration"] = json!(peer.registration.as_ref().map(|one| registration(one, &wall)));
            let count = api.hub.trunk(&peer.name);
            value["calls"] = count.calls.into();
            value["released"] = count.released.into();
            value["refer_refused"] = count.refused.into();
            value
        })
        .collect();
    let desks: Vec<Value> = desks
        .iter()
        .map(|peer| {
            let mut value = shape(peer, &wall);
            let telephones = peer.telephones.as_ref();
            let telephones = telephones.map(|all| all.iter().map(|one| telephone(one, &wall)).collect::<Vec<_>>());
            value["telephones"] = json!(telephones);
            let presence = peer.presence.as_ref();
            value["presence"] = json!(presence.map(|one| {
                json!({"is": one.what, "source": one.source, "since_unix_ms": unix_ms(one.since, &wall)})
            }));
            value["skills"] = json!(peer.skills);
            value["languages"] = json!(peer.languages);
            value["seniority"] = peer.seniority.into();
            value["calls"] = peer.busy.into();
            value["handoffs"] = peer.handoffs.into();
            value["early_drops"] = peer.early_drops.into();
            value
        })
        .collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    Ok(Json(json!({"now_unix_ms": now, "trunks": trunks, "desks": desks})))
}

/// `GET /v1/queue`: who waits for a desk, the next first.
async fn queue(State(api): State<Api>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    guard::admin(&api, &headers)?;
    let wall = api.hub.wall();
    let view = reply(api.control.queue()).await?;
    let one = |(nth, one): (usize, &WaitingShown)| {
        json!({
            "handoff": one.handoff.to_string(), "call": one.call.to_string(), "place": nth + 1,
            "trigger": one.trigger.as_str(), "urgency": urgency(one.urgency), "desk": one.desk.as_ref().map(|desk| &desk.0),
            "skill": one.skill, "language": one.language, "since_unix_ms": wall.unix_ms(one.since),
            "until_unix_ms": unix_ms(one.until, &wall), "wait_s": one.expected.map(|wait| wait.as_secs()),
            "tried": one.tried,
        })
    };
    let waiting: Vec<Value> = view.waiting.iter().enumerate().map(one).collect();
    Ok(Json(json!({"service_s": view.service.map(|service| service.as_secs()), "waiting": waiting})))
}

fn shape(peer: &PeerView, wall: &WallAnchor) -> Value {
    let targets = peer.targets.iter().map(|(at, up)| json!({"at": at, "up": up}));
    json!({
        "name": peer.name, "up": peer.up, "targets": targets.collect::<Vec<_>>(), "refer": ability(&peer.refer, wall),
        "replaces": ability(&peer.replaces, wall),
        "blind": peer.blind.as_ref().map(|blind| ability(blind, wall)), "resting_until_unix_ms": unix_ms(peer.resting_until, wall),
    })
}

fn ability(view: &AbilityView, wall: &WallAnchor) -> Value {
    json!({
        "evidence": view.evidence, "setting": view.setting, "usable": view.usable, "because": view.because,
        "since_unix_ms": unix_ms(view.since, wall), "until_unix_ms": unix_ms(view.until, wall),
    })
}

fn registration(shown: &RegistrationShown, wall: &WallAnchor) -> Value {
    json!({
        "registrar": shown.registrar, "aor": shown.aor, "registered": shown.since.is_some(),
        "since_unix_ms": unix_ms(shown.since, wall), "until_unix_ms": unix_ms(shown.until, wall),
        "because": shown.because, "again_unix_ms": unix_ms(shown.again, wall),
    })
}

fn telephone(shown: &TelephoneShown, wall: &WallAnchor) -> Value {
    json!({
        "at": shown.at, "agent": shown.agent, "since_unix_ms": wall.unix_ms(shown.since),
        "until_unix_ms": wall.unix_ms(shown.until),
    })
}

fn unix_ms(at: Option<Instant>, wall: &WallAnchor) -> Option<u64> {
    at.map(|at| wall.unix_ms(at))
}
