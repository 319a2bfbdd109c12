//! What the engine takes and gives: configuration, outputs, packets, the tap.

use crate::cover::Dtls;
use call_model::{LegId, MediaEvent, Prompt, TapFrame};
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Audio octets of one 20 ms frame at 8000 Hz.
pub const FRAME: usize = 160;

/// Longest packet the engine itself sends: room for 60 ms of G.711, and for a compound RTCP packet.
pub const PACKET_CAPACITY: usize = 512;

/// What the gateway plays, as mu-law bytes at 8000 Hz. A prompt without audio counts as played at once.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    audio: BTreeMap<Prompt, Arc<[u8]>>,
}

impl Prompts {
    /// No audio at all: every prompt is over at once.
    pub fn none() -> Self {
        Self::default()
    }

    /// The audio of one prompt.
    pub fn get(&self, prompt: Prompt) -> &[u8] {
        self.audio.get(&prompt).map_or(&[], |audio| audio)
    }
}

impl FromIterator<(Prompt, Arc<[u8]>)> for Prompts {
    fn from_iter<I: IntoIterator<Item = (Prompt, Arc<[u8]>)>>(prompts: I) -> Self {
        Self { audio: prompts.into_iter().collect() }
    }
}

/// How one engine behaves.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Prompt audio.
    pub prompts: Prompts,
    /// Hold music, mu-law at 8000 Hz, played in a loop; silence when empty.
    pub music: Arc<[u8]>,
    /// Canonical name in RTCP SDES (RFC 3550 §6.5.1); at most 255 octets are sent.
    pub cname: String,
    /// [`MediaEvent::Silent`] is reported each time this much passed without a packet that was expected.
    pub silent_after: Duration,
    /// When a leg's source sends nothing for this long, the listener is fed silence packets until it sends again.
    /// Too small and jitter is taken for silence; above 500 ms the caller could hear a dead line.
    pub fill_after: Duration,
    /// How long each remote SDP keeps the latching window open.
    pub latch_window: Duration,
    /// How long the former payload type is accepted after the codec changed.
    pub codec_grace: Duration,
    /// Interval of [`MediaEvent::Quality`].
    pub quality_every: Duration,
    /// Mean RTCP interval; each one is drawn from 0.5 to 1.5 of it (RFC 3550 §6.2).
    pub rtcp_every: Duration,
    /// Audio kept per WebSocket bot, at most; more is dropped and counted as refused.
    pub stream_buffer: Duration,
    /// Audio collected before a WebSocket bot that was quiet is heard, against the jitter of its connection.
    pub stream_preroll: Duration,
    /// Who makes the keys of legs that agree on DTLS; none: they get none, and stay silent.
    pub dtls: Option<Arc<dyn Dtls>>,
}

impl EngineConfig {
    /// The defaults, with no prompts and no music.
    pub fn new(cname: impl Into<String>) -> Self {
        Self {
            prompts: Prompts::none(),
            music: Arc::from([].as_slice()),
            cname: cname.into(),
            silent_after: Duration::from_secs(3),
            fill_after: Duration::from_millis(200),
            latch_window: Duration::from_secs(5),
            codec_grace: Duration::from_millis(500),
            quality_every: Duration::from_secs(5),
            rtcp_every: Duration::from_secs(5),
            stream_buffer: Duration::from_secs(60),
            stream_preroll: Duration::from_millis(40),
            dtls: None,
        }
    }
}

/// A leg's dense place in the engine, for the packet path. Given out at `Open`, see [`crate::MediaEngine::slot_of`];
/// a slot kept after `Close` is recognised as stale and does nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LegSlot {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl LegSlot {
    /// A small number, reused after a leg closes: for arrays beside the engine.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// A packet rewritten in place: send it from `slot`'s RTP socket, now.
#[derive(PartialEq, Eq, Debug)]
pub struct Relay<'b> {
    /// The listener, whose socket sends.
    pub slot: LegSlot,
    /// The listener.
    pub leg: LegId,
    /// Where to.
    pub to: SocketAddr,
    /// The packet: a part of the buffer that was handed in.
    pub bytes: &'b [u8],
}

/// A packet kept inline, so that sending needs no heap.
#[derive(Clone, Copy)]
pub struct Packet {
    len: u16,
    bytes: [u8; PACKET_CAPACITY],
}

