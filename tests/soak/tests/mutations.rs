//! `cargo test -p soak --features mutations`: every deliberate bug is found within a few thousand storms, and none is
//! found where there is none.
#![cfg(feature = "mutations")]

use call_core::mutation::Mutation;
use sim::{Findings, Storm};

const STORMS: u64 = 4000;

#[test]
fn every_deliberate_bug_is_found() {
    let missed: Vec<_> =
        Mutation::ALL.into_iter().filter(|bug| soak::mutations::hunt(*bug, STORMS).is_none()).collect();
    assert!(missed.is_empty(), "not found in {STORMS} storms: {missed:?}");
}

#[test]
fn where_no_bug_is_awake_none_is_found() {
    for seed in 0..STORMS {
        let storm = Storm::of_seed(seed);
        let findings = Findings::of(&storm, &storm.play());
        assert!(findings.is_clean(), "seed {seed}: {findings:#?}");
    }
}
