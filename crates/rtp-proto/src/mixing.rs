//! Two legs at once for one listener: each through a small jitter buffer of its own, added on the 20 ms tick.
//!
//! Keys are not added but passed on (RFC 4733): one press at a time takes the place of the audio, so that the listener's
//! stream stays one stream. The press that comes second is left out of the stream; the switchboard hears of both.

use crate::api::FRAME;
use crate::dtmf::RELEASE_AFTER;
use crate::g711::{self, MULAW_SILENCE};
use crate::playout::Playout;
use crate::reception::Place;
use call_model::{Codec, Instant};
use core::time::Duration;

/// Audio collected before a source is heard: the jitter it may have without a gap.
const PREROLL: Duration = Duration::from_millis(40);
/// More than this waits only when the source's clock is fast, or its packets came in a heap: the oldest goes.
const MOST: Duration = Duration::from_millis(120);
/// After the end of a press its repeats are awaited for so long before the audio goes on.
const REPEATS: Duration = Duration::from_millis(60);

/// What a listener of two sources is made of.
#[derive(Debug)]
pub(crate) struct Mixer {
    inputs: [Input; 2],
    key: Option<Key>,
}

/// One source.
#[derive(Debug)]
struct Input {
    playout: Playout,
    /// The newest packet, so that what comes after its time is dropped.
    newest: Option<Place>,
    /// A press that began before this listener heard the source.
    missed: Option<u32>,
    /// The last press that was passed on and is over.
    over: Option<u32>,
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

impl Mixer {
    pub(crate) fn new() -> Self {
        let input = || Input { playout: Playout::reserved(MOST * 2, PREROLL), newest: None, missed: None, over: None };
        Self { inputs: [input(), input()], key: None }
    }

    /// A source is heard from now on. If a press of it is under way, the listener has missed its beginning.
    pub(crate) fn connect(&mut self, input: usize, press: Option<u32>) {
        self.inputs[input].newest = None;
        self.inputs[input].missed = press;
    }

    /// Whether the packet is newer than what was heard of the source.
    pub(crate) fn take(&mut self, input: usize, place: Place) -> bool {
        let newest = &mut self.inputs[input].newest;
        let late = newest.is_some_and(|newest| newest.epoch == place.epoch && place.extended <= newest.extended);
        if !late {
            *newest = Some(place);
        }
        !late
    }

    /// Audio of one source.
    pub(crate) fn hear(&mut self, input: usize, codec: Codec, audio: &[u8], now: Instant) {
        let playout = &mut self.inputs[input].playout;
        match codec {
            Codec::Pcmu => playout.push(audio, now),
            Codec::Pcma => {
                let mut mulaw = [MULAW_SILENCE; FRAME];
                audio.chunks(FRAME).fold(0, |excess, part| {
                    let mulaw = &mut mulaw[..part.len()];
                    mulaw.copy_from_slice(part);
                    g711::alaw_to_mulaw_in_place(mulaw);
                    excess + playout.push(mulaw, now)
                })
            }
        };
        playout.keep(MOST, PREROLL);
    }

    /// The next 20 ms of both.
    pub(crate) fn next_frame(&mut self, now: Instant) -> [u8; FRAME] {
        let [one, other] = &mut self.inputs;
        match (one.playout.next(now), other.playout.next(now)) {
            (Some(one), Some(other)) => add(&one, &other),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => [MULAW_SILENCE; FRAME],
        }
    }

    /// Where a packet of a press belongs.
    pub(crate) fn press(&mut self, input: usize, timestamp: u32, end: bool, now: Instant) -> Press {
        if [self.inputs[input].missed, self.inputs[input].over].contains(&Some(timestamp)) {
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
            self.inputs[key.input].over = Some(key.source);
        }
    }
}

/// Adds two frames of mu-law. What is too loud for sixteen bits is clipped.
fn add(one: &[u8; FRAME], other: &[u8; FRAME]) -> [u8; FRAME] {
    let linear = |octet: u8| g711::decode_mulaw(octet);
    core::array::from_fn(|i| g711::encode_mulaw(linear(one[i]).saturating_add(linear(other[i]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_adds_nothing_and_too_loud_is_clipped() {
        let voice: [u8; FRAME] = core::array::from_fn(|i| if i as u8 == 0x7f { 0xff } else { i as u8 });
        assert_eq!(add(&voice, &[MULAW_SILENCE; FRAME]), voice);
        assert_eq!(add(&[0x80; FRAME], &[0x80; FRAME]), [0x80; FRAME], "the loudest stays the loudest");
        assert_eq!(add(&[0x00; FRAME], &[0x80; FRAME]), [MULAW_SILENCE; FRAME], "opposites cancel");
    }
}
