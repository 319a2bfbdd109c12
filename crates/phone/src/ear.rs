//! Which tones are heard, and when.

use audio_codec::Decoder;
use audio_codec::pcmu::PcmuDecoder;
use call_model::Instant;
use core::time::Duration;

/// Samples judged together: 60 ms, so that 50 Hz apart can be told apart enough and a switch is seen within it.
const BLOCK: usize = 480;
/// How long such a block lasts.
const BLOCK_LASTS: Duration = Duration::from_millis(60);

/// One stretch of 60 ms: the tones of the list that were in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Heard {
    /// When its last sample arrived.
    pub at: Instant,
    /// Frequencies heard, in the order of the list; empty for silence or anything else.
    pub tones: Vec<f32>,
    /// Root mean square of the samples, 0..1 of full scale.
    pub level: f32,
}

/// Listens for a list of tones (Goertzel 1958) in blocks of 60 ms.
#[derive(Clone, Debug)]
pub struct Ear {
    tones: Vec<f32>,
    block: Vec<i16>,
    heard: Vec<Heard>,
}

impl Ear {
    /// Listens for these frequencies, in hertz. Multiples of 1/60 ms (16.7 Hz) at least 50 Hz apart are told apart best.
    pub fn new(tones: &[f32]) -> Self {
        Self { tones: tones.to_vec(), block: Vec::with_capacity(BLOCK), heard: Vec::new() }
    }

    /// Another one that listens for the same, and has heard nothing.
    pub fn unused(&self) -> Self {
        Self::new(&self.tones)
    }

    /// Whether it listens for nothing at all.
    pub fn is_deaf(&self) -> bool {
        self.tones.is_empty()
    }

    /// Takes linear samples at 8000 Hz.
    pub fn hear(&mut self, samples: &[i16], now: Instant) {
        for sample in samples {
            self.block.push(*sample);
            if self.block.len() == BLOCK {
                let heard = judge(&self.block, &self.tones, now);
                self.heard.push(heard);
                self.block.clear();
            }
        }
    }

    /// Takes mu-law octets at 8000 Hz, as a WebSocket bot gets them.
    pub fn hear_mulaw(&mut self, octets: &[u8], now: Instant) {
        if !self.is_deaf() {
            self.hear(&PcmuDecoder::new().decode(octets), now);
        }
    }

    /// Everything heard so far, oldest first.
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// What was heard of the time from `from` to `to`: the blocks that arrived wholly within it.
    pub fn between(&self, from: Instant, to: Instant) -> impl Iterator<Item = &Heard> {
        self.heard.iter().filter(move |heard| heard.at >= from + BLOCK_LASTS && heard.at <= to)
    }

    /// Forgets what was heard, and takes it away.
    pub fn take(&mut self) -> Vec<Heard> {
        self.block.clear();
        core::mem::take(&mut self.heard)
    }
}

fn judge(block: &[i16], tones: &[f32], at: Instant) -> Heard {
    let energy: f64 = block.iter().map(|s| f64::from(*s).powi(2)).sum();
    let level = ((energy / block.len() as f64).sqrt() / 32_768.0) as f32;
    // A tone counts when a tenth of the block's energy is its own: mixed tones all count, crosstalk of G.711 does not.
    let share = |hertz: f32| if energy < 1.0 { 0.0 } else { goertzel(block, hertz) / energy };
    let tones = tones.iter().copied().filter(|hertz| level > 0.003 && share(*hertz) > 0.1).collect();
    Heard { at, tones, level }
}

/// Energy of one frequency in the block, in the same unit as the sum of squares.
fn goertzel(block: &[i16], hertz: f32) -> f64 {
    let omega = core::f64::consts::TAU * f64::from(hertz) / 8_000.0;
    let coefficient = 2.0 * omega.cos();
    let (mut previous, mut before) = (0.0, 0.0);
    for sample in block {
        let next = f64::from(*sample) + coefficient * previous - before;
        before = previous;
        previous = next;
    }
    let power = previous * previous + before * before - coefficient * previous * before;
    2.0 * power / block.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use call_model::Codec;

    fn samples(hertz: f32, frames: u64) -> Vec<i16> {
        (0..frames)
            .flat_map(|i| PcmuDecoder::new().decode(&Source::Tone(hertz).frame(i * 160, Codec::Pcmu).unwrap()))
            .collect()
    }

    #[test]
    fn a_tone_is_heard_as_itself_and_as_nothing_else() {
        for hertz in [400.0, 600.0, 800.0, 1_000.0, 1_250.0] {
            let mut ear = Ear::new(&[400.0, 600.0, 800.0, 1_000.0, 1_250.0]);
            ear.hear(&samples(hertz, 12), Instant::ZERO);
            assert_eq!(ear.heard().len(), 4);
            assert!(ear.heard().iter().all(|heard| heard.tones == [hertz]), "{hertz}: {:?}", ear.heard());
        }
    }

    #[test]
    fn two_tones_at_once_are_both_heard_and_silence_is_none() {
        let mixed: Vec<i16> = samples(400.0, 3).iter().zip(samples(1_000.0, 3)).map(|(a, b)| a / 2 + b / 2).collect();
        let mut ear = Ear::new(&[400.0, 600.0, 1_000.0]);
        ear.hear(&mixed, Instant::ZERO);
        ear.hear(&[0; 480], Instant::ZERO);
        assert_eq!(ear.heard()[0].tones, [400.0, 1_000.0]);
        assert!(ear.heard()[1].tones.is_empty());
    }
}
