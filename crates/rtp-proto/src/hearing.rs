//! One stream made audible: jitter buffer, decoder, and something in place of what is missing. A frame every 20 ms.
//!
//! Only legs have one whose audio must be known here: a codec that says nothing octet by octet, or a listener who needs
//! another codec or a mix.

use crate::api::FRAME;
use crate::codec::Decoder;
use crate::conceal::{ComfortNoise, Concealer};
use crate::frame::{Frame, Rate, WIDE};
use crate::jitter::{Jitter, Kind, Pulled};
use crate::leg::Content;
use crate::reception::Place;
use call_model::{Codec, Instant, LegId, TapFrame};
use core::time::Duration;

/// Room for what is left of a packet and the longest next one.
const SAMPLES: usize = 7 * WIDE;

#[derive(Debug)]
pub(crate) struct Hearing {
    rate: Rate,
    jitter: Jitter,
    decoder: Decoder,
    concealer: Concealer,
    /// The source is silent and said what its silence sounds like.
    noise: Option<ComfortNoise>,
    /// Decoded and not yet heard.
    samples: [i16; SAMPLES],
    filled: usize,
    /// Samples of the last packet.
    span: usize,
    /// Numbers of what was tapped.
    sequence: u16,
    timestamp: u32,
}

impl Hearing {
    pub(crate) fn new(codec: Codec) -> Self {
        let rate = Rate::of(codec);
        Self {
            rate,
            jitter: Jitter::new(),
            decoder: Decoder::new(codec),
            concealer: Concealer::new(rate),
            noise: None,
            samples: [0; SAMPLES],
            filled: 0,
            span: rate.frame(),
            sequence: 0,
            timestamp: 0,
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// Takes a packet. Audio of another codec, as it comes for a moment after a change, is not for this decoder.
    pub(crate) fn put(&mut self, place: Place, content: Content, payload: &[u8], now: Instant) {
        match content {
            Content::Audio(codec) if codec == self.codec() => self.jitter.put(place, Kind::Audio, payload, now),
            Content::ComfortNoise => self.jitter.put(place, Kind::ComfortNoise, payload, now),
            Content::Audio(_) | Content::Event(_) => {}
        }
    }

    /// The next 20 ms, and whether anything of it came from the source.
    pub(crate) fn next_frame(&mut self, now: Instant) -> (Frame, bool) {
        let want = self.rate.frame();
        let mut real = self.filled > 0;
        while self.filled < want {
            let span = Duration::from_micros((self.span * 1_000_000 / self.rate.hertz()) as u64);
            let room = &mut self.samples[self.filled..];
            match self.jitter.pull(span, now) {
                Pulled::Packet(Kind::Audio, payload) => {
                    let decoded = self.decoder.decode(payload, room);
                    self.concealer.heard(&mut room[..decoded]);
                    self.span = decoded.max(1);
                    self.filled += decoded;
                    self.noise = None;
                    real = true;
                }
                Pulled::Packet(Kind::ComfortNoise, payload) => self.noise = Some(ComfortNoise::new(payload)),
                Pulled::Lost => {
                    let lost = &mut room[..self.span.min(SAMPLES - self.filled)];
                    self.filled += match self.decoder.recover(self.jitter.peek(), lost) {
                        Some(recovered) => {
                            self.concealer.heard(&mut lost[..recovered]);
                            recovered
                        }
                        None => {
                            self.concealer.fill(lost);
                            lost.len()
                        }
                    };
                }
                Pulled::Nothing => break,
            }
        }
        if let Some(missing) = self.samples[..want].get_mut(self.filled..) {
            match &mut self.noise {
                Some(noise) => noise.fill(missing),
                None => _ = self.concealer.fill(missing),
            }
        }
        let mut frame = Frame::silence(self.rate);
        frame.samples_mut().copy_from_slice(&self.samples[..want]);
        let used = want.min(self.filled);
        self.samples.copy_within(used..self.filled, 0);
        self.filled -= used;
        (frame, real)
    }

    /// 20 ms for the tap, as mu-law. What did not come from the source is a gap in the numbers.
    pub(crate) fn tap(&mut self, leg: LegId, narrow: &Frame, real: bool) -> Option<TapFrame> {
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        self.sequence = sequence.wrapping_add(1);
        self.timestamp = timestamp.wrapping_add(FRAME as u32);
        real.then(|| TapFrame::new(leg, sequence, timestamp, Codec::Pcmu.payload_type(), &narrow.mulaw()))
    }
}
