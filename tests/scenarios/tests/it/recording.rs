//! Recording: what is written down of a call and when, judged on the tones in each channel.

use crate::support::{asks_for_a_human, heard, judge, scenario};
use call_core::{Consent, Record, Recorded, Recording, Release};
use call_model::{FactKind, Instant, RecordingCommand, RecordingWish};
use phone::OnRefer;
use sim::{BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, RECORDED_TONE, Setup, TRUNK, World};

fn recorded(what: Recorded, consent: Consent) -> Setup {
    let recording =
        Recording { calls: Record::WhileHere, what, consent, consent_key: Some('5'), ..Recording::default() };
    Setup { recording, ..Setup::default() }
}

/// Bot, handoff, human.
fn whole_call(setup: &Setup) -> World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    world
}

/// Asserts that one channel holds exactly these tones from `from` to `to`.
fn holds(world: &World, channel: usize, from: u64, to: u64, tones: &[f32]) {
    let ear = world.recorded().nth(channel).expect("a recording with that channel");
    let blocks: Vec<_> = ear.between(Instant::from_millis(from), Instant::from_millis(to)).collect();
    assert!(blocks.len() as u64 >= ((to - from) / 60).saturating_sub(3), "{} blocks\n{}", blocks.len(), world.ladder());
    if let Some(other) = blocks.iter().find(|block| block.tones != tones) {
        panic!("channel {channel}, {from} to {to}, should hold {tones:?}: {other:?}\n{}", world.ladder());
    }
}

/// When the recording began and ended, in milliseconds.
fn span(world: &World) -> (u64, u64) {
    let at = |instant: Instant| instant.as_nanos() / 1_000_000;
    match world.recordings() {
        [(begins, RecordingCommand::Begin { name, .. }), (ends, RecordingCommand::End { name: same })] => {
            assert_eq!(name, same);
            assert_eq!(name.len(), 32, "random, and nothing else");
            (at(*begins), at(*ends))
        }
        other => panic!("not one recording: {other:?}\n{}", world.ladder()),
    }
}

#[test]
fn caller_left_and_whoever_the_caller_hears_right() {
    let mut world = whole_call(&recorded(Recorded::Stereo, Consent::Implied));
    scenario("recording_stereo", &mut world, 60_000);
    let (begins, ends) = span(&world);
    assert!(begins < 500 && (14_000..14_200).contains(&ends), "{begins} to {ends}");
    holds(&world, 0, 700, 2_900, &[CALLER_TONE]);
    holds(&world, 1, 700, 7_950, &[BOT_TONE]);
    holds(&world, 0, 8_400, 13_900, &[CALLER_TONE]);
    holds(&world, 1, 8_400, 13_900, &[DESK_TONE]);
}

#[test]
fn the_human_alone_is_recorded_only_while_they_have_the_caller() {
    let mut world = whole_call(&recorded(Recorded::Human, Consent::Implied));
    world.run_until(60_000);
    judge("human alone", &world);
    assert_eq!(world.recorded().count(), 1);
    holds(&world, 0, 700, 7_900, &[]);
    holds(&world, 0, 8_400, 13_900, &[DESK_TONE]);
}

#[test]
fn music_on_hold_is_in_no_recording() {
    let mut world = whole_call(&recorded(Recorded::Stereo, Consent::Implied));
    world.at(10_000, Do::Hold(DESK, call_model::Direction::Inactive));
    world.at(12_000, Do::Hold(DESK, call_model::Direction::SendRecv));
    world.run_until(60_000);
    judge("hold", &world);
    holds(&world, 1, 10_500, 11_900, &[]);
    holds(&world, 1, 12_500, 13_900, &[DESK_TONE]);
}

