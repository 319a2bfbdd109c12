//! Media parameters, and what the switchboard and the media path say to each other.
//!
//! RTP never passes the switchboard: it sends [`MediaCommand`]s and receives [`MediaEvent`]s.

use crate::cause::EndReason;
use crate::fact::Trigger;
use crate::ids::{InterfaceId, LegId, Role};
use crate::srtp::{IceLite, Keying, SrtpUse};
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// An audio codec Warmline carries, with one channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Codec {
    /// G.711 mu-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
    /// G.722 at 64 kbit/s: sampled at 16000 Hz, but its RTP clock runs at 8000 (RFC 3551 §4.5.2).
    G722,
    /// Opus (RFC 6716, RFC 7587). Its RTP clock runs at 48000 whatever the audio's bandwidth.
    Opus,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The static payload type (RFC 3551 §6), or the dynamic one that we offer.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// The encoding name of `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Ticks of its RTP timestamps in a second.
    pub const fn clock(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Whether it is one of the two laws of G.711, which turn into each other octet by octet.
    pub const fn is_g711(self) -> bool {
        matches!(self, Self::Pcmu | Self::Pcma)
    }
}

/// Which way audio may flow, seen from us (RFC 3264 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send; the peer listens.
    SendOnly,
    /// We listen; the peer sends. We send no RTP.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether we may send RTP.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether we expect RTP.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Our side of one leg's audio: what goes into our SDP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalMedia {
    /// The address peers are told to send RTP to. RTCP goes to the next port.
    pub rtp: SocketAddr,
    /// Codecs in order of preference; never empty.
    pub codecs: Vec<Codec>,
    /// The payload type for telephone-event (RFC 4733) when we are the one to choose.
    pub telephone_event: u8,
    /// What we ask for.
    pub direction: Direction,
    /// Whether it is encrypted.
    pub srtp: SrtpUse,
}

/// The agreed parameters toward one peer, after offer and answer (RFC 3264).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteMedia {
    /// Where the peer's SDP says to send RTP.
    pub rtp: SocketAddr,
    /// Where it says to send RTCP: the next port, `a=rtcp` (RFC 3605), or `rtp` with rtcp-mux (RFC 5761).
    pub rtcp: SocketAddr,
    /// The one codec we send and expect.
    pub codec: Codec,
    /// The number that the peer gave it.
    pub payload_type: u8,
    /// The peer asks for forward error correction (Opus, RFC 7587 §6.1).
    pub fec: bool,
    /// Most bits a second that the peer wants (Opus).
    pub max_bitrate: Option<u32>,
    /// Telephone-event payload type, when agreed.
    pub telephone_event: Option<u8>,
    /// Ticks of its durations in a second.
    pub event_clock: u32,
    /// What is allowed now, from our point of view.
    pub direction: Direction,
    /// Where the keys come from, where it is encrypted.
    pub keying: Option<Keying>,
    /// By what a browser is known, which is wherever its checks come from.
    pub ice: Option<IceLite>,
}

impl RemoteMedia {
    /// Both ways with this codec under its usual number, RTCP on the next port, no telephone-event.
    pub const fn new(rtp: SocketAddr, codec: Codec) -> Self {
        Self {
            rtp,
            rtcp: SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)),
            codec,
            payload_type: codec.payload_type(),
            fec: false,
            max_bitrate: None,
            telephone_event: None,
            event_clock: codec.clock(),
            direction: Direction::SendRecv,
            keying: None,
            ice: None,
        }
    }
}

/// A named piece of audio the gateway itself plays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Prompt {
    /// To the caller when the bot died: "one moment, I am getting a person for you".
    BotLost,
    /// To the caller when no human could be reached and no bot is left.
    NobodyAvailable,
    /// To a caller who waits with music: somebody is still being sought.
    StillTrying,
    /// To a caller who waits in line with music: at which place they stand, 1 to 9.
    Place(u8),
    /// To the caller, before anything else: the call is recorded.
    Recorded,
    /// To a caller whom no human can take: leave a message after the tone, which it ends with.
    LeaveMessage,
    /// To the human, whisper: why the caller needs a person.
    Why(Trigger),
    /// To the human, whisper: press 1 to take the call.
    PressOne,
    /// To the human who answered after the caller had gone.
    CallerGone,
}

