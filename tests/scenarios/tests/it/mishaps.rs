//! What must not spread: bad input from one party, and one call's business into another's. Judged by what the parties
//! hear and by the pops, not by ladders.

use crate::support::{asks_for_a_human, heard, judge, ring};
use call_model::{PopUpdate, TraceKind};
use core::time::Duration;
use phone::Answer;
use sim::{
    BOT, BOT_TONE, CALLER_TONE, CALLER2, CALLER2_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, Link, Setup, TRUNK,
    World,
};

/// Datagrams that a broken or hostile peer might send, all to the SIP port.
fn garbage() -> Vec<Vec<u8>> {
    let text = [
        "",
        "\r\n\r\n",
        "INVITE",
        "INVITE sip:7001@10.0.0.1 SIP/2.0\r\n\r\n",
        "INVITE sip:7001@10.0.0.1 SIP/7.0\r\nVia: SIP/2.0/UDP 10.0.0.13;branch=z9hG4bKx\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
        "INVITE sip:7001@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.13;branch=z9hG4bKy\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:7001@c>\r\n\
         Call-ID: y\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.0.0.13>\r\nContent-Type: application/sdp\r\nContent-Length: 9999\r\n\r\nv=0",
        "INVITE sip:7001@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.13;branch=z9hG4bKz\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:7001@c>\r\n\
         Call-ID: z\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.0.0.13>\r\nContent-Type: application/sdp\r\nContent-Length: 20\r\n\r\nm=audio -1 what ever",
        "BYE sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.13;branch=z9hG4bKb\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: no\r\nCSeq: 1 BYE\r\n\r\n",
        "CANCEL sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.13;branch=z9hG4bKc\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: no\r\nCSeq: 1 CANCEL\r\n\r\n",
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKnever\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: no\r\nCSeq: 1 INVITE\r\n\r\n",
        "SIP/2.0 999999 Huge\r\n\r\n",
    ];
    let binary = [vec![0; 64], vec![0xff; 1_500], (0..=255).collect()];
    text.iter().map(|text| text.as_bytes().to_vec()).chain(binary).collect()
}

/// The same for RTP ports.
fn noise() -> Vec<Vec<u8>> {
    vec![
        vec![],
        vec![0x80],
        vec![0x80; 12],
        vec![0xff; 300],
        vec![0x00; 172],
        [vec![0x9f, 0x00], vec![0xff; 170]].concat(),
    ]
}

#[test]
fn garbage_from_known_peers_harms_no_call() {
    let mut world = asks_for_a_human(&Setup { seed: 7, ..Setup::default() });
    for (index, bytes) in garbage().into_iter().enumerate() {
        for (party, offset) in [(TRUNK, 0), (BOT, 1), (DESK, 2), (DESK2, 3)] {
            for begin in [1_000, 5_000, 9_000] {
                world.at(begin + index as u64 * 40 + offset * 10, Do::Datagram(party, bytes.clone()));
            }
        }
    }
    for (index, bytes) in noise().into_iter().enumerate() {
        for begin in [1_500, 5_500, 9_500] {
            world.at(begin + index as u64 * 20, Do::Noise(DESK2, bytes.clone()));
        }
    }
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(120_000);
    judge("garbage", &world);
    heard(&world, TRUNK, 500, 8_050, &[BOT_TONE]);
    heard(&world, TRUNK, 8_200, 11_950, &[DESK_TONE]);
    heard(&world, DESK, 8_200, 11_950, &[CALLER_TONE]);
}

#[test]
fn a_second_caller_is_not_offered_the_desk_that_is_taken() {
    for (desks, second_hears) in [(1, BOT_TONE), (2, DESK2_TONE)] {
        let mut world = asks_for_a_human(&Setup { desks, stream_bot: true, ..Setup::default() });
        world.at(1_000, Do::DialFrom(CALLER2, "7002")).at(5_000, Do::Press(CALLER2, '0'));
        world.at(8_000, Do::Press(DESK, '1')).at(10_000, Do::Press(DESK2, '1'));
        world.at(14_000, Do::HangUp(TRUNK)).at(15_000, Do::HangUp(CALLER2)).run_until(60_000);
        judge("two callers", &world);
        heard(&world, TRUNK, 8_200, 13_950, &[DESK_TONE]);
        heard(&world, DESK, 8_200, 13_950, &[CALLER_TONE]);
        heard(&world, CALLER2, 10_300, 14_950, &[second_hears]);
        if desks == 2 {
            heard(&world, DESK2, 10_300, 14_950, &[CALLER2_TONE]);
        }
        let offers = world.pops().iter().filter(|(_, pop)| matches!(pop, PopUpdate::Offered { .. })).count();
        assert_eq!(offers, desks, "{}", world.ladder());
    }
}

