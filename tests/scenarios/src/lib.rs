//! Whole calls on the virtual clock, with golden ladders, and the proof that the pure crates stay pure.
