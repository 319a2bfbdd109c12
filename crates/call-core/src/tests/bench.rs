//! A call on a bench: legs instead of SIP, a clock that is turned by hand, and a log in words.

use crate::call::{About, Call, CallOutput, World};
use crate::capability::{Capabilities, PeerKind};
use crate::leg::{LegCommand, LegEvent};
use crate::seats::Seats;
use crate::{
    Abilities, AcceptGate, Bot, BotReach, Desk, Handover, Interfaces, OnBotClose, OnBotRefusal, OnHumanGone, Pattern,
    ReferTo, Release, Route, RouteTo, Signalling, SipAddresses, SwitchboardConfig, Target, Timers, Trunk,
    WhileConsulting,
};
use call_model::{
    BotCommand, BotEvent, BotUpdate, CallId, Codec, DeskAction, DeskId, FactKind, HandoffId, IdSource, Instant, LegId,
    MediaCommand, MediaEvent, PopUpdate, Prompt, Redacted, RemoteMedia, Role, Secret, Selector, TraceKind, WallAnchor,
};
use core::time::Duration;
use escalation::{Engine, Rules};
use sip_proto::Transport;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) struct Bench {
    pub(super) config: SwitchboardConfig,
    pub(super) call: Call,
    seats: Seats,
    queue: routing::Queue,
    pub(super) capabilities: Capabilities,
    ids: IdSource,
    pub(super) now: Instant,
    log: Vec<String>,
    pops: Vec<PopUpdate>,
    dials: Vec<crate::leg::Dial>,
    /// Legs that confirm their hang-up at once.
    pub(super) confirm: bool,
    feedback: VecDeque<(LegId, LegEvent)>,
}

pub(crate) fn config() -> SwitchboardConfig {
    let ip = "127.0.0.1".parse().expect("an address");
    let at = |port| core::net::SocketAddr::new(ip, port);
    let desk = |name: &str, port| Desk {
        name: name.to_owned(),
        uri: format!("sip:{name}@127.0.0.1:{port}"),
        targets: vec![Target::new(Transport::Udp, at(port))],
        host: None,
        browser: false,
        handover: Handover::Warm,
        accept: AcceptGate::KeyOrPage,
        whisper: true,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        skills: Vec::new(),
        languages: Vec::new(),
        seniority: 0,
        capacity: 1,
        require_page: false,
        after_call: core::time::Duration::ZERO,
        priority: 10,
        replaces_from: Vec::new(),
        multipart: false,
        post_digits: vec![],
        profile: std::sync::Arc::default(),
        abilities: Abilities::default(),
        allowed_media: Vec::new(),
        signalling: Signalling::default(),
    };
    let bot = |name: &str, reach| Bot {
        name: name.to_owned(),
        reach,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        on_close: OnBotClose::HangUp,
        on_refusal: OnBotRefusal::Refuse,
        allowed_media: Vec::new(),
        signalling: Signalling::default(),
    };
    let sip = BotReach::Sip {
        uri: "sip:{user}@127.0.0.1:5091".to_owned(),
        targets: vec![Target::new(Transport::Udp, at(5091))],
        host: None,
    };
    let stream = BotReach::Stream { url: "ws://127.0.0.1:9000/".to_owned() };
    let trunk = Trunk {
        name: "trunk".to_owned(),
        addresses: vec![(ip, 32)],
        release: Release::Auto,
        abilities: Abilities::default(),
        refer_to: ReferTo::AsIs,
        allowed_media: Vec::new(),
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        signalling: Signalling::default(),
        record: None,
        outbound: None,
    };
    SwitchboardConfig {
        trunks: vec![trunk],
        bots: vec![bot("sipbot", sip), bot("wsbot", stream)],
        desks: vec![desk("anna", 5092), desk("ben", 5093)],
        routes: Vec::new(),
        names: Vec::new(),
        interfaces: Interfaces::one(SipAddresses { udp: Some(at(5060)), ..SipAddresses::default() }, ip),
        rtp_ports: (20_000, 20_099),
        timers: Timers::default(),
        rules: Arc::new(Rules::default_pack()),
        package_url_base: None,
        call_limit: 10,
        new_requests_per_s: 0,
        registrar: sip_proto::Registrar::default(),
        order: Default::default(),
        head_starts: Default::default(),
        places_spoken: vec![],
        recording: crate::Recording::default(),
        voicemail: None,
        recorder: None,
        callbacks: None,
        drain_to_human: false,
        user_agent: "test".to_owned(),
    }
}

pub(super) fn route(to: RouteTo) -> Route {
    Route {
        dialled: Pattern::Any,
        to,
        listen: true,
        while_consulting: WhileConsulting::Bot,
        choreography: Default::default(),
        on_human_gone: OnHumanGone::Bot,
        record: None,
        record_to: None,
        queue: None,
        otherwise: Vec::new(),
    }
}

