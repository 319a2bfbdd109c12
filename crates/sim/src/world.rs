//! The run itself: one queue, one clock.

mod act;
mod arrange;
mod plain;
mod recorded;
mod restart;
mod soundless;
mod stand_in;

use crate::capture::Capture;
use crate::judge::Verdict;
use crate::network::{Loss, Network};
use crate::queue::Queue;
use crate::recorder::Srs;
use crate::script::{Click, Do, PageHabit};
use crate::setup::{CALLER2, GATEWAY, Party, Setup, TRUNK, engine_config, party_at, rtp_of};
use crate::witness::Witness;
use call_core::{DeskRefused, Output, Switchboard};
use call_model::{
    BotCommand, BotEvent, CallId, Callback, CallbackId, DeskAction, DeskId, HandoffId, IdSource, Instant, LegId,
    MediaCommand, PopUpdate, Selector, SrtpUse, TraceEvent, Voicemail, WallAnchor,
};
use core::time::Duration;
use phone::{Ear, Phone, PhoneEvent, PhoneOutput};
use rtp_proto::{MediaEngine, NoTap, is_dtls};
use sip_proto::{Flow, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Debug)]
enum Item {
    Script(Do),
    SipToGateway(Flow, Vec<u8>),
    SipToPhone(Party, Flow, Vec<u8>),
    SipToRecorder(Flow, Vec<u8>),
    Rtp { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Page(DeskId, DeskAction),
    BotUp(LegId),
    BotTalks(LegId),
    FlowFailed(Flow),
    CallbackKept(CallbackId, u32),
}

/// A conversation in which nothing happens is carried at this part of its packets.
const DOZING: u32 = 4;
/// How long after something happened every packet is carried.
const AWAKE: Duration = Duration::from_millis(260);
/// How long the disk takes.
const WRITES: Duration = Duration::from_millis(5);
const FRAME: Duration = Duration::from_millis(20);

/// The wall time at which every run begins: 21 November 2026, 08:33:20 UTC, a Saturday.
pub const EPOCH_MS: u64 = 1_795_250_000_000;

/// A run under way.
pub struct World {
    /// The switchboard under test.
    pub switchboard: Switchboard,
    /// The telephones, by [`Party`].
    pub phones: Vec<Phone>,
    /// What the desk page does by itself.
    pub page: PageHabit,
    media: MediaEngine,
    network: Network,
    transport: Transport,
    audio: bool,
    now: Instant,
    queue: Queue<Item>,
    /// SIP on its way to the gateway.
    inbound: usize,
    /// When each telephone wants to be woken.
    wakes: Vec<Option<Instant>>,
    /// When the switchboard wants to be woken.
    board_due: Option<Instant>,
    /// The switchboard was given something to think about since it was last checked.
    thought: bool,
    /// Whether quiet conversations are carried thinly, and when this one was last lively.
    dozes: bool,
    lively_until: Instant,
    dozing: bool,
    /// Who hears two at once: every packet of theirs counts, for a mixer plays what it has.
    mixed: BTreeSet<LegId>,
    media_woken: Instant,
    bot_frame: Vec<u8>,
    /// What the script has yet to do.
    scripted: usize,
    ports: BTreeMap<u16, LegId>,
    trace: Vec<TraceEvent>,
    pops: Vec<(Instant, PopUpdate)>,
    /// What somebody clicked on, and in which pop.
    clicks: Vec<(Instant, Click, HandoffId, DeskId)>,
    events: Vec<(Instant, Party, PhoneEvent)>,
    told: Vec<(Instant, BotCommand)>,
    /// Every INVITE that left the gateway, byte by byte, and for whom.
    invites: Vec<(Party, Vec<u8>)>,
    hand_backs: Vec<Result<(), DeskRefused>>,
    controls: Vec<Result<(), DeskRefused>>,
    /// WebSocket bots that are up or dialled.
    streams: BTreeSet<LegId>,
    stream_bot: bool,
    stream_ear: Ear,
    recorded: recorded::Recorded,
    /// Messages that were left.
    voicemails: Vec<Voicemail>,
    /// The external recorder.
    pub srs: Srs,
    /// Callbacks as they are written down.
    callbacks: BTreeMap<CallbackId, Callback>,
    callers: BTreeMap<CallId, Party>,
    losses: Vec<Loss>,
    /// Parties whose next answer comes twice.
    forks: Vec<Party>,
    /// Who answers besides the telephones.
    stand_ins: stand_in::StandIns,
    /// Messages that take their time: whose, whether toward the gateway, how long.
    delays: Vec<(Party, bool, Duration)>,
    arrangement: Option<arrange::Arrangement>,
    /// Whose telephones know no telephone-events.
    no_events: Vec<Party>,
    /// Who has stopped; whether loudly.
    stopped: [Option<bool>; CALLER2 + 1],
    witness: Witness,
    capture: Capture,
    inconsistent: Vec<String>,
    verdicts: [Verdict; 2],
}

impl World {
    /// Everybody on the hook, at time zero.
    pub fn new(setup: &Setup) -> Self {
        let mut ids = IdSource::from_u64(setup.seed);
        let wall = WallAnchor { at: Instant::ZERO, unix_ms: EPOCH_MS };
        Self {
            switchboard: Switchboard::new(Arc::new(setup.config()), ids.fork(), wall),
            media: MediaEngine::new(engine_config(setup.ears), ids.fork(), Box::new(NoTap)),
            phones: setup.phones(&mut ids),
            page: PageHabit::default(),
            network: setup.network(),
            transport: setup.transport,
            audio: setup.audio,
            now: Instant::ZERO,
            queue: Queue::default(),
            inbound: 0,
            wakes: vec![None; CALLER2 + 1],
            board_due: None,
            thought: false,
            dozes: setup.dozes,
            lively_until: Instant::ZERO + AWAKE,
            dozing: false,
            mixed: BTreeSet::new(),
            media_woken: Instant::ZERO,
            bot_frame: setup.source_of(crate::setup::BOT).frame(0, call_model::Codec::Pcmu).unwrap_or_default(),
            scripted: 0,
            ports: BTreeMap::new(),
            trace: Vec::new(),
            pops: Vec::new(),
            clicks: Vec::new(),
            events: Vec::new(),
            told: Vec::new(),
            invites: Vec::new(),
            hand_backs: Vec::new(),
            controls: Vec::new(),
            streams: BTreeSet::new(),
            stream_bot: setup.stream_bot,
            stream_ear: Ear::new(&setup.tones()),
            recorded: recorded::Recorded::default(),
            voicemails: Vec::new(),
            srs: Srs::new(setup.recorder, &Ear::new(&setup.tones())),
            callbacks: BTreeMap::new(),
            callers: BTreeMap::new(),
            losses: Vec::new(),
            forks: Vec::new(),
            stand_ins: stand_in::StandIns::default(),
            delays: Vec::new(),
            arrangement: None,
            no_events: setup.no_events.clone(),
            stopped: [None; CALLER2 + 1],
            witness: Witness::default(),
            capture: Capture::new(setup.srtp.iter().any(|srtp| *srtp != SrtpUse::Off)),
            inconsistent: Vec::new(),
            verdicts: Default::default(),
        }
    }

