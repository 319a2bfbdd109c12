//! A scripted telephone without sockets or clock: a SIP endpoint, one RTP stream each way, tones, speech, key presses,
//! and ears that measure what arrives.
//!
//! The simulator, `warmline demo` and the interop tests all make calls or judge audio with it, so that what the
//! other side of Warmline hears is judged by one piece of code. It knows nothing of Warmline: it is a plain RFC 3261
//! party, with REFER and Replaces for those who play a trunk or a desk that can.

pub mod ear;
mod keypad;
pub mod media;
pub mod phone;
pub mod source;

pub use ear::{Ear, Heard};
pub use media::{Measured, Media, RtpOut};
pub use phone::{AfterRefer, Answer, Arrival, OnRefer, Phone, PhoneConfig, PhoneEvent, PhoneOutput};
pub use source::Source;
