//! Whole calls on the virtual clock. Each scenario's ladder is kept in `golden/`; a difference fails.
//!
//! `UPDATE_GOLDEN=1 cargo test --release -p scenarios` rewrites them: review the difference before you commit it.

mod support;

use call_core::{AcceptGate, Release, WhileConsulting};
use call_model::{Codec, Direction};
use core::time::Duration;
use phone::{Answer, Arrival, OnRefer};
use sim::{BOT, Click, DESK, Do, Setup, TRUNK, World};
use support::{ring, scenario};

const S: fn(u64) -> Duration = Duration::from_secs;

/// Dials, and presses 0 three seconds later.
fn asks_for_a_human(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.at(0, Do::Dial("7001")).at(3_000, Do::Press(TRUNK, '0'));
    world
}

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
}

#[test]
fn straight_to_a_human() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("human")).at(6_000, Do::HangUp(TRUNK));
    scenario("straight_to_a_human", &mut world, 45_000);
}

#[test]
fn hand_over_and_accept_by_key() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_and_accept_by_key", &mut world, 60_000);
}

#[test]
fn hand_over_and_accept_on_the_page_before_the_phone_is_picked_up() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(5_500, Do::Page(Click::Accept)).at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_and_accept_on_the_page_first", &mut world, 70_000);
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
}

#[test]
fn hand_over_from_a_websocket_bot() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("hand_over_from_a_websocket_bot", &mut world, 60_000);
}

#[test]
fn decline_by_phone() {
    let desk = [ring(Answer::Refuse(S(1), 603)); 2];
    let mut world = asks_for_a_human(&Setup { desk, ..Setup::default() });
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("decline_by_phone", &mut world, 60_000);
}

#[test]
fn decline_on_the_page_goes_to_the_next_desk() {
    let mut world = asks_for_a_human(&Setup { desks: 2, ..Setup::default() });
    world.at(5_500, Do::Page(Click::Decline)).at(10_000, Do::Page(Click::Accept)).at(15_000, Do::HangUp(TRUNK));
    scenario("decline_on_the_page_goes_to_the_next_desk", &mut world, 60_000);
}

#[test]
fn no_answer() {
    let mut world = asks_for_a_human(&Setup { desk: [ring(Answer::Never); 2], ..Setup::default() });
    world.at(40_000, Do::HangUp(TRUNK));
    scenario("no_answer", &mut world, 90_000);
}

#[test]
fn busy_desk() {
    let mut world = asks_for_a_human(&Setup { desk: [Arrival::Refuse(486); 2], ..Setup::default() });
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("busy_desk", &mut world, 60_000);
}

#[test]
fn no_desk_is_configured() {
    let mut world = asks_for_a_human(&Setup { desks: 0, ..Setup::default() });
    world.at(8_000, Do::HangUp(TRUNK));
    scenario("no_desk_is_configured", &mut world, 60_000);
}

#[test]
fn voicemail_never_gets_the_caller() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(30_000, Do::HangUp(TRUNK));
    scenario("voicemail_never_gets_the_caller", &mut world, 80_000);
}

/// The desk answers in the very moment in which the ring timer gives up: the 200 crosses the CANCEL.
#[test]
fn late_200_after_give_up() {
    let mut setup = Setup { desk: [ring(Answer::After(S(5))); 2], ..Setup::default() };
    setup.timers.ring_timeout = Duration::from_millis(5_055);
    let mut world = asks_for_a_human(&setup);
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("late_200_after_give_up", &mut world, 80_000);
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
}

#[test]
fn desk_drops_after_the_join_and_the_bot_has_the_caller_again() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(DESK)).at(18_000, Do::HangUp(TRUNK));
    scenario("desk_drops_after_the_join", &mut world, 70_000);
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

#[test]
fn bot_dies_and_nobody_is_there() {
    let mut world = World::new(&Setup { stream_bot: true, desks: 0, ..Setup::default() });
    world.at(0, Do::Dial("7001")).at(4_000, Do::BotGone { finished: false });
    scenario("bot_dies_and_nobody_is_there", &mut world, 70_000);
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
fn draining_lets_calls_finish_and_takes_no_more() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(2_000, Do::Drain).at(5_000, Do::HangUp(TRUNK)).at(6_000, Do::Dial("7002"));
    scenario("draining", &mut world, 60_000);
}

/// Everything about REFER happens after the join; whatever comes of it, the two people keep talking.
fn released(name: &str, release: Release, on_refer: OnRefer) {
    let mut world = asks_for_a_human(&Setup { release, on_refer, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(DESK)).at(62_000, Do::HangUp(TRUNK));
    scenario(name, &mut world, 110_000);
}

#[test]
fn release_succeeds() {
    released("release_succeeds", Release::Auto, OnRefer::Follow);
}

#[test]
fn release_is_refused_with_each_status() {
    for status in [403, 405, 420, 481, 501, 503, 603] {
        released(&format!("release_refused_{status}"), Release::Refer, OnRefer::Refuse(status));
    }
}

#[test]
fn release_is_accepted_and_then_nothing_comes() {
    released("release_accepted_then_silence", Release::Refer, OnRefer::Forget);
}

#[test]
fn release_fails_with_notify_503() {
    released("release_fails_with_notify_503", Release::Refer, OnRefer::Report(503));
}

#[test]
fn release_and_bye_before_notify() {
    released("release_and_bye_before_notify", Release::Refer, OnRefer::HangUp);
}
