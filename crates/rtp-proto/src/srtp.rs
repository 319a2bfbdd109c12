//! SRTP and SRTCP: AES-CM with HMAC-SHA1 (RFC 3711) and AES-GCM (RFC 7714), in place and without the heap.
//!
//! A context is for one direction. Replay protection is always on, and nothing is kept of a source before a packet of
//! it has proved genuine.

use crate::api::Packet;
use crate::header;
use aes::cipher::generic_array::typenum::U16;
use aes::cipher::{
    BlockCipher, BlockEncrypt, InnerIvInit as _, KeyInit as _, StreamCipher as _, StreamCipherCoreWrapper,
};
use aes::{Aes128, Aes256};
use aes_gcm::{AeadInPlace, Aes128Gcm, Aes256Gcm};
use call_model::{Crypto, SrtpKey, SrtpSuite};
use core::fmt;
use ctr::{CtrCore, flavors};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Octets of the longest tag.
const LONGEST_TAG: usize = 16;
/// Octets that a protected RTP packet may be longer.
pub const SRTP_ROOM: usize = LONGEST_TAG;
/// Octets of the clear part of SRTCP: header and SSRC.
const RTCP_CLEAR: usize = 8;
/// Marks an SRTCP packet as encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// Packets older than so many are refused unseen.
const WINDOW: u64 = 64;
/// Sources remembered per direction; a peer has one, and another for a moment when it changes.
const SOURCES: usize = 4;

/// What encrypts, and what proves.
enum Cipher {
    Counter(Box<(Aes128, Hmac<Sha1>)>),
    Gcm128(Box<Aes128Gcm>),
    Gcm256(Box<Aes256Gcm>),
}

/// Session keys for RTP or for RTCP (RFC 3711 §4.3).
struct Session {
    cipher: Cipher,
    salt: [u8; 14],
    tag: usize,
}

/// Labels of the derivation: encryption, authentication, salt.
const RTP_LABELS: [u8; 3] = [0, 1, 2];
const RTCP_LABELS: [u8; 3] = [3, 4, 5];

impl Session {
    fn new(key: &SrtpKey, labels: [u8; 3], tag: usize) -> Option<Self> {
        let [encryption, authentication, salting] = labels;
        let mut salt = [0; 14];
        let mut secret = [0; 32];
        derive(key, encryption, &mut secret[..key.suite.key_len()])?;
        derive(key, salting, &mut salt[..key.suite.salt_len()])?;
        let cipher = match key.suite {
            SrtpSuite::AesCm80 | SrtpSuite::AesCm32 => {
                let mut proof = [0; 20];
                derive(key, authentication, &mut proof)?;
                let mac = <Hmac<Sha1> as Mac>::new_from_slice(&proof).ok()?;
                Cipher::Counter(Box::new((Aes128::new_from_slice(&secret[..16]).ok()?, mac)))
            }
            SrtpSuite::AesGcm128 => Cipher::Gcm128(Box::new(Aes128Gcm::new_from_slice(&secret[..16]).ok()?)),
            SrtpSuite::AesGcm256 => Cipher::Gcm256(Box::new(Aes256Gcm::new_from_slice(&secret).ok()?)),
        };
        Some(Self { cipher, salt, tag })
    }

    /// Encrypts `text` and gives the tag. `trailer` is proved but not sent with it: the rollover counter, or for SRTCP
    /// its index, which is sent.
    fn seal(&self, clear: &[u8], text: &mut [u8], place: Place, trailer: [u8; 4]) -> Option<[u8; LONGEST_TAG]> {
        let mut tag = [0; LONGEST_TAG];
        match &self.cipher {
            Cipher::Counter(counter) => {
                let (aes, mac) = &**counter;
                keystream(aes.clone(), self.counter(place), text);
                let proof = prove(mac, clear, text, trailer).finalize().into_bytes();
                tag.copy_from_slice(&proof[..LONGEST_TAG]);
            }
            Cipher::Gcm128(gcm) => {
                let (aad, length) = place.associated(clear, trailer)?;
                let nonce = self.nonce(place).into();
                tag.copy_from_slice(&gcm.encrypt_in_place_detached(&nonce, &aad[..length], text).ok()?);
            }
            Cipher::Gcm256(gcm) => {
                let (aad, length) = place.associated(clear, trailer)?;
                let nonce = self.nonce(place).into();
                tag.copy_from_slice(&gcm.encrypt_in_place_detached(&nonce, &aad[..length], text).ok()?);
            }
        }
        Some(tag)
    }

