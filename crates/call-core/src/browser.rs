//! A desk without a telephone: its human talks in the page. The leg is dialled, rings, is answered, is joined and ends like
//! any other; only that the page's offer takes the place of the answer to an INVITE, and that nothing but audio tells
//! whether the page is still there.

use crate::call::{Call, World};
use crate::leg::{Leg, LegEvent, LegState};
use crate::switchboard::DeskRefused;
use call_model::{DeskId, EndCause, EndReason, HandoffId, LegId, Party, RemoteMedia, Role};
use core::time::Duration;

/// A page that is loaded again, or whose network changed, has so long to be heard again, counted from its last audio. Its
/// caller waits with music from the second second on, and is taken care of afterwards as when a human hangs up.
const PATIENCE: Duration = Duration::from_secs(10);

impl Call {
    /// The leg whose audio the desk's page may bring, for the first time or again.
    pub(crate) fn browser_leg(&self, desk: &DeskId, handoff: HandoffId) -> Result<&Leg, DeskRefused> {
        let theirs = |leg: &&Leg| leg.role == Role::Desk && leg.browser && leg.name == desk.0;
        let leg = self.legs.iter().rev().find(theirs).ok_or(DeskRefused::TooLate)?;
        let accepted = self.handoff.as_ref().is_some_and(|handoff_now| {
            let leads = handoff_now.desk.as_ref().is_some_and(|(of, _)| of == desk);
            handoff_now.id == handoff && leads && handoff_now.accepted_on_page
        });
        match leg.state {
            LegState::Up => Ok(leg),
            LegState::Dialling if accepted => Ok(leg),
            LegState::Dialling => Err(DeskRefused::NotAccepted),
            LegState::Planned | LegState::Arriving | LegState::Ending => Err(DeskRefused::TooLate),
        }
    }

    /// Nothing has come from a page for so long; whether that was its end.
    pub(crate) fn on_silent_page(&mut self, id: LegId, lasted: Duration, world: &mut World<'_>) -> bool {
        let gone = self.leg(id).is_some_and(|leg| leg.browser && leg.is_up() && lasted >= PATIENCE);
        if gone {
            self.note(Party::Desk, "its page did not come back: taken for gone".to_owned());
            let status = 408;
            self.hang_up(id, "", EndCause::sip(Party::Desk, EndReason::Unreachable, status));
            self.on_desk(id, LegEvent::Ended { by_remote: false, status: Some(status) }, world);
        }
        gone
    }

    /// What the page's offer is to its leg.
    pub(crate) fn on_page_audio(&mut self, id: LegId, media: RemoteMedia, world: &mut World<'_>) {
        let again = self.leg(id).is_some_and(Leg::is_up);
        self.note(Party::Desk, if again { "brings its audio again" } else { "brings its audio" }.to_owned());
        let event = if again { LegEvent::MediaChanged { media } } else { LegEvent::Answered { media: Some(media) } };
        self.handle_leg(id, event, world);
    }
}
