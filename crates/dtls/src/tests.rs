//! Two of us over a network that loses, repeats and reorders, on a clock of the test's.

use super::*;
use call_model::{Crypto, SrtpSuite};
use core::time::Duration;
use proptest::prelude::*;

const DELAY: Duration = Duration::from_millis(20);

struct Side {
    association: Box<dyn Association>,
    outcome: Option<Result<Crypto, String>>,
    keyed_at: Option<Instant>,
    sent: usize,
}

impl Side {
    fn new(identity: &Identity, active: bool, certificate: Fingerprint) -> Self {
        let association = identity.associate(DtlsPeer { active, certificate }, Instant::ZERO);
        Self { association, outcome: None, keyed_at: None, sent: 0 }
    }

    fn keys(&self) -> Crypto {
        *self.outcome.as_ref().expect("it ended").as_ref().expect("with keys")
    }

    fn failure(&self) -> &str {
        self.outcome.as_ref().expect("it ended").as_ref().expect_err("without keys")
    }
}

/// What becomes of the nth datagram: when its copies arrive.
type Fate<'a> = &'a mut dyn FnMut(usize) -> Vec<Duration>;

/// Client and server, until nothing is left to happen.
fn run(sides: &mut [Side; 2], fate: Fate<'_>) {
    let mut under_way: Vec<(Instant, usize, Vec<u8>)> = Vec::new();
    let (mut now, mut count) = (Instant::ZERO, 0);
    loop {
        for (index, side) in sides.iter_mut().enumerate() {
            if let Some(outcome) = side.association.poll_outcome() {
                assert!(side.outcome.replace(outcome).is_none(), "an outcome is told once");
                side.keyed_at = Some(now);
            }
            while let Some(datagram) = side.association.poll_datagram() {
                assert!(rtp_proto::is_dtls(&datagram) && records::are_sound(&datagram) && datagram.len() < 1_300);
                side.sent += 1;
                under_way.extend(fate(count).into_iter().map(|after| (now + after, 1 - index, datagram.clone())));
                count += 1;
            }
        }
        under_way.sort_by_key(|(at, ..)| *at);
        let timeouts = sides.iter().filter_map(|side| side.association.poll_timeout());
        let Some(next) = under_way.iter().map(|(at, ..)| *at).chain(timeouts).min() else { return };
        assert!(next <= Instant::from_millis(60_000), "it ends");
        now = now.max(next);
        if under_way.first().is_some_and(|(at, ..)| *at <= now) {
            let (_, to, datagram) = under_way.remove(0);
            sides[to].association.handle_datagram(&datagram, now);
        } else {
            sides.iter_mut().for_each(|side| side.association.handle_timeout(now));
        }
    }
}

fn identities() -> [Identity; 2] {
    [(); 2].map(|()| Identity::new().expect("randomness"))
}

fn pair([client, server]: &[Identity; 2]) -> [Side; 2] {
    [Side::new(client, true, server.fingerprint()), Side::new(server, false, client.fingerprint())]
}

fn agree(sides: &[Side; 2]) {
    let [client, server] = sides.each_ref().map(Side::keys);
    assert_eq!((client.ours, client.theirs), (server.theirs, server.ours));
    assert_ne!(client.ours.key, client.theirs.key);
    assert_eq!(client.ours.suite, SrtpSuite::AesGcm256, "the best that both have");
}

#[test]
fn two_of_us_agree_on_keys_within_two_round_trips_and_a_half() {
    let identities = identities();
    let mut sides = pair(&identities);
    run(&mut sides, &mut |_| vec![DELAY]);
    agree(&sides);
    let [client, server] = sides.each_ref().map(|side| side.keyed_at.unwrap());
    assert_eq!((server, client), (Instant::ZERO + DELAY * 5, Instant::ZERO + DELAY * 6));
}

