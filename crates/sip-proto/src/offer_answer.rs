//! Offer/answer.

use call_model::{Codec, Direction};
use core::net::SocketAddr;

/// What a peer offers, in the part we understand: its first usable audio stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Where the peer wants RTP.
    pub rtp: SocketAddr,
    /// Codecs we know, in the peer's order; may be empty.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone-event, if offered.
    pub telephone_event: Option<u8>,
    /// What it leaves us to do, from our point of view.
    pub direction: Direction,
}
