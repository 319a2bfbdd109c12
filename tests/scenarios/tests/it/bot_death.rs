//! A bot that dies, in each state of a transfer, and the other rows of the matrix in which somebody is not lost.

use crate::support::{asks_for_a_human, heard, judge, ring, scenario};
use call_model::{BotCommand, BotUpdate, Direction, FactKind, Speaker, TraceKind, VoiceScore};
use core::time::Duration;
use phone::{Answer, Arrival, PhoneEvent};
use sim::{BOT, BOT_LOST_TONE, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, MUSIC_TONE, PageHabit, Setup, TRUNK, World};

/// When each bot was found to be dead, in milliseconds.
fn deaths(world: &World) -> Vec<u64> {
    let down = world.trace().iter().filter_map(|event| match &event.kind {
        TraceKind::Fact(fact) if matches!(fact.kind, FactKind::BotDown { .. }) => Some(event.at.as_millis()),
        _ => None,
    });
    down.collect()
}

/// The caller talks to a bot, which falls silent at 2 s; the caller stops talking at 5 s, when given.
fn silent_bot(caller_stops: bool) -> World {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(2_000, Do::Mute(BOT, true));
    if caller_stops {
        world.at(5_000, Do::Mute(TRUNK, true));
    }
    world
}

#[test]
fn a_bot_that_owes_an_answer_for_eight_seconds_is_dead() {
    let mut world = silent_bot(true);
    world.at(14_500, Do::Mute(TRUNK, false));
    world.at(18_000, Do::Press(DESK, '1')).at(22_000, Do::HangUp(TRUNK));
    scenario("bot_owes_an_answer", &mut world, 70_000);
    // A pause is one after 0.7 s.
    assert!(matches!(deaths(&world)[..], [13_650..=13_850]), "{:?}", deaths(&world));
    heard(&world, TRUNK, 14_000, 14_500, &[BOT_LOST_TONE]);
    heard(&world, TRUNK, 14_900, 17_950, &[MUSIC_TONE]);
    heard(&world, TRUNK, 18_200, 21_950, &[DESK_TONE]);
    heard(&world, DESK, 18_200, 21_950, &[CALLER_TONE]);
}

/// Neither its audio nor an answer comes, whatever the caller does meanwhile: 3 s to miss the one, 3 s to miss the other.
#[test]
fn a_bot_whose_machine_stops_is_found_out() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(5_000, Do::Stop { party: BOT, loud: false });
    world.at(15_000, Do::Press(DESK, '1')).at(20_000, Do::HangUp(TRUNK));
    scenario("bot_stops", &mut world, 70_000);
    assert!(matches!(deaths(&world)[..], [10_900..=11_100]), "{:?}", deaths(&world));
    heard(&world, TRUNK, 11_200, 11_700, &[BOT_LOST_TONE]);
    heard(&world, TRUNK, 15_200, 19_950, &[DESK_TONE]);
    heard(&world, DESK, 15_200, 19_950, &[CALLER_TONE]);
}

/// The music does not stop, and should no desk take the caller, nobody is left with a dead bot.
#[test]
fn a_bot_whose_machine_stops_while_a_desk_rings_is_found_out() {
    let desk = ring(Answer::After(Duration::from_secs(20)));
    let mut world = asks_for_a_human(&Setup { desk: [desk, Arrival::Refuse(486)], ..Setup::default() });
    world.at(5_000, Do::Stop { party: BOT, loud: false });
    world.at(26_000, Do::Press(DESK, '1')).at(30_000, Do::HangUp(TRUNK));
    scenario("bot_stops_while_a_desk_rings", &mut world, 70_000);
    heard(&world, TRUNK, 12_000, 20_000, &[MUSIC_TONE]);
    heard(&world, TRUNK, 26_200, 29_950, &[DESK_TONE]);
}

#[test]
fn a_bot_that_is_silent_while_it_listens_is_alive() {
    let mut world = silent_bot(false);
    world.at(40_000, Do::HangUp(TRUNK)).run_until(90_000);
    judge("silent bot", &world);
    assert_eq!(deaths(&world), [0; 0]);
    heard(&world, BOT, 500, 39_950, &[CALLER_TONE]);
}

