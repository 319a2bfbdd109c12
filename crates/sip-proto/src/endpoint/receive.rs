//! From a message to the transaction and dialog it belongs to.

use super::uac::retry_after;
use super::{DialogKey, Endpoint, Purpose};
use crate::config::{Network, contains};
use crate::event::{DialogEvent, DialogId, Output, PingId, SeenNote};
use crate::flow::Flow;
use crate::message;
use crate::pace::Pass;
use crate::transaction::key::ServerKey;
use crate::transaction::{NewServer, TxId};
use call_model::Instant;
use core::net::IpAddr;
use sip_wire::{Malformed, Message, Method, Via, validate_request, validate_response};

impl Endpoint {
    /// Takes a message that was parsed.
    pub fn handle_message(&mut self, flow: Flow, message: Message, now: Instant) {
        if message.is_request() {
            self.handle_request(flow, message, now)
        } else {
            self.handle_response(flow, message, now)
        }
    }

    /// Takes one that could not be: sends its ready answer, if it has one.
    pub fn handle_malformed(&mut self, flow: Flow, malformed: Malformed, now: Instant) {
        let _ = now;
        let what = format!("malformed: {}", malformed.reason);
        let sip_call_id = malformed.call_id.clone().unwrap_or_default();
        self.out.push_back(Output::Seen(SeenNote {
            flow,
            dialog: None,
            what,
            sip_call_id,
            cseq: String::new(),
            again: false,
        }));
        self.answer_malformed(flow, malformed);
    }

    fn answer_malformed(&mut self, flow: Flow, malformed: Malformed) {
        match malformed.answer {
            Some(mut answer) => {
                answer.note_source(flow.remote);
                let reply_to = answer.via().map_or(flow, |via| message::reply_flow(flow, &via));
                self.transmit(reply_to, &answer, None);
            }
            None => self.dropped(format!("malformed and not to be answered: {}", malformed.reason)),
        }
    }

    // --- responses

    fn handle_response(&mut self, flow: Flow, response: Message, now: Instant) {
        if let Err(malformed) = validate_response(&response) {
            self.seen(flow, &response, None, false);
            return self.dropped(format!("bad response: {}", malformed.reason));
        }
        if response.vias().map_or(0, |vias| vias.len()) != 1 {
            // We are no proxy: a response with another hop below ours is not for us (RFC 3261 §8.1.3.3).
            self.seen(flow, &response, None, false);
            return self.dropped("response with more than one Via");
        }
        let final_response = response.code().is_some_and(|code| code >= 200);
        if let Some((tx, purpose, finished)) = self.transactions.find_client(&response) {
            self.seen(flow, &response, purpose.dialog(), finished && final_response);
            if let Some(dialog) = purpose.dialog().and_then(|id| self.dialogs.get_mut(&id)) {
                dialog.session_id.learn(&response);
            }
            if self.transactions.handle_response(tx, &response, now, &mut self.out)
                && !self.try_again(tx, &purpose, &response, now)
            {
                self.on_response(purpose, &response, now);
            }
            return;
        }
        let ok = response.code().is_some_and(|code| (200..300).contains(&code));
        let invite = response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        let base = if ok && invite { self.dialog_of_response(&response) } else { None };
        self.seen(flow, &response, base, base.is_some());
        match base {
            Some(base) => self.on_invite_ok(base, &response, now),
            None => self.dropped("response without transaction"),
        }
    }

    /// The dialog of a 2xx that no transaction claims: the exact one, or one of the same INVITE.
    fn dialog_of_response(&self, response: &Message) -> Option<DialogId> {
        let (call_id, local) = (response.call_id(), response.from_tag()?);
        let remote = response.to_tag().unwrap_or_default();
        self.find_dialog(call_id, &local, &remote).or_else(|| self.any_dialog(call_id, &local))
    }

    fn any_dialog(&self, call_id: &str, local_tag: &str) -> Option<DialogId> {
        let first =
            DialogKey { call_id: call_id.to_owned(), local_tag: local_tag.to_owned(), remote_tag: String::new() };
        let (key, id) = self.index.range(first..).next()?;
        (key.call_id == call_id && key.local_tag == local_tag).then_some(*id)
    }