#[test]
fn a_card_number_is_left_out() {
    let mut world = whole_call(&recorded(Recorded::Mixed, Consent::Implied));
    world.at(9_500, Do::Fact(FactKind::Recording(RecordingWish::Pause)));
    world.at(11_500, Do::Fact(FactKind::Recording(RecordingWish::Resume)));
    scenario("recording_paused", &mut world, 60_000);
    for channel in 0..2 {
        holds(&world, channel, 9_600, 11_450, &[]);
    }
    holds(&world, 0, 11_700, 13_900, &[CALLER_TONE]);
    holds(&world, 1, 11_700, 13_900, &[DESK_TONE]);
}

#[test]
fn nothing_is_recorded_before_the_caller_has_said_yes() {
    let asked = recorded(Recorded::Stereo, Consent::Asked);
    let mut never = whole_call(&asked);
    never.at(5_000, Do::Fact(FactKind::Recording(RecordingWish::Resume)));
    never.run_until(60_000);
    judge("never asked", &never);
    assert!(never.recordings().is_empty(), "{:?}", never.recordings());

    let mut by_bot = whole_call(&asked);
    by_bot.at(4_000, Do::Fact(FactKind::Recording(RecordingWish::Start)));
    by_bot.at(12_000, Do::Fact(FactKind::Recording(RecordingWish::Stop)));
    // Whoever takes it back has taken it back.
    by_bot.at(12_500, Do::Fact(FactKind::Recording(RecordingWish::Start)));
    by_bot.run_until(60_000);
    judge("by the bot", &by_bot);
    assert_eq!(span(&by_bot), (4_000, 12_000));

    let mut by_key = whole_call(&asked);
    by_key.at(5_000, Do::Press(TRUNK, '5'));
    by_key.run_until(60_000);
    judge("by key", &by_key);
    let (begins, _) = span(&by_key);
    assert!((5_000..5_400).contains(&begins), "{begins}");
}

#[test]
fn a_caller_hears_of_it_first_and_then_whoever_the_route_says() {
    let setup = recorded(Recorded::Stereo, Consent::Announced);
    let mut world = whole_call(&setup);
    scenario("recording_announced", &mut world, 60_000);
    heard(&world, TRUNK, 150, 800, &[RECORDED_TONE]);
    heard(&world, TRUNK, 1_700, 7_900, &[BOT_TONE]);
    let (begins, _) = span(&world);
    assert!((800..1_200).contains(&begins), "the notice takes 800 ms: {begins}");
    holds(&world, 1, 1_800, 7_900, &[BOT_TONE]);

    let mut direct = World::new(&setup);
    direct.at(0, Do::Dial("human")).at(6_000, Do::HangUp(TRUNK));
    direct.run_until(30_000);
    judge("announced, straight to a desk", &direct);
    heard(&direct, TRUNK, 150, 800, &[RECORDED_TONE]);
    heard(&direct, TRUNK, 3_400, 5_900, &[DESK_TONE]);
    holds(&direct, 1, 3_400, 5_900, &[DESK_TONE]);
}

#[test]
fn who_hangs_up_during_the_notice_is_not_recorded() {
    let mut world = World::new(&recorded(Recorded::Stereo, Consent::Announced));
    world.at(0, Do::Dial("7001")).at(500, Do::HangUp(TRUNK));
    world.run_until(30_000);
    judge("hung up", &world);
    assert!(world.recordings().is_empty());
}

#[test]
fn it_ends_with_a_release_unless_every_word_is_wanted() {
    let mut here = recorded(Recorded::Stereo, Consent::Implied);
    (here.release, here.on_refer) = (Release::Refer, OnRefer::Follow);
    let mut world = whole_call(&here);
    world.run_until(60_000);
    let ladder = world.ladder();
    assert!(ladder.contains("-> Released ]"), "{ladder}");
    let (_, ends) = span(&world);
    assert!(ends < 13_500, "{ends}\n{ladder}");

    here.recording.calls = Record::Always;
    let mut world = whole_call(&here);
    world.run_until(60_000);
    judge("always", &world);
    assert!(!world.ladder().contains("REFER"), "{}", world.ladder());
    assert!(span(&world).1 >= 14_000);
}
