//! The file of a recording: PCM in chunks that are encrypted and authenticated one by one, so that a file which breaks
//! off is good up to its last whole chunk.
//!
//! ```text
//! header   "WARMREC1", channels (1 octet), 7 octets of zero, salt (32 octets)
//! chunk    length (4 octets), number (8), AES-256-GCM of: kind (1), frame (8), 16-bit samples; tag (16)
//! ```
//!
//! Numbers are big-endian, samples little-endian as in a WAV file, 8000 of them a second and channel.
//! The file's key is HKDF-SHA256 of the operator's key and the salt, the nonce is the chunk's number, the header is
//! authenticated with each chunk. `frame` counts 20 ms from the beginning: what could not be written is a gap. The last
//! chunk has another kind and no samples.

use call_model::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use rtp_proto::FRAME;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

const MAGIC: &[u8; 8] = b"WARMREC1";
const SALT: usize = 32;
const HEADER: usize = MAGIC.len() + 8 + SALT;
const AUDIO: u8 = 0;
const END: u8 = 1;
/// Kind and frame.
const PREFIX: usize = 9;
/// No chunk is longer: 2 s in stereo.
const LONGEST: usize = 100 * 2 * 2 * FRAME;

/// What the operator's key is made of. Never shown.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// 64 hexadecimal digits.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub fn read(secret: &Secret) -> Result<Self, String> {
        let text = secret.expose();
        let wanted = "64 hexadecimal digits, as `openssl rand -hex 32` makes them";
        let mut key = [0; 32];
        if text.len() != 64 {
            return Err(format!("has {} characters, should be {wanted}", text.chars().count()));
        }
        for (octet, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(format!("has other characters than 0-9 and a-f, should be {wanted}"));
            };
            *octet = high << 4 | low;
        }
        Ok(Self(key))
    }

    fn of_file(&self, header: &[u8; HEADER]) -> Option<LessSafeKey> {
        struct Length;
        impl KeyType for Length {
            fn len(&self) -> usize {
                32
            }
        }
        let salt = Salt::new(HKDF_SHA256, &header[HEADER - SALT..]);
        let mut key = [0; 32];
        salt.extract(&self.0).expand(&[b"warmline recording 1"], Length).ok()?.fill(&mut key).ok()?;
        Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?))
    }
}

/// A recording that is being written.
pub(crate) struct Sealed {
    file: File,
    key: LessSafeKey,
    header: [u8; HEADER],
    /// Chunks tried. One that failed has used up its number: no nonce seals twice.
    number: u64,
    /// Octets that are whole.
    good: u64,
    buffer: Vec<u8>,
}

impl Sealed {
    /// Begins an empty file.
    pub(crate) fn begin(mut file: File, key: &Key, channels: u8) -> io::Result<Self> {
        let mut header = [0; HEADER];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()] = channels;
        let refused = |_| io::Error::other("the system gives no randomness");
        SystemRandom::new().fill(&mut header[HEADER - SALT..]).map_err(refused)?;
        let key = key.of_file(&header).ok_or_else(|| io::Error::other("no key can be derived"))?;
        file.write_all(&header)?;
        Ok(Self { file, key, header, number: 0, good: HEADER as u64, buffer: Vec::new() })
    }

    /// Appends samples, those of the channels side by side. What cannot be written leaves no trace in the file.
    pub(crate) fn write(&mut self, frame: u64, samples: &[i16]) -> io::Result<()> {
        self.append(AUDIO, frame, samples)
    }

    /// That was all of it.
    pub(crate) fn end(&mut self, frame: u64) -> io::Result<()> {
        self.append(END, frame, &[])?;
        self.file.sync_data()
    }

    fn append(&mut self, kind: u8, frame: u64, samples: &[i16]) -> io::Result<()> {
        let Self { buffer, number, .. } = self;
        let this = *number;
        *number += 1;
        buffer.clear();
        buffer.push(kind);
        buffer.extend(frame.to_be_bytes());
        buffer.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let unsealed = |_| io::Error::other("a chunk cannot be encrypted");
        self.key.seal_in_place_append_tag(nonce(this), Aad::from(self.header), buffer).map_err(unsealed)?;
        let length = u32::try_from(buffer.len()).map_err(io::Error::other)?;
        let head = [length.to_be_bytes().as_slice(), &this.to_be_bytes()].concat();
        buffer.splice(..0, head);
        let written = self.file.write_all(buffer);
        if written.is_ok() {
            self.good += buffer.len() as u64;
        } else {
            // Half a chunk would hide what comes after it.
            self.file.set_len(self.good)?;
            self.file.seek(SeekFrom::Start(self.good))?;
        }
        written
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("is no recording of Warmline's")]
    NotOurs,
    /// It is another key's, or was changed.
    #[error("cannot be decrypted: this is not its key, or the file was changed")]
    WrongKey,
}

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Opened {
    /// Seconds of audio, rounded down.
    pub(crate) seconds: u64,
    /// The call went on after the last chunk: the process or the machine died.
    pub(crate) broken_off: bool,
    /// A chunk was changed; what follows it was not read.
    pub(crate) changed: bool,
    /// 20 ms that could not be written, or were taken out: silence in their place.
    pub(crate) missing: u64,
}

