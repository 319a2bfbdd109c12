//! From a decision to two people who hear each other: choose a desk, offer the pop, consult, prove that a human
//! answered, join. Every failure on the way goes to the next desk, and after the last one back to the bot.

use crate::call::{Call, World, reason};
use crate::config::{AcceptGate, Desk, Release};
use crate::leg::{Consult, Dial, HandoffFacts, LegCommand, LegEvent, LegState};
use crate::pop::Pop;
use crate::release::ReleaseStep;
use crate::switchboard::DeskRefused;
use call_model::{
    BotUpdate, Decision, DeskAction, DeskId, EndCause, EndReason, HandoffId, HandoffOutcome, HandoffPackage,
    HandoffStage, Instant, LegId, Party, PopUpdate, Prompt, Role, TraceKind, TransferState,
};
use routing::Wanted;

/// Where the transfer stands, with what matters there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// The bot has the caller, or is being dialled for a caller who is not answered yet.
    WithBot,
    /// The pop is offered; the phone does not ring yet.
    Offering { leg: LegId, until: Instant },
    /// The desk is dialled.
    Alerting { leg: LegId, give_up_at: Instant },
    /// The desk answered and has yet to prove that it is human.
    Accepting { leg: LegId, give_up_at: Instant },
    /// Caller and human hear each other. `release_at`: when to look whether we may leave.
    Joined { leg: LegId, release_at: Option<Instant>, release: bool },
    /// Joined, and a REFER is out.
    Releasing { leg: LegId, step: ReleaseStep },
    /// Caller and human talk without us.
    Released,
    /// The human, or the bot, has gone and the caller has not.
    Recovering(Recovery),
}

/// What is being done for a caller who has nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Recovery {
    /// The bot is dialled again; should it fail, the call ends for this cause.
    Bot { or_else: EndCause },
    /// A human is about to be fetched.
    Human,
    /// Nobody is left; the caller is told, then hung up.
    Goodbye { cause: EndCause },
}

impl Phase {
    pub(crate) const fn state(&self) -> TransferState {
        match self {
            Self::WithBot => TransferState::WithBot,
            Self::Offering { .. } | Self::Alerting { .. } => TransferState::Consulting,
            Self::Accepting { .. } => TransferState::Accepting,
            Self::Joined { .. } => TransferState::Joined,
            Self::Releasing { .. } => TransferState::Releasing,
            Self::Released => TransferState::Released,
            Self::Recovering(_) => TransferState::Recovering,
        }
    }

    /// Whether a desk is being fetched.
    pub(crate) const fn is_consulting(&self) -> bool {
        matches!(self, Self::Offering { .. } | Self::Alerting { .. } | Self::Accepting { .. })
    }

    /// Whether no human has the caller.
    pub(crate) const fn before_join(&self) -> bool {
        !matches!(self, Self::Joined { .. } | Self::Releasing { .. } | Self::Released)
    }
}

/// One handoff, from the decision to its one outcome.
#[derive(Debug)]
pub(crate) struct Handoff {
    pub(crate) id: HandoffId,
    pub(crate) decision: Decision,
    version: u32,
    tried: Vec<DeskId>,
    /// The desk that has it now, and the `Call-ID` under which it rings.
    pub(crate) desk: Option<(DeskId, String)>,
    pub(crate) pop: Option<Pop>,
    /// The human said yes on the page.
    accepted_on_page: bool,
    /// The rich INVITE was refused by this desk.
    plain: bool,
    /// How the latest attempt failed.
    last: Option<(HandoffOutcome, HandoffStage, Option<u16>)>,
    /// Its outcome was told.
    pub(crate) finished: bool,
}

/// Deciding and starting.
impl Call {
    /// The rules say that a human is needed.
    pub(crate) fn on_decision(&mut self, decision: Decision, world: &mut World<'_>) {
        self.trace(TraceKind::Decided(decision.clone()));
        if self.ending.is_none() {
            self.on_ready_decision(decision, world);
        }
    }

