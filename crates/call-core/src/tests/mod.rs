//! Whole calls in legs, no SIP: every row of the saga, and the invariants after every step.

mod bench;
mod bots;
mod consult;
mod endings;
mod matrix;
mod proving;
mod releasing;
