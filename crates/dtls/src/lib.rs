//! The DTLS handshake that keys SRTP (RFC 5763, RFC 5764), over `rtc-dtls` of the webrtc project.
//!
//! Sans-IO: told the time, given datagrams, asked for datagrams. The randomness is the cryptography's own, which is why
//! this is no part of `rtp-proto`.
#![forbid(unsafe_code)]

mod handshake;
mod records;

use call_model::{DtlsPeer, Fingerprint, Instant};
use core::fmt;
use handshake::Handshake;
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{RTCCryptoProvider, default_provider};
use rtp_proto::{Association, Dtls};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Who we are in DTLS: a self-signed ECDSA P-256 certificate, made for this run of the program.
pub struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: Fingerprint,
    clock: Clock,
}

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, String> {
        let provider = default_provider().map_err(|error| error.to_string())?;
        let certificate = Certificate::generate_self_signed(Vec::new(), provider.crypto());
        let certificate = certificate.map_err(|error| error.to_string())?;
        let fingerprint = certificate.certificate.first().map(|der| fingerprint(der.as_ref()));
        let fingerprint = fingerprint.ok_or("no certificate was made")?;
        Ok(Self { provider, certificate, fingerprint, clock: Clock::start() })
    }

    /// By which peers know us.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl Dtls for Identity {
    fn associate(&self, peer: DtlsPeer, now: Instant) -> Box<dyn Association> {
        Box::new(Handshake::new(self, peer, now))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

fn fingerprint(der: &[u8]) -> Fingerprint {
    Fingerprint(Sha256::digest(der).into())
}

/// The library wants instants of the operating system's; all it does with them is to add and compare.
#[derive(Clone, Copy)]
struct Clock(std::time::Instant);

impl Clock {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn at(self, now: Instant) -> std::time::Instant {
        self.0 + (now - Instant::ZERO)
    }

    fn back(self, at: std::time::Instant) -> Instant {
        Instant::ZERO + at.saturating_duration_since(self.0)
    }
}

#[cfg(test)]
mod tests;
