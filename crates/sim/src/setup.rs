//! The cast and the configuration of a simulated run.

use crate::network::{Link, Network};
use crate::recorder::{self, SrsHabit};
use crate::witness::{self, LEVELS};
use call_core::{
    Abilities, AcceptGate, Bot, BotReach, Callbacks, CallerId, Choreography, Desk, Handover, Interfaces, KeysOut,
    OnBotClose, OnBotRefusal, OnHumanGone, Order, Otherwise, Outbound, Pattern, Profile, Queueing, Recorder, Recording,
    ReferTo, Register, Release, Route, RouteTo, Signalling, SipAddresses, SwitchboardConfig, Target, Timers, Trunk,
    Voicemails, WhileConsulting,
};
use call_model::{Codec, DialStep, IdSource, Prompt, Secret, SrtpUse, Trigger};
use core::time::Duration;
use dtls::Identity;
use escalation::Rules;
use phone::{Answer, Arrival, OnRefer, Phone, PhoneConfig, Source};
use rtp_proto::EngineConfig;
use sip_proto::{Account, Credentials, EndpointConfig, Flow, Guard, RegisterRequest, Registrar, Seat, Transport};
use sip_wire::{Host, Uri};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

/// A party of the simulation, by its place in the world's list of telephones.
pub type Party = usize;
/// The trunk's telephone: the caller.
pub const TRUNK: Party = 0;
/// The bot.
pub const BOT: Party = 1;
/// The first desk.
pub const DESK: Party = 2;
/// The second desk.
pub const DESK2: Party = 3;
/// Another caller on the same trunk.
pub const CALLER2: Party = 4;

/// What the caller says, in hertz.
pub const CALLER_TONE: f32 = 400.0;
/// What the bot says.
pub const BOT_TONE: f32 = 600.0;
/// What the human at the first desk says.
pub const DESK_TONE: f32 = 800.0;
/// What the human at the second desk says.
pub const DESK2_TONE: f32 = 1_000.0;

/// What the other caller says.
pub const CALLER2_TONE: f32 = 500.0;
/// The gateway's hold music.
pub const MUSIC_TONE: f32 = 1_250.0;
/// The prompt "one moment".
pub const BOT_LOST_TONE: f32 = 1_400.0;
/// The prompt "nobody is available".
pub const NOBODY_TONE: f32 = 1_550.0;
/// The prompt "press 1 to take the call".
pub const PRESS_ONE_TONE: f32 = 1_700.0;
/// The prompt "the caller has hung up".
pub const CALLER_GONE_TONE: f32 = 1_850.0;
/// The prompt "still trying".
pub const STILL_TRYING_TONE: f32 = 2_000.0;
/// The prompt "this call is recorded".
pub const RECORDED_TONE: f32 = 2_300.0;
/// The whisper that says why the caller needs a person, whatever the reason.
pub const WHY_TONE: f32 = 2_150.0;
/// The prompt that tells a place in line, whichever.
pub const PLACE_TONE: f32 = 2_450.0;
/// The prompt "leave a message", which ends with a tone of its own in reality.
pub const LEAVE_MESSAGE_TONE: f32 = 2_600.0;
/// What the desks are called.
pub(crate) const DESK_NAMES: [&str; 2] = ["ada", "bob"];

/// Everything that can be heard.
pub const TONES: [f32; 15] = [
    CALLER_TONE,
    BOT_TONE,
    DESK_TONE,
    DESK2_TONE,
    CALLER2_TONE,
    MUSIC_TONE,
    BOT_LOST_TONE,
    NOBODY_TONE,
    PRESS_ONE_TONE,
    CALLER_GONE_TONE,
    STILL_TRYING_TONE,
    RECORDED_TONE,
    WHY_TONE,
    PLACE_TONE,
    LEAVE_MESSAGE_TONE,
];
/// How long each prompt takes.
pub const PROMPT: Duration = Duration::from_millis(800);

/// Read once, as a gateway does, and not for every call.
static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::default_pack()));
/// What the gateway plays.
static TONES_ENGINE: LazyLock<EngineConfig> =
    LazyLock::new(|| engine(|hertz, _, lasts| sound(Source::Tone(hertz), lasts)));
