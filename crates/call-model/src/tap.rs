//! The copy of a caller's packet that goes from the media thread to the listener.

use crate::ids::LegId;

/// One packet of a tapped leg, copied whole so that the media thread keeps nothing and allocates nothing.
///
/// A packet longer than [`TapFrame::MAX`] octets is sent as several frames with the same sequence number and later
/// timestamps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TapFrame {
    /// The leg it came from; always a caller's.
    pub leg: LegId,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 8000 Hz.
    pub timestamp: u32,
    /// RTP payload type as received: 0 PCMU, 8 PCMA, anything else is not audio to the listener.
    pub payload_type: u8,
    /// Octets of `payload` in use.
    pub len: u8,
    /// The encoded audio.
    pub payload: [u8; Self::MAX],
}

impl TapFrame {
    /// Most octets in one frame: 30 ms.
    pub const MAX: usize = 240;

    /// A frame holding the first [`Self::MAX`] octets of `audio`.
    pub fn new(leg: LegId, sequence: u16, timestamp: u32, payload_type: u8, audio: &[u8]) -> Self {
        let mut payload = [0; Self::MAX];
        let used = &audio[..audio.len().min(Self::MAX)];
        payload[..used.len()].copy_from_slice(used);
        let len = u8::try_from(used.len()).unwrap_or(u8::MAX);
        Self { leg, sequence, timestamp, payload_type, len, payload }
    }

    /// The octets in use.
    pub fn audio(&self) -> &[u8] {
        &self.payload[..usize::from(self.len).min(Self::MAX)]
    }
}
