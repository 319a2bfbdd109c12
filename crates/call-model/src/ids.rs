//! Names of calls, legs and handoffs, and the seeded source all of them (and SIP tags and branches) come from.

use crate::callback::CallbackId;
use core::fmt;
use core::str::FromStr;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A seeded, cryptographically strong stream of numbers: the only randomness pure crates know.
///
/// The gateway seeds it from the operating system, the simulator from the scenario's seed, so a run can be repeated.
#[derive(Clone, Debug)]
pub struct IdSource(ChaCha12Rng);

impl IdSource {
    /// A source for production: 32 bytes of entropy.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A source for tests and the simulator.
    pub fn from_u64(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// An independent source, so that parts do not disturb each other's sequence.
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        Self::from_seed(seed)
    }

    /// An independent source of that name, from which nothing is taken here: names that are used once give sources
    /// that have nothing in common.
    pub fn branch(&self, name: u64) -> Self {
        let mut branch = self.0.clone();
        branch.set_stream(name);
        Self(branch)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number in `0..bound`; 0 when `bound` is 0. The bias is below 2^-32 for bounds that fit in 32 bits.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// `len` lower-case hexadecimal characters (4 bits each): tags, branches, tokens.
    pub fn hex(&mut self, len: usize) -> String {
        let mut out = String::with_capacity(len);
        while out.len() < len {
            let word = self.next_u64();
            for i in 0..16.min(len - out.len()) {
                out.push(char::from(b"0123456789abcdef"[(word >> (4 * i) & 15) as usize]));
            }
        }
        out
    }

    /// A fresh call id.
    pub fn call_id(&mut self) -> CallId {
        CallId(self.next_u64() >> 1)
    }

    /// A fresh handoff id: a ULID of the given wall time (milliseconds since 1970) and 80 random bits.
    pub fn handoff_id(&mut self, unix_ms: u64) -> HandoffId {
        let high = u128::from(unix_ms & 0xffff_ffff_ffff) << 80;
        let random = u128::from(self.next_u64()) << 16 | u128::from(self.next_u32() & 0xffff);
        HandoffId(high | random)
    }

    /// A fresh callback id.
    pub fn callback_id(&mut self, unix_ms: u64) -> CallbackId {
        CallbackId(self.handoff_id(unix_ms))
    }
}

/// What the caller experiences from first INVITE to the end. Not the `Call-ID` header, which names one dialog.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for i in (0..13).rev() {
            write!(f, "{}", char::from(CROCKFORD[(self.0 >> (5 * i) & 31) as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() != 13 {
            return Err(BadId);
        }
        u64::try_from(crockford(text)?).map(Self).map_err(|_| BadId)
    }
}

/// One of our sides of the network, by its place in the configuration; the first by default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct InterfaceId(pub usize);

/// One party of one call. Copyable, and ordered so that legs of a call lie together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId {
    /// The call it belongs to.
    pub call: CallId,
    /// 0 is the caller; later legs count up and are never reused within a call.
    pub index: u8,
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.call, self.index)
    }
}

impl fmt::Debug for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The part a leg plays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// The person who called, behind a trunk.
    Caller,
    /// The AI voice agent.
    Bot,
    /// One human's seat.
    Desk,
    /// An external recorder, which only hears.
    Recorder,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller",
            Self::Bot => "bot",
            Self::Desk => "desk",
            Self::Recorder => "recorder",
        })
    }
}

/// The public name of a handoff: a ULID, 26 characters. May appear in headers and traces; it opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandoffId(pub u128);

impl fmt::Display for HandoffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for i in (0..26).rev() {
            write!(f, "{}", char::from(CROCKFORD[(self.0 >> (5 * i) & 31) as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for HandoffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HandoffId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() == 26 { crockford(text).map(Self) } else { Err(BadId) }
    }
}

/// The text is not an id of the expected length and alphabet (Crockford base 32).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: expected Crockford base 32 of the right length")
    }
}

impl core::error::Error for BadId {}

fn crockford(text: &str) -> Result<u128, BadId> {
    text.bytes().try_fold(0u128, |acc, byte| {
        let digit = CROCKFORD.iter().position(|c| *c == byte.to_ascii_uppercase()).ok_or(BadId)?;
        acc.checked_mul(32).and_then(|acc| acc.checked_add(digit as u128)).ok_or(BadId)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_form() {
        let mut ids = IdSource::from_u64(7);
        for _ in 0..1000 {
            let (call, handoff) = (ids.call_id(), ids.handoff_id(1_795_250_000_000));
            assert_eq!(call.to_string().parse(), Ok(call));
            assert_eq!(handoff.to_string().parse(), Ok(handoff));
        }
        assert_eq!("not an id".parse::<CallId>(), Err(BadId));
        assert_eq!("ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<HandoffId>(), Err(BadId));
    }

    #[test]
    fn the_same_seed_gives_the_same_names() {
        let (mut a, mut b) = (IdSource::from_u64(1), IdSource::from_u64(1));
        assert_eq!(a.hex(33), b.hex(33));
        assert_eq!(a.fork().next_u64(), b.fork().next_u64());
        assert_eq!(a.branch(7).next_u64(), b.branch(7).next_u64());
        assert_ne!(a.branch(7).next_u64(), a.branch(8).next_u64());
        assert_ne!(a.branch(7).next_u64(), a.clone().next_u64());
        assert_eq!(a.next_u64(), b.next_u64(), "a branch takes nothing");
    }
}