    /// Decrypts `text`, if the tag proves it.
    fn open(&self, clear: &[u8], text: &mut [u8], place: Place, trailer: [u8; 4], tag: &[u8]) -> Option<()> {
        match &self.cipher {
            Cipher::Counter(counter) => {
                let (aes, mac) = &**counter;
                prove(mac, clear, text, trailer).verify_truncated_left(tag).ok()?;
                keystream(aes.clone(), self.counter(place), text);
                Some(())
            }
            Cipher::Gcm128(gcm) => {
                let (aad, length) = place.associated(clear, trailer)?;
                gcm.decrypt_in_place_detached(&self.nonce(place).into(), &aad[..length], text, tag.into()).ok()
            }
            Cipher::Gcm256(gcm) => {
                let (aad, length) = place.associated(clear, trailer)?;
                gcm.decrypt_in_place_detached(&self.nonce(place).into(), &aad[..length], text, tag.into()).ok()
            }
        }
    }

    /// RFC 3711 §4.1.1.
    fn counter(&self, place: Place) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        mix(&mut iv[4..8], &place.ssrc.to_be_bytes());
        mix(&mut iv[8..14], &place.index.to_be_bytes()[2..]);
        iv
    }

    /// RFC 7714 §8.1 and §9.1: for SRTCP the index is 32 bits wide, which is the same with zeros before it.
    fn nonce(&self, place: Place) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        mix(&mut nonce[2..6], &place.ssrc.to_be_bytes());
        mix(&mut nonce[6..12], &place.index.to_be_bytes()[2..]);
        nonce
    }
}

/// Which packet of which source.
#[derive(Clone, Copy)]
struct Place {
    ssrc: u32,
    /// 48 bits: rollover counter and sequence number; or the SRTCP index.
    index: u64,
    rtcp: bool,
}

/// Longest RTP header that is taken: fifteen CSRC and some extension.
const LONGEST_CLEAR: usize = 128;

impl Place {
    /// What GCM proves beside the text: the header, and for SRTCP its index word (RFC 7714 §9.3).
    fn associated(self, clear: &[u8], trailer: [u8; 4]) -> Option<([u8; LONGEST_CLEAR + 4], usize)> {
        let mut data = [0; LONGEST_CLEAR + 4];
        data.get_mut(..clear.len()).filter(|_| clear.len() <= LONGEST_CLEAR)?.copy_from_slice(clear);
        if !self.rtcp {
            return Some((data, clear.len()));
        }
        data[clear.len()..clear.len() + 4].copy_from_slice(&trailer);
        Some((data, clear.len() + 4))
    }
}

fn prove(mac: &Hmac<Sha1>, clear: &[u8], text: &[u8], trailer: [u8; 4]) -> Hmac<Sha1> {
    let mut mac = mac.clone();
    mac.update(clear);
    mac.update(text);
    mac.update(&trailer);
    mac
}

fn mix(into: &mut [u8], with: &[u8]) {
    into.iter_mut().zip(with).for_each(|(into, with)| *into ^= with);
}

/// RFC 3711 §4.3.1, with AES-256 as RFC 6188 has it.
fn derive(key: &SrtpKey, label: u8, out: &mut [u8]) -> Option<()> {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&key.salt);
    iv[7] ^= label;
    out.fill(0);
    match key.suite.key_len() {
        16 => keystream(Aes128::new_from_slice(&key.key[..16]).ok()?, iv, out),
        _ => keystream(Aes256::new_from_slice(&key.key).ok()?, iv, out),
    }
    Some(())
}