    /// Starts a handoff where that makes sense; keeps the decision for later where it will.
    pub(crate) fn on_ready_decision(&mut self, decision: Decision, world: &mut World<'_>) {
        match &self.phase {
            _ if self.is_direct() => {}
            Phase::WithBot if self.caller_is_up() => self.start_handoff(decision, world),
            Phase::Recovering(Recovery::Human) => self.start_handoff(decision, world),
            Phase::WithBot | Phase::Recovering(Recovery::Bot { .. }) => self.waiting = Some(decision),
            _ => self.note(Party::Gateway, format!("rule {} changes nothing: a handoff is under way", decision.rule)),
        }
    }

    fn start_handoff(&mut self, decision: Decision, world: &mut World<'_>) {
        let id = world.ids.handoff_id(world.wall.unix_ms(world.now));
        self.tell_bot(BotUpdate::HandoffStarted { trigger: decision.trigger.as_str(), wait: None });
        self.handoff = Some(Handoff {
            id,
            decision,
            version: 0,
            tried: Vec::new(),
            desk: None,
            pop: None,
            accepted_on_page: false,
            plain: false,
            last: None,
            finished: false,
        });
        self.try_next_desk(world);
    }

    /// Rings the next desk, or gives up.
    fn try_next_desk(&mut self, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_ref() else { return };
        let wanted = Wanted::from(&handoff.decision);
        let (id, first) = (handoff.id, handoff.last.is_none());
        let choice = match world.seats.take(&wanted, &handoff.tried, id, world.now) {
            Ok(choice) => choice,
            Err(why) => {
                if first {
                    self.note(Party::Gateway, format!("no desk: {why}"));
                }
                return self.on_handoff_failed(world);
            }
        };
        let Some(leg) = self.add_leg(Role::Desk, &choice.desk.0, LegState::Planned) else {
            world.seats.give_back(&choice.desk, id, world.now);
            return self.on_handoff_failed(world);
        };
        let sip_call_id = format!("{}@{}", world.ids.hex(24), world.config.media_ip);
        let desk = choice.desk;
        self.trace(TraceKind::Routed { handoff: id, desk: desk.clone(), because: choice.because });
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.tried.push(desk.clone());
            handoff.desk = Some((desk.clone(), sip_call_id.clone()));
            handoff.accepted_on_page = false;
            handoff.plain = false;
            handoff.pop = Some(Pop::new(desk.clone(), world.now));
        }
        self.enter(Phase::Offering { leg, until: world.now + world.config.timers.pop_wait }, world.now);
        if let Some(package) = self.next_package() {
            self.pop(PopUpdate::Offered { desk, sip_call_id, package: Box::new(package) });
            self.trace_pop("offered");
        }
    }
}

/// The screen pop.
impl Call {
    fn next_package(&mut self) -> Option<HandoffPackage> {
        let handoff = self.handoff.as_mut()?;
        handoff.version += 1;
        Some(self.known.package(&self.about, handoff.id, &handoff.decision, handoff.version))
    }

    /// The package grew.
    pub(crate) fn grow_pop(&mut self, world: &World<'_>) {
        if let Some(pop) = self.handoff.as_mut().and_then(|handoff| handoff.pop.as_mut()) {
            pop.note_growth();
            self.amend_pop(world);
        }
    }

    pub(crate) fn amend_pop(&mut self, world: &World<'_>) {
        let every = world.config.timers.amend_every;
        let Some(pop) = self.handoff.as_mut().and_then(|handoff| handoff.pop.as_mut()) else { return };
        let desk = pop.desk.clone();
        if pop.handle_timeout(every, world.now)
            && let Some(package) = self.next_package()
        {
            self.pop(PopUpdate::Amended { desk, package: Box::new(package) });
            self.trace_pop("amended");
        }
    }

    pub(crate) fn pop_deadline(&self, config: &crate::SwitchboardConfig) -> Option<Instant> {
        self.handoff.as_ref()?.pop.as_ref()?.poll_timeout(config.timers.amend_every)
    }

    fn trace_pop(&mut self, what: &'static str) {
        let Some(handoff) = self.handoff.as_ref() else { return };
        if let Some((desk, _)) = &handoff.desk {
            let (handoff, desk) = (handoff.id, desk.clone());
            self.trace(TraceKind::Pop { handoff, desk, what });
        }
    }

