//! Whole calls on the virtual clock. Each scenario's ladder is kept in `golden/`; a difference fails.
//!
//! `UPDATE_GOLDEN=1 cargo test --release -p scenarios` rewrites them: review the difference before you commit it.

use crate::support::{asks_for_a_human, heard, ring, scenario, they_talk};
use call_core::{AcceptGate, Release, WhileConsulting};
use call_model::{Codec, Direction};
use core::time::Duration;
use phone::{Answer, Arrival, OnRefer};
use sim::{
    BOT, BOT_TONE, CALLER_TONE, Click, DESK, DESK2, DESK2_TONE, Do, MUSIC_TONE, NOBODY_TONE, PRESS_ONE_TONE, Setup,
    TRUNK, WHY_TONE, World,
};

const S: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn bot_only() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(5_000, Do::HangUp(TRUNK));
    scenario("bot_only", &mut world, 45_000);
}

#[test]
fn bot_over_tcp_with_another_codec() {
    let setup = Setup {
        transport: sip_proto::Transport::Tcp,
        codecs: [Codec::Pcmu, Codec::Pcma, Codec::Pcma],
        ..Setup::default()
    };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("bot_over_tcp_with_another_codec", &mut world, 60_000);
    heard(&world, TRUNK, 500, 8_050, &[BOT_TONE]);
    they_talk(&world, 8_200, 11_950);
}

#[test]
fn straight_to_a_human() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("human")).at(6_000, Do::HangUp(TRUNK));
    scenario("straight_to_a_human", &mut world, 45_000);
    they_talk(&world, 2_200, 5_950);
}

#[test]
fn hand_over_and_accept_by_key() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_and_accept_by_key", &mut world, 60_000);
    heard(&world, TRUNK, 500, 8_050, &[BOT_TONE]);
    heard(&world, BOT, 500, 2_950, &[CALLER_TONE]);
    heard(&world, BOT, 3_250, 8_050, &[CALLER_TONE]);
    heard(&world, DESK, 6_800, 7_400, &[WHY_TONE]);
    heard(&world, DESK, 7_600, 8_050, &[PRESS_ONE_TONE]);
    they_talk(&world, 8_200, 11_950);
    assert_eq!(world.phones[BOT].media.measured().digits.iter().map(|(_, key)| *key).collect::<String>(), "0");
}

#[test]
fn hand_over_and_accept_on_the_page_before_the_phone_is_picked_up() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(5_500, Do::Page(Click::Accept)).at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_and_accept_on_the_page_first", &mut world, 70_000);
    heard(&world, TRUNK, 500, 6_600, &[BOT_TONE]);
    they_talk(&world, 6_750, 11_950);
}

#[test]
fn hand_over_to_a_queue_that_accepts_by_answering() {
    let mut world = asks_for_a_human(&Setup { accept: AcceptGate::Auto, ..Setup::default() });
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_to_a_queue", &mut world, 60_000);
}

