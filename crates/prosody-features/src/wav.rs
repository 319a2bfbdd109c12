//! Reading WAV files: PCM of 8, 16, 24 or 32 bits, float, A-law (format 6), mu-law (format 7), brought from
//! any rate to 8 kHz, any channel count (mixed).
//!
//! Written for recordings found in the wild: odd chunk sizes, missing pad bytes, lengths that lie (streams write
//! 0 or 0xffffffff), and cut-off files are read as far as they go. Anything else is refused with the reason.

use crate::{SAMPLE_RATE, g711, resample};
use core::fmt;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WavError {
    /// Not a RIFF/WAVE file at all.
    NotWav,
    /// No `fmt ` chunk before the samples, or one that is too short.
    NoFormat,
    /// No `data` chunk.
    NoData,
    /// A sample format this reader does not know: (format tag, bits).
    Unsupported(u16, u16),
    /// A rate outside 4000 to 192000 samples per second, or no channel.
    Absurd(String),
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWav => f.write_str("not a WAV file: it does not begin with RIFF....WAVE"),
            Self::NoFormat => f.write_str("no usable `fmt ` chunk before the samples"),
            Self::NoData => f.write_str("no `data` chunk"),
            Self::Unsupported(tag, bits) => write!(
                f,
                "sample format {tag} with {bits} bits is not supported: use PCM (8, 16, 24, 32 bits), float, A-law or \
                 mu-law"
            ),
            Self::Absurd(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for WavError {}

/// Reads a WAV file into 8 kHz mono samples.
///
/// # Errors
/// When the file is not a WAV file or holds a format this reader does not know.
pub fn read(bytes: &[u8]) -> Result<Vec<i16>, WavError> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err(WavError::NotWav);
    }
    let mut format = None;
    let mut rest = &bytes[12..];
    while rest.len() >= 8 {
        let (id, len) = (&rest[..4], u32_at(rest, 4) as usize);
        let body = &rest[8..];
        let body = &body[..len.min(body.len())];
        match id {
            b"fmt " => format = Some(Format::parse(body)?),
            b"data" => return format.ok_or(WavError::NoFormat)?.samples(body),
            _ => {}
        }
        let step = 8 + len.saturating_add(len & 1);
        rest = rest.get(step..).unwrap_or(&[]);
    }
    Err(if format.is_some() { WavError::NoData } else { WavError::NoFormat })
}

#[derive(Clone, Copy)]
struct Format {
    coding: Coding,
    channels: usize,
    rate: u32,
}

#[derive(Clone, Copy)]
enum Coding {
    Unsigned8,
    Signed(usize),
    Float,
    ALaw,
    MuLaw,
}

impl Format {
    fn parse(body: &[u8]) -> Result<Self, WavError> {
        if body.len() < 16 {
            return Err(WavError::NoFormat);
        }
        let (channels, rate, bits) = (usize::from(u16_at(body, 2)), u32_at(body, 4), u16_at(body, 14));
        let mut tag = u16_at(body, 0);
        // WAVE_FORMAT_EXTENSIBLE names the real format in the first half-word of its GUID.
        if tag == 0xfffe && body.len() >= 26 {
            tag = u16_at(body, 24);
        }
        if channels == 0 || channels > 64 || !(4000..=192_000).contains(&rate) {
            return Err(WavError::Absurd(format!("{channels} channels at {rate} samples per second make no sense")));
        }
        let coding = match (tag, bits) {
            (1, 8) => Coding::Unsigned8,
            (1, 16 | 24 | 32) => Coding::Signed(usize::from(bits) / 8),
            (3, 32) => Coding::Float,
            (6, 8) => Coding::ALaw,
            (7, 8) => Coding::MuLaw,
            _ => return Err(WavError::Unsupported(tag, bits)),
        };
        Ok(Self { coding, channels, rate })
    }

    fn samples(self, body: &[u8]) -> Result<Vec<i16>, WavError> {
        let width = match self.coding {
            Coding::Unsigned8 | Coding::ALaw | Coding::MuLaw => 1,
            Coding::Signed(width) => width,
            Coding::Float => 4,
        };
        let mono: Vec<f32> = body
            .chunks_exact(width * self.channels)
            .map(|frame| frame.chunks_exact(width).map(|s| self.one(s)).sum::<f32>() / self.channels as f32)
            .collect();
        let mono = resample::to(mono, self.rate, SAMPLE_RATE).map_err(WavError::Absurd)?;
        // `as` saturates: ringing above full scale is clipped.
        Ok(mono.into_iter().map(|s| s.round() as i16).collect())
    }

