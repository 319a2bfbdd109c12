//! The one stream a peer receives for the life of its leg: SSRC constant, sequence and timestamp continuous, whatever
//! feeds it.
//!
//! A source's own numbers are shifted by an offset, so its losses, pauses and reordering remain visible to the peer's
//! jitter buffer. At each change of source the timestamp advances by the time that passed, and the marker is set.

use crate::header::Header;
use crate::reception::{Place, ticks};
use call_model::{IdSource, Instant};
use core::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Follows {
    /// Nothing yet, or a pause in which we were not allowed to send.
    Nothing,
    /// Packets of another leg, shifted.
    Source { slot: u32, epoch: u32, base: u64, sequence: u16, timestamp: u32 },
    /// Frames we make ourselves.
    Paced,
}

#[derive(Debug)]
pub(crate) struct Outgoing {
    ssrc: u32,
    /// Ticks of the timestamps in a second.
    clock: u32,
    follows: Follows,
    /// Highest numbers used.
    sequence: u16,
    timestamp: u32,
    /// When `timestamp` was first used, and how much audio it began.
    at: Option<Instant>,
    duration: u32,
    /// By how much timestamps run ahead of the clock, because packets cannot overlap.
    ahead: u64,
    gap_from: Option<Instant>,
    longest_gap: Duration,
    packets: u64,
    octets: u32,
}

/// What to write into a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) marker: bool,
}

impl Outgoing {
    /// A stream with random first numbers (RFC 3550 §5.1).
    pub(crate) fn new(ids: &mut IdSource) -> Self {
        Self {
            ssrc: ids.next_u32(),
            clock: 8_000,
            follows: Follows::Nothing,
            // In the lower half, so that no early loss hides a rollover (RFC 3711 §3.3.1).
            sequence: ids.next_u32() as u16 & 0x7fff,
            timestamp: ids.next_u32(),
            at: None,
            duration: 0,
            ahead: 0,
            gap_from: None,
            longest_gap: Duration::ZERO,
            packets: 0,
            octets: 0,
        }
    }

    /// Another codec was agreed. The stream goes on at the ticks of its clock.
    pub(crate) fn set_clock(&mut self, clock: u32) {
        if self.clock != clock {
            self.duration = (u64::from(self.duration) * u64::from(clock) / u64::from(self.clock)) as u32;
            self.clock = clock;
            self.ahead = 0;
            self.switch();
        }
    }

    /// Places a packet of another leg; `None` when it is older than the last change of source.
    ///
    /// `duration`: how much of the timeline it takes.
    pub(crate) fn relay(
        &mut self,
        slot: u32,
        place: Place,
        header: &Header,
        duration: Duration,
        now: Instant,
    ) -> Option<Stamp> {
        let mut marker = header.marker;
        match self.follows {
            Follows::Source { slot: s, epoch, base, .. } if s == slot && epoch == place.epoch => {
                if place.extended < base {
                    return None;
                }
            }
            _ => {
                let (sequence, timestamp) = self.next(now);
                marker = true;
                self.follows = Follows::Source {
                    slot,
                    epoch: place.epoch,
                    base: place.extended,
                    sequence: sequence.wrapping_sub(header.sequence),
                    timestamp: timestamp.wrapping_sub(header.timestamp),
                };
            }
        }
        let Follows::Source { sequence, timestamp, .. } = self.follows else { return None };
        let stamp = Stamp {
            sequence: header.sequence.wrapping_add(sequence),
            timestamp: header.timestamp.wrapping_add(timestamp),
            ssrc: self.ssrc,
            marker,
        };
        self.used(stamp, duration, header.payload.len(), now);
        Some(stamp)
    }

    /// Places a 20 ms frame of our own.
    pub(crate) fn pace(&mut self, octets: usize, now: Instant) -> Stamp {
        let marker = self.follows != Follows::Paced;
        let (sequence, timestamp) = if marker {
            self.next(now)
        } else {
            (self.sequence.wrapping_add(1), self.timestamp.wrapping_add(self.clock / 50))
        };
        self.follows = Follows::Paced;
        let stamp = Stamp { sequence, timestamp, ssrc: self.ssrc, marker };
        self.used(stamp, Duration::from_millis(20), octets, now);
        stamp
    }

    /// Places a packet of a key press among frames of our own: at `timestamp`, or at the next one when it begins. What
    /// follows the press is placed by the time that passed.
    pub(crate) fn press(&mut self, timestamp: Option<u32>, duration: Duration, octets: usize, now: Instant) -> Stamp {
        let marker = timestamp.is_none();
        let (sequence, timestamp) = match timestamp {
            Some(timestamp) => (self.sequence.wrapping_add(1), timestamp),
            None => self.next(now),
        };
        let stamp = Stamp { sequence, timestamp, ssrc: self.ssrc, marker };
        self.follows = Follows::Nothing;
        self.used(stamp, duration, octets, now);
        stamp
    }

    /// The next packet is the first of another source.
    pub(crate) fn switch(&mut self) {
        self.follows = Follows::Nothing;
    }

    /// Frames of our own were not made for a while.
    pub(crate) fn skip(&mut self) {
        if self.follows == Follows::Paced {
            self.follows = Follows::Nothing;
        }
    }

