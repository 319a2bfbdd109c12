//! A whole world on a virtual clock: the real [`call_core::Switchboard`] and [`rtp_proto::MediaEngine`], scripted
//! telephones for trunk, bot and desks, a desk page, and a network that delays, loses and repeats.
//!
//! The same seed gives the same run, to the packet. The invariant "no caller is ever left without audio" is judged on
//! the packets that reach the caller's telephone, after every step. Never shipped.

mod capture;
mod cells;
mod handshakes;
mod inquest;
mod judge;
mod network;
mod queue;
mod recorder;
mod script;
mod setup;
mod storm;
pub mod witness;
mod world;

pub use cells::{Cell, Cells, EVENTS, STATES};
pub use handshakes::handshakes;
pub use inquest::Findings;
pub use judge::{LONGEST_SILENCE, Verdict};
pub use network::{Link, Network};
pub use recorder::{RECORDER, Srs, SrsHabit, Stream};
pub use setup::{
    BOT, BOT_LOST_TONE, BOT_TONE, CALLER_GONE_TONE, CALLER_TONE, CALLER2, CALLER2_TONE, DESK, DESK_TONE, DESK2,
    DESK2_TONE, GATEWAY, LEAVE_MESSAGE_TONE, MUSIC_TONE, NOBODY_TONE, PLACE_TONE, PRESS_ONE_TONE, PROMPT, Party,
    RECORDED_TONE, STILL_TRYING_TONE, Setup, TONES, TRUNK, WHY_TONE, dtls,
};
/// Where a party's SIP lives.
pub fn address_of(party: Party) -> std::net::SocketAddr {
    setup::sip_of(party)
}

pub use call_model::TraceKind;
pub use script::{Click, Do, Expected, PageHabit};
pub use storm::{Dice, Storm};
pub use world::{EPOCH_MS, World};

/// Takes octets for a storm, plays it and judges it: the whole call as a function that a fuzzer can call.
pub fn whole_call(octets: &[u8]) -> Findings {
    let storm = Storm::new(0, &mut Dice::Octets(octets));
    Findings::of(&storm, &storm.play())
}
