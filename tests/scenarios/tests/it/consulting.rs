//! What may happen between the decision and the join, row by row of the failure matrix, and what the people hear then.

use crate::support::{asks_for_a_human, heard, judge, ring, scenario};
use call_core::{AcceptGate, OnHumanGone, WhileConsulting};
use call_model::{PopUpdate, TraceKind};
use core::time::Duration;
use phone::{Answer, Arrival, PhoneEvent};
use sim::{
    BOT, BOT_TONE, CALLER_GONE_TONE, CALLER_TONE, CALLER2, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, MUSIC_TONE,
    PRESS_ONE_TONE, STILL_TRYING_TONE, Setup, TRUNK, WHY_TONE, World,
};

const S: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn the_human_hears_why_then_the_key_and_the_key_again() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(14_000, Do::Press(DESK, '1')).at(18_000, Do::HangUp(TRUNK));
    scenario("whisper_until_the_human_accepts", &mut world, 60_000);
    // The desk answers at 6.7 s; a prompt takes 0.8 s.
    heard(&world, DESK, 6_750, 7_450, &[WHY_TONE]);
    heard(&world, DESK, 7_600, 8_250, &[PRESS_ONE_TONE]);
    heard(&world, DESK, 8_400, 10_200, &[]);
    heard(&world, DESK, 10_400, 11_050, &[PRESS_ONE_TONE]);
    heard(&world, DESK, 13_200, 13_850, &[PRESS_ONE_TONE]);
    heard(&world, TRUNK, 500, 14_050, &[BOT_TONE]);
    heard(&world, TRUNK, 14_200, 17_950, &[DESK_TONE]);
    heard(&world, DESK, 14_200, 17_950, &[CALLER_TONE]);
}

#[test]
fn a_desk_without_whisper_hears_the_key_at_once() {
    let mut world = asks_for_a_human(&Setup { whisper: false, ..Setup::default() });
    world.at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("no whisper", &world);
    heard(&world, DESK, 6_750, 7_450, &[PRESS_ONE_TONE]);
    heard(&world, DESK, 9_200, 11_950, &[CALLER_TONE]);
}

/// Waits 44 s for a desk that rings and rings, with music, and tells how long after the beginning of the music the
/// caller was told that it is not forgotten.
fn told_while_waiting(every: Option<Duration>) -> Vec<u64> {
    let mut setup =
        Setup { while_consulting: WhileConsulting::Music, desk: [ring(Answer::After(S(44))); 2], ..Setup::default() };
    setup.timers.ring_timeout = S(60);
    setup.timers.waiting_prompt_every = every;
    let mut world = asks_for_a_human(&setup);
    world.at(51_000, Do::Press(DESK, '1')).at(54_000, Do::HangUp(TRUNK));
    if every == Some(S(20)) {
        scenario("waiting_with_music", &mut world, 100_000);
        heard(&world, TRUNK, 4_700, 24_500, &[MUSIC_TONE]);
        heard(&world, TRUNK, 24_700, 25_300, &[STILL_TRYING_TONE]);
        heard(&world, TRUNK, 25_600, 44_500, &[MUSIC_TONE]);
    } else {
        world.run_until(100_000);
        judge("waiting", &world);
    }
    heard(&world, TRUNK, 51_200, 53_950, &[DESK_TONE]);
    let mut told: Vec<u64> = Vec::new();
    for block in world.ear(TRUNK).heard().iter().filter(|block| block.tones == [STILL_TRYING_TONE]) {
        let seconds = (block.at.as_millis() - 4_590) / 1_000;
        if told.last().is_none_or(|last| seconds > last + 1) {
            told.push(seconds);
        }
    }
    told
}

#[test]
fn a_caller_who_waits_with_music_is_told_so_every_twenty_seconds() {
    assert_eq!(told_while_waiting(Some(S(20))), [20, 40]);
    assert_eq!(told_while_waiting(Some(S(15))), [15, 30, 45]);
    assert_eq!(told_while_waiting(None), [0; 0]);
}

/// The first desk says 100 and nothing more for `silence`; then it rings for a second and answers.
fn slow_first_desk(silence: Duration) -> Setup {
    let slow = Arrival::Ring { after: silence, then: Answer::After(S(1)) };
    Setup { desks: 2, desk: [slow, ring(Answer::After(S(2)))], ..Setup::default() }
}

