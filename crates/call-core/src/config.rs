//! What the switchboard is told at start. Plain values: the gateway reads and validates the operator's file and
//! converts it into these.

use crate::callbacks::Callbacks;
use crate::interfaces::Interfaces;
use crate::profile::Profile;
use crate::signalling::Signalling;
use call_model::{Codec, DialStep, Urgency};
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use escalation::Rules;
pub use routing::{HeadStarts, Order};
use sip_proto::{Registrar, Transport};
use std::sync::Arc;

/// Everything the switchboard needs to know about its world.
#[derive(Clone, Debug)]
pub struct SwitchboardConfig {
    /// Peers we exchange calls with.
    pub trunks: Vec<Trunk>,
    /// The bots, by name.
    pub bots: Vec<Bot>,
    /// The desks, by name; the order is the order of preference where routing has no other reason.
    pub desks: Vec<Desk>,
    /// What is done with a call, by what was dialled: the first match wins.
    pub routes: Vec<Route>,
    /// Our own addresses, as peers reach them.
    pub interfaces: Interfaces,
    /// Host names that mean us, beside those addresses: in the `Refer-To` of a bot or a desk.
    pub names: Vec<String>,
    /// Local RTP ports, first and last inclusive; a leg takes an even port and the next one.
    pub rtp_ports: (u16, u16),
    /// How long things may take.
    pub timers: Timers,
    /// When a human is needed.
    pub rules: Arc<Rules>,
    /// Where the desk's software can fetch a package: the handoff id is appended. Goes into `X-Handoff-Url` and
    /// `Call-Info`.
    pub package_url_base: Option<String>,
    /// Calls at once; more are refused with 503.
    pub call_limit: usize,
    /// New requests that one address may send per second, two seconds' worth at once; more are refused with 503. 0: no
    /// limit.
    pub new_requests_per_s: u32,
    /// What telephones that register here are asked for, and for how long they may; who may is said at each desk.
    pub registrar: Registrar,
    /// What decides between desks that are equally good.
    pub order: Order,
    /// How much earlier some of those who wait for a desk count as having come.
    pub head_starts: HeadStarts,
    /// The places in line that are told to callers who wait with music.
    pub places_spoken: Vec<u8>,
    /// How calls are recorded.
    pub recording: Recording,
    /// How messages are left; none: nobody leaves any.
    pub voicemail: Option<Voicemails>,
    /// Who records them beside or instead of us.
    pub recorder: Option<Recorder>,
    /// Who may be called back; none: nobody.
    pub callbacks: Option<Callbacks>,
    /// Told to stop, callers who talk to a bot are given to a human while there is one.
    pub drain_to_human: bool,
    /// `User-Agent` and `Server`.
    pub user_agent: String,
    /// The deliberate bug that is awake.
    #[cfg(feature = "mutations")]
    pub mutation: Option<crate::mutation::Mutation>,
}

pub use sip_proto::Network;

/// A configured carrier or SBC peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trunk {
    /// Its name in the configuration.
    pub name: String,
    /// Where its SIP may come from.
    pub addresses: Vec<Network>,
    /// Whether we take ourselves out of the path after a handoff.
    pub release: Release,
    /// What it can do, where the operator knows better than it says.
    pub abilities: Abilities,
    /// The form of telephone numbers in a blind REFER.
    pub refer_to: ReferTo,
    /// Where its RTP may come from besides the address in its SDP.
    pub allowed_media: Vec<Network>,
    /// Codecs we accept from it, in our order of preference.
    pub codecs: Vec<Codec>,
    /// Whether its calls are recorded, where the route does not say so.
    pub record: Option<Record>,
    /// Where it takes calls of ours, to people who are called back; none: nowhere.
    pub outbound: Option<Outbound>,
    /// How SIP is spoken with it.
    pub signalling: Signalling,
}

/// Where a trunk takes calls of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outbound {
    /// Request URI; `{number}` stands for whom we call.
    pub uri: String,
    /// Where the request is sent.
    pub target: Target,
    /// The host name it was found under, which its TLS certificate must hold.
    pub host: Option<String>,
}