#[test]
fn a_bot_that_answers_in_time_is_alive() {
    let mut world = silent_bot(true);
    world.at(12_500, Do::Mute(BOT, false)).at(40_000, Do::HangUp(TRUNK)).run_until(90_000);
    judge("slow bot", &world);
    assert_eq!(deaths(&world), [0; 0]);
    heard(&world, TRUNK, 13_000, 39_950, &[BOT_TONE]);
}

#[test]
fn a_bot_that_dies_is_told_to_the_caller_within_half_a_second() {
    let mut world = World::new(&Setup { stream_bot: true, ..Setup::default() });
    world.at(0, Do::Dial("7001")).at(4_000, Do::BotGone { finished: false });
    world.at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("bot_dies_with_the_caller", &mut world, 60_000);
    heard(&world, TRUNK, 4_200, 4_700, &[BOT_LOST_TONE]);
    heard(&world, TRUNK, 9_200, 11_950, &[DESK_TONE]);
}

#[test]
fn a_bot_that_dies_while_a_desk_rings_changes_nothing_but_the_music() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world.at(5_000, Do::BotGone { finished: false });
    world.at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("bot_dies_while_consulting", &mut world, 60_000);
    heard(&world, TRUNK, 5_200, 5_700, &[BOT_LOST_TONE]);
    heard(&world, TRUNK, 6_100, 8_950, &[MUSIC_TONE]);
    heard(&world, TRUNK, 9_200, 11_950, &[DESK_TONE]);
    let handoffs = world.trace().iter().filter(|event| matches!(event.kind, TraceKind::HandoffEnded { .. })).count();
    assert_eq!(handoffs, 1, "{}", world.ladder());
}

#[test]
fn a_bot_that_dies_while_the_human_makes_up_their_mind_changes_nothing_but_the_music() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world.at(7_500, Do::BotGone { finished: false });
    world.at(10_000, Do::Press(DESK, '1')).at(13_000, Do::HangUp(TRUNK));
    scenario("bot_dies_while_accepting", &mut world, 60_000);
    heard(&world, TRUNK, 7_700, 8_200, &[BOT_LOST_TONE]);
    heard(&world, TRUNK, 8_600, 9_950, &[MUSIC_TONE]);
    heard(&world, TRUNK, 10_200, 12_950, &[DESK_TONE]);
}

#[test]
fn a_second_reason_changes_nothing() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(5_000, Do::Press(TRUNK, '0')).at(9_500, Do::Fact(FactKind::AskedForHuman));
    world.at(9_000, Do::Press(DESK, '1')).at(13_000, Do::HangUp(TRUNK));
    scenario("trigger_twice", &mut world, 60_000);
    heard(&world, TRUNK, 9_200, 12_950, &[DESK_TONE]);
    let rung = world.events().iter().filter(|(_, party, event)| *party == DESK && matches!(event, PhoneEvent::Rings));
    assert_eq!(rung.count(), 1);
}

#[test]
fn without_a_desk_page_the_key_still_accepts() {
    let mut world = asks_for_a_human(&Setup::default());
    world.page = PageHabit::Closed;
    world.at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("page_down_and_accept_by_key", &mut world, 60_000);
    heard(&world, TRUNK, 500, 9_050, &[BOT_TONE]);
    heard(&world, TRUNK, 9_200, 11_950, &[DESK_TONE]);
}

#[test]
fn a_caller_who_stopped_dead_is_asked_and_let_go() {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001")).at(5_000, Do::Stop { party: TRUNK, loud: false });
    scenario("caller_stops_dead", &mut world, 150_000);
    assert!(!world.phones[BOT].is_busy(), "{}", world.ladder());
}

/// The same while a desk has the caller in its queue, and after the join: whoever was fetched is let go.
#[test]
fn a_caller_who_stopped_dead_is_asked_in_every_state() {
    let queue = Arrival::Progress(182, Answer::Never);
    let mut world = asks_for_a_human(&Setup { desk: [queue; 2], ..Setup::default() });
    world.at(6_000, Do::Stop { party: TRUNK, loud: false });
    scenario("caller_stops_dead_while_a_desk_is_fetched", &mut world, 150_000);
    assert!(!world.phones[DESK].is_busy() && !world.phones[BOT].is_busy(), "{}", world.ladder());

    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::Stop { party: TRUNK, loud: false });
    scenario("caller_stops_dead_after_the_join", &mut world, 150_000);
    assert!(!world.phones[DESK].is_busy(), "{}", world.ladder());
}