fn retracted(world: &World) -> Vec<(String, &'static str)> {
    let pops = world.pops().iter().filter_map(|(_, pop)| match pop {
        PopUpdate::Retracted { desk, why, .. } => Some((desk.0.clone(), *why)),
        _ => None,
    });
    pops.collect()
}

#[test]
fn a_desk_that_says_nothing_for_four_seconds_is_joined_by_the_next_and_loses() {
    let mut world = asks_for_a_human(&slow_first_desk(S(60)));
    world.at(12_000, Do::Press(DESK2, '1')).at(16_000, Do::HangUp(TRUNK));
    scenario("no_progress_and_the_second_desk_accepts", &mut world, 90_000);
    heard(&world, TRUNK, 500, 12_050, &[BOT_TONE]);
    heard(&world, TRUNK, 12_250, 15_950, &[DESK2_TONE]);
    heard(&world, DESK2, 12_250, 15_950, &[CALLER_TONE]);
    assert_eq!(retracted(&world)[0], ("ada".to_owned(), "another desk took the caller"));
    assert!(!world.phones[DESK].is_busy(), "the loser's phone stopped");
}

#[test]
fn a_desk_that_was_silent_may_still_win() {
    let mut world = asks_for_a_human(&slow_first_desk(S(5)));
    // Both humans hold the phone when the first one presses the key.
    world.at(14_000, Do::Press(DESK, '1')).at(18_000, Do::HangUp(TRUNK));
    scenario("no_progress_and_the_first_desk_accepts", &mut world, 90_000);
    heard(&world, DESK, 10_800, 11_400, &[WHY_TONE]);
    heard(&world, DESK2, 11_800, 12_200, &[PRESS_ONE_TONE]);
    heard(&world, TRUNK, 500, 14_050, &[BOT_TONE]);
    heard(&world, TRUNK, 14_250, 17_950, &[DESK_TONE]);
    heard(&world, DESK, 14_250, 17_950, &[CALLER_TONE]);
    assert!(world.ear(DESK2).heard().iter().all(|block| block.tones != [CALLER_TONE]));
    assert_eq!(retracted(&world)[0], ("bob".to_owned(), "another desk took the caller"));
}

#[test]
fn of_two_desks_that_ring_neither_is_offered_to_another_caller() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..slow_first_desk(S(60)) });
    world.at(1_000, Do::DialFrom(CALLER2, "7002")).at(8_000, Do::Press(CALLER2, '0'));
    world.at(12_000, Do::Press(DESK2, '1')).at(16_000, Do::HangUp(TRUNK)).at(17_000, Do::HangUp(CALLER2));
    world.run_until(90_000);
    judge("two desks, two callers", &world);
    heard(&world, TRUNK, 12_250, 15_950, &[DESK2_TONE]);
    heard(&world, CALLER2, 1_500, 16_950, &[BOT_TONE]);
    let offers = world.pops().iter().filter(|(_, pop)| matches!(pop, PopUpdate::Offered { .. })).count();
    assert_eq!(offers, 2, "{}", world.ladder());
}

#[test]
fn neither_of_two_desks_takes_it_and_the_bot_goes_on() {
    let silent = Arrival::Ignore;
    let mut world = asks_for_a_human(&Setup { desks: 2, desk: [silent, silent], ..Setup::default() });
    world.at(60_000, Do::HangUp(TRUNK));
    scenario("no_progress_at_any_desk", &mut world, 140_000);
    heard(&world, TRUNK, 500, 59_950, &[BOT_TONE]);
}

#[test]
fn the_caller_hangs_up_while_two_desks_ring() {
    let mut world = asks_for_a_human(&slow_first_desk(S(60)));
    world.at(9_000, Do::HangUp(TRUNK));
    scenario("caller_hangs_up_while_two_desks_ring", &mut world, 90_000);
    assert!(!world.phones[DESK].is_busy() && !world.phones[DESK2].is_busy());
}

#[test]
fn a_desk_that_queues_the_caller_gets_more_time_and_its_queue_is_not_heard() {
    for (name, code, accept) in
        [("queued_182", 182, AcceptGate::KeyOrPage), ("queued_183_by_a_queue", 183, AcceptGate::Auto)]
    {
        let desk = [Arrival::Progress(code, Answer::After(S(50))); 2];
        let mut world = asks_for_a_human(&Setup { desk, accept, ..Setup::default() });
        world.at(56_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(TRUNK));
        scenario(name, &mut world, 110_000);
        heard(&world, TRUNK, 500, 54_500, &[BOT_TONE]);
        heard(&world, TRUNK, 56_250, 59_950, &[DESK_TONE]);
    }
}

