//! REFER from our peers: who may send it, whom it means, what it tells; and how its sender hears what became of it.

use super::Switchboard;
use crate::leg::{InPlaceOf, LegEvent, Referral, ReferralAnswer, ReferralId, ReferralTarget};
use bot_proto::{ControlError, control};
use call_model::{CallId, EndCause, EndReason, FactKind, Instant, LegId, Party, Role, TraceKind};
use sip_proto::{DialogId, RequestId, SubscriptionId};
use sip_wire::{Host, Message, NameAddr, Replaces, Telephone, Uri, text};

/// Further facts taken from one REFER, and octets of each.
const MAX_FACTS: usize = 16;
const MAX_TEXT: usize = 2000;

/// A REFER that was handed to its call.
#[derive(Debug)]
pub(super) struct Referred {
    dialog: DialogId,
    request: RequestId,
    /// Once it is accepted.
    subscription: Option<SubscriptionId>,
}

/// What a REFER says about the caller.
#[derive(Default)]
struct Told {
    reason: Option<String>,
    summary: Option<String>,
    others: Vec<(String, String)>,
    /// Of a control event.
    events: Vec<FactKind>,
}

impl Switchboard {
    /// REFER came. Bots and desks may ask for a transfer; nobody else may send our callers anywhere.
    pub(super) fn on_referred(&mut self, dialog: DialogId, request: RequestId, message: &Message, now: Instant) {
        let from = self.current_leg(dialog).filter(|(_, role)| matches!(role, Role::Bot | Role::Desk));
        let target = message.refer_to().and_then(Result::ok).map(|address| address.uri);
        let mut gives_way = None;
        let verdict = match (from, target) {
            (None, _) => Err(603),
            (Some(_), None) => Err(400),
            (Some((leg, _)), Some(uri)) => {
                let target = match Replaces::from_refer_to(&uri) {
                    None => self.referral_target(&uri),
                    Some(Err(_)) => Err(400),
                    Some(Ok(replaces)) => match self.ringing_consult(leg, &replaces) {
                        Some((consult, desk)) => {
                            gives_way = Some(consult);
                            Ok(ReferralTarget::Desk(desk))
                        }
                        None => self.place_to_take(leg, &uri, &replaces),
                    },
                };
                target.map(|target| (leg, target, uri))
            }
        };
        let (leg, target, uri) = match verdict {
            Ok(verdict) => verdict,
            Err(status) => return self.decline_refer(dialog, request, status, now),
        };
        let id = ReferralId(request.0);
        let mut told = Told::of(message, &uri);
        if from.is_some_and(|(_, role)| role == Role::Bot)
            && let Some(Err(error)) = told.take_event(message)
        {
            let text = format!("the control event in its REFER is ignored: {error}");
            self.note_dialog(dialog, Party::Bot, text, now);
        }
        let referral = Referral { id, target, reason: told.reason.clone(), facts: told.facts() };
        self.referrals.insert(id, Referred { dialog, request, subscription: None });
        let event = LegEvent::Referral(Box::new(referral));
        self.with_call(leg.call, now, |call, world| call.handle_leg(leg, event, world));
        let accepted = self.referrals.get(&id).is_some_and(|referred| referred.subscription.is_some());
        if let Some(consult) = gives_way.filter(|_| accepted) {
            let cause = EndCause::new(Party::Desk, EndReason::Finished);
            self.with_call(consult, now, |call, world| call.end(cause, world));
        }
        if self.referrals.get(&id).is_some_and(|referred| referred.subscription.is_none()) {
            self.answer_referral(id, ReferralAnswer::Refuse(603), now);
        }
    }

    /// The desk that the sender is ringing through us. A conversation that has not begun cannot be taken over (RFC 3891
    /// §3): the caller goes to that desk anew (RFC 5589 §7.6), and the sender's own call to it gives way.
    fn ringing_consult(&self, sender: LegId, replaces: &Replaces) -> Option<(CallId, String)> {
        let (leg, role) = self.current_leg(self.endpoint.match_unanswered(replaces)?)?;
        let consult = self.calls.get(&leg.call).filter(|_| self.is_own_call(sender, leg, role))?;
        Some((leg.call, consult.call.rung_directly()?))
    }

    /// Only one's own conversations can be given away.
    fn is_own_call(&self, sender: LegId, leg: LegId, role: Role) -> bool {
        let address = |leg: LegId| {
            let dialog = self.links.get(&leg)?.dialog?;
            Some(self.endpoint.remote_address(dialog)?.ip())
        };
        role == Role::Caller && leg.call != sender.call && address(leg) == address(sender)
    }

