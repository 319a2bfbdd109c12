//! Which desk gets a caller: language, skills, presence, seniority, configured order; every choice says why.
//!
//! A desk is one human's seat, so it is never offered two callers: [`Desks::reserve`] is the only way to take one and
//! fails while somebody else has it. Knows nothing of SIP, pages or queues; whoever learns that a human came or went
//! calls [`Desks::set_presence`].

mod desks;

pub use desks::{Choice, Desk, Desks, NotReserved, Order, Presence, Standing, Wanted};