#[test]
fn hand_over_with_music_while_consulting() {
    let mut world = asks_for_a_human(&Setup { while_consulting: WhileConsulting::Music, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_with_music", &mut world, 60_000);
    heard(&world, TRUNK, 4_700, 8_050, &[MUSIC_TONE]);
    heard(&world, BOT, 4_700, 8_050, &[]);
    they_talk(&world, 8_200, 11_950);
}

#[test]
fn hand_over_from_a_websocket_bot() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_from_a_websocket_bot", &mut world, 60_000);
    heard(&world, TRUNK, 500, 8_050, &[BOT_TONE]);
    heard(&world, BOT, 500, 2_950, &[CALLER_TONE]);
    they_talk(&world, 8_200, 11_950);
}

#[test]
fn decline_by_phone() {
    let desk = [ring(Answer::Refuse(S(1), 603)); 2];
    let mut world = asks_for_a_human(&Setup { desk, ..Setup::default() });
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("decline_by_phone", &mut world, 60_000);
    heard(&world, TRUNK, 500, 11_950, &[BOT_TONE]);
}

#[test]
fn decline_on_the_page_goes_to_the_next_desk() {
    let mut world = asks_for_a_human(&Setup { desks: 2, ..Setup::default() });
    world.at(5_500, Do::Page(Click::Decline)).at(10_000, Do::Page(Click::Accept)).at(15_000, Do::HangUp(TRUNK));
    scenario("decline_on_the_page_goes_to_the_next_desk", &mut world, 60_000);
    heard(&world, TRUNK, 500, 9_950, &[BOT_TONE]);
    heard(&world, TRUNK, 10_150, 14_950, &[DESK2_TONE]);
    heard(&world, DESK2, 10_150, 14_950, &[CALLER_TONE]);
}

#[test]
fn no_answer() {
    let mut world = asks_for_a_human(&Setup { desk: [ring(Answer::Never); 2], ..Setup::default() });
    world.at(40_000, Do::HangUp(TRUNK));
    scenario("no_answer", &mut world, 90_000);
    heard(&world, TRUNK, 500, 39_950, &[BOT_TONE]);
}

#[test]
fn busy_desk() {
    let mut world = asks_for_a_human(&Setup { desk: [Arrival::Refuse(486); 2], ..Setup::default() });
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("busy_desk", &mut world, 60_000);
    heard(&world, TRUNK, 500, 11_950, &[BOT_TONE]);
}

#[test]
fn no_desk_is_configured() {
    let mut world = asks_for_a_human(&Setup { desks: 0, ..Setup::default() });
    world.at(8_000, Do::HangUp(TRUNK));
    scenario("no_desk_is_configured", &mut world, 60_000);
    heard(&world, TRUNK, 500, 7_950, &[BOT_TONE]);
}

#[test]
fn voicemail_never_gets_the_caller() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(30_000, Do::HangUp(TRUNK));
    scenario("voicemail_never_gets_the_caller", &mut world, 80_000);
    heard(&world, TRUNK, 500, 29_950, &[BOT_TONE]);
}

/// The desk answers in the very moment in which the ring timer gives up: the 200 crosses the CANCEL.
#[test]
fn late_200_after_give_up() {
    let mut setup = Setup { desk: [ring(Answer::After(S(5))); 2], ..Setup::default() };
    setup.timers.ring_timeout = Duration::from_millis(5_055);
    let mut world = asks_for_a_human(&setup);
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("late_200_after_give_up", &mut world, 80_000);
    heard(&world, TRUNK, 500, 19_950, &[BOT_TONE]);
}

/// The caller hangs up while the desk's 200 is on its way.
#[test]
fn cancel_crosses_200() {
    let mut world = asks_for_a_human(&Setup::default());
    // The desk answers at 6.648 s and the 200 arrives 5 ms later; the BYE leaves in between.
    world.at(6_645, Do::HangUp(TRUNK));
    scenario("cancel_crosses_200", &mut world, 60_000);
}

#[test]
fn caller_cancels_while_the_bot_rings() {
    let mut world = World::new(&Setup { bot: ring(Answer::After(S(5))), ..Setup::default() });
    world.at(0, Do::Dial("7001")).at(2_000, Do::HangUp(TRUNK));
    scenario("caller_cancels_while_the_bot_rings", &mut world, 60_000);
}

#[test]
fn caller_hangs_up_while_the_desk_rings() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(5_500, Do::HangUp(TRUNK));
    scenario("caller_hangs_up_while_the_desk_rings", &mut world, 60_000);
}

#[test]
fn caller_hangs_up_before_the_human_accepts() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::HangUp(TRUNK));
    scenario("caller_hangs_up_before_the_human_accepts", &mut world, 60_000);
}

#[test]
fn caller_hangs_up_while_releasing() {
    let setup = Setup { release: Release::Refer, on_refer: OnRefer::Forget, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(15_000, Do::HangUp(TRUNK));
    scenario("caller_hangs_up_while_releasing", &mut world, 90_000);
}

#[test]
fn desk_hangs_up_before_accepting() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::HangUp(DESK)).at(12_000, Do::HangUp(TRUNK));
    scenario("desk_hangs_up_before_accepting", &mut world, 60_000);
    heard(&world, TRUNK, 500, 11_950, &[BOT_TONE]);
}

#[test]
fn desk_drops_after_the_join_and_the_bot_has_the_caller_again() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(DESK)).at(18_000, Do::HangUp(TRUNK));
    scenario("desk_drops_after_the_join", &mut world, 70_000);
    they_talk(&world, 8_200, 11_950);
    heard(&world, TRUNK, 12_400, 17_950, &[BOT_TONE]);
    heard(&world, BOT, 12_400, 17_950, &[CALLER_TONE]);
}