/// Counter mode.
fn keystream<C: BlockCipher<BlockSize = U16> + BlockEncrypt>(cipher: C, iv: [u8; 16], text: &mut [u8]) {
    let core = CtrCore::<C, flavors::Ctr128BE>::inner_iv_init(cipher, &iv.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(text);
}

/// The newest index of a source, and which of the last [`WINDOW`] came.
#[derive(Clone, Copy, Debug)]
struct Newest {
    ssrc: u32,
    index: u64,
    seen: u64,
}

impl Newest {
    /// The index that a sequence number most likely means (RFC 3711 §3.3.1).
    fn guess(&self, sequence: u16) -> Option<u64> {
        let (rollover, newest) = (self.index >> 16, self.index as u16);
        let ahead = i32::from(sequence) - i32::from(newest);
        let rollover = if ahead < -0x8000 {
            rollover + 1
        } else if ahead > 0x8000 {
            rollover.checked_sub(1)?
        } else {
            rollover
        };
        Some(rollover << 16 | u64::from(sequence))
    }

    fn is_new(&self, index: u64) -> bool {
        index > self.index || self.index - index < WINDOW && self.seen >> (self.index - index) & 1 == 0
    }

    fn take(&mut self, index: u64) {
        if index > self.index {
            let ahead = index - self.index;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.index = index;
        } else {
            self.seen |= 1 << (self.index - index).min(WINDOW - 1);
        }
    }
}

/// The sources of one direction that proved genuine, the one heard last at the end.
#[derive(Default, Debug)]
struct Sources(Vec<Newest>);

impl Sources {
    fn new() -> Self {
        Self(Vec::with_capacity(SOURCES))
    }

    fn find(&self, ssrc: u32) -> Option<&Newest> {
        self.0.iter().rev().find(|source| source.ssrc == ssrc)
    }

    /// The index of a sequence number, unless it was seen. A source that is not known begins with rollover zero.
    fn judge(&self, ssrc: u32, sequence: u16) -> Option<u64> {
        let Some(newest) = self.find(ssrc) else { return Some(u64::from(sequence)) };
        newest.guess(sequence).filter(|index| newest.is_new(*index))
    }

    /// A packet proved genuine.
    fn take(&mut self, ssrc: u32, index: u64) {
        match self.0.iter_mut().rev().find(|source| source.ssrc == ssrc) {
            Some(source) => source.take(index),
            None => {
                if self.0.len() == SOURCES {
                    self.0.remove(0);
                }
                self.0.push(Newest { ssrc, index, seen: 1 });
            }
        }
    }
}

/// What we send.
pub(crate) struct Sealer {
    rtp: Session,
    rtcp: Session,
    newest: Option<Newest>,
    rtcp_index: u32,
}

impl Sealer {
    pub(crate) fn new(key: &SrtpKey) -> Option<Self> {
        Some(Self {
            rtp: Session::new(key, RTP_LABELS, key.suite.tag_len())?,
            rtcp: Session::new(key, RTCP_LABELS, key.suite.rtcp_tag_len())?,
            newest: None,
            rtcp_index: 0,
        })
    }

    /// Protects the first `length` octets of the buffer, which become more; `None` when there is no room.
    pub(crate) fn rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let (start, ssrc, sequence) = header::clear_part(buffer.get(..length)?)?;
        let newest = self.newest.get_or_insert(Newest { ssrc, index: u64::from(sequence), seen: 0 });
        // Two packets under one number would give away what they hold.
        let index = newest.guess(sequence).filter(|index| newest.is_new(*index))?;
        let (clear, rest) = buffer.split_at_mut(start);
        let (text, room) = rest.split_at_mut(length - start);
        let room = room.get_mut(..self.rtp.tag)?;
        newest.take(index);
        let rollover = ((index >> 16) as u32).to_be_bytes();
        let tag = self.rtp.seal(clear, text, Place { ssrc, index, rtcp: false }, rollover)?;
        room.copy_from_slice(&tag[..self.rtp.tag]);
        Some(length + self.rtp.tag)
    }

    /// Protects an RTCP packet; false when there is no room.
    pub(crate) fn rtcp(&mut self, packet: &mut Packet) -> bool {
        self.rtcp_index = (self.rtcp_index + 1) % ENCRYPTED;
        let Some((clear, text)) = packet.as_mut_slice().split_at_mut_checked(RTCP_CLEAR) else { return false };
        let ssrc = u32::from_be_bytes([clear[4], clear[5], clear[6], clear[7]]);
        let place = Place { ssrc, index: u64::from(self.rtcp_index), rtcp: true };
        let word = (self.rtcp_index | ENCRYPTED).to_be_bytes();
        let Some(tag) = self.rtcp.seal(clear, text, place, word) else { return false };
        let tag = &tag[..self.rtcp.tag];
        // GCM's tag belongs to the ciphertext, HMAC's comes last (RFC 7714 §9.2, RFC 3711 §3.4).
        match self.rtcp.cipher {
            Cipher::Counter(..) => packet.push(&word) && packet.push(tag),
            _ => packet.push(tag) && packet.push(&word),
        }
    }
}

