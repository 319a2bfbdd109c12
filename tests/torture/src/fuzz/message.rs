//! One SIP message, as a datagram and on a stream.

use sip_wire::{Framed, Message, StreamFramer, validate_request, validate_response};

/// Reads the octets as a datagram and as a stream, all at once and one by one, looks at every value, and reads again what
/// is written.
///
/// # Panics
/// Something is wrong.
pub fn message(octets: &[u8]) {
    if let Ok(message) = Message::parse_datagram(octets) {
        look_at(&message);
        // Octets that no line may have leave as spaces, and spaces around a value are not read.
        let read = |octets: &[u8]| Message::parse_datagram(octets).expect("what we write can be read").to_bytes();
        let written = read(&message.to_bytes());
        assert_eq!(read(&written), written, "what was read from what we wrote");
    }
    assert_eq!(stream(octets, octets.len().max(1)), stream(octets, 1), "how it is cut makes no difference");
}

fn stream(octets: &[u8], at_once: usize) -> Vec<Result<Framed, sip_wire::Malformed>> {
    let mut framer = StreamFramer::new();
    let mut frames = Vec::new();
    for part in octets.chunks(at_once) {
        framer.push(part);
        frames.extend(core::iter::from_fn(|| framer.next_frame()));
    }
    frames
}

fn look_at(message: &Message) {
    let _ = if message.is_request() { validate_request(message) } else { validate_response(message) };
    let _ = (message.via(), message.vias(), message.from(), message.to(), message.cseq(), message.contacts());
    let _ = (message.contact(), message.route_set(), message.record_routes(), message.max_forwards());
    let _ = (message.expires(), message.replaces(), message.refer_to(), message.referred_by(), message.event());
    let _ = (message.subscription_state(), message.content_type(), message.body_parts(), message.supported());
    let mut copy = message.clone();
    copy.note_source(([192, 0, 2, 1], 5060).into());
    let _ = copy.response_to(180, "", Some("tag")).to_bytes();
}
