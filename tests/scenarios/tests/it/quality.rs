//! What each leg's audio was like is told once more when it is over, whoever hung up, and after the call if need be.

use crate::support::{asks_for_a_human, judge};
use call_model::{LegStats, Role, TraceKind};
use core::time::Duration;
use sim::{DESK, Do, Link, Setup, TRUNK, World};

/// Bot, handoff, human, end, and the last numbers of each leg.
fn last_numbers(rtp_link: Link) -> (World, Vec<(Role, String, LegStats)>) {
    let mut world = asks_for_a_human(&Setup { rtp_link, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(30_000, Do::HangUp(TRUNK));
    world.run_until(60_000);
    let numbers = world.trace().iter().filter_map(|event| match &event.kind {
        TraceKind::Quality { role, name, stats, last: true, .. } => Some((*role, name.clone(), *stats)),
        _ => None,
    });
    let numbers = numbers.collect();
    (world, numbers)
}

#[test]
fn every_leg_of_a_good_call_has_its_score() {
    let (world, numbers) = last_numbers(Link::GOOD);
    judge("a good network", &world);
    let legs: Vec<(Role, &str)> = numbers.iter().map(|(role, name, _)| (*role, name.as_str())).collect();
    assert_eq!(legs, [(Role::Bot, "bot"), (Role::Caller, "trunk"), (Role::Desk, "ada")], "{}", world.ladder());
    for (role, _, stats) in &numbers {
        assert!(stats.received > 100 && stats.lost == 0 && stats.mos > Some(4.3), "{role}: {stats:?}");
    }
}

#[test]
fn a_bad_network_lowers_every_score() {
    let (world, numbers) = last_numbers(Link { loss: 50, jitter: Duration::from_millis(30), ..Link::GOOD });
    judge("a bad network", &world);
    assert_eq!(numbers.len(), 3);
    for (role, _, stats) in &numbers {
        assert!(stats.lost > 0 && stats.jitter_ms > 3.0, "{role}: {stats:?}");
        assert!(stats.mos.is_some_and(|mos| (3.4..4.2).contains(&mos)), "{role}: {stats:?}");
    }
}
