//! The human gives the caller back to the bot, and the caller comes again: judged on the tones that each hears, and on
//! what the bot and the next human are told.

use crate::support::{asks_for_a_human, heard, ring, scenario};
use call_core::{Choreography, CoPilot, DeskRefused, HandBack, Release};
use call_model::{BotCommand, BotUpdate, HandoffEnd, HandoffOutcome, HandoffPackage, Instant, PopUpdate, Resumed};
use core::time::Duration;
use phone::{Answer, Arrival, OnRefer};
use sim::{BOT, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, Party, Setup, TRUNK, World};

const NOTES: &str = "Refund of 12 € is booked.\r\nPlease\0 confirm the address.";
const CLEAN: &str = "Refund of 12 € is booked.  Please  confirm the address.";

fn stream() -> Setup {
    Setup { stream_bot: true, ..Setup::default() }
}

fn choreography(change: impl FnOnce(&mut Choreography)) -> Choreography {
    let mut choreography = Choreography::default();
    change(&mut choreography);
    choreography
}

/// A human has the caller from the eighth second on.
fn joined(setup: &Setup) -> World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1'));
    world
}

fn two_talk(world: &World, desk: (Party, f32), from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[desk.1]);
    heard(world, desk.0, from, to, &[CALLER_TONE]);
}

fn with_bot(world: &World, from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[BOT_TONE]);
    heard(world, BOT, from, to, &[CALLER_TONE]);
}

fn told(world: &World) -> Vec<&BotUpdate> {
    let updates = world.told().iter().filter_map(|(_, command)| match command {
        BotCommand::Tell(update) => Some(update),
        _ => None,
    });
    updates.collect()
}

/// What each bot connection was told of what went before.
fn resumed(world: &World) -> Vec<Option<&Resumed>> {
    let dials = world.told().iter().filter_map(|(_, command)| match command {
        BotCommand::Dial { resumed, .. } => Some(resumed.as_deref()),
        _ => None,
    });
    dials.collect()
}

fn packages(world: &World) -> Vec<&HandoffPackage> {
    let packages = world.pops().iter().filter_map(|(_, pop)| match pop {
        PopUpdate::Offered { package, .. } => Some(&**package),
        _ => None,
    });
    packages.collect()
}

fn kept_with_the_human(world: &World) -> Vec<&str> {
    let kept = world.pops().iter().filter_map(|(_, pop)| match pop {
        PopUpdate::NotHandedBack { why, .. } => Some(why.as_str()),
        _ => None,
    });
    kept.collect()
}

/// Toward the caller, around a change of who is heard.
fn gap(world: &World, from: u64, to: u64) -> Duration {
    world.phones[TRUNK].media.longest_gap(Instant::from_millis(from), Instant::from_millis(to))
}

fn handed_back(update: &BotUpdate) -> (&str, &str, &str) {
    let BotUpdate::HandedBack { notes, by, outcome, .. } = update else { panic!("{update:?} is no hand-back") };
    (notes, by, outcome)
}

#[test]
fn the_human_gives_the_caller_back_with_notes() {
    let mut world = joined(&stream());
    world.at(12_000, Do::HandBack(NOTES)).at(18_000, Do::HangUp(TRUNK));
    scenario("hand_back", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 11_950);
    with_bot(&world, 12_250, 17_950);
    assert!(gap(&world, 11_500, 13_000) <= Duration::from_millis(60));
    assert_eq!(world.hand_backs(), [Ok(())]);
    assert_eq!(handed_back(told(&world).last().expect("it is told")), (CLEAN, "ada", "joined"));
    let [None, Some(resumed)] = resumed(&world)[..] else { panic!("two connections, the second resumed") };
    assert_eq!((resumed.how, resumed.notes.as_str()), ("handed_back", CLEAN));
    assert_eq!(Some(resumed.handoff), world.handoff());
    assert!(resumed.summary.contains("pressed 0"), "{}", resumed.summary);
    let last = world.pops().iter().rev().find(|(_, pop)| matches!(pop, PopUpdate::Retracted { .. }));
    assert!(matches!(last, Some((_, PopUpdate::Retracted { why: "handed back", .. }))), "{last:?}");
}