#[test]
fn a_queue_that_never_ends_is_given_up_and_183_from_a_telephone_is_only_ringing() {
    for (name, code, until) in [("queue_timeout", 182, 124_600), ("progress_183_is_ringing", 183, 29_600)] {
        let mut world =
            asks_for_a_human(&Setup { desk: [Arrival::Progress(code, Answer::Never); 2], ..Setup::default() });
        world.at(until + 10_000, Do::HangUp(TRUNK));
        scenario(name, &mut world, until + 60_000);
        heard(&world, TRUNK, 500, until + 9_950, &[BOT_TONE]);
        let gave_up = world.trace().iter().find(|event| matches!(event.kind, TraceKind::HandoffEnded { .. }));
        assert_eq!(gave_up.map(|event| event.at.as_millis() / 1_000), Some(until / 1_000));
    }
}

/// The first desk refuses with this; the second takes the caller. What the first desk's page was told.
fn refused_then_next(name: &str, status: u16) -> &'static str {
    let desk = [Arrival::Refuse(status), ring(Answer::After(S(1)))];
    let mut world = asks_for_a_human(&Setup { desks: 2, desk, ..Setup::default() });
    world.at(8_000, Do::Press(DESK2, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario(name, &mut world, 80_000);
    heard(&world, TRUNK, 500, 8_050, &[BOT_TONE]);
    heard(&world, TRUNK, 8_250, 11_950, &[DESK2_TONE]);
    retracted(&world)[0].1
}

#[test]
fn a_desk_that_refuses_is_followed_by_the_next_at_once() {
    assert_eq!(refused_then_next("next_desk_after_486", 486), "the phone was busy");
    assert_eq!(refused_then_next("next_desk_after_600", 600), "the phone was busy");
    assert_eq!(refused_then_next("next_desk_after_603", 603), "declined on the phone");
    assert_eq!(refused_then_next("next_desk_after_480", 480), "nobody answered");
    assert_eq!(refused_then_next("next_desk_after_500", 500), "the phone could not be reached");
}

#[test]
fn a_redirect_is_refused() {
    let why = refused_then_next("redirect_302_is_refused", 302);
    assert_eq!(why, "it wanted the caller to be sent elsewhere, which is not done");
}

/// Three times within half a minute a human is asked for, ada's telephone being as it is; bob takes the caller each
/// time. The third time another caller asks.
fn three_times(setup: &Setup, third: u64) -> World {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..setup.clone() });
    world.at(13_000, Do::Press(DESK2, '1')).at(14_000, Do::HangUp(DESK2)).at(16_000, Do::Press(TRUNK, '0'));
    world.at(26_500, Do::Press(DESK2, '1')).at(28_000, Do::HangUp(TRUNK));
    world.at(29_000, Do::DialFrom(CALLER2, "7002")).at(31_000, Do::Press(CALLER2, '0'));
    world.at(third, Do::Press(DESK2, '1')).at(44_000, Do::HangUp(CALLER2));
    world
}

fn said_to_be_up(world: &World) -> Option<bool> {
    world.switchboard.is_up(call_model::Party::Desk, "ada", world.now())
}

#[test]
fn a_desk_that_is_switched_off_costs_two_waits_and_no_third() {
    let setup = Setup { desks: 2, desk: [ring(Answer::After(S(1))); 2], ..Setup::default() };
    let mut world = three_times(&setup, 36_000);
    world.at(0, Do::Stop { party: DESK, loud: false }).run_until(30_000);
    assert_eq!(said_to_be_up(&world), Some(false), "the operator sees it");
    scenario("silent_desk_is_tried_last", &mut world, 120_000);
    heard(&world, TRUNK, 26_750, 27_950, &[DESK2_TONE]);
    heard(&world, CALLER2, 36_250, 43_950, &[DESK2_TONE]);
    assert!(world.ladder().contains("ada has not answered 2 times"), "{}", world.ladder());
    let asked: Vec<u64> = world
        .pops()
        .iter()
        .filter_map(|(at, pop)| match pop {
            PopUpdate::Offered { desk, .. } if desk.0 == "ada" => Some(at.as_millis()),
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), 2, "the third time bob is asked at once: {asked:?}");
    assert_eq!(said_to_be_up(&world), None, "after a minute it has another chance");
}

