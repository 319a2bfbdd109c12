//! What is known about the stream a peer sends: order, loss, jitter (RFC 3550 §A.1, §A.3, §A.8).

use crate::header::Header;
use call_model::Instant;
use core::time::Duration;

/// A jump ahead by more than this is a restart, not loss (RFC 3550 §A.1).
const MAX_DROPOUT: i16 = 3000;
/// A packet older than this many is not reordered but lost or foreign.
const WINDOW: i16 = 64;
/// Packets of the SSRC before are stragglers for this long.
const STRAGGLERS: Duration = Duration::from_millis(500);
/// A timestamp this many seconds ahead of the clock was restarted.
const TIMESTAMP_JUMP: i64 = 2;
/// Extended numbers start here, so that packets from before the first one have a number too.
const FIRST_CYCLE: u64 = 1 << 16;

/// A packet that belongs to the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Sequence number with cycles.
    pub(crate) extended: u64,
    /// Changes when sequence or timestamp numbers of the source have no relation to the earlier ones.
    pub(crate) epoch: u32,
    /// The epoch began with this packet.
    pub(crate) fresh: bool,
}

#[derive(Debug)]
pub(crate) struct Reception {
    /// Ticks of the timestamps in a second.
    clock: u32,
    ssrc: u32,
    former: Option<(u32, Instant)>,
    epoch: u32,
    base: u64,
    highest: u64,
    /// Bit n: packet `highest - n` came.
    seen: u64,
    /// After a jump, the number that would prove a restart.
    bad_next: Option<u16>,
    epoch_received: u64,
    /// Of epochs that are over.
    lost_before: u64,
    expected_prior: u64,
    received_prior: u64,
    transit: Option<u32>,
    /// Jitter times 16, in ticks.
    jitter: u32,
    audio: Option<(u32, Instant)>,
}

impl Reception {
    /// The stream that begins with this packet.
    pub(crate) fn new(header: &Header, clock: u32) -> Self {
        let first = FIRST_CYCLE + u64::from(header.sequence);
        Self {
            clock,
            ssrc: header.ssrc,
            former: None,
            epoch: 1,
            base: first,
            highest: first - 1,
            seen: 0,
            bad_next: None,
            epoch_received: 0,
            lost_before: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            jitter: 0,
            audio: None,
        }
    }

    /// Another codec was agreed, and its clock may be another.
    pub(crate) fn set_clock(&mut self, clock: u32) {
        if self.clock != clock {
            self.jitter = (u64::from(self.jitter) * u64::from(clock) / u64::from(self.clock)) as u32;
            self.clock = clock;
            self.transit = None;
            self.audio = None;
        }
    }

    /// Finds the packet's place; `None` for duplicates, stragglers, and numbers that make no sense (yet).
    ///
    /// `event`: a telephone-event, whose timestamp stands still.
    pub(crate) fn accept(&mut self, header: &Header, event: bool, now: Instant) -> Option<Place> {
        let mut fresh = self.seen == 0;
        if header.ssrc != self.ssrc {
            self.change_source(header, now)?;
            fresh = true;
        } else if !fresh {
            fresh = self.order(header.sequence)?;
        }
        let delta = header.sequence.wrapping_sub(self.highest as u16) as i16;
        let in_order = delta > 0;
        if in_order {
            self.highest += delta as u64;
            self.seen = if delta < WINDOW { self.seen << delta | 1 } else { 1 };
        } else {
            self.seen |= 1 << -i32::from(delta);
        }
        let extended = self.highest.wrapping_add_signed(i64::from(delta.min(0)));
        self.epoch_received += 1;
        if !event {
            fresh |= in_order && self.follow_clock(header.timestamp, now);
            self.measure_jitter(header.timestamp, now);
        }
        Some(Place { extended, epoch: self.epoch, fresh })
    }

