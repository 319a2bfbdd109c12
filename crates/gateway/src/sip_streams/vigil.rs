//! When a connection has to show signs of life, and when it is given up. Time is an argument.

use std::time::Duration;
use tokio::time::Instant;

/// A message that has begun must be complete within this: a peer that drips octets holds memory and a place.
const COMPLETE: Duration = Duration::from_secs(10);
/// Connections we opened, and WebSockets, are asked for a sign of life this often (RFC 5626 §3.5.1: 95 to 120 s).
const ASK: Duration = Duration::from_secs(110);
/// A peer that has answered such a question before answers the next within this (RFC 5626 §4.4.1).
const ANSWER: Duration = Duration::from_secs(10);

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// Nothing yet.
    Nothing,
    /// To ask the peer for a sign of life.
    Ask,
    /// To close, for this reason.
    Close(&'static str),
}

/// The watch over one connection.
#[derive(Debug)]
pub(super) struct Vigil {
    idle: Duration,
    heard: Instant,
    /// Since when a message has been incomplete.
    incomplete: Option<Instant>,
    /// When the peer is asked next, if it is asked at all.
    ask: Option<Instant>,
    asked: Option<Instant>,
    /// The peer has answered once, so silence means something.
    answers: bool,
}

impl Vigil {
    pub(super) fn new(idle: Duration, asks: bool, now: Instant) -> Self {
        Self { idle, heard: now, incomplete: None, ask: asks.then_some(now + ASK), asked: None, answers: false }
    }

    /// Octets came. `incomplete`: they end within a message.
    pub(super) fn heard(&mut self, incomplete: bool, now: Instant) {
        self.heard = now;
        self.incomplete = if incomplete { self.incomplete.or(Some(now)) } else { None };
        self.answers |= self.asked.take().is_some_and(|asked| now - asked <= ANSWER);
    }

    pub(super) fn next(&self) -> Instant {
        let incomplete = self.incomplete.map(|since| since + COMPLETE);
        let answer = self.asked.filter(|_| self.answers).map(|asked| asked + ANSWER);
        let idle = self.ask.is_none().then_some(self.heard + self.idle);
        incomplete.into_iter().chain(answer).chain(idle).chain(self.ask).min().unwrap_or(self.heard + self.idle)
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        if self.incomplete.is_some_and(|since| now >= since + COMPLETE) {
            return Due::Close("a message was not completed within 10 s");
        }
        if self.answers && self.asked.is_some_and(|asked| now >= asked + ANSWER) {
            return Due::Close("no sign of life within 10 s");
        }
        match self.ask {
            Some(at) if now >= at => {
                self.ask = Some(now + ASK);
                self.asked = Some(now);
                Due::Ask
            }
            None if now >= self.heard + self.idle => Due::Close("idle"),
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(600);

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_peer_that_drips_octets_is_given_up_though_it_is_never_idle() {
        let start = Instant::now();
        let mut vigil = Vigil::new(IDLE, false, start);
        for second in 0..10 {
            vigil.heard(true, at(start, second));
            assert_eq!(vigil.due(at(start, second)), Due::Nothing);
        }
        assert_eq!(vigil.next(), at(start, 10));
        assert!(matches!(vigil.due(at(start, 10)), Due::Close(_)));
    }

    #[test]
    fn a_connection_somebody_else_opened_ends_when_it_is_idle() {
        let start = Instant::now();
        let mut vigil = Vigil::new(IDLE, false, start);
        vigil.heard(false, at(start, 5));
        assert_eq!(vigil.due(at(start, 604)), Due::Nothing);
        assert_eq!(vigil.due(at(start, 605)), Due::Close("idle"));
    }

    #[test]
    fn silence_counts_only_from_a_peer_that_is_known_to_answer() {
        let start = Instant::now();
        let mut vigil = Vigil::new(IDLE, true, start);
        assert_eq!(vigil.due(at(start, 110)), Due::Ask);
        assert_eq!(vigil.due(at(start, 125)), Due::Nothing);
        assert_eq!(vigil.due(at(start, 220)), Due::Ask);
        vigil.heard(false, at(start, 221));
        assert_eq!(vigil.due(at(start, 330)), Due::Ask);
        assert_eq!(vigil.next(), at(start, 340));
        assert!(matches!(vigil.due(at(start, 340)), Due::Close(_)));
    }
}