pub(super) fn to_sip_bot() -> Route {
    route(RouteTo::Bot("sipbot".to_owned()))
}

pub(super) fn to_stream_bot() -> Route {
    route(RouteTo::Bot("wsbot".to_owned()))
}

impl Bench {
    pub(super) fn new(config: SwitchboardConfig, route: Route) -> Self {
        Self::with_release(config, route, Release::Stay, false)
    }

    pub(super) fn with_release(config: SwitchboardConfig, route: Route, release: Release, can_refer: bool) -> Self {
        let about = About {
            id: CallId(7),
            session_id: "ab30317f1a784dc48ff824d0d3715d86".to_owned(),
            trunk: "trunk".to_owned(),
            from: Redacted::new("+447700900123"),
            caller_name: None,
            to: Redacted::new("1000"),
            began: Instant::ZERO,
            began_unix_ms: 1_795_250_000_000,
            route,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            control_token: Secret::new("token"),
            release,
            record: crate::Record::Never,
            recorded: crate::Recorded::Stereo,
            recording: None,
            record_to: crate::RecordTo::File,
        };
        let engine = Engine::new(Arc::clone(&config.rules));
        let mut bench = Self {
            seats: Seats::new(&config),
            queue: routing::Queue::default(),
            capabilities: Capabilities::new(&config),
            call: Call::new(about, engine),
            config,
            ids: IdSource::from_u64(1),
            now: Instant::ZERO,
            log: Vec::new(),
            pops: Vec::new(),
            dials: Vec::new(),
            confirm: true,
            feedback: VecDeque::new(),
        };
        if can_refer {
            bench.capabilities.on_advertised((PeerKind::Trunk, "trunk"), true, true, "INVITE", Instant::ZERO);
        }
        bench.act(Call::begin);
        bench
    }

    /// A caller who talks to the SIP bot, and has already been heard.
    pub(super) fn talking(config: SwitchboardConfig, route: Route) -> Self {
        Self::talking_with(config, route, Release::Stay, false)
    }

    pub(super) fn talking_with(config: SwitchboardConfig, route: Route, release: Release, can_refer: bool) -> Self {
        let mut bench = Self::with_release(config, route, release, can_refer);
        bench.answered(1);
        bench.flowing(0);
        bench.drain_log();
        bench
    }

    /// The same, with desk anna asked for and dialled. Her leg has index 2.
    pub(super) fn ringing(config: SwitchboardConfig, route: Route) -> Self {
        let mut bench = Self::talking(config, route);
        bench.ask();
        bench.wait(20);
        bench.drain_log();
        bench
    }

    /// The same, joined with desk anna, and she was heard: the bot is gone.
    pub(super) fn joined(config: SwitchboardConfig, release: Release, can_refer: bool) -> Self {
        let mut bench = Self::talking_with(config, to_sip_bot(), release, can_refer);
        bench.ask();
        bench.wait(20);
        bench.answered(2);
        bench.flowing(2);
        bench.key(2, '1');
        bench.speaks(0);
        bench.speaks(2);
        bench.drain_log();
        bench
    }

    pub(super) fn ask(&mut self) {
        self.fact(FactKind::AskedForHuman);
    }

    pub(super) fn fact(&mut self, kind: FactKind) {
        self.act(|call, world| call.observe(kind, world));
    }

    pub(super) fn leg(&mut self, index: u8, event: LegEvent) {
        let leg = self.id(index);
        self.act(|call, world| call.handle_leg(leg, event, world));
    }

    pub(super) fn answered(&mut self, index: u8) {
        let media = Some(media(20_000 + u16::from(index)));
        self.leg(index, LegEvent::Answered { media });
    }

    pub(super) fn refused(&mut self, index: u8, status: u16) {
        self.leg(index, LegEvent::Refused { status });
    }

    pub(super) fn hangs_up(&mut self, index: u8) {
        self.leg(index, LegEvent::Ended { by_remote: true, status: None });
    }

    pub(super) fn key(&mut self, index: u8, digit: char) {
        self.media(MediaEvent::Digit { leg: self.id(index), digit, held: Duration::from_millis(100) });
    }

    pub(super) fn flowing(&mut self, index: u8) {
        self.media(MediaEvent::Flowing { leg: self.id(index), from: media(9).rtp });
    }

    pub(super) fn speaks(&mut self, index: u8) {
        self.media(MediaEvent::Speaks { leg: self.id(index) });
    }

    pub(super) fn played(&mut self, index: u8, prompt: Prompt) {
        self.media(MediaEvent::Played { leg: self.id(index), prompt });
    }

    pub(super) fn media(&mut self, event: MediaEvent) {
        self.act(|call, world| call.handle_media(event, world));
    }

