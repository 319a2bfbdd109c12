//! All calls and the SIP endpoint as one pure value. The only place that knows both SIP and calls.

mod browser;
mod callbacks;
mod caller_id;
mod dial;
mod events;
mod health;
mod incoming;
mod presence;
mod recorder;
mod recording;
mod referrals;
mod refused;
mod registrations;
mod replacing;
mod requests;
mod targets;
mod waiting;

pub use callbacks::CallbackFixed;
pub use recording::RecordingRefused;
pub use refused::DeskRefused;
pub use targets::TargetView;
pub use waiting::WaitingView;

use crate::call::{Call, CallOutput, World};
use crate::capability::{Capabilities, CapabilityView};
use crate::config::{Network, SwitchboardConfig, Target};
use crate::leg::{LegEvent, ReferralId};
use crate::peers::Peers;
use crate::ports::PortPool;
use crate::seats::Seats;
use crate::signalling;
use crate::transfer::Phase;
use call_model::{
    BotCommand, BotEvent, CallId, Callback, Codec, DeskAction, DeskId, Disposition, EndCause, EndReason, FactKind,
    HandoffId, HandoffRequest, IdSource, Instant, InterfaceId, KeysBy, LegId, LegStats, MediaCommand, MediaEvent,
    Party, PopUpdate, RecordingCommand, Redacted, Role, TraceEvent, TraceKind, TransferState, Voicemail, WallAnchor,
};
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use escalation::Rules;
pub use registrations::{Registered, RegistrationStatus};
use routing::Queue;
use sip_proto::{DialogId, Endpoint, EndpointConfig, Flow, RegistrationId};
use sip_wire::{Malformed, Message};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What the switchboard wants done.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// Where.
        flow: Flow,
        /// A whole SIP message.
        bytes: Vec<u8>,
    },
    /// For the media thread that owns the leg's call.
    Media(MediaCommand),
    /// For whatever writes recordings; comes before the commands about its ears.
    Recording(RecordingCommand),
    /// For the connection of a bot that is reached by WebSocket. The first command for a leg is `Dial`.
    Bot {
        /// The bot leg.
        leg: LegId,
        /// What.
        command: BotCommand,
    },
    /// For a desk's page.
    Pop(PopUpdate),
    /// To be written down, for good; [`Switchboard::handle_callback_kept`] follows.
    Callback(Box<Callback>),
    /// A caller has left a message.
    Voicemail(Box<Voicemail>),
    /// What happened.
    Trace(TraceEvent),
}

/// Why a control event was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlRefused {
    /// No such call, or it is over.
    UnknownCall,
    /// Not the token of that call.
    WrongToken,
}

/// Why the switchboard wants to wake up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerName {
    /// The SIP endpoint.
    Sip,
    /// A call: its transfer, rules or digits.
    Call,
    /// A port has rested.
    Port,
    /// Desks and bots are asked for signs of life.
    Ping,
    /// Somebody we call has been silent for so long that the next place is tried.
    Target,
    /// A desk may be there again for those who wait.
    Queue,
    /// Somebody is to be called back.
    Callback,
}

/// A call, for the API.
#[derive(Clone, PartialEq, Debug)]
pub struct CallView {
    /// Which.
    pub id: CallId,
    /// Session-ID (RFC 7989).
    pub session_id: String,
    /// The trunk's name.
    pub trunk: String,
    /// Who calls.
    pub from: Redacted,
    /// What they dialled.
    pub to: Redacted,
    /// When it began.
    pub began: Instant,
    /// Where it stands.
    pub state: TransferState,
    /// Since when.
    pub since: Instant,
    /// Its living legs.
    pub legs: Vec<(LegId, Role)>,
}