/// The caller holds and resumes while a desk rings, and after the join.
#[test]
fn the_trunk_may_change_the_session_in_every_state() {
    for (name, hold) in [("the_trunk_holds_while_a_desk_rings", 5_000), ("the_trunk_holds_after_the_join", 10_000)] {
        let mut world =
            asks_for_a_human(&Setup { desk: [ring(Answer::After(Duration::from_secs(3))); 2], ..Setup::default() });
        world.at(hold, Do::Hold(TRUNK, Direction::SendOnly)).at(hold + 1_500, Do::Hold(TRUNK, Direction::SendRecv));
        world.at(9_000, Do::Press(DESK, '1')).at(15_000, Do::HangUp(TRUNK));
        scenario(name, &mut world, 70_000);
        heard(&world, TRUNK, 500, 4_950, &[BOT_TONE]);
        heard(&world, TRUNK, 12_000, 14_950, &[DESK_TONE]);
        heard(&world, DESK, 12_000, 14_950, &[CALLER_TONE]);
    }
}

/// The caller gets louder, as far as the model says; then the model says nothing more, as when it has died.
fn model_dies() -> World {
    let mut world = World::new(&Setup::default());
    world.at(0, Do::Dial("7001"));
    for at in [2_000, 5_000, 8_000] {
        let score =
            VoiceScore { distress: 0.5, confidence: 0.9, speech_ratio: 0.8, baselined: true, ..VoiceScore::default() };
        world.at(at, Do::Fact(FactKind::Voice(score)));
    }
    world.at(34_000, Do::Press(DESK, '1')).at(38_000, Do::HangUp(TRUNK));
    world
}

#[test]
fn without_the_voice_model_words_and_keys_still_decide() {
    let words = FactKind::Turn { speaker: Speaker::Caller, text: "let me talk to a human".into(), confidence: None };
    for (name, asks) in [
        ("the_model_dies_and_the_caller_presses_a_key", Do::Press(TRUNK, '0')),
        ("the_model_dies_and_the_caller_says_so", Do::Fact(words)),
    ] {
        let mut world = model_dies();
        world.at(28_000, asks);
        scenario(name, &mut world, 90_000);
        heard(&world, TRUNK, 500, 34_050, &[BOT_TONE]);
        heard(&world, TRUNK, 34_250, 37_950, &[DESK_TONE]);
    }
}

/// The human has the caller from 9 s on; something happens to the desk's telephone at 15 s.
fn joined_until(what: Do) -> World {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world.at(9_000, Do::Press(DESK, '1')).at(15_000, what);
    world
}

#[test]
fn a_desk_that_stopped_dead_after_the_join_is_asked_and_the_bot_has_the_caller_again() {
    let mut world = joined_until(Do::Stop { party: DESK, loud: false });
    world.at(80_000, Do::HangUp(TRUNK));
    scenario("desk_stops_dead", &mut world, 150_000);
    heard(&world, TRUNK, 9_200, 14_950, &[DESK_TONE]);
    // Asked after 20 s without audio; timer F is 32 s.
    heard(&world, TRUNK, 68_000, 79_950, &[BOT_TONE]);
    let told = world.told().iter().any(|(_, command)| {
        matches!(command, BotCommand::Tell(BotUpdate::HandoffFailed { outcome: "human_gone", why }) if why.contains("broken"))
    });
    assert!(told, "the bot is told what happened\n{}", world.ladder());
}

#[test]
fn a_desk_that_is_only_muted_answers_and_keeps_the_caller() {
    let mut world = joined_until(Do::Mute(DESK, true));
    world.at(90_000, Do::Mute(DESK, false)).at(95_000, Do::HangUp(TRUNK));
    scenario("desk_is_muted", &mut world, 150_000);
    heard(&world, DESK, 9_200, 94_950, &[CALLER_TONE]);
    heard(&world, TRUNK, 15_500, 89_950, &[]);
    heard(&world, TRUNK, 90_300, 94_950, &[DESK_TONE]);
}

/// Who holds owes no audio: only SIP tells that nobody is there any more.
#[test]
fn a_caller_who_holds_and_stops_dead_is_missed_and_everybody_is_told() {
    let mut world = joined_until(Do::Hold(TRUNK, Direction::Inactive));
    world.at(20_000, Do::Stop { party: TRUNK, loud: false });
    scenario("caller_stops_dead_on_hold", &mut world, 200_000);
    assert!(world.switchboard.is_idle() && !world.is_busy(DESK), "{}", world.ladder());
    assert!(world.ladder().contains("pop retracted (ada)"), "{}", world.ladder());
}

