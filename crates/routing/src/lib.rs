//! Which desk gets a caller: language, skills, presence, seniority, configured order; every choice says why. And who
//! waits for one, while none is free.
//!
//! A desk is one human's seat, so it is never offered two callers: [`Desks::reserve`] is the only way to take one and
//! fails while somebody else has it. Knows nothing of SIP or pages; whoever learns that a human came or went
//! calls [`Desks::set_presence`].

mod desks;
mod queue;

pub use desks::{Choice, Desk, Desks, NotReserved, Order, Presence, Standing, Wanted};
pub use queue::{HeadStarts, Queue, Waiting};