    /// A number within the known SSRC: whether it restarts the numbering; `None` when the packet is to be refused.
    fn order(&mut self, sequence: u16) -> Option<bool> {
        let delta = sequence.wrapping_sub(self.highest as u16) as i16;
        if delta > 0 && delta < MAX_DROPOUT {
            self.bad_next = None;
            return Some(false);
        }
        if delta <= 0 && delta > -WINDOW {
            let bit = 1u64 << -i32::from(delta);
            return if self.seen & bit != 0 { None } else { Some(false) };
        }
        if self.bad_next == Some(sequence) {
            self.restart(sequence);
            return Some(true);
        }
        self.bad_next = Some(sequence.wrapping_add(1));
        None
    }

    fn change_source(&mut self, header: &Header, now: Instant) -> Option<()> {
        if self.former.is_some_and(|(ssrc, at)| ssrc == header.ssrc && now.since(at) < STRAGGLERS) {
            return None;
        }
        self.former = Some((self.ssrc, now));
        self.ssrc = header.ssrc;
        self.restart(header.sequence);
        Some(())
    }

    fn restart(&mut self, sequence: u16) {
        self.lost_before += self.epoch_lost();
        let first = FIRST_CYCLE + u64::from(sequence);
        self.epoch = self.epoch.wrapping_add(1);
        self.base = first;
        self.highest = first - 1;
        self.seen = 0;
        self.bad_next = None;
        self.epoch_received = 0;
        self.expected_prior = 0;
        self.received_prior = 0;
        self.transit = None;
        self.audio = None;
    }

    /// Whether the source's timestamps jumped although its sequence numbers went on: a new epoch.
    fn follow_clock(&mut self, timestamp: u32, now: Instant) -> bool {
        let jumped = self.audio.is_some_and(|(last, at)| {
            let advance = i64::from(timestamp.wrapping_sub(last) as i32);
            advance < 0 || advance > ticks(now.since(at), self.clock) as i64 + TIMESTAMP_JUMP * i64::from(self.clock)
        });
        self.audio = Some((timestamp, now));
        if jumped {
            self.epoch = self.epoch.wrapping_add(1);
            self.transit = None;
        }
        jumped
    }