    fn on_response(&mut self, purpose: Purpose, response: &Message, now: Instant) {
        let code = response.code().unwrap_or(500);
        match purpose {
            Purpose::Invite(dialog) => self.on_invite_response(dialog, response, now),
            Purpose::Reinvite(dialog) => self.on_reinvite_response(dialog, response, now),
            _ if code < 200 => {}
            Purpose::Bye(dialog) => self.on_bye_done(dialog, now),
            Purpose::Refresh(dialog) => self.on_refreshed(dialog, code, Some(response), now),
            Purpose::Refer(dialog, cseq) => {
                let (unsupported, retry_after) = (response.tokens("Unsupported"), retry_after(response));
                self.on_refer_done((dialog, cseq), code, unsupported, retry_after, now);
            }
            Purpose::Notify(dialog, subscription) => self.on_notify_done(dialog, subscription, code, now),
            Purpose::Request(dialog, method) => self.on_request_done(dialog, method, code, true, now),
            Purpose::Ping(ping) => self.on_pong(ping, Some(code), response.tokens("Allow"), response.supported()),
            Purpose::Register(registration) => self.on_register_done(registration, code, Some(response), now),
            Purpose::Courtesy(_) => {}
        }
    }

    /// No response came and none will: 408 for silence, 503 for a failed transport.
    pub(super) fn on_no_response(&mut self, purpose: Purpose, code: u16, now: Instant) {
        match purpose {
            Purpose::Invite(dialog) => self.on_invite_unanswered(dialog, code, now),
            Purpose::Reinvite(dialog) => self.on_reinvite_refused(dialog, code, now),
            Purpose::Bye(dialog) => self.on_bye_done(dialog, now),
            Purpose::Refresh(dialog) => self.on_refreshed(dialog, code, None, now),
            Purpose::Refer(dialog, cseq) => self.on_refer_done((dialog, cseq), code, Vec::new(), None, now),
            Purpose::Notify(dialog, subscription) => self.on_notify_done(dialog, subscription, code, now),
            Purpose::Request(dialog, method) => self.on_request_done(dialog, method, code, false, now),
            Purpose::Ping(ping) => self.on_pong(ping, None, Vec::new(), Vec::new()),
            Purpose::Register(registration) => self.on_register_done(registration, code, None, now),
            Purpose::Courtesy(_) => {}
        }
    }

    fn on_pong(&mut self, ping: PingId, code: Option<u16>, allow: Vec<String>, supported: Vec<String>) {
        self.pings.remove(&ping);
        self.emit(DialogEvent::Pong { ping, code, allow, supported });
    }

    // --- requests

    fn handle_request(&mut self, flow: Flow, mut request: Message, now: Instant) {
        request.note_source(flow.remote);
        if let Err(malformed) = validate_request(&request) {
            self.seen(flow, &request, None, false);
            return self.answer_malformed(flow, malformed);
        }
        let Ok(via) = request.via() else { return };
        let Some(key) = ServerKey::of(&request, &via) else {
            return self.dropped("request without anything to match it by");
        };
        match request.method() {
            Some(Method::Ack) => self.handle_ack(flow, &request, &key, now),
            Some(Method::Cancel) => self.handle_cancel(flow, request, via, key, now),
            _ => match self.transactions.find_server(&key) {
                Some(tx) => {
                    let dialog = self.transactions.server_dialog(tx);
                    self.seen(flow, &request, dialog, true);
                    self.transactions.handle_again(tx, now, &mut self.out);
                }
                None => self.handle_new_request(flow, request, &via, key, now),
            },
        }
    }

    fn handle_ack(&mut self, flow: Flow, ack: &Message, key: &ServerKey, now: Instant) {
        if let Some(tx) = self.transactions.find_server(key).filter(|tx| self.transactions.takes_ack(*tx)) {
            let dialog = self.transactions.server_dialog(tx);
            self.seen(flow, ack, dialog, false);
            return self.transactions.handle_ack(tx, now, &mut self.out);
        }
        let dialog = self.dialog_of_request(flow, ack);
        let cseq = ack.cseq().map_or(0, |cseq| cseq.number);
        let again = dialog.is_some_and(|id| !self.awaits_ack(id, cseq));
        self.seen(flow, ack, dialog, again);
        match dialog {
            Some(id) => self.on_ack(id, ack, cseq, now),
            None => self.dropped("ACK for nothing we know"),
        }
    }

