//! Joins as a caller hears them: from the last packet of the bot to the first of the desk, on one unbroken RTP stream.

use crate::traffic::{CALLEE_SIDE, DESK_SIDE, Generator, Phase};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

/// The caller listens so long before it asks for a human, and goes on so long after it has one.
const TALK: Duration = Duration::from_millis(300);
/// The lone key needs 1.5 s to be one; whoever has no human after this never gets one.
const PATIENCE: Duration = Duration::from_secs(10);
/// A step of the stream's clock may differ from the time that passed by so many samples (100 ms): jitter, no jump.
const CLOCK_SLACK: i64 = 800;

/// What matters of a packet that a caller received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    /// Whose voice, if it is one of ours.
    source: Option<usize>,
}

impl Heard {
    /// `None`: too short to be RTP.
    pub(crate) fn read(bytes: &[u8], source: Option<usize>) -> Option<Self> {
        let header = bytes.first_chunk::<12>()?;
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Some(Self { sequence: u16::from_be_bytes([header[2], header[3]]), timestamp: word(4), ssrc: word(8), source })
    }
}

/// What one caller heard so far.
#[derive(Clone, Copy, Default, Debug)]
struct Ear {
    last: Option<(Heard, u64)>,
    /// Who spoke last, and when; the gateway fills in silence between two speakers.
    spoke: Option<(usize, u64)>,
    joined: bool,
    broken: bool,
}

/// What all callers heard.
#[derive(Default, Debug)]
pub(crate) struct Joins {
    calls: BTreeMap<SocketAddrV4, usize>,
    ears: BTreeMap<usize, Ear>,
    /// Nanoseconds between the last packet of the bot and the first of the desk.
    pub(crate) gaps: Vec<u32>,
    /// The same between two packets of one speaker: what this machine does to any stream.
    pub(crate) others: Vec<u32>,
    /// Packets with which the stream did not go on: another SSRC, a sequence number left out, a clock that jumped.
    breaks: u64,
}

impl Joins {
    /// What comes from this address is heard by the caller of that call.
    pub(crate) fn call(&mut self, from: SocketAddrV4, number: usize) {
        self.calls.insert(from, number);
    }

    /// Whether this caller has heard the desk.
    pub(crate) fn is_joined(&self, number: usize) -> bool {
        self.ears.get(&number).is_some_and(|ear| ear.joined)
    }

    /// Calls whose caller's stream broke.
    pub(crate) fn broken(&self) -> usize {
        self.ears.values().filter(|ear| ear.broken).count()
    }

    /// A caller received something, `at` by the kernel's clock.
    pub(crate) fn hear(&mut self, from: SocketAddrV4, heard: Option<Heard>, at: u64) {
        let (Some(heard), Some(number)) = (heard, self.calls.get(&from)) else { return };
        let ear = self.ears.entry(*number).or_default();
        let since = |then: u64| u32::try_from(at.saturating_sub(then)).unwrap_or(u32::MAX);
        if let Some((before, then)) = ear.last.replace((heard, at))
            && !goes_on(before, heard, since(then))
        {
            ear.broken = true;
            self.breaks += 1;
        }
        let Some(source) = heard.source else { return };
        match ear.spoke.replace((source, at)) {
            Some((CALLEE_SIDE, then)) if source == DESK_SIDE => self.gaps.push(since(then)),
            Some((before, then)) if before == source => self.others.push(since(then)),
            _ => {}
        }
        ear.joined |= source == DESK_SIDE;
    }
}

/// One SSRC, the next sequence number, and a clock that advanced by about the time that passed.
fn goes_on(before: Heard, now: Heard, gap_ns: u32) -> bool {
    let advanced = i64::from(now.timestamp.wrapping_sub(before.timestamp).cast_signed());
    let passed = i64::from(gap_ns) / 125_000;
    before.ssrc == now.ssrc
        && now.sequence == before.sequence.wrapping_add(1)
        && advanced > 0
        && (advanced - passed).abs() <= CLOCK_SLACK
}

/// The first of the queue, if it is its turn.
fn front_if<T>(queue: &mut VecDeque<T>, is_due: impl FnOnce(&T) -> bool) -> Option<T> {
    if queue.front().is_some_and(is_due) { queue.pop_front() } else { None }
}

/// What came of many handoffs.
pub(crate) struct Joined {
    pub(crate) heard: Joins,
    /// Calls that never got their human.
    pub(crate) missed: usize,
}

