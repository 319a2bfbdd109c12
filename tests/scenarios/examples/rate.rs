//! How many whole calls a second the simulator runs on one core: from the INVITE over the bot, a handoff, two people
//! talking, to the last BYE; 20 s of call each.
//!
//! `cargo run --release -p scenarios --example rate [CALLS]`
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a stopwatch outside the world, for the person at the terminal"
)]

use call_model::FactKind;
use sim::{Click, DESK, Do, Setup, TRUNK, World};
use std::time::Instant;

fn main() {
    let calls = std::env::args().nth(1).and_then(|calls| calls.parse().ok()).unwrap_or(2_000);
    println!("{:<34} {:>10} {:>14} {:>16}", "simulated", "calls/s", "us per call", "call seconds/s");
    measure("signalling only", 4 * calls, &Setup { audio: false, ears: false, ..Setup::default() });
    measure("with audio, 4 streams of 50/s", calls, &Setup { ears: false, ..Setup::default() });
    measure("with audio, and ears that listen", calls / 4, &Setup::default());
}

fn measure(what: &str, calls: u64, setup: &Setup) {
    let began = Instant::now();
    let mut simulated = 0.0;
    for seed in 0..calls {
        simulated += call(&Setup { seed, ..setup.clone() });
    }
    let took = began.elapsed().as_secs_f64();
    let calls = calls as f64;
    println!("{what:<34} {:>10.0} {:>14.0} {:>16.0}", calls / took, took / calls * 1e6, simulated / took);
}

/// One call; how long it lasted, in virtual seconds.
fn call(setup: &Setup) -> f64 {
    let mut world = World::new(setup);
    world.at(0, Do::Dial("7001")).at(5_000, Do::Fact(FactKind::AskedForHuman)).at(9_000, Do::Page(Click::Accept));
    world.at(20_000, Do::HangUp(TRUNK)).run_out(120_000);
    let joined = world.pops().iter().any(|(_, pop)| matches!(pop, call_model::PopUpdate::Joined { .. }));
    assert!(joined && world.broken().is_empty() && world.switchboard.is_idle(), "{}", world.ladder());
    assert!(!world.phones[DESK].is_busy(), "{}", world.ladder());
    world.now().since(call_model::Instant::ZERO).as_secs_f64()
}
