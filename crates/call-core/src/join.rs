//! The join, and what follows it: proof, release, the end of a handoff, the way back to the bot.

use crate::call::{Call, CallOutput, World};
use crate::choreography::Announcement;
use crate::config::OnHumanGone;
use crate::controls::Controls;
use crate::leg::Leg;
use crate::referral::outcome_status;
use crate::transfer::{Handoff, Phase, Recovery};
use call_model::{
    BotUpdate, Decision, EndCause, EndReason, HandoffEnd, HandoffOutcome, HandoffStage, Instant, LegId, MediaCommand,
    Party, PopUpdate, Prompt, TraceKind,
};

/// Whether media has proved that caller and human hear each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// They are not joined.
    NotYet,
    /// Joined; who has been heard since, and until when there is time for it.
    Awaited { caller: bool, desk: bool, until: Instant },
    /// RTP and speech came from both.
    Given,
    /// It did not come in time; who was heard all the same.
    Missing { caller: bool, desk: bool },
}

/// The join, and what follows it.
impl Call {
    /// Caller and human hear each other from here on: a swap of sources, no SIP.
    pub(crate) fn join(&mut self, leg: LegId, world: &mut World<'_>) {
        if self.has_no_caller_yet() {
            return self.call_back(leg, world);
        }
        self.only_this_desk(world);
        self.controls = Controls::default();
        let release = !self.ways_out(leg, world).is_empty();
        let release_at = release.then(|| world.now + world.config.timers.release_after);
        self.enter(Phase::Joined { leg, release_at, release }, world.now);
        self.prompt = None;
        if let Some(desk) = self.leg_mut(leg) {
            desk.whisper = None;
        }
        self.announcement = Announcement::default();
        self.begin_trio(leg, world);
        self.settle();
        self.report_referrals(200);
        self.finish_retransfer(world);
        if let Some((handoff, desk)) = self.handoff.as_ref().and_then(|h| Some((h.id, h.desk.clone()?.0))) {
            self.pop(PopUpdate::Joined { desk, handoff });
            self.trace_pop("joined");
        }
        self.start_watchdog(world);
        let until = world.now + world.config.timers.proof_timeout;
        self.set_proof(Proof::Awaited { caller: false, desk: false, until });
        for id in [self.caller_id(), leg] {
            self.attend_afresh(id);
        }
    }

    /// What was said before the join proves nothing: a microphone may have died since.
    fn attend_afresh(&mut self, id: LegId) {
        let Some(leg) = self.leg_mut(id) else { return };
        leg.speaking = false;
        self.outputs.push_back(CallOutput::Media(MediaCommand::Attend { leg: id }));
    }

    /// The caller of a direct route is answered.
    pub(crate) fn connect_directly(&mut self, world: &mut World<'_>) {
        if let Phase::Alerting { leg, .. } = self.phase {
            self.enter(Phase::Joined { leg, release_at: None, release: false }, world.now);
        }
    }