/// The form of telephone numbers in the `Refer-To` of a blind REFER. Other targets go out as they are configured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ReferTo {
    /// Byte for byte as the desk is configured.
    #[default]
    AsIs,
    /// `tel:+442079460000`.
    Tel,
    /// `sip:+442079460000@HOST;user=phone`, with this host.
    Domain(String),
}

/// What the operator says of a peer's abilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Abilities {
    /// Whether it follows REFER (RFC 3515).
    pub refer: Manual,
    /// Whether it takes INVITE with Replaces (RFC 3891), and may be told to send one.
    pub replaces: Manual,
}

/// One ability, as set by the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Manual {
    /// Not set: what the peer says and does counts.
    #[default]
    Learn,
    /// It can, whatever it says.
    Yes,
    /// It cannot.
    No,
}

impl Manual {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learn => "learn",
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

impl fmt::Display for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether we leave the path after the join (REFER with Replaces, RFC 5589).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Release {
    /// When the trunk is known to follow REFER with Replaces: it says so, or has done it.
    #[default]
    Auto,
    /// Never.
    Stay,
    /// Always try.
    Refer,
}

/// An AI voice agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bot {
    /// Its name in the configuration.
    pub name: String,
    /// How it is reached.
    pub reach: BotReach,
    /// Codecs it may be offered (SIP bots).
    pub codecs: Vec<Codec>,
    /// What happens when it ends its leg in good order.
    pub on_close: OnBotClose,
    /// What happens when it refuses or cannot be reached before the caller was answered.
    pub on_refusal: OnBotRefusal,
    /// Where its RTP may come from besides the address in its SDP.
    pub allowed_media: Vec<Network>,
    /// How SIP is spoken with it.
    pub signalling: Signalling,
}

/// One place where a desk or a bot takes requests (RFC 3263).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Transport.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// Lower is tried first (RFC 2782).
    pub priority: u16,
    /// Its share among those of the same priority.
    pub weight: u16,
}

impl Target {
    /// The only one.
    pub const fn new(transport: Transport, address: SocketAddr) -> Self {
        Self { transport, address, priority: 0, weight: 0 }
    }
}

/// How a bot is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BotReach {
    /// INVITE.
    Sip {
        /// Request URI; `{user}` stands for the user that was dialled.
        uri: String,
        /// Where the request is sent. Empty: its host name has not been looked up yet.
        targets: Vec<Target>,
        /// The host name it is found under, which its TLS certificate must hold.
        host: Option<String>,
    },
    /// A WebSocket of the Media Streams kind that we dial.
    Stream {
        /// `ws://` or `wss://`.
        url: String,
    },
}

/// What happens when the bot ends its leg in good order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnBotClose {
    /// The bot is finished, so is the call.
    #[default]
    HangUp,
    /// The caller goes to a human.
    Handoff,
}

/// What happens when the bot cannot take a call that has not been answered yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnBotRefusal {
    /// The caller gets a failure response.
    #[default]
    Refuse,
    /// The caller is answered and goes to a human.
    Handoff,
}