/// Reads a recording and writes it as a WAV file.
///
/// # Errors
/// When nothing of it can be read, or the result cannot be written.
pub(crate) fn open(key: &Key, mut from: impl Read, mut to: impl Write + Seek) -> Result<Opened, Unreadable> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header).map_err(|_| Unreadable::NotOurs)?;
    let channels = header[MAGIC.len()];
    if !header.starts_with(MAGIC) || !matches!(channels, 1 | 2) {
        return Err(Unreadable::NotOurs);
    }
    let sealed = key.of_file(&header).ok_or(Unreadable::WrongKey)?;
    let width = 2 * FRAME * usize::from(channels);
    to.write_all(&wav_header(channels, 0))?;
    let (mut opened, mut frames, mut expected) = (Opened { broken_off: true, ..Opened::default() }, 0, 0);
    while let Some((number, mut chunk)) = chunk(&mut from) {
        let plain = Some(number).filter(|number| *number >= expected);
        let plain = plain.and_then(|number| sealed.open_in_place(nonce(number), Aad::from(header), &mut chunk).ok());
        let Some((kind, frame, audio)) = plain.and_then(|plain| parts(plain)) else {
            if expected == 0 {
                return Err(Unreadable::WrongKey);
            }
            opened.changed = true;
            break;
        };
        let gap = frame.saturating_sub(frames);
        opened.missing += gap;
        frames += gap;
        expected = number + 1;
        for _ in 0..gap {
            to.write_all(&vec![0; width])?;
        }
        if kind == END {
            opened.broken_off = false;
            break;
        }
        to.write_all(audio)?;
        frames += (audio.len() / width) as u64;
    }
    opened.seconds = frames / 50;
    to.seek(SeekFrom::Start(0))?;
    to.write_all(&wav_header(channels, frames * width as u64))?;
    Ok(opened)
}

/// The next whole chunk.
fn chunk(from: &mut impl Read) -> Option<(u64, Vec<u8>)> {
    let (mut length, mut number) = ([0; 4], [0; 8]);
    from.read_exact(&mut length).ok()?;
    from.read_exact(&mut number).ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?.min(LONGEST + 64);
    let mut chunk = vec![0; length];
    from.read_exact(&mut chunk).ok()?;
    Some((u64::from_be_bytes(number), chunk))
}

fn parts(plain: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (prefix, audio) = plain.split_at_checked(PREFIX)?;
    let (kind, frame) = prefix.split_first()?;
    Some((*kind, u64::from_be_bytes(frame.try_into().ok()?), audio))
}

/// Of a WAV file with 16-bit samples at 8000 Hz.
fn wav_header(channels: u8, octets: u64) -> Vec<u8> {
    let octets = u32::try_from(octets).unwrap_or(u32::MAX - 36);
    let width = 2 * u16::from(channels);
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF");
    header.extend((octets + 36).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16u32.to_le_bytes());
    header.extend(1u16.to_le_bytes());
    header.extend(u16::from(channels).to_le_bytes());
    header.extend(8_000u32.to_le_bytes());
    header.extend((8_000 * u32::from(width)).to_le_bytes());
    header.extend(width.to_le_bytes());
    header.extend(16u16.to_le_bytes());
    header.extend(b"data");
    header.extend(octets.to_le_bytes());
    header
}
