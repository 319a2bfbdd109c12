//! One association: a handshake, and afterwards only what is left of it.

use crate::records;
use crate::{Clock, Identity, fingerprint};
use bytes::BytesMut;
use call_model::{Crypto, DtlsPeer, Fingerprint, Instant, SrtpKey, SrtpSuite};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Profile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;
use rtp_proto::Association;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long a handshake may take, the peer's silence before it included.
const LONGEST: Duration = Duration::from_secs(15);
/// What is not answered is repeated after so long (RFC 6347 §4.2.4.1).
const REPEATED_AFTER: Duration = Duration::from_secs(1);
/// Octets that are taken of a peer, in all: eight times a certificate chain. The library keeps what it was given.
pub(crate) const MOST: usize = 32 * 1024;
/// The library knows its peers by their addresses; there is one, wherever it is.
const PEER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Where an association is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    UnderWay,
    Keyed,
    /// Failed, or closed by the peer, which changes nothing about the keys.
    Over,
}

pub(crate) struct Handshake {
    endpoint: Endpoint,
    clock: Clock,
    peer: DtlsPeer,
    stage: Stage,
    deadline: Instant,
    taken: usize,
    /// What of the peer's part has come.
    seen: BTreeSet<records::Fragment>,
    outcome: Option<Result<Crypto, String>>,
}

impl Handshake {
    pub(crate) fn new(identity: &Identity, peer: DtlsPeer, now: Instant) -> Self {
        let config = configure(identity, peer);
        let server = config.as_ref().ok().filter(|_| !peer.active).cloned();
        let mut this = Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, server),
            clock: identity.clock,
            peer,
            stage: Stage::UnderWay,
            deadline: now + LONGEST,
            taken: 0,
            seen: BTreeSet::new(),
            outcome: None,
        };
        let begun = config.and_then(|config| match peer.active {
            true => this.endpoint.connect(this.clock.at(now), PEER, config, None),
            false => Ok(()),
        });
        if let Err(error) = begun {
            this.fail(&error.to_string());
        }
        this
    }

    /// Whether there is anything in it that has not come before. The library takes its own words for answered when a
    /// handshake message comes, be it the peer's last one once more, and would not repeat them.
    fn is_news(&mut self, datagram: &[u8]) -> bool {
        let Some(fragments) = records::fragments(datagram) else { return true };
        // Who has not heard that its first message is to be sent with a cookie must be told again.
        let first = !self.peer.active && self.seen.iter().chain(&fragments).all(records::is_first_message);
        let before = self.seen.len();
        self.seen.extend(fragments);
        first || self.seen.len() > before
    }

    fn read(&mut self, datagram: &[u8], now: Instant) {
        match self.endpoint.read(self.clock.at(now), PEER, None, BytesMut::from(datagram)) {
            Ok(events) => events.into_iter().for_each(|event| match event {
                EndpointEvent::HandshakeComplete => self.complete(),
                EndpointEvent::PeerClosed if self.stage == Stage::UnderWay => self.fail("the peer gave up"),
                EndpointEvent::PeerClosed => self.stage = Stage::Over,
                _ => {}
            }),
            // What comes after the handshake takes nothing away.
            Err(error) if self.stage == Stage::UnderWay => self.fail(&error.to_string()),
            Err(_) => {}
        }
    }

    fn fail(&mut self, why: &str) {
        self.stage = Stage::Over;
        self.outcome = Some(Err(format!("no DTLS handshake: {why}")));
    }

    fn complete(&mut self) {
        let keys = self.endpoint.get_connection_state(PEER).ok_or_else(|| "it is gone".to_owned());
        match keys.and_then(|state| keys_of(state, self.peer)) {
            Ok(crypto) => {
                self.stage = Stage::Keyed;
                self.outcome = Some(Ok(crypto));
            }
            Err(why) => self.fail(&why),
        }
    }
}