#[test]
fn bot_refuses_the_call() {
    let mut world = World::new(&Setup { bot: Arrival::Refuse(503), ..Setup::default() });
    world.at(0, Do::Dial("7001"));
    scenario("bot_refuses_the_call", &mut world, 60_000);
}

#[test]
fn bot_dies_and_a_human_takes_over() {
    let mut world = World::new(&Setup { stream_bot: true, ..Setup::default() });
    world.at(0, Do::Dial("7001")).at(4_000, Do::BotGone { finished: false });
    world.at(9_000, Do::Press(DESK, '1')).at(13_000, Do::HangUp(TRUNK));
    scenario("bot_dies_and_a_human_takes_over", &mut world, 70_000);
}

/// It is called once more, for it may have been the connection; not a second time.
#[test]
fn bot_dies_and_nobody_is_there() {
    let mut world = World::new(&Setup { stream_bot: true, desks: 0, ..Setup::default() });
    for at in [4_000, 8_000] {
        world.at(at, Do::BotGone { finished: false });
    }
    world.at(0, Do::Dial("7001"));
    scenario("bot_dies_and_nobody_is_there", &mut world, 70_000);
    heard(&world, TRUNK, 4_200, 7_950, &[BOT_TONE]);
    heard(&world, TRUNK, 8_100, 8_750, &[NOBODY_TONE]);
}

#[test]
fn the_trunk_holds_and_resumes() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(3_000, Do::Hold(TRUNK, Direction::SendOnly));
    world.at(6_000, Do::Hold(TRUNK, Direction::SendRecv)).at(9_000, Do::HangUp(TRUNK));
    scenario("the_trunk_holds_and_resumes", &mut world, 60_000);
}

#[test]
fn refer_from_the_bot_is_declined() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(3_000, Do::Refer(BOT, "sip:elsewhere@192.0.2.1".into()));
    world.at(6_000, Do::HangUp(TRUNK));
    scenario("refer_from_the_bot_is_declined", &mut world, 60_000);
}

#[test]
fn an_unknown_number_gets_404() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("9001"));
    scenario("an_unknown_number_gets_404", &mut world, 60_000);
}

#[test]
fn the_end_of_draining_hangs_everybody_up() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(5_000, Do::Drain).at(8_000, Do::Press(DESK, '1')).at(12_000, Do::EndAll);
    scenario("the_end_of_draining", &mut world, 60_000);
}

#[test]
fn draining_lets_calls_finish_and_takes_no_more() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(2_000, Do::Drain).at(5_000, Do::HangUp(TRUNK)).at(6_000, Do::Dial("7002"));
    scenario("draining", &mut world, 60_000);
}

/// Where it is set so, the caller gets a human, and the trunk the call: nobody notices that the gateway stops.
#[test]
fn draining_may_give_callers_to_humans() {
    let setup = Setup { drain_to_human: true, release: Release::Auto, on_refer: OnRefer::Follow, ..Setup::default() };
    let mut world = World::new(&setup);
    world.at(0, Do::Dial("7001")).at(2_000, Do::Drain).at(6_000, Do::Press(DESK, '1')).at(15_000, Do::EndAll);
    world.at(20_000, Do::HangUp(DESK)).at(22_000, Do::HangUp(TRUNK));
    scenario("draining_to_a_human", &mut world, 60_000);
    they_talk(&world, 6_300, 9_000);
    they_talk(&world, 9_600, 19_950);
}

