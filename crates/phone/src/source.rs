//! What a telephone says: a tone, a recording, silence, or nothing.

use audio_codec::Encoder;
use audio_codec::pcma::PcmaEncoder;
use audio_codec::pcmu::PcmuEncoder;
use call_model::Codec;
use std::sync::Arc;

/// Samples in one packet: 20 ms at 8000 Hz.
pub const FRAME: usize = 160;

/// What to say.
#[derive(Clone, Debug)]
pub enum Source {
    /// A sine of this many hertz at -13 dBov.
    Tone(f32),
    /// Linear samples at 8000 Hz, once or in a loop.
    Samples {
        /// The recording.
        samples: Arc<[i16]>,
        /// Start again at the end; otherwise silence follows.
        looped: bool,
    },
    /// A constant level: nothing to listen to, but cheap to make and cheap to tell from another.
    Level(i16),
    /// Packets of silence.
    Silence,
    /// No packets at all, not even for key presses, for as long as the call lasts.
    Nothing,
}

impl Source {
    /// Whether every frame is the same as the one before: a tone with whole periods in 20 ms, and silence.
    pub fn repeats(&self) -> bool {
        match self {
            Self::Tone(hertz) => hertz % 50.0 == 0.0,
            Self::Silence | Self::Level(_) => true,
            Self::Samples { .. } | Self::Nothing => false,
        }
    }

    /// The 20 ms that begin `position` samples of 8000 Hz after the start, at `rate` (8000 or a multiple); none when
    /// there is nothing to send.
    pub fn samples(&self, position: u64, rate: u32) -> Option<Vec<i16>> {
        let rate = u64::from(rate);
        let finer = (rate / 8_000).max(1);
        let sample = |at: u64| match self {
            Self::Tone(hertz) => {
                // The phase is reduced before the float sees it, or a long call's tone would drift.
                let cycles =
                    f64::from(*hertz) * (at % rate) as f64 / rate as f64 + f64::from(*hertz) * (at / rate) as f64;
                ((cycles.fract() * core::f64::consts::TAU).sin() * 7_300.0) as i16
            }
            Self::Samples { samples, looped } if *looped && !samples.is_empty() => {
                samples[(at / finer % samples.len() as u64) as usize]
            }
            Self::Samples { samples, .. } => {
                usize::try_from(at / finer).ok().and_then(|at| samples.get(at)).copied().unwrap_or(0)
            }
            Self::Level(level) => *level,
            Self::Silence | Self::Nothing => 0,
        };
        if matches!(self, Self::Nothing) {
            return None;
        }
        Some((position * finer..(position + FRAME as u64) * finer).map(sample).collect())
    }

    /// The same as a payload of G.711; none for a codec that remembers, which wants an encoder of its own.
    pub fn frame(&self, position: u64, codec: Codec) -> Option<Vec<u8>> {
        match codec {
            Codec::Pcmu => Some(PcmuEncoder::new().encode(&self.samples(position, 8_000)?)),
            Codec::Pcma => Some(PcmaEncoder::new().encode(&self.samples(position, 8_000)?)),
            Codec::G722 | Codec::Opus => None,
        }
    }
}