impl Generator {
    /// Makes `total` calls, so many a second; each asks for a human, gets one, and hangs up.
    pub(crate) fn hand_over(&mut self, total: usize, per_second: f64) -> Joined {
        self.joins = Some(Joins::default());
        let start = Instant::now();
        let at_most = Duration::from_secs_f64(total as f64 / per_second) + PATIENCE * 4;
        // Calls by what they wait for: an answer, the moment to ask, the human, the end.
        let (mut inviting, mut waiting, mut talking): (VecDeque<usize>, VecDeque<_>, VecDeque<_>) = Default::default();
        let mut asked: Vec<(usize, Instant)> = Vec::new();
        let mut missed = 0;
        self.drive(at_most, |generator, now| {
            let due = (now.duration_since(start).as_secs_f64() * per_second) as usize;
            while generator.calls.len() < due.min(total) {
                inviting.push_back(generator.invite('7', now));
            }
            while let Some(number) = front_if(&mut inviting, |number| generator.calls[*number].phase != Phase::Inviting)
            {
                match generator.calls[number].phase {
                    Phase::Up => waiting.push_back((number, now + TALK)),
                    _ => missed += 1,
                }
            }
            while let Some((number, _)) = front_if(&mut waiting, |(_, when)| *when <= now) {
                generator.press_zero(number);
                asked.push((number, now + PATIENCE));
            }
            asked.retain(|(number, until)| {
                let joined = generator.joins.as_ref().is_some_and(|joins| joins.is_joined(*number));
                missed += usize::from(!joined && *until <= now);
                if joined || *until <= now {
                    talking.push_back((*number, now + TALK));
                }
                !joined && *until > now
            });
            while let Some((number, _)) = front_if(&mut talking, |(_, when)| *when <= now) {
                if generator.calls[number].phase == Phase::Up {
                    generator.bye(number, now);
                }
            }
            let idle = inviting.is_empty() && waiting.is_empty() && asked.is_empty() && talking.is_empty();
            generator.calls.len() >= total && idle && generator.count(Phase::Ending) == 0
        });
        let mut heard = self.joins.take().unwrap_or_default();
        heard.gaps.sort_unstable();
        heard.others.sort_unstable();
        Joined { missed: missed + inviting.len() + waiting.len() + asked.len(), heard }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 4000);
    const MS: u64 = 1_000_000;

    fn packet(sequence: u16, timestamp: u32, ssrc: u32, source: usize) -> Option<Heard> {
        let mut bytes = [0; 12];
        bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&ssrc.to_be_bytes());
        Heard::read(&bytes, Some(source))
    }

    fn joins() -> Joins {
        let mut joins = Joins::default();
        joins.call(FROM, 3);
        joins.hear(FROM, packet(65_535, u32::MAX - 100, 9, CALLEE_SIDE), 0);
        joins.hear(FROM, packet(0, 59, 9, CALLEE_SIDE), 20 * MS);
        joins
    }

    #[test]
    fn the_gap_of_a_join_is_told_from_those_of_one_speaker() {
        let mut joins = joins();
        assert!(!joins.is_joined(3));
        let silence = packet(1, 219, 9, CALLEE_SIDE).map(|heard| Heard { source: None, ..heard });
        joins.hear(FROM, silence, 40 * MS);
        joins.hear(FROM, packet(2, 299, 9, DESK_SIDE), 50 * MS);
        assert!(joins.is_joined(3));
        assert_eq!((joins.gaps, joins.others, joins.breaks), (vec![30_000_000], vec![20_000_000], 0));
    }

    #[test]
    fn a_stream_that_begins_anew_is_broken() {
        for (what, sequence, timestamp, ssrc) in
            [("another source", 1, 299, 8), ("a number left out", 2, 299, 9), ("a clock that jumps", 1, 9_000, 9)]
        {
            let mut joins = joins();
            joins.hear(FROM, packet(sequence, timestamp, ssrc, DESK_SIDE), 50 * MS);
            assert_eq!((joins.breaks, joins.broken()), (1, 1), "{what}");
        }
    }

    #[test]
    fn others_packets_belong_to_no_call() {
        let mut joins = joins();
        joins.hear(SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 4002), packet(1, 299, 9, DESK_SIDE), 50 * MS);
        assert!(!joins.is_joined(3));
        assert!(Heard::read(&[0x80; 11], None).is_none());
    }
}
