//! Registrations: ours with trunks, so that their calls come here, and those of desks' telephones, so that ours go there.

use super::Switchboard;
use crate::config::{Desk, SwitchboardConfig, Trunk};
use crate::signalling::Register;
use call_model::{DeskId, Instant, Party, TraceKind};
use core::net::IpAddr;
use sip_proto::{Binding, Endpoint, Flow, RegisterRequest, RegistrationEvent, RegistrationId, RegistrationView};
use sip_wire::{Message, NameAddr, Uri};
use std::collections::BTreeMap;

/// How it stands with our registration at a trunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrationStatus {
    /// The registrar.
    pub registrar: String,
    /// What is registered.
    pub aor: String,
    /// Since when, until when, or why not.
    pub view: RegistrationView,
}

/// How many registrations there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registered {
    /// Trunks at which we are registered.
    pub trunks: u64,
    /// Trunks at which we should be and are not.
    pub trunks_not: u64,
    /// Telephones that are registered here.
    pub telephones: u64,
}

/// Registers with every trunk that wants it.
pub(super) fn begin(
    endpoint: &mut Endpoint,
    config: &SwitchboardConfig,
    now: Instant,
) -> BTreeMap<RegistrationId, usize> {
    let trunks = config.trunks.iter().enumerate();
    let wanted = trunks.filter_map(|(place, trunk)| Some((place, request(trunk, config)?)));
    wanted.map(|(place, request)| (endpoint.register(request, now), place)).collect()
}

fn request(trunk: &Trunk, config: &SwitchboardConfig) -> Option<RegisterRequest> {
    let register = trunk.signalling.register.as_ref()?;
    let aor = Uri::parse(&register.aor).ok()?;
    Some(RegisterRequest {
        flow: config.interfaces.flow_to(trunk.signalling.interface.as_deref(), register.transport, register.address)?,
        registrar: Uri::parse(&register.registrar).ok()?,
        contact_user: aor.user()?.to_owned(),
        aor,
        expires: register.expires,
        credentials: trunk.signalling.account.clone(),
    })
}

/// Whom a caller wants. A registrar sends a call to our `Contact`, and what was dialled is in `P-Called-Party-ID`
/// (RFC 7315) or `To`.
pub(super) fn dialled(request: &Message, trunk: &Trunk) -> Option<Uri> {
    let uri = request.request_uri()?.clone();
    let account = |register: &Register| Uri::parse(&register.aor).ok().and_then(|aor| aor.user_text());
    let account = trunk.signalling.register.as_ref().and_then(account);
    if account.is_none() || account != uri.user_text() {
        return Some(uri);
    }
    let called = request.headers.get("P-Called-Party-ID").and_then(|value| NameAddr::parse(value).ok());
    let named = called.or_else(|| request.to().ok()).map(|address| address.uri);
    named.filter(|named| named.user().is_some()).or(Some(uri))
}

impl Switchboard {
    /// How it stands with our registration at a trunk that wants one.
    pub fn registration(&self, trunk: &str) -> Option<RegistrationStatus> {
        let place = self.config.trunks.iter().position(|one| one.name == trunk)?;
        let register = self.config.trunks.get(place)?.signalling.register.as_ref()?;
        let id = self.registrations.iter().find(|(_, trunk)| **trunk == place).map(|(id, _)| *id);
        let none = RegistrationView { until: None, since: None, trouble: None, next: None };
        Some(RegistrationStatus {
            registrar: register.registrar.clone(),
            aor: register.aor.clone(),
            view: id.and_then(|id| self.endpoint.registration(id)).cloned().unwrap_or(none),
        })
    }

    /// The same in numbers.
    pub fn registered(&self, now: Instant) -> Registered {
        let is_up = |id| self.endpoint.registration(id).is_some_and(|view| view.until.is_some_and(|until| until > now));
        let trunks = self.registrations.keys().filter(|id| is_up(**id)).count() as u64;
        let telephones = self.endpoint.binding_count() as u64;
        Registered { trunks, trunks_not: self.registrations.len() as u64 - trunks, telephones }
    }

    /// The telephones of a desk that registered; nothing for a desk whose telephone does not.
    pub fn telephones(&self, desk: &str) -> Option<&[Binding]> {
        let seat = self.config.desk(desk)?.signalling.seat.as_ref()?;
        Some(self.endpoint.bindings(&seat.user))
    }

    /// Registered peers are up, unregistered ones are not; of others nothing is known here.
    pub(super) fn is_registered(&self, about: Party, name: &str, now: Instant) -> Option<bool> {
        if about == Party::Desk {
            return self.telephones(name).map(|telephones| !telephones.is_empty());
        }
        let status = self.registration(name).filter(|_| about == Party::Trunk)?;
        Some(status.view.until.is_some_and(|until| until > now))
    }

    /// Whether a desk's telephone is the one at this address.
    pub(super) fn is_at(&self, desk: &Desk, ip: IpAddr) -> bool {
        let there = |binding: &Binding| binding.flow.remote.ip().to_canonical() == ip.to_canonical();
        desk.is_at(ip) || self.telephones(&desk.name).is_some_and(|telephones| telephones.iter().any(there))
    }

    /// Calls shall go elsewhere from now on.
    pub(super) fn take_leave(&mut self, now: Instant) {
        for id in self.registrations.keys().copied().collect::<Vec<_>>() {
            self.endpoint.unregister(id, now);
        }
    }

    pub(super) fn on_registration(&mut self, event: RegistrationEvent, now: Instant) {
        // What was sent or seen of it is no call's.
        self.trace_unclaimed();
        let trunk = |id: &RegistrationId| self.registrations.get(id).and_then(|place| self.config.trunks.get(*place));
        let name = |id: &RegistrationId| trunk(id).map_or("", |trunk| trunk.name.as_str());
        let (about, text) = match &event {
            RegistrationEvent::Registered { first: false, .. } | RegistrationEvent::Bound { first: false, .. } => {
                return;
            }
            RegistrationEvent::Registered { id, lasts, .. } => {
                (Party::Trunk, format!("trunk {}: registered, for {} s", name(id), lasts.as_secs()))
            }
            RegistrationEvent::NotRegistered { id, why, again } => (
                Party::Trunk,
                format!("trunk {}: not registered: {why}; tried again in {} s", name(id), again.as_secs()),
            ),
            RegistrationEvent::Left { id } => (Party::Trunk, format!("trunk {}: no longer registered", name(id))),
            RegistrationEvent::Bound { user, binding, .. } => {
                let Some(desk) = self.desk_of_seat(user) else { return };
                self.seats.set_reachable(&desk, true, now);
                (Party::Desk, format!("desk {desk}: a telephone is registered at {}", place(binding)))
            }
            RegistrationEvent::Unbound { user, binding, why } => {
                let Some(desk) = self.desk_of_seat(user) else { return };
                let left = self.endpoint.bindings(user).len();
                self.seats.set_reachable(&desk, left > 0, now);
                (Party::Desk, format!("desk {desk}: no telephone at {} any more: {why}; {left} left", place(binding)))
            }
        };
        self.trace(None, TraceKind::Note { about, text }, now);
    }

    fn desk_of_seat(&self, user: &str) -> Option<DeskId> {
        let has = |desk: &&Desk| desk.signalling.seat.as_ref().is_some_and(|seat| seat.user == user);
        self.config.desks.iter().find(has).map(|desk| DeskId(desk.name.clone()))
    }
}

fn place(binding: &Binding) -> String {
    let Flow { transport, remote, .. } = binding.flow;
    format!("{transport} {remote}")
}