    /// Takes the pop off the desk and gives the desk back.
    pub(crate) fn leave_desk(&mut self, why: &'static str, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_mut() else { return };
        let (id, popped) = (handoff.id, handoff.pop.take().is_some());
        let Some((desk, _)) = handoff.desk.clone() else { return };
        world.seats.give_back(&desk, id, world.now);
        // After a release the conversation goes on without us, and what the human reads stays before them.
        if popped && self.phase != Phase::Released {
            self.pop(PopUpdate::Retracted { desk, handoff: id, why });
            self.trace_pop("retracted");
        }
    }

    /// A desk's page says something about the handoff.
    pub(crate) fn handle_desk(
        &mut self,
        desk: &DeskId,
        action: &DeskAction,
        world: &mut World<'_>,
    ) -> Result<(), DeskRefused> {
        let (DeskAction::Acknowledged(id) | DeskAction::Accepted(id) | DeskAction::Declined(id)) = action;
        let handoff = self.handoff.as_mut().filter(|handoff| handoff.id == *id && handoff.pop.is_some());
        let handoff = handoff.filter(|handoff| handoff.desk.as_ref().is_some_and(|(of, _)| of == desk));
        let Some(handoff) = handoff else { return Err(DeskRefused::NotYours) };
        match action {
            DeskAction::Acknowledged(_) => {
                let first = handoff.pop.as_mut().is_some_and(|pop| !core::mem::replace(&mut pop.acknowledged, true));
                if first {
                    self.trace_pop("acknowledged");
                }
                if let Phase::Offering { leg, .. } = self.phase {
                    self.ring_desk(leg, world);
                }
            }
            DeskAction::Accepted(_) => {
                let first = !core::mem::replace(&mut handoff.accepted_on_page, true);
                if first && self.phase.is_consulting() {
                    self.trace_pop("accepted");
                }
                match self.phase {
                    Phase::Offering { leg, .. } => self.ring_desk(leg, world),
                    Phase::Accepting { leg, .. } => self.join(leg, world),
                    _ => {}
                }
            }
            DeskAction::Declined(_) => match self.phase {
                Phase::Offering { leg, .. } | Phase::Alerting { leg, .. } | Phase::Accepting { leg, .. } => {
                    self.trace_pop("declined");
                    self.give_up_desk(leg, HandoffOutcome::Declined, None, "you declined", world);
                }
                _ => return Err(DeskRefused::TooLate),
            },
        }
        self.settle();
        Ok(())
    }

    pub(crate) fn on_pop_unacknowledged(&mut self, leg: LegId, world: &mut World<'_>) {
        self.trace_pop("unacknowledged");
        self.ring_desk(leg, world);
    }
}

/// The desk leg until the join.
impl Call {
    /// Sends the consult INVITE.
    fn ring_desk(&mut self, leg: LegId, world: &mut World<'_>) {
        let Some(name) = self.leg(leg).map(|leg| leg.name.clone()) else { return };
        let Some(desk) = world.config.desk(&name) else {
            return self.give_up_desk(leg, HandoffOutcome::Failed, None, "not configured", world);
        };
        self.enter(Phase::Alerting { leg, give_up_at: world.now + world.config.timers.ring_timeout }, world.now);
        self.dial_desk(leg, desk);
    }

    fn dial_desk(&mut self, leg: LegId, desk: &Desk) {
        let consult = self.handoff.as_ref().and_then(|handoff| {
            let (_, sip_call_id) = handoff.desk.clone()?;
            Some(Consult { sip_call_id, facts: self.facts_of(handoff), plain: handoff.plain })
        });
        let codecs = self.codecs_for(&desk.codecs);
        if let Some(leg) = self.leg_mut(leg) {
            leg.state = LegState::Dialling;
        }
        let dial = Dial { role: Role::Desk, name: desk.name.clone(), codecs, consult };
        self.command(leg, LegCommand::Dial(Box::new(dial)));
    }

    pub(crate) fn facts_of(&self, handoff: &Handoff) -> HandoffFacts {
        HandoffFacts { id: handoff.id, trigger: handoff.decision.trigger, score: self.known.score() }
    }

