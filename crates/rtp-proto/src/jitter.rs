//! The jitter buffer of one stream: packets in any order in, one at a time and in order out, with its losses named.
//!
//! It knows no audio. The delay begins at [`PREROLL`], grows when packets come too late for it, and shrinks again when
//! for a while none needed it.

use crate::reception::Place;
use call_model::Instant;
use core::time::Duration;

/// Waited after the first packet of a stretch of audio: the jitter it may have without a gap.
pub(crate) const PREROLL: Duration = Duration::from_millis(40);
/// More than this waits only when the source's clock is fast, or its packets came in a heap: the oldest go.
const MOST: Duration = Duration::from_millis(120);
/// Packets held at most; a gap wider than that is a new beginning.
const SLOTS: usize = 32;
/// Longest payload kept whole: 80 ms of G.711.
const PAYLOAD: usize = 640;
/// When so many packets in a row found more than [`SPARE`] waiting, one too many waits.
const WATCHED: u32 = 100;
const SPARE: usize = 3;
/// After so long without a packet the stretch of audio is over, and the next one waits its [`PREROLL`].
const DRY: Duration = Duration::from_millis(60);

/// What a packet holds for the decoder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Audio,
    /// RFC 3389.
    ComfortNoise,
}

/// What comes out.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Pulled<'a> {
    Packet(Kind, &'a [u8]),
    /// A packet that did not come although later ones did.
    Lost,
    /// Nothing to play yet, or any more.
    Nothing,
}

#[derive(Debug)]
struct Slot {
    /// The packet's number while it waits.
    extended: Option<u64>,
    kind: Kind,
    len: usize,
    bytes: [u8; PAYLOAD],
}

#[derive(Debug)]
pub(crate) struct Jitter {
    slots: Vec<Slot>,
    epoch: u32,
    /// The packet to play next.
    next: u64,
    waiting: usize,
    playing: bool,
    /// When the first packet of what waits came.
    first: Instant,
    /// Since when there was nothing to play.
    dry: Option<Instant>,
    /// Packets in a row that found more than [`SPARE`] waiting.
    spared: u32,
}

impl Jitter {
    /// All its memory at once.
    pub(crate) fn new() -> Self {
        let slot = || Slot { extended: None, kind: Kind::Audio, len: 0, bytes: [0; PAYLOAD] };
        Self {
            slots: core::iter::repeat_with(slot).take(SLOTS).collect(),
            epoch: 0,
            next: 0,
            waiting: 0,
            playing: false,
            first: Instant::ZERO,
            dry: None,
            spared: 0,
        }
    }

    /// Takes a packet; what comes after its time is dropped.
    pub(crate) fn put(&mut self, place: Place, kind: Kind, payload: &[u8], now: Instant) {
        let extended = place.extended;
        if place.epoch != self.epoch || extended >= self.next + SLOTS as u64 {
            self.reset();
            self.epoch = place.epoch;
        }
        if self.waiting == 0 && !self.playing {
            self.next = extended;
            self.first = now;
        }
        if extended < self.next {
            if self.playing || extended + (SLOTS as u64) <= self.next + self.waiting as u64 {
                return;
            }
            self.next = extended;
        }
        let slot = &mut self.slots[extended as usize % SLOTS];
        if slot.extended.is_none() {
            self.waiting += 1;
        }
        slot.len = payload.len().min(PAYLOAD);
        slot.bytes[..slot.len].copy_from_slice(&payload[..slot.len]);
        slot.extended = Some(extended);
        slot.kind = kind;
    }

