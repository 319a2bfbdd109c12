//! What a request outside dialogs gets before anybody above hears of it (RFC 3261 §8.2).

use super::Endpoint;
use super::registrar::Wishes;
use crate::body::{self, Found};
use crate::dialog::State;
use crate::event::DialogId;
use crate::flow::Flow;
use crate::message::{ALLOW, SUPPORTED};
use crate::offer_answer::Offer;
use crate::transaction::TxId;
use call_model::Instant;
use sip_wire::{Message, Method, Replaces};

/// A refusal: status, reason phrase (empty: the usual one), headers.
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str, pub(super) Vec<(&'static str, String)>);

impl Refusal {
    const fn plain(code: u16) -> Self {
        Self(code, "", Vec::new())
    }
}

impl Endpoint {
    pub(super) fn screen(&mut self, flow: Flow, tx: TxId, request: &Message, merged: bool, now: Instant) {
        let verdict = self.examine(flow, request, merged, now);
        match verdict {
            Err(refusal) => self.refuse(tx, &refusal, now),
            Ok(Screened::Register(wishes)) => self.on_register(flow, tx, request, wishes, now),
            Ok(Screened::Options) => {
                self.reply(tx, 200, "", now, capabilities);
            }
            Ok(Screened::Invite { offer, sdp, replaces }) => {
                self.on_invite(flow, tx, request, offer.zip(sdp), replaces, now);
            }
        }
    }

    /// A request for a dialog we do not know: examined like any other (RFC 3261 §8.2), and 481 if that finds nothing
    /// worse. We never recreate a dialog from a request (§12.2.2).
    pub(super) fn screen_stray(&mut self, flow: Flow, tx: TxId, request: &Message, now: Instant) {
        let refusal = self.examine(flow, request, false, now).err().unwrap_or(Refusal::plain(481));
        self.refuse(tx, &refusal, now);
    }

    pub(super) fn refuse(&mut self, tx: TxId, refusal: &Refusal, now: Instant) {
        self.reply(tx, refusal.0, refusal.1, now, |response| {
            for (name, value) in &refusal.2 {
                response.headers.push(name, value.as_str());
            }
        });
    }

    fn examine(&mut self, flow: Flow, request: &Message, merged: bool, now: Instant) -> Result<Screened, Refusal> {
        let method = request.method().cloned().unwrap_or(Method::Options);
        let register = method == Method::Register && !self.config.registrar.seats.is_empty();
        if !register {
            check_method(&method, request)?;
        }
        if merged {
            return Err(Refusal(482, "Request Merged", Vec::new()));
        }
        if is_ours(flow, request) {
            return Err(Refusal::plain(482));
        }
        if register {
            return self.examine_register(flow, request, now).map(Screened::Register);
        }
        if method == Method::Invite {
            self.admit(flow, request, now)?;
        }
        check_required(request, false)?;
        let retry = || vec![("Retry-After", self.config.retry_after.to_string())];
        // Somebody who takes a call over makes no new one.
        if self.draining && !request.headers.contains("Replaces") {
            return Err(Refusal(503, "", retry()));
        }
        if method == Method::Options {
            return Ok(Screened::Options);
        }
        if matches!(request.max_forwards(), Ok(Some(0))) {
            return Err(Refusal::plain(483));
        }
        check_accept(request)?;
        self.check_session(request)?;
        let replaces = self.examine_replaces(request)?;
        let sdp = check_body(request)?;
        let offer = match &sdp {
            Some(sdp) => Some(Offer::parse(sdp).map_err(|_| Refusal(400, "Bad Session Description", Vec::new()))?),
            None => None,
        };
        if self.dialogs.len() >= self.config.max_dialogs {
            return Err(Refusal(503, "", retry()));
        }
        Ok(Screened::Invite { offer, sdp, replaces })
    }

    /// RFC 3891 §3: which dialog is to be replaced, or why not.
    fn examine_replaces(&self, request: &Message) -> Result<Option<DialogId>, Refusal> {
        let Some(replaces) = request.replaces() else { return Ok(None) };
        let replaces = replaces.map_err(|_| Refusal(400, "Bad Replaces", Vec::new()))?;
        if request.headers.contains("Join") {
            return Err(Refusal(400, "Replaces with Join", Vec::new()));
        }
        let found = self.find_replaced(&replaces).and_then(|id| self.dialogs.get(&id));
        let dialog = found.ok_or(Refusal::plain(481))?;
        match dialog.state {
            // An early dialog may only be replaced at the side that made it.
            State::Calling { .. } => Ok(Some(dialog.id)),
            State::Arriving { .. } => Err(Refusal::plain(481)),
            State::HangingUp { .. } | State::Over => Err(Refusal::plain(603)),
            State::Answering { .. } | State::Established if replaces.early_only => Err(Refusal::plain(486)),
            State::Answering { .. } | State::Established => Ok(Some(dialog.id)),
        }
    }

    /// The dialog a `Replaces` names: `to-tag` is ours, `from-tag` the peer's.
    pub(super) fn find_replaced(&self, replaces: &Replaces) -> Option<DialogId> {
        self.find_dialog(&replaces.call_id, &replaces.to_tag, &replaces.from_tag).or_else(|| {
            // RFC 3891 §3: tag 0 may stand for a peer of RFC 2543 that has none.
            let id = self.find_dialog(&replaces.call_id, &replaces.to_tag, "")?;
            let dialog = self.dialogs.get(&id)?;
            (replaces.from_tag == "0" || dialog.branches.iter().any(|branch| branch.tag == replaces.from_tag))
                .then_some(id)
        })
    }
}

/// What passed.
enum Screened {
    Options,
    Register(Wishes),
    Invite { offer: Option<Offer>, sdp: Option<Vec<u8>>, replaces: Option<DialogId> },
}

/// What we can do, as the answer to OPTIONS (RFC 3261 §11.2).
pub(super) fn capabilities(response: &mut Message) {
    response.headers.push("Allow", ALLOW);
    response.headers.push("Accept", "application/sdp");
    response.headers.push("Accept-Encoding", "identity");
    response.headers.push("Supported", SUPPORTED.join(","));
    response.headers.push("Allow-Events", "refer");
}

fn check_method(method: &Method, request: &Message) -> Result<(), Refusal> {
    let allow = || vec![("Allow", ALLOW.to_owned())];
    if request.headers.contains("Replaces") && *method != Method::Invite {
        return Err(Refusal(400, "Replaces outside INVITE", Vec::new()));
    }
    match method {
        Method::Invite | Method::Options => Ok(()),
        // Outside dialogs these have nothing to refer to; REFER is declined rather than relayed.
        Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Ack | Method::Cancel => {
            Err(Refusal::plain(481))
        }
        Method::Refer => Err(Refusal::plain(603)),
        Method::Notify if is_refer_event(request) => Err(Refusal::plain(481)),
        Method::Notify | Method::Subscribe => Err(bad_event()),
        Method::Register | Method::Message | Method::Publish => Err(Refusal(405, "", allow())),
        Method::Other(_) => Err(Refusal(501, "", allow())),
    }
}

pub(super) fn bad_event() -> Refusal {
    Refusal(489, "", vec![("Allow-Events", "refer".to_owned())])
}

pub(super) fn is_refer_event(request: &Message) -> bool {
    matches!(request.event(), Some(Ok(event)) if event.value == "refer")
}

/// A request that passed through us already: a route leads in a circle (RFC 3261 §16.3 item 4).
fn is_ours(flow: Flow, request: &Message) -> bool {
    request.vias().is_ok_and(|vias| {
        vias.iter().any(|via| via.host.ip() == Some(flow.local.ip()) && via.port.unwrap_or(5060) == flow.local.port())
    })
}

/// `siprec` is understood within recording sessions, and nowhere else are we a recorder.
pub(super) fn check_required(request: &Message, recording: bool) -> Result<(), Refusal> {
    let mut unknown = request.require();
    unknown.extend(request.tokens("Proxy-Require"));
    unknown.retain(|tag| !(recording && tag.eq_ignore_ascii_case("siprec")));
    unknown.retain(|tag| !SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(tag)));
    if unknown.is_empty() { Ok(()) } else { Err(Refusal(420, "", vec![("Unsupported", unknown.join(", "))])) }
}

fn check_accept(request: &Message) -> Result<(), Refusal> {
    let accept = request.tokens("Accept");
    let kind = |value: &String| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fine = |value: &String| matches!(kind(value).as_str(), "application/sdp" | "application/*" | "*/*");
    if accept.is_empty() || accept.iter().any(fine) { Ok(()) } else { Err(Refusal::plain(406)) }
}

/// The SDP of a request, or why its body cannot be handled.
pub(super) fn check_body(request: &Message) -> Result<Option<Vec<u8>>, Refusal> {
    let encoding = request.headers.get("Content-Encoding").map(str::trim).unwrap_or("identity");
    if !request.body.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Err(Refusal(415, "", vec![("Accept-Encoding", "identity".to_owned())]));
    }
    match body::find_sdp(request) {
        Found::Nothing => Ok(None),
        Found::Sdp(sdp) => Ok(Some(sdp)),
        Found::Unknown => Err(Refusal(415, "", vec![("Accept", "application/sdp".to_owned())])),
    }
}