#[test]
fn each_datagram_may_be_lost_once() {
    let identities = identities();
    for lost in 0..8 {
        let mut sides = pair(&identities);
        run(&mut sides, &mut |nth| if nth == lost { vec![] } else { vec![DELAY] });
        agree(&sides);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn loss_repetition_and_reordering_cost_time_but_no_keys(
        fates in proptest::collection::vec(prop_oneof![
            8 => (5u64..120).prop_map(|after| vec![after]),
            1 => (5u64..120, 5u64..400).prop_map(|(one, other)| vec![one, other]),
        ], 24),
        lost in proptest::collection::vec(0usize..24, 0..6),
    ) {
        let identities = identities();
        let mut sides = pair(&identities);
        run(&mut sides, &mut |nth| match fates.get(nth) {
            Some(_) if lost.contains(&nth) => vec![],
            Some(fate) => fate.iter().map(|after| Duration::from_millis(*after)).collect(),
            None => vec![DELAY],
        });
        agree(&sides);
    }

    /// What a stranger sends neither ends a handshake nor helps it on.
    #[test]
    fn hostile_datagrams_change_nothing(
        hostile in proptest::collection::vec((0usize..8, hostile()), 1..12),
    ) {
        let identities = identities();
        let mut sides = pair(&identities);
        for (_, datagram) in hostile.iter().filter(|(when, _)| *when == 0) {
            for side in &mut sides {
                side.association.handle_datagram(datagram, Instant::ZERO);
            }
        }
        run(&mut sides, &mut |_| vec![DELAY]);
        for (_, datagram) in hostile {
            for side in &mut sides {
                side.association.handle_datagram(&datagram, Instant::from_millis(30_000));
                while side.association.poll_datagram().is_some() {}
            }
        }
    }
}

/// Octets of every kind, with a header that is right or not.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let record = (18u8..26, prop_oneof![Just(0xfeu8), any::<u8>()], any::<u8>(), 0u16..3, any::<u16>()).prop_flat_map(
        |(kind, major, minor, epoch, sequence)| {
            proptest::collection::vec(any::<u8>(), 0..80).prop_map(move |content| {
                let mut record = vec![kind, major, minor];
                record.extend(epoch.to_be_bytes());
                record.extend([0; 4]);
                record.extend(sequence.to_be_bytes());
                record.extend((content.len() as u16).to_be_bytes());
                record.extend(content);
                record
            })
        },
    );
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..60), record]
}

#[test]
fn another_certificate_than_the_one_named_is_no_peer() {
    let [client, server] = &identities();
    let stranger = Identity::new().unwrap();
    for (of_server, of_client) in [
        (stranger.fingerprint(), client.fingerprint()),
        (server.fingerprint(), stranger.fingerprint()),
        (stranger.fingerprint(), stranger.fingerprint()),
    ] {
        let mut sides = [Side::new(client, true, of_server), Side::new(server, false, of_client)];
        run(&mut sides, &mut |_| vec![DELAY]);
        let deceived = usize::from(of_server != stranger.fingerprint());
        assert!(sides[deceived].failure().contains("not the one that the session description names"));
        assert!(sides[1 - deceived].outcome.as_ref().is_none_or(Result::is_err), "the other is told, or has no keys");
    }
}

#[test]
fn a_silent_peer_is_given_up() {
    let [client, server] = &identities();
    let mut sides = pair(&[Identity::new().unwrap(), Identity::new().unwrap()]);
    run(&mut sides, &mut |_| vec![]);
    assert!(sides[0].failure().contains("does not answer"), "{}", sides[0].failure());
    assert_eq!(sides[0].keyed_at, Some(Instant::from_millis(8_000)));
    assert_eq!(sides[0].sent, 8);
    assert!(sides[1].failure().contains("in time"));
    // Two who wait for each other, as after a description that was tampered with.
    let mut sides = [Side::new(client, false, server.fingerprint()), Side::new(server, false, client.fingerprint())];
    run(&mut sides, &mut |_| vec![DELAY]);
    assert!(sides.iter().all(|side| side.failure().contains("in time")));
}

#[test]
fn the_last_flight_is_repeated_to_who_missed_it_and_a_flood_is_not_answered_for_ever() {
    let identities = identities();
    let mut sides = pair(&identities);
    let mut last = None;
    // Of the datagrams 0 to 5, the last is the server's end of the handshake.
    run(&mut sides, &mut |nth| {
        last = last.max(Some(nth));
        if nth == 5 { vec![] } else { vec![DELAY] }
    });
    agree(&sides);
    assert!(last >= Some(7), "the client repeated, and the server answered");
    let server = &mut sides[1].association;
    let mut answers = 0;
    for sequence in 0..20_000u16 {
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 1, 0];
        record.extend(sequence.to_be_bytes());
        record.extend([0, 12, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0]);
        server.handle_datagram(&record, Instant::from_millis(20_000));
        while server.poll_datagram().is_some() {
            answers += 1;
        }
    }
    assert!(answers < 20, "{answers}");
}

/// A message in as many pieces as a peer is allowed, each one octet: putting it together must not need the stack.
#[test]
fn a_message_in_a_thousand_pieces_is_taken() {
    let identity = Identity::new().unwrap();
    let mut side = Side::new(&identity, false, Fingerprint([0; 32]));
    let pieces = handshake::MOST / 26 - 1;
    let whole = (pieces as u32).to_be_bytes();
    for piece in 0..pieces as u32 {
        let mut record = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0];
        record.extend((piece as u16).to_be_bytes());
        record.extend([0, 13, 1]);
        record.extend(&whole[1..]);
        record.extend([0, 0]);
        record.extend(&piece.to_be_bytes()[1..]);
        record.extend([0, 0, 1, 0xaa]);
        side.association.handle_datagram(&record, Instant::ZERO);
    }
    assert!(side.association.poll_outcome().is_none_or(|outcome| outcome.is_err()));
}
