//! Endpoints talking to each other, and to peers written by hand. One program, since linking costs more than compiling.

mod answers;
mod calls;
mod digest;
mod early;
mod harness;
mod large;
mod notifier;
mod recording;
mod registration;
mod reliable;
mod session_id;
mod session_timers;
mod within;