    fn measure_jitter(&mut self, timestamp: u32, now: Instant) {
        let arrival = ticks(now.since(Instant::ZERO), self.clock) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(last) as i32).unsigned_abs().min(1 << 20);
            self.jitter = self.jitter - (self.jitter.saturating_add(8) >> 4).min(self.jitter) + difference;
        }
    }

    fn epoch_expected(&self) -> u64 {
        (self.highest + 1).saturating_sub(self.base)
    }

    fn epoch_lost(&self) -> u64 {
        self.epoch_expected().saturating_sub(self.epoch_received)
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Expected and never received, over the life of the leg.
    pub(crate) fn lost(&self) -> u64 {
        self.lost_before + self.epoch_lost()
    }

    /// In ticks, as reports carry it.
    pub(crate) fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    pub(crate) fn jitter_ms(&self) -> f32 {
        self.jitter() as f32 * 1000.0 / self.clock as f32
    }

    /// Highest sequence number with cycles, as reports carry it.
    pub(crate) fn highest(&self) -> u32 {
        (self.highest.wrapping_sub(FIRST_CYCLE)) as u32
    }

    /// Loss since the last call, in 1/256 (RFC 3550 §A.3).
    pub(crate) fn take_fraction_lost(&mut self) -> u8 {
        let (expected, received) = (self.epoch_expected(), self.epoch_received);
        let expected_now = expected.saturating_sub(self.expected_prior);
        let received_now = received.saturating_sub(self.received_prior);
        self.expected_prior = expected;
        self.received_prior = received;
        let lost = expected_now.saturating_sub(received_now);
        (lost * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8
    }
}

/// A duration on a clock that ticks so often a second; clocks of RTP audio tick whole times a millisecond.
pub(crate) fn ticks(duration: Duration, clock: u32) -> u64 {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    micros.saturating_mul(u64::from(clock / 1000)) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32, ssrc: u32) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload: 12..172 }
    }

    fn feed(reception: &mut Reception, sequence: u16, ssrc: u32, ms: u64) -> Option<Place> {
        let timestamp = u32::from(sequence).wrapping_mul(160);
        reception.accept(&header(sequence, timestamp, ssrc), false, Instant::from_millis(ms))
    }

    #[test]
    fn numbers_extend_over_the_wrap_and_keep_their_order() {
        let mut reception = Reception::new(&header(65534, 0, 1), 8000);
        let mut timestamp = 0u32;
        let mut extended = |sequence| {
            timestamp += 160;
            reception.accept(&header(sequence, timestamp, 1), false, Instant::ZERO).map(|place| place.extended)
        };
        let first = extended(65534).expect("first");
        assert_eq!(extended(1), Some(first + 3));
        assert_eq!(extended(0), Some(first + 2));
        assert_eq!(extended(65535), Some(first + 1));
        assert_eq!(extended(0), None, "a duplicate");
    }

    #[test]
    fn loss_is_counted_until_the_packet_comes_after_all() {
        let mut reception = Reception::new(&header(10, 0, 1), 8000);
        for sequence in [10, 11, 14] {
            assert!(feed(&mut reception, sequence, 1, 0).is_some());
        }
        assert_eq!(reception.lost(), 2);
        assert_eq!(reception.take_fraction_lost(), 102, "two of five, in 1/256");
        assert!(feed(&mut reception, 13, 1, 0).is_some());
        assert_eq!(reception.lost(), 1);
        assert_eq!(reception.take_fraction_lost(), 0);
    }

    #[test]
    fn a_new_ssrc_is_a_new_epoch_and_its_predecessor_a_straggler() {
        let mut reception = Reception::new(&header(10, 0, 1), 8000);
        let first = feed(&mut reception, 10, 1, 0).expect("first");
        let second = feed(&mut reception, 500, 2, 20).expect("second");
        assert!(second.fresh && second.epoch != first.epoch);
        assert_eq!(feed(&mut reception, 11, 1, 30), None);
        assert!(feed(&mut reception, 12, 1, 600).is_some(), "it came back for good");
    }

    #[test]
    fn a_jump_needs_two_packets_to_be_believed() {
        let mut reception = Reception::new(&header(10, 0, 1), 8000);
        feed(&mut reception, 10, 1, 0);
        assert_eq!(feed(&mut reception, 20_000, 1, 20), None);
        assert!(feed(&mut reception, 20_001, 1, 40).expect("restart").fresh);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_timestamp_that_jumps_begins_an_epoch_and_a_long_pause_does_not() {
        let mut reception = Reception::new(&header(10, 0, 1), 8000);
        let mut place = |sequence, timestamp, ms| {
            reception.accept(&header(sequence, timestamp, 1), false, Instant::from_millis(ms)).expect("accepted").fresh
        };
        assert!(place(10, 1000, 0));
        assert!(!place(11, 1160, 20));
        assert!(!place(12, 1160 + 80_000, 10_020), "ten seconds of silence suppression");
        assert!(place(13, 3_000_000_000, 10_040));
        assert!(place(14, 5, 10_060));
    }

    #[test]
    fn jitter_follows_the_formula_of_the_rfc() {
        let mut reception = Reception::new(&header(0, 0, 1), 8000);
        let mut jitter = 0.0f64;
        for sequence in 0..200u16 {
            // Every other packet is 10 ms late: the transit changes by 80 units each time.
            let ms = u64::from(sequence) * 20 + if sequence % 2 == 1 { 10 } else { 0 };
            feed(&mut reception, sequence, 1, ms);
            if sequence > 0 {
                jitter += (80.0 - jitter) / 16.0;
            }
        }
        assert!((f64::from(reception.jitter()) - jitter).abs() < 2.0, "{} against {jitter}", reception.jitter());
    }
}
