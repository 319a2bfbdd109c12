//! One call: its legs, what each of them hears, and where the transfer stands.
//!
//! A call speaks legs. What a leg hears is computed from the state in one place ([`Call::settle`]), so that a caller
//! is never fed by two sources or by none.

use crate::blind::Blind;
use crate::calling_back::{CallbackStep, CallingBack};
use crate::capability::Capabilities;
use crate::choreography::{Announcement, Trio};
use crate::config::{OnBotClose, OnBotRefusal, Record, RecordTo, Recorded, Release, Route, RouteTo, SwitchboardConfig};
use crate::controls::Controls;
use crate::digits::{KeySequence, LoneDigits};
use crate::handback::HandingBack;
use crate::held::Held;
use crate::known::Known;
use crate::leg::{Leg, LegCommand, LegState, ReferralAnswer, ReferralId, ReferralTarget};
use crate::message::Message;
use crate::recorder::Recorder;
use crate::recording::Recording;
use crate::release::{Loose, Unproven};
use crate::reply::Turn;
use crate::seats::Seats;
use crate::transfer::{Handoff, Phase};
use call_model::{
    BotCommand, BotUpdate, CallId, Codec, Decision, DeskId, EndCause, IdSource, Instant, LegId, MediaCommand, Party,
    PopUpdate, Prompt, RecordingCommand, Redacted, Resumed, Role, Secret, TraceKind, TransferState, Voicemail,
    WallAnchor,
};
use core::time::Duration;
use escalation::Engine;
use routing::Queue;
use std::collections::VecDeque;

/// A prompt that is never reported as played is taken for played after this.
pub(crate) const PROMPT_LIMIT: Duration = Duration::from_secs(15);

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
    pub(crate) record: Record,
    /// What of it is recorded.
    pub(crate) recorded: Recorded,
    /// Where that goes.
    pub(crate) record_to: RecordTo,
    /// The name of its recording, if it is to have one.
    pub(crate) recording: Option<String>,
}

/// What a call may use that is not its own.
pub(crate) struct World<'a> {
    pub(crate) config: &'a SwitchboardConfig,
    pub(crate) seats: &'a mut Seats,
    pub(crate) queue: &'a mut Queue,
    pub(crate) capabilities: &'a mut Capabilities,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) wall: WallAnchor,
    pub(crate) now: Instant,
}

impl World<'_> {
    /// A conversation is over that took a desk for so long: from it those who wait are told how long it may take.
    pub(crate) fn note_service(&mut self, desk: &DeskId, taken: Option<Duration>) {
        let writes = self.seats.after_call_left(desk, self.now);
        if let Some(taken) = taken {
            self.queue.note_service(taken + writes);
        }
    }
}