/// The same as mere levels.
static LEVELS_ENGINE: LazyLock<EngineConfig> =
    LazyLock::new(|| engine(|_, level, lasts| sound(Source::Level(level), lasts)));

/// Who the gateway is in DTLS, and who the telephones are.
pub(crate) static IDENTITIES: LazyLock<[Arc<Identity>; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Arc::new(Identity::new().expect("the system gives randomness"))));

/// DTLS for [`Setup::srtp`] and for [`Setup::their_srtp`].
pub fn dtls() -> [SrtpUse; 2] {
    IDENTITIES.each_ref().map(|identity| SrtpUse::Dtls(identity.fingerprint()))
}

/// The gateway's address.
pub const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// What a run is made of. Change fields, then give it to [`crate::World::new`].
#[derive(Clone, Debug)]
pub struct Setup {
    /// Decides everything random.
    pub seed: u64,
    /// The rules; without them the general pack.
    pub rules: Option<Arc<Rules>>,
    /// How SIP travels, to and from everybody.
    pub transport: Transport,
    /// How it travels to and from the trunk, where that is another way.
    pub trunk_transport: Option<Transport>,
    /// The trunk's policy.
    pub release: Release,
    /// What the operator says of the trunk's abilities.
    pub trunk_abilities: Abilities,
    /// What the operator says of the desks' abilities.
    pub desk_abilities: Abilities,
    /// What the caller hears while a desk rings.
    pub while_consulting: WhileConsulting,
    /// Who stays after the join.
    pub choreography: Choreography,
    /// Who has the caller when the human hangs up first.
    pub on_human_gone: OnHumanGone,
    /// The desks' URIs, where they are not those of their telephones.
    pub desk_uri: [Option<&'static str>; 2],
    /// The desks that the gateway can call; the others are the trunk's to call.
    pub desk_address: [bool; 2],
    /// Where the first desk is called, in this order: at a party's telephone, or where nobody is. Empty: at its own.
    pub desk_at: Vec<Option<Party>>,
    /// The form of telephone numbers in a blind REFER.
    pub refer_to: ReferTo,
    /// How the caller gets to either desk.
    pub handover: [Handover; 2],
    /// The gate.
    pub accept: AcceptGate,
    /// The human hears why before being asked for the key.
    pub whisper: bool,
    /// The desks' contact-centre profile.
    pub profile: Arc<Profile>,
    /// What is spoken at either desk, where that is known.
    pub languages: [Option<&'static str>; 2],
    /// How experienced either human is.
    pub seniority: [u8; 2],
    /// Callers wait in line while no desk is free.
    pub queue: Option<Queueing>,
    /// What is done for callers whom no human can take.
    pub otherwise: Vec<Otherwise>,
    /// The desks have the same priority.
    pub equals: bool,
    /// What decides between desks that are equally good.
    pub order: Order,
    /// How long humans write after a conversation.
    pub after_call: Duration,
    /// The bot comes by WebSocket instead of SIP.
    pub stream_bot: bool,
    /// How many desks are configured: 0 to 2.
    pub desks: usize,
    /// The desks' telephones may call out through the gateway, as if they were a trunk.
    pub desks_may_call: bool,
    /// Either desk's telephone may take over a call of the other's.
    pub desks_may_take_over: bool,
    /// The codecs of trunk, bot and desks.
    pub codecs: [Codec; 3],
    /// Whether the gateway encrypts its audio with trunk, bot and desks.
    pub srtp: [SrtpUse; 3],
    /// Whether trunk, bot and desks do.
    pub their_srtp: [SrtpUse; 3],
    /// What the bot does when called.
    pub bot: Arrival,
    /// What the desks do when called.
    pub desk: [Arrival; 2],
    /// What the trunk does with a REFER.
    pub on_refer: OnRefer,
    /// What the desks do with a REFER.
    pub desk_on_refer: OnRefer,
    /// RTP is carried. Without, only SIP is simulated: everybody's audio is taken to flow, and callers are not judged.
    pub audio: bool,
    /// The telephones tell what they hear; without, a run takes half the time.
    pub ears: bool,
    /// While nothing happens, only every fourth packet of a conversation is carried, and none is lost.
    pub dozes: bool,
    /// SIP over UDP.
    pub sip_link: Link,
    /// RTP.
    pub rtp_link: Link,
    /// What the bot's good-order end means.
    pub on_close: OnBotClose,
    /// What the bot's refusal means.
    pub on_refusal: OnBotRefusal,
    /// How long things may take.
    pub timers: Timers,
    /// Parties who ask the gateway who it is, for every request.
    pub asking: Vec<Party>,
    /// The gateway says that it has another password.
    pub wrong_password: bool,
    /// What the sessions of the trunk's calls live without being refreshed, in seconds, and whether the gateway has to
    /// refresh them.
    pub trunk_sessions: Option<(u32, bool)>,
    /// Parties who want provisional responses acknowledged: theirs, and those to them.
    pub reliable: Vec<Party>,
    /// Callers on the trunk call without an offer.
    pub late_offer: bool,
    /// The shortest sessions that the desks take, in seconds.
    pub desk_min_se: u32,
    /// The gateway asks callers on the trunk who they are, and they know.
    pub trunk_is_asked: bool,
    /// The gateway registers at the trunk, for so many seconds.
    pub registers: Option<u32>,
    /// The desks' telephones register at the gateway, and are called nowhere else.
    pub desks_register: bool,
    /// Headers of the trunk's INVITE that bots and desks get.
    pub pass_headers: &'static [&'static str],
    /// Whose number the desks are shown.
    pub caller_id: CallerId,
    /// How calls are recorded.
    pub recording: Recording,
    /// How messages are left.
    pub voicemail: Option<Voicemails>,
    /// What the external recorder does, and its codec, if there is one.
    pub recorder: Option<(SrsHabit, Codec)>,
    /// Who may be called back; then the trunk takes calls.
    pub callbacks: Option<Callbacks>,
    /// Told to stop, the gateway gives callers who talk to the bot to a human.
    pub drain_to_human: bool,
    /// The gateway's ports for RTP.
    pub rtp_ports: (u16, u16),
    /// The trunk's callers hear early audio.
    pub early_media: bool,
    /// How trunk, bot and desks are told of keys.
    pub keys_out: [KeysOut; 3],
    /// Keys that the desks' phone systems get first.
    pub post_digits: Vec<DialStep>,
    /// Parties whose telephones know no telephone-events.
    pub no_events: Vec<Party>,
    /// A deliberate bug.
    #[cfg(feature = "mutations")]
    pub mutation: Option<call_core::mutation::Mutation>,
}

impl Default for Setup {
    fn default() -> Self {
        let ring = |answer| Arrival::Ring { after: Duration::from_millis(50), then: answer };
        Self {
            seed: 1,
            rules: None,
            transport: Transport::Udp,
            trunk_transport: None,
            release: Release::Stay,
            trunk_abilities: Abilities::default(),
            desk_abilities: Abilities::default(),
            while_consulting: WhileConsulting::Bot,
            choreography: Choreography::default(),
            on_human_gone: OnHumanGone::Bot,
            desk_uri: [None; 2],
            desk_address: [true; 2],
            desk_at: vec![],
            refer_to: ReferTo::AsIs,
            handover: [Handover::Warm; 2],
            accept: AcceptGate::KeyOrPage,
            whisper: true,
            profile: Arc::default(),
            languages: [None; 2],
            seniority: [0; 2],
            queue: None,
            otherwise: vec![],
            equals: false,
            order: Order::default(),
            after_call: Duration::ZERO,
            stream_bot: false,
            desks: 1,
            desks_may_call: false,
            desks_may_take_over: false,
            codecs: [Codec::Pcmu; 3],
            srtp: [SrtpUse::Off; 3],
            their_srtp: [SrtpUse::Off; 3],
            bot: ring(Answer::After(Duration::from_millis(100))),
            desk: [ring(Answer::After(Duration::from_secs(2))); 2],
            on_refer: OnRefer::Refuse(603),
            desk_on_refer: OnRefer::Refuse(603),
            audio: true,
            ears: true,
            dozes: false,
            sip_link: Link::GOOD,
            rtp_link: Link::GOOD,
            on_close: OnBotClose::HangUp,
            on_refusal: OnBotRefusal::Refuse,
            timers: Timers::default(),
            asking: vec![],
            wrong_password: false,
            trunk_sessions: None,
            reliable: vec![],
            late_offer: false,
            desk_min_se: 90,
            trunk_is_asked: false,
            registers: None,
            desks_register: false,
            caller_id: CallerId::default(),
            pass_headers: &[],
            recording: Recording::default(),
            voicemail: None,
            recorder: None,
            callbacks: None,
            drain_to_human: false,
            rtp_ports: (20_000, 20_199),
            early_media: false,
            keys_out: [KeysOut::Rtp; 3],
            post_digits: vec![],
            no_events: vec![],
            #[cfg(feature = "mutations")]
            mutation: None,
        }
    }
}

impl Setup {
    pub(crate) fn network(&self) -> Network {
        Network::new(self.sip_link, self.rtp_link, self.seed)
    }

