//! A leg whose keys a handshake makes: what goes through before, during and after it. The handshake here is the test's
//! own; the real one is proved in `crates/dtls`.

use crate::world::*;
use call_model::{
    Codec, Crypto, DialStep, DtlsPeer, EndReason, Fingerprint, Instant, Keying, MediaCommand, MediaEvent, Prompt,
    RemoteMedia, Selector, SrtpKey, SrtpSuite,
};
use core::net::SocketAddr;
use core::time::Duration;
use rtp_proto::{Association, Dtls, EngineConfig, Protection, SRTP_ROOM};
use std::sync::Arc;

/// Shaken as soon as the peer says `keys`; fails when it says anything else.
#[derive(Debug)]
pub(crate) struct Hands;

struct Shaking {
    hello: Option<Vec<u8>>,
    again_at: Option<Instant>,
    certificate: Fingerprint,
    outcome: Option<Result<Crypto, String>>,
}

const HELLO: &[u8] = b"\x16hello";
pub(crate) const KEYS: &[u8] = b"\x16keys";
const AGAIN: Duration = Duration::from_secs(1);

impl Dtls for Hands {
    fn associate(&self, peer: DtlsPeer, now: Instant) -> Box<dyn Association> {
        Box::new(Shaking {
            hello: peer.active.then(|| HELLO.to_vec()),
            again_at: Some(now + AGAIN),
            certificate: peer.certificate,
            outcome: None,
        })
    }
}

impl Association for Shaking {
    fn handle_datagram(&mut self, datagram: &[u8], _now: Instant) {
        self.again_at = None;
        self.outcome = Some(match datagram {
            KEYS => Ok(keys(self.certificate, false)),
            _ => Err("it went wrong".to_owned()),
        });
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.hello = Some(HELLO.to_vec());
        self.again_at = Some(now + AGAIN);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.again_at
    }

    fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        self.hello.take()
    }

    fn poll_outcome(&mut self) -> Option<Result<Crypto, String>> {
        self.outcome.take()
    }
}

/// The keys that a handshake with this certificate makes.
pub(crate) fn keys(certificate: Fingerprint, peer: bool) -> Crypto {
    let key = |with: u8| SrtpKey { suite: SrtpSuite::AesGcm128, key: [certificate.0[0] ^ with; 32], salt: [with; 14] };
    let [ours, theirs] = if peer { [2, 1] } else { [1, 2] }.map(key);
    Crypto { ours, theirs }
}

pub(crate) const FIRST: Fingerprint = Fingerprint([0x10; 32]);
pub(crate) const OTHER: Fingerprint = Fingerprint([0x20; 32]);

/// A caller by DTLS and a plain bot, who are to hear each other.
struct Call {
    world: World,
    caller: Sender,
    bot: Sender,
    protection: Protection,
}

impl Call {
    fn new() -> Self {
        let mut config = EngineConfig::new("warmline@test");
        config.dtls = Some(Arc::new(Hands));
        config.prompts = [(Prompt::PressOne, Arc::from([PRESS_ONE; 400].as_slice()))].into_iter().collect();
        let mut world = World::with(config);
        [CALLER, BOT].into_iter().for_each(|index| world.open(index));
        world.command(MediaCommand::Remote { leg: leg(BOT), media: remote(BOT, Codec::Pcmu) });
        world.feed(CALLER, Selector::Leg(leg(BOT)));
        world.feed(BOT, Selector::Leg(leg(CALLER)));
        let protection = Protection::new(keys(FIRST, true)).expect("keys");
        Self { world, caller: Sender::new(CALLER, 0x11), bot: Sender::new(BOT, 0x22), protection }
    }

    fn agree(&mut self, active: bool, certificate: Fingerprint) {
        let keying = Some(Keying::Dtls(DtlsPeer { active, certificate }));
        let media = RemoteMedia { keying, ..remote(CALLER, Codec::Pcmu) };
        self.world.command(MediaCommand::Remote { leg: leg(CALLER), media });
    }

    fn shake(&mut self, datagram: &[u8]) {
        self.world.deliver(leg(CALLER), address(CALLER), datagram);
    }

    /// What the caller says, covered; what reached the bot of it.
    fn caller_says(&mut self) -> bool {
        let mut packet = self.caller.packet();
        packet.resize(172 + SRTP_ROOM, 0);
        let length = self.protection.seal_rtp(&mut packet, 172).expect("room");
        self.world.deliver(leg(CALLER), address(CALLER), &packet[..length]);
        self.world.take(BOT).iter().any(|got| got.payload == [0x11; 160])
    }

    /// What reached the caller of what the bot says; every packet opens.
    fn caller_hears(&mut self) -> bool {
        self.world.send(&mut self.bot);
        let got = self.world.take(CALLER);
        got.iter().any(|got| {
            let mut packet = got.header.to_bytes().to_vec();
            packet.extend(&got.payload);
            let length = self.protection.open_rtp(&mut packet).expect("covered with the keys of the handshake");
            packet[12..length] == [0x22; 160]
        })
    }

    fn refused(&self) -> u64 {
        self.world.engine.stats(leg(CALLER)).expect("open").refused
    }

