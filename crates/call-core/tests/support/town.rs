//! Trunk, bot and desk as real SIP endpoints around one switchboard.
#![allow(dead_code, unreachable_pub, reason = "shared by tests, each of which uses some of it")]

use call_core::{
    Abilities, AcceptGate, Bot, BotReach, Desk, Handover, Interfaces, OnBotClose, OnBotRefusal, OnHumanGone, Output,
    Pattern, ReferTo, Release, Route, RouteTo, Signalling, SipAddresses, Switchboard, SwitchboardConfig, Target,
    Timers, Trunk, WhileConsulting,
};
use call_model::{
    Codec, DeskAction, Direction, EndReason, Fingerprint, HandoffId, HandoffOutcome, HandoffPackage, IdSource, Instant,
    LocalMedia, MediaCommand, MediaEvent, PopUpdate, Role, SrtpUse, TraceEvent, TraceKind, TransferState, WallAnchor,
};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use escalation::Rules;
use sip_proto::{Address, DialogEvent, DialogId, Endpoint, EndpointConfig, Flow, InviteRequest, RequestId, Transport};
use sip_wire::{Message, Method, Uri};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub const GATEWAY: SocketAddr = at(1, 5060);
pub const CALLER: SocketAddr = at(11, 5090);
pub const BOT: SocketAddr = at(12, 5091);
pub const DESK: SocketAddr = at(13, 5092);
pub const DESK2: SocketAddr = at(14, 5093);

const fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), port)
}

pub struct TownPlan {
    pub release: Release,
    pub routes: Vec<Route>,
    pub call_limit: usize,
    pub rtp_ports: (u16, u16),
    pub bot_codecs: Vec<Codec>,
    pub bot_answers: bool,
    pub desk_answers: bool,
    pub multipart: bool,
    /// Desks are rung only while their page is open.
    pub require_page: bool,
    /// Desks talk in their pages.
    pub browser: bool,
    pub desk_transport: Transport,
    pub url_base: String,
    pub caller_name: String,
}

impl Default for TownPlan {
    fn default() -> Self {
        Self {
            release: Release::Auto,
            routes: vec![route_to(RouteTo::Bot("bot".to_owned()))],
            call_limit: 10,
            rtp_ports: (20_000, 20_099),
            bot_codecs: vec![Codec::Pcmu, Codec::Pcma],
            bot_answers: true,
            desk_answers: true,
            multipart: false,
            require_page: false,
            browser: false,
            desk_transport: Transport::Udp,
            url_base: "https://ctx.example.com/h/".to_owned(),
            caller_name: String::new(),
        }
    }
}

pub fn route_to(to: RouteTo) -> Route {
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

pub fn flow(remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, local: GATEWAY, remote }
}

