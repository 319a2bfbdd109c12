//! Whole calls in legs, no SIP: every row of the saga, and the invariants after every step.

mod bench;
pub(crate) use bench::config as bench_config;
mod bots;
mod browser;
mod consult;
mod endings;
mod matrix;
mod proving;
mod releasing;
