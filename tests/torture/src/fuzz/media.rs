//! RTP, RTCP and a bot's stream into the media engine.

use super::Dice;
use call_model::{
    CallId, Codec, Direction, IdSource, Instant, KeysBy, LegId, MediaCommand, Prompt, RemoteMedia, Role, Selector,
};
use core::net::SocketAddr;
use core::time::Duration;
use rtp_proto::{EngineConfig, MediaEngine, NoTap, Output};

const LEGS: u8 = 3;
/// The WebSocket bot's.
const STREAM: u8 = LEGS;
const EAR: u8 = STREAM + 1;
/// A packet causes a few others at most, and so does a tick.
const BUSY: usize = 4_000;

/// Any packets on the legs of a call, in any order, while codecs, listeners and time change.
///
/// # Panics
/// Something is wrong.
pub fn media(octets: &[u8]) {
    let dice = &mut Dice(octets);
    let mut engine = MediaEngine::new(EngineConfig::new("w@test"), IdSource::from_u64(1), Box::new(NoTap));
    let mut now = Instant::from_millis(1000);
    for index in 0..LEGS {
        let role = [Role::Caller, Role::Bot, Role::Desk][usize::from(index)];
        let allowed = vec![("192.0.2.0".parse().expect("an address"), 24)];
        let keys_by = if index == 1 { KeysBy::Info } else { KeysBy::Rtp };
        engine.handle_command(
            &MediaCommand::Open {
                leg: leg(index),
                role,
                port: 20_000,
                interface: call_model::InterfaceId::default(),
                allowed,
                keys_by,
            },
            now,
        );
        engine.handle_command(&remote(index, dice), now);
    }
    engine.handle_command(&MediaCommand::OpenStream { leg: leg(STREAM) }, now);
    engine.handle_command(&MediaCommand::OpenEar { leg: leg(EAR) }, now);
    while !dice.is_used_up() {
        step(&mut engine, dice, &mut now);
        let outputs = core::iter::from_fn(|| engine.poll_output()).inspect(whole).count();
        assert!(outputs < BUSY, "{outputs} outputs of one input");
    }
    for index in 0..=EAR {
        engine.handle_command(&MediaCommand::Close { leg: leg(index) }, now);
    }
    assert_eq!(engine.legs(), 0);
}

fn step(engine: &mut MediaEngine, dice: &mut Dice<'_>, now: &mut Instant) {
    let index = dice.below(usize::from(LEGS)) as u8;
    let Some(slot) = engine.slot_of(leg(index)) else { return };
    match dice.below(12) {
        0 => engine.handle_command(&remote(index, dice), *now),
        1 => engine.handle_command(
            &MediaCommand::Feed { leg: leg(dice.below(usize::from(EAR) + 1) as u8), from: selector(dice) },
            *now,
        ),
        2 => engine.handle_command(&MediaCommand::Tap { leg: leg(index), on: dice.below(2) == 1 }, *now),
        3 => {
            let mut packet = dice.octets().to_vec();
            engine.handle_rtcp(slot, address(index), &mut packet, *now);
        }
        4 => engine.handle_stream_audio(leg(STREAM), dice.octets(), *now),
        5 | 6 => {
            *now += Duration::from_millis(u64::from(dice.octet()));
            engine.handle_timeout(*now);
        }
        7 => {
            let mut packet = dice.octets().to_vec();
            let length = packet.len();
            engine.handle_rtp(slot, address(index), &mut packet, length, *now);
        }
        _ => {
            let mut packet = packet(dice);
            let length = packet.len();
            let relayed = engine.handle_rtp(slot, address(index), &mut packet, length, *now);
            assert!(relayed.is_none_or(|relayed| relayed.bytes.len() >= rtp_proto::HEADER));
        }
    }
}

fn whole(output: &Output) {
    match output {
        Output::Rtp { packet, .. } => assert!(packet.as_slice().len() >= rtp_proto::HEADER),
        Output::Rtcp { packet, .. } => assert!(packet.as_slice().len().is_multiple_of(4)),
        _ => {}
    }
}

fn leg(index: u8) -> LegId {
    LegId { call: CallId(7), index }
}

fn address(index: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, index + 1], 4000))
}

fn remote(index: u8, dice: &mut Dice<'_>) -> MediaCommand {
    let media = RemoteMedia {
        telephone_event: (dice.below(2) == 1).then_some(101),
        event_clock: dice.pick(&[8_000, 48_000]),
        direction: dice.pick(&[Direction::SendRecv, Direction::RecvOnly, Direction::SendOnly, Direction::Inactive]),
        fec: dice.below(2) == 1,
        ..RemoteMedia::new(address(index), dice.pick(&Codec::ALL))
    };
    MediaCommand::Remote { leg: leg(index), media }
}

fn selector(dice: &mut Dice<'_>) -> Selector {
    let a_leg = |dice: &mut Dice<'_>| leg(dice.below(4) as u8);
    match dice.below(5) {
        0 => Selector::Silence,
        1 => Selector::Music,
        2 => Selector::Prompt(Prompt::PressOne),
        3 => Selector::Mix(a_leg(dice), a_leg(dice)),
        _ => Selector::Leg(a_leg(dice)),
    }
}

/// A packet whose header is sound, of a stream that moves on by leaps.
fn packet(dice: &mut Dice<'_>) -> Vec<u8> {
    let payload_type = dice.pick(&[0, 8, 9, 111, 101, 13, 127]);
    let sequence = [dice.octet() & 1, dice.octet()];
    let timestamp = [0, dice.octet() & 1, dice.octet(), dice.octet()];
    let mut packet = vec![0x80, payload_type | (dice.octet() & 0x80)];
    packet.extend(sequence.iter().chain(&timestamp).chain(&[0, 0, 0, dice.octet() & 1]));
    packet.extend(dice.octets());
    packet
}
