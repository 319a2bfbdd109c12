//! A port that a call had rests before another call gets it, and whoever still talks to it then is not heard.

use crate::support::heard;
use call_model::{EndReason, TraceKind};
use sim::{BOT, BOT_TONE, CALLER_TONE, CALLER2, CALLER2_TONE, Do, Setup, TRUNK, World};

/// Room for one caller and its bot. The caller never learns that the bot hung up after three seconds, and talks on.
fn a_caller_who_talks_on() -> World {
    let mut world = World::new(&Setup { rtp_ports: (20_000, 20_003), ..Setup::default() });
    world.at(0, Do::Dial("7001")).at(2_900, Do::LoseTo(TRUNK, "BYE", 100)).at(3_000, Do::HangUp(BOT));
    world
}

fn refusals(world: &World) -> usize {
    let refused =
        |kind: &TraceKind| matches!(kind, TraceKind::Ended { cause } if cause.reason == EndReason::NoCapacity);
    world.trace().iter().filter(|event| refused(&event.kind)).count()
}

#[test]
fn a_port_rests_before_another_call_gets_it() {
    let mut world = a_caller_who_talks_on();
    world.at(7_000, Do::DialFrom(CALLER2, "7001"));
    world.run_until(7_500);
    assert_eq!(refusals(&world), 1, "{}", world.ladder());
}

#[test]
fn who_talks_on_to_a_port_of_the_next_call_is_not_heard_by_it() {
    let mut world = a_caller_who_talks_on();
    world.at(9_000, Do::DialFrom(CALLER2, "7001")).at(14_000, Do::HangUp(CALLER2));
    world.run_until(13_900);
    assert_eq!(refusals(&world), 0, "{}", world.ladder());
    heard(&world, BOT, 600, 2_900, &[CALLER_TONE]);
    heard(&world, BOT, 9_600, 13_850, &[CALLER2_TONE]);
    heard(&world, CALLER2, 9_600, 13_850, &[BOT_TONE]);
    let late = world.phones[TRUNK].media.measured();
    assert!(late.sent > 600, "it talked all the time: {}", late.sent);
    assert!(late.last < Some(call_model::Instant::from_millis(3_500)), "and heard nothing of the other call");
}