    fn handle_cancel(&mut self, flow: Flow, cancel: Message, via: Via, key: ServerKey, now: Instant) {
        if let Some(tx) = self.transactions.find_server(&key) {
            let dialog = self.transactions.server_dialog(tx);
            self.seen(flow, &cancel, dialog, true);
            return self.transactions.handle_again(tx, now, &mut self.out);
        }
        let invite = self.transactions.find_server(&key.of_invite());
        let dialog = invite.and_then(|tx| self.transactions.server_dialog(tx));
        self.seen(flow, &cancel, dialog, false);
        if invite.is_none() && self.is_full() {
            return self.refuse_overload(flow, &cancel, &via);
        }
        let to_tag = invite.and_then(|tx| self.transactions.server_head(tx)).map(|(_, tag, _)| tag.to_owned());
        let reason = cancel.headers.get("Reason").map(str::to_owned);
        let tx = self.serve(message::reply_flow(flow, &via), cancel, key, to_tag, dialog, now);
        let Some(invite) = invite else {
            self.reply(tx, 481, "", now, |_| ());
            return;
        };
        self.reply(tx, 200, "", now, |_| ());
        if self.transactions.awaits_answer(invite) {
            self.reply(invite, 487, "", now, |_| ());
            if let Some(id) = dialog {
                self.finish(id, Some(DialogEvent::Cancelled { dialog: id, reason }), now);
            }
        }
    }

    fn handle_new_request(&mut self, flow: Flow, request: Message, via: &Via, key: ServerKey, now: Instant) {
        let Some(to_tag) = request.to_tag() else {
            if let Pass::No { tell } = self.pace.ask(flow.remote.ip(), now) {
                if let Some(refused) = tell {
                    self.dropped(format!("{refused} new requests from {} above its rate: 503", flow.remote.ip()));
                }
                return self.refuse_overload(flow, &request, via);
            }
            self.seen(flow, &request, None, false);
            if self.is_full() {
                return self.refuse_overload(flow, &request, via);
            }
            // Found out before the transaction is made, as that one registers itself for the same question.
            let merged = self.transactions.is_merged(&request);
            let body = request.clone();
            let tx = self.serve(message::reply_flow(flow, via), request, key, None, None, now);
            return self.screen(flow, tx, &body, merged, now);
        };
        let dialog = self.dialog_of_request(flow, &request);
        self.seen(flow, &request, dialog, false);
        if self.transactions.len() >= self.config.max_transactions.saturating_mul(2) {
            return self.refuse_overload(flow, &request, via);
        }
        let body = request.clone();
        let tx = self.serve(message::reply_flow(flow, via), request, key, Some(to_tag), dialog, now);
        match dialog {
            Some(id) => self.on_request_within(id, tx, flow, &body, now),
            None => self.screen_stray(flow, tx, &body, now),
        }
    }

    /// The dialog a request names, by our tag in `To` and the peer's in `From`, if that peer sent it.
    fn dialog_of_request(&mut self, flow: Flow, request: &Message) -> Option<DialogId> {
        let (call_id, local) = (request.call_id(), request.to_tag()?);
        let remote = request.from_tag().unwrap_or_default();
        let named = self.find_dialog(call_id, &local, &remote).or_else(|| self.find_dialog(call_id, &local, ""))?;
        let known = self.dialogs.get(&named)?.flow.remote.ip();
        if self.is_same_peer(known, flow.remote.ip()) {
            return Some(named);
        }
        self.dropped(format!("{} names a dialog with {known}", flow.remote.ip()));
        None
    }

    fn is_same_peer(&self, one: IpAddr, other: IpAddr) -> bool {
        let holds = |peer: &Vec<Network>, ip| peer.iter().any(|network| contains(*network, ip));
        let peers = &self.config.peers;
        peers.is_empty() || one == other || peers.iter().any(|peer| holds(peer, one) && holds(peer, other))
    }

    fn serve(
        &mut self,
        reply_to: Flow,
        request: Message,
        key: ServerKey,
        to_tag: Option<String>,
        dialog: Option<DialogId>,
        now: Instant,
    ) -> TxId {
        let to_tag = to_tag.unwrap_or_else(|| self.ids.hex(12));
        let new = NewServer { key, reply_to, request, to_tag, dialog };
        self.transactions.start_server(new, now, &mut self.out)
    }

    fn is_full(&self) -> bool {
        self.transactions.len() >= self.config.max_transactions
    }

    /// Answers without keeping state, so that a flood costs nothing but its answers.
    pub(super) fn refuse_overload(&mut self, flow: Flow, request: &Message, via: &Via) {
        let mut response = request.response_to(503, "", Some("overload"));
        response.headers.push("Retry-After", self.config.retry_after.to_string());
        self.transmit(message::reply_flow(flow, via), &response, None);
    }
}