/// What we receive.
pub(crate) struct Opener {
    rtp: Session,
    rtcp: Session,
    rtp_sources: Sources,
    rtcp_sources: Sources,
}

impl Opener {
    pub(crate) fn new(key: &SrtpKey) -> Option<Self> {
        Some(Self {
            rtp: Session::new(key, RTP_LABELS, key.suite.tag_len())?,
            rtcp: Session::new(key, RTCP_LABELS, key.suite.rtcp_tag_len())?,
            rtp_sources: Sources::new(),
            rtcp_sources: Sources::new(),
        })
    }

    /// Opens a packet in place; the length of what it holds, or `None` for a forged or repeated one.
    pub(crate) fn rtp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let (start, ssrc, sequence) = header::clear_part(packet)?;
        let length = packet.len().checked_sub(self.rtp.tag).filter(|length| *length >= start)?;
        let index = self.rtp_sources.judge(ssrc, sequence)?;
        let (body, tag) = packet.split_at_mut(length);
        let (clear, text) = body.split_at_mut(start);
        let mut open = |index: u64| {
            let rollover = ((index >> 16) as u32).to_be_bytes();
            self.rtp.open(clear, text, Place { ssrc, index, rtcp: false }, rollover, tag)
        };
        if open(index).is_none() {
            // Under a new key the rollover goes on (RFC 3711 §3.3.1), but some begin anew.
            let anew = self.rtp_sources.find(ssrc).is_some_and(|source| source.seen == 0 && index > 0xffff);
            anew.then(|| open(u64::from(sequence))).flatten()?;
            self.rtp_sources.0.retain(|source| source.ssrc != ssrc);
            self.rtp_sources.take(ssrc, u64::from(sequence));
            return Some(length);
        }
        self.rtp_sources.take(ssrc, index);
        Some(length)
    }

    /// The same for RTCP. One that was not encrypted is refused: nobody agreed to that.
    pub(crate) fn rtcp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let length = packet.len().checked_sub(self.rtcp.tag + 4).filter(|length| *length >= RTCP_CLEAR)?;
        let (body, trailer) = packet.split_at_mut(length);
        let (tag, word) = match self.rtcp.cipher {
            Cipher::Counter(..) => {
                let (word, tag) = trailer.split_at(4);
                (tag, word)
            }
            _ => trailer.split_at(self.rtcp.tag),
        };
        let word: [u8; 4] = word.try_into().ok()?;
        let index = u32::from_be_bytes(word);
        let ssrc = u32::from_be_bytes([body[4], body[5], body[6], body[7]]);
        let place = Place { ssrc, index: u64::from(index & !ENCRYPTED), rtcp: true };
        let known = self.rtcp_sources.find(ssrc);
        if index & ENCRYPTED == 0 || known.is_some_and(|newest| !newest.is_new(place.index)) {
            return None;
        }
        let (clear, text) = body.split_at_mut(RTCP_CLEAR);
        self.rtcp.open(clear, text, place, word, tag)?;
        self.rtcp_sources.take(ssrc, place.index);
        Some(length)
    }
}

