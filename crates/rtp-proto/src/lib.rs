//! The media path as a pure value: [`MediaEngine`] holds the legs that live on one media thread, decides who hears whom,
//! and rewrites packets so that each peer receives one continuous stream for the life of its leg.
//!
//! It knows RTP (RFC 3550, 3551), telephone-event (RFC 4733), RTCP, G.711 and latching. It does not know SIP, sockets,
//! threads or the clock: the gateway and the simulator hand it packets and the time.
#![forbid(unsafe_code)]

mod api;
mod clockwork;
mod dtmf;
mod engine;
pub mod g711;
mod header;
mod latch;
mod leg;
mod mixing;
mod outgoing;
mod playout;
mod reception;
mod relay;
mod rtcp;
mod speech;

pub use api::{
    EngineConfig, FRAME, LegSlot, NoTap, Output, PACKET_CAPACITY, Packet, Prompts, Relay, TapSink, TimerName,
};
pub use call_model::TapFrame;
pub use engine::MediaEngine;
pub use header::{HEADER, Header, TelephoneEvent};
