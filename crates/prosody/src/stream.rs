//! One caller's packets into 20 ms frames of samples: decoded, put back in order, with holes filled by silence.
//! Pure; time is the RTP timestamp.

use call_model::{Codec, TapFrame};
use prosody_features::{FRAME_SAMPLES, g711};

/// Packets held back while an earlier one is missing: 80 ms of ordinary packets.
const HOLD: usize = 4;
/// Longest hole that is filled with silence, in samples: one window. What is longer was no loss but a pause.
const MOST_FILL: i64 = 3 * 8000;
/// A jump of the timestamp beyond this is a new stream, not a hole: ten minutes.
const MOST_GAP: i64 = 600 * 8000;
/// A packet this much older than expected is a new stream too, not a latecomer: 2 s.
const MOST_LATE: i64 = 2 * 8000;

/// Reorders, decodes and cuts.
#[derive(Debug, Default)]
pub struct Stream {
    held: Vec<Held>,
    /// Unwrapped timestamp of the next sample to come out.
    next: Option<i64>,
    partial: Vec<i16>,
    /// Samples since the start, pauses included.
    media: u64,
}

#[derive(Debug)]
struct Held {
    at: i64,
    samples: Vec<i16>,
}

impl Stream {
    /// A stream of which nothing has come yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet; calls `frame` for every 20 ms that are complete. Packets that are not G.711 are ignored.
    pub fn push(&mut self, packet: &TapFrame, frame: &mut impl FnMut(&[i16; FRAME_SAMPLES])) {
        let Some(decode) = decoder(packet.payload_type) else { return };
        if packet.audio().is_empty() {
            return;
        }
        let at = self.unwrap(packet.timestamp);
        if self.next.is_none_or(|next| at - next > MOST_GAP || next - at > MOST_LATE) {
            self.flush(frame);
            self.next = Some(at);
        }
        if self.next.is_some_and(|next| at < next) {
            return; // Too late, or a duplicate.
        }
        let place = self.held.partition_point(|held| held.at < at);
        if self.held.get(place).is_some_and(|held| held.at == at) {
            return;
        }
        self.held.insert(place, Held { at, samples: packet.audio().iter().map(|octet| decode(*octet)).collect() });
        self.release(frame);
    }

    /// Gives out what is held back, holes and all; for the end of a stream.
    pub fn flush(&mut self, frame: &mut impl FnMut(&[i16; FRAME_SAMPLES])) {
        while !self.held.is_empty() {
            self.release_first(frame);
        }
    }

    /// Media time since the start, in samples, pauses included.
    pub const fn media(&self) -> u64 {
        self.media
    }

    /// The timestamp on the unbounded line, nearest to where the stream is.
    fn unwrap(&self, timestamp: u32) -> i64 {
        let near = self.held.last().map(|held| held.at).or(self.next);
        let Some(near) = near else { return i64::from(timestamp) };
        near + i64::from(timestamp.wrapping_sub(near as u32) as i32)
    }

    fn release(&mut self, frame: &mut impl FnMut(&[i16; FRAME_SAMPLES])) {
        while let Some(first) = self.held.first() {
            if Some(first.at) != self.next && self.held.len() <= HOLD {
                return;
            }
            self.release_first(frame);
        }
    }

    fn release_first(&mut self, frame: &mut impl FnMut(&[i16; FRAME_SAMPLES])) {
        let Held { at, samples } = self.held.remove(0);
        let gap = (at - self.next.unwrap_or(at)).max(0);
        for _ in 0..gap.min(MOST_FILL) {
            self.sample(0, frame);
        }
        self.media += u64::try_from(gap - gap.min(MOST_FILL)).unwrap_or(0);
        // An overlap with what is already out (a changed packet length) loses its beginning.
        self.next = Some(at + samples.len() as i64);
        for sample in samples {
            self.sample(sample, frame);
        }
        if let (Some(next), Some(first)) = (self.next, self.held.first())
            && first.at < next
        {
            self.held.remove(0);
        }
    }