/// All calls and the SIP endpoint.
#[derive(Debug)]
pub struct Switchboard {
    config: Arc<SwitchboardConfig>,
    peers: Arc<Peers>,
    endpoint: Endpoint,
    ids: IdSource,
    wall: WallAnchor,
    calls: BTreeMap<CallId, Entry>,
    deadlines: BTreeSet<(Instant, CallId)>,
    links: BTreeMap<LegId, Link>,
    /// Legs whose audio is open.
    open: BTreeSet<LegId>,
    /// Legs whose audio was closed lately: their last numbers are on their way.
    parting: VecDeque<(Instant, LegId, Role, String)>,
    dialogs: BTreeMap<DialogId, (LegId, Role)>,
    /// Dialogs that are over, oldest first: what is still sent or seen of them belongs to their leg for a while.
    past: VecDeque<(Instant, DialogId)>,
    handoffs: BTreeMap<HandoffId, CallId>,
    /// REFERs of peers', accepted or waiting for their call to say so.
    referrals: BTreeMap<ReferralId, referrals::Referred>,
    /// Handoffs that were asked for under a name, oldest first.
    requests: VecDeque<(CallId, HandoffRequest, HandoffId)>,
    capabilities: Capabilities,
    ports: PortPool,
    seats: Seats,
    /// Who waits for a desk.
    queue: Queue,
    queue_due: Option<Instant>,
    book: callbacks::Book,
    draining: bool,
    health: health::Health,
    silences: targets::Silences,
    /// Ours with trunks, by the trunk's place in the configuration.
    registrations: BTreeMap<RegistrationId, usize>,
    feedback: VecDeque<(LegId, LegEvent)>,
    /// SIP notes of dialogs that no leg has claimed yet, by `Call-ID`.
    unclaimed: Vec<(String, TraceEvent)>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Entry {
    call: Call,
    deadline: Option<Instant>,
}

/// What a leg is made of outside its call.
#[derive(Debug)]
struct Link {
    role: Role,
    dialog: Option<DialogId>,
    port: Option<u16>,
    /// On which side that port is.
    interface: InterfaceId,
    /// Whose audio that port takes, beside that of the address in the session description.
    allowed: Vec<Network>,
    keys_by: KeysBy,
    /// Its last dialog, for an INVITE that repeats a refused one.
    last: Option<DialogId>,
    /// When we sent its last INVITE.
    dialled: Option<Instant>,
    /// Where it was called last.
    target: Option<Target>,
    /// The call to it, for as long as nobody there has been heard.
    attempt: Option<targets::Attempt>,
    /// The other stream of a recording session, which this leg's dialog is about as well.
    second: Option<LegId>,
    max_forwards: u8,
    /// The `Call-ID` of the caller leg, for `X-Call-ID`.
    first_call_id: String,
    /// The user part of the caller's and the dialled URI, still escaped.
    caller_user: String,
    dialled_user: String,
    /// The caller's, when it is withheld from all but who is trusted with it.
    withheld_user: Option<String>,
    /// The INVITE to a desk that may refuse the caller's number, until another was tried.
    refusable: Option<Box<sip_proto::InviteRequest>>,
    /// What of the caller's INVITE goes on to bots and desks.
    passed: Vec<(String, String)>,
    /// What a desk's product accepts.
    profile: Option<Arc<crate::profile::Profile>>,
    /// For a page: what it may talk in, in order of preference.
    codecs: Vec<Codec>,
}

/// How long the last numbers of a leg's audio are waited for.
const PARTING: Duration = Duration::from_secs(5);

/// How long what is heard of a finished dialog is still shown with its leg.
const REMEMBER: Duration = Duration::from_secs(40);

impl Switchboard {
    /// Calls that begin from now on are judged by these; those that are up keep theirs.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        Arc::make_mut(&mut self.config).rules = rules;
    }

