//! Running a scenario and judging it.
use call_model::Instant;
use core::time::Duration;
use phone::{Answer, Arrival};
use sim::{CALLER_TONE, CALLER2, DESK, DESK_TONE, Do, Party, Setup, TRUNK, World};
use std::path::Path;

/// Rings at once, then does something.
pub(crate) fn ring(then: Answer) -> Arrival {
    Arrival::Ring { after: Duration::from_millis(50), then }
}

/// Dials, and presses 0 three seconds later.
pub(crate) fn asks_for_a_human(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.at(0, Do::Dial("7001")).at(3_000, Do::Press(TRUNK, '0'));
    world
}

/// Runs to the end and compares the ladder with the golden one; judges what the caller heard, and that nothing is left.
pub(crate) fn scenario(name: &str, world: &mut World, until: u64) {
    world.run_until(until);
    compare(name, &world.ladder());
    judge(name, world);
}

/// Whatever was played here: no caller was left in silence or heard a broken stream, and nothing stays behind.
pub(crate) fn judge(name: &str, world: &World) {
    let ladder = world.ladder();
    let broken = world.broken();
    assert!(broken.is_empty(), "{name}: {broken:#?}\n{ladder}");
    assert_eq!(world.switchboard.calls().count(), 0, "{name}: a call is left\n{ladder}");
    assert!(world.switchboard.is_idle(), "{name}: something is left\n{ladder}");
    for party in [TRUNK, CALLER2] {
        let measured = world.phones[party].media.measured();
        // The gateway is one source for as long as it is in the path; after a release the desk is another.
        let released = ladder.contains("-> Released ]");
        // Who is called back hears another call.
        let called_back = world.callbacks().map(|callback| usize::from(callback.attempts)).sum::<usize>();
        let sources = 1 + usize::from(released) + called_back;
        assert!(measured.sources.len() <= sources, "{name}: {:?}\n{ladder}", measured.sources);
        assert!(released || called_back > 0 || measured.timestamp_faults == 0, "{name}: timestamps broke\n{ladder}");
    }
}

/// Asserts that a party heard exactly these tones, all the time from `from` to `to` (in milliseconds; the ears need
/// 60 ms to be sure, so leave that much room around a change).
pub(crate) fn heard(world: &World, party: Party, from: u64, to: u64, tones: &[f32]) {
    let blocks: Vec<_> =
        world.ear(party).between(Instant::from_millis(from), Instant::from_millis(to)).cloned().collect();
    let expected = ((to - from) / 60).saturating_sub(3);
    assert!(
        blocks.len() as u64 >= expected,
        "party {party} heard {} of {expected} blocks\n{}",
        blocks.len(),
        world.ladder()
    );
    if let Some(other) = blocks.iter().find(|block| block.tones != tones) {
        panic!("party {party}, from {from} to {to}, should hear {tones:?} and heard {other:?}\n{}", world.ladder());
    }
}

/// From `from` to `to`, caller and human hear each other and nothing else.
pub(crate) fn they_talk(world: &World, from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[DESK_TONE]);
    heard(world, DESK, from, to, &[CALLER_TONE]);
}

fn compare(name: &str, ladder: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(&file, ladder).expect("the golden folder can be written");
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    if golden != ladder {
        let line = golden.lines().zip(ladder.lines()).position(|(a, b)| a != b).unwrap_or(golden.lines().count());
        panic!("{name} differs from {} from line {} on; it is now:\n{ladder}", file.display(), line + 1);
    }
}
