//! Taking ourselves out of the path, row by row of the failure table: whatever trunk and desk make of our REFER, the
//! two people go on hearing each other.

use crate::support::{asks_for_a_human, heard, scenario, they_talk};
use call_core::{Abilities, Evidence, Manual, PeerKind, Release};
use call_model::{Direction, Instant};
use core::time::Duration;
use phone::OnRefer;
use sim::{BOT_TONE, CALLER2, DESK, DESK_TONE, Do, MUSIC_TONE, Setup, TRUNK, World};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Joined at 8 s, REFER at 11 s; the human hangs up at 60 s, the caller at 62 s.
fn joined(setup: &Setup) -> World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(DESK)).at(62_000, Do::HangUp(TRUNK));
    world
}

fn trunk_does(on_refer: OnRefer) -> Setup {
    Setup { release: Release::Refer, on_refer, ..Setup::default() }
}

/// The contact centre follows REFER and the trunk takes INVITE with Replaces, says the operator.
fn desk_can(on_refer: OnRefer, desk_on_refer: OnRefer) -> Setup {
    Setup {
        release: Release::Auto,
        trunk_abilities: Abilities { replaces: Manual::Yes, ..Abilities::default() },
        desk_abilities: Abilities { refer: Manual::Yes, ..Abilities::default() },
        on_refer,
        desk_on_refer,
        ..Setup::default()
    }
}

fn evidence(world: &World, peer: PeerKind) -> (Evidence, Evidence) {
    let views = world.switchboard.capabilities(world.now());
    let view = views.into_iter().find(|view| view.peer == peer).expect("a configured peer");
    (view.refer.evidence, view.replaces.evidence)
}

/// 481 to REFER may be about the dialog: whoever does not know it when asked again is gone.
#[test]
fn a_trunk_that_has_lost_the_call_is_asked_and_taken_for_gone() {
    let mut world = asks_for_a_human(&trunk_does(OnRefer::Ignore));
    world.at(8_000, Do::Press(DESK, '1')).at(10_000, Do::Stop { party: TRUNK, loud: false });
    for what in ["REFER", "OPTIONS"] {
        world.at(10_000, Do::Answer(TRUNK, what, 481, 1));
    }
    scenario("refer_481_and_the_caller_is_gone", &mut world, 110_000);
    assert!(!world.phones[DESK].is_busy(), "the human is let go\n{}", world.ladder());
}