struct Party {
    endpoint: Endpoint,
    events: Vec<DialogEvent>,
    answers: bool,
    codecs: Vec<Codec>,
    waiting: Vec<DialogId>,
    established: Vec<DialogId>,
    referred: Vec<(DialogId, RequestId, String)>,
    received: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

pub struct Town {
    pub switchboard: Switchboard,
    pub now: Instant,
    parties: BTreeMap<SocketAddr, Party>,
    mail: VecDeque<(Transport, SocketAddr, SocketAddr, Vec<u8>)>,
    held: bool,
    pops: Vec<PopUpdate>,
    media: Vec<MediaCommand>,
    trace: Vec<TraceEvent>,
    to_gateway: Vec<(SocketAddr, Vec<u8>)>,
    caller_name: String,
    /// Further headers of the caller's INVITE.
    pub caller_headers: Vec<(String, String)>,
    pub late_offer: bool,
    accept: bool,
}

impl Town {
    pub fn new(plan: TownPlan) -> Self {
        let party = |seed, answers, codecs: &[Codec]| Party {
            endpoint: Endpoint::new(EndpointConfig::default(), IdSource::from_u64(seed)),
            events: Vec::new(),
            answers,
            codecs: codecs.to_vec(),
            waiting: Vec::new(),
            established: Vec::new(),
            referred: Vec::new(),
            received: Vec::new(),
            sent: Vec::new(),
        };
        let both = [Codec::Pcma, Codec::Pcmu];
        let parties = BTreeMap::from([
            (CALLER, party(2, true, &both)),
            (BOT, party(3, plan.bot_answers, &plan.bot_codecs)),
            (DESK, party(4, plan.desk_answers, &both)),
            (DESK2, party(5, plan.desk_answers, &both)),
        ]);
        let caller_name = plan.caller_name.clone();
        let config = Arc::new(config(plan));
        let wall = WallAnchor { at: Instant::ZERO, unix_ms: 1_795_250_000_000 };
        Self {
            switchboard: Switchboard::new(config, IdSource::from_u64(1), wall),
            now: Instant::from_millis(1000),
            parties,
            mail: VecDeque::new(),
            held: false,
            pops: Vec::new(),
            media: Vec::new(),
            trace: Vec::new(),
            to_gateway: Vec::new(),
            caller_name,
            caller_headers: Vec::new(),
            late_offer: false,
            accept: true,
        }
    }

    // --- doing

    pub fn call(&mut self, user: &str) -> DialogId {
        self.call_from(CALLER, user)
    }

    pub fn call_from(&mut self, from: SocketAddr, user: &str) -> DialogId {
        let uri = Uri::parse(&format!("sip:{user}@{GATEWAY}")).expect("a URI");
        let display = Some(self.caller_name.clone()).filter(|name| !name.is_empty());
        let caller = Uri::parse("sip:+447700900123@trunk.example.net;user=phone").expect("a URI");
        let session = format!("ab30317f1a784dc48ff824d0d3715d86;remote={}", "0".repeat(32));
        let request = InviteRequest {
            flow: Flow { transport: Transport::Udp, local: from, remote: GATEWAY },
            request_uri: uri.clone(),
            to: Address::new(uri),
            from: Address { display, uri: caller },
            call_id: None,
            max_forwards: 70,
            headers: [("Session-ID".to_owned(), session)].into_iter().chain(self.caller_headers.clone()).collect(),
            extra_part: None,
            local: local_media(from, &[Codec::Pcma, Codec::Pcmu]),
            second: None,
            late_offer: self.late_offer,
        };
        let now = self.now;
        let dialog = self.party(from).endpoint.invite(request, now);
        self.deliver();
        dialog
    }

    /// A call that is handed over and joined with the desk; both are heard.
    pub fn joined(&mut self) -> DialogId {
        let caller = self.call("1000");
        self.press_zero();
        self.wait(Duration::from_secs(2));
        assert_eq!(self.states(), [TransferState::Joined], "{:#?}", self.sip_lines());
        caller
    }

    pub fn press_zero(&mut self) {
        let leg = self.switchboard.calls().last().expect("a call").legs[0].0;
        self.media_event(MediaEvent::Digit { leg, digit: '0', held: Duration::from_millis(100) });
    }

    pub fn media_event(&mut self, event: MediaEvent) {
        self.switchboard.handle_media(event, self.now);
        self.deliver();
    }

    pub fn hang_up(&mut self, who: SocketAddr, dialog: DialogId) {
        let now = self.now;
        self.party(who).endpoint.bye(dialog, None, now);
        self.deliver();
    }

    pub fn hang_up_established(&mut self, who: SocketAddr) {
        let dialog = *self.party(who).established.last().expect("an established dialog");
        self.hang_up(who, dialog);
    }

    pub fn refer(&mut self, who: SocketAddr, dialog: DialogId, to: &str) {
        let now = self.now;
        self.party(who).endpoint.refer(dialog, to, "sip:me@example.com", now);
        self.deliver();
    }

