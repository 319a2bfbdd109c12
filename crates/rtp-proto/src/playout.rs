//! Audio of a WebSocket bot: chunks of any size in, a frame every 20 ms out, and the marks between them.

use crate::api::FRAME;
use crate::g711::MULAW_SILENCE;
use call_model::Instant;
use core::time::Duration;
use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Playout {
    queue: VecDeque<u8>,
    /// Octets ever queued and ever played, including those that `clear` dropped.
    queued: u64,
    played: u64,
    marks: VecDeque<(u64, String)>,
    /// Past the pre-roll.
    playing: bool,
    first: Instant,
    last: Instant,
    capacity: usize,
    preroll: Duration,
}

impl Playout {
    pub(crate) fn new(buffer: Duration, preroll: Duration) -> Self {
        Self {
            queue: VecDeque::new(),
            queued: 0,
            played: 0,
            marks: VecDeque::new(),
            playing: false,
            first: Instant::ZERO,
            last: Instant::ZERO,
            capacity: octets(buffer),
            preroll,
        }
    }

    /// Takes what fits; returns how many octets did not.
    pub(crate) fn push(&mut self, mulaw: &[u8], now: Instant) -> usize {
        let fits = mulaw.len().min(self.capacity.saturating_sub(self.queue.len()));
        if self.queue.is_empty() && fits > 0 {
            self.first = now;
        }
        self.queue.extend(&mulaw[..fits]);
        self.queued += fits as u64;
        self.last = now;
        mulaw.len() - fits
    }

    /// A mark after everything queued so far; false when the bot has set too many without playing them.
    pub(crate) fn mark(&mut self, name: String) -> bool {
        let room = self.marks.len() < MAX_MARKS;
        if room {
            self.marks.push_back((self.queued, name));
        }
        room
    }

    /// Drops the queue. All pending marks are due now.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.playing = false;
        self.played = self.queued;
    }

    /// The next mark whose audio has been played.
    pub(crate) fn poll_mark(&mut self) -> Option<String> {
        let due = self.marks.front().is_some_and(|(position, _)| *position <= self.played);
        if due { self.marks.pop_front().map(|(_, name)| name) } else { None }
    }

    /// The frame to play now; `None` while the bot is quiet.
    pub(crate) fn next(&mut self, now: Instant) -> Option<[u8; FRAME]> {
        if !self.playing && !self.queue.is_empty() {
            self.playing = self.queue.len() >= octets(self.preroll) || now.since(self.first) >= self.preroll;
        }
        let rest = self.queue.len();
        // A part of a frame waits for its other part, but not for ever.
        if !self.playing || rest == 0 || rest < FRAME && now.since(self.last) < self.preroll {
            self.playing &= rest > 0;
            return None;
        }
        let mut frame = [MULAW_SILENCE; FRAME];
        let len = rest.min(FRAME);
        let (front, back) = self.queue.as_slices();
        let in_front = front.len().min(len);
        frame[..in_front].copy_from_slice(&front[..in_front]);
        frame[in_front..len].copy_from_slice(&back[..len - in_front]);
        self.queue.drain(..len);
        self.played += len as u64;
        Some(frame)
    }
}

/// Marks kept per bot; a bot that sets more without audio between them is not waiting for them.
const MAX_MARKS: usize = 4096;

fn octets(duration: Duration) -> usize {
    usize::try_from(duration.as_micros() / 125).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playout() -> Playout {
        Playout::new(Duration::from_millis(100), Duration::from_millis(40))
    }

    #[test]
    fn chunks_of_any_size_become_frames_in_order() {
        let mut playout = playout();
        let audio: Vec<u8> = (0..480u32).map(|i| (i % 251) as u8).collect();
        for chunk in audio.chunks(7) {
            assert_eq!(playout.push(chunk, Instant::ZERO), 0);
        }
        let mut heard = Vec::new();
        for tick in 1..=3 {
            heard.extend(playout.next(Instant::from_millis(tick * 20)).expect("a frame"));
        }
        assert_eq!(heard, audio);
        assert_eq!(playout.next(Instant::from_millis(80)), None);
    }

    #[test]
    fn little_audio_waits_for_the_preroll_and_no_longer() {
        let mut playout = playout();
        playout.push(&[1; 160], Instant::ZERO);
        assert_eq!(playout.next(Instant::from_millis(20)), None);
        assert_eq!(playout.next(Instant::from_millis(40)), Some([1; 160]));
    }

    #[test]
    fn the_end_of_a_sentence_is_padded() {
        let mut playout = playout();
        playout.push(&[1; 330], Instant::ZERO);
        assert!(playout.next(Instant::from_millis(20)).is_some());
        assert!(playout.next(Instant::from_millis(40)).is_some());
        let end = playout.next(Instant::from_millis(60)).expect("the rest");
        assert_eq!((&end[..10], &end[10..]), (&[1; 10][..], &[MULAW_SILENCE; 150][..]));
    }

    #[test]
    fn marks_come_when_what_was_before_them_has_been_played() {
        let mut playout = playout();
        assert!(playout.mark("empty".into()));
        assert_eq!(playout.poll_mark().as_deref(), Some("empty"));
        playout.push(&[1; 320], Instant::ZERO);
        playout.mark("end".into());
        playout.next(Instant::from_millis(20));
        assert_eq!(playout.poll_mark(), None);
        playout.next(Instant::from_millis(40));
        assert_eq!(playout.poll_mark().as_deref(), Some("end"));
    }

    #[test]
    fn clear_drops_the_audio_and_frees_the_marks() {
        let mut playout = playout();
        playout.push(&[1; 320], Instant::ZERO);
        playout.mark("a".into());
        playout.push(&[1; 320], Instant::ZERO);
        playout.mark("b".into());
        playout.clear();
        assert_eq!(playout.next(Instant::from_millis(20)), None);
        assert_eq!(playout.poll_mark().as_deref(), Some("a"));
        assert_eq!(playout.poll_mark().as_deref(), Some("b"));
        playout.push(&[2; 320], Instant::from_millis(20));
        assert_eq!(playout.next(Instant::from_millis(40)), Some([2; 160]));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut playout = playout();
        assert_eq!(playout.push(&[1; 1000], Instant::ZERO), 200);
    }
}
