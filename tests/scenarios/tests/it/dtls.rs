//! Legs whose audio is encrypted with keys that a DTLS handshake makes, beside legs that are plain.

use crate::support::{asks_for_a_human, heard, judge, scenario};
use call_model::{Direction, Fingerprint, SrtpUse};
use core::time::Duration;
use phone::PhoneEvent;
use sim::{BOT, CALLER_TONE, DESK, DESK_TONE, Do, Link, Setup, TRUNK, dtls};

/// Trunk and desk by DTLS, over UDP; the bot plain.
fn covered() -> Setup {
    let [ours, theirs] = dtls();
    Setup { srtp: [ours, SrtpUse::Off, ours], their_srtp: [theirs, SrtpUse::Off, theirs], ..Setup::default() }
}

/// The trunk's telephone begins the handshake, for the gateway answers its offer; toward the desk the gateway does.
#[test]
fn caller_and_human_hear_each_other_over_two_associations() {
    let mut world = asks_for_a_human(&covered());
    world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    for i in 0..100u8 {
        world.at(9_000 + 20 * u64::from(i), Do::Noise(TRUNK, vec![22, 0xfe, 0xfd, 0, 0, i]));
    }
    scenario("dtls_trunk_and_desk", &mut world, 60_000);
    heard(&world, TRUNK, 8_300, 13_950, &[DESK_TONE]);
    heard(&world, DESK, 8_300, 13_950, &[CALLER_TONE]);
    let invite = world.invites(DESK).next().map(String::from_utf8_lossy).expect("the desk was called");
    for said in
        [" UDP/TLS/RTP/SAVP 0 8 ", "\r\na=fingerprint:sha-256 ", "\r\na=setup:actpass\r\n", "\r\na=rtcp-mux\r\n"]
    {
        assert!(invite.contains(said), "{said}: {invite}");
    }
    for party in [TRUNK, DESK] {
        assert_eq!(world.phones[party].media.measured().refused, 0, "nothing came that was not covered");
    }
}

#[test]
fn hold_and_retrieve_keep_the_association() {
    let mut world = asks_for_a_human(&covered());
    world.at(8_000, Do::Press(DESK, '1'));
    world.at(9_000, Do::Hold(TRUNK, Direction::SendOnly)).at(11_000, Do::Hold(TRUNK, Direction::SendRecv));
    world.at(14_000, Do::HangUp(TRUNK));
    world.run_until(60_000);
    judge("hold", &world);
    heard(&world, TRUNK, 11_100, 13_950, &[DESK_TONE]);
    heard(&world, DESK, 11_100, 13_950, &[CALLER_TONE]);
}

#[test]
fn handshakes_survive_a_network_that_loses() {
    for seed in 1..=8 {
        let rtp_link = Link { loss: 100, jitter: Duration::from_millis(30), ..Link::GOOD };
        let mut world = asks_for_a_human(&Setup { seed, rtp_link, ..covered() });
        world.at(9_000, Do::Press(DESK, '1')).at(10_000, Do::Press(DESK, '1')).at(20_000, Do::HangUp(TRUNK));
        world.run_until(60_000);
        for party in [TRUNK, DESK] {
            let measured = world.phones[party].media.measured();
            assert!(measured.received > 200, "{seed}, {party}: {measured:?}\n{}", world.ladder());
        }
    }
}

/// Somebody on the way put his own certificate into the offer, or the telephone shows another than it named.
#[test]
fn a_caller_who_is_not_whom_the_description_names_is_let_go() {
    let setup = covered();
    let stranger = SrtpUse::Dtls(Fingerprint([0x5a; 32]));
    let mut world = asks_for_a_human(&Setup { their_srtp: [stranger, SrtpUse::Off, SrtpUse::Off], ..setup });
    scenario("dtls_stranger", &mut world, 60_000);
    assert!(
        world.events().iter().any(|(_, party, event)| *party == TRUNK && matches!(event, PhoneEvent::Ended { .. }))
    );
    assert_eq!(world.phones[TRUNK].media.measured().received, 0);
    assert!(world.ear(BOT).heard().iter().all(|block| block.tones.is_empty()), "the bot was not told a word");
}

/// The one names keys, the other a certificate.
#[test]
fn keys_in_the_description_and_dtls_are_no_match() {
    let [ours, theirs] = dtls();
    for (srtp, their_srtp) in [(ours, SrtpUse::Optional), (ours, SrtpUse::Off), (SrtpUse::Off, theirs)] {
        let none = SrtpUse::Off;
        let setup = Setup { srtp: [srtp, none, none], their_srtp: [their_srtp, none, none], ..Setup::default() };
        let mut world = asks_for_a_human(&setup);
        world.run_until(60_000);
        let refused = |(_, party, event): &(_, _, PhoneEvent)| *party == TRUNK && *event == PhoneEvent::Failed(488);
        assert!(world.events().iter().any(refused), "{srtp:?}, {their_srtp:?}: {}", world.ladder());
    }
}