    pub fn refer_with(&mut self, who: SocketAddr, to: &str, content_type: &str, body: &str) {
        let (now, dialog) = (self.now, *self.party(who).established.last().expect("an established dialog"));
        let headers = [("Refer-To".to_owned(), format!("<{to}>"))];
        let body = Some((content_type, body.as_bytes()));
        self.party(who).endpoint.request(dialog, Method::Refer, &headers, body, now);
        self.deliver();
    }

    pub fn info(&mut self, who: SocketAddr, dialog: DialogId, content_type: &str, body: &[u8]) {
        let now = self.now;
        self.party(who).endpoint.request(dialog, Method::Info, &[], Some((content_type, body)), now);
        self.deliver();
    }

    pub fn answer_refer(&mut self, who: SocketAddr, status: u16) {
        let now = self.now;
        let (_, request, _) = self.party(who).referred.last().cloned().expect("a REFER");
        self.party(who).endpoint.respond(request, status, "", &[], None, now);
        self.deliver();
    }

    pub fn notify(&mut self, who: SocketAddr, status_line: &str, state: &str) {
        let now = self.now;
        let (dialog, _, _) = self.party(who).referred.last().cloned().expect("a REFER");
        let headers = [("Event".to_owned(), "refer".to_owned()), ("Subscription-State".to_owned(), state.to_owned())];
        let body = format!("{status_line}\r\n");
        let body = Some(("message/sipfrag;version=2.0", body.as_bytes()));
        self.party(who).endpoint.request(dialog, Method::Notify, &headers, body, now);
        self.deliver();
    }

    pub fn answer_waiting(&mut self, who: SocketAddr) {
        let now = self.now;
        for dialog in core::mem::take(&mut self.party(who).waiting) {
            self.answer(who, dialog, now);
        }
        self.deliver();
    }

