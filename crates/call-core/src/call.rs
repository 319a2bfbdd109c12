//! One call: its legs, what each of them hears, and where the transfer stands.
//!
//! A call speaks legs. What a leg hears is computed from the state in one place ([`Call::settle`]), so that a caller
//! is never fed by two sources or by none.

use crate::capability::Capabilities;
use crate::choreography::{Announcement, Trio};
use crate::config::{OnBotClose, OnBotRefusal, Release, Route, RouteTo, SwitchboardConfig};
use crate::digits::{KeySequence, LoneDigits};
use crate::handback::HandingBack;
use crate::known::Known;
use crate::leg::{Leg, LegCommand, LegEvent, LegState, ReferralAnswer, ReferralId, ReferralTarget};
use crate::release::{Loose, Unproven};
use crate::reply::Turn;
use crate::seats::Seats;
use crate::transfer::{Handoff, Phase};
use call_model::{
    BotCommand, BotUpdate, CallId, Codec, Decision, EndCause, Fact, FactKind, IdSource, Instant, LegId, MediaCommand,
    MediaEvent, Party, PopUpdate, Prompt, Redacted, Resumed, Role, Secret, TraceKind, TransferState, WallAnchor,
};
use core::time::Duration;
use escalation::Engine;
use std::collections::VecDeque;

/// A prompt that is never reported as played is taken for played after this.
pub(crate) const PROMPT_LIMIT: Duration = Duration::from_secs(15);

/// A caller without audio for so long is asked whether it is still there.
const PROBE_AFTER: Duration = Duration::from_secs(20);
/// And again after this.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// What stays the same from the first INVITE to the end.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) id: CallId,
    pub(crate) session_id: String,
    pub(crate) trunk: String,
    pub(crate) from: Redacted,
    pub(crate) caller_name: Option<Redacted>,
    pub(crate) to: Redacted,
    pub(crate) began: Instant,
    pub(crate) began_unix_ms: u64,
    pub(crate) route: Route,
    /// What the caller offered and the trunk allows, in order; never empty.
    pub(crate) codecs: Vec<Codec>,
    pub(crate) control_token: Secret,
    pub(crate) release: Release,
}

/// What a call may use that is not its own.
pub(crate) struct World<'a> {
    pub(crate) config: &'a SwitchboardConfig,
    pub(crate) seats: &'a mut Seats,
    pub(crate) capabilities: &'a mut Capabilities,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) wall: WallAnchor,
    pub(crate) now: Instant,
}

/// What a call wants done.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum CallOutput {
    Leg { leg: LegId, command: LegCommand },
    Media(MediaCommand),
    Bot { leg: LegId, command: BotCommand },
    Referral { id: ReferralId, answer: ReferralAnswer },
    Pop(PopUpdate),
    Trace(TraceKind),
}

/// A call from first INVITE to the end.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) about: About,
    pub(crate) legs: Vec<Leg>,
    next_index: u16,
    /// The bot leg that is dialled or up.
    pub(crate) bot: Option<LegId>,
    pub(crate) bot_deadline: Option<Instant>,
    pub(crate) phase: Phase,
    pub(crate) since: Instant,
    pub(crate) handoff: Option<Handoff>,
    pub(crate) known: Known,
    pub(crate) engine: Engine,
    pub(crate) digits: LoneDigits,
    /// What is being played to the caller, and when to stop waiting for its end.
    pub(crate) prompt: Option<(Prompt, Instant)>,
    /// The human hung up and another one is being fetched: should none be found, the bot is dialled again, else this.
    pub(crate) after_human: Option<EndCause>,
    /// A decision taken while there was nobody to hand over yet.
    pub(crate) waiting: Option<Decision>,
    pub(crate) tapped: bool,
    pub(crate) ending: Option<EndCause>,
    /// A desk that hears why nobody is there, until then.
    pub(crate) farewell: Vec<(LegId, Instant)>,
    /// Legs that have not confirmed their end by then are forgotten.
    pub(crate) forget_at: Option<Instant>,
    /// When a caller who waits with music hears that somebody is still being sought.
    pub(crate) company_at: Option<Instant>,
    pub(crate) turn: Turn,
    probed: Option<Instant>,
    /// REFERs whose senders wait for the outcome of this handoff.
    pub(crate) referrals: Vec<ReferralId>,
    /// A human who passes the caller on and has yet to be relieved.
    pub(crate) retransfer: Option<crate::retransfer::Retransfer>,
    /// Who shall be rung first.
    pub(crate) preferred: Option<ReferralTarget>,
    /// The bot hung up because it had passed the caller on.
    pub(crate) bot_left: bool,
    /// Why the bot is there after the join, if it is.
    pub(crate) trio: Option<Trio>,
    pub(crate) announcement: Announcement,
    /// The desk whose leg ended while a REFER was out that has had no outcome yet.
    pub(crate) unproven: Option<Unproven>,
    /// A REFER that was accepted and given up.
    pub(crate) loose: Option<Loose>,
    /// The `Reason` of the latest BYE.
    pub(crate) last_reason: Option<String>,
    /// The human gives the caller back, and the bot is being fetched.
    pub(crate) hand_back: Option<HandingBack>,
    /// What a bot that is dialled from now on has to know of the human before it.
    pub(crate) resumed: Option<Box<Resumed>>,
    /// What the human types who has the caller.
    pub(crate) desk_keys: KeySequence,
    over: bool,
    pub(crate) outputs: VecDeque<CallOutput>,
}

