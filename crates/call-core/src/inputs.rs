//! What happens to a call: each input, and the part of the call that it concerns.

use crate::call::{Call, World, party, reason};
use crate::config::SwitchboardConfig;
use crate::leg::{Leg, LegCommand, LegEvent, LegState};
use crate::transfer::{Phase, Recovery};
use call_model::{
    BotCommand, EndCause, EndReason, Fact, FactKind, Instant, LegId, LegStats, MediaEvent, Party, Prompt, Role,
    Speaker, TraceKind,
};
use core::time::Duration;

/// A caller, or a human who has one, without audio for so long is asked whether it is still there.
const PROBE_AFTER: Duration = Duration::from_secs(20);
/// And again after this.
const PROBE_EVERY: Duration = Duration::from_secs(30);

impl Call {
    /// Something happened to a leg.
    pub(crate) fn handle_leg(&mut self, id: LegId, event: LegEvent, world: &mut World<'_>) {
        if self.is_recorder(id) {
            return self.on_recorder(&event, world);
        }
        if let LegEvent::Refer(progress) = event {
            // NOTIFY may come after the BYE of its own dialog, when the leg is gone.
            self.on_refer(id, progress, world);
            return self.settle();
        }
        if let LegEvent::Referral(referral) = event {
            self.on_referral(id, *referral, world);
            return self.settle();
        }
        if let LegEvent::Asked { answered, unreachable } = event {
            self.on_asked(id, answered, unreachable, world);
            return self.settle();
        }
        match event {
            LegEvent::EarlyMedia { media } => {
                self.on_early_media(id, media, world);
                return self.settle();
            }
            LegEvent::Progressed { media } => {
                self.on_caller_progressed(media);
                return self.settle();
            }
            _ => {}
        }
        if let LegEvent::Reason(reason) = event {
            self.last_reason = Some(reason);
            return;
        }
        let event = match event {
            LegEvent::Replaced { media, by, sip_call_id, moved } => {
                if moved && self.leg(id).is_some_and(Leg::is_up) {
                    self.open_ears_anew();
                }
                let event = self.on_replaced(id, media, by, &sip_call_id, world);
                if id == self.caller_id() {
                    self.on_caller_replaced_in_blind(world);
                }
                match event {
                    Some(event) => event,
                    None => return self.settle(),
                }
            }
            other => other,
        };
        let Some(leg) = self.leg_mut(id) else { return };
        let was = leg.direction;
        match &event {
            LegEvent::Answered { media } if leg.state != LegState::Ending => {
                leg.state = LegState::Up;
                if let Some(media) = media {
                    self.take_media(id, *media, world.now);
                }
            }
            LegEvent::Answered { media: Some(media) } if leg.take_late => self.on_late_answer(id, *media, world),
            LegEvent::MediaChanged { media } if leg.state != LegState::Ending => self.take_media(id, *media, world.now),
            _ => {}
        }
        let Some(leg) = self.leg_mut(id) else { return };
        let (role, ending) = (leg.role, leg.state == LegState::Ending);
        let gone =
            matches!(event, LegEvent::Refused { .. } | LegEvent::Cancelled | LegEvent::Ended { .. } | LegEvent::Late);
        if gone {
            let cause = leg_cause(role, &event);
            let redial = role == Role::Desk && !ending && self.wants_plain_retry(id, &event, world);
            if !redial {
                self.remove_leg(id, cause);
            }
        }
        if !ending && self.ending.is_none() {
            if matches!(event, LegEvent::MediaChanged { .. }) {
                self.on_hold_in_release(id, was, world);
                self.on_media_proof(world);
            }
            match role {
                Role::Caller => self.on_caller(event, world),
                Role::Bot => self.on_bot(id, event, world),
                Role::Desk => self.on_desk(id, event, world),
                Role::Recorder => {}
            }
        }
        self.settle();
    }

