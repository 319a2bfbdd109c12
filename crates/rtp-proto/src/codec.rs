//! Payloads to linear audio and back, one direction of one stream each: G.722 remembers what came before.

use crate::api::{FRAME, Packet};
use crate::frame::{Frame, Rate, WIDE};
use crate::g711;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use call_model::{Codec, RemoteMedia};
use core::fmt;
use core::time::Duration;
use opus_rs::{Application, OpusDecoder, OpusEncoder};

/// Bits a second that we make of Opus: wideband speech with forward error correction.
const OPUS_BITRATE: u32 = 24_000;
/// Fast, and for speech at this rate hardly worse than slow.
const OPUS_COMPLEXITY: i32 = 1;
/// The loss that forward error correction is made for, in percent.
const OPUS_LOSS: i32 = 5;
/// Samples of the longest Opus packet, 120 ms.
const OPUS_LONGEST: usize = 6 * WIDE;

/// From payloads to samples.
pub(crate) enum Decoder {
    Mulaw,
    Alaw,
    G722(Box<G722Decoder>),
    Opus(Box<OpusDecoder>),
}

impl Decoder {
    pub(crate) fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Mulaw,
            Codec::Pcma => Self::Alaw,
            Codec::G722 => Self::G722(Box::default()),
            // It fails for rates that Opus does not have; 16000 Hz it has.
            Codec::Opus => OpusDecoder::new(16_000, 1).map_or(Self::Mulaw, |decoder| Self::Opus(Box::new(decoder))),
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        match self {
            Self::Mulaw => Codec::Pcmu,
            Self::Alaw => Codec::Pcma,
            Self::G722(_) => Codec::G722,
            Self::Opus(_) => Codec::Opus,
        }
    }

    /// What was lost before `next`, if the codec itself knows how to make it up; returns how many samples that is.
    pub(crate) fn recover(&mut self, next: Option<&[u8]>, lost: &mut [i16]) -> Option<usize> {
        let Self::Opus(decoder) = self else { return None };
        let mut out = [0.0; OPUS_LONGEST];
        let room = lost.len().min(OPUS_LONGEST);
        let decoded = decoder.decode_fec(next.unwrap_or(&[]), room, &mut out).ok()?;
        Some(to_linear(&out[..decoded.min(room)], lost))
    }

    /// Decodes as much as there is room for; returns how many samples that is.
    pub(crate) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::Mulaw => by_table(payload, out, g711::decode_mulaw),
            Self::Alaw => by_table(payload, out, g711::decode_alaw),
            Self::G722(decoder) => {
                let fits = payload.len().min(out.len() / 2);
                decoder.decode_into(&payload[..fits], out).unwrap_or(0)
            }
            Self::Opus(decoder) => {
                let mut linear = [0.0; OPUS_LONGEST];
                let decoded = decoder.decode(payload, OPUS_LONGEST, &mut linear).unwrap_or(0);
                to_linear(&linear[..decoded.min(OPUS_LONGEST)], out)
            }
        }
    }
}

fn to_linear(samples: &[f32], out: &mut [i16]) -> usize {
    for (into, sample) in out.iter_mut().zip(samples) {
        *into = (sample * 32_768.0) as i16;
    }
    out.len().min(samples.len())
}

fn by_table(payload: &[u8], out: &mut [i16], decode: fn(u8) -> i16) -> usize {
    for (sample, octet) in out.iter_mut().zip(payload) {
        *sample = decode(*octet);
    }
    out.len().min(payload.len())
}

/// From samples to payloads.
pub(crate) enum Encoder {
    Mulaw,
    Alaw,
    G722(Box<G722Encoder>),
    Opus(Box<OpusEncoder>),
}

impl Encoder {
    /// For what was agreed with the peer.
    pub(crate) fn new(media: &RemoteMedia) -> Self {
        match media.codec {
            Codec::Pcmu => Self::Mulaw,
            Codec::Pcma => Self::Alaw,
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => OpusEncoder::new(16_000, 1, Application::Voip).map_or(Self::Mulaw, |encoder| {
                let mut encoder = Box::new(encoder);
                encoder.bitrate_bps = media.max_bitrate.unwrap_or(OPUS_BITRATE).clamp(6_000, OPUS_BITRATE) as i32;
                encoder.complexity = OPUS_COMPLEXITY;
                encoder.use_inband_fec = media.fec;
                encoder.packet_loss_perc = if media.fec { OPUS_LOSS } else { 0 };
                Self::Opus(encoder)
            }),
        }
    }

    /// Appends a frame, which has the codec's own rate, to a packet.
    pub(crate) fn encode(&mut self, frame: &Frame, packet: &mut Packet) {
        debug_assert_eq!(frame.rate(), Rate::of(self.codec()), "converted before");
        match self {
            Self::Mulaw => packet.push(&frame.octets(g711::encode_mulaw)),
            Self::Alaw => packet.push(&frame.octets(g711::encode_alaw)),
            Self::G722(encoder) => {
                let mut octets = [0; FRAME];
                let len = encoder.encode_into(frame.samples(), &mut octets).unwrap_or(0);
                packet.push(&octets[..len])
            }
            Self::Opus(encoder) => {
                let mut octets = [0; 2 * FRAME];
                let len = encoder.encode_i16(frame.samples(), frame.samples().len(), &mut octets).unwrap_or(0);
                packet.push(&octets[..len])
            }
        };
    }

    pub(crate) fn codec(&self) -> Codec {
        match self {
            Self::Mulaw => Codec::Pcmu,
            Self::Alaw => Codec::Pcma,
            Self::G722(_) => Codec::G722,
            Self::Opus(_) => Codec::Opus,
        }
    }
}

/// How much audio a payload holds.
pub(crate) fn duration(codec: Codec, payload: &[u8]) -> Duration {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => Duration::from_micros(payload.len() as u64 * 125),
        Codec::Opus => opus_duration(payload),
    }
}

/// RFC 6716 §3.1 and §3.2: the length of a frame, and how many there are.
fn opus_duration(payload: &[u8]) -> Duration {
    let Some(toc) = payload.first() else { return Duration::ZERO };
    let frame: u32 = match toc >> 3 {
        silk @ 0..12 => [10_000, 20_000, 40_000, 60_000][usize::from(silk & 3)],
        hybrid @ 12..16 => [10_000, 20_000][usize::from(hybrid & 1)],
        celt => [2_500, 5_000, 10_000, 20_000][usize::from(celt & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => payload.get(1).map_or(0, |count| u32::from(count & 0x3f)),
    };
    Duration::from_micros(u64::from((frame * frames).min(120_000)))
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codec().name())
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codec().name())
    }
}