/// What a call wants done.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum CallOutput {
    Leg {
        leg: LegId,
        command: LegCommand,
    },
    Media(MediaCommand),
    Recording(RecordingCommand),
    /// The leg's audio is over.
    CloseMedia {
        leg: LegId,
        role: Role,
        name: String,
    },
    Bot {
        leg: LegId,
        command: BotCommand,
    },
    Referral {
        id: ReferralId,
        answer: ReferralAnswer,
    },
    Callback(CallbackStep),
    Voicemail(Box<Voicemail>),
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
    /// When somebody last agreed to a REFER of ours, until they told an end.
    pub(crate) agreed: Option<Instant>,
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
    /// REFERs whose senders wait for the outcome of this handoff.
    pub(crate) referrals: Vec<ReferralId>,
    /// A human who passes the caller on and has yet to be relieved.
    pub(crate) retransfer: Option<crate::retransfer::Retransfer>,
    /// Who shall be rung first.
    pub(crate) preferred: Option<ReferralTarget>,
    /// The bot has gone while a human is fetched: it is asked once more, should no desk take the caller.
    pub(crate) bot_left: bool,
    /// It broke down with the caller once.
    pub(crate) bot_lost_before: bool,
    /// Why the bot is there after the join, if it is.
    pub(crate) trio: Option<Trio>,
    pub(crate) announcement: Announcement,
    /// The desk whose leg ended while a REFER was out that has had no outcome yet.
    pub(crate) unproven: Option<Unproven>,
    /// When NOTIFY said that somebody else has the caller, while a human here had, or was about to have.
    pub(crate) elsewhere: Option<Instant>,
    /// Each REFER without Replaces, as long as what it asked for may be done.
    pub(crate) blinds: Vec<Blind>,
    /// A REFER that was accepted and given up.
    pub(crate) loose: Option<Loose>,
    /// The `Reason` of the latest BYE.
    pub(crate) last_reason: Option<String>,
    /// The human gives the caller back, and the bot is being fetched.
    pub(crate) hand_back: Option<HandingBack>,
    /// What a bot that is dialled from now on has to know of the human before it.
    pub(crate) resumed: Option<Box<Resumed>>,
    /// Whom the caller hears before it is answered.
    pub(crate) early: Option<LegId>,
    pub(crate) recording: Recording,
    /// The caller leaves a message, or is about to.
    pub(crate) message: Option<Message>,
    pub(crate) recorder: Recorder,
    /// It is made to keep a promise.
    pub(crate) calling_back: Option<CallingBack>,
    /// What the human types who has the caller.
    pub(crate) desk_keys: KeySequence,
    /// What the human who has the caller has set on the page.
    pub(crate) controls: Controls,
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
            agreed: None,
            tapped: false,
            ending: None,
            farewell: Vec::new(),
            forget_at: None,
            company_at: None,
            turn: Turn::default(),
            unproven: None,
            referrals: Vec::new(),
            retransfer: None,
            preferred: None,
            bot_left: false,
            bot_lost_before: false,
            trio: None,
            announcement: Announcement::default(),
            elsewhere: None,
            blinds: Vec::new(),
            loose: None,
            last_reason: None,
            hand_back: None,
            resumed: None,
            early: None,
            recording: Recording::default(),
            message: None,
            recorder: Recorder::default(),
            calling_back: None,
            desk_keys: KeySequence::default(),
            controls: Controls::default(),
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
        self.follow_route_after_notice(world);
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
        let id = self.next_leg_id()?;
        self.legs.push(Leg::new(id, role, name.to_owned(), state));
        Some(id)
    }

    pub(crate) fn next_leg_id(&mut self) -> Option<LegId> {
        let index = u8::try_from(self.next_index).ok()?;
        self.next_index += 1;
        Some(LegId { call: self.about.id, index })
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
        let codecs = self.codecs_preferring(other);
        self.command(self.caller_id(), LegCommand::Answer { codecs });
    }

    pub(crate) fn take_media(&mut self, id: LegId, media: call_model::RemoteMedia, now: Instant) {
        if let Some(leg) = self.leg_mut(id) {
            leg.codec = Some(media.codec);
            leg.direction = media.direction;
            leg.held = (!media.direction.receives()).then(|| leg.held.unwrap_or_else(|| Held::since(now)));
        }
        self.outputs.push_back(CallOutput::Media(MediaCommand::Remote { leg: id, media }));
    }

    /// Hangs up a leg; its audio stops now, its end is confirmed later.
    pub(crate) fn hang_up(&mut self, id: LegId, reason: &str, cause: EndCause) {
        let Some(leg) = self.leg_mut(id) else { return };
        let (state, stream, browser, take_late) = (leg.state, leg.stream, leg.browser, leg.take_late);
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
            _ if browser => self.remove_leg(id, cause),
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
                let closing = CallOutput::CloseMedia { leg: id, role: leg.role, name: leg.name.clone() };
                self.outputs.push_back(closing);
                self.command(id, LegCommand::HangUp { reason: reason.to_owned() });
            }
        }
    }

    /// A leg is gone for good.
    pub(crate) fn remove_leg(&mut self, id: LegId, cause: EndCause) {
        let Some(place) = self.legs.iter().position(|leg| leg.id == id) else { return };
        let leg = self.legs.remove(place);
        if !leg.closed {
            self.outputs.push_back(CallOutput::CloseMedia { leg: id, role: leg.role, name: leg.name });
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
            if from == TransferState::WithBot {
                self.engine.handle_handoff();
            }
        }
    }

    pub(crate) fn set_over(&mut self) {
        self.over = true;
    }
}

/// Who is meant by a role.
pub(crate) const fn party(role: Role) -> Party {
    match role {
        Role::Caller => Party::Caller,
        Role::Bot => Party::Bot,
        Role::Desk => Party::Desk,
        Role::Recorder => Party::Recorder,
    }
}

/// The value of a `Reason` header (RFC 3326).
pub(crate) fn reason(cause: u16, text: &str) -> String {
    format!("SIP;cause={cause};text=\"{text}\"")
}
