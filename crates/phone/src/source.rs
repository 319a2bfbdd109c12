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

    /// The frame of 20 ms that begins `position` samples after the start; none when there is nothing to send.
    pub fn frame(&self, position: u64, codec: Codec) -> Option<Vec<u8>> {
        let sample = |at: u64| match self {
            Self::Tone(hertz) => {
                // The phase is reduced before the float sees it, or a long call's tone would drift.
                let cycles =
                    f64::from(*hertz) * (at % 8_000) as f64 / 8_000.0 + f64::from(*hertz) * (at / 8_000) as f64;
                ((cycles.fract() * core::f64::consts::TAU).sin() * 7_300.0) as i16
            }
            Self::Samples { samples, looped } if *looped && !samples.is_empty() => {
                samples[(at % samples.len() as u64) as usize]
            }
            Self::Samples { samples, .. } => {
                usize::try_from(at).ok().and_then(|at| samples.get(at)).copied().unwrap_or(0)
            }
            Self::Level(level) => *level,
            Self::Silence | Self::Nothing => 0,
        };
        if matches!(self, Self::Nothing) {
            return None;
        }
        let samples: Vec<i16> = (position..position + FRAME as u64).map(sample).collect();
        Some(match codec {
            Codec::Pcmu => PcmuEncoder::new().encode(&samples),
            Codec::Pcma => PcmaEncoder::new().encode(&samples),
        })
    }
}