    /// A switchboard without calls.
    pub fn new(config: Arc<SwitchboardConfig>, mut ids: IdSource, wall: WallAnchor) -> Self {
        let endpoint_config = EndpointConfig {
            user_agent: config.user_agent.clone(),
            tcp: config.interfaces.all().filter_map(|one| one.sip.udp.zip(one.sip.tcp)).collect(),
            refer_result_timeout: config.timers.refer_result_timeout,
            new_requests_per_s: config.new_requests_per_s,
            session_expires: config
                .timers
                .session_expires
                .map_or(0, |time| time.as_secs().try_into().unwrap_or(u32::MAX)),
            peers: signalling::peers(&config),
            accounts: signalling::accounts(&config),
            guards: signalling::guards(&config),
            registrar: signalling::registrar(&config),
            #[cfg(feature = "mutations")]
            honours_late_ok: mutated!(config, LateOkHonoured),
            ..EndpointConfig::default()
        };
        let mut endpoint = Endpoint::new(endpoint_config, ids.fork());
        let registrations = registrations::begin(&mut endpoint, &config, wall.at);
        Self {
            peers: Arc::new(Peers::from_config(&config)),
            endpoint,
            ids,
            wall,
            calls: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            links: BTreeMap::new(),
            open: BTreeSet::new(),
            parting: VecDeque::new(),
            dialogs: BTreeMap::new(),
            past: VecDeque::new(),
            handoffs: BTreeMap::new(),
            referrals: BTreeMap::new(),
            requests: VecDeque::new(),
            capabilities: Capabilities::new(&config),
            ports: PortPool::new(config.rtp_ports, config.timers.port_drain),
            seats: Seats::new(&config),
            queue: Queue::new(config.head_starts),
            queue_due: None,
            book: callbacks::Book::default(),
            draining: false,
            health: health::Health::new(&config, wall.at),
            silences: targets::Silences::new(),
            registrations,
            feedback: VecDeque::new(),
            unclaimed: Vec::new(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// A UDP datagram from a known peer.
    pub fn handle_datagram(&mut self, flow: Flow, bytes: &[u8], now: Instant) {
        self.handle_framed(flow, Message::parse_datagram(bytes), now);
    }

    /// A message from a TCP connection, framed.
    pub fn handle_framed(&mut self, flow: Flow, framed: Result<Message, Malformed>, now: Instant) {
        match framed {
            Ok(message) => self.endpoint.handle_message(flow, message, now),
            Err(malformed) => self.endpoint.handle_malformed(flow, malformed, now),
        }
        self.pump(now);
    }

    /// A connection broke, or an address is unreachable.
    pub fn handle_flow_failed(&mut self, flow: Flow, now: Instant) {
        self.endpoint.handle_flow_failed(flow, now);
        self.pump(now);
    }

    /// From the media path.
    pub fn handle_media(&mut self, event: MediaEvent, now: Instant) {
        let call = match &event {
            MediaEvent::Flowing { leg, .. }
            | MediaEvent::Silent { leg, .. }
            | MediaEvent::Speaks { leg }
            | MediaEvent::Paused { leg }
            | MediaEvent::MarkPlayed { leg, .. }
            | MediaEvent::Digit { leg, .. }
            | MediaEvent::Key { leg, .. }
            | MediaEvent::Dialled { leg }
            | MediaEvent::Played { leg, .. }
            | MediaEvent::Quality { leg, .. }
            | MediaEvent::Failed { leg, .. } => leg.call,
        };
        if let MediaEvent::Quality { leg, stats, last: true } = event {
            self.note_last_quality(leg, stats, now);
        } else {
            self.with_call(call, now, |call, world| call.handle_media(event, world));
        }
        self.pump(now);
    }

    /// The call may be over by now.
    fn note_last_quality(&mut self, leg: LegId, stats: LegStats, now: Instant) {
        let place = self.parting.iter().position(|(_, parted, ..)| *parted == leg);
        if let Some((_, leg, role, name)) = place.and_then(|place| self.parting.remove(place)) {
            self.trace(Some(leg.call), TraceKind::Quality { leg, role, name, stats, last: true }, now);
        }
    }

    /// From the connection of a bot reached by WebSocket.
    pub fn handle_bot(&mut self, leg: LegId, event: BotEvent, now: Instant) {
        self.with_call(leg.call, now, |call, world| call.handle_bot(leg, event, world));
        self.pump(now);
    }

    /// Something was observed about a call (the prosody model).
    pub fn handle_fact(&mut self, call: CallId, kind: FactKind, now: Instant) {
        self.with_call(call, now, |call, world| call.observe(kind, world));
        self.pump(now);
    }

    /// Something a bot reported over HTTP, with the call's token.
    ///
    /// # Errors
    /// When there is no such call, or the token is not its.
    pub fn handle_control(
        &mut self,
        call: CallId,
        token: &str,
        kind: FactKind,
        now: Instant,
    ) -> Result<(), ControlRefused> {
        let entry = self.calls.get(&call).ok_or(ControlRefused::UnknownCall)?;
        if !entry.call.about.control_token.matches(token) {
            return Err(ControlRefused::WrongToken);
        }
        self.handle_fact(call, kind, now);
        Ok(())
    }

    /// From a desk's page.
    ///
    /// # Errors
    /// When the desk or the handoff is not what the page thinks.
    pub fn handle_desk(&mut self, desk: &DeskId, action: DeskAction, now: Instant) -> Result<(), DeskRefused> {
        if self.config.desk(&desk.0).is_none() {
            return Err(DeskRefused::UnknownDesk);
        }
        let call = self.handoffs.get(&action.handoff()).copied().ok_or(DeskRefused::NotYours)?;
        let result = self.with_call(call, now, |call, world| call.handle_desk(desk, &action, world));
        self.pump(now);
        result.unwrap_or(Err(DeskRefused::NotYours))
    }

    /// A human says what became of a conversation, which may be over for long.
    pub fn handle_disposition(
        &mut self,
        desk: &DeskId,
        (call, handoff): (CallId, HandoffId),
        disposition: Disposition,
        now: Instant,
    ) {
        self.trace(Some(call), TraceKind::Disposed { handoff, desk: desk.clone(), disposition }, now);
    }

    /// No new calls from now on; those that are up go on.
    pub fn drain(&mut self, now: Instant) {
        let first = !core::mem::replace(&mut self.draining, true);
        if first && self.config.drain_to_human {
            for call in self.calls.keys().copied().collect::<Vec<_>>() {
                self.with_call(call, now, Call::leave_the_bot);
            }
        }
        self.endpoint.drain();
        self.take_leave(now);
        self.pump(now);
    }

    /// Says goodbye to everybody: each leg is hung up, each call ends as drained.
    pub fn end_all(&mut self, now: Instant) {
        self.drain(now);
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            let cause = EndCause::new(Party::Gateway, EndReason::Draining);
            self.with_call(call, now, |call, world| call.end(cause, world));
        }
        self.pump(now);
    }

    /// Lets due timers fire.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.ports.handle_timeout(now);
        self.endpoint.handle_timeout(now);
        self.ask_for_signs_of_life(now);
        self.pass_over_the_silent(now);
        self.make_due_callbacks(now);
        self.pump(now);
        let due: Vec<CallId> = self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, call)| *call).collect();
        for call in due {
            self.with_call(call, now, Call::handle_timeout);
            self.pump(now);
        }
        while self.past.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, dialog)) = self.past.pop_front() {
                self.dialogs.remove(&dialog);
            }
        }
    }

    /// When to call [`Self::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        let sip = self.endpoint.poll_timeout().map(|(at, _)| (at, TimerName::Sip));
        let call = self.deadlines.first().map(|(at, _)| (*at, TimerName::Call));
        let port = self.ports.poll_timeout().map(|at| (at, TimerName::Port));
        [sip, call, port, self.health.poll_timeout(), self.next_silence(), self.next_in_queue(), self.next_callback()]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// What to do next; ask until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The calls that are up.
    pub fn calls(&self) -> impl Iterator<Item = CallView> + '_ {
        self.calls.values().map(|Entry { call, .. }| CallView {
            id: call.about.id,
            session_id: call.about.session_id.clone(),
            trunk: call.about.trunk.clone(),
            from: call.about.from.clone(),
            to: call.about.to.clone(),
            began: call.about.began,
            state: call.state(),
            since: call.since,
            legs: call.legs.iter().map(|leg| (leg.id, leg.role)).collect(),
        })
    }

    /// What is known of every trunk's and desk's abilities, and how we know.
    pub fn capabilities(&self, now: Instant) -> Vec<CapabilityView> {
        self.capabilities.views(now)
    }

    /// Callers that a desk has or is fetched for.
    pub fn callers_at(&self, desk: &str) -> usize {
        self.seats.taken_at(desk)
    }

    /// Whether a peer answers: registrations, calls, as far as they tell, and OPTIONS; nothing for one of which neither is known.
    pub fn is_up(&self, about: Party, name: &str, now: Instant) -> Option<bool> {
        let ails = about == Party::Desk && self.seats.ails(name, now);
        let registered = || self.is_registered(about, name, now);
        if ails { Some(false) } else { registered().or_else(|| self.health.is_up(about, name)) }
    }

    /// Trunks, bots, desks and recorders that answer, and that do not; see [`Self::is_up`].
    pub fn peers_up_and_down(&self, now: Instant) -> (u64, u64) {
        let SwitchboardConfig { trunks, bots, desks, recorder, .. } = &*self.config;
        let names = trunks.iter().map(|trunk| (Party::Trunk, &trunk.name));
        let names = names.chain(bots.iter().map(|bot| (Party::Bot, &bot.name)));
        let names = names.chain(desks.iter().map(|desk| (Party::Desk, &desk.name)));
        let names = names.chain(recorder.iter().map(|recorder| (Party::Recorder, &recorder.name)));
        names
            .filter_map(|(about, name)| self.is_up(about, name, now))
            .fold((0, 0), |(up, down), is_up| if is_up { (up + 1, down) } else { (up, down + 1) })
    }

    /// Calls that are up; cheaper than counting [`Self::calls`].
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// RTP ports in the hands of legs, for metrics and leak checks.
    pub fn ports_in_use(&self) -> usize {
        self.ports.in_use()
    }

    /// SIP dialogs and transactions held, those included that only absorb repeats; for leak checks.
    pub fn sip_left(&self) -> (usize, usize) {
        (self.endpoint.dialog_count(), self.endpoint.transaction_count())
    }

    /// Whether new calls are refused because of [`Self::drain`].
    pub const fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether nothing is left: no call, no port in use, no desk taken. (SIP transactions may still absorb repeats.)
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.links.is_empty()
            && self.open.is_empty()
            && self.ports.in_use() == 0
            && self.seats.taken() == 0
            && self.queue.is_empty()
            && self.referrals.is_empty()
            && (!self.draining || self.endpoint.registration_count() == 0)
    }

    /// The invariants: while a caller leg is up exactly one selector feeds it, and no call is without end. For the
    /// simulator, after every step.
    ///
    /// # Errors
    /// Says which call broke what.
    pub fn check(&self) -> Result<(), String> {
        for entry in self.calls.values() {
            entry.call.check()?;
            let id = entry.call.about.id;
            if entry.deadline != entry.call.poll_timeout(&self.config) {
                return Err(format!("call {id}: its deadline is not registered"));
            }
            if entry.call.ending.is_some() && entry.call.forget_at.is_none() {
                return Err(format!("call {id}: ending, with no last deadline"));
            }
        }
        let waits = |entry: &&Entry| matches!(entry.call.phase, Phase::Waiting { .. }) && entry.call.ending.is_none();
        if self.queue.len() != self.calls.values().filter(waits).count() {
            return Err(format!("{} callers are in the queue, and others wait", self.queue.len()));
        }
        let legs = self.links.keys().chain(&self.open);
        if let Some(leg) = legs.into_iter().find(|leg| !self.calls.contains_key(&leg.call)) {
            return Err(format!("leg {leg} outlived its call"));
        }
        if self.calls.is_empty() && self.ports.in_use() > 0 {
            return Err(format!("{} ports in use without calls", self.ports.in_use()));
        }
        if self.calls.is_empty() && self.seats.taken() > 0 {
            return Err(format!("{} desks taken without calls", self.seats.taken()));
        }
        Ok(())
    }
}