    fn decline_refer(&mut self, dialog: DialogId, request: RequestId, status: u16, now: Instant) {
        self.endpoint.respond(request, status, "", &[], None, now);
        let about = self.leg_of(dialog).map_or(Party::Trunk, |(_, role)| crate::call::party(role));
        self.note_dialog(dialog, about, format!("REFER declined ({status})"), now);
    }

    /// What a call makes of a REFER.
    pub(super) fn answer_referral(&mut self, id: ReferralId, answer: ReferralAnswer, now: Instant) {
        let Some(referred) = self.referrals.get_mut(&id) else { return };
        match answer {
            ReferralAnswer::Accept => {
                referred.subscription = self.endpoint.accept_refer(referred.request, now);
                if referred.subscription.is_none() {
                    self.referrals.remove(&id);
                }
            }
            ReferralAnswer::Refuse(status) => {
                let request = referred.request;
                self.referrals.remove(&id);
                self.endpoint.respond(request, status, "", &[], None, now);
            }
            ReferralAnswer::Report(status) => {
                if let Some(subscription) = referred.subscription {
                    self.endpoint.notify_refer(subscription, status, now);
                }
                if status >= 200 {
                    self.referrals.remove(&id);
                }
            }
        }
    }

    /// The sender of a REFER no longer hears of it.
    pub(super) fn on_unsubscribed(&mut self, dialog: DialogId, subscription: SubscriptionId, code: u16, now: Instant) {
        self.referrals.retain(|_, referred| referred.subscription != Some(subscription));
        if let Some((leg, role)) = self.leg_of(dialog) {
            let text = match code {
                0 => "no longer wants to hear how its REFER fares".to_owned(),
                408 => "cannot be told how its REFER fares: no answer".to_owned(),
                code => format!("does not want to hear how its REFER fares ({code})"),
            };
            self.trace(Some(leg.call), TraceKind::Note { about: crate::call::party(role), text }, now);
        }
    }

    /// The call is over: whoever still waits for the outcome of a REFER hears that there is none.
    pub(super) fn end_referrals(&mut self, call: CallId, now: Instant) {
        let mine = |referred: &Referred| self.dialogs.get(&referred.dialog).is_none_or(|(leg, _)| leg.call == call);
        let ids: Vec<ReferralId> =
            self.referrals.iter().filter(|(_, referred)| mine(referred)).map(|(id, _)| *id).collect();
        for id in ids {
            self.answer_referral(id, ReferralAnswer::Report(503), now);
        }
    }

    /// Whom a `Refer-To` means, or the status that declines it: only configured desks may be dialled.
    fn referral_target(&self, uri: &Uri) -> Result<ReferralTarget, u16> {
        let parsed = self.config.desks.iter().filter_map(|desk| Some((desk, Uri::parse(&desk.uri).ok()?)));
        let desks: Vec<_> = parsed.collect();
        let user = uri.user_text().unwrap_or_default();
        let same_user = |desk: &Uri| desk.user_text().is_some_and(|desk| desk == user);
        let same_host = |desk: &Uri| match (desk.host(), uri.host()) {
            (Some(desk), Some(host)) => desk.to_string().eq_ignore_ascii_case(&host.to_string()),
            _ => false,
        };
        let port = |uri: &Uri| uri.port().unwrap_or(5060);
        let ours = uri.is_sip() && uri.host().is_some_and(|host| self.is_our_host(host, uri.port()));
        let exact = desks.iter().find(|(_, desk)| same_user(desk) && same_host(desk) && port(desk) == port(uri));
        let named = || desks.iter().find(|(desk, at)| desk.name.eq_ignore_ascii_case(&user) && (ours || same_host(at)));
        let number = || {
            let telephone = Telephone::of(uri);
            let same = |desk: &Uri| same_user(desk) || (telephone.is_some() && Telephone::of(desk) == telephone);
            let mut meant = desks.iter().filter(|(_, desk)| (ours || !uri.is_sip()) && same(desk));
            // Two desks behind one user part cannot be told apart by it.
            meant.next().filter(|_| meant.next().is_none())
        };
        match exact.or_else(named).or_else(number) {
            Some((desk, _)) => Ok(ReferralTarget::Desk(desk.name.clone())),
            None if ours => Ok(ReferralTarget::Anybody),
            None => Err(603),
        }
    }

