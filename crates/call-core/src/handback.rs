//! The human gives the caller back to the bot, with notes. Make before break: the human keeps the caller until the bot is
//! there, and goes on keeping it when the bot cannot be had.

use crate::call::{Call, World, reason};
use crate::config::HandBack;
use crate::switchboard::DeskRefused;
use crate::transfer::Phase;
use call_model::{
    BotUpdate, EarlierHandoff, EndCause, EndReason, HandoffEnd, HandoffId, HandoffOutcome, HandoffStage, LegId, Party,
    PopUpdate, Resumed,
};

/// The longest notes of a human, characters.
const MOST_NOTES: usize = 1000;
/// The longest summary that a bot is told again, characters.
const MOST_SUMMARY: usize = 1000;

/// A human who gives the caller back and waits for the bot.
#[derive(Debug)]
pub(crate) struct HandingBack {
    handoff: HandoffId,
    /// The desk.
    by: String,
    outcome: HandoffOutcome,
    notes: String,
}

impl Call {
    /// The human is done and wants the bot to go on.
    pub(crate) fn hand_back(&mut self, notes: &str, world: &mut World<'_>) -> Result<(), DeskRefused> {
        let Phase::Joined { .. } = self.phase else { return Err(DeskRefused::TooLate) };
        let Some((id, desk)) = self.handoff.as_ref().and_then(|handoff| Some((handoff.id, handoff.desk.clone()?.0)))
        else {
            return Err(DeskRefused::NotYours);
        };
        if self.bot_config(world).is_none() || self.about.route.choreography.hand_back == HandBack::No {
            return Err(DeskRefused::NoHandBack);
        }
        let notes = one_line(notes, MOST_NOTES);
        if let Some(under_way) = self.hand_back.as_mut() {
            if !notes.is_empty() {
                under_way.notes = notes;
            }
            return Ok(());
        }
        self.resumed = Some(self.resume_with(id, HandoffEnd::HandedBack, &notes));
        let (by, outcome) = (desk.0.clone(), self.joined_outcome());
        self.hand_back = Some(HandingBack { handoff: id, by, outcome, notes });
        // A REFER that was given up is not waited for any more: the caller goes to the bot.
        self.loose = None;
        if self.bot_is_up() {
            self.finish_hand_back(world);
            return Ok(());
        }
        self.pop(PopUpdate::HandingBack { desk, handoff: id });
        self.trace_pop("handing_back");
        self.dial_bot(world);
        Ok(())
    }

    /// A key on the telephone of the human who has the caller.
    pub(crate) fn on_key_after_join(&mut self, id: LegId, digit: char, world: &mut World<'_>) {
        let Phase::Joined { leg, .. } = self.phase else { return };
        let keys = &self.about.route.choreography.hand_back_keys;
        if leg != id || !self.desk_keys.ends(digit, keys, world.now) {
            return;
        }
        self.note(Party::Desk, format!("pressed {}", self.about.route.choreography.hand_back_keys));
        if let Err(refused) = self.hand_back("", world) {
            self.note(Party::Gateway, format!("cannot hand back: {refused}"));
        }
    }

    /// The bot is there: it has the caller from here on, and the human may go.
    pub(crate) fn finish_hand_back(&mut self, world: &mut World<'_>) {
        let Some(done) = self.hand_back.take() else { return };
        let mut outcome = done.outcome;
        let human = match self.phase {
            Phase::Joined { leg, .. } => Some(leg),
            _ => None,
        };
        if human.is_some() {
            outcome = self.joined_outcome();
            self.finish_handoff(outcome, HandoffStage::Join, None);
            self.note_earlier(outcome, HandoffEnd::HandedBack, &done.notes);
            self.trace_pop("handed_back");
            self.leave_desk("handed back", world);
            self.handoff = None;
            self.trio = None;
        }
        let HandingBack { handoff, by, notes, .. } = done;
        self.resume_bot(BotUpdate::HandedBack { handoff, notes, by, outcome: outcome.as_str() }, world);
        if let Some(leg) = human {
            self.hang_up(leg, &reason(200, "Handed back"), EndCause::new(Party::Desk, EndReason::Finished));
        }
    }

    /// The bot cannot be had: everybody stays, and the human is told.
    pub(crate) fn on_hand_back_failed(&mut self, why: String, world: &mut World<'_>) {
        let Some(tried) = self.hand_back.take() else { return };
        self.resumed = None;
        self.note(Party::Bot, format!("the caller stays with the human: {why}"));
        if let Some((desk, _)) = self.handoff.as_ref().and_then(|handoff| handoff.desk.clone()) {
            self.pop(PopUpdate::NotHandedBack { desk, handoff: tried.handoff, why });
            self.trace_pop("not_handed_back");
        }
        self.on_media_proof(world);
    }

    /// The human has gone, or given the caller back: for whoever has the caller next.
    pub(crate) fn note_human_gone(&mut self) {
        let outcome = self.joined_outcome();
        match self.hand_back.as_ref().map(|under_way| under_way.notes.clone()) {
            Some(notes) => self.note_earlier(outcome, HandoffEnd::HandedBack, &notes),
            None => self.note_earlier(outcome, HandoffEnd::HumanGone, ""),
        }
    }

    /// A handoff is over: for whoever has the caller next.
    pub(crate) fn note_earlier(&mut self, outcome: HandoffOutcome, ended_by: HandoffEnd, notes: &str) {
        let Some(handoff) = self.handoff.as_ref() else { return };
        let (id, desk) = (handoff.id, handoff.desk.as_ref().map(|(desk, _)| desk.0.clone()));
        self.resumed = Some(self.resume_with(id, ended_by, notes));
        self.known.note_earlier(EarlierHandoff { id, desk, outcome, ended_by, notes: notes.to_owned() });
    }

    fn resume_with(&self, handoff: HandoffId, how: HandoffEnd, notes: &str) -> Box<Resumed> {
        let decision = self.handoff.as_ref().map(|handoff| &handoff.decision);
        let summary = decision.map(|decision| self.known.summary(decision)).unwrap_or_default();
        let summary = one_line(&summary, MOST_SUMMARY);
        Box::new(Resumed { handoff, how: how.as_str(), notes: notes.to_owned(), summary })
    }
}

/// The first characters of a text on one line: nothing in it can end a header or a line of a log.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect();
    line.trim().to_owned()
}