/// What feeds a leg now: exactly one of these at any time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selector {
    /// Another leg of the same call.
    Leg(LegId),
    /// Two other legs of the same call at once. Who is silent, or not open, adds silence.
    Mix(LegId, LegId),
    /// A prompt, once; then comfort silence until told otherwise. [`MediaEvent::Played`] follows.
    Prompt(Prompt),
    /// Hold music, in a loop.
    Music,
    /// Silence packets at the codec's pace.
    Silence,
}

/// How a peer is told of keys that somebody pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeysBy {
    /// In its RTP: as telephone-events (RFC 4733) where they were agreed, else as tones.
    #[default]
    Rtp,
    /// By SIP INFO, which the switchboard sends.
    Info,
}

/// A part of a sequence of keys that we press.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialStep {
    /// `0-9`, `*`, `#`, `A-D`.
    Key(char),
    /// Nothing for so long.
    Pause(Duration),
}

/// From the switchboard to the media thread that owns the call.
#[derive(Clone, PartialEq, Debug)]
pub enum MediaCommand {
    /// Start an RTP leg on a local port (RTCP on the next one).
    Open {
        /// The leg.
        leg: LegId,
        /// Its part; only a caller's audio may be tapped.
        role: Role,
        /// Local UDP port, even.
        port: u16,
        /// On which of our interfaces.
        interface: InterfaceId,
        /// Networks the leg's RTP may come from besides the address in the SDP, as (address, prefix length).
        allowed: Vec<(IpAddr, u8)>,
        /// How its peer is told of keys.
        keys_by: KeysBy,
    },
    /// Start a leg whose audio comes and goes as mu-law frames over a bot's WebSocket.
    OpenStream {
        /// The leg.
        leg: LegId,
    },
    /// Start an ear: a leg that only hears, for a recording of the call. Keys that somebody presses it does not hear.
    OpenEar {
        /// The leg.
        leg: LegId,
    },
    /// Another telephone is the leg's peer from now on: nothing goes to the former one, and nothing of it is taken.
    /// [`Self::Remote`] says where the new one is.
    Replaced {
        /// The leg.
        leg: LegId,
    },
    /// The parameters agreed with the peer; each call reopens the latching window.
    Remote {
        /// The leg.
        leg: LegId,
        /// The parameters.
        media: RemoteMedia,
    },
    /// What `leg` hears from now on.
    Feed {
        /// The listener.
        leg: LegId,
        /// The source.
        from: Selector,
    },
    /// Copy this leg's incoming audio to the listener, or stop. Ignored unless the leg is a caller's.
    Tap {
        /// The leg.
        leg: LegId,
        /// On or off.
        on: bool,
    },
    /// A [`MediaEvent::Quality`] of the leg is wanted now: when was it last heard?
    Measure {
        /// The leg.
        leg: LegId,
    },
    /// Whether somebody speaks on the leg is told afresh: [`MediaEvent::Speaks`] follows only once audio that comes from
    /// now on is speech.
    Attend {
        /// The leg.
        leg: LegId,
    },
    /// The leg's peer pressed a key by SIP INFO. [`MediaEvent::Digit`] follows, unless the same press was heard already.
    Pressed {
        /// The leg.
        leg: LegId,
        /// `0-9`, `*`, `#`, `A-D`.
        digit: char,
        /// How long the key was held; zero when that was not said.
        held: Duration,
    },
    /// Press keys toward the leg's peer. [`MediaEvent::Dialled`] follows.
    Dial {
        /// The leg.
        leg: LegId,
        /// One after the other, at most 64.
        steps: Vec<DialStep>,
    },
    /// The leg is over. Its final [`MediaEvent::Quality`] follows.
    Close {
        /// The leg.
        leg: LegId,
    },
}