/// Everything about REFER happens after the join; whatever comes of it, the two people keep talking.
fn released(name: &str, release: Release, on_refer: OnRefer) -> World {
    let mut world = asks_for_a_human(&Setup { release, on_refer, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(DESK)).at(62_000, Do::HangUp(TRUNK));
    scenario(name, &mut world, 110_000);
    world
}

#[test]
fn release_succeeds() {
    let world = released("release_succeeds", Release::Auto, OnRefer::Follow);
    they_talk(&world, 8_200, 11_050);
    // At the change no more than a moment is lost, and then they talk without us.
    they_talk(&world, 11_250, 59_950);
    assert_eq!(world.phones[TRUNK].media.measured().from.map(|from| from.ip()), Some(sim::address_of(DESK).ip()));
}

/// Every NOTIFY is lost for three seconds. The desk says that it was replaced and the caller is not heard here any more,
/// so nobody is fetched for a caller who has been talking to the human all along.
#[test]
fn release_is_proven_late() {
    let mut world = asks_for_a_human(&Setup { release: Release::Refer, on_refer: OnRefer::Follow, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(11_000, Do::Lose(TRUNK, "NOTIFY", 6)).at(60_000, Do::HangUp(TRUNK));
    scenario("release_is_proven_late", &mut world, 110_000);
    they_talk(&world, 11_250, 59_950);
}

#[test]
fn release_is_refused_with_each_status() {
    for status in [403, 405, 420, 481, 501, 503, 603] {
        let world = released(&format!("release_refused_{status}"), Release::Refer, OnRefer::Refuse(status));
        they_talk(&world, 8_200, 59_950);
    }
}

#[test]
fn release_is_accepted_and_then_nothing_comes() {
    let world = released("release_accepted_then_silence", Release::Refer, OnRefer::Forget);
    they_talk(&world, 8_200, 59_950);
}

#[test]
fn release_fails_with_notify_503() {
    let world = released("release_fails_with_notify_503", Release::Refer, OnRefer::Report(503));
    they_talk(&world, 8_200, 59_950);
}

/// Without a NOTIFY nobody can know that it was no success: the desk is told after a second, not before.
#[test]
fn release_and_bye_before_notify() {
    let world = released("release_and_bye_before_notify", Release::Refer, OnRefer::HangUp);
    they_talk(&world, 8_200, 11_050);
}

#[test]
fn caller_hangs_up_before_the_desk_rings() {
    let late = Arrival::Ring { after: S(3), then: Answer::Never };
    let mut world = asks_for_a_human(&Setup { desk: [late; 2], ..Setup::default() });
    world.at(5_500, Do::HangUp(TRUNK));
    scenario("caller_hangs_up_before_the_desk_rings", &mut world, 60_000);
}

/// No CANCEL before the first response (RFC 3261 §9.1): it waits for it, and goes then.
#[test]
fn caller_hangs_up_before_the_desk_says_anything() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(0, Do::Lose(DESK, "SIP/2.0 1", 2)).at(4_900, Do::HangUp(TRUNK));
    scenario("caller_hangs_up_before_the_desk_says_anything", &mut world, 90_000);
}

#[test]
fn caller_hangs_up_while_the_bot_is_fetched_again() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::Press(DESK, '1')).at(11_000, Do::Arrival(BOT, ring(Answer::Never)));
    world.at(12_000, Do::HangUp(DESK)).at(14_000, Do::HangUp(TRUNK));
    scenario("caller_hangs_up_while_the_bot_is_fetched_again", &mut world, 70_000);
    heard(&world, TRUNK, 12_200, 13_950, &[MUSIC_TONE]);
}

/// The caller's CANCEL and our 200 cross: RFC 3261 §9.2, the CANCEL has no effect, and the caller's BYE ends it.
#[test]
fn the_callers_cancel_crosses_our_200() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(163, Do::HangUp(TRUNK));
    scenario("the_callers_cancel_crosses_our_200", &mut world, 60_000);
}

#[test]
fn lost_ack_from_the_trunk() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Lose(TRUNK, "ACK", 2)).at(0, Do::Dial("7001")).at(5_000, Do::HangUp(TRUNK));
    scenario("lost_ack_from_the_trunk", &mut world, 60_000);
    heard(&world, TRUNK, 500, 4_950, &[BOT_TONE]);
}

/// Nobody ever acknowledges our 200: after 64*T1 the gateway hangs up by itself (RFC 3261 §13.3.1.4).
#[test]
fn every_ack_from_the_trunk_is_lost() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Lose(TRUNK, "ACK", 99)).at(0, Do::Dial("7001"));
    scenario("every_ack_from_the_trunk_is_lost", &mut world, 80_000);
    heard(&world, TRUNK, 500, 32_000, &[BOT_TONE]);
}

#[test]
fn lost_ack_to_the_desk() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(0, Do::LoseTo(DESK, "ACK", 1)).at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("lost_ack_to_the_desk", &mut world, 60_000);
    they_talk(&world, 8_200, 11_950);
}
