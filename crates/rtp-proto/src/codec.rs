//! Payloads to linear audio and back, one direction of one stream each: G.722 remembers what came before.

use crate::api::{FRAME, Packet};
use crate::frame::{Frame, Rate};
use crate::g711;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use call_model::Codec;
use core::fmt;

/// From payloads to samples.
pub(crate) enum Decoder {
    Mulaw,
    Alaw,
    G722(Box<G722Decoder>),
}

impl Decoder {
    pub(crate) fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Mulaw,
            Codec::Pcma => Self::Alaw,
            Codec::G722 => Self::G722(Box::default()),
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        match self {
            Self::Mulaw => Codec::Pcmu,
            Self::Alaw => Codec::Pcma,
            Self::G722(_) => Codec::G722,
        }
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
        }
    }
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
}

impl Encoder {
    pub(crate) fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Mulaw,
            Codec::Pcma => Self::Alaw,
            Codec::G722 => Self::G722(Box::default()),
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
        };
    }

    pub(crate) fn codec(&self) -> Codec {
        match self {
            Self::Mulaw => Codec::Pcmu,
            Self::Alaw => Codec::Pcma,
            Self::G722(_) => Codec::G722,
        }
    }
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