    /// Straight to a desk, by configuration: no bot, no gate, no pop.
    pub(crate) fn dial_directly(&mut self, name: &str, world: &mut World<'_>) {
        let desk = world.config.desk(name);
        let Some((desk, leg)) = desk.and_then(|desk| Some((desk, self.add_leg(Role::Desk, name, LegState::Planned)?)))
        else {
            return self.end(EndCause::new(Party::Gateway, EndReason::NoRoute), world);
        };
        self.enter(Phase::Alerting { leg, give_up_at: world.now + world.config.timers.ring_timeout }, world.now);
        self.dial_desk(leg, desk);
    }

    /// The refusal may be about the form of the rich INVITE rather than about the call: once more, plainly
    /// (standards §2.2). The screen pop stays valid, as the `Call-ID` does.
    pub(crate) fn wants_plain_retry(&self, id: LegId, event: &LegEvent) -> bool {
        let LegEvent::Refused { status: 415 | 420 | 488 } = event else { return false };
        let alerting = matches!(self.phase, Phase::Alerting { leg, .. } if leg == id);
        alerting && self.handoff.as_ref().is_some_and(|handoff| !handoff.plain)
    }

    pub(crate) fn on_desk(&mut self, id: LegId, event: LegEvent, world: &mut World<'_>) {
        if self.wants_plain_retry(id, &event) {
            return self.retry_plainly(id, world);
        }
        match (self.phase.clone(), event) {
            (Phase::Alerting { leg, .. }, LegEvent::Ringing) if leg == id && self.is_direct() => {
                self.command(self.caller_id(), LegCommand::Ring);
            }
            (Phase::Alerting { leg, .. }, LegEvent::Answered { .. }) if leg == id => self.on_desk_answered(id, world),
            (Phase::Alerting { leg, .. }, LegEvent::Refused { status }) if leg == id => {
                self.on_desk_refused(status, world);
            }
            (Phase::Alerting { leg, .. } | Phase::Accepting { leg, .. }, LegEvent::Refused { status }) if leg == id => {
                self.on_desk_lost(HandoffOutcome::Failed, Some(status), "the phone failed", world);
            }
            (Phase::Alerting { leg, .. }, LegEvent::Ended { status, .. }) if leg == id => {
                self.on_desk_lost(HandoffOutcome::Failed, status, "the phone failed", world);
            }
            (Phase::Accepting { leg, .. }, LegEvent::Ended { .. }) if leg == id => {
                self.on_desk_lost(HandoffOutcome::NotAccepted, None, "hung up before accepting", world);
            }
            (Phase::Joined { leg, .. }, LegEvent::Ended { .. } | LegEvent::Refused { .. }) if leg == id => {
                self.on_human_gone(world);
            }
            (Phase::Releasing { leg, .. }, LegEvent::Ended { .. } | LegEvent::Refused { .. }) if leg == id => {
                self.on_desk_left_in_release(world);
            }
            _ => {}
        }
    }

