//! What holds whatever callers and desks do.
#![allow(clippy::unwrap_used, reason = "tests")]

mod desks;
mod queue;
