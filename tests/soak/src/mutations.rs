//! Do the verdicts find bugs that are there? Each mutation is played until it is caught.

use call_core::mutation::Mutation;
use sim::{Findings, Storm};

/// How a mutation was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// In which storm.
    pub seed: u64,
    /// By what.
    pub by: Vec<String>,
}

/// Plays storms with a bug until the verdicts find it, at most so many.
pub fn hunt(mutation: Mutation, storms: u64) -> Option<Caught> {
    (0..storms).find_map(|seed| {
        let mut storm = Storm::of_seed(seed);
        storm.setup.mutation = Some(mutation);
        let findings = Findings::of(&storm, &storm.play());
        // What the switchboard says about itself does not count: only what the parties saw.
        let by: Vec<_> = findings.all().filter(|what| !what.starts_with("other")).take(3).collect();
        (!by.is_empty()).then_some(Caught { seed, by })
    })
}