    /// Something happened to a leg's audio.
    pub(crate) fn handle_media(&mut self, event: MediaEvent, world: &mut World<'_>) {
        // A human who is being told that the caller has gone may press what they like.
        let counts =
            matches!(event, MediaEvent::Played { .. } | MediaEvent::Quality { .. } | MediaEvent::Failed { .. });
        if self.ending.is_some() && !counts {
            return;
        }
        match event {
            MediaEvent::Flowing { leg, .. } => self.on_flowing(leg, world),
            MediaEvent::Speaks { leg } => self.on_speech(leg, true, world),
            MediaEvent::Paused { leg } => self.on_speech(leg, false, world),
            MediaEvent::MarkPlayed { leg, name } => self.on_mark(leg, name, world),
            MediaEvent::Silent { leg, lasted } => self.on_silent(leg, lasted, world),
            MediaEvent::Digit { leg, digit, .. } => self.on_digit(leg, digit, world),
            MediaEvent::Played { leg, prompt } => self.on_played(leg, prompt, world),
            MediaEvent::Quality { leg, stats, last: false } => self.on_quality(leg, stats, world),
            MediaEvent::Quality { last: true, .. } => {}
            MediaEvent::Key { leg, digit, held } => {
                if self.leg(leg).is_some_and(Leg::is_up) {
                    self.command(leg, LegCommand::Key { digit, held });
                }
            }
            MediaEvent::Dialled { leg } => self.on_typed(leg, world),
            MediaEvent::Failed { leg, why, .. } if self.is_recorder(leg) => {
                self.on_recorder_deaf(&why, world);
            }
            MediaEvent::Failed { leg, reason, why } => self.on_media_failed(leg, reason, &why, world),
        }
        self.settle();
    }

    /// Something was observed.
    pub(crate) fn observe(&mut self, kind: FactKind, world: &mut World<'_>) {
        if self.ending.is_some() {
            return;
        }
        let fact = Fact { at: world.now, kind };
        let grew = self.known.note(&fact);
        self.engine.handle_fact(&fact);
        if let FactKind::Recording(wish) = fact.kind {
            self.on_recording_wish(wish, world);
        }
        let callback = if let FactKind::Callback(wish) = &fact.kind { Some(wish.clone()) } else { None };
        let direction = matches!(fact.kind, FactKind::Introduced | FactKind::Announcement { .. });
        let said = direction.then(|| fact.kind.clone());
        let withdrawn = fact.kind == FactKind::Withdrawn;
        self.trace(TraceKind::Fact(fact));
        if let Some(said) = said {
            self.on_stage_direction(&said, world);
        }
        if withdrawn {
            self.withdraw(world);
        }
        if let Some(wish) = callback.filter(|_| self.calling_back.is_none()) {
            self.wish_callback(wish, world);
        }
        while let Some(doubt) = self.engine.poll_doubt() {
            self.note(Party::Gateway, format!("for review: {} (rule {})", doubt.because.text, doubt.rule));
        }
        self.decide(world);
        if grew {
            self.grow_pop(world);
        }
        self.settle();
    }

    fn decide(&mut self, world: &mut World<'_>) {
        while let Some(decision) = self.engine.poll_output() {
            self.on_decision(decision, world);
        }
    }

    /// Lets everything that is due happen.
    pub(crate) fn handle_timeout(&mut self, world: &mut World<'_>) {
        let now = world.now;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if let Some(digit) = self.digits.handle_timeout(now) {
            self.observe(FactKind::LoneDigit(digit), world);
        }
        if due(self.engine.poll_timeout().map(|(at, _)| at)) {
            self.engine.handle_timeout(now);
            self.decide(world);
        }
        if due(self.bot_deadline) {
            self.on_bot_timeout(world);
        }
        if due(self.prompt.map(|(_, until)| until)) {
            self.after_prompt(world);
        }
        if due(self.company_at) {
            self.keep_company(world);
        }
        if due(self.whisper_deadline()) {
            self.whisper_again(now);
        }
        if due(self.turn.reply_by) {
            self.on_no_reply(world);
        }
        if due(self.phase_deadline()) {
            self.on_phase_timeout(world);
        }
        if due(self.beside_deadline()) {
            self.on_beside_timeout(world);
        }
        if due(self.pop_deadline(world.config)) {
            self.amend_pop(world);
        }
        if due(self.held_deadline()) {
            self.ask_held(world);
        }
        if due(self.typing_deadline()) {
            self.on_typing_timeout(world);
        }
        self.end_farewells(now);
        if due(self.forget_at) {
            self.forget_legs();
        }
        self.settle();
    }