    /// The conversation that an attended transfer names (RFC 5589 §7): one that the sender has with a desk through us, or
    /// directly.
    fn place_to_take(&self, sender: LegId, uri: &Uri, replaces: &Replaces) -> Result<ReferralTarget, u16> {
        if let Some(dialog) = self.endpoint.match_replaces(replaces) {
            let (leg, role) = self.current_leg(dialog).ok_or(603u16)?;
            let own = self.is_own_call(sender, leg, role);
            let other = self.calls.get(&leg.call).filter(|_| own).and_then(|entry| entry.call.human()).ok_or(603u16)?;
            let named = self.links.get(&other.0).and_then(|link| link.dialog).and_then(|dialog| {
                let replaces = self.endpoint.replaces_value(dialog)?;
                Some((self.endpoint.remote_target(dialog)?, replaces))
            });
            let (uri, replaces) = named.ok_or(603u16)?;
            let place = InPlaceOf { desk: other.1, uri: uri.as_str().to_owned(), replaces: replaces.to_string() };
            return Ok(ReferralTarget::InPlaceOf(place));
        }
        let bare = uri.without_headers();
        if bare.host().is_some_and(|host| self.is_our_host(host, bare.port())) {
            return Err(603);
        }
        let desk = match self.referral_target(&bare) {
            Ok(ReferralTarget::Desk(desk)) => desk,
            // A telephone's Contact need not resemble its address of record; the host tells whose it is.
            _ => {
                let ip = bare.host().and_then(Host::ip);
                let mut there = self.config.desks.iter().filter(|desk| ip.is_some_and(|ip| self.is_at(desk, ip)));
                let only = there.next().filter(|_| there.next().is_none());
                only.map(|desk| desk.name.clone()).ok_or(603u16)?
            }
        };
        let place = InPlaceOf { desk, uri: bare.as_str().to_owned(), replaces: replaces.to_string() };
        Ok(ReferralTarget::InPlaceOf(place))
    }

    fn is_our_host(&self, host: &Host, port: Option<u16>) -> bool {
        let mut sip = self.config.interfaces.all().flat_map(|one| one.sip.all());
        let there = port.is_none_or(|port| sip.any(|address| address.port() == port));
        let named = |name: &String| name.eq_ignore_ascii_case(&host.to_string());
        there
            && match host.ip() {
                Some(ip) => self.config.interfaces.are_at(ip),
                None => self.config.names.iter().any(named),
            }
    }
}

impl Told {
    /// Reads what the REFER and the headers within its `Refer-To` say.
    fn of(message: &Message, refer_to: &Uri) -> Self {
        let mut told = Self::default();
        let embedded = refer_to.headers().map(|(name, value)| (text::unescape(name), text::unescape(value)));
        for (name, value) in embedded {
            told.note(&name, &value);
        }
        for (name, value) in message.headers.iter() {
            told.note(name, value);
        }
        if let Some(by) = message.headers.get("Referred-By").and_then(|value| NameAddr::parse(value).ok()) {
            told.others.push(("referred_by".to_owned(), by.uri.as_str().to_owned()));
        }
        let plain = matches!(message.content_type(), Some(Ok(kind)) if kind.value == "text/plain");
        let body = String::from_utf8_lossy(&message.body);
        if plain && told.summary.is_none() && !body.trim().is_empty() {
            told.summary = Some(clean(&body));
        }
        told
    }

    /// A bot may send along what it could say over its control channel: all of it counts, or nothing.
    fn take_event(&mut self, message: &Message) -> Option<Result<(), ControlError>> {
        let json = matches!(message.content_type(), Some(Ok(kind)) if kind.value == "application/json");
        let facts = json.then(|| control::parse(&String::from_utf8_lossy(&message.body)))?;
        Some(facts.map(|facts| {
            for fact in facts {
                match fact {
                    FactKind::BotEscalates { because } => _ = self.reason.get_or_insert(because),
                    other => self.events.push(other),
                }
            }
        }))
    }

    fn note(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        let value = clean(value);
        let Some(short) = name.strip_prefix("x-").or((name == "user-to-user").then_some("user_to_user")) else {
            return;
        };
        match short.strip_prefix("handoff-").unwrap_or(short) {
            _ if value.is_empty() => {}
            "reason" => _ = self.reason.get_or_insert(value),
            "summary" => _ = self.summary.get_or_insert(value),
            // Our own, come back.
            "call-id" => {}
            other if self.others.len() < MAX_FACTS => self.others.push((other.replace('-', "_"), value)),
            _ => {}
        }
    }

    fn facts(self) -> Vec<FactKind> {
        let summary = self.summary.map(FactKind::Summary);
        let entities = self.others.into_iter().map(|(name, value)| FactKind::Entity { name, value });
        self.events.into_iter().chain(entities).chain(summary).collect()
    }
}

/// A text as a human may read it: one line, bounded.
fn clean(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect();
    line.trim().to_owned()
}