    fn one(self, bytes: &[u8]) -> f32 {
        match self.coding {
            Coding::Unsigned8 => (f32::from(bytes[0]) - 128.0) * 256.0,
            Coding::ALaw => f32::from(g711::alaw(bytes[0])),
            Coding::MuLaw => f32::from(g711::mulaw(bytes[0])),
            // The two most significant octets are the sample at 16 bits.
            Coding::Signed(width) => f32::from(u16_at(bytes, width - 2) as i16),
            Coding::Float => {
                let value = f32::from_bits(u32_at(bytes, 0));
                if value.is_finite() { (value * 32768.0).clamp(-32768.0, 32767.0) } else { 0.0 }
            }
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wav(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        out.extend(tag.to_le_bytes());
        out.extend(channels.to_le_bytes());
        out.extend(rate.to_le_bytes());
        out.extend([0; 6]);
        out.extend(bits.to_le_bytes());
        // An odd chunk in between, with its pad octet.
        out.extend(b"LIST\x03\0\0\0abc\0data");
        out.extend(u32::try_from(data.len()).expect("short").to_le_bytes());
        out.extend(data);
        out
    }

    #[test]
    fn every_coding_gives_the_same_samples() {
        assert_eq!(read(&wav(1, 1, 8000, 16, &[0x00, 0x10, 0xff, 0xff])), Ok(vec![4096, -1]));
        assert_eq!(read(&wav(1, 1, 8000, 24, &[9, 0x00, 0x10, 7, 0xff, 0xff])), Ok(vec![4096, -1]));
        assert_eq!(read(&wav(1, 1, 8000, 8, &[128, 144])), Ok(vec![0, 4096]));
        assert_eq!(read(&wav(3, 1, 8000, 32, &0.125f32.to_le_bytes())), Ok(vec![4096]));
        assert_eq!(read(&wav(3, 1, 8000, 32, &f32::NAN.to_le_bytes())), Ok(vec![0]));
        assert_eq!(read(&wav(7, 1, 8000, 8, &[0xff, 0x00])), Ok(vec![0, -32124]));
        assert_eq!(read(&wav(6, 1, 8000, 8, &[0xd5])), Ok(vec![8]));
    }

    #[test]
    fn stereo_is_mixed_and_other_rates_keep_their_pitch() {
        assert_eq!(read(&wav(1, 2, 8000, 16, &[0, 16, 0, 0])), Ok(vec![2048]));
        let tone: Vec<u8> = (0..16000)
            .flat_map(|i| {
                (((f64::from(i) * 1000.0 * core::f64::consts::TAU / 16000.0).sin() * 8000.0) as i16).to_le_bytes()
            })
            .collect();
        let samples = read(&wav(1, 1, 16000, 16, &tone)).expect("readable");
        let crossings = samples.windows(2).filter(|p| p[0] < 0 && p[1] >= 0).count();
        assert!(samples.len() == 8000 && (995..=1005).contains(&crossings), "{} {crossings}", samples.len());
        let peak = samples[1000..7000].iter().max().copied().unwrap_or(0);
        assert!((7600..8400).contains(&peak), "level kept: {peak}");
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        assert_eq!(read(b"ID3"), Err(WavError::NotWav));
        assert_eq!(read(b"RIFF\0\0\0\0WAVEdata\0\0\0\0"), Err(WavError::NoFormat));
        assert_eq!(read(&wav(85, 1, 8000, 0, &[])), Err(WavError::Unsupported(85, 0)));
        assert!(matches!(read(&wav(1, 0, 8000, 16, &[])), Err(WavError::Absurd(_))));
        let whole = wav(7, 1, 8000, 8, &[1, 2, 3, 4]);
        assert_eq!(read(&whole[..whole.len() - 2]).map(|s| s.len()), Ok(2), "a cut file is read as far as it goes");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..60, octet in any::<u8>()) {
            let _ = read(&bytes);
            let mut near = wav(1, 1, 16000, 16, &[1; 40]);
            near[at] = octet;
            let _ = read(&near);
        }
    }
}