impl Call {
    /// A call whose INVITE just came. The caller leg has index 0.
    pub(crate) fn new(about: About, engine: Engine) -> Self {
        let caller = LegId { call: about.id, index: 0 };
        let leg = Leg::new(caller, Role::Caller, about.trunk.clone(), LegState::Arriving);
        Self {
            since: about.began,
            about,
            legs: vec![leg],
            next_index: 1,
            bot: None,
            bot_deadline: None,
            phase: Phase::WithBot,
            handoff: None,
            known: Known::default(),
            engine,
            digits: LoneDigits::default(),
            prompt: None,
            waiting: None,
            after_human: None,
            tapped: false,
            ending: None,
            farewell: Vec::new(),
            forget_at: None,
            company_at: None,
            turn: Turn::default(),
            probed: None,
            unproven: None,
            referrals: Vec::new(),
            retransfer: None,
            preferred: None,
            bot_left: false,
            trio: None,
            announcement: Announcement::default(),
            loose: None,
            last_reason: None,
            hand_back: None,
            resumed: None,
            desk_keys: KeySequence::default(),
            over: false,
            outputs: VecDeque::new(),
        }
    }

    /// Does what the route says.
    pub(crate) fn begin(&mut self, world: &mut World<'_>) {
        let about = &self.about;
        self.outputs.push_back(CallOutput::Trace(TraceKind::Began {
            from: about.from.clone(),
            to: about.to.clone(),
            trunk: about.trunk.clone(),
            session_id: about.session_id.clone(),
        }));
        match about.route.to.clone() {
            RouteTo::Bot(_) => self.dial_bot(world),
            RouteTo::Desk(desk) => self.dial_directly(&desk, world),
        }
    }

    /// Something happened to a leg.
    pub(crate) fn handle_leg(&mut self, id: LegId, event: LegEvent, world: &mut World<'_>) {
        if let LegEvent::Refer(progress) = event {
            // NOTIFY may come after the BYE of its own dialog, when the leg is gone.
            self.on_refer(id, progress, world);
            return self.settle();
        }
        if let LegEvent::Referral(referral) = event {
            self.on_referral(id, *referral, world);
            return self.settle();
        }
        if let LegEvent::Reason(reason) = event {
            self.last_reason = Some(reason);
            return;
        }
        let event = match event {
            LegEvent::Replaced { media, by, sip_call_id } => {
                match self.on_replaced(id, media, by, &sip_call_id, world) {
                    Some(event) => event,
                    None => return self.settle(),
                }
            }
            other => other,
        };
        let Some(leg) = self.leg_mut(id) else { return };
        match &event {
            LegEvent::Answered { media } if leg.state != LegState::Ending => {
                leg.state = LegState::Up;
                if let Some(media) = media {
                    self.take_media(id, *media);
                }
            }
            LegEvent::Answered { media: Some(media) } if leg.take_late => self.on_late_answer(id, *media, world),
            LegEvent::MediaChanged { media } if leg.state != LegState::Ending => self.take_media(id, *media),
            _ => {}
        }
        let Some(leg) = self.leg_mut(id) else { return };
        let (role, ending) = (leg.role, leg.state == LegState::Ending);
        let gone =
            matches!(event, LegEvent::Refused { .. } | LegEvent::Cancelled | LegEvent::Ended { .. } | LegEvent::Late);
        if gone {
            let cause = self.leg_cause(id, &event);
            let redial = role == Role::Desk && !ending && self.wants_plain_retry(id, &event, world);
            if !redial {
                self.remove_leg(id, cause);
            }
        }
        if !ending && self.ending.is_none() {
            if matches!(event, LegEvent::MediaChanged { .. }) {
                self.on_hold_in_release(id, world);
                self.on_media_proof(world);
            }
            match role {
                Role::Caller => self.on_caller(event, world),
                Role::Bot => self.on_bot(id, event, world),
                Role::Desk => self.on_desk(id, event, world),
            }
        }
        self.settle();
    }