    pub(crate) fn phones(&self, ids: &mut IdSource) -> Vec<Phone> {
        let arrivals = [Arrival::Ignore, self.bot, self.desk[0], self.desk[1], Arrival::Ignore];
        let [trunk, bot, desk] = self.codecs;
        let codecs = [trunk, bot, desk, desk, trunk];
        let phone = |party: Party| PhoneConfig {
            sip: sip_of(party),
            transport: self.transport_of(party),
            rtp: rtp_of(party),
            user: ["caller", "bot", "desk", "desk2", "other"][party].to_owned(),
            codecs: vec![codecs[party]],
            srtp: self.their_srtp[kind_of(party)],
            source: self.source_of(party),
            tones: self.tones(),
            arrival: arrivals[party],
            on_refer: match party {
                TRUNK | CALLER2 => self.on_refer,
                DESK | DESK2 => self.desk_on_refer,
                _ => OnRefer::Refuse(603),
            },
            late_offer: self.late_offer && matches!(party, TRUNK | CALLER2),
            habits: self.habits(party),
        };
        let made = (TRUNK..=CALLER2).map(|party| {
            let mut phone = Phone::new(phone(party), ids.fork());
            phone.media.identify(Arc::clone(&IDENTITIES[1]) as _);
            phone
        });
        made.collect()
    }

