//! 20 ms of linear audio, and its two rates.

use crate::api::FRAME;
use crate::g711;
use call_model::Codec;

/// Samples of 20 ms at the finer rate.
pub(crate) const WIDE: usize = 2 * FRAME;

/// How finely audio is sampled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rate {
    /// 8000 Hz.
    Narrow,
    /// 16000 Hz.
    Wide,
}

impl Rate {
    pub(crate) const fn of(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma => Self::Narrow,
            Codec::G722 | Codec::Opus => Self::Wide,
        }
    }

    pub(crate) const fn hertz(self) -> usize {
        self.frame() * 50
    }

    /// Samples of 20 ms.
    pub(crate) const fn frame(self) -> usize {
        match self {
            Self::Narrow => FRAME,
            Self::Wide => WIDE,
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Narrow => Self::Wide,
            Self::Wide => Self::Narrow,
        }
    }
}

/// 20 ms of linear audio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    rate: Rate,
    samples: [i16; WIDE],
}

impl Frame {
    pub(crate) const fn silence(rate: Rate) -> Self {
        Self { rate, samples: [0; WIDE] }
    }

    pub(crate) fn from_mulaw(octets: &[u8; FRAME]) -> Self {
        let mut frame = Self::silence(Rate::Narrow);
        for (sample, octet) in frame.samples_mut().iter_mut().zip(octets) {
            *sample = g711::decode_mulaw(*octet);
        }
        frame
    }

    /// One octet for each sample of audio at 8000 Hz.
    pub(crate) fn octets(&self, law: fn(i16) -> u8) -> [u8; FRAME] {
        core::array::from_fn(|i| law(self.samples[i]))
    }

    pub(crate) fn mulaw(&self) -> [u8; FRAME] {
        self.octets(g711::encode_mulaw)
    }

    pub(crate) const fn rate(&self) -> Rate {
        self.rate
    }

    pub(crate) fn samples(&self) -> &[i16] {
        &self.samples[..self.rate.frame()]
    }

    pub(crate) fn samples_mut(&mut self) -> &mut [i16] {
        &mut self.samples[..self.rate.frame()]
    }

    /// Adds audio of the same rate. What is too loud for sixteen bits is clipped.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sample, other) in self.samples.iter_mut().zip(other.samples()) {
            *sample = sample.saturating_add(*other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_adds_nothing_and_too_loud_is_clipped() {
        let voice: [u8; FRAME] = core::array::from_fn(|i| if i as u8 == 0x7f { 0xff } else { i as u8 });
        let sum = |one: &[u8; FRAME], other: &[u8; FRAME]| {
            let mut sum = Frame::from_mulaw(one);
            sum.add(&Frame::from_mulaw(other));
            sum.mulaw()
        };
        assert_eq!(sum(&voice, &[g711::MULAW_SILENCE; FRAME]), voice);
        assert_eq!(sum(&[0x80; FRAME], &[0x80; FRAME]), [0x80; FRAME], "the loudest stays the loudest");
        assert_eq!(sum(&[0x00; FRAME], &[0x80; FRAME]), [g711::MULAW_SILENCE; FRAME], "opposites cancel");
    }
}