#[test]
fn a_desk_that_says_as_much_as_100_is_there() {
    let mut world = three_times(&slow_first_desk(S(60)), 41_000);
    world.run_until(45_000);
    assert_eq!(said_to_be_up(&world), None);
    assert!(!world.ladder().contains("has not answered"), "{}", world.ladder());
    let offers =
        world.pops().iter().filter(|(_, pop)| matches!(pop, PopUpdate::Offered { desk, .. } if desk.0 == "ada"));
    assert_eq!(offers.count(), 3);
}

#[test]
fn who_hangs_up_before_the_desk_could_answer_says_nothing_about_it() {
    let mut world = asks_for_a_human(&Setup { desks: 2, ..Setup::default() });
    world.at(0, Do::Stop { party: DESK, loud: false }).at(7_000, Do::HangUp(TRUNK));
    world.at(8_000, Do::DialFrom(CALLER2, "7002")).at(10_000, Do::Press(CALLER2, '0')).at(14_500, Do::HangUp(CALLER2));
    world.run_until(60_000);
    judge("gone too soon", &world);
    assert!(!world.ladder().contains("has not answered"), "{}", world.ladder());
}

#[test]
fn a_desk_whose_port_is_closed_is_followed_by_the_next_at_once() {
    let setup = Setup { desks: 2, desk: [ring(Answer::After(S(1))); 2], ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(0, Do::Stop { party: DESK, loud: true });
    world.at(7_000, Do::Press(DESK2, '1')).at(11_000, Do::HangUp(TRUNK));
    scenario("transport_error_at_the_desk", &mut world, 60_000);
    heard(&world, TRUNK, 500, 7_050, &[BOT_TONE]);
    heard(&world, TRUNK, 7_250, 10_950, &[DESK2_TONE]);
    assert_eq!(retracted(&world)[0], ("ada".to_owned(), "the phone could not be reached"));
}

/// The news of a closed port may be forged: it ends no call, and no INVITE that was heard.
#[test]
fn a_closed_port_ends_no_conversation() {
    let mut world = asks_for_a_human(&Setup::default());
    for at in [5_500, 6_900, 9_000] {
        world.at(at, Do::Unreachable(DESK)).at(at, Do::Unreachable(TRUNK));
    }
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("forged", &world);
    heard(&world, TRUNK, 8_250, 11_950, &[DESK_TONE]);
}

#[test]
fn a_desk_that_cannot_be_reached_is_followed_by_the_next() {
    let mut setup = Setup { desks: 2, desk: [ring(Answer::Never), ring(Answer::After(S(1)))], ..Setup::default() };
    setup.timers.ring_timeout = S(60);
    setup.timers.no_progress = S(60);
    let mut world = asks_for_a_human(&setup);
    world.at(0, Do::LoseTo(DESK, "INVITE", 100)).at(0, Do::LoseTo(DESK, "CANCEL", 100));
    world.at(40_000, Do::Press(DESK2, '1')).at(44_000, Do::HangUp(TRUNK));
    scenario("timer_b_at_the_desk", &mut world, 120_000);
    heard(&world, TRUNK, 500, 40_050, &[BOT_TONE]);
    heard(&world, TRUNK, 40_250, 43_950, &[DESK2_TONE]);
}

/// The first desk asks for a rest of 30 s at 4.6 s, and would take a caller at once. Another caller comes later.
fn while_the_first_desk_rests(dials: u64) -> World {
    let desk = [Arrival::Overloaded(30), ring(Answer::After(S(1)))];
    let mut world = asks_for_a_human(&Setup { desks: 2, desk, stream_bot: true, ..Setup::default() });
    world.at(5_000, Do::Arrival(DESK, ring(Answer::After(S(1)))));
    world.at(8_000, Do::Press(DESK2, '1')).at(12_000, Do::HangUp(TRUNK));
    world.at(dials, Do::DialFrom(CALLER2, "7002")).at(dials + 2_000, Do::Press(CALLER2, '0'));
    world.at(dials + 6_000, Do::Press(DESK, '1')).at(dials + 6_000, Do::Press(DESK2, '1'));
    world.at(dials + 10_000, Do::HangUp(CALLER2));
    world
}

#[test]
fn a_desk_that_asks_for_a_rest_is_left_alone_until_then() {
    let mut world = while_the_first_desk_rests(14_000);
    scenario("retry_after_503", &mut world, 90_000);
    heard(&world, TRUNK, 8_250, 11_950, &[DESK2_TONE]);
    heard(&world, CALLER2, 20_250, 23_950, &[DESK2_TONE]);
    let mut world = while_the_first_desk_rests(40_000);
    world.run_until(110_000);
    judge("after the rest", &world);
    heard(&world, CALLER2, 46_250, 49_950, &[DESK_TONE]);
}

/// The `Call-ID` and `CSeq` of the INVITEs that arrived at the first desk.
fn invites(world: &World) -> Vec<(String, u32)> {
    let arrived = world.events().iter().filter_map(|(_, party, event)| match event {
        PhoneEvent::Arrived(invite) if *party == DESK => {
            Some((invite.call_id().to_owned(), invite.cseq().map_or(0, |cseq| cseq.number)))
        }
        _ => None,
    });
    arrived.collect()
}

#[test]
fn a_rich_invite_that_is_refused_is_repeated_plainly_under_the_right_call_id() {
    for (status, same) in [(415, true), (420, true), (488, false)] {
        let mut world = asks_for_a_human(&Setup { desk: [Arrival::Refuse(status); 2], ..Setup::default() });
        // It is refused 10 ms before it arrives again.
        world.at(4_608, Do::Arrival(DESK, ring(Answer::After(S(1)))));
        world.at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
        scenario(&format!("plain_retry_after_{status}"), &mut world, 80_000);
        heard(&world, TRUNK, 9_250, 11_950, &[DESK_TONE]);
        let invites = invites(&world);
        assert_eq!(invites.len(), 2);
        assert_eq!(invites[0].0 == invites[1].0, same, "{status}: {invites:?}");
        assert_eq!(invites[1].1, if same { 2 } else { 1 });
        let named = world.pops().iter().rev().find_map(|(_, pop)| match pop {
            PopUpdate::Offered { sip_call_id, .. } | PopUpdate::Redialled { sip_call_id, .. } => Some(sip_call_id),
            _ => None,
        });
        assert_eq!(named, Some(&invites[1].0), "the pop names the leg that rings");
    }
}

#[test]
fn a_desk_that_refuses_the_plain_invite_as_well_is_left() {
    let mut world = asks_for_a_human(&Setup { desk: [Arrival::Refuse(488); 2], ..Setup::default() });
    world.at(9_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("488 twice", &world);
    heard(&world, TRUNK, 500, 8_950, &[BOT_TONE]);
    assert_eq!(invites(&world).len(), 2);
}

#[test]
fn the_human_who_answers_too_late_hears_that_the_caller_has_gone() {
    // The desk answers while our CANCEL is under way.
    let desk = [ring(Answer::After(Duration::from_millis(3_352))); 2];
    let mut world = asks_for_a_human(&Setup { desk, ..Setup::default() });
    world.at(8_000, Do::HangUp(TRUNK));
    scenario("late_200_when_the_caller_has_gone", &mut world, 60_000);
    heard(&world, DESK, 8_100, 8_700, &[CALLER_GONE_TONE]);
    assert!(!world.phones[DESK].is_busy());
    let told = world.pops().iter().find(|(_, pop)| matches!(pop, PopUpdate::Retracted { .. })).map(|(at, _)| *at);
    assert!(told.is_some_and(|at| at.as_millis() <= 8_100), "the page is told at once: {told:?}");
    let over =
        world.events().iter().find(|(_, party, event)| *party == DESK && matches!(event, PhoneEvent::Ended { .. }));
    assert!(over.is_some_and(|(at, ..)| at.as_millis() < 11_000), "{}", world.ladder());
}

/// The human presses a key while being told that there is no caller any more.
#[test]
fn nobody_accepts_a_caller_who_has_gone() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::HangUp(TRUNK)).at(8_300, Do::Press(DESK, '1')).at(8_700, Do::Press(DESK, '*'));
    world.at(9_100, Do::Press(DESK, '9'));
    scenario("pressed_when_the_caller_has_gone", &mut world, 60_000);
    heard(&world, DESK, 8_100, 8_700, &[CALLER_GONE_TONE]);
    assert!(!world.pops().iter().any(|(_, pop)| matches!(pop, PopUpdate::Joined { .. })), "{}", world.ladder());
    assert_eq!(world.invites(BOT).count(), 1, "nor is it handed back");
}