    pub(crate) fn transport_of(&self, party: Party) -> Transport {
        self.trunk_transport.filter(|_| matches!(party, TRUNK | CALLER2)).unwrap_or(self.transport)
    }

    fn credentials(&self, right: bool) -> Credentials {
        let password = Secret::new(if right { "secret" } else { "guess" });
        Credentials { realm: "sim.invalid".to_owned(), username: "gateway".to_owned(), password }
    }

    /// How a party's telephone speaks SIP.
    fn habits(&self, party: Party) -> EndpointConfig {
        let gateway = vec![(GATEWAY, 32)];
        let (credentials, caller) = (self.credentials(true), matches!(party, TRUNK | CALLER2));
        let guard = Guard { peer: gateway.clone(), credentials: credentials.clone(), within: true };
        let account = Account { peer: gateway, credentials };
        let sessions = self.trunk_sessions.filter(|_| caller);
        EndpointConfig {
            session_expires: sessions.map_or(0, |(expires, _)| expires),
            peer_refreshes: sessions.is_some_and(|(_, gateway)| gateway),
            reliable: self.reliable.contains(&party),
            min_se: if matches!(party, DESK | DESK2) { self.desk_min_se } else { 90 },
            guards: self.asking.contains(&party).then_some(guard).into_iter().collect(),
            accounts: (self.trunk_is_asked && caller).then_some(account).into_iter().collect(),
            registrar: self.trunk_registrar(party),
            ..EndpointConfig::default()
        }
    }