    /// When to wake up.
    pub(crate) fn poll_timeout(&self, config: &SwitchboardConfig) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        [
            self.digits.poll_timeout(),
            self.engine.poll_timeout().map(|(at, _)| at),
            self.bot_deadline,
            self.prompt.map(|(_, until)| until),
            self.company_at,
            self.whisper_deadline(),
            self.turn.reply_by,
            self.phase_deadline(),
            self.pop_deadline(config),
            self.beside_deadline(),
            self.held_deadline(),
            self.typing_deadline(),
            self.recorder_deadline(),
            self.farewell.iter().map(|(_, until)| *until).min(),
            self.forget_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The time at which the phase wants to be woken.
    fn phase_deadline(&self) -> Option<Instant> {
        if self.ending.is_some() {
            return None;
        }
        match &self.phase {
            Phase::Waiting { until, tell_at } => Some(*until.min(tell_at)),
            Phase::Offering { until, .. } => Some(*until),
            Phase::Alerting { give_up_at, progress_by, .. } => {
                Some(progress_by.unwrap_or(*give_up_at).min(*give_up_at))
            }
            Phase::Accepting { give_up_at, .. } => Some(self.join_by().unwrap_or(*give_up_at)),
            Phase::Joined { release_at, .. } => {
                [*release_at, self.proof_deadline(), self.trio_deadline()].into_iter().flatten().min()
            }
            Phase::Releasing { step, .. } => Some(step.deadline()),
            Phase::Referring { step, .. } => Some(step.deadline()),
            Phase::Recovering(Recovery::Message { until }) => *until,
            Phase::WithBot | Phase::Released | Phase::Recovering(_) => None,
        }
    }

    fn on_phase_timeout(&mut self, world: &mut World<'_>) {
        match self.phase {
            Phase::Waiting { .. } => self.on_waiting_timeout(world),
            Phase::Offering { leg, .. } => self.on_pop_unacknowledged(leg, world),
            Phase::Alerting { leg, give_up_at, .. } if give_up_at <= world.now => self.on_ring_timeout(leg, world),
            Phase::Alerting { .. } => self.on_no_progress(world),
            Phase::Accepting { leg, .. } => self.on_accept_timeout(leg, world),
            Phase::Joined { .. } => self.on_joined_timeout(world),
            Phase::Releasing { .. } => self.on_release_timeout(world),
            Phase::Referring { .. } => self.on_blind_timeout(world),
            Phase::Recovering(Recovery::Message { .. }) => self.on_message_timeout(world),
            Phase::WithBot | Phase::Released | Phase::Recovering(_) => {}
        }
    }
}

/// The caller, and the audio of every leg.
impl Call {
    fn on_quality(&mut self, id: LegId, stats: LegStats, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        if stats.last_received.is_some_and(|last| world.now.since(last) < Duration::from_secs(1)) {
            leg.silent = false;
        }
        let (role, name) = (leg.role, leg.name.clone());
        self.trace(TraceKind::Quality { leg: id, role, name, stats, last: false });
        if role == Role::Caller {
            self.on_measured(stats.last_received, world);
        }
    }

    fn on_caller(&mut self, event: LegEvent, world: &mut World<'_>) {
        match event {
            LegEvent::Answered { .. } => self.on_caller_up(world),
            LegEvent::Cancelled => {
                self.end(EndCause::new(Party::Caller, EndReason::Cancelled), world);
            }
            LegEvent::Refused { status } if self.waits_for_caller().is_some() => {
                self.on_caller_missed(Some(status), world);
            }
            LegEvent::Refused { status } => {
                self.end(EndCause::sip(Party::Gateway, EndReason::Refused, status), world);
            }
            LegEvent::Ended { by_remote, status } => self.on_caller_gone(by_remote, status, world),
            LegEvent::Ringing
            | LegEvent::Queued
            | LegEvent::EarlyMedia { .. }
            | LegEvent::Progressed { .. }
            | LegEvent::MediaChanged { .. }
            | LegEvent::Late
            | LegEvent::Asked { .. }
            | LegEvent::Replaced { .. }
            | LegEvent::Refer(_)
            | LegEvent::Referral(_)
            | LegEvent::MetadataWanted
            | LegEvent::Reason(_) => {}
        }
    }