/// One human's seat, or a queue of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desk {
    /// Its name in the configuration.
    pub name: String,
    /// Request URI, sent byte-exact; `{user}` stands for the user that was dialled. Of no meaning where a telephone
    /// registers: it says its own.
    pub uri: String,
    /// Where the request is sent. Empty: only the trunk can call it, its telephone registers, or its host name has not been looked up yet.
    pub targets: Vec<Target>,
    /// The host name it is found under, which its TLS certificate must hold.
    pub host: Option<String>,
    /// It has no telephone: its human talks in its page, which calls nobody (`targets` is empty) and is not called.
    pub browser: bool,
    /// How the caller gets there.
    pub handover: Handover,
    /// The proof that a human answered.
    pub accept: AcceptGate,
    /// Whether the human hears why the caller needs a person before being asked for the key.
    pub whisper: bool,
    /// Codecs it may be offered.
    pub codecs: Vec<Codec>,
    /// What it is good at; routing compares them with what a call needs.
    pub skills: Vec<String>,
    /// What is spoken there: language tags such as `es`. Empty: not known.
    pub languages: Vec<String>,
    /// The higher, the more experienced: rung first for urgent and priority callers, last for others.
    pub seniority: u8,
    /// Handoffs it takes at once.
    pub capacity: u16,
    /// Rung only while its page is open.
    pub require_page: bool,
    /// How long its human is left alone after a conversation, at most. Zero: not at all.
    pub after_call: Duration,
    /// Lower is tried first.
    pub priority: u16,
    /// Where an INVITE with `Replaces` (RFC 3891) may come from that takes over a dialog of this desk's. Empty: only from
    /// the hosts of `targets`.
    pub replaces_from: Vec<Network>,
    /// Whether the consult INVITE also carries the facts as a JSON part (RFC 5621). Off unless known to be accepted.
    pub multipart: bool,
    /// Keys that are pressed once it has answered, before anything else.
    pub post_digits: Vec<DialStep>,
    /// What its product accepts.
    pub profile: Arc<Profile>,
    /// What it can do, where the operator knows better than it says.
    pub abilities: Abilities,
    /// Where its RTP may come from besides the address in its SDP.
    pub allowed_media: Vec<Network>,
    /// How SIP is spoken with it.
    pub signalling: Signalling,
}

impl Desk {
    /// Whether we can call it, once its telephone or page is there.
    pub const fn is_callable(&self) -> bool {
        !self.targets.is_empty() || self.signalling.seat.is_some() || self.browser
    }

    /// Whether its telephone is the one at this address.
    pub fn is_at(&self, ip: IpAddr) -> bool {
        self.targets.iter().any(|target| target.address.ip().to_canonical() == ip.to_canonical())
    }

    /// Whether several callers may wait behind it: then 183 means that this one does.
    pub fn is_queue(&self) -> bool {
        self.accept == AcceptGate::Auto || self.capacity > 1
    }
}

/// How the caller gets to a desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Handover {
    /// The human is told why and says yes before they are joined.
    #[default]
    Warm,
    /// They are joined as soon as the desk answers: no whisper, no gate.
    Cold,
    /// The trunk is asked to call the desk (REFER without Replaces); where it does not, as [`Self::Cold`].
    Refer,
}

/// The proof that a human, not a voicemail, answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AcceptGate {
    /// DTMF 1, or the button on the desk page.
    #[default]
    KeyOrPage,
    /// Answering is accepting (queues).
    Auto,
}

/// What is done with a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// What was dialled.
    pub dialled: Pattern,
    /// Who gets it.
    pub to: RouteTo,
    /// Whether the caller's voice is listened to while the bot has the call.
    pub listen: bool,
    /// What the caller hears while a desk rings.
    pub while_consulting: WhileConsulting,
    /// Who stays, and who may give the caller back.
    pub choreography: Choreography,
    /// Who has the caller when the human hangs up and the caller does not.
    pub on_human_gone: OnHumanGone,
    /// Whether its calls are recorded, whatever the trunk says.
    pub record: Option<Record>,
    /// Where to.
    pub record_to: Option<RecordTo>,
    /// Callers wait in line while no desk is free.
    pub queue: Option<Queueing>,
    /// What is done for a caller whom no human can take: the first that fits. Without one the bot goes on.
    pub otherwise: Vec<Otherwise>,
}

/// What is done for some of the callers whom no human can take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Otherwise {
    /// For those who are at most so urgent.
    pub urgency: Option<Urgency>,
    /// Only while the opening hours of callbacks say that somebody is there, or only while they say that nobody is.
    pub open: Option<bool>,
    /// For those who want this, as the entity `wish` says.
    pub wish: Option<String>,
    /// What.
    pub then: Way,
}

/// What is done for a caller whom no human can take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The bot goes on.
    Bot,
    /// They are called back as soon as possible, and the bot is told.
    Callback,
    /// They are asked for a message.
    Voicemail,
}

/// How long messages may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Voicemails {
    /// At most.
    pub max: Duration,
    /// Who says nothing for so long has finished.
    pub silence: Duration,
}

