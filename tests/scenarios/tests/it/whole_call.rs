//! The fuzz target `whole_call` (tests/fuzz) without a fuzzer: any octets are a call, and every call ends well.

use sim::{Dice, Findings, Storm};
use std::path::Path;

#[test]
fn any_octets_are_a_call_that_ends_well() {
    let mut dice = Dice::of_seed(7);
    for length in 0..300 {
        let octets: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
        let findings = sim::whole_call(&octets);
        assert!(findings.is_clean(), "{octets:?}: {findings:#?}");
    }
}

/// The smallest octets by which the fuzzer reached everything it reached, and whatever once broke.
#[test]
fn what_the_fuzzer_kept_ends_well() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/whole_call");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the seeds").map(|file| file.expect("one").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let storm = Storm::new(0, &mut Dice::Octets(&std::fs::read(&file).expect("octets")));
        let world = storm.play();
        let findings = Findings::of(&storm, &world);
        assert!(findings.is_clean(), "{}: {findings:#?}\n{}", file.display(), world.ladder());
    }
}
