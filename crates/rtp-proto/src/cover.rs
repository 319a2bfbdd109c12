//! What covers a leg's packets: nothing, SRTP with keys that were told, or SRTP with keys that a DTLS handshake makes in
//! the place where RTP goes (RFC 5763, RFC 5764).

use crate::api::Packet;
use crate::srtp::Protection;
use call_model::{Crypto, DtlsPeer, Instant, Keying};
use core::fmt;
use std::sync::Arc;

/// Makes DTLS associations. The cryptography, its randomness and our certificate come from outside.
pub trait Dtls: Send + Sync + fmt::Debug {
    /// An association with this peer, about to begin.
    fn associate(&self, peer: DtlsPeer, now: Instant) -> Box<dyn Association>;
}

/// One DTLS association. What it wants sent and when it wants to be woken is asked for after every `handle_*`.
pub trait Association: Send {
    /// A datagram came from the peer.
    fn handle_datagram(&mut self, datagram: &[u8], now: Instant);
    /// Runs what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// When to call [`Self::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;
    /// A datagram to send, until `None`.
    fn poll_datagram(&mut self) -> Option<Vec<u8>>;
    /// The keys, or why there will be none; told once.
    fn poll_outcome(&mut self) -> Option<Result<Crypto, String>>;
}

/// Whether a datagram on the RTP port is DTLS (RFC 7983).
pub fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

/// What covers one leg's packets, as agreed with its peer. As long as there are no keys that were agreed on, nothing goes
/// through it in either direction.
#[derive(Default)]
pub struct Cover {
    keying: Option<Keying>,
    protection: Option<Box<Protection>>,
    association: Option<Box<dyn Association>>,
    /// How a handshake ended, until that is told.
    outcome: Option<Result<(), String>>,
}

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cover").field("keying", &self.keying).field("keyed", &self.protection.is_some()).finish()
    }
}

impl Cover {
    /// What was agreed on now. The same again changes nothing; where a new handshake has to be made, the keys there are
    /// serve until it is.
    pub fn agree(&mut self, keying: Option<Keying>, dtls: Option<&Arc<dyn Dtls>>, now: Instant) {
        if self.keying == keying {
            return;
        }
        self.keying = keying;
        self.association = None;
        match keying {
            None => self.protection = None,
            Some(Keying::Told(crypto)) => self.rekey(crypto),
            Some(Keying::Dtls(peer)) => {
                self.association = dtls.map(|dtls| dtls.associate(peer, now));
                self.advance();
            }
        }
    }

    /// A DTLS datagram came; whether anybody expects one.
    pub fn handle_datagram(&mut self, datagram: &[u8], now: Instant) -> bool {
        let Some(association) = &mut self.association else { return false };
        association.handle_datagram(datagram, now);
        self.advance();
        true
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(association) = self.association.as_mut().filter(|it| it.poll_timeout().is_some_and(|at| at <= now))
        {
            association.handle_timeout(now);
            self.advance();
        }
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.association.as_ref()?.poll_timeout()
    }

    /// A DTLS datagram to send to where RTP goes, until `None`.
    pub fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        self.association.as_mut()?.poll_datagram()
    }

    /// How a handshake ended: there are keys, or why there will be none; told once.
    pub fn poll_outcome(&mut self) -> Option<Result<(), String>> {
        self.outcome.take()
    }

    /// Whether the first keys are still being made.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.keying, Some(Keying::Dtls(_))) && self.protection.is_none()
    }

    /// Covers the first `length` octets of a buffer in place; the length they have then, [`crate::SRTP_ROOM`] more at
    /// most. `None` when they must not leave.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        match &mut self.protection {
            Some(protection) => protection.seal_rtp(buffer, length),
            None => self.keying.is_none().then_some(length),
        }
    }

    /// Opens a packet in place; the length it has then. `None` when it is not the peer's.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Option<usize> {
        match &mut self.protection {
            Some(protection) => protection.open_rtp(packet),
            None => self.keying.is_none().then_some(packet.len()),
        }
    }

    /// Covers an RTCP packet on its way to the RTP port (`muxed`) or to its own; false when it must not leave.
    pub(crate) fn seal_rtcp(&mut self, packet: &mut Packet, muxed: bool) -> bool {
        let reaches = self.reaches(muxed);
        match &mut self.protection {
            Some(_) if !reaches => false,
            Some(protection) => protection.seal_rtcp(packet),
            None => self.keying.is_none(),
        }
    }

    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8], muxed: bool) -> Option<usize> {
        let reaches = self.reaches(muxed);
        match &mut self.protection {
            Some(_) if !reaches => None,
            Some(protection) => protection.open_rtcp(packet),
            None => self.keying.is_none().then_some(packet.len()),
        }
    }

    /// Keys from a handshake are for the ports it was made on (RFC 5764 §4).
    fn reaches(&self, muxed: bool) -> bool {
        muxed || !matches!(self.keying, Some(Keying::Dtls(_)))
    }

    fn rekey(&mut self, crypto: Crypto) {
        let protection = match self.protection.take() {
            Some(former) => former.rekey(crypto),
            None => Protection::new(crypto),
        };
        self.protection = protection.map(Box::new);
    }

    fn advance(&mut self) {
        let Some(outcome) = self.association.as_mut().and_then(|association| association.poll_outcome()) else {
            return;
        };
        self.outcome = Some(outcome.map(|crypto| self.rekey(crypto)));
    }
}
