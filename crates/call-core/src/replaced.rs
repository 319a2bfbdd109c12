//! Another telephone took a leg over (INVITE with Replaces, RFC 3891): the human moved to it, or somebody else helps out.

use crate::call::{Call, World, party};
use crate::leg::{LegEvent, LegState};
use crate::pop::Pop;
use crate::transfer::{Phase, Tried};
use call_model::{DeskId, LegId, MediaCommand, Method, PopUpdate, RemoteMedia};
use routing::Wanted;

impl Call {
    /// Whether a leg is there to be taken over.
    pub(crate) fn can_be_replaced(&self, id: LegId) -> bool {
        let leg = self.leg(id).filter(|_| self.ending.is_none());
        leg.is_some_and(|leg| matches!(leg.state, LegState::Dialling | LegState::Up))
    }

    /// Somebody else is at the other end now. What that means for the leg.
    pub(crate) fn on_replaced(
        &mut self,
        id: LegId,
        media: Option<RemoteMedia>,
        by: Option<String>,
        sip_call_id: &str,
        world: &mut World<'_>,
    ) -> Option<LegEvent> {
        let leg = self.leg_mut(id)?;
        let (role, rang) = (leg.role, leg.state == LegState::Dialling);
        self.note(party(role), "another telephone has taken over".to_owned());
        self.send_media(MediaCommand::Replaced { leg: id });
        let current = matches!(
            self.phase,
            Phase::Alerting { leg, .. } | Phase::Accepting { leg, .. } | Phase::Joined { leg, .. }
                | Phase::Releasing { leg, .. } if leg == id
        );
        if let Some(handoff) = self.handoff.as_mut().filter(|handoff| current && !handoff.finished) {
            handoff.method = Method::Replaced;
        }
        if let Some(desk) = by.filter(|_| current) {
            self.move_to_desk(id, DeskId(desk), sip_call_id, world);
        }
        match media {
            _ if rang => Some(LegEvent::Answered { media }),
            Some(media) => Some(LegEvent::MediaChanged { media }),
            None => None,
        }
    }

    /// The conversation is another desk's now, and so is its pop.
    fn move_to_desk(&mut self, id: LegId, desk: DeskId, sip_call_id: &str, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_ref() else { return };
        let (handoff_id, wanted) = (handoff.id, Wanted::from(&handoff.decision));
        self.leave_desk("another desk has taken the caller", world);
        self.controls = Default::default();
        // A desk that has a caller already may help out all the same: the telephone has decided.
        let _taken = world.seats.take_this(&desk, &wanted, handoff_id, world.now);
        if let Some(leg) = self.leg_mut(id) {
            leg.name.clone_from(&desk.0);
        }
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.tried.push(Tried::new(desk.clone()));
            handoff.desk = Some((desk.clone(), sip_call_id.to_owned()));
            handoff.accepted_on_page = false;
            handoff.pop = Some(Pop::new(desk.clone(), world.now));
        }
        let because = "its telephone has taken the call over".to_owned();
        self.trace_desk(because);
        if let Some(package) = self.next_package() {
            let sip_call_id = sip_call_id.to_owned();
            self.pop(PopUpdate::Offered { desk: desk.clone(), sip_call_id, package: Box::new(package) });
            self.trace_pop("offered");
        }
        if !self.phase.before_join() {
            self.pop(PopUpdate::Joined { desk, handoff: handoff_id });
            self.trace_pop("joined");
        }
    }
}
