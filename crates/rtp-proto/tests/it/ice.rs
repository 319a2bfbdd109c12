//! A leg whose peer is a page: it is wherever its checks come from, and may be loaded again. What a check looks like is
//! tested in `src/ice.rs`, a real browser in `tests/interop`.

use crate::dtls::{FIRST, Hands, KEYS, OTHER, keys};
use crate::world::*;
use call_model::{Codec, DtlsPeer, Fingerprint, IceLite, Keying, MediaCommand, MediaEvent, RemoteMedia, Selector};
use core::net::SocketAddr;
use core::time::Duration;
use hmac::{Hmac, Mac};
use rtp_proto::{EngineConfig, Protection, SRTP_ROOM};
use sha1::Sha1;
use std::sync::Arc;

fn ice(password: u8) -> IceLite {
    IceLite { user: *b"12345678", password: [password; 32] }
}

/// A binding request that nominates.
fn check(ice: &IceLite) -> Vec<u8> {
    let username = [&ice.user[..], b":abcd\0\0\0"].concat();
    let mut request = [0, 1, 0, 48, 0x21, 0x12, 0xa4, 0x42].to_vec();
    request.extend(b"transaction!");
    request.extend([0, 6, 0, 13]);
    request.extend(&username[..16]);
    request.extend([0, 0x25, 0, 0]);
    let mut digest = Hmac::<Sha1>::new_from_slice(&ice.password).expect("a key");
    digest.update(&request);
    let digest = digest.finalize().into_bytes();
    request.extend([0, 8, 0, 20]);
    request.extend(digest);
    request
}

/// A caller in the clear, and a page, who are to hear each other.
struct Call {
    world: World,
    caller: Sender,
    page: Sender,
    protection: Protection,
    ice: IceLite,
}

impl Call {
    fn new() -> Self {
        let mut config = EngineConfig::new("warmline@test");
        config.dtls = Some(Arc::new(Hands));
        let mut world = World::with(config);
        [CALLER, DESK].into_iter().for_each(|index| world.open(index));
        world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::Pcmu) });
        world.feed(CALLER, Selector::Leg(leg(DESK)));
        world.feed(DESK, Selector::Leg(leg(CALLER)));
        let protection = Protection::new(keys(FIRST, true)).expect("keys");
        let [caller, page] = [Sender::new(CALLER, 0x11), Sender::new(DESK, 0x22)];
        let mut call = Self { world, caller, page, protection, ice: ice(1) };
        call.offers(ice(1), FIRST);
        call
    }

    fn offers(&mut self, ice: IceLite, certificate: Fingerprint) {
        let nowhere = "0.0.0.0:9".parse().expect("an address");
        let keying = Some(Keying::Dtls(DtlsPeer { active: false, certificate }));
        let media = RemoteMedia { rtcp: nowhere, keying, ice: Some(ice), ..RemoteMedia::new(nowhere, Codec::Pcmu) };
        self.world.command(MediaCommand::Remote { leg: leg(DESK), media });
        self.protection = Protection::new(keys(certificate, true)).expect("keys");
        self.ice = ice;
    }

    /// Whether a check from there is answered.
    fn checks(&mut self, from: SocketAddr) -> bool {
        self.world.deliver(leg(DESK), from, &check(&self.ice));
        let sent = core::mem::take(&mut self.world.dtls);
        sent.iter().any(|(to, answer)| *to == from && answer.starts_with(&[1, 1]))
    }

    fn shakes(&mut self, from: SocketAddr) {
        self.world.deliver(leg(DESK), from, KEYS);
    }

    /// Whether the caller hears what the page says from there.
    fn says(&mut self, from: SocketAddr) -> bool {
        let mut packet = self.page.packet();
        packet.resize(172 + SRTP_ROOM, 0);
        let length = self.protection.seal_rtp(&mut packet, 172).expect("room");
        let before = self.heard();
        self.world.deliver(leg(DESK), from, &packet[..length]);
        self.world.pass(20);
        self.heard() > before
    }

    fn heard(&self) -> usize {
        self.world.got.get(&leg(CALLER)).into_iter().flatten().filter(|got| got.payload == [0x22; 160]).count()
    }

    /// Where the page is sent what the caller says.
    fn is_sent(&mut self) -> Option<SocketAddr> {
        self.world.send(&mut self.caller);
        self.world.take(DESK).last().map(|got| got.to)
    }
}