/// How callers wait in line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queueing {
    /// How long at most.
    pub max_wait: Duration,
    /// Nobody begins to wait behind so many.
    pub max_length: usize,
}

/// How calls are recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recording {
    /// Whether they are, where neither route nor trunk says.
    pub calls: Record,
    /// What of them.
    pub what: Recorded,
    /// Where to, where the route does not say.
    pub to: RecordTo,
    /// When the caller has agreed.
    pub consent: Consent,
    /// The key by which a caller who is asked agrees.
    pub consent_key: Option<char>,
}

/// Whether a call is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Record {
    /// Not.
    #[default]
    Never,
    /// For as long as we are in the path: until a release.
    WhileHere,
    /// To the end: we stay in the path for it.
    Always,
}

/// Where a recording goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RecordTo {
    /// Into a file of ours.
    #[default]
    File,
    /// To the external recorder.
    Recorder,
    /// Both.
    Both,
    /// To the external recorder; into a file from when that has failed for good.
    RecorderElseFile,
}

impl RecordTo {
    /// Whether a file may be made of it.
    pub fn may_be_kept(self) -> bool {
        self != Self::Recorder
    }

    /// Whether an external recorder gets it.
    pub fn is_sent(self) -> bool {
        self != Self::File
    }
}

/// An external recorder: the server of a recording session (RFC 7866).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorder {
    /// What traces and metrics call it.
    pub name: String,
    /// Request URI.
    pub uri: String,
    /// Where the request is sent. Empty: its host name has not been looked up yet.
    pub targets: Vec<Target>,
    /// The host name it is found under, which its TLS certificate must hold.
    pub host: Option<String>,
    /// Codecs it is offered, in order of preference.
    pub codecs: Vec<Codec>,
    /// How SIP is spoken with it.
    pub signalling: Signalling,
}

/// What of a call is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Recorded {
    /// The caller on the left, whomever the caller hears on the right.
    #[default]
    Stereo,
    /// Both in one channel.
    Mixed,
    /// The caller alone.
    Caller,
    /// The human alone, while they have the caller.
    Human,
}

/// When the caller has agreed to be recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Consent {
    /// By calling.
    #[default]
    Implied,
    /// By staying on the line after a notice.
    Announced,
    /// Once the bot or somebody in operations says so, or the caller presses the key.
    Asked,
}

/// Who stays after the join, and who may give the caller back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choreography {
    /// Whether the bot introduces the human to the caller.
    pub introduce: Introduce,
    /// Whether the bot stays on.
    pub co_pilot: CoPilot,
    /// Whether the human may give the caller back to the bot.
    pub hand_back: HandBack,
    /// The keys on the human's telephone that do so; empty: none.
    pub hand_back_keys: String,
}

impl Default for Choreography {
    fn default() -> Self {
        Self {
            introduce: Introduce::default(),
            co_pilot: CoPilot::default(),
            hand_back: HandBack::default(),
            hand_back_keys: "*9".to_owned(),
        }
    }
}

/// Whether the human may give the caller back to the bot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HandBack {
    /// Not.
    No,
    /// For as long as we are in the path: where the trunk releases, that is until the release.
    #[default]
    Yes,
    /// At any time: we stay in the path for it.
    Required,
}

/// How the human is introduced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Introduce {
    /// Not: the bot goes as they are joined.
    #[default]
    None,
    /// By the bot, all three hearing each other.
    ThreeWay,
}

/// What the bot does while the human has the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CoPilot {
    /// It goes.
    #[default]
    Off,
    /// It hears both, and nobody hears it.
    Silent,
    /// It hears both, and the human hears it; the caller does not.
    Heard,
}

/// A condition on the user part of the request URI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pattern {
    /// Exactly this.
    Exact(String),
    /// Begins so.
    Prefix(String),
    /// Anything.
    Any,
}

impl Pattern {
    /// Whether `user` meets the condition.
    pub fn matches(&self, user: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == user,
            Self::Prefix(prefix) => user.starts_with(prefix.as_str()),
            Self::Any => true,
        }
    }
}