    fn sent_dtls(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        core::mem::take(&mut self.world.dtls)
    }
}

#[test]
fn nothing_passes_until_there_are_keys_and_all_is_covered_then() {
    let mut call = Call::new();
    call.agree(true, FIRST);
    assert_eq!(call.sent_dtls(), [(address(CALLER), HELLO.to_vec())]);
    for _ in 0..20 {
        assert!(!call.caller_says(), "not before the handshake");
        assert!(!call.caller_hears(), "and nothing is sent in the clear");
        call.world.pass(20);
    }
    assert!(call.world.take(CALLER).is_empty() && call.world.rtcp.is_empty());
    assert_eq!(call.refused(), 20);
    call.world.pass(1_000);
    assert_eq!(call.sent_dtls().len(), 1, "repeated by its timer");
    call.shake(KEYS);
    for _ in 0..20 {
        assert!(call.caller_says() && call.caller_hears());
        call.world.pass(20);
    }
    call.world.pass(5_000);
    assert!(call.sent_dtls().is_empty(), "nothing more to do");
    assert_eq!(call.refused(), 20);
}

/// Keys are for the port that they were made on.
#[test]
fn reports_go_only_where_the_handshake_was_made() {
    let mut call = Call::new();
    call.agree(false, FIRST);
    call.shake(KEYS);
    call.world.pass(20_000);
    assert!(call.world.rtcp.iter().all(|(to, ..)| *to != leg(CALLER)), "not without rtcp-mux");
    let keying = Some(Keying::Dtls(DtlsPeer { active: false, certificate: FIRST }));
    let media = RemoteMedia { keying, rtcp: address(CALLER), ..remote(CALLER, Codec::Pcmu) };
    call.world.command(MediaCommand::Remote { leg: leg(CALLER), media });
    call.world.pass(20_000);
    assert!(call.world.rtcp.iter().any(|(to, _, muxed, _)| *to == leg(CALLER) && *muxed));
}

/// Its first message is faster than the answer that says whose it is.
#[test]
fn a_handshake_that_comes_before_the_description_waits_for_it() {
    let mut call = Call::new();
    call.shake(KEYS);
    assert!(call.world.events.is_empty());
    call.agree(false, FIRST);
    assert!(call.caller_says() && call.caller_hears());
    // But not a stranger's.
    let mut call = Call::new();
    call.world.deliver(leg(CALLER), address(7), KEYS);
    call.agree(false, FIRST);
    assert!(!call.caller_says());
    assert_eq!(call.refused(), 2);
}

#[test]
fn the_same_certificate_goes_on_and_another_one_begins_anew_without_a_gap() {
    let mut call = Call::new();
    call.agree(true, FIRST);
    call.shake(KEYS);
    call.sent_dtls();
    call.agree(true, FIRST);
    assert!(call.sent_dtls().is_empty() && call.caller_says() && call.caller_hears());
    call.agree(true, OTHER);
    assert_eq!(call.sent_dtls().len(), 1, "a handshake with the new one");
    assert!(call.caller_says() && call.caller_hears(), "the keys that hold serve until it is made");
    call.shake(KEYS);
    call.protection = Protection::new(keys(OTHER, true)).expect("keys");
    assert!(call.caller_says() && call.caller_hears());
    call.agree(false, OTHER);
    assert!(call.caller_says(), "other parts, another handshake");
    call.shake(KEYS);
}

#[test]
fn a_handshake_that_fails_is_reported_and_opens_nothing() {
    let mut call = Call::new();
    call.agree(false, FIRST);
    call.shake(b"\x16nonsense");
    let (reason, why) = (EndReason::HandshakeFailed, "it went wrong".to_owned());
    let failed = MediaEvent::Failed { leg: leg(CALLER), reason, why };
    assert_eq!(call.world.events.iter().filter(|event| **event == failed).count(), 1);
    assert!(!call.caller_says() && !call.caller_hears());
}

#[test]
fn keys_are_pressed_when_they_can_be_heard() {
    let mut call = Call::new();
    call.agree(false, FIRST);
    call.world.command(MediaCommand::Dial { leg: leg(CALLER), steps: vec![DialStep::Key('7')] });
    call.world.pass(500);
    assert!(call.world.events.is_empty() && call.world.take(CALLER).is_empty());
    call.shake(KEYS);
    call.world.pass(500);
    assert!(call.world.events.contains(&MediaEvent::Dialled { leg: leg(CALLER) }));
    assert!(call.world.take(CALLER).iter().filter(|got| got.header.payload_type == 101).count() >= 5);
}

#[test]
fn a_prompt_begins_when_it_can_be_heard() {
    let mut call = Call::new();
    call.world.feed(CALLER, Selector::Prompt(Prompt::PressOne));
    call.agree(false, FIRST);
    call.world.pass(500);
    assert!(call.world.take(CALLER).is_empty());
    call.shake(KEYS);
    call.world.pass(100);
    assert!(call.world.events.iter().any(|event| matches!(event, MediaEvent::Played { .. })));
    assert!((4..=6).contains(&call.world.take(CALLER).len()), "all of it, and the silence after it");
}