    /// What the trunk knows of those who register there.
    fn trunk_registrar(&self, party: Party) -> Registrar {
        let Credentials { realm, username, password } = self.credentials(true);
        let seat = Seat { user: username, password, from: vec![(GATEWAY, 32)] };
        let seats = if self.registers.is_some() && party == TRUNK { vec![seat] } else { vec![] };
        Registrar { realm, seats, ..Registrar::default() }
    }

    /// How the gateway speaks SIP with a party.
    fn signalling(&self, party: Party) -> Signalling {
        let asks = self.asking.contains(&party) || party == TRUNK && self.registers.is_some();
        let register = self.registers.filter(|_| party == TRUNK).map(|expires| Register {
            registrar: format!("sip:{}", sip_of(TRUNK).ip()),
            transport: self.transport,
            address: sip_of(TRUNK),
            host: None,
            aor: "sip:gateway@trunk.invalid".into(),
            expires,
        });
        let from = vec![(sip_of(party).ip(), 32)];
        let seat = Seat { user: seat_user(party).into(), password: Secret::new("secret"), from };
        Signalling {
            account: asks.then(|| self.credentials(!self.wrong_password)),
            srtp: self.srtp[kind_of(party)],
            keys: self.keys_out[party.min(DESK)],
            early_media: self.early_media && party == TRUNK,
            admits: (self.trunk_is_asked && party == TRUNK).then(|| self.credentials(true)),
            register,
            interface: None,
            pass_headers: self.pass_headers.iter().map(|name| (*name).to_owned()).collect(),
            number: (party == TRUNK).then(|| "+442079460000".to_owned()),
            caller_id: self.caller_id.clone(),
            seat: (self.desks_register && matches!(party, DESK | DESK2)).then_some(seat),
        }
    }

    /// What a party says: a tone for ears that listen, a mere level for a run without.
    pub(crate) fn source_of(&self, party: Party) -> Source {
        match (self.audio, self.ears) {
            (false, _) => Source::Nothing,
            (true, true) => Source::Tone([CALLER_TONE, BOT_TONE, DESK_TONE, DESK2_TONE, CALLER2_TONE][party]),
            (true, false) => Source::Level(LEVELS[party]),
        }
    }

    /// What everybody listens for.
    pub(crate) fn tones(&self) -> Vec<f32> {
        if !self.ears {
            return Vec::new();
        }
        // Who knows no events hears keys.
        let five = if self.no_events.is_empty() { [].as_slice() } else { &[770.0, 1_336.0] };
        [&TONES, five].concat()
    }