#[test]
fn a_sip_bot_gets_the_caller_back_too() {
    let mut world = joined(&Setup::default());
    world.at(12_000, Do::HandBack(NOTES)).at(18_000, Do::HangUp(TRUNK));
    scenario("hand_back_to_a_sip_bot", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 11_950);
    with_bot(&world, 12_500, 17_950);
    assert!(gap(&world, 11_500, 13_000) <= Duration::from_millis(60));
    let invites: Vec<_> = world.invites(BOT).map(String::from_utf8_lossy).collect();
    let [first, again] = &invites[..] else { panic!("called twice: {invites:?}") };
    assert!(!first.contains("X-Handoff-"), "{first}");
    let id = world.handoff().expect("there was one");
    for header in [
        format!("X-Handoff-Id: {id}"),
        "X-Handoff-Resumed: handed_back".to_owned(),
        "X-Handoff-Notes: Refund of 12 %E2%82%AC is booked.  Please  confirm the address.".to_owned(),
    ] {
        assert!(again.contains(&format!("\r\n{header}\r\n")), "{header} is missing in {again}");
    }
}

#[test]
fn a_co_pilot_gets_the_caller_back_at_once() {
    let choreography = choreography(|choreography| choreography.co_pilot = CoPilot::Silent);
    let mut world = joined(&Setup { choreography, ..stream() });
    world.at(12_000, Do::HandBack("all done")).at(18_000, Do::HangUp(TRUNK));
    scenario("hand_back_to_the_co_pilot", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 11_950);
    with_bot(&world, 12_200, 17_950);
    assert_eq!(resumed(&world), [None], "it never left");
    assert_eq!(handed_back(told(&world).last().expect("it is told")), ("all done", "ada", "joined"));
}

#[test]
fn keys_on_the_telephone_give_the_caller_back() {
    let mut world = joined(&stream());
    world
        .at(11_000, Do::Press(DESK, '9'))
        .at(12_000, Do::Press(DESK, '*'))
        .at(12_600, Do::Press(DESK, '9'))
        .at(18_000, Do::HangUp(TRUNK));
    scenario("hand_back_by_keys", &mut world, 60_000);
    heard(&world, TRUNK, 8_250, 11_950, &[DESK_TONE]);
    with_bot(&world, 13_200, 17_950);
    assert_eq!(handed_back(told(&world).last().expect("it is told")), ("", "ada", "joined"));
}

#[test]
fn the_human_keeps_the_caller_while_the_bot_is_fetched_and_when_it_cannot_be_had() {
    let mut world = joined(&Setup::default());
    world
        .at(11_000, Do::Arrival(BOT, Arrival::Refuse(503)))
        .at(12_000, Do::HandBack("one"))
        .at(14_000, Do::Arrival(BOT, ring(Answer::Never)))
        .at(15_000, Do::HandBack("two"))
        .at(28_000, Do::HangUp(TRUNK));
    scenario("hand_back_without_a_bot", &mut world, 90_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 27_950);
    assert_eq!(kept_with_the_human(&world), ["the bot refused the call (503)", "the bot did not answer"]);
}

#[test]
fn a_second_human_learns_of_the_first_and_of_the_notes() {
    let mut world = joined(&Setup { desks: 2, ..stream() });
    world
        .at(12_000, Do::HandBack("address is confirmed"))
        .at(15_000, Do::Arrival(DESK, Arrival::Refuse(486)))
        .at(16_000, Do::Press(TRUNK, '0'))
        .at(21_000, Do::Press(DESK2, '1'))
        .at(26_000, Do::HangUp(TRUNK));
    scenario("hand_back_and_again", &mut world, 90_000);
    with_bot(&world, 12_250, 15_950);
    with_bot(&world, 16_300, 20_000);
    two_talk(&world, (DESK2, DESK2_TONE), 21_250, 25_950);
    let packages = packages(&world);
    let (first, last) = (packages[0], packages[packages.len() - 1]);
    assert_eq!(first.earlier, []);
    let [earlier] = &last.earlier[..] else { panic!("one earlier handoff: {:?}", last.earlier) };
    assert_eq!((earlier.id, earlier.desk.as_deref()), (first.id, Some("ada")));
    assert_eq!((earlier.outcome, earlier.ended_by), (HandoffOutcome::Joined, HandoffEnd::HandedBack));
    assert_eq!(earlier.notes, "address is confirmed");
    assert_ne!(first.id, last.id);
}

