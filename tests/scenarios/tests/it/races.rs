//! The end of a release, in every order in which its five messages can arrive: the trunk's 202, NOTIFY 100, NOTIFY 200
//! and BYE, and the desk's BYE. They come from different parties over different ways, so that no order can be excluded.
//! Whatever it is, caller and human keep talking and nobody is left behind.

use crate::support::{asks_for_a_human, heard, judge};
use call_core::Release;
use call_model::{HandoffOutcome, TraceKind};
use core::time::Duration;
use phone::OnRefer;
use sim::{CALLER_TONE, DESK, DESK_TONE, Do, Expected, Setup, TRUNK, World};

const ACCEPTED: Expected = Expected(TRUNK, "SIP/2.0 202", "");
const TRYING: Expected = Expected(TRUNK, "NOTIFY", "\r\n\r\nSIP/2.0 100");
const SUCCESS: Expected = Expected(TRUNK, "NOTIFY", "\r\n\r\nSIP/2.0 200");
const TRUNK_BYE: Expected = Expected(TRUNK, "BYE", "");
const DESK_BYE: Expected = Expected(DESK, "BYE", "");
/// At once, within one frame, within one round trip, and as far apart as two repeats.
const SPACINGS: [Duration; 4] =
    [Duration::ZERO, Duration::from_micros(20), Duration::from_millis(1), Duration::from_millis(500)];

/// Every order of these.
fn orders(of: &[Expected]) -> Vec<Vec<Expected>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for first in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(first);
        for mut order in self::orders(&rest) {
            order.insert(0, first);
            orders.push(order);
        }
    }
    orders
}

fn outcomes(world: &World) -> Vec<HandoffOutcome> {
    let ended = world.trace().iter().filter_map(|event| match event.kind {
        TraceKind::HandoffEnded { outcome, .. } => Some(outcome),
        _ => None,
    });
    ended.collect()
}

/// Plays it with these messages in this order; the trunk sends BYE by itself or leaves that to us.
fn play(order: &[Expected], spacing: Duration) -> World {
    let bye = order.contains(&TRUNK_BYE).then_some(Duration::ZERO);
    let on_refer = OnRefer::Slowly { notify: Some(Duration::ZERO), bye };
    let mut world = asks_for_a_human(&Setup { release: Release::Refer, on_refer, ..Setup::default() });
    world
        .at(0, Do::Arrange(order.to_vec(), spacing))
        .at(8_000, Do::Press(DESK, '1'))
        .at(24_000, Do::HangUp(TRUNK))
        .run_until(70_000);
    world
}

fn all_orders_of(messages: &[Expected]) {
    for order in orders(messages) {
        for spacing in SPACINGS {
            let world = play(&order, spacing);
            let name = format!("{order:?} {spacing:?} apart");
            assert!(!world.awaits_arrangement(), "{name}: a message never came\n{}", world.ladder());
            judge(&name, &world);
            assert_eq!(outcomes(&world), [HandoffOutcome::Released], "{name}\n{}", world.ladder());
            let notified = world.ladder().matches("200 OK (NOTIFY)").count();
            assert_eq!(notified, 2, "{name}: every NOTIFY is answered with 200\n{}", world.ladder());
            for party in [TRUNK, DESK] {
                assert!(!world.is_busy(party), "{name}: party {party} was left\n{}", world.ladder());
            }
            // The join, the release under way, and after it.
            heard(&world, TRUNK, 8_300, 9_500, &[DESK_TONE]);
            heard(&world, TRUNK, 14_500, 23_900, &[DESK_TONE]);
            heard(&world, DESK, 14_500, 23_900, &[CALLER_TONE]);
        }
    }
}

#[test]
fn a_release_ends_well_in_every_order_of_its_messages() {
    all_orders_of(&[ACCEPTED, TRYING, SUCCESS, TRUNK_BYE, DESK_BYE]);
}

#[test]
fn a_release_that_leaves_the_trunks_bye_to_us_ends_well_in_every_order() {
    all_orders_of(&[ACCEPTED, TRYING, SUCCESS, DESK_BYE]);
}