/// SRTP with one peer, both ways.
#[derive(Debug)]
pub struct Protection {
    crypto: Crypto,
    sealer: Sealer,
    opener: Opener,
    /// Under the key before, until the first packet under the new one.
    former: Option<Opener>,
}

impl Protection {
    /// With these keys; `None` when they fit no suite.
    pub fn new(crypto: Crypto) -> Option<Self> {
        let (sealer, opener) = (Sealer::new(&crypto.ours)?, Opener::new(&crypto.theirs)?);
        Some(Self { crypto, sealer, opener, former: None })
    }

    /// With these keys from now on; where one stays the same, its direction goes on as it is.
    pub fn rekey(self, crypto: Crypto) -> Option<Self> {
        let sealer = if crypto.ours == self.crypto.ours { self.sealer } else { Sealer::new(&crypto.ours)? };
        if crypto.theirs == self.crypto.theirs {
            return Some(Self { crypto, sealer, ..self });
        }
        let mut opener = Opener::new(&crypto.theirs)?;
        opener.rtp_sources.0.extend(self.opener.rtp_sources.0.iter().map(|source| Newest { seen: 0, ..*source }));
        Some(Self { crypto, sealer, opener, former: Some(self.opener) })
    }

    /// Protects the first `length` octets of the buffer in place; the length they have then. `None` when the buffer has
    /// no room, which is [`SRTP_ROOM`] at most, or the packet was protected before.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        self.sealer.rtp(buffer, length)
    }

    /// Opens an RTP packet in place; the length it has then. `None` for a forged or repeated one.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Option<usize> {
        match self.opener.rtp(packet) {
            Some(length) => {
                self.former = None;
                Some(length)
            }
            None => self.former.as_mut()?.rtp(packet),
        }
    }

    /// Protects an RTCP packet; false when there is no room.
    pub(crate) fn seal_rtcp(&mut self, packet: &mut Packet) -> bool {
        self.sealer.rtcp(packet)
    }

    /// Opens an RTCP packet in place.
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8]) -> Option<usize> {
        self.opener.rtcp(packet).or_else(|| self.former.as_mut()?.rtcp(packet))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Header;

    /// The packet that libsrtp validates itself with.
    const PLAIN: [u8; 28] = [
        0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
        0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(core::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    fn key(suite: SrtpSuite, material: &str) -> SrtpKey {
        SrtpKey::new(suite, &bytes(material)).expect("a key of the suite")
    }

    fn any_key(suite: SrtpSuite, with: u8) -> SrtpKey {
        let material: Vec<u8> = (0..suite.key_len() + suite.salt_len()).map(|i| i as u8 ^ with).collect();
        SrtpKey::new(suite, &material).expect("a key of the suite")
    }

    fn sealed(sealer: &mut Sealer, sequence: u16, ssrc: u32) -> Vec<u8> {
        let header = Header { marker: false, payload_type: 0, sequence, timestamp: 9, ssrc, payload: 12..12 };
        let mut buffer = [0; 200];
        buffer[..12].copy_from_slice(&header.to_bytes());
        buffer[12..172].fill(0x55);
        let length = sealer.rtp(&mut buffer, 172).expect("room");
        buffer[..length].to_vec()
    }

    fn opens(opener: &mut Opener, packet: &[u8]) -> bool {
        let mut packet = packet.to_vec();
        let opened = opener.rtp(&mut packet);
        assert!(opened.is_none_or(|length| packet[12..length] == [0x55; 160]), "what opens is what was said");
        opened.is_some()
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn session_keys_are_those_of_the_rfc() {
        let key = key(SrtpSuite::AesCm80, "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let derived = |label, length: usize| {
            let mut out = vec![0; length];
            derive(&key, label, &mut out).expect("a key");
            out
        };
        assert_eq!(derived(0, 16), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(2, 14), bytes("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(derived(1, 20), bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// RFC 3711 appendix B.2.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let aes = Aes128::new_from_slice(&bytes("2B7E151628AED2A6ABF7158809CF4F3C")).expect("a key");
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        let mut stream = vec![0; 0xff02 * 16];
        keystream(aes, iv, &mut stream);
        let expected =
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream[..48], bytes(expected));
        let expected =
            "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[0xfeff * 16..][..48], bytes(expected));
    }

    /// A session whose keys are given, not derived.
    fn session(suite: SrtpSuite) -> Session {
        let key: Vec<u8> = (0..suite.key_len() as u8).collect();
        let cipher = match suite {
            SrtpSuite::AesGcm128 => Cipher::Gcm128(Box::new(Aes128Gcm::new_from_slice(&key).expect("a key"))),
            _ => Cipher::Gcm256(Box::new(Aes256Gcm::new_from_slice(&key).expect("a key"))),
        };
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(b"Quid pro quo");
        Session { cipher, salt, tag: 16 }
    }

    /// RFC 7714 §16.1.1, §16.2.1, §17.1 and §17.2.
    #[test]
    fn galois_counter_mode_is_that_of_the_rfc() {
        let rtp = bytes("8040f17b 8041f8d3 5501a0b2");
        let speech = b"Gallia est omnis divisa in partes tres";
        let report = bytes("81c8000d 4d617273");
        let rest = "4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef";
        let cases = [
            (
                SrtpSuite::AesGcm128,
                "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833 899d7f27beb16a9152cf765ee4390cce",
                "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b c84aa45896cf4d2fc5abf87245d9eade",
            ),
            (
                SrtpSuite::AesGcm256,
                "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b 7aa3db36dfffd6b0f9bb7878d7a76c13",
                "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad 1d1eb30c4446839f57ff6f6cb26ac3be",
            ),
        ];
        for (suite, sealed_speech, sealed_report) in cases {
            let session = session(suite);
            let index = 0x8000_05d4u32;
            let of_rtp = Place { ssrc: 0x5501_a0b2, index: 0xf17b, rtcp: false };
            let of_rtcp = Place { ssrc: 0x4d61_7273, index: 0x5d4, rtcp: true };
            for (clear, text, place, trailer, expected) in [
                (&rtp, &speech[..], of_rtp, [0; 4], sealed_speech),
                (&report, &bytes(rest)[..], of_rtcp, index.to_be_bytes(), sealed_report),
            ] {
                let mut sealed = text.to_vec();
                let tag = session.seal(clear, &mut sealed, place, trailer).expect("short enough");
                assert_eq!([&sealed[..], &tag].concat(), bytes(expected), "{suite:?}");
                session.open(clear, &mut sealed, place, trailer, &tag).expect("genuine");
                assert_eq!(sealed, text);
            }
        }
    }

    #[test]
    fn packets_are_those_of_libsrtp() {
        let cases = [
            (
                key(SrtpSuite::AesCm80, "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6"),
                "4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
            ),
            (
                key(SrtpSuite::AesGcm128, "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab"),
                "c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392",
            ),
        ];
        for (key, expected) in cases {
            let mut buffer = [0; 60];
            buffer[..28].copy_from_slice(&PLAIN);
            let length = Sealer::new(&key).expect("a key").rtp(&mut buffer, 28).expect("room");
            assert_eq!(buffer[12..length], bytes(expected), "{:?}", key.suite);
            assert_eq!(Opener::new(&key).expect("a key").rtp(&mut buffer[..length]), Some(28));
            assert_eq!(buffer[..28], PLAIN);
        }
    }

    #[test]
    fn rtcp_is_that_of_libsrtp() {
        let key = key(SrtpSuite::AesCm80, "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
        let mut packet = Packet::new();
        packet.push(&bytes("81c8000bcafebabe abababababababababababababababab"));
        assert!(Sealer::new(&key).expect("a key").rtcp(&mut packet));
        let expected = bytes("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
        assert_eq!(packet.as_slice(), expected);
    }

    #[test]
    fn every_suite_opens_what_it_sealed_and_nothing_else() {
        for suite in SrtpSuite::ALL {
            let mut sealer = Sealer::new(&any_key(suite, 1)).expect("a key");
            let mut opener = Opener::new(&any_key(suite, 1)).expect("a key");
            let mut stranger = Opener::new(&any_key(suite, 2)).expect("a key");
            for sequence in 0..50 {
                let packet = sealed(&mut sealer, sequence, 7);
                assert_eq!(packet.len(), 172 + suite.tag_len());
                assert!(!opens(&mut stranger, &packet), "{suite:?}: another key");
                for at in [1, 5, 12, 100, packet.len() - 1] {
                    let mut forged = packet.clone();
                    forged[at] ^= 1;
                    assert!(!opens(&mut opener, &forged), "{suite:?}: octet {at} was changed");
                }
                assert!(opens(&mut opener, &packet), "{suite:?}");
                assert!(!opens(&mut opener, &packet), "{suite:?}: a replay");
            }
            let mut packet = Packet::new();
            packet.push(&[0x80, 201, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4]);
            assert!(sealer.rtcp(&mut packet));
            let mut forged = packet;
            forged.as_mut_slice()[9] ^= 1;
            assert_eq!(opener.rtcp(forged.as_mut_slice()), None, "{suite:?}: forged");
            let mut again = packet;
            assert_eq!(opener.rtcp(packet.as_mut_slice()), Some(12), "{suite:?}");
            assert_eq!(packet.as_slice()[..12], [0x80, 201, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4]);
            assert_eq!(opener.rtcp(again.as_mut_slice()), None, "{suite:?}: a replay");
        }
    }

    #[test]
    fn the_rollover_is_followed_through_reordering_and_loss() {
        for suite in [SrtpSuite::AesCm80, SrtpSuite::AesGcm128] {
            let mut sealer = Sealer::new(&any_key(suite, 1)).expect("a key");
            let mut opener = Opener::new(&any_key(suite, 1)).expect("a key");
            let mut late = None;
            for number in 65_000..200_000u32 {
                let packet = sealed(&mut sealer, number as u16, 7);
                match number % 97 {
                    // Lost, late by two, or in time.
                    0 => {}
                    1 => late = Some(packet),
                    3 => {
                        assert!(opens(&mut opener, &packet), "{number}");
                        assert!(late.take().is_none_or(|late| opens(&mut opener, &late)), "late before {number}");
                    }
                    _ => assert!(opens(&mut opener, &packet), "{number}"),
                }
            }
            assert_eq!(opener.rtp_sources.find(7).map(|newest| newest.index >> 16), Some(3));
        }
    }

    #[test]
    fn each_source_has_its_own_rollover_and_few_are_remembered() {
        let key = any_key(SrtpSuite::AesCm80, 1);
        let mut opener = Opener::new(&key).expect("a key");
        let mut first = Sealer::new(&key).expect("a key");
        let early = sealed(&mut first, 10, 1);
        for number in 11..70_000u32 {
            opens(&mut opener, &sealed(&mut first, number as u16, 1));
        }
        let mut second = Sealer::new(&key).expect("a key");
        assert!(opens(&mut opener, &sealed(&mut second, 5, 2)), "a new source begins anew");
        assert!(opens(&mut opener, &sealed(&mut first, (70_000u32) as u16, 1)), "and the first goes on");
        assert!(!opens(&mut opener, &early));
        for ssrc in 10..40 {
            assert!(opens(&mut opener, &sealed(&mut Sealer::new(&key).expect("a key"), 5, ssrc)));
        }
        assert_eq!(opener.rtp_sources.0.len(), SOURCES);
        let before = opener.rtp_sources.0.capacity();
        let forged = [&PLAIN[..], &[0; 10]].concat();
        assert!(opener.rtp(&mut forged.clone()).is_none());
        assert_eq!((opener.rtp_sources.0.len(), opener.rtp_sources.0.capacity()), (SOURCES, before));
    }

    /// The peers of a call, and what `other` makes of what `one` says.
    fn passes(one: &mut Protection, other: &mut Protection, sequence: u16) -> bool {
        let header = Header { marker: false, payload_type: 0, sequence, timestamp: 9, ssrc: 7, payload: 12..12 };
        let mut buffer = [0x55; 200];
        buffer[..12].copy_from_slice(&header.to_bytes());
        let length = one.seal_rtp(&mut buffer, 172).expect("room");
        other.open_rtp(&mut buffer[..length]) == Some(172)
    }

    fn pair(ours: u8, theirs: u8) -> [Protection; 2] {
        let key = |with| any_key(SrtpSuite::AesGcm128, with);
        let [here, there] = [(ours, theirs), (theirs, ours)].map(|(a, b)| Crypto { ours: key(a), theirs: key(b) });
        [here, there].map(|crypto| Protection::new(crypto).expect("keys"))
    }

    #[test]
    fn a_new_key_is_taken_without_losing_a_packet_and_the_old_one_ends_with_its_first() {
        let [mut us, mut peer] = pair(1, 2);
        assert!((0..70_000u32).all(|number| passes(&mut peer, &mut us, number as u16)));
        let [_, mut renewed] = pair(1, 3);
        let crypto = Crypto { theirs: renewed.crypto.ours, ..us.crypto };
        us = us.rekey(crypto).expect("keys");
        assert!(passes(&mut peer, &mut us, 70_000u32 as u16), "what was under way");
        // libsrtp keeps the rollover (RFC 3711 §3.3.1); others begin anew.
        assert!(passes(&mut renewed, &mut us, 70_001u32 as u16), "anew");
        assert!(!passes(&mut peer, &mut us, 70_002u32 as u16), "the old key is over");
        assert!(passes(&mut renewed, &mut us, 70_003u32 as u16));
        let [_, mut kept] = pair(1, 4);
        let crypto = Crypto { theirs: kept.crypto.ours, ..us.crypto };
        us = us.rekey(crypto).expect("keys");
        us.opener.rtp_sources.0[0].index |= 1 << 16;
        kept.sealer.newest = Some(Newest { ssrc: 7, index: 70_003, seen: 0 });
        assert!(passes(&mut kept, &mut us, 70_004u32 as u16), "kept");
    }

    #[test]
    fn the_same_keys_again_change_nothing() {
        let [mut us, mut peer] = pair(1, 2);
        assert!(passes(&mut us, &mut peer, 65_535) && passes(&mut us, &mut peer, 0));
        let crypto = us.crypto;
        us = us.rekey(crypto).expect("keys");
        assert!(passes(&mut us, &mut peer, 1), "the rollover goes on");
        let mut again = [0; 200];
        again[..12].copy_from_slice(
            &Header { marker: false, payload_type: 0, sequence: 1, timestamp: 9, ssrc: 7, payload: 12..12 }.to_bytes(),
        );
        assert_eq!(us.seal_rtp(&mut again, 100), None, "no number is used twice");
    }

    #[test]
    fn no_room_and_no_packet_are_refused() {
        let key = any_key(SrtpSuite::AesGcm128, 1);
        let mut sealer = Sealer::new(&key).expect("a key");
        let mut opener = Opener::new(&key).expect("a key");
        let mut buffer = PLAIN;
        assert_eq!(sealer.rtp(&mut buffer, 28), None, "no room");
        assert_eq!(buffer, PLAIN, "and nothing was sent half encrypted");
        for length in 0..40 {
            assert_eq!(opener.rtp(&mut vec![0x80; length]), None);
            assert_eq!(opener.rtp(&mut vec![0x9f; length]), None);
            assert_eq!(opener.rtcp(&mut vec![0x80; length]), None);
        }
    }
}
