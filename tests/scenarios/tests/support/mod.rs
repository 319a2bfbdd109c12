//! Running a scenario and judging it.

use core::time::Duration;
use phone::{Answer, Arrival};
use sim::World;
use std::path::Path;

/// Rings at once, then does something.
pub(crate) fn ring(then: Answer) -> Arrival {
    Arrival::Ring { after: Duration::from_millis(50), then }
}

/// Runs to the end and compares the ladder with the golden one; judges what the caller heard, and that nothing is left.
pub(crate) fn scenario(name: &str, world: &mut World, until: u64) {
    world.run_until(until);
    let ladder = world.ladder();
    compare(name, &ladder);
    assert!(world.verdict().broken().is_empty(), "{name}: {:#?}\n{ladder}", world.verdict().broken());
    assert_eq!(world.switchboard.calls().count(), 0, "{name}: a call is left\n{ladder}");
    assert!(world.switchboard.is_idle(), "{name}: something is left\n{ladder}");
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
