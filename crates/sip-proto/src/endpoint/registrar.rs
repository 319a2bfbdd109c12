//! Telephones that register here (RFC 3261 §10.3).

use super::Endpoint;
use super::screen::{Refusal, check_required};
use crate::config::{Credentials, contains};
use crate::event::Output;
use crate::flow::Flow;
use crate::registration::{Binding, RegistrationEvent, Seat};
use crate::transaction::TxId;
use call_model::{Instant, Secret};
use core::time::Duration;
use sip_wire::{Message, NameAddr, Uri};

/// Telephones of one user at once: a desk phone, a softphone, and what they were before their last restart.
const MOST_BINDINGS: usize = 4;
/// A `Contact` goes back out in every INVITE.
const LONGEST_CONTACT: usize = 255;

/// What a REGISTER that may do so changes.
#[derive(Debug)]
pub(super) struct Wishes {
    user: String,
    /// Each address, and for how many seconds; nothing: all of them go.
    contacts: Option<Vec<(Uri, u32)>>,
    order: (String, u32),
}

impl Wishes {
    fn is_about(&self, binding: &Binding) -> bool {
        let named = |contacts: &Vec<(Uri, u32)>| contacts.iter().any(|(uri, _)| uri.equivalent(&binding.contact));
        self.contacts.as_ref().is_none_or(named)
    }
}

impl Endpoint {
    /// Where the telephones of a user can be reached, the latest registered last.
    pub fn bindings(&self, user: &str) -> &[Binding] {
        self.bindings.get(user).map_or(&[], Vec::as_slice)
    }

    /// Telephones that are registered.
    pub fn binding_count(&self) -> usize {
        self.bindings.values().map(Vec::len).sum()
    }

    /// Whether the sender may register, and what it wants. Everything that is wrong with user, password and address gets
    /// the same answer, so that nobody learns who is known (RFC 3261 §22.4).
    pub(super) fn examine_register(&mut self, flow: Flow, request: &Message, now: Instant) -> Result<Wishes, Refusal> {
        let user = request.to().ok().and_then(|to| to.uri.user_text()).unwrap_or_default();
        self.admit_telephone(&user, flow, request, now)?;
        check_required(request, false)?;
        let wishes = Wishes { contacts: self.wished(request)?, order: order_of(request), user };
        let out_of_order = |binding: &Binding| {
            wishes.is_about(binding) && binding.order.0 == wishes.order.0 && binding.order.1 >= wishes.order.1
        };
        if self.bindings(&wishes.user).iter().any(out_of_order) {
            return Err(Refusal(500, "Out Of Order", Vec::new()));
        }
        Ok(wishes)
    }

    fn admit_telephone(&mut self, user: &str, flow: Flow, request: &Message, now: Instant) -> Result<(), Refusal> {
        let source = flow.remote.ip();
        let here = |seat: &&Seat| seat.user == user && seat.from.iter().any(|network| contains(*network, source));
        let registrar = &self.config.registrar;
        let credentials = match registrar.seats.iter().find(here) {
            Some(seat) => (seat.user.clone(), seat.password.clone()),
            None => (String::new(), Secret::new(self.ids.hex(32))),
        };
        let guard = Credentials { realm: registrar.realm.clone(), username: credentials.0, password: credentials.1 };
        let hashes = registrar.hashes.clone();
        self.prove((&guard, &hashes), flow, request, now)
    }

    fn wished(&self, request: &Message) -> Result<Option<Vec<(Uri, u32)>>, Refusal> {
        let bad = |what| Refusal(400, what, Vec::new());
        let (least, most) = self.config.registrar.expires;
        let header = request.expires().map_err(|_| bad("Bad Expires"))?;
        if request.headers.get_list("Contact").any(|contact| contact.trim() == "*") {
            let alone = request.headers.get_list("Contact").count() == 1;
            return if alone && header == Some(0) { Ok(None) } else { Err(bad("Bad Contact")) };
        }
        let contacts = request.contacts().map_err(|_| bad("Bad Contact"))?;
        if contacts.len() > MOST_BINDINGS {
            return Err(bad("Too Many Contacts"));
        }
        let mut wished = Vec::new();
        for contact in contacts {
            let expires = expires_of(&contact).or(header).unwrap_or(most);
            if (1..least).contains(&expires) {
                return Err(Refusal(423, "", vec![("Min-Expires", least.to_string())]));
            }
            if !contact.uri.is_sip() || contact.uri.host().is_none() || contact.uri.as_str().len() > LONGEST_CONTACT {
                return Err(bad("Bad Contact"));
            }
            wished.push((contact.uri.without_headers(), expires.min(most)));
        }
        Ok(Some(wished))
    }