/// Calls and their outputs.
impl Switchboard {
    /// Lets one call do something, carries out what it wants, and notes when it wants to wake.
    ///
    /// A panic in there is a bug of ours: it ends that call with a recorded cause, and no other.
    fn with_call<R>(
        &mut self,
        id: CallId,
        now: Instant,
        act: impl FnOnce(&mut Call, &mut World<'_>) -> R,
    ) -> Option<R> {
        let mut entry = self.calls.remove(&id)?;
        let config = Arc::clone(&self.config);
        let mut world = World {
            config: &config,
            seats: &mut self.seats,
            queue: &mut self.queue,
            capabilities: &mut self.capabilities,
            ids: &mut self.ids,
            wall: self.wall,
            now,
        };
        let call = &mut entry.call;
        let act = |call: &mut Call, world: &mut World<'_>| {
            let result = act(call, world);
            call.follow_recorder(world);
            result
        };
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| act(call, &mut world))).ok();
        if result.is_none() {
            entry.call.fail("panicked", &mut world);
            entry.call.follow_recorder(&mut world);
        }
        entry.call.count_the_wait(&world);
        while let Some(output) = entry.call.poll_output() {
            self.carry_out(&entry.call, output, now);
        }
        if let Some(handoff) = entry.call.handoff.as_ref() {
            self.handoffs.insert(handoff.id, id);
        }
        if let Some(old) = entry.deadline.take() {
            self.deadlines.remove(&(old, id));
        }
        if entry.call.is_over() {
            self.forget_call(id, now);
        } else {
            entry.deadline = entry.call.poll_timeout(&self.config);
            self.deadlines.extend(entry.deadline.map(|at| (at, id)));
            self.calls.insert(id, entry);
        }
        result
    }

    fn carry_out(&mut self, call: &Call, output: CallOutput, now: Instant) {
        match output {
            CallOutput::Leg { leg, command } => self.carry_out_leg(call, leg, command, now),
            CallOutput::Media(command) => self.send_media(command),
            CallOutput::Recording(command) => self.outputs.push_back(Output::Recording(command)),
            CallOutput::CloseMedia { leg, role, name } => {
                self.free_port(leg, now);
                self.parting.retain(|(since, ..)| now.since(*since) < PARTING);
                self.parting.push_back((now, leg, role, name));
                self.send_media(MediaCommand::Close { leg });
            }
            CallOutput::Bot { leg, command } => self.outputs.push_back(Output::Bot { leg, command }),
            CallOutput::Referral { id, answer } => self.answer_referral(id, answer, now),
            CallOutput::Callback(step) => self.on_callback_step(call, step, now),
            CallOutput::Voicemail(left) => self.outputs.push_back(Output::Voicemail(left)),
            CallOutput::Pop(update) => self.outputs.push_back(Output::Pop(update)),
            CallOutput::Trace(kind) => self.trace(Some(call.about.id), kind, now),
        }
    }

    /// A leg's audio is opened when it is closed, and closed when it is open.
    fn send_media(&mut self, command: MediaCommand) {
        let wanted = match &command {
            MediaCommand::Open { leg, .. } | MediaCommand::OpenStream { leg } | MediaCommand::OpenEar { leg } => {
                self.open.insert(*leg)
            }
            MediaCommand::Close { leg } => self.open.remove(leg),
            _ => true,
        };
        if wanted {
            self.outputs.push_back(Output::Media(command));
        }
    }

    fn trace(&mut self, call: Option<CallId>, kind: TraceKind, now: Instant) {
        self.outputs.push_back(Output::Trace(TraceEvent { at: now, call, kind }));
    }

    /// A call is over: nothing of it stays but the memory of its dialogs.
    fn forget_call(&mut self, id: CallId, now: Instant) {
        for (handoff, _) in self.handoffs.extract_if(.., |_, call| *call == id) {
            self.queue.leave(handoff);
        }
        self.end_referrals(id, now);
        let first = LegId { call: id, index: 0 };
        let last = LegId { call: id, index: u8::MAX };
        let legs: Vec<LegId> = self.links.range(first..=last).map(|(leg, _)| *leg).collect();
        for leg in legs {
            self.free_port(leg, now);
            if let Some(dialog) = self.links.remove(&leg).and_then(|link| link.dialog) {
                self.endpoint.bye(dialog, None, now);
                self.remember(dialog, now);
            }
        }
    }

    fn remember(&mut self, dialog: DialogId, now: Instant) {
        self.past.push_back((now + REMEMBER, dialog));
    }

    fn free_port(&mut self, leg: LegId, now: Instant) {
        if mutated!(self.config, PortKept) && leg.index > 1 {
            return;
        }
        if let Some(port) = self.links.get_mut(&leg).and_then(|link| link.port.take()) {
            self.ports.give_back(port, now);
        }
    }

    /// Until nobody has anything to say to anybody.
    fn pump(&mut self, now: Instant) {
        loop {
            self.serve_queue(now);
            if let Some(output) = self.endpoint.poll_output() {
                self.on_endpoint(output, now);
            } else if let Some((leg, event)) = self.feedback.pop_front() {
                self.with_call(leg.call, now, |call, world| call.handle_leg(leg, event, world));
            } else if let Some((call, news)) = self.next_callback_news() {
                self.with_call(call, now, |call, world| call.on_callback_news(news, world));
            } else {
                break;
            }
        }
        self.trace_unclaimed();
    }

    fn trace_unclaimed(&mut self) {
        let unclaimed = core::mem::take(&mut self.unclaimed);
        self.outputs.extend(unclaimed.into_iter().map(|(_, event)| Output::Trace(event)));
    }
}

/// A cause for calls that never were.
const fn refused(reason: EndReason, status: u16) -> EndCause {
    EndCause::sip(Party::Gateway, reason, status)
}