    fn retry_plainly(&mut self, id: LegId, world: &mut World<'_>) {
        let Some(name) = self.leg(id).map(|leg| leg.name.clone()) else { return };
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.plain = true;
        }
        self.note(Party::Desk, "refused the rich INVITE; once more with plain headers".to_owned());
        if let Some(desk) = world.config.desk(&name) {
            self.dial_desk(id, desk);
        }
    }

    fn on_desk_answered(&mut self, leg: LegId, world: &mut World<'_>) {
        if self.is_direct() {
            let codec = self.leg(leg).and_then(|leg| leg.codec);
            return self.answer_caller(codec);
        }
        let give_up_at = world.now + world.config.timers.accept_timeout;
        self.enter(Phase::Accepting { leg, give_up_at }, world.now);
        let desk = self.leg(leg).and_then(|leg| world.config.desk(&leg.name));
        let auto = desk.is_some_and(|desk| desk.accept == AcceptGate::Auto);
        if auto || self.handoff.as_ref().is_some_and(|handoff| handoff.accepted_on_page) {
            self.join(leg, world);
        }
    }

    fn on_desk_refused(&mut self, status: u16, world: &mut World<'_>) {
        if self.is_direct() {
            let reason = if status == 408 { EndReason::TimedOut } else { EndReason::Refused };
            return self.end(EndCause::sip(Party::Desk, reason, status), world);
        }
        let (outcome, why) = match status {
            486 | 600 => (HandoffOutcome::Busy, "the phone was busy"),
            603 => (HandoffOutcome::Declined, "declined on the phone"),
            408 | 480 | 487 => (HandoffOutcome::NoAnswer, "nobody answered"),
            _ => (HandoffOutcome::Failed, "the phone could not be reached"),
        };
        self.on_desk_lost(outcome, Some(status), why, world);
    }

    pub(crate) fn on_ring_timeout(&mut self, leg: LegId, world: &mut World<'_>) {
        if self.is_direct() {
            return self.end(EndCause::sip(Party::Desk, EndReason::TimedOut, 408), world);
        }
        self.give_up_desk(leg, HandoffOutcome::NoAnswer, None, "nobody answered", world);
    }

    pub(crate) fn on_accept_timeout(&mut self, leg: LegId, world: &mut World<'_>) {
        self.give_up_desk(leg, HandoffOutcome::NotAccepted, None, "not accepted in time", world);
    }

    /// Hangs the desk up and goes on without it.
    fn give_up_desk(
        &mut self,
        leg: LegId,
        outcome: HandoffOutcome,
        sip: Option<u16>,
        why: &'static str,
        world: &mut World<'_>,
    ) {
        let (cause, text) = match outcome {
            HandoffOutcome::NoAnswer => (EndCause::new(Party::Desk, EndReason::TimedOut), reason(408, "No answer")),
            HandoffOutcome::NotAccepted => {
                (EndCause::new(Party::Desk, EndReason::TimedOut), reason(480, "Not accepted"))
            }
            HandoffOutcome::Declined => (EndCause::new(Party::Desk, EndReason::Refused), reason(603, "Declined")),
            _ => (EndCause::new(Party::Gateway, EndReason::Fault), reason(500, "Failed")),
        };
        self.hang_up(leg, &text, cause);
        self.on_desk_lost(outcome, sip, why, world);
    }

    /// This desk did not work out: the next one.
    fn on_desk_lost(&mut self, outcome: HandoffOutcome, sip: Option<u16>, why: &'static str, world: &mut World<'_>) {
        let stage = match self.phase {
            Phase::Accepting { .. } => HandoffStage::Accept,
            _ => HandoffStage::Consult,
        };
        self.leave_desk(why, world);
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.last = Some((outcome, stage, sip));
        }
        self.try_next_desk(world);
    }

    /// A key on the desk's phone.
    pub(crate) fn on_desk_key(&mut self, id: LegId, digit: char, world: &mut World<'_>) {
        match self.phase {
            Phase::Accepting { leg, .. } if leg == id && digit == '1' => {
                self.note(Party::Desk, "pressed 1".to_owned());
                self.trace_pop("accepted");
                self.join(leg, world);
            }
            Phase::Accepting { leg, .. } if leg == id => self.note(Party::Desk, format!("pressed {digit}")),
            _ => {}
        }
    }
}

