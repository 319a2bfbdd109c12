//! A new INVITE: whose is it, where does it go, and is there room.

use super::registrations::dialled;
use super::{Link, Switchboard, refused};
use crate::call::{About, Call};
use crate::capability::PeerKind;
use crate::config::{Record, Route, Trunk};
use crate::invite::ANONYMOUS;
use crate::passing;
use call_model::{Codec, EndCause, EndReason, Instant, LegId, Redacted, Role, Secret, TraceKind};
use escalation::Engine;
use sip_proto::{DialogId, Flow, Offer};
use sip_wire::{Message, Method, NameAddr};

/// What `Retry-After` says in a 503, seconds.
const RETRY_AFTER: &str = "5";

/// Who calls, as the trunk says.
struct Identity {
    user: String,
    text: String,
    name: Option<String>,
}

impl Switchboard {
    pub(super) fn on_incoming(
        &mut self,
        dialog: DialogId,
        flow: Flow,
        request: &Message,
        offer: Option<&Offer>,
        replaces: Option<DialogId>,
        now: Instant,
    ) {
        if let Some(old) = replaces {
            return self.on_replacing(dialog, old, flow, request, now);
        }
        let config = std::sync::Arc::clone(&self.config);
        let Some(trunk) = self.peers.trunk(flow.remote.ip()).and_then(|index| config.trunks.get(index)) else {
            return self.refuse_peer(dialog, request, 403, "INVITE from a peer that is no trunk", now);
        };
        let dialled = dialled(request, trunk).and_then(|uri| uri.user_text()).unwrap_or_default();
        let codecs = common_codecs(offer, trunk);
        let srtp = trunk.signalling.srtp.over(flow.transport.is_secure());
        let suits = srtp.is_some_and(|srtp| offer.is_none_or(|offer| offer.suits(srtp)));
        let route = config.route(&dialled);
        let verdict = match route {
            _ if self.draining => Err(refused(EndReason::Draining, 503)),
            _ if self.calls.len() >= config.call_limit => Err(refused(EndReason::NoCapacity, 503)),
            None => Err(refused(EndReason::NoRoute, 404)),
            Some(_) if codecs.is_empty() || !suits => Err(refused(EndReason::Refused, 488)),
            Some(route) => self.ports.take(now).map(|port| (route, port)).ok_or(refused(EndReason::NoCapacity, 503)),
        };
        let about = self.about(trunk, route, request, &dialled, codecs, now);
        let leg = LegId { call: about.id, index: 0 };
        self.claim(request.call_id(), dialog, leg, Role::Caller);
        match verdict {
            Ok((_, port)) => self.admit((dialog, flow), request, trunk, about, port, now),
            Err(cause) => self.turn_away(dialog, about, cause, now),
        }
    }

    fn admit(
        &mut self,
        (dialog, flow): (DialogId, Flow),
        request: &Message,
        trunk: &Trunk,
        about: About,
        port: u16,
        now: Instant,
    ) {
        let leg = LegId { call: about.id, index: 0 };
        let link = Link {
            role: Role::Caller,
            dialog: Some(dialog),
            port: None,
            interface: self.config.interfaces.of(flow),
            allowed: trunk.allowed_media.clone(),
            keys_by: trunk.signalling.keys_by(),
            last: None,
            dialled: None,
            target: None,
            attempt: None,
            second: None,
            max_forwards: request.max_forwards().ok().flatten().unwrap_or(70).saturating_sub(1),
            first_call_id: request.call_id().to_owned(),
            caller_user: identity(request).user,
            dialled_user: dialled(request, trunk).and_then(|uri| uri.user().map(str::to_owned)).unwrap_or_default(),
            withheld_user: wants_privacy(request).then(|| asserted_user(request)).flatten(),
            refusable: None,
            passed: if wants_privacy(request) {
                Vec::new()
            } else {
                passing::passed(&trunk.signalling.pass_headers, request)
            },
            profile: None,
            codecs: Vec::new(),
        };
        self.links.insert(leg, link);
        self.open_at(leg, (self.config.interfaces.of(flow), port));
        let id = about.id;
        let engine = Engine::new(std::sync::Arc::clone(&self.config.rules));
        self.calls.insert(id, super::Entry { call: Call::new(about, engine), deadline: None });
        self.with_call(id, now, Call::begin);
        self.note_promise(id, now);
    }

    /// A call that is refused at the door is a call all the same: it began, and ended for a cause.
    fn turn_away(&mut self, dialog: DialogId, about: About, cause: EndCause, now: Instant) {
        let id = about.id;
        let status = cause.sip.unwrap_or(503);
        let began =
            TraceKind::Began { from: about.from, to: about.to, trunk: about.trunk, session_id: about.session_id };
        self.trace(Some(id), began, now);
        self.trace(Some(id), TraceKind::Ended { cause }, now);
        self.reject(dialog, status, now);
        self.remember(dialog, now);
    }

