//! What two parties agree on to encrypt their audio (RFC 3711, RFC 7714).

use core::fmt;

/// Whether the audio of a peer is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SrtpUse {
    /// Never.
    #[default]
    Off,
    /// Where the peer can (RFC 8643).
    Optional,
    /// Always: without keys there is no call.
    Required,
    /// Always, with keys that DTLS agrees on (RFC 5763); we prove ourselves with this certificate.
    Dtls(Fingerprint),
}

impl SrtpUse {
    /// What is left of it on a way that is `secure` or not, for keys go where nobody can read them; none: no call.
    /// A fingerprint is no secret.
    pub const fn over(self, secure: bool) -> Option<Self> {
        match self {
            Self::Dtls(_) => Some(self),
            _ if secure => Some(self),
            Self::Off | Self::Optional => Some(Self::Off),
            Self::Required => None,
        }
    }
}

/// How SRTP encrypts and proves a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SrtpSuite {
    /// AES-128 in counter mode, HMAC-SHA1 of 80 bits (RFC 3711).
    AesCm80,
    /// The same with 32 bits for RTP; RTCP keeps 80.
    AesCm32,
    /// AES-128 in Galois counter mode (RFC 7714).
    AesGcm128,
    /// AES-256 in Galois counter mode (RFC 7714).
    AesGcm256,
}

impl SrtpSuite {
    /// All of them, in our order of preference.
    pub const ALL: [Self; 4] = [Self::AesGcm256, Self::AesGcm128, Self::AesCm80, Self::AesCm32];

    /// Its name in `a=crypto` (RFC 4568 §6.2, RFC 7714 §14.2).
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesGcm128 => "AEAD_AES_128_GCM",
            Self::AesGcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm80 | Self::AesCm32 | Self::AesGcm128 => 16,
            Self::AesGcm256 => 32,
        }
    }

    /// Octets of the master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AesCm80 | Self::AesCm32 => 14,
            Self::AesGcm128 | Self::AesGcm256 => 12,
        }
    }

    /// Octets that prove an RTP packet.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AesCm80 => 10,
            Self::AesCm32 => 4,
            Self::AesGcm128 | Self::AesGcm256 => 16,
        }
    }

    /// Octets that prove an RTCP packet.
    pub const fn rtcp_tag_len(self) -> usize {
        match self {
            Self::AesCm80 | Self::AesCm32 => 10,
            Self::AesGcm128 | Self::AesGcm256 => 16,
        }
    }
}

/// Master key and salt of one direction; what a suite does not use of either is zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey {
    /// What they are for.
    pub suite: SrtpSuite,
    /// The master key.
    pub key: [u8; 32],
    /// The master salt.
    pub salt: [u8; 14],
}

impl SrtpKey {
    /// From key and salt one after the other, as `a=crypto` carries them; `None` when the length is not the suite's.
    pub fn new(suite: SrtpSuite, material: &[u8]) -> Option<Self> {
        let (key_len, salt_len) = (suite.key_len(), suite.salt_len());
        let (first, second) = material.split_at_checked(key_len).filter(|(_, salt)| salt.len() == salt_len)?;
        let (mut key, mut salt) = ([0; 32], [0; 14]);
        key[..key_len].copy_from_slice(first);
        salt[..salt_len].copy_from_slice(second);
        Some(Self { suite, key, salt })
    }
}

/// Never shows a key.
impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SrtpKey({}, ***)", self.suite.name())
    }
}

/// The keys of both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crypto {
    /// For what we send.
    pub ours: SrtpKey,
    /// For what the peer sends.
    pub theirs: SrtpKey,
}

/// A certificate's SHA-256, by which its owner is known (RFC 8122).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(pub [u8; 32]);

/// A DTLS association as offer and answer agree on it (RFC 8842). The same one again goes on; another begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DtlsPeer {
    /// We begin the handshake.
    pub active: bool,
    /// The peer's certificate.
    pub certificate: Fingerprint,
}

/// By what a browser's checks show that it is the peer (RFC 8445, whose passive side we are): what our description told it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IceLite {
    /// Our name.
    pub user: [u8; 8],
    /// Our password.
    pub password: [u8; 32],
}

impl fmt::Debug for IceLite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceLite({}, ***)", String::from_utf8_lossy(&self.user))
    }
}

/// Where the keys of a leg come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keying {
    /// From the session description.
    Told(Crypto),
    /// From a DTLS handshake where RTP goes (RFC 5764).
    Dtls(DtlsPeer),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let key = SrtpKey::new(SrtpSuite::AesCm80, &[0xab; 30]).expect("30 octets");
        assert_eq!(format!("{key:?}"), "SrtpKey(AES_CM_128_HMAC_SHA1_80, ***)");
    }

    #[test]
    fn only_the_length_of_the_suite_is_a_key() {
        for suite in SrtpSuite::ALL {
            let length = suite.key_len() + suite.salt_len();
            assert!(SrtpKey::new(suite, &vec![1; length]).is_some());
            assert!(SrtpKey::new(suite, &vec![1; length - 1]).is_none());
            assert!(SrtpKey::new(suite, &vec![1; length + 1]).is_none());
        }
    }
}