/// Who gets a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteTo {
    /// The bot of that name.
    Bot(String),
    /// Straight to the desk of that name, without bot or gate.
    Desk(String),
}

/// What the caller hears while a desk rings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhileConsulting {
    /// The bot keeps talking.
    #[default]
    Bot,
    /// Hold music.
    Music,
}

/// Who has the caller when the human hangs up and the caller does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnHumanGone {
    /// The bot again.
    #[default]
    Bot,
    /// The next desk; the bot when there is none.
    NextDesk,
}

/// How long things may take. The defaults are those of the design.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timers {
    /// A desk rings at most so long. Default 25 s.
    pub ring_timeout: Duration,
    /// A desk from which nothing but 100 has come after this is joined by the next one. Default 4 s.
    pub no_progress: Duration,
    /// A desk that has put the caller into a queue (182; 183 from a desk that is a queue) has so long from then on.
    /// Default 120 s.
    pub queue_timeout: Duration,
    /// A desk that answered has so long to prove that it is human. Default 10 s.
    pub accept_timeout: Duration,
    /// The consult INVITE waits so long for the desk page to show the pop. Default 20 ms.
    pub pop_wait: Duration,
    /// Caller and human have so long, from the join, to be heard both ways; without that the handoff is unproven and
    /// stays joined. Default 10 s.
    pub proof_timeout: Duration,
    /// We stay joined at least so long before leaving the path. Default 3 s.
    pub release_after: Duration,
    /// A REFER that was accepted has so long to succeed. Default 30 s.
    pub refer_result_timeout: Duration,
    /// A bot has so long to answer. Default 10 s.
    pub bot_timeout: Duration,
    /// A bot has so long to answer the caller once the caller has spoken; then it counts as dead. Default 8 s; none: for
    /// ever.
    pub reply_timeout: Option<Duration>,
    /// How long a released port rests before it is used again, so that late packets of the old call die. Default 5 s.
    pub port_drain: Duration,
    /// At most one amended pop per this time and desk. Default 250 ms.
    pub amend_every: Duration,
    /// The bot has so long to introduce the human, all three hearing each other. Default 10 s.
    pub introduce_timeout: Duration,
    /// A join waits at most so long for an announcement of the bot's to be played. Default 5 s.
    pub announcement_max: Duration,
    /// A caller who waits with music is told this often that somebody is still being sought. Default 20 s; none: never.
    pub waiting_prompt_every: Option<Duration>,
    /// A leg that nobody has refreshed for so long is hung up (RFC 4028), at least 90 s. Default 1800 s; none: only where
    /// the peer asks for such a time.
    pub session_expires: Option<Duration>,
    /// Desks' telephones and SIP bots are sent OPTIONS this often. Default none: they are not.
    pub ping_every: Option<Duration>,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            ring_timeout: Duration::from_secs(25),
            no_progress: Duration::from_secs(4),
            queue_timeout: Duration::from_secs(120),
            accept_timeout: Duration::from_secs(10),
            pop_wait: Duration::from_millis(20),
            proof_timeout: Duration::from_secs(10),
            release_after: Duration::from_secs(3),
            refer_result_timeout: Duration::from_secs(30),
            bot_timeout: Duration::from_secs(10),
            reply_timeout: Some(Duration::from_secs(8)),
            port_drain: Duration::from_secs(5),
            amend_every: Duration::from_millis(250),
            introduce_timeout: Duration::from_secs(10),
            announcement_max: Duration::from_secs(5),
            waiting_prompt_every: Some(Duration::from_secs(20)),
            session_expires: Some(Duration::from_secs(1800)),
            ping_every: None,
        }
    }
}

impl SwitchboardConfig {
    /// The first route that matches the dialled user.
    pub fn route(&self, dialled: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.dialled.matches(dialled))
    }

    /// The bot of that name.
    pub fn bot(&self, name: &str) -> Option<&Bot> {
        self.bots.iter().find(|bot| bot.name == name)
    }

    /// The desk of that name.
    pub fn desk(&self, name: &str) -> Option<&Desk> {
        self.desks.iter().find(|desk| desk.name == name)
    }
}