    /// Something happened to a leg's audio.
    pub(crate) fn handle_media(&mut self, event: MediaEvent, world: &mut World<'_>) {
        match event {
            MediaEvent::Flowing { leg, .. } => self.on_flowing(leg, world),
            MediaEvent::Speaks { leg } => self.on_speech(leg, true, world),
            MediaEvent::Paused { leg } => self.on_speech(leg, false, world),
            MediaEvent::MarkPlayed { leg, name } => self.on_mark(leg, name, world),
            MediaEvent::Silent { leg, lasted } => self.on_silent(leg, lasted, world.now),
            MediaEvent::Digit { leg, digit, .. } => self.on_digit(leg, digit, world),
            MediaEvent::Played { leg, prompt } => self.on_played(leg, prompt, world),
            MediaEvent::Quality { leg, stats, last } => {
                let role = self.leg(leg).map_or(Role::Caller, |leg| leg.role);
                if let Some(leg) = self.leg_mut(leg)
                    && stats.last_received.is_some_and(|last| world.now.since(last) < Duration::from_secs(1))
                {
                    leg.silent = false;
                }
                if self.leg(leg).is_some() {
                    self.trace(TraceKind::Quality { leg, role, stats });
                }
                if role == Role::Caller && !last {
                    self.on_measured(stats.last_received, world);
                }
            }
            MediaEvent::Failed { leg, why } => self.on_media_failed(leg, &why, world),
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
        let direction = matches!(fact.kind, FactKind::Introduced | FactKind::Announcement { .. });
        let said = direction.then(|| fact.kind.clone());
        self.trace(TraceKind::Fact(fact));
        if let Some(said) = said {
            self.on_stage_direction(&said, world);
        }
        while let Some(decision) = self.engine.poll_output() {
            self.on_decision(decision, world);
        }
        if grew {
            self.grow_pop(world);
        }
        self.settle();
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
            while let Some(decision) = self.engine.poll_output() {
                self.on_decision(decision, world);
            }
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
        self.end_farewells(now);
        if due(self.forget_at) {
            self.forget_legs();
        }
        self.settle();
    }

    /// When to wake up.
    pub(crate) fn poll_timeout(&self, config: &SwitchboardConfig) -> Option<Instant> {
        if self.over {
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
            self.farewell.iter().map(|(_, until)| *until).min(),
            self.forget_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What to do next.
    pub(crate) fn poll_output(&mut self) -> Option<CallOutput> {
        self.outputs.pop_front()
    }

    /// Where the transfer stands.
    pub(crate) const fn state(&self) -> TransferState {
        self.phase.state()
    }

    /// Nothing is left to do.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }
}

/// The caller.
impl Call {
    fn on_caller(&mut self, event: LegEvent, world: &mut World<'_>) {
        match event {
            LegEvent::Answered { .. } => self.on_caller_up(world),
            LegEvent::Cancelled => {
                self.end(EndCause::new(Party::Caller, call_model::EndReason::Cancelled), world);
            }
            LegEvent::Refused { status } => {
                self.end(EndCause::sip(Party::Gateway, call_model::EndReason::Refused, status), world);
            }
            LegEvent::Ended { by_remote, status } => self.on_caller_gone(by_remote, status, world),
            LegEvent::Unanswered => self.on_caller_unanswered(world),
            LegEvent::Ringing
            | LegEvent::Queued
            | LegEvent::MediaChanged { .. }
            | LegEvent::Late
            | LegEvent::Replaced { .. }
            | LegEvent::Refer(_)
            | LegEvent::Referral(_)
            | LegEvent::Reason(_) => {}
        }
    }

    /// Neither audio nor an answer: nobody is there (RFC 3261 §12.2.1.2). A trunk that merely ignores OPTIONS sends audio.
    fn on_caller_unanswered(&mut self, world: &mut World<'_>) {
        if self.leg(self.caller_id()).is_some_and(|caller| caller.silent) {
            self.note(Party::Caller, "no audio, and no answer to OPTIONS: taken for gone".to_owned());
            self.on_caller_gone(false, Some(408), world);
        }
    }

    /// The caller is answered: whoever was waited for is there.
    fn on_caller_up(&mut self, world: &mut World<'_>) {
        if matches!(self.phase, Phase::Alerting { .. }) && self.is_direct() {
            return self.connect_directly(world);
        }
        if let Some(decision) = self.waiting.take() {
            self.on_ready_decision(decision, world);
        }
    }

    fn on_digit(&mut self, leg: LegId, digit: char, world: &mut World<'_>) {
        let Some(role) = self.leg(leg).map(|leg| leg.role) else { return };
        match role {
            Role::Caller if self.phase.before_join() && !self.is_direct() => {
                self.digits.handle_digit(digit, world.now);
                let stream = self.bot.and_then(|bot| self.leg(bot)).filter(|bot| bot.stream && bot.is_up());
                if let Some(bot) = stream.map(|bot| bot.id)
                    && self.bot_hears_caller()
                {
                    self.outputs.push_back(CallOutput::Bot { leg: bot, command: BotCommand::Digit(digit) });
                }
            }
            Role::Desk => self.on_desk_key(leg, digit, world),
            Role::Caller | Role::Bot => {}
        }
    }

    fn on_flowing(&mut self, id: LegId, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let (first, role) = (!leg.flowing, leg.role);
        leg.flowing = true;
        leg.silent = false;
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
        self.on_turn(id, speaks, world);
        self.on_media_proof(world);
        self.on_announced(world);
    }

    fn on_silent(&mut self, id: LegId, lasted: Duration, now: Instant) {
        let Some(leg) = self.leg_mut(id) else { return };
        let first = !core::mem::replace(&mut leg.silent, true);
        let (role, up) = (leg.role, leg.is_up());
        if first {
            self.note(party(role), format!("no audio for {} s", lasted.as_secs()));
        }
        let rested = self.probed.is_none_or(|probed| now.since(probed) >= PROBE_EVERY);
        if role == Role::Caller && up && lasted >= PROBE_AFTER && rested {
            self.probed = Some(now);
            self.command(id, LegCommand::Probe);
        }
    }

    fn on_played(&mut self, leg: LegId, prompt: Prompt, world: &mut World<'_>) {
        if leg == self.caller_id() && self.prompt.is_some_and(|(playing, _)| playing == prompt) {
            self.after_prompt(world);
        }
        self.on_whispered(leg, prompt, world.now);
        if prompt == Prompt::CallerGone {
            self.end_farewell(leg);
        }
    }

    /// A leg's audio cannot work: the leg is as good as gone.
    fn on_media_failed(&mut self, id: LegId, why: &str, world: &mut World<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let (role, state) = (leg.role, leg.state);
        self.note(Party::Gateway, format!("{role} leg cannot carry audio: {why}"));
        if state == LegState::Ending || self.ending.is_some() {
            return;
        }
        let cause = EndCause::new(Party::Gateway, call_model::EndReason::NoCapacity);
        if role == Role::Caller {
            return self.end(cause, world);
        }
        self.hang_up(id, &reason(503, "No media"), cause);
        match role {
            Role::Bot => self.bot_gone(id, false, "its audio failed", world),
            _ => self.on_desk(id, LegEvent::Refused { status: 503 }, world),
        }
    }
}

/// Small things everybody here needs.
impl Call {
    pub(crate) const fn caller_id(&self) -> LegId {
        LegId { call: self.about.id, index: 0 }
    }

    pub(crate) fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    pub(crate) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    pub(crate) fn caller_is_up(&self) -> bool {
        self.leg(self.caller_id()).is_some_and(Leg::is_up)
    }

    pub(crate) fn bot_is_up(&self) -> bool {
        self.bot.and_then(|bot| self.leg(bot)).is_some_and(Leg::is_up)
    }

    /// A caller who dialled a human, and whom nobody has passed on since.
    pub(crate) const fn is_direct(&self) -> bool {
        matches!(self.about.route.to, RouteTo::Desk(_)) && self.handoff.is_none() && self.retransfer.is_none()
    }

    pub(crate) fn on_close(&self, world: &World<'_>) -> OnBotClose {
        self.bot_config(world).map(|bot| bot.on_close).unwrap_or_default()
    }

    pub(crate) fn on_refusal(&self, world: &World<'_>) -> OnBotRefusal {
        self.bot_config(world).map(|bot| bot.on_refusal).unwrap_or_default()
    }

    pub(crate) fn bot_config<'w>(&self, world: &World<'w>) -> Option<&'w crate::config::Bot> {
        match &self.about.route.to {
            RouteTo::Bot(name) => world.config.bot(name),
            RouteTo::Desk(_) => None,
        }
    }

    /// A new leg, unless this call has had too many.
    pub(crate) fn add_leg(&mut self, role: Role, name: &str, state: LegState) -> Option<LegId> {
        let index = u8::try_from(self.next_index).ok()?;
        self.next_index += 1;
        let id = LegId { call: self.about.id, index };
        self.legs.push(Leg::new(id, role, name.to_owned(), state));
        Some(id)
    }

    /// What to offer a party: the caller's codec or wishes first, then what else the party may have.
    pub(crate) fn codecs_for(&self, theirs: &[Codec]) -> Vec<Codec> {
        let running = self.leg(self.caller_id()).and_then(|leg| leg.codec);
        let wishes = running.into_iter().chain(self.about.codecs.iter().copied());
        let mut codecs: Vec<Codec> = Vec::new();
        for codec in wishes.filter(|codec| theirs.is_empty() || theirs.contains(codec)).chain(theirs.iter().copied()) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        codecs
    }

    /// Answers the caller, preferring what the other party runs.
    pub(crate) fn answer_caller(&mut self, other: Option<Codec>) {
        let preferred = other.filter(|codec| self.about.codecs.contains(codec));
        let rest = self.about.codecs.iter().copied().filter(|codec| Some(*codec) != preferred);
        let codecs = preferred.into_iter().chain(rest).collect();
        self.command(self.caller_id(), LegCommand::Answer { codecs });
    }

    pub(crate) fn take_media(&mut self, id: LegId, media: call_model::RemoteMedia) {
        if let Some(leg) = self.leg_mut(id) {
            leg.codec = Some(media.codec);
            leg.direction = media.direction;
        }
        self.outputs.push_back(CallOutput::Media(MediaCommand::Remote { leg: id, media }));
    }

    /// Hangs up a leg; its audio stops now, its end is confirmed later.
    pub(crate) fn hang_up(&mut self, id: LegId, reason: &str, cause: EndCause) {
        let Some(leg) = self.leg_mut(id) else { return };
        let (state, stream, take_late) = (leg.state, leg.stream, leg.take_late);
        leg.cause.get_or_insert(cause);
        leg.state = LegState::Ending;
        match state {
            LegState::Ending => {}
            LegState::Planned => {
                self.legs.retain(|leg| leg.id != id);
            }
            _ if stream => {
                self.outputs.push_back(CallOutput::Bot { leg: id, command: BotCommand::Close });
                self.remove_leg(id, cause);
            }
            LegState::Arriving => {
                self.command(id, LegCommand::Refuse { status: crate::ending::refusal_status(cause) });
                self.remove_leg(id, cause);
            }
            LegState::Dialling if take_late => {
                self.command(id, LegCommand::TakeLateAnswer);
                self.command(id, LegCommand::HangUp { reason: reason.to_owned() });
            }
            LegState::Dialling | LegState::Up => {
                leg.closed = true;
                self.outputs.push_back(CallOutput::Media(MediaCommand::Close { leg: id }));
                self.command(id, LegCommand::HangUp { reason: reason.to_owned() });
            }
        }
    }

    /// A leg is gone for good.
    pub(crate) fn remove_leg(&mut self, id: LegId, cause: EndCause) {
        let Some(place) = self.legs.iter().position(|leg| leg.id == id) else { return };
        let leg = self.legs.remove(place);
        if !leg.closed {
            self.outputs.push_back(CallOutput::Media(MediaCommand::Close { leg: id }));
        }
        let cause = leg.cause.unwrap_or(cause);
        self.trace(TraceKind::LegEnded { leg: id, role: leg.role, cause });
    }

    pub(crate) fn command(&mut self, leg: LegId, command: LegCommand) {
        self.outputs.push_back(CallOutput::Leg { leg, command });
    }

    pub(crate) fn trace(&mut self, kind: TraceKind) {
        self.outputs.push_back(CallOutput::Trace(kind));
    }

    pub(crate) fn note(&mut self, about: Party, text: String) {
        self.trace(TraceKind::Note { about, text });
    }

    pub(crate) fn pop(&mut self, update: PopUpdate) {
        self.outputs.push_back(CallOutput::Pop(update));
    }

    /// Tells a bot that can be told.
    pub(crate) fn tell_bot(&mut self, update: BotUpdate) {
        if let Some(bot) = self.bot.and_then(|bot| self.leg(bot)).filter(|bot| bot.stream && bot.is_up()) {
            let leg = bot.id;
            self.outputs.push_back(CallOutput::Bot { leg, command: BotCommand::Tell(update) });
        }
    }

    pub(crate) fn send_media(&mut self, command: MediaCommand) {
        self.outputs.push_back(CallOutput::Media(command));
    }

    pub(crate) fn send_bot(&mut self, leg: LegId, command: BotCommand) {
        self.outputs.push_back(CallOutput::Bot { leg, command });
    }

    /// Moves on to another phase.
    pub(crate) fn enter(&mut self, phase: Phase, now: Instant) {
        let (from, to) = (self.phase.state(), phase.state());
        self.phase = phase;
        if from != to {
            self.since = now;
            self.trace(TraceKind::State { from, to });
        }
    }

    pub(crate) fn set_over(&mut self) {
        self.over = true;
    }

    /// The time at which the phase wants to be woken.
    fn phase_deadline(&self) -> Option<Instant> {
        if self.ending.is_some() {
            return None;
        }
        match &self.phase {
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
            Phase::WithBot | Phase::Released | Phase::Recovering(_) => None,
        }
    }

    fn on_phase_timeout(&mut self, world: &mut World<'_>) {
        match self.phase {
            Phase::Offering { leg, .. } => self.on_pop_unacknowledged(leg, world),
            Phase::Alerting { leg, give_up_at, .. } if give_up_at <= world.now => self.on_ring_timeout(leg, world),
            Phase::Alerting { .. } => self.on_no_progress(world),
            Phase::Accepting { leg, .. } => self.on_accept_timeout(leg, world),
            Phase::Joined { .. } => self.on_joined_timeout(world),
            Phase::Releasing { .. } => self.on_release_timeout(world),
            Phase::Referring { .. } => self.on_blind_timeout(world),
            Phase::WithBot | Phase::Released | Phase::Recovering(_) => {}
        }
    }

    /// Whose doing the end of a leg is.
    fn leg_cause(&self, id: LegId, event: &LegEvent) -> EndCause {
        use call_model::EndReason::{Cancelled, Finished, HungUp, Refused, TimedOut, Unreachable};
        let role = self.leg(id).map_or(Role::Caller, |leg| leg.role);
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
}

/// Who is meant by a role.
pub(crate) const fn party(role: Role) -> Party {
    match role {
        Role::Caller => Party::Caller,
        Role::Bot => Party::Bot,
        Role::Desk => Party::Desk,
    }
}

/// The value of a `Reason` header (RFC 3326).
pub(crate) fn reason(cause: u16, text: &str) -> String {
    format!("SIP;cause={cause};text=\"{text}\"")
}
