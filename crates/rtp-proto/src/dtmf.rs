//! Key presses from telephone-event packets (RFC 4733): each reported once, even when its last packets are lost.

use crate::header::TelephoneEvent;
use call_model::Instant;
use core::time::Duration;

/// How long after the last packet of an event without an end packet the key counts as released: six lost packets.
pub(crate) const RELEASE_AFTER: Duration = Duration::from_millis(120);

/// A key press that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pressed {
    pub(crate) digit: char,
    pub(crate) held: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    timestamp: u32,
    event: TelephoneEvent,
    /// Ticks of segments that came before (RFC 4733 §2.5.1.3).
    before: u32,
    last: Instant,
    reported: bool,
}

impl Press {
    fn report(&mut self, clock: u32) -> Option<Pressed> {
        if core::mem::replace(&mut self.reported, true) {
            return None;
        }
        let ticks = u64::from(self.before) + u64::from(self.event.duration);
        let held = Duration::from_micros(ticks * 1_000_000 / u64::from(clock.max(1)));
        Some(Pressed { digit: self.event.digit()?, held })
    }
}

/// Follows the events of one source.
#[derive(Debug)]
pub(crate) struct DigitDetector {
    /// Ticks of durations in a second.
    clock: u32,
    press: Option<Press>,
}

impl Default for DigitDetector {
    fn default() -> Self {
        Self { clock: 8_000, press: None }
    }
}

impl DigitDetector {
    pub(crate) fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    /// An event packet came. Up to two presses may have ended by it: an earlier one whose end was lost, and this one.
    pub(crate) fn handle(&mut self, timestamp: u32, event: TelephoneEvent, now: Instant) -> [Option<Pressed>; 2] {
        let mut earlier = None;
        let clock = self.clock;
        match &mut self.press {
            Some(press) if press.timestamp == timestamp => {
                press.event.duration = press.event.duration.max(event.duration);
                press.last = now;
            }
            // Reordered, from a press that is over.
            Some(press) if (timestamp.wrapping_sub(press.timestamp) as i32) < 0 => return [None, None],
            Some(press)
                if !press.reported
                    && press.event.event == event.event
                    && press.timestamp.wrapping_add(u32::from(press.event.duration)) == timestamp =>
            {
                press.before = press.before.saturating_add(u32::from(press.event.duration));
                press.timestamp = timestamp;
                press.event = event;
                press.last = now;
            }
            other => {
                earlier = other.as_mut().and_then(|press| press.report(clock));
                *other = Some(Press { timestamp, event, before: 0, last: now, reported: false });
            }
        }
        let this = if event.end { self.press.as_mut().and_then(|press| press.report(clock)) } else { None };
        [earlier, this]
    }

    /// The timestamp of the press that was seen last, by which all its packets are known.
    pub(crate) fn latest(&self) -> Option<u32> {
        self.press.map(|press| press.timestamp)
    }

    /// When to ask [`Self::handle_timeout`], while a key is down.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.press.filter(|press| !press.reported).map(|press| press.last + RELEASE_AFTER)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Pressed> {
        let due = self.poll_timeout()?;
        if now < due { None } else { self.press.as_mut()?.report(self.clock) }
    }

    /// The source changed: timestamps start anew.
    pub(crate) fn restart(&mut self) -> Option<Pressed> {
        self.press.take().and_then(|mut press| press.report(self.clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: u8, end: bool, duration: u16) -> TelephoneEvent {
        TelephoneEvent { event, end, duration }
    }

    fn pressed(digit: char, ms: u64) -> Option<Pressed> {
        Some(Pressed { digit, held: Duration::from_millis(ms) })
    }

    #[test]
    fn a_press_with_three_end_packets_is_one_digit() {
        let mut detector = DigitDetector::default();
        for i in 1..5 {
            assert_eq!(detector.handle(9, event(1, false, 160 * i), Instant::ZERO), [None, None]);
        }
        assert_eq!(detector.handle(9, event(1, true, 800), Instant::ZERO), [None, pressed('1', 100)]);
        assert_eq!(detector.handle(9, event(1, true, 800), Instant::ZERO), [None, None]);
        assert_eq!(detector.handle(9, event(1, true, 800), Instant::ZERO), [None, None]);
        assert_eq!(detector.poll_timeout(), None);
    }

    #[test]
    fn a_single_surviving_end_packet_is_enough() {
        assert_eq!(DigitDetector::default().handle(9, event(11, true, 1600), Instant::ZERO), [None, pressed('#', 200)]);
    }

    #[test]
    fn a_press_whose_end_was_lost_is_reported_by_the_next_one() {
        let mut detector = DigitDetector::default();
        detector.handle(0xffff_fff0, event(5, false, 400), Instant::ZERO);
        assert_eq!(detector.handle(4000, event(6, true, 400), Instant::ZERO), [pressed('5', 50), pressed('6', 50)]);
    }

    #[test]
    fn a_press_whose_end_was_lost_is_reported_by_time() {
        let mut detector = DigitDetector::default();
        detector.handle(9, event(0, false, 400), Instant::from_millis(10));
        let due = detector.poll_timeout().expect("armed");
        assert_eq!(detector.handle_timeout(Instant::from_millis(11)), None);
        assert_eq!(detector.handle_timeout(due), pressed('0', 50));
        assert_eq!(detector.handle(9, event(0, true, 480), due), [None, None]);
    }

    #[test]
    fn the_segments_of_a_long_press_are_one_digit() {
        let mut detector = DigitDetector::default();
        detector.handle(0, event(3, false, 65535), Instant::ZERO);
        assert_eq!(
            detector.handle(65535, event(3, true, 8000), Instant::ZERO),
            [None, pressed('3', 9191)]
                .map(|p| { p.map(|p| Pressed { held: Duration::from_micros(73_535 * 125), ..p }) })
        );
    }

    #[test]
    fn a_flash_hook_is_no_digit() {
        assert_eq!(DigitDetector::default().handle(9, event(16, true, 400), Instant::ZERO), [None, None]);
    }
}
