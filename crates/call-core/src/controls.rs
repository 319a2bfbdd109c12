//! What a human does from the page with the caller they have: hold, mute, keys, pass on, end. All of it is done here, in
//! the audio and between the legs, whatever telephone the human talks with.

use crate::call::{Call, World};
use crate::leg::ReferralTarget;
use crate::switchboard::DeskRefused;
use crate::transfer::Phase;
use call_model::{
    DeskAction, DeskId, DialStep, EndCause, EndReason, HandoffId, MediaCommand, Party, PopUpdate, Selector,
};

/// What the human who has the caller has set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Controls {
    /// The caller waits with music.
    pub(crate) held: bool,
    /// The caller does not hear the human.
    pub(crate) muted: bool,
}

impl Call {
    /// The page of the human who has the caller says what to do.
    pub(crate) fn on_control(
        &mut self,
        desk: &DeskId,
        action: &DeskAction,
        world: &mut World<'_>,
    ) -> Result<(), DeskRefused> {
        let Phase::Joined { .. } = self.phase else { return Err(DeskRefused::TooLate) };
        let before = self.controls;
        match action {
            DeskAction::Hold { on, .. } => self.controls.held = *on,
            DeskAction::Mute { on, .. } => self.controls.muted = *on,
            DeskAction::Keys { keys, .. } => {
                let steps = keys.chars().map(DialStep::Key).collect();
                self.note(Party::Desk, format!("presses {} keys for the caller's side", keys.chars().count()));
                self.send_media(MediaCommand::Dial { leg: self.caller_id(), steps });
            }
            DeskAction::PassOn { desk: to, reason, .. } => return self.pass_on_from_page(desk, to, reason, world),
            DeskAction::End(_) => {
                self.note(Party::Desk, "ends the call on the page".to_owned());
                self.end(EndCause::new(Party::Desk, EndReason::HungUp), world);
            }
            _ => {}
        }
        if self.controls != before {
            self.show_controls(desk, action.handoff());
            // A release that waited for the caller to be back may go.
            self.on_media_proof(world);
        }
        Ok(())
    }

    fn show_controls(&mut self, desk: &DeskId, handoff: HandoffId) {
        let Controls { held, muted } = self.controls;
        let told = match (held, muted) {
            (true, _) => "holds the caller",
            (false, true) => "is muted",
            (false, false) => "talks with the caller",
        };
        self.note(Party::Desk, told.to_owned());
        self.pop(PopUpdate::Controls { desk: desk.clone(), handoff, held, muted });
    }

    fn pass_on_from_page(
        &mut self,
        by: &DeskId,
        to: &Option<DeskId>,
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<(), DeskRefused> {
        let Phase::Joined { leg, .. } = self.phase else { return Err(DeskRefused::TooLate) };
        if self.hand_back.is_some() {
            return Err(DeskRefused::TooLate);
        }
        let target = match to {
            Some(desk) if desk == by || world.config.desk(&desk.0).is_none() => return Err(DeskRefused::NoSuchDesk),
            Some(desk) => ReferralTarget::Desk(desk.0.clone()),
            None => ReferralTarget::Anybody,
        };
        if let Some(handoff) = self.handoff.as_ref().map(|handoff| handoff.id) {
            self.pop(PopUpdate::PassingOn { desk: by.clone(), handoff });
        }
        self.begin_to_pass_on(leg, target);
        let reason = crate::handback::one_line(reason, MOST_REASON);
        self.seek_next_human(leg, Some(reason.as_str()).filter(|reason| !reason.is_empty()), world);
        Ok(())
    }

    /// What the caller hears of the human who has them.
    pub(crate) fn heard_of_human(&self, heard: Selector) -> Selector {
        match self.controls {
            Controls { held: true, .. } => Selector::Music,
            Controls { muted: true, .. } => Selector::Silence,
            _ => heard,
        }
    }

    /// Whether the caller hears nothing because their human wants it so.
    pub(crate) fn is_muted_by_page(&self) -> bool {
        let has_human = matches!(self.phase, Phase::Joined { .. } | Phase::Releasing { .. });
        self.controls.muted && (has_human || self.passing_human().is_some())
    }

    /// What that human hears: who holds a caller does not listen to them.
    pub(crate) const fn heard_by_human(&self, heard: Selector) -> Selector {
        if self.controls.held { Selector::Silence } else { heard }
    }
}

/// The longest reason for passing a caller on, or for declining one, characters.
pub(crate) const MOST_REASON: usize = 200;