    /// Neither audio nor an answer: nobody is there (RFC 3261 §12.2.1.2). Who merely ignores OPTIONS sends audio.
    fn on_asked(&mut self, id: LegId, answered: bool, unreachable: bool, world: &mut World<'_>) {
        let ending = self.ending.is_some();
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.is_up() && !ending) else { return };
        leg.answers |= answered;
        leg.owes_answer &= !answered;
        let (role, telling, silent) = (leg.role, leg.answers || unreachable, leg.silent && !answered);
        let gone = leg.held.as_mut().map_or(silent, |held| held.was_asked(answered, telling));
        if !gone || (role != Role::Caller && !self.is_in_charge(id)) {
            return;
        }
        self.note(party(role), "no audio, and no answer to OPTIONS: taken for gone".to_owned());
        if role == Role::Caller {
            return self.on_caller_gone(false, Some(408), world);
        }
        // A telephone whose call was replaced would say that there is no such call.
        self.loose = None;
        self.hang_up(id, &reason(408, "No answer"), EndCause::sip(Party::Desk, EndReason::Unreachable, 408));
        self.on_desk(id, LegEvent::Ended { by_remote: false, status: Some(408) }, world);
    }

    /// The caller is answered: whoever was waited for is there.
    fn on_caller_up(&mut self, world: &mut World<'_>) {
        self.begin_recording(world);
        if self.meet(world) {
            return;
        }
        if matches!(self.phase, Phase::Alerting { .. }) && self.is_direct() {
            return self.connect_directly(world);
        }
        if let Some(decision) = self.waiting.take() {
            self.on_ready_decision(decision, world);
        }
    }

    fn on_digit(&mut self, leg: LegId, digit: char, world: &mut World<'_>) {
        let Some(role) = self.leg(leg).map(|leg| leg.role) else { return };
        if role == Role::Caller {
            if self.on_message_key(digit, world) {
                return;
            }
            self.consent_by_key(digit, world);
        }
        match role {
            Role::Caller if self.phase.before_join() && !self.is_direct() => {
                self.digits.handle_digit(digit, world.now);
                let stream = self.bot.and_then(|bot| self.leg(bot)).filter(|bot| bot.stream && bot.is_up());
                if let Some(bot) = stream.map(|bot| bot.id)
                    && self.bot_hears_caller()
                {
                    self.send_bot(bot, BotCommand::Digit(digit));
                }
            }
            Role::Desk => self.on_desk_key(leg, digit, world),
            Role::Caller | Role::Bot | Role::Recorder => {}
        }
    }

    fn on_flowing(&mut self, id: LegId, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let (first, role) = (!leg.flowing, leg.role);
        leg.flowing = true;
        leg.silent = false;
        leg.owes_answer = false;
        if first {
            self.trace(TraceKind::Flowing { leg: id, role });
        }
        if role == Role::Caller {
            self.on_measured(Some(world.now), world);
        }
        self.on_media_proof(world);
    }

    fn on_speech(&mut self, id: LegId, speaks: bool, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        leg.speaking = speaks;
        let speaker = match leg.role {
            Role::Caller => Some(Speaker::Caller),
            Role::Bot => Some(Speaker::Bot),
            Role::Desk | Role::Recorder => None,
        };
        if let Some(speaker) = speaker {
            self.engine.handle_speech(speaker, speaks, world.now);
            self.trace(TraceKind::Speech { speaker, speaks });
            self.decide(world);
        }
        if id == self.caller_id() {
            self.on_message_speech(speaks, world);
        }
        self.on_turn(id, speaks, world);
        self.on_media_proof(world);
        self.on_announced(world);
    }