impl Association for Handshake {
    fn handle_datagram(&mut self, datagram: &[u8], now: Instant) {
        let taken = self.taken + datagram.len();
        if self.stage == Stage::Over || taken > MOST || !records::are_sound(datagram) {
            return;
        }
        self.taken = taken;
        if self.stage == Stage::Keyed || self.is_news(datagram) {
            self.read(datagram, now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.stage != Stage::UnderWay {
            return;
        }
        if now >= self.deadline {
            self.fail("the peer did not finish it in time");
        } else if self.endpoint.poll_timeout(&PEER).is_some()
            && self.endpoint.handle_timeout(PEER, self.clock.at(now)).is_err()
        {
            self.fail("the peer does not answer");
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let repeat = self.endpoint.poll_timeout(&PEER).map(|at| self.clock.back(at));
        (self.stage == Stage::UnderWay).then(|| repeat.map_or(self.deadline, |at| at.min(self.deadline)))
    }

    fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        self.endpoint.poll_transmit().map(|datagram| datagram.message.into())
    }

    fn poll_outcome(&mut self) -> Option<Result<Crypto, String>> {
        self.outcome.take()
    }
}

fn configure(identity: &Identity, peer: DtlsPeer) -> Result<Arc<HandshakeConfig>, Error> {
    let verify = move |certificates: &[Vec<u8>], _: &_| match is_whom_we_expect(certificates, peer.certificate) {
        true => Ok(()),
        false => Err(Error::Other(STRANGER.to_owned())),
    };
    ConfigBuilder::default()
        .with_crypto_provider(Arc::clone(&identity.provider))
        .with_certificates(vec![identity.certificate.clone()])
        .with_srtp_protection_profiles(SrtpSuite::ALL.map(profile).to_vec())
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_flight_interval(REPEATED_AFTER)
        // No authority vouches for anybody here: the fingerprint does (RFC 5763 §5).
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(Arc::new(verify)))
        .with_server_name("srtp.invalid".to_owned())
        .build(peer.active, None)
        .map(Arc::new)
}

const STRANGER: &str = "the certificate is not the one that the session description names";

fn is_whom_we_expect(certificates: &[Vec<u8>], expected: Fingerprint) -> bool {
    certificates.first().is_some_and(|der| fingerprint(der) == expected)
}

const fn profile(suite: SrtpSuite) -> Profile {
    match suite {
        SrtpSuite::AesCm80 => Profile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        SrtpSuite::AesCm32 => Profile::Srtp_Aes128_Cm_Hmac_Sha1_32,
        SrtpSuite::AesGcm128 => Profile::Srtp_Aead_Aes_128_Gcm,
        SrtpSuite::AesGcm256 => Profile::Srtp_Aead_Aes_256_Gcm,
    }
}

/// RFC 5764 §4.2: the client's key, the server's, the client's salt, the server's.
fn keys_of(state: &State, peer: DtlsPeer) -> Result<Crypto, String> {
    if !is_whom_we_expect(&state.peer_certificates, peer.certificate) {
        return Err(STRANGER.to_owned());
    }
    let agreed = state.srtp_protection_profile();
    let suite = SrtpSuite::ALL.into_iter().find(|suite| profile(*suite) == agreed);
    let suite = suite.ok_or("the peer knows no SRTP of ours")?;
    let length = 2 * (suite.key_len() + suite.salt_len());
    let material =
        state.export_keying_material("EXTRACTOR-dtls_srtp", &[], length).map_err(|error| error.to_string())?;
    let (keys, salts) = material.as_ref().split_at(2 * suite.key_len());
    let of = |nth: usize| {
        let key = keys.chunks_exact(suite.key_len()).nth(nth)?;
        SrtpKey::new(suite, &[key, salts.chunks_exact(suite.salt_len()).nth(nth)?].concat())
    };
    let (client, server) = of(0).zip(of(1)).ok_or("it made no keys")?;
    let (ours, theirs) = if peer.active { (client, server) } else { (server, client) };
    Ok(Crypto { ours, theirs })
}