/// The join, and what follows it.
impl Call {
    /// Caller and human hear each other from here on: a swap of sources, no SIP.
    fn join(&mut self, leg: LegId, world: &mut World<'_>) {
        let release = self.may_release();
        let release_at = release.then(|| world.now + world.config.timers.release_after);
        self.enter(Phase::Joined { leg, release_at, release }, world.now);
        self.prompt = None;
        self.settle();
        self.tell_bot(BotUpdate::HandoffAccepted);
        if let Some((handoff, desk)) = self.handoff.as_ref().and_then(|h| Some((h.id, h.desk.clone()?.0))) {
            self.pop(PopUpdate::Joined { desk, handoff });
            self.trace_pop("joined");
        }
        if !release {
            self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Join, None);
        }
        self.on_media_proof(world);
    }

    /// The caller of a direct route is answered.
    pub(crate) fn connect_directly(&mut self, world: &mut World<'_>) {
        if let Phase::Alerting { leg, .. } = self.phase {
            self.enter(Phase::Joined { leg, release_at: None, release: false }, world.now);
        }
    }

    fn may_release(&self) -> bool {
        match self.about.release {
            Release::Stay => false,
            Release::Refer => true,
            Release::Auto => self.about.can_refer,
        }
    }

    /// RTP was seen from a leg. From the desk: the bot may go. From both: we may leave, when it is time.
    pub(crate) fn on_media_proof(&mut self, world: &mut World<'_>) {
        let Phase::Joined { leg, release_at, release } = self.phase else { return };
        if !self.is_flowing(leg) {
            return;
        }
        self.drop_bot(EndCause::new(Party::Gateway, EndReason::Finished), "Handed over");
        if release && release_at.is_none() && self.is_flowing(self.caller_id()) {
            self.start_release(leg, world);
        }
    }

    /// It is time to leave the path, if media is proven.
    pub(crate) fn on_release_due(&mut self, world: &mut World<'_>) {
        if let Phase::Joined { leg, release, .. } = self.phase {
            self.phase = Phase::Joined { leg, release_at: None, release };
            self.on_media_proof(world);
        }
    }

    pub(crate) fn is_flowing(&self, leg: LegId) -> bool {
        self.leg(leg).is_some_and(|leg| leg.flowing)
    }

    /// Tells the one outcome, once.
    pub(crate) fn finish_handoff(&mut self, outcome: HandoffOutcome, stage: HandoffStage, sip: Option<u16>) {
        let Some(handoff) = self.handoff.as_mut().filter(|handoff| !handoff.finished) else { return };
        handoff.finished = true;
        let (id, desk) = (handoff.id, handoff.desk.clone());
        if let Some((desk, _)) = desk {
            self.pop(PopUpdate::Ended { desk, handoff: id, outcome });
        }
        self.trace(TraceKind::HandoffEnded { handoff: id, outcome, stage, sip });
    }

    /// No desk took it.
    fn on_handoff_failed(&mut self, world: &mut World<'_>) {
        let last = self.handoff.as_ref().and_then(|handoff| handoff.last);
        let (outcome, stage, sip) = last.unwrap_or((HandoffOutcome::NoTarget, HandoffStage::Route, None));
        self.finish_handoff(outcome, stage, sip);
        self.handoff = None;
        if self.bot_is_up() {
            self.back_to_bot(outcome.as_str(), failure_in_words(outcome), world);
        } else {
            self.say_goodbye(EndCause::new(Party::Bot, EndReason::Unreachable), world);
        }
    }

    /// The bot that is up has the caller again, and is told why.
    pub(crate) fn back_to_bot(&mut self, outcome: &'static str, why: &str, world: &mut World<'_>) {
        self.enter(Phase::WithBot, world.now);
        self.prompt = None;
        self.settle();
        self.engine.handle_returned(world.now);
        self.tell_bot(BotUpdate::HandoffFailed { outcome, why: why.to_owned() });
    }

    /// The human hung up and the caller did not.
    pub(crate) fn on_human_gone(&mut self, world: &mut World<'_>) {
        let cause = EndCause::new(Party::Desk, EndReason::HungUp);
        self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Join, None);
        self.leave_desk("the conversation is over", world);
        self.handoff = None;
        if self.is_direct() {
            return self.end(cause, world);
        }
        self.enter(Phase::Recovering(Recovery::Bot { or_else: cause }), world.now);
        if self.bot_is_up() {
            return self.back_to_bot("human_gone", HUMAN_GONE, world);
        }
        self.settle();
        self.dial_bot(world);
    }

    /// Nobody is left: tell the caller, then hang up.
    pub(crate) fn say_goodbye(&mut self, cause: EndCause, world: &mut World<'_>) {
        self.enter(Phase::Recovering(Recovery::Goodbye { cause }), world.now);
        self.prompt = Some((Prompt::NobodyAvailable, world.now + crate::call::PROMPT_LIMIT));
        self.settle();
    }
}

/// What the bot is told when the human has gone.
pub(crate) const HUMAN_GONE: &str = "the person who took the call has hung up";

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