    fn targets_of(&self, desk: usize) -> Vec<Target> {
        let own = [Some(DESK + desk)];
        let at: &[Option<Party>] = match desk {
            _ if !self.desk_address[desk] || self.desks_register => &[],
            0 if !self.desk_at.is_empty() => &self.desk_at,
            _ => &own,
        };
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 99)), 5060);
        let target = |(nth, at): (usize, &Option<Party>)| Target {
            priority: nth as u16,
            ..Target::new(self.transport_of(DESK + desk), at.map_or(nobody, sip_of))
        };
        at.iter().enumerate().map(target).collect()
    }

    pub(crate) fn config(&self) -> SwitchboardConfig {
        let both = Codec::ALL.to_vec();
        let host = |party| vec![(sip_of(party).ip(), 32)];
        let desk = |index: usize| Desk {
            name: DESK_NAMES[index].to_owned(),
            uri: self.desk_uri[index].map_or_else(|| format!("sip:desk@{}", sip_of(DESK + index)), str::to_owned),
            targets: self.targets_of(index),
            host: None,
            browser: false,
            handover: self.handover[index],
            accept: self.accept,
            whisper: self.whisper,
            codecs: both.clone(),
            skills: vec![],
            languages: self.languages[index].into_iter().map(str::to_owned).collect(),
            seniority: self.seniority[index],
            capacity: 1,
            require_page: false,
            after_call: self.after_call,
            priority: if self.equals { 0 } else { index as u16 },
            replaces_from: if self.desks_may_take_over { [host(DESK), host(DESK2)].concat() } else { vec![] },
            multipart: false,
            post_digits: self.post_digits.clone(),
            profile: Arc::clone(&self.profile),
            abilities: self.desk_abilities,
            allowed_media: host(DESK + index),
            signalling: self.signalling(DESK + index),
        };
        let reach = if self.stream_bot {
            BotReach::Stream { url: "ws://bot.invalid/stream".into() }
        } else {
            BotReach::Sip {
                uri: format!("sip:{{user}}@{}", sip_of(BOT)),
                targets: vec![Target::new(self.transport_of(BOT), sip_of(BOT))],
                host: None,
            }
        };
        let callers = if self.desks_may_call { [host(DESK), host(DESK2)].concat() } else { vec![] };
        let straight = |user: &str, desk: &str| Route {
            dialled: Pattern::Exact(user.into()),
            to: RouteTo::Desk(desk.into()),
            listen: false,
            while_consulting: self.while_consulting,
            choreography: self.choreography.clone(),
            on_human_gone: self.on_human_gone,
            record: None,
            record_to: None,
            queue: None,
            otherwise: vec![],
        };
        SwitchboardConfig {
            trunks: vec![Trunk {
                name: "trunk".into(),
                addresses: [host(TRUNK), host(CALLER2), callers].concat(),
                release: self.release,
                abilities: self.trunk_abilities,
                refer_to: self.refer_to.clone(),
                // After a release the human's audio comes straight from the desk.
                allowed_media: [host(TRUNK), host(CALLER2)].concat(),
                signalling: self.signalling(TRUNK),
                record: None,
                outbound: self.callbacks.as_ref().map(|_| Outbound {
                    uri: format!("sip:{{number}}@{}", sip_of(TRUNK)),
                    target: Target::new(self.transport_of(TRUNK), sip_of(TRUNK)),
                    host: None,
                }),
                codecs: both.clone(),
            }],
            bots: vec![Bot {
                name: "bot".into(),
                reach,
                codecs: both.clone(),
                on_close: self.on_close,
                on_refusal: self.on_refusal,
                allowed_media: host(BOT),
                signalling: self.signalling(BOT),
            }],
            desks: (0..self.desks).map(desk).collect(),
            routes: vec![
                straight("human", "ada"),
                straight("bob", "bob"),
                Route {
                    dialled: Pattern::Prefix("7".into()),
                    to: RouteTo::Bot("bot".into()),
                    listen: true,
                    while_consulting: self.while_consulting,
                    choreography: self.choreography.clone(),
                    on_human_gone: self.on_human_gone,
                    record: None,
                    record_to: None,
                    queue: self.queue,
                    otherwise: self.otherwise.clone(),
                },
            ],
            names: vec!["gateway.invalid".into()],
            interfaces: Interfaces::one(
                SipAddresses {
                    udp: Some(SocketAddr::new(GATEWAY, 5060)),
                    tcp: Some(SocketAddr::new(GATEWAY, 5060)),
                    tls: Some(SocketAddr::new(GATEWAY, 5061)),
                    ..SipAddresses::default()
                },
                GATEWAY,
            ),
            rtp_ports: self.rtp_ports,
            timers: self.timers.clone(),
            rules: Arc::clone(self.rules.as_ref().unwrap_or(&RULES)),
            package_url_base: Some("https://gateway.invalid/h/".into()),
            call_limit: 20,
            new_requests_per_s: 0,
            registrar: Registrar::default(),
            order: self.order,
            head_starts: Default::default(),
            places_spoken: if self.queue.is_some() { vec![1, 2] } else { vec![] },
            recording: self.recording,
            voicemail: self.voicemail,
            recorder: self.recorder.map(|(_, codec)| self.recorder(codec)),
            callbacks: self.callbacks.clone(),
            drain_to_human: self.drain_to_human,
            user_agent: "Warmline".into(),
            #[cfg(feature = "mutations")]
            mutation: self.mutation,
        }
    }
}

