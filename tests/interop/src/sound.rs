//! What telephones of other people's say and hear, as files.

use call_model::Instant;
use phone::Ear;
use std::path::PathBuf;
use std::time::Duration;

/// Samples in a second of what they say.
pub(crate) const RATE: u32 = 8000;
/// How long they say something.
const SPEECH: u32 = 120 * RATE;
const HEADER: usize = 44;

/// A WAV file of 16-bit mono.
pub(crate) fn tone_file(tone: f32) -> Vec<u8> {
    let octets = SPEECH * 2;
    let mut file = Vec::with_capacity(octets as usize + 44);
    file.extend(b"RIFF");
    file.extend((octets + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(octets.to_le_bytes());
    let sample = |at: u32| (8000.0 * (std::f32::consts::TAU * tone * (at % RATE) as f32 / RATE as f32).sin()) as i16;
    file.extend((0..SPEECH).flat_map(|at| sample(at).to_le_bytes()));
    file
}

/// Waits until the file has a stretch of so many blocks with exactly these tones.
pub(crate) fn heard(tones: &[f32], blocks: usize, file: impl Fn() -> Option<PathBuf>) {
    let recorded = || file().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let ear = ear(&recorded());
        if ear.heard().windows(blocks).any(|some| some.iter().all(|block| block.tones == tones)) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{tones:?} were not heard: {:?}", ear.heard());
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Of 16-bit samples at any rate that is a multiple of ours.
fn ear(file: &[u8]) -> Ear {
    let mut ear = Ear::new(&[crate::CALLER, crate::BOT, crate::DESK, crate::COLLEAGUE]);
    let Some((header, octets)) = file.split_first_chunk::<HEADER>() else { return ear };
    let channels = u32::from(u16::from_le_bytes([header[22], header[23]]));
    let rate = u32::from_le_bytes([header[24], header[25], header[26], header[27]]);
    let frames = octets.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
    let frames: Vec<i16> = frames.collect();
    let step = (channels * rate / RATE).max(1) as usize;
    let samples = frames.chunks_exact(step).map(|some| some.iter().map(|sample| i32::from(*sample)).sum::<i32>());
    let samples: Vec<i16> = samples.map(|sum| (sum / step as i32) as i16).collect();
    for (nth, frame) in samples.chunks_exact(160).enumerate() {
        ear.hear(frame, Instant::from_nanos(nth as u64 * 20_000_000));
    }
    ear
}