#[test]
fn a_desk_that_was_given_back_serves_the_next_caller() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(10_000, Do::HangUp(TRUNK));
    world.at(11_000, Do::DialFrom(CALLER2, "7002")).at(13_000, Do::Press(CALLER2, '0'));
    world.at(18_000, Do::Press(DESK, '1')).at(22_000, Do::HangUp(CALLER2)).run_until(70_000);
    judge("next caller", &world);
    heard(&world, CALLER2, 18_200, 21_950, &[DESK_TONE]);
    heard(&world, DESK, 18_200, 21_950, &[CALLER2_TONE]);
}

#[test]
fn a_twentieth_of_the_audio_lost_or_late_breaks_no_stream_and_silences_nobody() {
    let rtp_link = Link { delay: Duration::from_millis(30), jitter: Duration::from_millis(35), loss: 50, repeat: 20 };
    for seed in 0..20 {
        let mut world = asks_for_a_human(&Setup { seed, rtp_link, ..Setup::default() });
        world.at(8_000, Do::Press(DESK, '1')).at(20_000, Do::HangUp(TRUNK)).run_until(70_000);
        judge("lossy", &world);
        let measured = world.phones[TRUNK].media.measured();
        assert!(measured.lost > 0, "seed {seed}: the network is as bad as it should be");
        assert!(world.verdict().longest() < Duration::from_millis(300), "seed {seed}: {:?}", world.verdict().longest());
    }
}

#[test]
fn a_desk_that_takes_its_time_costs_the_caller_nothing() {
    let mut setup = Setup { desk: [ring(Answer::After(Duration::from_secs(20))); 2], ..Setup::default() };
    setup.timers.ring_timeout = Duration::from_secs(30);
    let mut world = asks_for_a_human(&setup);
    world.at(26_000, Do::Press(DESK, '1')).at(30_000, Do::HangUp(TRUNK)).run_until(80_000);
    judge("slow desk", &world);
    heard(&world, TRUNK, 500, 26_050, &[BOT_TONE]);
    heard(&world, BOT, 3_300, 26_050, &[CALLER_TONE]);
    heard(&world, TRUNK, 26_200, 29_950, &[DESK_TONE]);
}

/// Every key the caller presses reaches a bot, in either of the ways bots are told.
#[test]
fn keys_reach_the_bot_once_each() {
    for stream_bot in [false, true] {
        let mut world = World::new(&Setup { stream_bot, desks: 0, ..Setup::default() });
        world.at(0, Do::Dial("7001"));
        for (index, key) in "123#*".chars().enumerate() {
            world.at(2_000 + index as u64 * 400, Do::Press(TRUNK, key));
        }
        world.at(8_000, Do::HangUp(TRUNK)).run_until(50_000);
        judge("keys", &world);
        let by_sip = world.phones[BOT].media.measured().digits.iter().map(|(_, key)| *key).collect::<String>();
        let by_stream = world.told().iter().filter_map(|(_, told)| match told {
            call_model::BotCommand::Digit(key) => Some(*key),
            _ => None,
        });
        let keys = if stream_bot { by_stream.collect() } else { by_sip };
        assert_eq!(keys, "123#*");
    }
}

/// Runs five minutes without a call, with desk, bot and trunk asked every 30 s: what the trace noted about them, and how
/// many count as up and as down.
fn signs_of_life(loss: u16) -> (Vec<String>, (u64, u64)) {
    let callbacks = Some(crate::callbacks::policy());
    let mut setup = Setup { sip_link: Link { loss, ..Link::GOOD }, callbacks, ..Setup::default() };
    setup.timers.ping_every = Some(Duration::from_secs(30));
    let mut world = World::new(&setup);
    world.run_until(300_000);
    let noted = world.trace().iter().filter_map(|event| match &event.kind {
        TraceKind::Note { text, .. } => Some(text.clone()),
        _ => None,
    });
    (noted.collect(), world.switchboard.peers_up_and_down(world.now()))
}

#[test]
fn a_desk_a_bot_and_a_trunk_that_never_answer_options_are_said_to_be_down_once() {
    let down = |who: &str| format!("{who} has not answered OPTIONS three times: down");
    let all = ["desk ada", "bot bot", "trunk trunk"].map(down);
    assert_eq!(signs_of_life(1_000), (all.to_vec(), (0, 3)));
}

#[test]
fn those_who_answer_options_are_not_talked_about() {
    assert_eq!(signs_of_life(0), (Vec::new(), (3, 0)));
}