    /// We may not send for a while: the pause is no gap.
    pub(crate) fn pause(&mut self) {
        self.follows = Follows::Nothing;
        self.gap_from = None;
    }

    /// Numbers for the first packet of a source: the timestamp advances by the time that passed.
    fn next(&mut self, now: Instant) -> (u16, u32) {
        let sequence = self.sequence.wrapping_add(1);
        let Some(at) = self.at else { return (sequence, self.timestamp) };
        let elapsed = ticks(now.since(at), self.clock);
        let advance = elapsed.saturating_sub(self.ahead).max(u64::from(self.duration));
        self.ahead = (self.ahead + advance).saturating_sub(elapsed);
        (sequence, self.timestamp.wrapping_add(advance as u32))
    }

    fn used(&mut self, stamp: Stamp, duration: Duration, octets: usize, now: Instant) {
        let duration = ticks(duration, self.clock) as u32;
        if self.packets == 0 || stamp.sequence.wrapping_sub(self.sequence) as i16 > 0 {
            self.sequence = stamp.sequence;
        }
        let newer = stamp.timestamp.wrapping_sub(self.timestamp) as i32;
        if self.at.is_none() || newer > 0 {
            self.timestamp = stamp.timestamp;
            self.at = Some(now);
            self.duration = duration;
        } else if newer == 0 {
            self.duration = self.duration.max(duration);
        }
        if let Some(from) = self.gap_from.replace(now) {
            self.longest_gap = self.longest_gap.max(now.since(from));
        }
        self.packets += 1;
        self.octets = self.octets.wrapping_add(octets as u32);
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload octets, modulo 2^32 as sender reports want it.
    pub(crate) fn octets(&self) -> u32 {
        self.octets
    }

    pub(crate) fn longest_gap(&self) -> Duration {
        self.longest_gap
    }

    /// The last packet since we were last allowed to send.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        self.gap_from
    }

    /// The media time of `now`, for sender reports (RFC 3550 §6.4.1).
    pub(crate) fn timestamp_at(&self, now: Instant) -> u32 {
        self.timestamp.wrapping_add(self.at.map_or(0, |at| ticks(now.since(at), self.clock) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing() -> Outgoing {
        Outgoing::new(&mut IdSource::from_u64(3))
    }

    fn packet(sequence: u16, timestamp: u32) -> (Place, Header) {
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1, payload: 12..172 };
        (Place { extended: u64::from(sequence) + 65536, epoch: 1, fresh: false }, header)
    }

    fn relay(out: &mut Outgoing, slot: u32, sequence: u16, timestamp: u32, ms: u64) -> Option<Stamp> {
        let (place, header) = packet(sequence, timestamp);
        out.relay(slot, place, &header, Duration::from_millis(20), Instant::from_millis(ms))
    }

    #[test]
    fn losses_and_reordering_of_a_source_stay_visible() {
        let mut out = outgoing();
        let first = relay(&mut out, 0, 100, 16_000, 0).expect("first");
        let third = relay(&mut out, 0, 102, 16_320, 40).expect("third");
        let second = relay(&mut out, 0, 101, 16_160, 41).expect("second");
        assert_eq!(third.sequence, first.sequence.wrapping_add(2));
        assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        assert_eq!(third.timestamp, first.timestamp.wrapping_add(320));
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
        assert!(first.marker && !second.marker && !third.marker);
    }

    #[test]
    fn a_switch_advances_by_the_time_that_passed_and_sets_the_marker() {
        let mut out = outgoing();
        let before = relay(&mut out, 0, 100, 16_000, 0).expect("before");
        let after = relay(&mut out, 1, 9, 77, 100).expect("after");
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(800));
        assert_eq!(after.ssrc, before.ssrc);
        assert!(after.marker);
        assert_eq!(relay(&mut out, 1, 8, 1, 101), None, "older than the switch");
    }

    #[test]
    fn quick_switches_never_overlap_and_do_not_drift() {
        let mut out = outgoing();
        let first = relay(&mut out, 0, 0, 0, 0).expect("first");
        for i in 1..=40u16 {
            // A switch every 5 ms: each packet holds 20 ms, so timestamps must run ahead...
            relay(&mut out, u32::from(i), 0, 0, u64::from(i) * 5).expect("switched");
        }
        // ...and be back on the clock as soon as there is time.
        let later = relay(&mut out, 99, 0, 0, 10_000).expect("later");
        assert_eq!(later.timestamp.wrapping_sub(first.timestamp), 80_000);
    }

    #[test]
    fn paced_frames_follow_each_other_exactly() {
        let mut out = outgoing();
        let relayed = relay(&mut out, 0, 5, 5, 0).expect("relayed");
        let first = out.pace(160, Instant::from_millis(20));
        let second = out.pace(160, Instant::from_millis(43));
        assert_eq!(first.timestamp, relayed.timestamp.wrapping_add(160));
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
        assert!(first.marker && !second.marker);
        assert_eq!(out.longest_gap(), Duration::from_millis(23));
    }

    #[test]
    fn a_pause_that_was_ordered_is_no_gap_but_takes_time() {
        let mut out = outgoing();
        let first = out.pace(160, Instant::ZERO);
        out.pause();
        let second = out.pace(160, Instant::from_millis(60_000));
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(480_000));
        assert!(second.marker);
        assert_eq!(out.longest_gap(), Duration::ZERO);
    }
}
