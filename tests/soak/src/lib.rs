//! Random calls by the thousand, judged on what the parties saw; `cargo xtask soak` runs them.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "measures calls per second of real time")]

#[cfg(feature = "mutations")]
pub mod mutations;
mod report;

pub use report::{Broken, Report};

use sim::{Findings, Storm};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Storms that one thread takes at a time.
const BATCH: u64 = 200;
/// How often a long run says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// Plays and judges one storm.
pub fn one(storm: &Storm, report: &mut Report, seed: u64) {
    let world = storm.play();
    let findings = Findings::of(storm, &world);
    report.add(storm, &world, &findings, seed);
}

/// Plays and judges all seeds of a range on some threads. What is found does not depend on how many. `prepare` may
/// change a storm before it is played; `progress` hears now and then how many calls are done.
pub fn run(
    seeds: &Range<u64>,
    threads: usize,
    prepare: impl Fn(&mut Storm) + Sync,
    progress: impl Fn(&Report) + Sync,
) -> Report {
    let next = AtomicU64::new(seeds.start);
    let began = Instant::now();
    let work = |first: bool| {
        let (mut report, mut told) = (Report::default(), Instant::now());
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            if from >= seeds.end {
                return report;
            }
            for seed in from..(from + BATCH).min(seeds.end) {
                let mut storm = Storm::of_seed(seed);
                prepare(&mut storm);
                one(&storm, &mut report, seed);
            }
            if first && told.elapsed() >= PROGRESS {
                told = Instant::now();
                report.took = began.elapsed();
                progress(&report);
            }
        }
    };
    let mut report = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(|| work(false))).collect();
        let mine = work(true);
        others.into_iter().fold(mine, |mut all, thread| {
            // A panic in a storm is the finding of findings: let it through.
            all.merge(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            all
        })
    });
    report.took = began.elapsed();
    report.sort();
    report
}
