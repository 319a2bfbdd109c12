//! Keys for a listener whose audio comes on the 20 ms tick: they are not part of the audio but passed on (RFC 4733).
//!
//! One press at a time takes the place of the audio, so that the listener's stream stays one stream. Of two sources, the
//! press that comes second is left out of the stream; the switchboard hears of both.

use crate::dtmf::RELEASE_AFTER;
use call_model::Instant;
use core::time::Duration;

/// After the end of a press its repeats are awaited for so long before the audio goes on.
const REPEATS: Duration = Duration::from_millis(60);

/// The presses that one listener gets, from at most two sources.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    key: Option<Key>,
    /// By source: a press that began before this listener heard it. The key that accepts a caller must not be heard by
    /// them.
    missed: [Option<u32>; 2],
    /// By source: the last press that was passed on and is over.
    over: [Option<u32>; 2],
}

/// A key that is being passed on.
#[derive(Clone, Copy, Debug)]
struct Key {
    input: usize,
    /// Its timestamp as the source has it, and as the listener gets it.
    source: u32,
    ours: u32,
    last: Instant,
    ended: bool,
}

/// How a packet of a press goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Press {
    /// It begins: the listener's stream has to name its timestamp.
    Begins,
    /// It goes on at this timestamp.
    GoesOn(u32),
    /// Not for this listener.
    No,
}

impl Keys {
    /// A source is heard from now on. If a press of it is under way, the listener has missed its beginning.
    pub(crate) fn connect(&mut self, input: usize, press: Option<u32>) {
        self.missed[input] = press;
    }

    /// Whether the listener missed the beginning of this press.
    pub(crate) fn missed(&self, input: usize, timestamp: u32) -> bool {
        self.missed[input] == Some(timestamp)
    }

    /// Where a packet of a press belongs.
    pub(crate) fn press(&mut self, input: usize, timestamp: u32, end: bool, now: Instant) -> Press {
        if self.missed(input, timestamp) || self.over[input] == Some(timestamp) {
            return Press::No;
        }
        match &mut self.key {
            Some(key) if key.input == input && key.source == timestamp => {
                key.last = now;
                key.ended |= end;
                Press::GoesOn(key.ours)
            }
            Some(key) if key.input != input => Press::No,
            _ => Press::Begins,
        }
    }

    /// The listener's stream has begun the press at this timestamp.
    pub(crate) fn begin(&mut self, input: usize, source: u32, ours: u32, ended: bool, now: Instant) {
        self.end();
        self.key = Some(Key { input, source, ours, last: now, ended });
    }

    /// Whether a press has the place of the audio now.
    pub(crate) fn is_pressing(&mut self, now: Instant) -> bool {
        let patience = |key: Key| if key.ended { REPEATS } else { RELEASE_AFTER };
        if self.key.is_some_and(|key| now.since(key.last) >= patience(key)) {
            self.end();
        }
        self.key.is_some()
    }

    fn end(&mut self) {
        if let Some(key) = self.key.take() {
            self.over[key.input] = Some(key.source);
        }
    }
}