impl MediaCommand {
    /// The leg it is about.
    pub fn leg(&self) -> LegId {
        match self {
            Self::Open { leg, .. }
            | Self::OpenStream { leg }
            | Self::OpenEar { leg }
            | Self::Replaced { leg }
            | Self::Remote { leg, .. }
            | Self::Feed { leg, .. }
            | Self::Tap { leg, .. }
            | Self::Measure { leg }
            | Self::Attend { leg }
            | Self::Pressed { leg, .. }
            | Self::Dial { leg, .. }
            | Self::Close { leg } => *leg,
        }
    }
}

/// From the media path to the switchboard.
#[derive(Clone, PartialEq, Debug)]
pub enum MediaEvent {
    /// First valid RTP of the leg, and where it came from.
    Flowing {
        /// The leg.
        leg: LegId,
        /// The source address now latched.
        from: SocketAddr,
    },
    /// Nothing for a while although something was expected.
    Silent {
        /// The leg.
        leg: LegId,
        /// How long it has been.
        lasted: Duration,
    },
    /// Somebody begins to speak: audio above -45 dBov for 100 ms. Told once, and they speak on until [`Self::Paused`].
    Speaks {
        /// The leg.
        leg: LegId,
    },
    /// Somebody who spoke has not for 700 ms, whether silence came or nothing.
    Paused {
        /// The leg.
        leg: LegId,
    },
    /// A key press ended, reported once, by whatever means it came.
    Digit {
        /// The leg.
        leg: LegId,
        /// `0-9`, `*`, `#`, `A-D`.
        digit: char,
        /// How long the key was held.
        held: Duration,
    },
    /// The leg's peer is to be told of a key by SIP INFO ([`KeysBy::Info`]).
    Key {
        /// The leg.
        leg: LegId,
        /// `0-9`, `*`, `#`, `A-D`.
        digit: char,
        /// How long the key is held.
        held: Duration,
    },
    /// All keys of a [`MediaCommand::Dial`] were pressed.
    Dialled {
        /// The leg.
        leg: LegId,
    },
    /// What a bot on a stream sent before this mark was played, or the bot dropped it.
    MarkPlayed {
        /// The bot's leg.
        leg: LegId,
        /// The bot's name for it.
        name: String,
    },
    /// A prompt was played to its end.
    Played {
        /// The listener.
        leg: LegId,
        /// What was played.
        prompt: Prompt,
    },
    /// Statistics: every few seconds, and once at the end with `last`.
    Quality {
        /// The leg.
        leg: LegId,
        /// The numbers.
        stats: LegStats,
        /// The leg is closed; its port may be drained.
        last: bool,
    },
    /// The leg cannot carry media.
    Failed {
        /// The leg.
        leg: LegId,
        /// [`EndReason::NoCapacity`]: a port does not bind. [`EndReason::HandshakeFailed`]: there are no keys.
        /// [`EndReason::Fault`]: a bug.
        reason: EndReason,
        /// For operators.
        why: String,
    },
}

/// What one leg sent and received so far.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct LegStats {
    /// RTP packets received and accepted.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Expected but not received (RFC 3550 §6.4.1, cumulative).
    pub lost: u64,
    /// Interarrival jitter, milliseconds (RFC 3550 §A.8).
    pub jitter_ms: f32,
    /// Round trip by RTCP (RFC 3550 §6.4.1), milliseconds; none until a report block came.
    pub round_trip_ms: Option<f32>,
    /// Loss the peer reported for our stream, 0..1.
    pub remote_loss: Option<f32>,
    /// Jitter the peer reported for our stream, milliseconds.
    pub remote_jitter_ms: Option<f32>,
    /// How what the peer sends sounds here, as a mean opinion score (ITU-T G.107, 1 to 4.5) over the life of the leg.
    pub mos: Option<f32>,
    /// How what we send sounds there, by the peer's reports.
    pub remote_mos: Option<f32>,
    /// Packets refused: wrong source, not RTP, wrong payload type.
    pub refused: u64,
    /// Longest pause between two packets we sent while we were allowed to send, milliseconds.
    pub longest_gap_ms: f32,
    /// When the last valid packet came.
    pub last_received: Option<Instant>,
}