    pub(super) fn bot(&mut self, index: u8, event: BotEvent) {
        let leg = self.id(index);
        self.act(|call, world| call.handle_bot(leg, event, world));
    }

    pub(super) fn page(&mut self, desk: &str, action: fn(HandoffId) -> DeskAction) -> Result<(), crate::DeskRefused> {
        let handoff = self.call.handoff.as_ref().map_or(HandoffId(0), |handoff| handoff.id);
        let mut result = Ok(());
        self.act(|call, world| result = call.handle_desk(&DeskId(desk.to_owned()), &action(handoff), world));
        result
    }

    /// Lets milliseconds pass, every timer on the way fires.
    pub(super) fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(at) = self.call.poll_timeout(&self.config).filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.act(Call::handle_timeout);
        }
        self.now = until;
    }

    pub(super) const fn id(&self, index: u8) -> LegId {
        LegId { call: self.call.about.id, index }
    }

    /// What happened since the last look.
    pub(super) fn drain_log(&mut self) -> Vec<String> {
        core::mem::take(&mut self.log)
    }

    #[track_caller]
    pub(super) fn expect(&mut self, lines: &[&str]) {
        let log = self.drain_log();
        assert_eq!(log, lines, "\n{}\n", log.join("\n"));
    }

    pub(super) fn last_pop(&self) -> Option<&PopUpdate> {
        self.pops.last()
    }

    pub(super) fn last_dial(&self) -> &crate::leg::Dial {
        self.dials.last().expect("somebody was dialled")
    }

    pub(super) fn desks_taken(&self) -> usize {
        self.seats.taken()
    }

    pub(super) fn over(&self) -> bool {
        self.call.is_over()
    }

    fn act(&mut self, act: impl FnOnce(&mut Call, &mut World<'_>)) {
        self.act_once(act);
        while let Some((leg, event)) = self.feedback.pop_front() {
            self.act_once(|call, world| call.handle_leg(leg, event, world));
        }
        self.call.check().expect("the invariants hold after every input");
    }

    fn act_once(&mut self, act: impl FnOnce(&mut Call, &mut World<'_>)) {
        let mut world = World {
            config: &self.config,
            seats: &mut self.seats,
            queue: &mut self.queue,
            capabilities: &mut self.capabilities,
            ids: &mut self.ids,
            wall: WallAnchor { at: Instant::ZERO, unix_ms: 1_795_250_000_000 },
            now: self.now,
        };
        act(&mut self.call, &mut world);
        while let Some(output) = self.call.poll_output() {
            self.note(output);
        }
    }

    fn note(&mut self, output: CallOutput) {
        let line = match output {
            CallOutput::Leg { leg, command } => {
                let name = self.name(leg);
                match command {
                    LegCommand::Dial(dial) => {
                        let plain = dial.consult.as_ref().is_some_and(|consult| consult.plain);
                        let line = format!("dial {} {}{}", leg.index, dial.name, if plain { " plainly" } else { "" });
                        self.dials.push(*dial);
                        line
                    }
                    LegCommand::Record(_) | LegCommand::Describe(_) => return,
                    LegCommand::Ring => format!("ring {name}"),
                    LegCommand::ReferTo { desk, .. } => format!("refer {name} to {desk}"),
                    LegCommand::Answer { codecs } => {
                        let media = Some(RemoteMedia { codec: codecs[0], ..media(40_000) });
                        self.feedback.push_back((leg, LegEvent::Answered { media }));
                        format!("answer {name}")
                    }
                    LegCommand::Refuse { status } => format!("refuse {name} {status}"),
                    LegCommand::TakeLateAnswer => return,
                    LegCommand::Progress { .. } => format!("let {name} hear"),
                    LegCommand::Key { digit, .. } => format!("tell {name} of {digit}"),
                    LegCommand::HangUp { reason } => {
                        if self.confirm {
                            self.feedback.push_back((leg, LegEvent::Ended { by_remote: false, status: None }));
                        }
                        let text = reason.split('"').nth(1).unwrap_or_default();
                        format!("hang up {name}: {text}")
                    }
                    LegCommand::Refer { consult, .. } => format!("refer {name} to {}", self.name(consult)),
                    LegCommand::GiveUpRefer => format!("give up refer on {name}"),
                    LegCommand::Probe => format!("probe {name}"),
                    LegCommand::Refresh => format!("refresh {name}"),
                }
            }
            CallOutput::Media(MediaCommand::Tap { on, .. }) => format!("tap {}", if on { "on" } else { "off" }),
            CallOutput::Bot { command, .. } => match command {
                BotCommand::Dial { url, .. } => format!("dial {url}"),
                BotCommand::Digit(digit) => format!("bot gets key {digit}"),
                BotCommand::Tell(BotUpdate::HandoffStarted { trigger, .. }) => format!("bot told: started, {trigger}"),
                BotCommand::Tell(BotUpdate::Introduce { desk, .. }) => format!("bot told to introduce {desk}"),
                BotCommand::Tell(BotUpdate::CoPilot { desk }) => format!("bot told to stay with {desk}"),
                BotCommand::Tell(BotUpdate::HandoffQueued { place, .. }) => format!("bot told: place {place}"),
                BotCommand::Tell(BotUpdate::HandoffAccepted) => "bot told: accepted".to_owned(),
                BotCommand::Tell(BotUpdate::HandedBack { by, .. }) => format!("bot told: handed back by {by}"),
                BotCommand::Tell(BotUpdate::VoicemailBegun) => "bot told: voicemail begun".to_owned(),
                BotCommand::Tell(BotUpdate::VoicemailOver) => "bot told: voicemail over".to_owned(),
                BotCommand::Tell(BotUpdate::CallbackAccepted { at, .. }) => format!("bot told: callback at {at}"),
                BotCommand::Tell(BotUpdate::CallbackRefused { reason, .. }) => {
                    format!("bot told: no callback, {reason}")
                }
                BotCommand::Tell(BotUpdate::HandoffFailed { outcome, .. }) => format!("bot told: failed, {outcome}"),
                BotCommand::Close => "close bot".to_owned(),
            },
            CallOutput::Referral { id, answer } => format!("referral {}: {answer:?}", id.0),
            CallOutput::Pop(update) => {
                let line = match &update {
                    PopUpdate::Offered { desk, .. } => format!("pop offered {desk}"),
                    PopUpdate::Amended { desk, package } => format!("pop amended {desk} v{}", package.version),
                    PopUpdate::Redialled { desk, .. } => format!("pop redialled {desk}"),
                    PopUpdate::Joined { desk, .. } => format!("pop joined {desk}"),
                    PopUpdate::HandingBack { desk, .. } => format!("pop handing back {desk}"),
                    PopUpdate::NotHandedBack { desk, why, .. } => format!("pop not handed back {desk}: {why}"),
                    PopUpdate::PassingOn { desk, .. } => format!("pop passing on {desk}"),
                    PopUpdate::NotPassedOn { desk, why, .. } => format!("pop not passed on {desk}: {why}"),
                    PopUpdate::Controls { desk, held, muted, .. } => format!("pop {desk}: held {held}, muted {muted}"),
                    PopUpdate::State { desk, state, .. } => format!("pop {desk}: {}", state.as_str()),
                    PopUpdate::Retracted { desk, why, .. } => format!("pop retracted {desk}: {why}"),
                    PopUpdate::Ended { desk, outcome, .. } => format!("pop ended {desk}: {outcome}"),
                };
                self.pops.push(update);
                line
            }
            CallOutput::Trace(kind) => match kind {
                TraceKind::State { from, to } => format!("{from} -> {to}"),
                TraceKind::Fed { role, from, source, .. } => match (from, source) {
                    (Selector::Leg(_), Some(source)) => format!("{role} hears {source}"),
                    (Selector::Prompt(prompt), _) => format!("{role} hears {prompt:?}"),
                    (other, _) => format!("{role} hears {other:?}"),
                },
                TraceKind::HandoffEnded { outcome, stage, sip, .. } => {
                    format!("handoff {outcome} at {stage}{}", sip.map_or(String::new(), |sip| format!(" ({sip})")))
                }
                TraceKind::EarlyDrop { desk, by, after, cause, .. } => {
                    format!("early drop at {desk} by {by} after {} s: {cause}", after.as_secs())
                }
                TraceKind::LegEnded { role, cause, .. } => format!("{role} leg ended: {cause}"),
                TraceKind::Ended { cause } => format!("call ended: {cause}"),
                TraceKind::Release { what, status } => {
                    format!("release: {what}{}", status.map_or(String::new(), |status| format!(" {status}")))
                }
                TraceKind::Note { text, .. } => format!("note: {text}"),
                _ => return,
            },
            CallOutput::Media(_)
            | CallOutput::CloseMedia { .. }
            | CallOutput::Recording(_)
            | CallOutput::Callback(_)
            | CallOutput::Voicemail(_) => return,
        };
        self.log.push(line);
    }

    fn name(&self, leg: LegId) -> String {
        let dialled = self.call.leg(leg).map(|leg| (leg.role, leg.name.clone()));
        match dialled {
            Some((Role::Desk, name)) => name,
            Some((role, _)) => role.to_string(),
            None if leg.index == 0 => "caller".to_owned(),
            None => "leg".to_owned(),
        }
    }
}

pub(super) fn media(port: u16) -> RemoteMedia {
    let rtp = core::net::SocketAddr::new("127.0.0.1".parse().expect("an address"), port);
    RemoteMedia { telephone_event: Some(101), ..RemoteMedia::new(rtp, Codec::Pcmu) }
}