#[test]
fn a_429_keeps_them_together_and_is_remembered() {
    let mut world = joined(&trunk_does(OnRefer::Refuse(429)));
    scenario("refer_429", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
    assert!(matches!(evidence(&world, PeerKind::Trunk).0, Evidence::Refused { status: 429, .. }));
}

/// A target that wants a signed Referred-By (RFC 3892 §6) says 429 to the trunk; Cisco's CUCM then clears the call. That
/// ends it, and the human is not left with a dead line.
#[test]
fn a_trunk_that_clears_the_call_on_429_ends_it_for_the_human_too() {
    let mut world = joined(&trunk_does(OnRefer::ReportAndClear(429)));
    scenario("refer_notify_429_and_cleared", &mut world, 110_000);
    they_talk(&world, 8_200, 10_950);
    assert!(world.ladder().contains("call ended: caller hung_up"));
    assert!(!world.is_busy(DESK));
}

/// Glare: we own no Call-ID here and wait less than two seconds before each new try (RFC 3261 §14.1).
#[test]
fn a_491_is_tried_again_and_then_it_works() {
    let mut world = joined(&trunk_does(OnRefer::RefuseFirst(491, 2)));
    scenario("refer_491_then_works", &mut world, 110_000);
    they_talk(&world, 8_200, 11_000);
    they_talk(&world, 16_000, 59_950);
    assert_eq!(evidence(&world, PeerKind::Trunk), (Evidence::Proven, Evidence::Proven));
}

#[test]
fn a_491_for_ever_is_given_up_after_three_more_tries() {
    let mut world = joined(&trunk_does(OnRefer::Refuse(491)));
    scenario("refer_491_for_ever", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
    assert_eq!(world.ladder().matches(" REFER -").count(), 4, "{}", world.ladder());
    assert_eq!(evidence(&world, PeerKind::Trunk).0, Evidence::Advertised);
}

/// Timer F, 32 s: the trunk is asked in the dialog whether it still knows it, and it does.
#[test]
fn a_refer_that_nobody_answers_changes_nothing() {
    let mut world = joined(&trunk_does(OnRefer::Ignore));
    scenario("refer_unanswered", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
    assert_eq!(evidence(&world, PeerKind::Trunk).0, Evidence::Advertised);
}

/// Overload is health, not ability: no REFER before Retry-After, and no mark.
#[test]
fn a_503_rests_the_trunk_and_marks_nothing() {
    let mut world =
        asks_for_a_human(&Setup { release: Release::Auto, on_refer: OnRefer::Refuse(503), ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(20_000, Do::HangUp(TRUNK));
    world.run_until(12_000);
    let view = |world: &World| {
        let views = world.switchboard.capabilities(world.now());
        views.into_iter().find(|view| view.peer == PeerKind::Trunk).expect("the trunk")
    };
    let before = view(&world);
    assert_eq!(before.refer.evidence, Evidence::Advertised);
    assert!(before.resting_until.is_some_and(|until| until > Instant::from_millis(31_000)), "{before:?}");
    scenario("refer_503", &mut world, 60_000);
    they_talk(&world, 8_200, 19_950);
    assert_eq!(view(&world).resting_until, None);
}

/// NOTIFY 100, then silence: SUBSCRIBE with Expires 0 ends it after the result time.
#[test]
fn a_refer_that_stalls_is_unsubscribed() {
    let mut world = joined(&trunk_does(OnRefer::Stall));
    scenario("refer_stalls", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
    assert!(world.ladder().contains("SUBSCRIBE"), "{}", world.ladder());
    assert_eq!(evidence(&world, PeerKind::Trunk).0, Evidence::Advertised);
}

/// What the human does is not the trunk's fault; a dialog id that somebody rewrote is the desk's.
#[test]
fn a_final_notify_of_each_kind_keeps_them_together() {
    for status in [403, 404, 408, 429, 480, 481, 486, 487, 488, 503, 600] {
        let mut world = joined(&trunk_does(OnRefer::Report(status)));
        scenario(&format!("refer_notify_{status}"), &mut world, 110_000);
        they_talk(&world, 8_200, 59_950);
        assert_eq!(evidence(&world, PeerKind::Trunk).0, Evidence::Advertised, "{status}");
        let broken = matches!(evidence(&world, PeerKind::Desk).1, Evidence::Broken { .. });
        assert_eq!(broken, status == 481, "{status}");
    }
}

/// NOTIFY 200, nobody hangs up, and the caller is still heard here: the trunk's word was worth nothing.
#[test]
fn a_200_that_is_not_true_changes_nothing() {
    let mut world = joined(&trunk_does(OnRefer::Report(200)));
    scenario("refer_200_untrue", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
}

/// NOTIFY 200, the desk does not hang up the replaced leg, and the caller is not heard here any more: both are let go.
#[test]
fn a_200_with_the_callers_audio_gone_is_believed() {
    let mut world = asks_for_a_human(&trunk_does(OnRefer::Report(200)));
    world.at(8_000, Do::Press(DESK, '1')).at(11_050, Do::Mute(TRUNK, true));
    scenario("refer_200_desk_stays", &mut world, 70_000);
    they_talk(&world, 8_200, 11_000);
}

/// Each order of NOTIFY 200, the trunk's BYE and the desk's, at spacings from nothing to half a second. The desk's BYE
/// comes first or last by how long its way is.
#[test]
fn every_order_of_notify_and_bye_ends_released() {
    for (name, notify, bye) in [
        ("together", Some(MS(0)), Some(MS(0))),
        ("notify_then_bye_20us", Some(MS(0)), Some(Duration::from_micros(20))),
        ("bye_then_notify_20us", Some(Duration::from_micros(20)), Some(MS(0))),
        ("notify_then_bye_1ms", Some(MS(0)), Some(MS(1))),
        ("bye_then_notify_1ms", Some(MS(1)), Some(MS(0))),
        ("notify_then_bye_500ms", Some(MS(0)), Some(MS(500))),
        ("bye_then_notify_500ms", Some(MS(500)), Some(MS(0))),
        ("bye_and_no_notify", None, Some(MS(20))),
        ("notify_and_no_bye", Some(MS(20)), None),
    ] {
        let mut world = asks_for_a_human(&trunk_does(OnRefer::Slowly { notify, bye }));
        world.at(8_000, Do::Press(DESK, '1')).at(30_000, Do::HangUp(DESK)).at(32_000, Do::HangUp(TRUNK));
        scenario(&format!("released_{name}"), &mut world, 90_000);
        they_talk(&world, 8_200, 11_000);
        they_talk(&world, 11_250, 29_950);
        assert!(world.ladder().contains("handoff: released by refer_trunk"), "{name}\n{}", world.ladder());
    }
}

/// 202, no NOTIFY ever, no BYE from the trunk: the desk's BYE says "Replaced" and the caller is not heard here any more.
#[test]
fn success_without_any_notify_is_inferred() {
    let mut world = asks_for_a_human(&trunk_does(OnRefer::Slowly { notify: None, bye: None }));
    world.at(8_000, Do::Press(DESK, '1')).at(30_000, Do::HangUp(DESK)).at(32_000, Do::HangUp(TRUNK));
    scenario("released_without_a_word", &mut world, 90_000);
    they_talk(&world, 11_250, 29_950);
    assert!(world.ladder().contains("handoff: released by refer_trunk"), "{}", world.ladder());
}

/// The desk hangs up on its own while a REFER is out: the caller is heard here, so the bot comes back.
#[test]
fn a_human_who_hangs_up_while_the_refer_is_out_leaves_the_caller_to_the_bot() {
    let mut world = asks_for_a_human(&trunk_does(OnRefer::Stall));
    world.at(8_000, Do::Press(DESK, '1')).at(13_000, Do::HangUp(DESK)).at(22_000, Do::HangUp(TRUNK));
    scenario("human_leaves_while_releasing", &mut world, 90_000);
    heard(&world, TRUNK, 14_500, 21_950, &[BOT_TONE]);
}

/// The desk puts the call on hold while a REFER is out: the release is off, and the caller hears music from us.
#[test]
fn a_desk_that_holds_while_the_refer_is_out_keeps_us_in_the_path() {
    for (name, direction) in [("inactive", Direction::Inactive), ("sendonly", Direction::SendOnly)] {
        let mut world = asks_for_a_human(&trunk_does(OnRefer::Stall));
        world.at(8_000, Do::Press(DESK, '1')).at(13_000, Do::Hold(DESK, direction));
        world.at(20_000, Do::Hold(DESK, Direction::SendRecv)).at(30_000, Do::HangUp(TRUNK));
        scenario(&format!("hold_{name}_while_releasing"), &mut world, 90_000);
        they_talk(&world, 8_200, 12_950);
        let music = if direction == Direction::Inactive { MUSIC_TONE } else { DESK_TONE };
        heard(&world, TRUNK, 13_200, 19_950, &[music]);
        they_talk(&world, 20_200, 29_950);
    }
}

/// On hold, the caller owes no audio, so that its absence proves nothing when the human leaves: whoever resumes is with us.
#[test]
fn a_caller_who_was_on_hold_while_the_human_left_has_somebody_at_once() {
    let mut world = asks_for_a_human(&trunk_does(OnRefer::Stall));
    world.at(8_000, Do::Press(DESK, '1')).at(13_000, Do::Hold(TRUNK, Direction::Inactive)).at(16_000, Do::HangUp(DESK));
    world.at(18_000, Do::Hold(TRUNK, Direction::SendRecv)).at(30_000, Do::HangUp(TRUNK));
    scenario("caller_resumes_after_the_human_left", &mut world, 90_000);
    heard(&world, TRUNK, 18_500, 29_950, &[BOT_TONE]);
}

/// A human whose telephone stops dead has not hung up, and was not replaced, whatever became of the REFER.
#[test]
fn a_desk_that_stops_dead_after_a_release_without_an_outcome_is_lost() {
    let mut world = asks_for_a_human(&trunk_does(OnRefer::Stall));
    world.at(8_000, Do::Press(DESK, '1')).at(45_000, Do::Stop { party: DESK, loud: true });
    world.at(80_000, Do::HangUp(TRUNK));
    scenario("desk_stops_dead_after_a_release_that_failed", &mut world, 140_000);
    heard(&world, TRUNK, 68_000, 79_950, &[BOT_TONE]);
    assert!(!world.ladder().contains("release: released"), "{}", world.ladder());
}

/// Nobody leaves the path of a call that is on hold; when it is resumed, it is time.
#[test]
fn a_held_call_is_released_after_it_was_resumed() {
    let mut world = asks_for_a_human(&Setup { release: Release::Auto, on_refer: OnRefer::Follow, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(9_000, Do::Hold(DESK, Direction::Inactive));
    world.at(15_000, Do::Hold(DESK, Direction::SendRecv)).at(30_000, Do::HangUp(DESK)).at(32_000, Do::HangUp(TRUNK));
    scenario("hold_before_release", &mut world, 90_000);
    heard(&world, TRUNK, 9_200, 14_950, &[MUSIC_TONE]);
    they_talk(&world, 15_500, 29_950);
}

/// Method (b): the contact centre is told to call the trunk in our place.
#[test]
fn released_by_the_contact_centre() {
    let mut setup = desk_can(OnRefer::Refuse(603), OnRefer::Follow);
    setup.trunk_abilities.refer = Manual::No;
    let mut world = joined(&setup);
    scenario("released_by_refer_desk", &mut world, 110_000);
    they_talk(&world, 8_200, 11_000);
    they_talk(&world, 11_250, 59_950);
    assert!(world.ladder().contains("handoff: released by refer_desk"), "{}", world.ladder());
    assert_eq!(evidence(&world, PeerKind::Desk).0, Evidence::Proven);
}

/// The trunk refuses, the contact centre does it, within one attempt, and nobody notices.
#[test]
fn a_trunk_that_refuses_gives_place_to_the_contact_centre() {
    let mut world = joined(&desk_can(OnRefer::Refuse(603), OnRefer::Follow));
    scenario("refer_falls_back_to_the_desk", &mut world, 110_000);
    they_talk(&world, 8_200, 11_000);
    they_talk(&world, 11_250, 59_950);
    assert!(world.ladder().contains("handoff: released by refer_desk"), "{}", world.ladder());
}

/// Both refuse: they stay joined through us.
#[test]
fn when_both_refuse_we_stay() {
    let mut world = joined(&desk_can(OnRefer::Refuse(405), OnRefer::Refuse(501)));
    scenario("refer_refused_by_both", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
    assert!(matches!(evidence(&world, PeerKind::Trunk).0, Evidence::Refused { status: 405, .. }));
    assert!(matches!(evidence(&world, PeerKind::Desk).0, Evidence::Refused { status: 501, .. }));
}

/// A refusal is remembered: the next call is not tried.
#[test]
fn a_trunk_that_refused_is_not_asked_again_today() {
    let setup = Setup { release: Release::Auto, on_refer: OnRefer::Refuse(420), ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(15_000, Do::HangUp(TRUNK));
    world.at(60_000, Do::DialFrom(CALLER2, "7001")).at(63_000, Do::Press(CALLER2, '0'));
    world.at(68_000, Do::Press(DESK, '1')).at(80_000, Do::HangUp(CALLER2));
    scenario("refer_420_is_remembered", &mut world, 130_000);
    they_talk(&world, 8_200, 14_950);
    heard(&world, CALLER2, 68_200, 79_950, &[DESK_TONE]);
    assert_eq!(world.ladder().matches(" REFER -").count(), 1, "{}", world.ladder());
    let (refer, replaces) = evidence(&world, PeerKind::Trunk);
    assert_eq!(refer, Evidence::Advertised);
    assert!(matches!(replaces, Evidence::Refused { status: 420, .. }));
}

/// The operator knows better than the trunk says.
#[test]
fn a_trunk_that_is_set_to_no_is_never_asked() {
    let setup = Setup {
        release: Release::Auto,
        trunk_abilities: Abilities { refer: Manual::No, ..Abilities::default() },
        on_refer: OnRefer::Follow,
        ..Setup::default()
    };
    let mut world = joined(&setup);
    scenario("refer_set_to_no", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
    assert!(!world.ladder().contains("REFER"), "{}", world.ladder());
}
