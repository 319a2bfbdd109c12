//! Parties whose audio is encrypted.

use crate::support::{asks_for_a_human, heard, judge, scenario};
use call_model::{Direction, SrtpUse};
use core::time::Duration;
use phone::PhoneEvent;
use sim::{BOT, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, Setup, TRUNK};
use sip_proto::Transport;

/// A trunk over TLS that insists, and desks that know nothing of it.
fn carrier(theirs: SrtpUse) -> Setup {
    Setup {
        trunk_transport: Some(Transport::Tls),
        srtp: [SrtpUse::Required, SrtpUse::Off, SrtpUse::Off],
        their_srtp: [theirs, SrtpUse::Off, SrtpUse::Off],
        ..Setup::default()
    }
}

/// What somebody sends who knows the addresses and the form of everything, but not the keys.
fn forged(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9, 0xde, 0xad, 0xbe, 0xef]);
    packet.extend([0x10; 170]);
    packet
}

#[test]
fn a_trunk_that_encrypts_and_a_desk_that_does_not_hear_each_other() {
    let mut world = asks_for_a_human(&carrier(SrtpUse::Required));
    world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    for i in 0..100 {
        world.at(9_000 + 20 * u64::from(i), Do::Noise(TRUNK, forged(i)));
    }
    scenario("srtp_trunk_plain_desk", &mut world, 60_000);
    heard(&world, TRUNK, 600, 8_050, &[BOT_TONE]);
    heard(&world, TRUNK, 8_300, 13_950, &[DESK_TONE]);
    // Also while somebody forges packets of the caller's.
    heard(&world, DESK, 8_300, 13_950, &[CALLER_TONE]);
    assert_eq!(world.phones[TRUNK].media.measured().refused, 0);
}

#[test]
fn a_trunk_that_names_no_keys_is_refused() {
    let mut world = asks_for_a_human(&carrier(SrtpUse::Off));
    scenario("srtp_required_not_offered", &mut world, 60_000);
    assert!(
        world.events().iter().any(|(_, party, event)| *party == TRUNK && *event == PhoneEvent::Failed(488)),
        "{}",
        world.ladder()
    );
}

/// Over UDP everybody on the way would read the keys.
#[test]
fn keys_are_neither_sent_nor_taken_where_others_can_read_them() {
    use SrtpUse::{Off, Optional, Required};
    let over_udp = |srtp| Setup { srtp, their_srtp: [Optional; 3], ..Setup::default() };
    let mut world = asks_for_a_human(&over_udp([Optional; 3]));
    world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    world.run_until(60_000);
    judge("optional", &world);
    heard(&world, TRUNK, 8_300, 13_950, &[DESK_TONE]);
    for party in [BOT, DESK] {
        let mut invites = world.invites(party).map(String::from_utf8_lossy).peekable();
        assert!(invites.peek().is_some() && invites.all(|invite| !invite.contains("a=crypto")), "{party}");
    }

    let mut world = asks_for_a_human(&over_udp([Required, Off, Off]));
    world.run_until(60_000);
    let refused = |(_, party, event): &(_, _, PhoneEvent)| *party == TRUNK && *event == PhoneEvent::Failed(488);
    assert!(world.events().iter().any(refused), "{}", world.ladder());

    let mut world = asks_for_a_human(&over_udp([Off, Required, Off]));
    world.run_until(60_000);
    assert_eq!(world.invites(BOT).count(), 0, "{}", world.ladder());
}

#[test]
fn a_call_stays_encrypted_through_hold_and_retrieve() {
    let mut world = asks_for_a_human(&carrier(SrtpUse::Required));
    world.at(8_000, Do::Press(DESK, '1'));
    world.at(9_000, Do::Hold(TRUNK, Direction::SendOnly)).at(11_000, Do::Hold(TRUNK, Direction::SendRecv));
    world.at(14_000, Do::HangUp(TRUNK));
    world.run_until(60_000);
    judge("hold", &world);
    heard(&world, TRUNK, 11_300, 13_950, &[DESK_TONE]);
    heard(&world, DESK, 11_300, 13_950, &[CALLER_TONE]);
}

#[test]
fn everybody_may_encrypt_and_who_cannot_does_not() {
    use SrtpUse::{Off, Optional, Required};
    for their_srtp in [[Optional, Off, Optional], [Off, Required, Off], [Required, Optional, Required]] {
        let setup = Setup {
            transport: Transport::Tls,
            srtp: [Optional; 3],
            their_srtp,
            rtp_link: sim::Link { loss: 20, jitter: Duration::from_millis(10), ..sim::Link::GOOD },
            ..Setup::default()
        };
        let mut world = asks_for_a_human(&setup);
        world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
        world.run_until(60_000);
        judge(&format!("{their_srtp:?}"), &world);
        for party in [TRUNK, DESK] {
            let measured = world.phones[party].media.measured();
            assert!(measured.received > 200 && measured.refused == 0, "{their_srtp:?}, {party}: {measured:?}");
        }
        heard(&world, TRUNK, 10_000, 10_500, &[DESK_TONE]);
    }
}
