//! Whatever comes: lossy networks and random bytes.

use crate::world::*;
use call_model::{Codec, Direction, MediaCommand, Prompt, RemoteMedia, Selector};
use core::time::Duration;
use proptest::prelude::*;
use rtp_proto::g711;

#[derive(Clone, Debug)]
struct Link {
    lost: bool,
    doubled: bool,
    delay_ms: u64,
}

fn link() -> impl Strategy<Value = Link> {
    (0u8..10, 0u8..20, 0u64..70).prop_map(|(lost, doubled, delay_ms)| Link {
        lost: lost == 0,
        doubled: doubled == 0,
        delay_ms,
    })
}

fn selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        4 => Just(Selector::Leg(leg(BOT))),
        4 => Just(Selector::Leg(leg(DESK))),
        4 => Just(Selector::Mix(leg(BOT), leg(DESK))),
        1 => Just(Selector::Music),
        1 => Just(Selector::Silence),
        1 => Just(Selector::Prompt(Prompt::PressOne)),
    ]
}

enum Happens {
    Switch(Selector),
    Packet(usize, Vec<u8>),
}

/// Two sources over a bad network, and a listener that is switched between them at random.
fn run(links: &[(Link, Link)], switches: &[(usize, Selector)]) -> (World, Vec<(usize, Selector)>) {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut senders = [Sender::new(BOT, 0xa0), Sender::new(DESK, 0xb0)];
    let mut under_way: Vec<(u64, usize, Vec<u8>)> = Vec::new();
    let start = world.now;
    for (step, (bot, desk)) in links.iter().enumerate() {
        for (which, link) in [bot, desk].into_iter().enumerate() {
            let packet = senders[which].packet();
            let at = step as u64 * 20 + link.delay_ms;
            if !link.lost {
                under_way.push((at, which, packet.clone()));
            }
            if link.doubled {
                under_way.push((at + 5, which, packet));
            }
        }
    }
    // Switches come before packets of the same moment.
    let mut happens: Vec<(u64, Happens)> =
        switches.iter().map(|(at, selector)| (*at as u64, Happens::Switch(*selector))).collect();
    happens.extend(under_way.into_iter().map(|(at, which, packet)| (at, Happens::Packet(which, packet))));
    happens.sort_by_key(|(at, _)| *at);
    for (at, what) in happens {
        let target = start + Duration::from_millis(at);
        world.pass(target.since(world.now).as_millis() as u64);
        match what {
            Happens::Switch(selector) => world.feed(CALLER, selector),
            Happens::Packet(which, packet) => world.deliver(senders[which].leg, senders[which].from, &packet),
        }
    }
    world.pass(500);
    (world, switches.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_listener_has_one_continuous_stream_whatever_the_network_does(
        links in prop::collection::vec((link(), link()), 20..200),
        switches in prop::collection::vec((0usize..4000, selector()), 1..12),
    ) {
        let (mut world, mut switches) = run(&links, &switches);
        let got = world.take(CALLER);
        check_stream(&got);
        // Nobody else than the selected source is ever heard.
        switches.sort_by_key(|(at, _)| *at);
        let both = g711::encode_mulaw(g711::decode_mulaw(0xa0) + g711::decode_mulaw(0xb0));
        for packet in &got {
            let ms = packet.at.since(call_model::Instant::from_millis(1000)).as_millis() as usize;
            let selected: Vec<_> = switches
                .iter()
                .enumerate()
                .filter(|(i, (at, _))| *at <= ms && switches.get(i + 1).is_none_or(|(next, _)| *next >= ms))
                .map(|(_, (_, selector))| *selector)
                .collect();
            let octet = packet.payload[0];
            let possible = |selector: &Selector| match selector {
                Selector::Leg(id) if *id == leg(BOT) => [0xa0, 0xff].contains(&octet),
                Selector::Leg(_) => [0xb0, 0xff].contains(&octet),
                // What is lost is made up, and fades.
                Selector::Mix(..) => (0..=g711::decode_mulaw(both)).contains(&g711::decode_mulaw(octet)),
                Selector::Music => octet == MUSIC,
                Selector::Prompt(_) => [PRESS_ONE, 0xff].contains(&octet),
                Selector::Silence => octet == 0xff,
            };
            let before_any = switches.first().is_none_or(|(at, _)| ms <= *at) && octet == 0xff;
            prop_assert!(before_any || selected.iter().any(possible), "{octet:#x} at {ms} ms: {selected:?}");
        }
        // The promise to the caller: no pause above half a second.
        for pair in got.windows(2) {
            prop_assert!(pair[1].at.since(pair[0].at) <= Duration::from_millis(500));
        }
    }

    #[test]
    fn a_relay_preserves_what_the_network_did(
        links in prop::collection::vec((link(), link()), 20..200),
    ) {
        let (mut world, _) = run(&links, &[(0, Selector::Leg(leg(BOT)))]);
        let got: Vec<_> = world.take(CALLER).into_iter().filter(|packet| packet.payload[0] == 0xa0).collect();
        let mut offsets: Vec<_> = got
            .iter()
            .map(|packet| i64::from(packet.header.sequence) * 160 - i64::from(packet.header.timestamp))
            .map(|offset| offset.rem_euclid(65536 * 160))
            .collect();
        offsets.dedup();
        // Sequence and timestamp of one source keep their relation, unless it was so quiet that we filled in.
        let filled = got.windows(2).any(|pair| pair[1].at.since(pair[0].at) >= Duration::from_millis(200));
        let wrapped = got.windows(2).any(|pair| pair[0].header.timestamp.abs_diff(pair[1].header.timestamp) > 1 << 31);
        prop_assert!(offsets.len() <= 1 || filled || wrapped, "{offsets:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Rtp(u8, u8, Vec<u8>),
    LikeRtp(u8, u8, u16, u32, u32, Vec<u8>),
    Rtcp(u8, Vec<u8>),
    LikeRtcp(u8, Vec<u8>),
    Feed(u8, u8),
    Remote(u8, u8, u8),
    Open(u8),
    OpenStream(u8),
    OpenEar(u8),
    Close(u8),
    Tap(u8, bool),
    Audio(u8, Vec<u8>),
    Mark(u8),
    Clear(u8),
    Pass(u32),
    /// The thread was suspended.
    Late(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..600);
    let leg = || 0u8..5;
    prop_oneof![
        2 => (leg(), leg(), bytes()).prop_map(|(a, b, c)| Step::Rtp(a, b, c)),
        8 => (leg(), any::<u8>(), any::<u16>(), any::<u32>(), 0u32..3, bytes())
            .prop_map(|(a, b, c, d, e, f)| Step::LikeRtp(a, b, c, d, e, f)),
        1 => (leg(), bytes()).prop_map(|(a, b)| Step::Rtcp(a, b)),
        2 => (leg(), bytes()).prop_map(|(a, b)| Step::LikeRtcp(a, b)),
        3 => (leg(), 0u8..13).prop_map(|(a, b)| Step::Feed(a, b)),
        2 => (leg(), any::<u8>(), any::<u8>()).prop_map(|(a, b, c)| Step::Remote(a, b, c)),
        2 => leg().prop_map(Step::Open),
        1 => leg().prop_map(Step::OpenStream),
        1 => leg().prop_map(Step::OpenEar),
        1 => leg().prop_map(Step::Close),
        1 => (leg(), any::<bool>()).prop_map(|(a, b)| Step::Tap(a, b)),
        2 => (leg(), bytes()).prop_map(|(a, b)| Step::Audio(a, b)),
        1 => leg().prop_map(Step::Mark),
        1 => leg().prop_map(Step::Clear),
        6 => (0u32..100).prop_map(Step::Pass),
        1 => any::<u32>().prop_map(Step::Late),
    ]
}

fn apply(world: &mut World, step: Step) {
    match step {
        Step::Rtp(to, from, bytes) => world.deliver(leg(to), address(from), &bytes),
        Step::LikeRtp(to, kind, sequence, timestamp, ssrc, bytes) => {
            let payload_type = [0, 0, 8, 9, 101, 13, 111, kind][usize::from(kind) % 8] & 0x7f;
            let mut sender = Sender { ssrc, sequence, ..Sender::new(to, 0) };
            let packet = sender.build(payload_type, timestamp, kind & 1 == 1, &bytes);
            world.deliver(leg(to), sender.from, &packet);
        }
        Step::Rtcp(to, bytes) => rtcp(world, to, &bytes),
        Step::LikeRtcp(to, bytes) => {
            let words = (bytes.len() / 4) as u16;
            let mut packet = vec![0x81, 200, (words >> 8) as u8, words as u8];
            packet.extend(&bytes[..usize::from(words) * 4]);
            rtcp(world, to, &packet);
        }
        Step::Feed(to, what) => {
            let from = match what {
                0 => Selector::Music,
                1 => Selector::Silence,
                2 => Selector::Prompt(Prompt::PressOne),
                other @ 3..9 => Selector::Leg(leg(other - 3)),
                other => Selector::Mix(leg(other - 9), leg((other - 8) % 4)),
            };
            world.feed(to, from);
        }
        Step::Remote(to, direction, seed) => {
            let directions = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
            let media = RemoteMedia {
                direction: directions[usize::from(direction) % 4],
                telephone_event: (seed & 1 == 0).then_some(101),
                ..remote(to + (seed >> 6), Codec::ALL[usize::from(seed >> 1) % Codec::ALL.len()])
            };
            world.command(MediaCommand::Remote { leg: leg(to), media });
        }
        Step::Open(index) => world.open(index),
        Step::OpenEar(index) => world.command(MediaCommand::OpenEar { leg: leg(index) }),
        Step::OpenStream(index) => world.command(MediaCommand::OpenStream { leg: leg(index) }),
        Step::Close(index) => world.command(MediaCommand::Close { leg: leg(index) }),
        Step::Tap(index, on) => world.command(MediaCommand::Tap { leg: leg(index), on }),
        Step::Audio(index, bytes) => world.engine.handle_stream_audio(leg(index), &bytes, world.now),
        Step::Mark(index) => world.engine.handle_stream_mark(leg(index), "m".into(), world.now),
        Step::Clear(index) => world.engine.handle_stream_clear(leg(index), world.now),
        Step::Pass(ms) => world.pass(u64::from(ms)),
        Step::Late(ms) => {
            world.now += Duration::from_millis(u64::from(ms));
            world.engine.handle_timeout(world.now);
            world.drain();
        }
    }
}

fn rtcp(world: &mut World, to: u8, bytes: &[u8]) {
    if let Some(slot) = world.engine.slot_of(leg(to)) {
        world.engine.handle_rtcp(slot, address(to), &mut bytes.to_vec(), world.now);
    }
    world.drain();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_sequence_of_inputs_breaks_the_engine(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            apply(&mut world, step);
        }
        for index in 0..5 {
            world.command(MediaCommand::Close { leg: leg(index) });
        }
        world.pass(60_000);
        prop_assert_eq!(world.engine.poll_timeout(), None);
        prop_assert_eq!(world.engine.legs(), 0);
    }
}