    /// The next packet. `span`: how much audio one holds.
    pub(crate) fn pull(&mut self, span: Duration, now: Instant) -> Pulled<'_> {
        if self.waiting == 0 {
            let since = *self.dry.get_or_insert(now);
            self.playing &= now.since(since) < DRY;
            return Pulled::Nothing;
        }
        self.dry = None;
        self.playing |= now.since(self.first) >= PREROLL;
        if !self.playing {
            return Pulled::Nothing;
        }
        self.shrink(span);
        let index = self.next as usize % SLOTS;
        let found = self.slots[index].extended == Some(self.next);
        self.next += 1;
        if !found {
            return Pulled::Lost;
        }
        self.waiting -= 1;
        let slot = &mut self.slots[index];
        slot.extended = None;
        Pulled::Packet(slot.kind, &slot.bytes[..slot.len])
    }

    /// The audio packet that would come out next.
    pub(crate) fn peek(&self) -> Option<&[u8]> {
        let slot = &self.slots[self.next as usize % SLOTS];
        let audio = slot.extended == Some(self.next) && slot.kind == Kind::Audio;
        audio.then(|| &slot.bytes[..slot.len])
    }

    /// Nothing of the former stream remains.
    pub(crate) fn reset(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.extended = None);
        (self.waiting, self.playing, self.dry, self.spared) = (0, false, None, 0);
    }

    fn shrink(&mut self, span: Duration) {
        let packets = |time: Duration| (time.as_micros() / span.as_micros().max(1)) as usize;
        self.spared = if self.waiting > SPARE { self.spared + 1 } else { 0 };
        let rest = if self.waiting > packets(MOST).max(SPARE) {
            packets(PREROLL).max(1)
        } else if self.spared >= WATCHED {
            self.waiting - 1
        } else {
            return;
        };
        self.spared = 0;
        while self.waiting > rest {
            let slot = &mut self.slots[self.next as usize % SLOTS];
            if slot.extended.take().is_some() {
                self.waiting -= 1;
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_millis(20);

    fn place(epoch: u32, extended: u64) -> Place {
        Place { extended, epoch, fresh: false }
    }

    fn put(jitter: &mut Jitter, extended: u64, ms: u64) {
        jitter.put(place(1, extended), Kind::Audio, &[extended as u8], Instant::from_millis(ms));
    }

    fn pull(jitter: &mut Jitter, ms: u64) -> Option<u8> {
        match jitter.pull(SPAN, Instant::from_millis(ms)) {
            Pulled::Packet(Kind::Audio, payload) => Some(payload[0]),
            Pulled::Lost => Some(b'L'),
            _ => None,
        }
    }

    #[test]
    fn packets_come_out_in_order_with_their_losses_after_the_preroll() {
        let mut jitter = Jitter::new();
        put(&mut jitter, 101, 0);
        put(&mut jitter, 100, 1);
        put(&mut jitter, 103, 2);
        assert_eq!(pull(&mut jitter, 20), None);
        let out: Vec<_> = (2..7).map(|step| pull(&mut jitter, step * 20)).collect();
        assert_eq!(out, [Some(100), Some(101), Some(b'L'), Some(103), None]);
        put(&mut jitter, 102, 130);
        assert_eq!(pull(&mut jitter, 140), None, "too late");
        put(&mut jitter, 104, 150);
        assert_eq!(pull(&mut jitter, 155), Some(104), "the same stretch goes on without a new wait");
    }

    #[test]
    fn a_new_source_begins_anew_and_leaves_nothing_behind() {
        let mut jitter = Jitter::new();
        (0..5).for_each(|i| put(&mut jitter, 100 + i, i));
        assert_eq!(pull(&mut jitter, 50), Some(100));
        jitter.put(place(2, 7), Kind::Audio, &[7], Instant::from_millis(60));
        assert_eq!(pull(&mut jitter, 60), None);
        assert_eq!(pull(&mut jitter, 100), Some(7));
        assert_eq!(pull(&mut jitter, 120), None);
    }

    #[test]
    fn the_delay_grows_for_jitter_and_shrinks_when_it_is_over() {
        let mut jitter = Jitter::new();
        let mut heard = Vec::new();
        for step in 0..400u64 {
            // For a second in the middle everything comes 100 ms late, in a heap at first.
            let late = if (50..100).contains(&step) { 5 } else { 0 };
            let newest = step.saturating_sub(late);
            for number in 0..=newest {
                if number + late == step || step == 100 && number >= 95 {
                    put(&mut jitter, 1000 + number, step * 20);
                }
            }
            if let Pulled::Packet(..) = jitter.pull(SPAN, Instant::from_millis(step * 20 + 1)) {
                heard.push(step);
            }
        }
        assert!(jitter.waiting <= SPARE, "{} packets wait at the end", jitter.waiting);
        assert!(heard.len() > 380, "{} packets were heard", heard.len());
    }

    #[test]
    fn a_jump_beyond_all_slots_is_a_new_beginning() {
        let mut jitter = Jitter::new();
        put(&mut jitter, 100, 0);
        assert_eq!(pull(&mut jitter, 40), Some(100));
        put(&mut jitter, 1000, 60);
        assert_eq!(pull(&mut jitter, 100), Some(232));
    }
}