impl Packet {
    /// An empty packet.
    pub const fn new() -> Self {
        Self { len: 0, bytes: [0; PACKET_CAPACITY] }
    }

    /// Appends as much of `data` as fits; whether it was all of it.
    pub fn push(&mut self, data: &[u8]) -> bool {
        let start = usize::from(self.len);
        let room = (PACKET_CAPACITY - start).min(data.len());
        self.bytes[start..start + room].copy_from_slice(&data[..room]);
        self.len = (start + room) as u16;
        room == data.len()
    }

    /// Hands all of its room to `seal` with the length in use, and takes the new length; false when there is none.
    pub(crate) fn seal(&mut self, seal: impl FnOnce(&mut [u8], usize) -> Option<usize>) -> bool {
        let sealed = seal(&mut self.bytes, usize::from(self.len));
        self.len = sealed.map_or(self.len, |length| length as u16);
        sealed.is_some()
    }

    /// What to send.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// What to send, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[..usize::from(self.len)]
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Packet {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packet({} octets)", self.len)
    }
}

/// What the engine wants done. Drain with [`crate::MediaEngine::poll_output`] after every `handle_*`.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "inline packets keep the heap out of the packet path")]
pub enum Output {
    /// Send an RTP packet from the leg's RTP socket.
    Rtp {
        /// The sending leg.
        leg: LegId,
        /// The same, dense.
        slot: LegSlot,
        /// Where to.
        to: SocketAddr,
        /// The packet.
        packet: Packet,
    },
    /// Send a datagram that is no RTP from the leg's RTP socket: of a DTLS handshake, or the answer to a browser's check.
    Datagram {
        /// The sending leg.
        leg: LegId,
        /// The same, dense.
        slot: LegSlot,
        /// Where to.
        to: SocketAddr,
        /// The datagram.
        datagram: Vec<u8>,
    },
    /// Send an RTCP packet. It may still come after the leg was closed (its BYE), before [`MediaEvent::Quality`] with
    /// `last`.
    Rtcp {
        /// The sending leg.
        leg: LegId,
        /// The same, dense.
        slot: LegSlot,
        /// Where to.
        to: SocketAddr,
        /// From the RTP socket (RFC 5761) instead of the RTCP one.
        muxed: bool,
        /// The compound packet.
        packet: Packet,
    },
    /// 20 ms of mu-law for the WebSocket bot.
    StreamFrame {
        /// The bot's leg.
        leg: LegId,
        /// The audio.
        mulaw: [u8; FRAME],
    },
    /// Audio before this mark has been played, or `clear` dropped it.
    StreamMarkPlayed {
        /// The bot's leg.
        leg: LegId,
        /// The bot's name for it.
        name: String,
    },
    /// 20 ms of what an ear hears, linear at 8000 Hz.
    Heard {
        /// The ear.
        leg: LegId,
        /// Which 20 ms these are, counted from time zero: all ears count alike, and what is left out was not heard.
        number: u64,
        /// The audio.
        samples: [i16; FRAME],
    },
    /// Somebody the WebSocket bot hears pressed a key.
    StreamDigit {
        /// The bot's leg.
        leg: LegId,
        /// `0-9`, `*`, `#`, `A-D`.
        digit: char,
    },
    /// For the switchboard.
    Event(MediaEvent),
}

/// Why the engine wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimerName {
    /// The next 20 ms frame of whatever is paced: prompts, music, silence, WebSocket bots.
    Pace,
    /// A source may have gone quiet and its listener needs silence.
    Fill,
    /// A leg may have been silent for too long.
    Silent,
    /// Somebody who spoke may have paused.
    Pause,
    /// A key press whose last packets were lost is over.
    DigitEnd,
    /// A DTLS handshake has to be pushed on.
    Handshake,
    /// RTCP is due (RFC 3550 §6.2).
    Rtcp,
    /// Statistics are due.
    Quality,
}

/// Where tapped packets go. Called on the packet path: must not block, lock or allocate.
pub trait TapSink: Send {
    /// Takes the frame, or says false when full: the frame is dropped and counted.
    fn push(&mut self, frame: &TapFrame) -> bool;
}

/// Drops everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTap;

impl TapSink for NoTap {
    fn push(&mut self, _: &TapFrame) -> bool {
        true
    }
}

impl TapSink for Vec<TapFrame> {
    fn push(&mut self, frame: &TapFrame) -> bool {
        Vec::push(self, *frame);
        true
    }
}