impl Setup {
    /// It is offered both laws of G.711, and takes one of them.
    fn recorder(&self, codec: Codec) -> Recorder {
        let other = if codec == Codec::Pcmu { Codec::Pcma } else { Codec::Pcmu };
        Recorder {
            name: "recorder".to_owned(),
            uri: format!("sip:srs@{}", recorder::SIP),
            targets: vec![Target::new(self.transport, recorder::SIP)],
            host: None,
            codecs: vec![other, codec],
            signalling: Signalling::default(),
        }
    }
}

/// Trunk, bot or desk.
const fn kind_of(party: Party) -> usize {
    match party {
        TRUNK | CALLER2 => 0,
        BOT => 1,
        _ => 2,
    }
}

/// The engine's configuration, always the same: tones for those who listen, levels for those who do not.
pub(crate) fn engine_config(ears: bool) -> EngineConfig {
    if ears { TONES_ENGINE.clone() } else { LEVELS_ENGINE.clone() }
}

fn engine(make: impl Fn(f32, i16, Duration) -> Arc<[u8]>) -> EngineConfig {
    let mut engine = EngineConfig::new("warmline");
    engine.dtls = Some(Arc::clone(&IDENTITIES[0]) as _);
    engine.music = make(MUSIC_TONE, witness::MUSIC, Duration::from_secs(1));
    let prompts = [
        (Prompt::BotLost, BOT_LOST_TONE, witness::PROMPT),
        (Prompt::NobodyAvailable, NOBODY_TONE, witness::GOODBYE),
        (Prompt::StillTrying, STILL_TRYING_TONE, witness::PROMPT),
        (Prompt::Place(1), PLACE_TONE, witness::PROMPT),
        (Prompt::Place(2), PLACE_TONE, witness::PROMPT),
        (Prompt::Recorded, RECORDED_TONE, witness::PROMPT),
        (Prompt::LeaveMessage, LEAVE_MESSAGE_TONE, witness::PROMPT),
        (Prompt::PressOne, PRESS_ONE_TONE, witness::PROMPT),
        (Prompt::CallerGone, CALLER_GONE_TONE, witness::PROMPT),
    ];
    let why = Trigger::ALL.map(|trigger| (Prompt::Why(trigger), WHY_TONE, witness::PROMPT));
    let all = prompts.into_iter().chain(why);
    engine.prompts = all.map(|(prompt, hertz, level)| (prompt, make(hertz, level, PROMPT))).collect();
    engine
}

/// Mu-law of a sound.
fn sound(of: Source, lasts: Duration) -> Arc<[u8]> {
    let frame = of.frame(0, Codec::Pcmu).unwrap_or_default();
    frame.repeat(lasts.as_millis() as usize / 20).into()
}

/// What a desk's telephone asks of the gateway when it registers there.
pub(crate) fn register_request(party: Party, transport: Transport, expires: u32) -> RegisterRequest {
    let user = seat_user(party);
    let gateway = Host::from(GATEWAY);
    RegisterRequest {
        flow: Flow { transport, local: sip_of(party), remote: SocketAddr::new(GATEWAY, 5060) },
        registrar: Uri::sip("", &gateway, None),
        aor: Uri::sip(user, &gateway, None),
        contact_user: user.to_owned(),
        expires,
        credentials: Some(Credentials {
            realm: Registrar::default().realm,
            username: user.to_owned(),
            password: Secret::new("secret"),
        }),
    }
}

/// As what a desk's telephone registers.
const fn seat_user(party: Party) -> &'static str {
    if party == DESK2 { "bob" } else { "ada" }
}

/// Where a party's SIP lives.
pub(crate) fn sip_of(party: Party) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 11 + party as u8)), 5060)
}

/// Who lives at an address.
pub(crate) fn party_at(ip: IpAddr) -> Option<Party> {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            [10, 0, 0, last] => usize::from(last).checked_sub(11).filter(|party| *party <= CALLER2),
            _ => None,
        },
        IpAddr::V6(_) => None,
    }
}

/// Where a party's RTP lives.
pub(crate) fn rtp_of(party: Party) -> SocketAddr {
    SocketAddr::new(sip_of(party).ip(), 4000)
}
