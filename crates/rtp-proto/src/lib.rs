//! The media path as a pure value: [`MediaEngine`] holds the legs that live on one media thread, decides who hears whom,
//! and rewrites packets so that each peer receives one continuous stream for the life of its leg.
//!
//! It knows RTP (RFC 3550, 3551), telephone-event (RFC 4733), RTCP, G.711, G.722, SRTP, where DTLS goes, and latching. It does not know SIP, sockets,
//! threads or the clock: the gateway and the simulator hand it packets and the time.
#![forbid(unsafe_code)]

mod api;
mod clockwork;
mod codec;
mod conceal;
mod cover;
mod dialler;
mod dtmf;
mod engine;
mod frame;
pub mod g711;
mod header;
mod hearing;
mod ice;
mod inband;
mod jitter;
mod keying;
mod keys;
mod latch;
mod leg;
mod outgoing;
mod playout;
mod quality;
mod reception;
mod relay;
mod resample;
mod rtcp;
mod speech;
mod srtp;
mod tones;

pub use api::{
    EngineConfig, FRAME, LegSlot, NoTap, Output, PACKET_CAPACITY, Packet, Prompts, Relay, TapSink, TimerName,
};
pub use call_model::TapFrame;
pub use cover::{Association, Cover, Dtls, is_dtls};
pub use engine::MediaEngine;
pub use header::{HEADER, Header, TelephoneEvent};
pub use srtp::{Protection, SRTP_ROOM};