    /// Makes something happen at `millis` after the beginning.
    pub fn at(&mut self, millis: u64, what: Do) -> &mut Self {
        self.scripted += 1;
        self.push(Instant::from_millis(millis), Item::Script(what));
        self
    }

    /// Makes something happen at `micros` after the beginning.
    pub fn at_micros(&mut self, micros: u64, what: Do) -> &mut Self {
        self.scripted += 1;
        self.push(Instant::from_nanos(micros * 1000), Item::Script(what));
        self
    }

    /// Runs until `millis` after the beginning.
    pub fn run_until(&mut self, millis: u64) -> &mut Self {
        self.board_due = self.switchboard.poll_timeout().map(|(at, _)| at);
        let end = Instant::from_millis(millis);
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.step(next);
        }
        self.now = end;
        self.verdicts.iter_mut().for_each(|verdict| verdict.judge(end));
        self
    }

    /// Runs until nothing is left to happen but the last repeats of SIP, or `millis` after the beginning.
    pub fn run_out(&mut self, millis: u64) -> &mut Self {
        self.board_due = self.switchboard.poll_timeout().map(|(at, _)| at);
        let end = Instant::from_millis(millis);
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.step(next);
            if self.scripted == 0 && self.is_over() {
                break;
            }
        }
        let now = self.now;
        self.verdicts.iter_mut().for_each(|verdict| verdict.judge(now));
        self
    }

    /// The gateway has forgotten everybody, and nobody is on the way to it.
    fn is_over(&self) -> bool {
        self.switchboard.is_idle() && self.inbound == 0 && !(0..self.phones.len()).any(|party| self.is_busy(party))
    }

    /// Whether a party is in a call, as far as it knows. Who has stopped knows nothing.
    pub fn is_busy(&self, party: Party) -> bool {
        self.stopped[party].is_none() && self.phones[party].is_busy()
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Everything traced.
    pub fn trace(&self) -> &[TraceEvent] {
        &self.trace
    }

    /// Every pop update, in order.
    pub fn pops(&self) -> &[(Instant, PopUpdate)] {
        &self.pops
    }

    /// What the telephones' owners noticed, in order.
    pub fn events(&self) -> &[(Instant, Party, PhoneEvent)] {
        &self.events
    }

    /// Every INVITE that the gateway sent to a party, as bytes, in order; repeats included.
    pub fn invites(&self, to: Party) -> impl Iterator<Item = &[u8]> {
        self.invites.iter().filter(move |(party, _)| *party == to).map(|(_, bytes)| bytes.as_slice())
    }

    /// What a WebSocket bot was told.
    pub fn told(&self) -> &[(Instant, BotCommand)] {
        &self.told
    }

    /// How each attempt to hand a caller back on the page was answered.
    pub fn hand_backs(&self) -> &[Result<(), DeskRefused>] {
        &self.hand_backs
    }

    /// The (first) caller's view.
    pub fn verdict(&self) -> &Verdict {
        &self.verdicts[0]
    }

    /// What was broken; empty when all was well.
    pub fn broken(&self) -> Vec<String> {
        self.callers_lost().chain(&self.inconsistent).cloned().collect()
    }

    /// What callers suffered: silence, or a goodbye that never came.
    pub fn callers_lost(&self) -> impl Iterator<Item = &String> {
        self.verdicts.iter().flat_map(Verdict::broken)
    }

    /// What the switchboard found wrong with itself.
    pub fn inconsistent(&self) -> &[String] {
        &self.inconsistent
    }

    /// The ears of a party; the bot's, when it comes by WebSocket.
    pub fn ear(&self, party: Party) -> &Ear {
        if party == crate::setup::BOT && self.stream_bot { &self.stream_ear } else { &self.phones[party].media.ear }
    }

    /// What passed on the wire.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// SIP and RTP packets that the network lost and repeated.
    pub fn mishaps(&self) -> (u64, u64) {
        (self.network.lost, self.network.repeated)
    }

    /// The ladder so far.
    pub fn ladder(&self) -> String {
        call_trace::Ladder::draw(call_trace::Style::default(), &self.trace)
    }

    fn next(&self) -> Option<Instant> {
        let queued = self.queue.next();
        let media = self.media_due();
        let phones = self.wakes.iter().flatten().min().copied();
        [queued, self.board_due, media, phones].into_iter().flatten().min().map(|at| at.max(self.now))
    }

    /// While dozing, the engine makes up for several frames at once.
    fn media_due(&self) -> Option<Instant> {
        let due = self.media.poll_timeout().map(|(at, _)| at)?;
        Some(if self.dozing { due.max(self.media_woken + FRAME * DOZING) } else { due })
    }

    fn step(&mut self, next: Instant) {
        self.now = next;
        if let Some(item) = self.queue.pop(next) {
            self.deliver(item);
        } else {
            let due = |at: Option<Instant>| at.is_some_and(|at| at <= next);
            if due(self.board_due) {
                self.switchboard.handle_timeout(next);
                self.thought = true;
            }
            if due(self.media_due()) {
                self.media.handle_timeout(next);
                self.media_woken = next;
            }
            for party in 0..self.phones.len() {
                if due(self.wakes[party]) {
                    self.phones[party].handle_timeout(next);
                    self.wakes[party] = self.phones[party].poll_timeout();
                }
            }
        }
        self.drain();
        self.doze();
        if !core::mem::take(&mut self.thought) {
            return;
        }
        self.board_due = self.switchboard.poll_timeout().map(|(at, _)| at);
        for party in [TRUNK, CALLER2] {
            let up = self.phones[party].is_up() && self.stopped[party].is_none();
            if let Some(verdict) = self.verdict_of(party).filter(|_| up) {
                verdict.still_there(next);
            }
        }
        if let Err(broken) = self.switchboard.check() {
            self.inconsistent.push(format!("{next:?}: {broken}"));
            self.inconsistent.truncate(20);
        }
    }

    /// Without ears, voices are levels that the witness can tell apart.
    fn is_deaf(&self) -> bool {
        self.stream_ear.is_deaf()
    }

    /// From now on, for a moment, every packet counts.
    fn liven(&mut self) {
        self.lively_until = self.now + AWAKE;
    }

    fn doze(&mut self) {
        let dozing = self.dozes && self.mixed.is_empty() && self.now >= self.lively_until;
        if dozing != core::mem::replace(&mut self.dozing, dozing) {
            let every = if dozing { DOZING } else { 1 };
            self.phones.iter_mut().for_each(|phone| phone.media.thin_out(every));
        }
    }

    /// Lets somebody do something with a telephone.
    fn with_phone(&mut self, party: Party, act: impl FnOnce(&mut Phone)) {
        if self.stopped[party].is_some() {
            return;
        }
        act(&mut self.phones[party]);
        self.wakes[party] = self.phones[party].poll_timeout();
    }

    fn deliver(&mut self, item: Item) {
        let now = self.now;
        match item {
            Item::Script(what) => {
                self.scripted -= 1;
                self.act(what);
            }
            Item::SipToGateway(flow, bytes) => {
                self.inbound -= 1;
                self.thought = true;
                if let Some(party) = party_at(flow.remote.ip()) {
                    self.witness.sip(party, true, &bytes, now);
                }
                self.switchboard.handle_datagram(flow, &bytes, now);
            }
            Item::FlowFailed(flow) => {
                self.thought = true;
                self.switchboard.handle_flow_failed(flow, now);
            }
            Item::SipToRecorder(flow, bytes) => self.deliver_to_recorder(flow, &bytes),
            Item::CallbackKept(id, version) => {
                self.thought = true;
                self.switchboard.handle_callback_kept(id, version, true, now);
            }
            Item::SipToPhone(party, flow, bytes) => self.deliver_sip(party, flow, &bytes),
            Item::Rtp { from, to, bytes } => self.deliver_rtp(from, to, bytes),
            // A page that comes too late is told so; that is the switchboard's business, not the world's.
            Item::Page(desk, action) => {
                self.thought = true;
                _ = self.switchboard.handle_desk(&desk, action, now);
            }
            Item::BotUp(leg) => {
                self.thought = true;
                self.switchboard.handle_bot(leg, BotEvent::Up, now);
                self.push(now, Item::BotTalks(leg));
            }
            Item::BotTalks(leg) if self.streams.contains(&leg) => {
                let frames = if self.dozing { DOZING } else { 1 };
                (0..frames).for_each(|_| self.media.handle_stream_audio(leg, &self.bot_frame, now));
                self.push(now + FRAME * frames, Item::BotTalks(leg));
            }
            Item::BotTalks(..) => {}
        }
    }

    fn deliver_rtp(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        let now = self.now;
        if to.ip() == GATEWAY {
            if let Some(party) = party_at(from.ip()).filter(|_| !is_dtls(&bytes)) {
                self.witness.rtp_in(party, &bytes, now);
            }
            let Some(slot) = self.ports.get(&to.port()).and_then(|leg| self.media.slot_of(*leg)) else { return };
            let length = bytes.len();
            bytes.resize(length + rtp_proto::SRTP_ROOM, 0);
            if let Some(relay) = self.media.handle_rtp(slot, from, &mut bytes, length, now) {
                let (leg, to, bytes) = (relay.leg, relay.to, relay.bytes.to_vec());
                self.send_rtp(leg, to, bytes);
            }
        } else if Srs::is_at(to) {
            self.srs.hear_rtp(to.port(), &bytes, now);
        } else if let Some(party) = party_at(to.ip()).filter(|party| rtp_of(*party) == to) {
            if self.stopped[party].is_some() {
                return;
            }
            let audio = !is_dtls(&bytes);
            if let Some(verdict) = self.verdict_of(party).filter(|_| audio) {
                verdict.packet(now);
            }
            if self.is_deaf() && audio {
                self.witness.rtp(party, &bytes, from.ip() == GATEWAY, now);
            }
            self.phones[party].handle_rtp(from, &bytes, now);
            if !audio {
                self.wakes[party] = self.phones[party].poll_timeout();
            }
        }
    }

    fn drain(&mut self) {
        loop {
            let mut busy = false;
            while let Some(output) = self.switchboard.poll_output() {
                busy = true;
                self.on_switchboard(output);
            }
            while let Some(output) = self.media.poll_output() {
                busy = true;
                self.on_media(output);
            }
            for party in 0..self.phones.len() {
                while let Some(output) = self.phones[party].poll_output() {
                    self.on_phone(party, output);
                }
            }
            if !busy {
                return;
            }
        }
    }

    fn on_switchboard(&mut self, output: Output) {
        let now = self.now;
        match output {
            Output::Transmit { flow, bytes } if Srs::is_at(flow.remote) => {
                self.carry_to_recorder(flow, bytes);
            }
            Output::Transmit { flow, bytes } => {
                let Some(party) = party_at(flow.remote.ip()) else { return };
                if let Some(verdict) = self.verdict_of(party).filter(|_| bytes.starts_with(b"BYE ")) {
                    // Repairing a lost BYE takes as long as it takes; the caller is being said goodbye to.
                    verdict.down(now);
                }
                self.witness.sip(party, false, &bytes, now);
                self.capture.sip(flow.local, flow.remote, &bytes, now);
                if bytes.starts_with(b"INVITE ") {
                    self.invites.push((party, bytes.clone()));
                }
                if self.is_lost((party, false), flow, &bytes) {
                    return;
                }
                let flow = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
                self.carry_sip((party, false), flow.transport, bytes, |b| Item::SipToPhone(party, flow, b));
            }
            Output::Media(command) if !self.audio => self.take_for_done(command),
            Output::Media(command) => {
                self.liven();
                match &command {
                    MediaCommand::Open { leg, port, .. } => drop(self.ports.insert(*port, *leg)),
                    MediaCommand::Feed { leg, from } => {
                        if matches!(from, Selector::Mix(..)) {
                            self.mixed.insert(*leg);
                        } else {
                            self.mixed.remove(leg);
                        }
                    }
                    MediaCommand::Close { leg } => {
                        self.mixed.remove(leg);
                        self.ports.retain(|_, owner| owner != leg);
                        if let Some(verdict) = self.caller_of(*leg).and_then(|party| self.verdict_of(party)) {
                            verdict.closed(now);
                        }
                    }
                    MediaCommand::Remote { leg, media } if leg.index == 0 => {
                        let party = party_at(media.rtp.ip()).filter(|party| rtp_of(*party) == media.rtp);
                        self.callers.extend(party.map(|party| (leg.call, party)));
                    }
                    _ => {}
                }
                self.media.handle_command(&command, now);
            }
            Output::Recording(command) => self.on_recording(command),
            Output::Callback(callback) => {
                self.push(now + WRITES, Item::CallbackKept(callback.id, callback.version));
                self.callbacks.insert(callback.id, *callback);
            }
            Output::Voicemail(left) => self.voicemails.push(*left),
            Output::Bot { leg, command } => {
                match command {
                    BotCommand::Dial { .. } => {
                        self.streams.insert(leg);
                        self.push(now + Duration::from_millis(30), Item::BotUp(leg));
                    }
                    BotCommand::Close => {
                        self.streams.remove(&leg);
                        self.witness.stream_closed.push(now);
                    }
                    BotCommand::Digit(_) | BotCommand::Tell(_) => {}
                }
                self.told.push((now, command));
            }
            Output::Pop(pop) => {
                if let (PopUpdate::Offered { desk, package, .. }, PageHabit::Acknowledges) = (&pop, self.page) {
                    let seen = Item::Page(desk.clone(), DeskAction::Acknowledged(package.id));
                    self.push(now + Duration::from_millis(3), seen);
                }
                self.pops.push((now, pop));
            }
            Output::Trace(event) => self.trace.push(event),
        }
    }

    fn on_media(&mut self, output: rtp_proto::Output) {
        match output {
            rtp_proto::Output::Rtp { leg, to, packet, .. } => self.send_rtp(leg, to, packet.as_slice().to_vec()),
            rtp_proto::Output::Datagram { leg, to, datagram, .. } => self.send_rtp(leg, to, datagram),
            rtp_proto::Output::Rtcp { leg, to, muxed, packet, .. } => {
                // Nobody here reads reports.
                if let Some(port) = self.port_of(leg) {
                    let from = SocketAddr::new(GATEWAY, port + u16::from(!muxed));
                    self.capture.rtp(from, to, packet.as_slice(), self.now);
                }
            }
            rtp_proto::Output::StreamFrame { mulaw, .. } => {
                self.stream_ear.hear_mulaw(&mulaw, self.now);
                if self.is_deaf() {
                    self.witness.stream(&mulaw, self.now);
                }
            }
            rtp_proto::Output::Heard { leg, number, samples } => self.record(leg, number, &samples),
            rtp_proto::Output::Event(event) => {
                self.thought = true;
                self.switchboard.handle_media(event, self.now);
            }
            _ => {}
        }
    }

    fn on_phone(&mut self, party: Party, output: PhoneOutput) {
        match output {
            PhoneOutput::Sip { flow, bytes, .. } => {
                let back = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
                let inward = flow.remote.ip() == GATEWAY;
                if inward && (self.is_lost((party, true), flow, &bytes) || self.is_arranged(party, back, &bytes)) {
                    return;
                }
                if flow.remote.ip() == GATEWAY {
                    let fork = self.forks.iter().position(|forking| *forking == party);
                    let other = fork.and_then(|place| Some((place, stand_in::another_branch(&bytes)?)));
                    self.carry_sip((party, true), flow.transport, bytes, |bytes| Item::SipToGateway(back, bytes));
                    if let Some((place, (tag, other))) = other {
                        self.forks.remove(place);
                        self.stand_ins.branches.push(tag);
                        self.carry_sip((party, true), flow.transport, other, |bytes| Item::SipToGateway(back, bytes));
                    }
                } else if let Some(other) = party_at(flow.remote.ip()) {
                    let between = (other, false);
                    self.carry_sip(between, flow.transport, bytes, |bytes| Item::SipToPhone(other, back, bytes));
                }
            }
            PhoneOutput::Rtp { to, bytes } => {
                self.carry_rtp(rtp_of(party), to, bytes);
            }
            PhoneOutput::Event(event) => {
                self.judge_event(party, &event);
                self.events.push((self.now, party, event));
            }
        }
    }

    fn judge_event(&mut self, party: Party, event: &PhoneEvent) {
        let now = self.now;
        let Some(verdict) = self.verdict_of(party) else { return };
        match event {
            PhoneEvent::Up => verdict.up(now),
            PhoneEvent::Ended { .. } | PhoneEvent::Failed(_) => verdict.down(now),
            PhoneEvent::Held(direction) => verdict.agreed(*direction, now),
            PhoneEvent::HoldRefused => verdict.refused(now),
            _ => {}
        }
    }

    /// Callers are judged, nobody else.
    fn verdict_of(&mut self, party: Party) -> Option<&mut Verdict> {
        match party {
            _ if !self.audio => None,
            TRUNK => Some(&mut self.verdicts[0]),
            CALLER2 => Some(&mut self.verdicts[1]),
            _ => None,
        }
    }

    fn caller_of(&self, leg: LegId) -> Option<Party> {
        self.callers.get(&leg.call).copied().filter(|_| leg.index == 0)
    }

    fn is_lost(&mut self, (party, to_gateway): (Party, bool), flow: Flow, bytes: &[u8]) -> bool {
        let fits = |loss: &&mut Loss| {
            loss.party == party && loss.to_gateway == to_gateway && bytes.starts_with(loss.what.as_bytes())
        };
        // A connection loses nothing, or it breaks. One of a desk's may never come about, and then a datagram takes its place.
        let first = bytes.starts_with(b"INVITE ") || bytes.starts_with(b"SIP/2.0 1");
        if self.transport.is_reliable() || (flow.transport.is_reliable() && !first) {
            return false;
        }
        let Some(loss) = self.losses.iter_mut().filter(|loss| loss.times > 0).find(fits) else { return false };
        loss.times -= 1;
        true
    }

    fn port_of(&self, leg: LegId) -> Option<u16> {
        self.ports.iter().find(|(_, owner)| **owner == leg).map(|(port, _)| *port)
    }

    fn send_rtp(&mut self, leg: LegId, to: SocketAddr, bytes: Vec<u8>) {
        let Some(port) = self.port_of(leg) else { return };
        let from = SocketAddr::new(GATEWAY, port);
        self.capture.rtp(from, to, &bytes, self.now);
        self.carry_rtp(from, to, bytes);
    }

    fn carry_rtp(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if self.dozing {
            // A network that loses packets does so while something happens; one in four is too few to lose any.
            return self.push(self.now + self.network.rtp.delay, Item::Rtp { from, to, bytes });
        }
        let [first, second] = self.network.carry(self.network.rtp, self.now);
        if let Some(at) = second {
            self.push(at, Item::Rtp { from, to, bytes: bytes.clone() });
        }
        if let Some(at) = first {
            self.push(at, Item::Rtp { from, to, bytes });
        }
    }

    fn carry_sip(
        &mut self,
        whose: (Party, bool),
        transport: Transport,
        bytes: Vec<u8>,
        item: impl Fn(Vec<u8>) -> Item,
    ) {
        let bytes = if self.no_events.contains(&whose.0) { plain::without_events(bytes) } else { bytes };
        if let Some(place) = self.delays.iter().position(|(party, inward, _)| (*party, *inward) == whose) {
            let (_, _, delay) = self.delays.remove(place);
            return self.push(self.now + delay, item(bytes));
        }
        if transport.is_reliable() {
            return self.push(self.now + self.network.sip.delay, item(bytes));
        }
        let [first, second] = self.network.carry(self.network.sip, self.now);
        if let Some(at) = second {
            self.push(at, item(bytes.clone()));
        }
        if let Some(at) = first {
            self.push(at, item(bytes));
        }
    }

    fn push(&mut self, at: Instant, item: Item) {
        self.inbound += usize::from(matches!(item, Item::SipToGateway(..)));
        self.queue.push(at.max(self.now), item);
    }

    /// How SIP travels.
    pub fn transport(&self) -> Transport {
        self.transport
    }
}

/// Where the gateway's SIP lives.
fn gateway_sip() -> SocketAddr {
    SocketAddr::new(GATEWAY, 5060)
}
