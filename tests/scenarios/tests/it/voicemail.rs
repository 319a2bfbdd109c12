//! Messages of callers whom no human can take: asked for, recorded alone, and delivered with what was known.

use crate::support::{heard, scenario};
use call_core::{Otherwise, Voicemails, Way};
use call_model::{BotCommand, BotUpdate, DeskState, FactKind, RecordingCommand, TraceKind};
use core::time::Duration;
use sim::{BOT_TONE, CALLER_TONE, Do, LEAVE_MESSAGE_TONE, Setup, TRUNK, World};

fn setup() -> Setup {
    let otherwise = Otherwise { urgency: None, open: None, wish: None, then: Way::Voicemail };
    let limits = Voicemails { max: Duration::from_secs(20), silence: Duration::from_secs(4) };
    Setup { stream_bot: true, otherwise: vec![otherwise], voicemail: Some(limits), ..Setup::default() }
}

/// Nobody is there; the caller asks for a human and talks all the time.
fn asks_in_vain(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.at(0, Do::State("ada", DeskState::Away)).at(100, Do::Dial("7001"));
    world.at(2_000, Do::Fact(FactKind::Summary("Wants the refund of an order.".to_owned())));
    world.at(3_000, Do::Press(TRUNK, '0'));
    world
}

fn happened(world: &World) -> Vec<&'static str> {
    let what = |event: &call_model::TraceEvent| match event.kind {
        TraceKind::Voicemail { what, .. } => Some(what),
        _ => None,
    };
    world.trace().iter().filter_map(what).collect()
}

fn told(world: &World, wanted: &BotUpdate) -> bool {
    world.told().iter().any(|(_, command)| matches!(command, BotCommand::Tell(update) if update == wanted))
}

/// The message is one recording, of the caller and nobody else.
fn recorded(world: &World) {
    let [(began, RecordingCommand::Begin { name, ears, .. }), (_, RecordingCommand::End { name: ended })] =
        world.recordings()
    else {
        panic!("one recording: {:?}", world.recordings());
    };
    assert_eq!((name, ears.len()), (ended, 1));
    let ear = world.recorded().next().expect("an ear");
    let heard: Vec<_> = ear.heard().iter().filter(|block| !block.tones.is_empty()).collect();
    assert!(heard.len() > 20 && heard.iter().all(|block| block.tones == [CALLER_TONE]), "since {began:?}: {heard:?}");
}

#[test]
fn a_message_ends_with_the_key_and_the_bot_has_the_caller_again() {
    let mut world = asks_in_vain(&setup());
    world.at(15_000, Do::Press(TRUNK, '#')).at(19_000, Do::HangUp(TRUNK));
    scenario("voicemail_ended_by_key", &mut world, 90_000);
    assert_eq!(happened(&world), ["asked", "began", "left"]);
    recorded(&world);
    let [left] = world.voicemails() else { panic!("one message: {:?}", world.voicemails()) };
    assert_eq!(left.package.summary, "Wants the refund of an order.");
    assert!((8..=11).contains(&left.lasted.as_secs()), "{:?}", left.lasted);
    assert!(told(&world, &BotUpdate::VoicemailBegun) && told(&world, &BotUpdate::VoicemailOver));
    heard(&world, TRUNK, 4_850, 5_250, &[LEAVE_MESSAGE_TONE]);
    heard(&world, TRUNK, 6_000, 14_900, &[]);
    heard(&world, TRUNK, 15_300, 18_950, &[BOT_TONE]);
}

#[test]
fn a_message_is_kept_when_the_caller_hangs_up_on_it() {
    let mut world = asks_in_vain(&setup());
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("voicemail_ended_by_hanging_up", &mut world, 90_000);
    assert_eq!((happened(&world), world.voicemails().len()), (vec!["asked", "began", "left"], 1));
    recorded(&world);
}

#[test]
fn a_message_ends_when_the_caller_says_nothing_more_or_too_much() {
    let mut world = asks_in_vain(&setup());
    world.at(10_000, Do::Mute(TRUNK, true)).at(18_000, Do::Mute(TRUNK, false)).at(20_000, Do::HangUp(TRUNK));
    scenario("voicemail_ended_by_silence", &mut world, 90_000);
    assert_eq!(happened(&world), ["asked", "began", "left"]);
    heard(&world, TRUNK, 15_500, 19_950, &[BOT_TONE]);

    let mut world = asks_in_vain(&setup());
    world.at(30_000, Do::HangUp(TRUNK));
    scenario("voicemail_too_long", &mut world, 90_000);
    assert_eq!(world.voicemails()[0].lasted, Duration::from_secs(20));
}

#[test]
fn who_says_nothing_leaves_no_message() {
    let mut world = asks_in_vain(&setup());
    world.at(4_800, Do::Mute(TRUNK, true)).at(20_000, Do::HangUp(TRUNK));
    scenario("voicemail_empty", &mut world, 90_000);
    assert_eq!((happened(&world), world.voicemails().len()), (vec!["asked", "began", "empty"], 0));
}
