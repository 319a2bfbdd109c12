//! Whose number a desk is shown, and what is done when its side refuses it.

use super::Switchboard;
use crate::call::Call;
use crate::invite::{host_text, identity_headers};
use call_model::{Instant, Party, Role};
use sip_proto::{DialogId, InviteRequest};
use sip_wire::Host;

impl Switchboard {
    /// A trunk's own number.
    pub(super) fn number_of(&self, trunk: &str) -> Option<&str> {
        let trunk = self.config.trunks.iter().find(|one| one.name == trunk)?;
        trunk.signalling.number.as_deref()
    }

    /// Whether another number is tried when this one is refused.
    pub(super) fn is_refusable(&self, call: &Call, name: &str, role: Role) -> bool {
        let desk = self.config.desk(name).filter(|_| role == Role::Desk).map(|desk| &desk.signalling.caller_id);
        let fallback = desk.is_some_and(|one| !one.trunks && !one.fallback.is_empty());
        fallback && self.number_of(&call.about.trunk).is_some()
    }

    /// The same INVITE with the trunk's number, once, when the caller's was refused: the same attempt, for whoever waits
    /// for the desk. False: it was refused for another reason, or again.
    pub(super) fn show_another_number(&mut self, dialog: DialogId, code: u16, now: Instant) -> bool {
        let Some((leg, Role::Desk)) = self.current_leg(dialog) else { return false };
        let Some(entry) = self.calls.get(&leg.call) else { return false };
        let desk = entry.call.leg(leg).and_then(|leg| self.config.desk(&leg.name));
        let Some(desk) = desk.filter(|desk| desk.signalling.caller_id.fallback.contains(&code)) else { return false };
        let number = self.number_of(&entry.call.about.trunk).map(str::to_owned);
        let user_phone = desk.profile.user_phone;
        let refused = self.links.get_mut(&leg).and_then(|link| link.refusable.take());
        let shown = refused.zip(number).and_then(|(request, number)| shown_as(*request, &number, user_phone));
        let Some(request) = shown else { return false };
        self.note_dialog(
            dialog,
            Party::Desk,
            format!("{code} to the caller's number: once more with the trunk's"),
            now,
        );
        let next = self.endpoint.invite(request, now);
        self.remember(dialog, now);
        if let Some(link) = self.links.get_mut(&leg) {
            link.dialog = Some(next);
            link.last = Some(dialog);
        }
        self.dialogs.insert(next, (leg, Role::Desk));
        self.await_target(leg, next, now);
        true
    }
}

/// The same from somebody else, whose name is not the caller's.
fn shown_as(mut request: InviteRequest, number: &str, user_phone: bool) -> Option<InviteRequest> {
    let host = Host::parse(&host_text(request.flow.local.ip())).ok()?;
    let (from, identity) = identity_headers(number, None, &host, user_phone);
    request.headers.retain(|(name, _)| !matches!(name.as_str(), "P-Asserted-Identity" | "Privacy"));
    request.headers.splice(0..0, identity);
    request.from.uri = from;
    request.from.display = None;
    Some(request)
}