#[test]
fn the_human_gone_the_next_one_has_the_caller_where_that_is_wanted() {
    let desk = [ring(Answer::After(S(1))); 2];
    let setup = Setup { desks: 2, desk, on_human_gone: OnHumanGone::NextDesk, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(DESK));
    world.at(15_000, Do::Press(DESK2, '1')).at(19_000, Do::HangUp(TRUNK));
    scenario("human_gone_and_the_next_desk", &mut world, 80_000);
    heard(&world, TRUNK, 8_250, 11_950, &[DESK_TONE]);
    heard(&world, TRUNK, 12_200, 14_950, &[MUSIC_TONE]);
    heard(&world, TRUNK, 15_250, 18_950, &[DESK2_TONE]);
    heard(&world, DESK2, 15_250, 18_950, &[CALLER_TONE]);
}

#[test]
fn the_human_gone_and_no_other_to_be_had_the_bot_has_the_caller() {
    let desk = [ring(Answer::After(S(1))), Arrival::Refuse(486)];
    let setup = Setup { desks: 2, desk, on_human_gone: OnHumanGone::NextDesk, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(DESK)).at(18_000, Do::HangUp(TRUNK));
    scenario("human_gone_and_no_other_desk", &mut world, 80_000);
    heard(&world, TRUNK, 13_000, 17_950, &[BOT_TONE]);
}