#[test]
fn a_human_who_hung_up_and_desks_that_failed_are_known_to_the_next() {
    let mut world = joined(&stream());
    world
        .at(12_000, Do::HangUp(DESK))
        .at(13_000, Do::Arrival(DESK, Arrival::Refuse(486)))
        .at(15_000, Do::Press(TRUNK, '0'))
        .at(20_000, Do::Arrival(DESK, ring(Answer::After(Duration::from_secs(1)))))
        .at(21_000, Do::Press(TRUNK, '0'))
        .at(25_000, Do::Press(DESK, '1'))
        .at(30_000, Do::HangUp(TRUNK));
    scenario("three_handoffs", &mut world, 90_000);
    two_talk(&world, (DESK, DESK_TONE), 25_250, 29_950);
    let packages = packages(&world);
    let earlier: Vec<_> = packages[packages.len() - 1].earlier.iter().map(|e| (e.outcome, e.ended_by)).collect();
    let (gone, busy) = (HandoffEnd::HumanGone, HandoffEnd::Failed);
    assert_eq!(earlier, [(HandoffOutcome::Joined, gone), (HandoffOutcome::Busy, busy)]);
    let [None, Some(resumed)] = resumed(&world)[..] else { panic!("two connections, the second resumed") };
    assert_eq!(resumed.how, "human_gone");
}

#[test]
fn the_caller_hangs_up_while_the_bot_is_fetched() {
    let mut world = joined(&Setup::default());
    world
        .at(11_000, Do::Arrival(BOT, ring(Answer::Never)))
        .at(12_000, Do::HandBack("gone"))
        .at(14_000, Do::HangUp(TRUNK));
    scenario("hand_back_and_the_caller_hangs_up", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 13_950);
    assert!(!world.is_busy(BOT) && !world.is_busy(DESK));
}

#[test]
fn the_human_hangs_up_while_the_bot_is_fetched() {
    let mut world = joined(&Setup::default());
    world
        .at(11_000, Do::Arrival(BOT, ring(Answer::After(Duration::from_secs(3)))))
        .at(12_000, Do::HandBack("bye"))
        .at(13_000, Do::HangUp(DESK))
        .at(20_000, Do::Press(TRUNK, '0'))
        .at(24_500, Do::Press(DESK, '1'))
        .at(28_000, Do::HangUp(TRUNK));
    scenario("hand_back_and_the_human_hangs_up", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 12_950);
    with_bot(&world, 15_500, 23_500);
    let packages = packages(&world);
    let earlier = &packages[packages.len() - 1].earlier;
    assert_eq!((earlier[0].ended_by, earlier[0].notes.as_str()), (HandoffEnd::HandedBack, "bye"));
}

#[test]
fn a_route_may_rule_it_out() {
    let mut world = joined(&Setup { choreography: choreography(|c| c.hand_back = HandBack::No), ..stream() });
    world.at(12_000, Do::HandBack("no")).at(16_000, Do::HangUp(TRUNK));
    scenario("hand_back_ruled_out", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 15_950);
    assert_eq!(world.hand_backs(), [Err(DeskRefused::NoHandBack)]);
}

#[test]
fn we_stay_in_the_path_for_a_route_that_requires_it() {
    let choreography = choreography(|c| c.hand_back = HandBack::Required);
    let mut world = joined(&Setup { release: Release::Refer, choreography, ..stream() });
    world.at(16_000, Do::HandBack("late")).at(22_000, Do::HangUp(TRUNK));
    scenario("hand_back_required", &mut world, 60_000);
    assert!(!world.ladder().contains("REFER"));
    with_bot(&world, 16_250, 21_950);
}

#[test]
fn during_the_release_it_is_too_late_and_the_release_waits_for_no_bot() {
    let setup = Setup { release: Release::Refer, on_refer: OnRefer::Refuse(603), ..Setup::default() };
    let mut world = joined(&setup);
    world
        .at(10_000, Do::Arrival(BOT, ring(Answer::After(Duration::from_secs(4)))))
        .at(10_500, Do::HandBack("before the release"))
        .at(18_000, Do::HangUp(TRUNK));
    scenario("hand_back_before_the_release", &mut world, 60_000);
    assert!(!world.ladder().contains("REFER sent"), "the bot is being fetched");
    with_bot(&world, 15_000, 17_950);

    let mut world = joined(&Setup { on_refer: OnRefer::Forget, ..setup });
    world.at(11_500, Do::HandBack("too late")).at(20_000, Do::HangUp(TRUNK));
    scenario("hand_back_during_the_release", &mut world, 90_000);
    assert_eq!(world.hand_backs(), [Err(DeskRefused::TooLate)]);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 19_950);
}
