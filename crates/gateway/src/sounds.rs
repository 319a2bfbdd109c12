//! Recordings that an operator plays instead of the built-in ones, read once and kept as they are played.

use audio_codec::Decoder as _;
use audio_codec::g722::{Bitrate, G722Decoder};
use call_model::Prompt;
use rtp_proto::{EngineConfig, Prompts, g711};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Longest recording, in seconds: all of it stays in memory.
const LONGEST_S: usize = 600;
/// What is played has so many samples a second.
const RATE: usize = 8_000;

/// What an operator wants played: mu-law at 8000 Hz.
#[derive(Clone, Default)]
pub struct Sounds {
    /// Instead of the built-in hold music.
    pub music: Option<Arc<[u8]>>,
    /// Instead of built-in prompts.
    pub prompts: BTreeMap<Prompt, Arc<[u8]>>,
}

impl fmt::Debug for Sounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sounds(music: {}, prompts: {:?})", self.music.is_some(), self.prompts.keys())
    }
}

impl Sounds {
    /// The places in line that there is a recording for.
    pub(crate) fn places(&self) -> Vec<u8> {
        let place = |prompt: &Prompt| if let Prompt::Place(place) = prompt { Some(*place) } else { None };
        self.prompts.keys().filter_map(place).collect()
    }

    /// Takes the place of what is built in.
    pub(crate) fn put_into(&self, config: &mut EngineConfig, built_in: impl Iterator<Item = (Prompt, Arc<[u8]>)>) {
        let own = self.prompts.iter().map(|(prompt, audio)| (*prompt, Arc::clone(audio)));
        config.prompts = built_in.chain(own).collect::<Prompts>();
        if let Some(music) = &self.music {
            config.music = Arc::clone(music);
        }
    }
}

/// Reads a recording: WAV of any rate (PCM, float, A-law, mu-law), or without any header `.ulaw`, `.alaw` (8000 Hz) and
/// `.g722` (64 kbit/s).
///
/// # Errors
/// Says which file it is and what is wrong with it.
pub(crate) fn load(path: &Path) -> Result<Arc<[u8]>, String> {
    let named = |problem: &dyn fmt::Display| format!("{}: {problem}", path.display());
    let bytes = std::fs::read(path).map_err(|error| named(&format!("cannot be read: {error}")))?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let audio = match extension.as_str() {
        "wav" => encode(&prosody_features::wav::read(&bytes).map_err(|error| named(&error))?),
        "ulaw" | "ul" | "pcmu" => bytes,
        "alaw" | "al" | "pcma" => bytes.iter().map(|octet| g711::alaw_to_mulaw(*octet)).collect(),
        // Decoded to the rate at which it is kept.
        "g722" => encode(&G722Decoder::with_options(Bitrate::Mode1_64000, false, true).decode(&bytes)),
        _ => return Err(named(&"is called neither .wav nor .ulaw, .alaw or .g722 (without a header)")),
    };
    match audio.len() {
        0 => Err(named(&"holds no audio")),
        length if length > LONGEST_S * RATE => {
            Err(named(&format!("takes {} s: at most {LONGEST_S} s are kept in memory", length / RATE)))
        }
        _ => Ok(audio.into()),
    }
}

fn encode(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| g711::encode_mulaw(*sample)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_codec::Encoder as _;
    use audio_codec::g722::G722Encoder;

    /// A folder of its own that goes with the test.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("warmline-sounds-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn load(&self, name: &str, bytes: &[u8]) -> Result<Arc<[u8]>, String> {
            let path = self.0.join(name);
            std::fs::write(&path, bytes).expect("written");
            load(&path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn tone(rate: usize) -> Vec<i16> {
        (0..rate).map(|i| ((i as f32 / rate as f32 * 1_000.0 * std::f32::consts::TAU).sin() * 8_000.0) as i16).collect()
    }

    fn wav(tag: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        out.extend(tag.to_le_bytes());
        out.extend(1u16.to_le_bytes());
        out.extend(rate.to_le_bytes());
        out.extend([0; 6]);
        out.extend(bits.to_le_bytes());
        out.extend(b"data");
        out.extend(u32::try_from(data.len()).expect("short").to_le_bytes());
        out.extend(data);
        out
    }

    /// A second of 1000 Hz at the level it was made with.
    fn is_the_tone(audio: &[u8]) {
        assert!((7_900..=8_100).contains(&audio.len()), "{}", audio.len());
        let samples: Vec<i16> = audio.iter().map(|octet| g711::decode_mulaw(*octet)).collect();
        let crossings = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        let peak = samples[1_000..7_000].iter().max().copied().unwrap_or(0);
        assert!((985..=1_010).contains(&crossings) && (7_000..9_000).contains(&peak), "{crossings} {peak}");
    }

    #[test]
    fn every_kind_of_recording_sounds_the_same() {
        let folder = Folder::new("kinds");
        for rate in [8_000, 16_000, 44_100, 48_000] {
            let data: Vec<u8> = tone(rate).iter().flat_map(|sample| sample.to_le_bytes()).collect();
            is_the_tone(&folder.load("a.wav", &wav(1, rate as u32, 16, &data)).expect("PCM"));
        }
        let mulaw = encode(&tone(8_000));
        let alaw: Vec<u8> = mulaw.iter().map(|octet| g711::mulaw_to_alaw(*octet)).collect();
        is_the_tone(&folder.load("b.WAV", &wav(7, 8_000, 8, &mulaw)).expect("mu-law in WAV"));
        is_the_tone(&folder.load("c.wav", &wav(6, 8_000, 8, &alaw)).expect("A-law in WAV"));
        is_the_tone(&folder.load("d.ulaw", &mulaw).expect("raw mu-law"));
        is_the_tone(&folder.load("e.alaw", &alaw).expect("raw A-law"));
        is_the_tone(&folder.load("f.g722", &G722Encoder::new().encode(&tone(16_000))).expect("raw G.722"));
    }

    #[test]
    fn what_cannot_be_played_is_named_with_its_fault() {
        let folder = Folder::new("faults");
        for (name, bytes, fault) in [
            ("song.mp3", &b"ID3"[..], "neither .wav nor"),
            ("song.wav", b"ID3", "not a WAV file"),
            ("empty.ulaw", b"", "holds no audio"),
            ("long.alaw", &vec![0xd5; 601 * 8_000], "at most 600 s"),
        ] {
            let complaint = folder.load(name, bytes).expect_err(name);
            assert!(complaint.contains(name) && complaint.contains(fault), "{complaint}");
        }
        let missing = load(&folder.0.join("nowhere.wav")).expect_err("missing");
        assert!(missing.contains("nowhere.wav: cannot be read"), "{missing}");
    }
}