    /// Messages wait on the network until released.
    pub fn hold_mail(&mut self, hold: bool) {
        self.held = hold;
        self.deliver();
    }

    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        self.deliver();
        while let Some(at) = self.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let now = self.now;
            self.switchboard.handle_timeout(now);
            for party in self.parties.values_mut() {
                party.endpoint.handle_timeout(now);
            }
            self.deliver();
        }
        self.now = until;
    }

    pub fn deliver(&mut self) {
        loop {
            self.collect();
            if self.held {
                return;
            }
            let Some((transport, from, to, bytes)) = self.mail.pop_front() else { return };
            let now = self.now;
            if to == GATEWAY {
                self.to_gateway.push((from, bytes.clone()));
                let flow = Flow { transport, ..flow(from) };
                self.switchboard.handle_datagram(flow, &bytes, now);
                self.switchboard.check().expect("the invariants hold after every message");
            } else {
                let message = Message::parse_datagram(&bytes).expect("the gateway sends well-formed messages");
                let party = self.party(to);
                party.received.push(bytes);
                let flow = Flow { transport, local: to, remote: from };
                party.endpoint.handle_message(flow, message, now);
            }
        }
    }

    // --- looking

    pub fn events(&self, who: SocketAddr) -> &[DialogEvent] {
        &self.parties[&who].events
    }

    pub fn states(&self) -> Vec<TransferState> {
        self.switchboard.calls().map(|call| call.state).collect()
    }

    pub fn media(&self) -> &[MediaCommand] {
        &self.media
    }

    pub fn received(&self, who: SocketAddr, method: &Method) -> Message {
        self.try_received(who, method).unwrap_or_else(|| panic!("{method} never came: {:#?}", self.sip_lines()))
    }

    pub fn received_bytes(&self, who: SocketAddr, method: &Method) -> Vec<u8> {
        let found = self.parties[&who].received.iter().rfind(|bytes| is(bytes, method));
        found.cloned().expect("such a message")
    }

    pub fn try_received(&self, who: SocketAddr, method: &Method) -> Option<Message> {
        let found = self.parties[&who].received.iter().rfind(|bytes| is(bytes, method))?;
        Message::parse_datagram(found).ok()
    }

    pub fn received_response(&self, who: SocketAddr, code: u16) -> Message {
        let mut messages = self.parties[&who].received.iter().filter_map(|bytes| Message::parse_datagram(bytes).ok());
        messages.find(|message| message.code() == Some(code)).expect("such a response")
    }

    pub fn count_received(&self, who: SocketAddr, method: &Method) -> usize {
        self.parties[&who].received.iter().filter(|bytes| is(bytes, method)).count()
    }

    pub fn sent(&self, who: SocketAddr, method: &Method) -> Message {
        let found = self.parties[&who].sent.iter().find(|bytes| is(bytes, method)).expect("such a message");
        Message::parse_datagram(found).expect("well formed")
    }

    /// Whether the party knows the dialog that a Refer-To names.
    pub fn matches(&self, who: SocketAddr, refer_to: &str) -> Option<bool> {
        let uri = Uri::parse(refer_to.trim_matches(['<', '>'])).ok()?;
        let replaces = sip_wire::Replaces::from_refer_to(&uri)?.ok()?;
        Some(self.parties[&who].endpoint.match_replaces(&replaces).is_some())
    }

    pub fn refusals(&self, who: SocketAddr) -> Vec<u16> {
        let failed = |event: &DialogEvent| match event {
            DialogEvent::Failed { code, .. } => Some(*code),
            _ => None,
        };
        self.events(who).iter().filter_map(failed).collect()
    }

    pub fn handoff(&self) -> HandoffId {
        self.package().id
    }

    pub fn package(&self) -> &HandoffPackage {
        let offered = self.pops.iter().rev().find_map(|pop| match pop {
            PopUpdate::Offered { package, .. } => Some(package),
            _ => None,
        });
        offered.expect("a pop was offered")
    }

    pub fn offered_call_ids(&self) -> Vec<String> {
        let id = |pop: &PopUpdate| match pop {
            PopUpdate::Offered { sip_call_id, .. } => Some(sip_call_id.clone()),
            _ => None,
        };
        self.pops.iter().filter_map(id).collect()
    }

    pub fn outcomes(&self) -> Vec<HandoffOutcome> {
        let outcome = |event: &TraceEvent| match event.kind {
            TraceKind::HandoffEnded { outcome, .. } => Some(outcome),
            _ => None,
        };
        self.trace.iter().filter_map(outcome).collect()
    }

    pub fn end_causes(&self) -> Vec<EndReason> {
        let cause = |event: &TraceEvent| match event.kind {
            TraceKind::Ended { cause } => Some(cause.reason),
            _ => None,
        };
        self.trace.iter().filter_map(cause).collect()
    }

    pub fn notes(&self) -> Vec<String> {
        let note = |event: &TraceEvent| match &event.kind {
            TraceKind::Note { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.trace.iter().filter_map(note).collect()
    }

    pub fn sip_lines(&self) -> Vec<String> {
        let line = |event: &TraceEvent| match &event.kind {
            TraceKind::Sip { role, sent, what, .. } => {
                let role = role.map_or_else(|| "nobody".to_owned(), |role: Role| role.to_string());
                Some(format!("{} {role} {what}", if *sent { ">" } else { "<" }))
            }
            _ => None,
        };
        self.trace.iter().filter_map(line).collect()
    }

    pub fn wire_to_gateway(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.to_gateway.clone()
    }

    /// Everything was given back.
    #[track_caller]
    pub fn expect_empty(&mut self) {
        self.wait(Duration::from_secs(64));
        assert_eq!(self.switchboard.call_count(), 0, "{:#?}", self.sip_lines());
        assert!(self.switchboard.is_idle(), "{:?}", self.switchboard);
        self.switchboard.check().expect("the invariants hold");
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        for command in &self.media {
            match command {
                MediaCommand::Open { leg, .. } => opened.push(*leg),
                MediaCommand::Close { leg } => closed.push(*leg),
                _ => {}
            }
        }
        opened.sort_unstable();
        closed.sort_unstable();
        assert_eq!(opened, closed, "every leg's audio is opened and closed once");
    }

    // --- inside

    fn party(&mut self, who: SocketAddr) -> &mut Party {
        self.parties.get_mut(&who).expect("a party of the town")
    }

    fn answer(&mut self, who: SocketAddr, dialog: DialogId, now: Instant) {
        let party = self.party(who);
        let local = local_media(who, &party.codecs.clone());
        party.endpoint.accept(dialog, local, &[], now).expect("answered");
        party.established.push(dialog);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let parties = self.parties.values().filter_map(|party| party.endpoint.poll_timeout());
        let all = parties.map(|(at, _)| at).chain(self.switchboard.poll_timeout().map(|(at, _)| at));
        all.min()
    }

    /// Takes what everybody has to say and does what they would do about it.
    fn collect(&mut self) {
        while let Some(output) = self.switchboard.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.mail.push_back((flow.transport, GATEWAY, flow.remote, bytes)),
                Output::Media(command) => self.on_media(command),
                Output::Pop(pop) => self.on_pop(pop),
                Output::Trace(event) => self.trace.push(event),
                Output::Bot { .. } | Output::Recording(_) | Output::Callback(_) | Output::Voicemail(_) => {}
            }
        }
        let names: Vec<SocketAddr> = self.parties.keys().copied().collect();
        for who in names {
            while let Some(output) = self.party(who).endpoint.poll_output() {
                match output {
                    sip_proto::Output::Transmit { flow, bytes, .. } => {
                        self.party(who).sent.push(bytes.clone());
                        self.mail.push_back((flow.transport, who, flow.remote, bytes));
                    }
                    sip_proto::Output::Event(event) => self.on_event(who, event),
                    sip_proto::Output::Seen(_) | sip_proto::Output::Dropped(_) | sip_proto::Output::Registration(_) => {
                    }
                }
            }
        }
    }

    /// Everybody is heard as soon as they are connected; the human presses 1 when asked.
    fn on_media(&mut self, command: MediaCommand) {
        self.media.push(command.clone());
        let now = self.now;
        match command {
            MediaCommand::Remote { leg, media } => {
                self.switchboard.handle_media(MediaEvent::Flowing { leg, from: media.rtp }, now);
                self.switchboard.handle_media(MediaEvent::Speaks { leg }, now);
            }
            MediaCommand::Pressed { leg, digit, held } => {
                self.switchboard.handle_media(MediaEvent::Digit { leg, digit, held }, now);
            }
            MediaCommand::Attend { leg } => self.switchboard.handle_media(MediaEvent::Speaks { leg }, now),
            MediaCommand::Feed { leg, from: call_model::Selector::Prompt(call_model::Prompt::PressOne) }
                if self.accept =>
            {
                let held = Duration::from_millis(80);
                self.switchboard.handle_media(MediaEvent::Digit { leg, digit: '1', held }, now);
            }
            MediaCommand::Feed { leg, from: call_model::Selector::Prompt(prompt) } => {
                self.switchboard.handle_media(MediaEvent::Played { leg, prompt }, now);
            }
            _ => {}
        }
    }

    fn on_pop(&mut self, pop: PopUpdate) {
        let now = self.now;
        if let PopUpdate::Offered { desk, package, .. } = &pop {
            self.switchboard.handle_desk(desk, DeskAction::Acknowledged(package.id), now).expect("it was just offered");
        }
        self.pops.push(pop);
    }

    fn on_event(&mut self, who: SocketAddr, event: DialogEvent) {
        let now = self.now;
        match &event {
            DialogEvent::Incoming { dialog, .. } => {
                let dialog = *dialog;
                self.party(who).endpoint.ring(dialog, 180, now);
                if self.party(who).answers {
                    self.answer(who, dialog, now);
                } else {
                    self.party(who).waiting.push(dialog);
                }
            }
            DialogEvent::Referred { dialog, request, refer_to, .. } => {
                let referred = (*dialog, *request, refer_to.clone());
                self.party(who).referred.push(referred);
            }
            _ => {}
        }
        self.party(who).events.push(event);
    }
}