    /// Something was heard, or has stopped being heard: success is proven by RTP and speech from both sides, and
    /// nothing else. Only then may the bot go, and may we.
    pub(crate) fn on_media_proof(&mut self, world: &mut World<'_>) {
        let Phase::Joined { leg, release_at, release } = self.phase else { return };
        if let Some(Proof::Awaited { caller, desk, .. } | Proof::Missing { caller, desk }) = self.proof() {
            let heard = |leg: Option<&Leg>| leg.is_some_and(|leg| leg.flowing && leg.speaking);
            let caller = caller || heard(self.leg(self.caller_id()));
            let desk = desk || heard(self.leg(leg));
            if !(caller && desk) {
                return self.set_proof(match self.proof() {
                    Some(Proof::Awaited { until, .. }) => Proof::Awaited { caller, desk, until },
                    _ => Proof::Missing { caller, desk },
                });
            }
            self.set_proof(Proof::Given);
            self.overtake_blinds();
            self.unproven = None;
            self.let_bot_go();
            if !release {
                self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Join, None);
            }
        }
        let free = self.controls == Controls::default();
        if release && release_at.is_none() && free && self.proof() == Some(Proof::Given) {
            self.start_release(leg, world);
        }
    }

    /// Nobody can say whether they hear each other. They stay together, we stay with them, and so does the bot, until they
    /// are heard after all: it has the caller again the moment the human's line ends.
    fn on_no_proof(&mut self, leg: LegId) {
        if let Some(Proof::Awaited { caller, desk, .. }) = self.proof() {
            self.set_proof(Proof::Missing { caller, desk });
        }
        self.phase = Phase::Joined { leg, release_at: None, release: false };
        self.finish_handoff(HandoffOutcome::Unproven, HandoffStage::Join, None);
    }

    /// When the time for the proof is over.
    pub(crate) fn proof_deadline(&self) -> Option<Instant> {
        match self.proof() {
            Some(Proof::Awaited { until, .. }) => Some(until),
            _ => None,
        }
    }

    fn proof(&self) -> Option<Proof> {
        self.handoff.as_ref().map(|handoff| handoff.proof)
    }

    fn set_proof(&mut self, proof: Proof) {
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.proof = proof;
        }
    }

    /// How a handoff counts that ends now, joined.
    pub(crate) fn joined_outcome(&self) -> HandoffOutcome {
        if self.proof() == Some(Proof::Given) { HandoffOutcome::Joined } else { HandoffOutcome::Unproven }
    }

    /// The time for the proof is over, or it is time to leave the path.
    pub(crate) fn on_joined_timeout(&mut self, world: &mut World<'_>) {
        let Phase::Joined { leg, release_at, release } = self.phase else { return };
        if release_at.is_some_and(|at| at <= world.now) {
            self.phase = Phase::Joined { leg, release_at: None, release };
            self.on_media_proof(world);
        }
        if self.trio_deadline().is_some_and(|until| until <= world.now) {
            self.end_introduction("it took too long", world);
        }
        if self.proof_deadline().is_some_and(|until| until <= world.now) {
            self.on_no_proof(leg);
        }
    }

    /// Tells the one outcome, once.
    pub(crate) fn finish_handoff(&mut self, outcome: HandoffOutcome, stage: HandoffStage, sip: Option<u16>) {
        let Some(handoff) = self.handoff.as_mut().filter(|handoff| !handoff.finished) else { return };
        handoff.finished = true;
        let (id, desk, method) = (handoff.id, handoff.desk.clone(), handoff.method);
        self.report_referrals(outcome_status(outcome));
        if let Some((desk, _)) = desk {
            self.pop(PopUpdate::Ended { desk, handoff: id, outcome });
        }
        self.trace(TraceKind::HandoffEnded { handoff: id, outcome, stage, sip, method, corrects: false });
    }

    /// No desk took it.
    pub(crate) fn on_handoff_failed(&mut self, world: &mut World<'_>) {
        let last = self.handoff.as_ref().and_then(|handoff| handoff.last);
        let (outcome, stage, sip) = last.unwrap_or((HandoffOutcome::NoTarget, HandoffStage::Route, None));
        self.finish_handoff(outcome, stage, sip);
        self.note_earlier(outcome, HandoffEnd::Failed, "");
        self.handoff = None;
        if self.has_no_caller_yet() {
            return self.end(EndCause::new(Party::Desk, EndReason::Unreachable), world);
        }
        let after_human = self.after_human.take();
        if self.undo_retransfer(failure_in_words(outcome), world) {
            return;
        }
        let failed = Told { outcome: outcome.as_str(), why: failure_in_words(outcome) };
        if self.bot_is_up() {
            self.back_to_bot(failed, world);
        } else if (core::mem::take(&mut self.bot_left) || after_human.is_some())
            && !mutated!(world.config, BotNotCalledAgain)
        {
            let told = if after_human.is_some() { HUMAN_GONE } else { failed };
            let missed = if self.bot_lost_before { Party::Bot } else { Party::Desk };
            let or_else = after_human.unwrap_or_else(|| EndCause::new(missed, EndReason::Unreachable));
            if let Some(resumed) = self.resumed.as_mut() {
                told.why.clone_into(&mut resumed.notes);
            }
            self.enter(Phase::Recovering(Recovery::Bot { or_else, or_human: false, told }), world.now);
            self.settle();
            self.dial_bot(world);
        } else {
            self.say_goodbye(EndCause::new(Party::Bot, EndReason::Unreachable), world);
        }
    }

    /// The bot that is up has the caller again, and is told why.
    pub(crate) fn back_to_bot(&mut self, Told { outcome, why }: Told, world: &mut World<'_>) {
        self.resume_bot(BotUpdate::HandoffFailed { outcome, why: why.to_owned() }, world);
    }

    /// The bot that is up has the caller again, and is told.
    pub(crate) fn resume_bot(&mut self, update: BotUpdate, world: &mut World<'_>) {
        self.enter(Phase::WithBot, world.now);
        self.prompt = None;
        self.announcement = Announcement::default();
        self.settle();
        self.engine.handle_returned(world.now);
        self.tell_bot(update);
    }

    /// The human hung up, or their line died, and the caller is there. Gives the handoff that is over, unless the next desk goes on with it.
    pub(crate) fn on_human_gone(&mut self, cause: EndCause, world: &mut World<'_>) -> Option<Handoff> {
        self.finish_handoff(self.joined_outcome(), HandoffStage::Join, None);
        if self.hand_back.is_none() {
            self.watch_the_end(cause, world);
        }
        self.note_human_gone();
        self.leave_desk("the conversation is over", world);
        let handoff = self.handoff.take();
        self.trio = None;
        // Who was called back has nobody to go back to; one whose human's line breaks is not left alone for it.
        let hung_up = cause.reason == EndReason::HungUp && self.hand_back.is_none();
        let over = self.is_direct() || self.calling_back.is_some() && hung_up;
        if over || mutated!(world.config, DeskByeEndsCall) {
            self.end(cause, world);
            return None;
        }
        if self.about.route.on_human_gone == OnHumanGone::NextDesk
            && self.hand_back.is_none()
            && let Some(over) = handoff
        {
            self.fetch_another_human(over, cause, world);
            return None;
        }
        let told = if cause.reason == EndReason::HungUp { HUMAN_GONE } else { HUMAN_LOST };
        self.enter(Phase::Recovering(Recovery::Bot { or_else: cause, or_human: true, told }), world.now);
        if self.bot_is_up() {
            self.back_to_bot(told, world);
        } else {
            self.settle();
            if self.hand_back.is_none() {
                self.dial_bot(world);
            }
        }
        handoff
    }

    /// The next desk takes over from the human who hung up; should there be none, the bot.
    fn fetch_another_human(&mut self, over: Handoff, cause: EndCause, world: &mut World<'_>) {
        self.after_human = Some(cause);
        self.enter(Phase::Recovering(Recovery::Human), world.now);
        self.settle();
        let (desk, _) = over.desk.unzip();
        let tried = desk.into_iter().collect();
        self.start_handoff_to(over.target, tried, Decision { at: world.now, ..over.decision }, world);
    }

    /// Nobody is left: tell the caller, then hang up.
    pub(crate) fn say_goodbye(&mut self, cause: EndCause, world: &mut World<'_>) {
        self.enter(Phase::Recovering(Recovery::Goodbye { cause }), world.now);
        self.prompt = Some((Prompt::NobodyAvailable, world.now + crate::call::PROMPT_LIMIT));
        self.settle();
    }
}

/// What a bot that gets the caller back is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    pub(crate) outcome: &'static str,
    /// In words that it can say.
    pub(crate) why: &'static str,
}

/// The human has hung up.
pub(crate) const HUMAN_GONE: Told = Told { outcome: "human_gone", why: "the person who took the call has hung up" };
/// The human's line has died.
const HUMAN_LOST: Told =
    Told { outcome: "human_gone", why: "the line to the person who took the call has broken down" };

/// What a bot can say about it.
const fn failure_in_words(outcome: HandoffOutcome) -> &'static str {
    match outcome {
        HandoffOutcome::NoTarget => "nobody is available at the moment",
        HandoffOutcome::NoAnswer => "nobody answered",
        HandoffOutcome::Busy => "the line was busy",
        HandoffOutcome::Declined => "the person could not take the call",
        HandoffOutcome::NotAccepted => "nobody took the call",
        _ => "the call could not be passed on",
    }
}