    fn on_silent(&mut self, id: LegId, lasted: Duration, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let first = !core::mem::replace(&mut leg.silent, true);
        let role = leg.role;
        let due = leg.is_up() && lasted >= PROBE_AFTER;
        let rested = leg.probed.is_none_or(|probed| world.now.since(probed) >= PROBE_EVERY);
        if first {
            self.note(party(role), format!("no audio for {} s", lasted.as_secs()));
        }
        if role == Role::Bot {
            return self.on_silent_bot(id, world);
        }
        if self.on_silent_page(id, lasted, world) {
            return;
        }
        if due && rested && (role == Role::Caller || self.is_in_charge(id)) {
            if let Some(leg) = self.leg_mut(id) {
                leg.probed = Some(world.now);
            }
            self.command(id, LegCommand::Probe);
        }
        if role == Role::Caller {
            self.on_caller_silent(lasted, world);
        }
    }

    /// Bots that send nothing while they say nothing are many, so SIP has to tell; and soon, for the caller is alone with
    /// it. Three copies of the question are lost before a bot that is there is taken for gone.
    fn on_silent_bot(&mut self, id: LegId, world: &mut World<'_>) {
        let ending = self.ending.is_some();
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.is_up() && leg.held.is_none() && !ending) else { return };
        if !core::mem::replace(&mut leg.owes_answer, true) {
            return self.command(id, LegCommand::Probe);
        }
        let cause = EndCause::sip(Party::Bot, EndReason::Unreachable, 408);
        self.hang_up(id, &reason(408, "No answer"), cause);
        self.bot_gone(id, false, "no audio, and no answer to OPTIONS", world);
    }

    /// Whether it is the human who has the caller, also while they pass it on.
    pub(crate) fn is_in_charge(&self, id: LegId) -> bool {
        matches!(self.phase, Phase::Joined { leg, .. } if leg == id) || self.passing_human() == Some(id)
    }

    fn on_played(&mut self, leg: LegId, prompt: Prompt, world: &mut World<'_>) {
        if leg == self.caller_id() && prompt == Prompt::Recorded {
            self.on_notice_played();
        }
        if leg == self.caller_id() && self.prompt.is_some_and(|(playing, _)| playing == prompt) {
            self.after_prompt(world);
        }
        self.on_whispered(leg, prompt, world.now);
        if prompt == Prompt::CallerGone {
            self.end_farewell(leg);
        }
    }

    /// A leg's audio cannot work: the leg is as good as gone.
    fn on_media_failed(&mut self, id: LegId, because: EndReason, why: &str, world: &mut World<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let (role, state) = (leg.role, leg.state);
        self.note(Party::Gateway, format!("{role} leg cannot carry audio: {why}"));
        if state == LegState::Ending || self.ending.is_some() {
            return;
        }
        let (by, told) = match because {
            EndReason::HandshakeFailed => (party(role), reason(488, "No DTLS handshake")),
            _ => (Party::Gateway, reason(503, "No media")),
        };
        let cause = EndCause::new(by, because);
        if role == Role::Caller {
            return self.end(cause, world);
        }
        self.hang_up(id, &told, cause);
        match role {
            Role::Bot => self.bot_gone(id, false, "its audio failed", world),
            _ => self.on_desk(id, LegEvent::Refused { status: 503 }, world),
        }
    }
}

/// Whose doing the end of a leg is.
pub(crate) fn leg_cause(role: Role, event: &LegEvent) -> EndCause {
    use call_model::EndReason::{Cancelled, Finished, HungUp, Refused, TimedOut, Unreachable};
    let by = party(role);
    match *event {
        LegEvent::Refused { status: 408 } => EndCause::sip(by, TimedOut, 408),
        LegEvent::Refused { status: 503 } => EndCause::sip(by, Unreachable, 503),
        LegEvent::Refused { status } => EndCause::sip(by, Refused, status),
        LegEvent::Cancelled => EndCause::new(by, Cancelled),
        LegEvent::Ended { by_remote: true, .. } if role == Role::Bot => EndCause::new(by, Finished),
        LegEvent::Ended { by_remote: true, .. } => EndCause::new(by, HungUp),
        LegEvent::Ended { status: Some(status), .. } => EndCause::sip(by, Unreachable, status),
        _ => EndCause::new(Party::Gateway, HungUp),
    }
}
