//! The RTP header (RFC 3550 §5.1) and the telephone-event payload (RFC 4733 §2.3).

use core::ops::Range;

/// Octets of the header the engine writes: no CSRC, no extension.
pub const HEADER: usize = 12;

/// What an RTP header says. CSRC list, extension and padding are recognised and skipped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Marker bit: start of a talk spurt, or first packet of a telephone event.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, in ticks of the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Where the payload lies in the packet, without padding. May be empty.
    pub payload: Range<usize>,
}

impl Header {
    /// Reads a header; `None` when this is not RTP version 2 or its lengths do not add up (RFC 3550 §A.1).
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let fixed = packet.first_chunk::<HEADER>()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let start = payload_start(packet, fixed)?;
        let mut end = packet.len();
        if fixed[0] & 0x20 != 0 {
            let padding = usize::from(*packet.last()?);
            end = end.checked_sub(padding).filter(|_| padding > 0)?;
        }
        if start > end {
            return None;
        }
        Some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload: start..end,
        })
    }

    /// The twelve octets of this header, without CSRC, extension and padding.
    pub fn to_bytes(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[0] = 0x80;
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        out
    }
}

/// The part of a packet that SRTP leaves clear, its source and its sequence number (RFC 3711 §3.1). Padding is encrypted,
/// so nothing is said about it.
pub(crate) fn clear_part(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let fixed = packet.first_chunk::<HEADER>().filter(|fixed| fixed[0] >> 6 == 2)?;
    let start = payload_start(packet, fixed)?;
    let ssrc = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
    (start <= packet.len()).then_some((start, ssrc, u16::from_be_bytes([fixed[2], fixed[3]])))
}

/// Behind CSRC list and extension.
fn payload_start(packet: &[u8], fixed: &[u8; HEADER]) -> Option<usize> {
    let start = HEADER + 4 * usize::from(fixed[0] & 0x0f);
    if fixed[0] & 0x10 == 0 {
        return Some(start);
    }
    let words = packet.get(start + 2..start + 4)?;
    Some(start + 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]])))
}

/// Whether a datagram on an RTP port is RTCP (RFC 5761 §4): packet types 192 to 223.
pub(crate) fn is_rtcp(packet: &[u8]) -> bool {
    packet.len() >= 8 && packet[0] >> 6 == 2 && (192..=223).contains(&packet[1])
}

/// A telephone-event payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TelephoneEvent {
    /// 0-9 digits, 10 `*`, 11 `#`, 12-15 `A`-`D`; more exist and are relayed.
    pub event: u8,
    /// The key is up again.
    pub end: bool,
    /// Since the packet's timestamp, in ticks of the event's clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads the first event of a payload.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let fixed = payload.first_chunk::<4>()?;
        Some(Self { event: fixed[0], end: fixed[1] & 0x80 != 0, duration: u16::from_be_bytes([fixed[2], fixed[3]]) })
    }

    /// The key, if it is one.
    pub fn digit(self) -> Option<char> {
        crate::tones::digit(self.event)
    }

    /// As a payload, at the usual volume of -10 dBm0.
    pub(crate) const fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, if self.end { 0x8a } else { 0x0a }, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_octets() {
        let header = Header {
            marker: true,
            payload_type: 101,
            sequence: 65535,
            timestamp: 0xdead_beef,
            ssrc: 7,
            payload: HEADER..HEADER,
        };
        assert_eq!(Header::parse(&header.to_bytes()), Some(header));
    }

    #[test]
    fn csrc_extension_and_padding_are_skipped() {
        let mut packet = vec![0xb1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        packet.extend([9, 9, 9, 9]); // one CSRC
        packet.extend([0xbe, 0xde, 0, 1, 5, 5, 5, 5]); // extension of one word
        packet.extend([1, 2, 3, 0, 2]); // three octets of payload, two of padding
        let header = Header::parse(&packet).expect("valid");
        assert_eq!(&packet[header.payload], &[1, 2, 3]);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let short = [0x80; 11];
        let version = [0x40; 12];
        let csrc = [0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let extension = [0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
        let padding = [0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let no_padding = [0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for bad in [&short[..], &version, &csrc, &extension, &padding, &no_padding] {
            assert_eq!(Header::parse(bad), None, "{bad:?}");
        }
    }
}