#[test]
fn a_caller_who_holds_and_answers_is_waited_for() {
    let mut world = joined_until(Do::Hold(TRUNK, Direction::Inactive));
    world.at(180_000, Do::Hold(TRUNK, Direction::SendRecv)).at(190_000, Do::HangUp(TRUNK));
    scenario("caller_holds_for_long", &mut world, 250_000);
    heard(&world, TRUNK, 180_500, 189_950, &[DESK_TONE]);
}

/// Not every trunk answers OPTIONS: who never has is asked to repeat the session.
#[test]
fn a_caller_who_holds_and_never_answers_options_is_waited_for() {
    let mut world = joined_until(Do::Hold(TRUNK, Direction::Inactive));
    world.at(15_000, Do::LoseTo(TRUNK, "OPTIONS", 999));
    world.at(180_000, Do::Hold(TRUNK, Direction::SendRecv)).at(190_000, Do::HangUp(TRUNK));
    scenario("caller_holds_without_a_word", &mut world, 250_000);
    heard(&world, TRUNK, 180_500, 189_950, &[DESK_TONE]);
}

#[test]
fn a_caller_who_holds_never_answers_options_and_stops_dead_is_missed() {
    let mut world = joined_until(Do::Hold(TRUNK, Direction::Inactive));
    world.at(15_000, Do::LoseTo(TRUNK, "OPTIONS", 999));
    world.at(20_000, Do::Stop { party: TRUNK, loud: false });
    scenario("caller_stops_dead_on_hold_without_a_word", &mut world, 250_000);
    assert!(world.switchboard.is_idle() && !world.is_busy(DESK), "{}", world.ladder());
    assert!(world.ladder().contains("pop retracted (ada)"), "{}", world.ladder());
}

/// The human hangs up and the bot has no line left: another human is fetched, and the caller keeps theirs.
#[test]
fn when_neither_the_human_nor_the_bot_is_there_another_human_is_fetched() {
    for (name, bot, accepts) in [
        ("bot_is_busy_after_the_human", Arrival::Refuse(486), 20_000),
        ("bot_is_silent_after_the_human", Arrival::Ignore, 30_000),
    ] {
        let mut world = asks_for_a_human(&Setup::default());
        world.at(9_000, Do::Press(DESK, '1')).at(14_000, Do::Arrival(BOT, bot)).at(15_000, Do::HangUp(DESK));
        world.at(accepts, Do::Press(DESK, '1')).at(40_000, Do::HangUp(TRUNK));
        scenario(name, &mut world, 120_000);
        heard(&world, TRUNK, 9_200, 14_950, &[DESK_TONE]);
        heard(&world, TRUNK, accepts + 200, 39_950, &[DESK_TONE]);
    }
}

/// The bot hangs up while a desk rings, and no desk takes the caller: the bot is called once more.
#[test]
fn a_bot_that_left_while_consulting_has_the_caller_again_when_no_desk_does() {
    let busy = ring(Answer::Refuse(Duration::from_secs(4), 486));
    let mut world = asks_for_a_human(&Setup { desk: [busy; 2], ..Setup::default() });
    world.at(5_000, Do::HangUp(BOT)).at(40_000, Do::HangUp(TRUNK));
    scenario("bot_leaves_and_no_desk_is_free", &mut world, 110_000);
    heard(&world, TRUNK, 25_000, 39_950, &[BOT_TONE]);
}

/// A human who is never heard: nothing is proven, so the bot waits, and has the caller the moment the desk is gone.
#[test]
fn a_bot_waits_for_as_long_as_nothing_is_proven() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_900, Do::Mute(DESK, true)).at(9_000, Do::Press(DESK, '1'));
    world.at(25_000, Do::HangUp(DESK)).at(35_000, Do::HangUp(TRUNK));
    scenario("unproven_and_the_bot_waits", &mut world, 100_000);
    heard(&world, TRUNK, 25_300, 34_950, &[BOT_TONE]);
    assert_eq!(world.invites(BOT).count(), 1, "{}", world.ladder());
}