    pub(super) fn refuse_peer(&mut self, dialog: DialogId, request: &Message, status: u16, what: &str, now: Instant) {
        self.reject(dialog, status, now);
        let what = format!("{what}: {status} (Call-ID {})", request.call_id());
        self.trace(None, TraceKind::Dropped { what }, now);
    }

    pub(super) fn reject(&mut self, dialog: DialogId, status: u16, now: Instant) {
        let retry = [("Retry-After".to_owned(), RETRY_AFTER.to_owned())];
        let headers = if status == 503 { retry.as_slice() } else { &[] };
        self.endpoint.reject(dialog, status, "", headers, now);
    }

    fn about(
        &mut self,
        trunk: &Trunk,
        route: Option<&Route>,
        request: &Message,
        dialled: &str,
        codecs: Vec<Codec>,
        now: Instant,
    ) -> About {
        let identity = identity(request);
        let supported = |tag: &str| request.supported().iter().any(|have| have.eq_ignore_ascii_case(tag));
        let known = (PeerKind::Trunk, trunk.name.as_str());
        self.capabilities.on_advertised(known, allows_refer(request), supported("replaces"), "INVITE", now);
        let wanted = route.and_then(|route| route.record).or(trunk.record);
        let record = wanted.unwrap_or(self.config.recording.calls);
        let record_to = route.and_then(|route| route.record_to).unwrap_or(self.config.recording.to);
        About {
            id: self.ids.call_id(),
            session_id: request.session_id().unwrap_or_else(|| self.ids.hex(32)),
            trunk: trunk.name.clone(),
            from: Redacted::new(identity.text),
            caller_name: identity.name.map(Redacted::new),
            to: Redacted::new(dialled),
            began: now,
            began_unix_ms: self.wall.unix_ms(now),
            route: route.cloned().unwrap_or_else(no_route),
            codecs,
            control_token: Secret::new(self.ids.hex(32)),
            release: trunk.release,
            record,
            recorded: self.config.recording.what,
            record_to,
            recording: (record != Record::Never).then(|| self.ids.hex(32)),
        }
    }
}

/// A route for calls that are turned away; nothing is ever sent there.
pub(super) fn no_route() -> Route {
    Route {
        dialled: crate::Pattern::Any,
        to: crate::RouteTo::Desk(String::new()),
        listen: false,
        on_human_gone: crate::OnHumanGone::Bot,
        while_consulting: crate::WhileConsulting::Bot,
        choreography: crate::Choreography::default(),
        record: None,
        record_to: None,
        queue: None,
        otherwise: Vec::new(),
    }
}

/// What both sides have, in the trunk's order, or the caller's where the trunk has none; everything the trunk may have
/// when the offer is ours to make.
fn common_codecs(offer: Option<&Offer>, trunk: &Trunk) -> Vec<Codec> {
    match offer {
        Some(offer) if trunk.codecs.is_empty() => offer.codecs.clone(),
        Some(offer) => trunk.codecs.iter().copied().filter(|codec| offer.codecs.contains(codec)).collect(),
        None if trunk.codecs.is_empty() => vec![Codec::Pcmu, Codec::Pcma],
        None => trunk.codecs.clone(),
    }
}

fn allows_refer(request: &Message) -> bool {
    request.headers.get_list("Allow").any(|method| Method::parse(method.trim()) == Method::Refer)
}

/// The trunk is trusted, so its asserted identity counts before From (RFC 3325 §9.1).
fn identity(request: &Message) -> Identity {
    if wants_privacy(request) {
        return Identity { user: ANONYMOUS.to_owned(), name: None, text: ANONYMOUS.to_owned() };
    }
    let asserted = request.headers.get("P-Asserted-Identity").and_then(|value| NameAddr::parse(value).ok());
    let from = request.from().ok();
    let name = asserted.as_ref().and_then(NameAddr::display_text).or(from.as_ref().and_then(NameAddr::display_text));
    let uri = asserted.or(from).map(|address| address.uri);
    let user = uri.as_ref().and_then(|uri| uri.user()).unwrap_or(ANONYMOUS).to_owned();
    let text = uri.as_ref().and_then(|uri| uri.user_text()).unwrap_or_else(|| ANONYMOUS.to_owned());
    Identity { user, name: name.filter(|name| !name.is_empty() && *name != text), text }
}

/// The user part of what the trunk asserts of a caller, known or not.
fn asserted_user(request: &Message) -> Option<String> {
    let asserted = request.headers.get("P-Asserted-Identity").and_then(|value| NameAddr::parse(value).ok())?;
    asserted.uri.user().map(str::to_owned)
}

/// A caller who asks not to be known (RFC 3323 §4.2, RFC 3325 §9.3) is not known to bot, desk, page or ledger either.
fn wants_privacy(request: &Message) -> bool {
    let asks = |value: &str| value.split([';', ',']).any(|token| matches!(token.trim(), "id" | "user" | "header"));
    request.headers.get_all("Privacy").any(asks)
}