#[test]
fn a_page_is_where_its_checks_come_from_and_nobody_else_is_heard() {
    let (mut call, first, second) = (Call::new(), address(4), address(6));
    call.shakes(first);
    assert!(!call.says(first) && call.is_sent().is_none(), "nobody is known yet");
    call.world.deliver(leg(DESK), first, &check(&ice(9)));
    assert!(call.world.dtls.is_empty(), "another password");
    assert!(call.checks(first));
    assert!(call.is_sent().is_none(), "no keys yet");
    call.shakes(first);
    assert!(call.says(first));
    assert_eq!(call.is_sent(), Some(first));
    assert!(!call.says(second), "the right keys, from where no check came");
    assert!(call.checks(second));
    assert_eq!(call.is_sent(), Some(first), "as long as its audio comes from there");
    assert!(call.says(second));
    assert_eq!(call.is_sent(), Some(second), "the network changed");
}

#[test]
fn a_page_that_is_loaded_again_brings_its_audio_back_and_the_caller_hears_one_stream() {
    let (mut call, first, second) = (Call::new(), address(4), address(6));
    assert!(call.checks(first));
    call.shakes(first);
    for _ in 0..20 {
        assert!(call.says(first) && call.is_sent() == Some(first));
    }
    let former = Protection::new(keys(FIRST, true)).expect("keys");
    call.offers(ice(2), OTHER);
    assert!(call.is_sent().is_none(), "the former page is gone");
    let fresh = core::mem::replace(&mut call.protection, former);
    assert!(!call.says(first), "and not heard any more");
    call.protection = fresh;
    call.world.pass(300);
    call.page.ssrc = 77;
    call.page.sequence = 60_000;
    assert!(call.checks(second));
    call.shakes(second);
    for _ in 0..20 {
        assert!(call.says(second) && call.is_sent() == Some(second));
    }
    check_stream(&call.world.take(CALLER));
}

#[test]
fn a_page_on_another_network_keeps_its_keys() {
    let (mut call, first, second) = (Call::new(), address(4), address(6));
    assert!(call.checks(first));
    call.shakes(first);
    assert!(call.says(first));
    let keys = core::mem::replace(&mut call.protection, Protection::new(keys(FIRST, true)).expect("keys"));
    call.offers(ice(2), FIRST);
    call.protection = keys;
    assert!(call.checks(second));
    assert!(call.says(second) && call.is_sent() == Some(second));
}

#[test]
fn a_silent_page_is_noticed_after_two_seconds_and_when_it_is_back() {
    let (mut call, first) = (Call::new(), address(4));
    assert!(call.checks(first));
    call.shakes(first);
    assert!(call.says(first));
    call.world.events.clear();
    call.world.pass(4_100);
    let silent = |event: &MediaEvent| match event {
        MediaEvent::Silent { leg: of, lasted } if *of == leg(DESK) => Some(lasted.as_millis() / 100),
        _ => None,
    };
    assert_eq!(call.world.events.iter().filter_map(silent).collect::<Vec<_>>(), [20, 40]);
    assert!(call.says(first));
    let flowing = |event: &MediaEvent| matches!(event, MediaEvent::Flowing { leg: of, .. } if *of == leg(DESK));
    assert!(call.world.events.iter().any(flowing));
    // A page that is fetched again counts from there.
    call.world.pass(1_500);
    call.world.events.clear();
    call.offers(ice(2), OTHER);
    call.world.pass(1_500);
    assert!(!call.world.events.iter().any(|event| silent(event).is_some()));
    call.world.pass(Duration::from_secs(1).as_millis() as u64);
    assert!(call.world.events.iter().any(|event| silent(event).is_some()));
}

#[test]
fn garbage_harms_nobody() {
    let (mut call, first) = (Call::new(), address(4));
    assert!(call.checks(first));
    call.shakes(first);
    let whole = check(&call.ice);
    for length in 1..whole.len() {
        call.world.deliver(leg(DESK), address(7), &whole[..length]);
        let mut damaged = whole.clone();
        damaged[length] ^= 1;
        call.world.deliver(leg(DESK), address(7), &damaged);
    }
    assert!(call.world.dtls.is_empty());
    // A leg without a page knows no checks.
    call.world.deliver(leg(CALLER), address(CALLER), &whole);
    assert!(call.world.dtls.is_empty());
    assert!(call.says(first) && call.is_sent() == Some(first));
}