#[test]
fn of_two_answers_from_a_fork_the_first_stays_and_the_other_is_hung_up() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(0, Do::Fork(DESK)).at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("forked_200", &mut world, 60_000);
    heard(&world, TRUNK, 500, 9_050, &[BOT_TONE]);
    heard(&world, TRUNK, 9_250, 11_950, &[DESK_TONE]);
    heard(&world, DESK, 9_250, 11_950, &[CALLER_TONE]);
}

/// The first desk says nothing for six seconds, rings after all, and refuses with this a moment later.
fn late_refusal(status: u16) -> Setup {
    let slow = Arrival::Ring { after: S(6), then: Answer::Refuse(Duration::from_millis(100), status) };
    Setup { desks: 2, desk: [slow, ring(Answer::After(S(20)))], ..Setup::default() }
}

#[test]
fn a_desk_beside_the_leading_one_that_refuses_the_rich_invite_gets_the_plain_one() {
    for (status, same) in [(415, true), (488, false)] {
        let mut world = asks_for_a_human(&late_refusal(status));
        // It is refused 20 ms before the next one arrives.
        world.at(10_708, Do::Arrival(DESK, ring(Answer::After(S(1)))));
        world.at(14_000, Do::Press(DESK, '1')).at(18_000, Do::HangUp(TRUNK));
        scenario(&format!("no_progress_and_plain_retry_after_{status}"), &mut world, 90_000);
        heard(&world, TRUNK, 500, 14_050, &[BOT_TONE]);
        heard(&world, TRUNK, 14_250, 17_950, &[DESK_TONE]);
        let invites = invites(&world);
        assert_eq!(invites.len(), 2);
        assert_eq!(invites[0].0 == invites[1].0, same, "{status}: {invites:?}");
    }
}

#[test]
fn a_desk_beside_the_leading_one_that_fails_twice_is_tried_last() {
    let mut world =
        asks_for_a_human(&Setup { desk: [late_refusal(503).desk[0], ring(Answer::After(S(1)))], ..late_refusal(503) });
    world.at(12_000, Do::Press(DESK2, '1')).at(14_000, Do::HangUp(TRUNK));
    world.at(16_000, Do::DialFrom(CALLER2, "7001")).at(19_000, Do::Press(CALLER2, '0'));
    world.at(29_000, Do::Press(DESK2, '1')).at(31_000, Do::HangUp(CALLER2));
    scenario("no_progress_and_503_twice", &mut world, 90_000);
    heard(&world, TRUNK, 12_250, 13_950, &[DESK2_TONE]);
    heard(&world, CALLER2, 29_250, 30_950, &[DESK2_TONE]);
    assert!(world.ladder().contains("ada has not answered 2 times"), "{}", world.ladder());
}
