//! Keeping ourselves registered (RFC 3261 §10.2): refreshed in time, tried again after failures, and taken back at the
//! end.

use super::uac::retry_after;
use super::{Endpoint, Purpose};
use crate::flow::Flow;
use crate::message;
use crate::registration::{
    Leaving, RegisterRequest, Registration, RegistrationEvent, RegistrationId, RegistrationView,
};
use crate::timer::TimerName;
use call_model::Instant;
use core::time::Duration;
use sip_wire::{Message, Method, NameAddr};

/// The first attempts of many registrations are spread over this, in milliseconds, and those after a connection broke.
const SPREAD: u64 = 1000;
/// A registrar has so long to take our leave: nobody waits for it any longer when we stop.
const LEAVE: Duration = Duration::from_secs(4);

impl Endpoint {
    /// Registers, within a second, and stays registered until [`Self::unregister`].
    pub fn register(&mut self, request: RegisterRequest, now: Instant) -> RegistrationId {
        let id = RegistrationId(self.next_registration);
        self.next_registration += 1;
        let first = now + Duration::from_millis(self.ids.below(SPREAD));
        self.registrations.insert(id, Registration::new(request, &mut self.ids, first));
        self.registration_timers.start(id, TimerName::RegisterAgain, first);
        id
    }

    /// Takes leave: calls shall not come here any more. `Left` follows.
    pub fn unregister(&mut self, id: RegistrationId, now: Instant) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        if registration.leaving != Leaving::No {
            return;
        }
        registration.leaving = Leaving::Wanted;
        let known = registration.view.until.is_some_and(|until| until > now);
        match (registration.pending, known) {
            // Its answer says whether there is anything to take back.
            (true, _) => {}
            (false, true) => self.send_register(id, now),
            (false, false) => return self.registration_left(id),
        }
        self.registration_timers.start(id, TimerName::RegisterAgain, now + LEAVE);
    }

    /// How it stands with a registration; none once we have left.
    pub fn registration(&self, id: RegistrationId) -> Option<&RegistrationView> {
        self.registrations.get(&id).map(|registration| &registration.view)
    }

    /// Registrations that are not taken back yet.
    pub fn registration_count(&self) -> usize {
        self.registrations.len()
    }

    pub(super) fn on_registration_due(&mut self, id: RegistrationId, now: Instant) {
        match self.registrations.get(&id) {
            Some(registration) if registration.leaving != Leaving::No => self.registration_left(id),
            Some(registration) if !registration.pending => self.send_register(id, now),
            _ => {}
        }
    }

    fn registration_left(&mut self, id: RegistrationId) {
        self.registration_timers.stop_all(id);
        if self.registrations.remove(&id).is_some() {
            self.registration_event(RegistrationEvent::Left { id });
        }
    }

    fn send_register(&mut self, id: RegistrationId, now: Instant) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        registration.pending = true;
        registration.view.next = None;
        let expires = match registration.leaving {
            Leaving::No => registration.expires,
            Leaving::Wanted | Leaving::Said => {
                registration.leaving = Leaving::Said;
                0
            }
        };
        let cseq = registration.next_cseq();
        let asked = &registration.asked;
        let flow = asked.flow;
        let mut request = Message::request(Method::Register, asked.registrar.clone());
        let headers = &mut request.headers;
        headers.push("Max-Forwards", "70");
        headers.push("From", NameAddr::new(asked.aor.clone()).with_tag(&registration.tag).to_string());
        headers.push("To", NameAddr::new(asked.aor.clone()).to_string());
        headers.push("Call-ID", registration.call_id.as_str());
        headers.push("CSeq", format!("{cseq} REGISTER"));
        headers.push("Contact", format!("{};expires={expires}", message::contact(&asked.contact_user, flow)));
        headers.push("Expires", expires.to_string());
        headers.push("Allow", message::ALLOW);
        headers.push("User-Agent", self.config.user_agent.as_str());
        registration.challenges.sign(&registration.account, &mut request, &mut self.ids);
        self.send(flow, request, Purpose::Register(id), now);
    }

    /// The answer, or that there was none.
    pub(super) fn on_register_done(&mut self, id: RegistrationId, code: u16, response: Option<&Message>, now: Instant) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        registration.pending = false;
        match (registration.leaving, response) {
            (Leaving::Wanted, Some(_)) if code < 300 => return self.send_register(id, now),
            (Leaving::Wanted | Leaving::Said, _) => return self.registration_left(id),
            (Leaving::No, _) => {}
        }
        match response {
            Some(response) if (200..300).contains(&code) => self.on_registered(id, response, now),
            Some(response) if code == 423 && registration.raise(response) => self.send_register(id, now),
            _ => self.on_not_registered(id, code, response, now),
        }
    }

    fn on_registered(&mut self, id: RegistrationId, response: &Message, now: Instant) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let contact = message::contact(&registration.asked.contact_user, registration.asked.flow);
        let contact = NameAddr::parse(&contact).map_or_else(|_| message::nowhere(), |contact| contact.uri);
        let seconds = registration.granted(response, &contact);
        if seconds == 0 {
            return self.on_not_registered(id, 200, Some(response), now);
        }
        let first = registration.view.until.is_none_or(|until| until <= now) || registration.view.trouble.is_some();
        let lasts = Duration::from_secs(seconds.into());
        // About half, and never the same for all, so that a registrar that came back is not asked by all at once.
        let refresh = lasts * (45 + self.ids.below(11)) as u32 / 100;
        let next = now + refresh.max(Duration::from_secs(1));
        registration.failures = 0;
        registration.raised = 0;
        let since = registration.view.since.filter(|_| registration.view.until.is_some_and(|until| until > now));
        registration.view = RegistrationView {
            until: Some(now + lasts),
            since: Some(since.unwrap_or(now)),
            trouble: None,
            next: Some(next),
        };
        self.registration_timers.start(id, TimerName::RegisterAgain, next);
        self.registration_event(RegistrationEvent::Registered { id, lasts, first });
    }

    fn on_not_registered(&mut self, id: RegistrationId, code: u16, response: Option<&Message>, now: Instant) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let again = registration.back_off(response.and_then(retry_after), &mut self.ids);
        let why = registration.trouble(code, response);
        if response.is_some() && code < 500 {
            // It does not have us any more; one that is merely broken may.
            registration.view.until = None;
        }
        registration.view.trouble = Some(why.clone());
        registration.view.next = Some(now + again);
        self.registration_timers.start(id, TimerName::RegisterAgain, now + again);
        self.registration_event(RegistrationEvent::NotRegistered { id, why, again });
    }

    /// A connection that calls were to come by is gone (RFC 5626 §4.4): another one is opened by registering again.
    pub(super) fn on_registered_flow_failed(&mut self, flow: Flow, now: Instant) {
        let ours = |registration: &Registration| {
            registration.asked.flow == flow && !registration.pending && registration.leaving == Leaving::No
        };
        let again = self.registrations.iter().filter(|(_, one)| flow.transport.is_reliable() && ours(one));
        for id in again.map(|(id, _)| *id).collect::<Vec<_>>() {
            let at = now + Duration::from_millis(self.ids.below(SPREAD));
            self.registration_timers.start(id, TimerName::RegisterAgain, at);
        }
    }
}