    fn sample(&mut self, sample: i16, frame: &mut impl FnMut(&[i16; FRAME_SAMPLES])) {
        self.partial.push(sample);
        self.media += 1;
        if let Ok(whole) = <&[i16; FRAME_SAMPLES]>::try_from(self.partial.as_slice()) {
            frame(whole);
            self.partial.clear();
        }
    }
}

fn decoder(payload_type: u8) -> Option<fn(u8) -> i16> {
    match payload_type {
        pt if pt == Codec::Pcmu.payload_type() => Some(g711::mulaw),
        pt if pt == Codec::Pcma.payload_type() => Some(g711::alaw),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::{CallId, LegId};

    const LEG: LegId = LegId { call: CallId(1), index: 0 };

    /// A packet whose every sample tells its number (mu-law octets 0x80 and up, different for neighbours).
    fn packet(number: u32) -> TapFrame {
        TapFrame::new(LEG, number as u16, number.wrapping_mul(160), 0, &[0x80 + (number % 64) as u8; 160])
    }

    fn numbers(packets: &[TapFrame]) -> Vec<Option<u32>> {
        let (mut stream, mut out) = (Stream::new(), Vec::new());
        let mut frame = |samples: &[i16; FRAME_SAMPLES]| {
            let number = (0..64).find(|n| g711::mulaw(0x80 + *n as u8) == samples[0]);
            assert!(samples.iter().all(|s| *s == samples[0]));
            out.push(number);
        };
        for packet in packets {
            stream.push(packet, &mut frame);
        }
        stream.flush(&mut frame);
        out
    }

    #[test]
    fn packets_out_of_order_and_twice_come_out_once_and_in_order() {
        let sent: Vec<_> = [1, 2, 4, 3, 3, 5, 8, 7, 6, 6, 9].map(packet).into();
        assert_eq!(numbers(&sent), (1..=9).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn a_lost_packet_is_silence_of_its_length() {
        let sent: Vec<_> = [1, 2, 4, 5, 6, 7, 8, 9].map(packet).into();
        let heard = numbers(&sent);
        assert_eq!(heard.len(), 9);
        assert_eq!((heard[1], heard[2], heard[3]), (Some(2), None, Some(4)));
    }

    #[test]
    fn the_timestamp_may_wrap_and_the_stream_may_change() {
        let mut sent: Vec<_> = (1..=3).map(packet).collect();
        for (i, packet) in sent.iter_mut().enumerate() {
            packet.timestamp = (u32::MAX - 159).wrapping_add(160 * i as u32);
        }
        assert_eq!(numbers(&sent).len(), 3);
        let other = TapFrame { timestamp: 3_000_000_000, ..packet(9) };
        assert_eq!(numbers(&[packet(1), packet(2), other]), [Some(1), Some(2), Some(9)]);
    }

    #[test]
    fn telephone_events_comfort_noise_and_empty_packets_are_no_audio() {
        let mut sent = [packet(1), packet(1), packet(1), packet(2)];
        (sent[1].payload_type, sent[2].payload_type) = (101, 13);
        assert_eq!(numbers(&sent), [Some(1), Some(2)]);
        assert_eq!(numbers(&[TapFrame::new(LEG, 0, 0, 0, &[])]), []);
    }

    #[test]
    fn other_packet_lengths_and_alaw_work() {
        let (mut stream, mut frames) = (Stream::new(), 0);
        for i in 0..20u32 {
            let packet = TapFrame::new(LEG, i as u16, i * 240, 8, &[0xd5; 240]);
            stream.push(&packet, &mut |samples| {
                frames += 1;
                assert_eq!(samples[0], 8);
            });
        }
        assert_eq!((frames, stream.media()), (30, 4800));
    }

    #[test]
    fn a_long_pause_is_filled_with_one_window_of_silence_and_counted_in_full() {
        let (mut stream, mut frames) = (Stream::new(), 0);
        for number in [0, 500, 501, 502, 503, 504, 505] {
            stream.push(&packet(number), &mut |_| frames += 1);
        }
        assert_eq!((frames, stream.media()), (1 + 150 + 6, 506 * 160));
    }
}