    /// Does what a REGISTER asks for, all of it or nothing (RFC 3261 §10.3), and says what holds now.
    pub(super) fn on_register(&mut self, flow: Flow, tx: TxId, request: &Message, wishes: Wishes, now: Instant) {
        let Wishes { user, contacts, order } = wishes;
        for (contact, expires) in contacts.iter().flatten() {
            let user_agent = request.headers.get("User-Agent").unwrap_or_default().chars().take(60).collect();
            let reached = Binding::reach(contact, flow);
            match expires {
                0 => self.unbind(&user, "it has signed off", |binding| binding.contact.equivalent(contact)),
                _ => {
                    let until = now + Duration::from_secs((*expires).into());
                    let (contact, order) = (contact.clone(), order.clone());
                    let binding = Binding { contact, flow: reached, user_agent, since: now, until, order };
                    self.bind(&user, binding);
                }
            }
        }
        if contacts.is_none() {
            self.unbind(&user, "it has signed off", |_| true);
        }
        let listed: Vec<String> = self.bindings(&user).iter().map(|binding| listed(binding, now)).collect();
        self.reply(tx, 200, "", now, |response| {
            for contact in listed {
                response.headers.push("Contact", contact);
            }
        });
    }

    fn bind(&mut self, user: &str, mut binding: Binding) {
        let bindings = self.bindings.entry(user.to_owned()).or_default();
        let known = bindings.iter().position(|known| known.contact.equivalent(&binding.contact));
        let before = known.map(|place| bindings.remove(place));
        binding.since = before.as_ref().map_or(binding.since, |before| before.since);
        let surplus = (bindings.len() >= MOST_BINDINGS).then(|| bindings.remove(0));
        bindings.push(binding.clone());
        self.unbinding = Some(self.unbinding.map_or(binding.until, |at| at.min(binding.until)));
        let user = user.to_owned();
        if let Some(binding) = surplus {
            let why = "another one has taken its place";
            self.registration_event(RegistrationEvent::Unbound { user: user.clone(), binding, why });
        }
        self.registration_event(RegistrationEvent::Bound { user, binding, first: before.is_none() });
    }

    fn unbind(&mut self, user: &str, why: &'static str, goes: impl Fn(&Binding) -> bool) {
        let Some(bindings) = self.bindings.get_mut(user) else { return };
        let gone: Vec<Binding> = bindings.extract_if(.., |binding| goes(binding)).collect();
        if bindings.is_empty() {
            self.bindings.remove(user);
        }
        for binding in gone {
            self.registration_event(RegistrationEvent::Unbound { user: user.to_owned(), binding, why });
        }
    }

    /// A telephone at the other end of a connection is called by it or not at all (RFC 5626 §5.3).
    pub(super) fn unbind_flow(&mut self, flow: Flow) {
        if flow.transport.is_reliable() {
            self.unbind_all("its connection is gone", |binding| binding.flow == flow);
        }
    }

    pub(super) fn unbind_expired(&mut self, now: Instant) {
        if self.unbinding.is_some_and(|at| at <= now) {
            self.unbind_all("its registration has run out", |binding| binding.until <= now);
            self.unbinding = self.bindings.values().flatten().map(|binding| binding.until).min();
        }
    }

    fn unbind_all(&mut self, why: &'static str, goes: impl Fn(&Binding) -> bool) {
        let some = self.bindings.iter().filter(|(_, bindings)| bindings.iter().any(&goes));
        for user in some.map(|(user, _)| user.clone()).collect::<Vec<_>>() {
            self.unbind(&user, why, &goes);
        }
    }

    pub(super) fn registration_event(&mut self, event: RegistrationEvent) {
        self.out.push_back(Output::Registration(event));
    }
}

/// By which a late copy of a REGISTER is told from a new one.
fn order_of(request: &Message) -> (String, u32) {
    (request.call_id().to_owned(), request.cseq().map_or(0, |cseq| cseq.number))
}

fn expires_of(contact: &NameAddr) -> Option<u32> {
    contact.params.get("expires").and_then(|text| text.trim().parse().ok())
}

fn listed(binding: &Binding, now: Instant) -> String {
    format!("<{}>;expires={}", binding.contact, binding.until.since(now).as_secs())
}