fn is(bytes: &[u8], method: &Method) -> bool {
    Message::parse_datagram(bytes).is_ok_and(|message| message.method() == Some(method))
}

fn local_media(at: SocketAddr, codecs: &[Codec]) -> LocalMedia {
    LocalMedia {
        rtp: SocketAddr::new(at.ip(), 40_000),
        codecs: codecs.to_vec(),
        srtp: Default::default(),
        telephone_event: 101,
        direction: Direction::SendRecv,
    }
}

fn config(plan: TownPlan) -> SwitchboardConfig {
    let desk = |name: &str, uri: &str, address: Option<SocketAddr>| Desk {
        name: name.to_owned(),
        uri: uri.to_owned(),
        targets: address.filter(|_| !plan.browser).into_iter().map(|at| Target::new(plan.desk_transport, at)).collect(),
        host: None,
        browser: plan.browser,
        handover: Handover::Warm,
        accept: AcceptGate::KeyOrPage,
        whisper: true,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        skills: Vec::new(),
        languages: Vec::new(),
        seniority: 0,
        capacity: 1,
        require_page: plan.require_page,
        after_call: core::time::Duration::ZERO,
        priority: 10,
        replaces_from: Vec::new(),
        multipart: plan.multipart,
        post_digits: vec![],
        profile: Arc::default(),
        abilities: Abilities::default(),
        allowed_media: Vec::new(),
        signalling: Signalling {
            srtp: if plan.browser { SrtpUse::Dtls(Fingerprint([1; 32])) } else { SrtpUse::Off },
            ..Signalling::default()
        },
    };
    SwitchboardConfig {
        trunks: vec![Trunk {
            name: "trunk".to_owned(),
            addresses: vec![(CALLER.ip(), 32)],
            release: plan.release,
            abilities: Abilities::default(),
            refer_to: ReferTo::AsIs,
            allowed_media: Vec::new(),
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            signalling: Default::default(),
            record: None,
            outbound: None,
        }],
        bots: vec![Bot {
            name: "bot".to_owned(),
            reach: BotReach::Sip {
                uri: format!("sip:{{user}}@{BOT}"),
                targets: vec![Target::new(Transport::Udp, BOT)],
                host: None,
            },
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            on_close: OnBotClose::HangUp,
            on_refusal: OnBotRefusal::Refuse,
            allowed_media: Vec::new(),
            signalling: Default::default(),
        }],
        desks: vec![
            desk("anna", "sip:anna@127.0.0.13:5092", Some(DESK)),
            desk("ben", "sip:ben@127.0.0.14:5093", Some(DESK2)),
        ],
        routes: plan.routes,
        names: Vec::new(),
        interfaces: Interfaces::one(
            SipAddresses {
                udp: Some(GATEWAY),
                // Where we speak it, a large INVITE is not trimmed.
                tcp: (plan.desk_transport == Transport::Tcp).then_some(GATEWAY),
                ..SipAddresses::default()
            },
            GATEWAY.ip(),
        ),
        rtp_ports: plan.rtp_ports,
        timers: Timers::default(),
        rules: Arc::new(Rules::default_pack()),
        package_url_base: Some(plan.url_base).filter(|base| !base.is_empty()),
        call_limit: plan.call_limit,
        new_requests_per_s: 0,
        registrar: sip_proto::Registrar::default(),
        order: Default::default(),
        head_starts: Default::default(),
        places_spoken: vec![],
        recording: Default::default(),
        voicemail: None,
        recorder: None,
        callbacks: None,
        drain_to_human: false,
        user_agent: "Warmline/test".to_owned(),
    }
}
