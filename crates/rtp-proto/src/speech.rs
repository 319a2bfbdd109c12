//! Whether somebody speaks: the energy of each packet, and patience in both directions.

use crate::api::FRAME;
use crate::frame::Frame;
use crate::g711;
use call_model::{Codec, Instant};
use core::time::Duration;

/// Above this mean square a packet is loud: -45 dBov (RFC 6465 §3, ITU-T P.56), of samples shifted by [`SHIFT`].
const LOUD: u64 = 132;
/// Bits by which samples are made smaller, so that a square fits and its table stays in the cache.
const SHIFT: u32 = 4;
/// One octet in so many is looked at.
const STRIDE: usize = 16;
/// Which one of each [`STRIDE`]: in no regular order, so that no tone hides between the octets looked at.
const PICK: [u8; STRIDE] = [3, 9, 14, 1, 6, 12, 5, 10, 0, 15, 7, 2, 11, 4, 13, 8];

static MULAW: [u32; 256] = squares(false);
static ALAW: [u32; 256] = squares(true);

/// Tells talking from silence, packet by packet.
#[derive(Debug, Default)]
pub(crate) struct Speech {
    /// The switchboard was told that somebody speaks.
    speaking: bool,
    /// Loud audio, less the quiet audio between it, in 1/8000 s.
    loud: u32,
    /// When loud audio last came.
    last: Option<Instant>,
}

impl Speech {
    /// Loud audio for so long is speech, in 1/8000 s.
    const SPEAKS: u32 = 800;
    /// No loud audio for so long is a pause.
    pub(crate) const PAUSES: Duration = Duration::from_millis(700);

    /// Takes a packet of G.711; true when somebody begins to speak.
    pub(crate) fn hear(&mut self, codec: Codec, audio: &[u8], now: Instant) -> bool {
        self.judge(is_loud(codec, audio), audio.len().min(Self::SPEAKS as usize) as u32, now)
    }

    /// Takes 20 ms of decoded audio; true when somebody begins to speak.
    pub(crate) fn hear_frame(&mut self, frame: &Frame, now: Instant) -> bool {
        let energy: u64 = frame.samples().iter().map(|sample| square(*sample)).sum();
        self.judge(energy > LOUD * frame.samples().len() as u64, FRAME as u32, now)
    }

    fn judge(&mut self, loud: bool, length: u32, now: Instant) -> bool {
        if !loud {
            self.loud = self.loud.saturating_sub(length);
            return false;
        }
        self.last = Some(now);
        self.loud = (self.loud + length).min(Self::SPEAKS);
        self.loud == Self::SPEAKS && !core::mem::replace(&mut self.speaking, true)
    }

    /// While somebody speaks: when to look whether they have paused.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.last.filter(|_| self.speaking).map(|last| last + Self::PAUSES)
    }

    /// True when somebody has paused.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let paused = self.poll_timeout().is_some_and(|due| due <= now);
        if paused {
            self.speaking = false;
            self.loud = 0;
        }
        paused
    }
}

fn is_loud(codec: Codec, audio: &[u8]) -> bool {
    let table = match codec {
        Codec::Pcma => &ALAW,
        _ => &MULAW,
    };
    let square = |octet: &u8| u64::from(table[usize::from(*octet)]);
    let (chunks, rest) = audio.as_chunks::<STRIDE>();
    if chunks.is_empty() {
        return rest.iter().map(square).sum::<u64>() > LOUD * rest.len() as u64;
    }
    let picked = chunks.iter().zip(PICK.iter().cycle());
    let energy: u64 = picked.map(|(chunk, at)| square(&chunk[usize::from(*at) % STRIDE])).sum();
    energy > LOUD * chunks.len() as u64
}

const fn square(sample: i16) -> u64 {
    let small = (sample.unsigned_abs() >> SHIFT) as u64;
    small * small
}

const fn squares(alaw: bool) -> [u32; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        let octet = i as u8;
        let sample = if alaw { g711::decode_alaw(octet) } else { g711::decode_mulaw(octet) };
        out[i] = square(sample) as u32;
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms of a tone with this peak, 0..1.
    fn tone(hertz: f64, peak: f64, codec: Codec) -> [u8; 160] {
        core::array::from_fn(|i| {
            let sample = (core::f64::consts::TAU * hertz * i as f64 / 8000.0).sin() * peak * 32_767.0;
            match codec {
                Codec::Pcma => g711::encode_alaw(sample as i16),
                _ => g711::encode_mulaw(sample as i16),
            }
        })
    }

    #[test]
    fn the_threshold_is_45_decibels_below_overload_for_tones_of_any_pitch() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for hertz in (100..3600).step_by(50).map(f64::from) {
                // A sine of peak p has a level of 20 log10(p / sqrt 2): -42 and -48 dBov, 3 dB to either side.
                assert!(is_loud(codec, &tone(hertz, 0.0112 * 1.5, codec)), "{hertz} Hz in {codec:?} is loud");
                assert!(!is_loud(codec, &tone(hertz, 0.0056 / 1.5, codec)), "{hertz} Hz in {codec:?} is quiet");
            }
            assert!(!is_loud(codec, &tone(400.0, 0.0, codec)));
            assert!(!is_loud(codec, &[]));
            assert!(is_loud(codec, &tone(1000.0, 0.5, codec)[2..6]), "a packet shorter than the stride");
        }
    }

    #[test]
    fn speech_takes_a_tenth_of_a_second_and_a_click_is_none() {
        let (loud, quiet) = (tone(300.0, 0.3, Codec::Pcmu), [g711::MULAW_SILENCE; 160]);
        let mut speech = Speech::default();
        for step in 0..50 {
            // 20 ms in 60: crackle.
            let audio = if step % 3 == 0 { &loud } else { &quiet };
            assert!(!speech.hear(Codec::Pcmu, audio, Instant::from_millis(step * 20)));
        }
        let begins: Vec<bool> =
            (50..60).map(|step| speech.hear(Codec::Pcmu, &loud, Instant::from_millis(step * 20))).collect();
        assert_eq!(begins.iter().position(|begins| *begins), Some(4));
        assert_eq!(begins.iter().filter(|begins| **begins).count(), 1);
    }

    #[test]
    fn a_pause_is_told_once_and_only_after_speech() {
        let loud = tone(300.0, 0.3, Codec::Pcma);
        let mut speech = Speech::default();
        speech.hear(Codec::Pcma, &loud, Instant::ZERO);
        assert_eq!(speech.poll_timeout(), None, "one packet is no speech");
        for step in 1..5 {
            speech.hear(Codec::Pcma, &loud, Instant::from_millis(step * 20));
        }
        assert_eq!(speech.poll_timeout(), Some(Instant::from_millis(780)));
        speech.hear(Codec::Pcma, &loud, Instant::from_millis(500));
        assert!(!speech.handle_timeout(Instant::from_millis(780)), "a word in between");
        assert!(speech.handle_timeout(Instant::from_millis(1200)));
        assert!(!speech.handle_timeout(Instant::from_millis(2000)));
        assert_eq!(speech.poll_timeout(), None);
    }
}
