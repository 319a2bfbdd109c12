//! Callers who wait because nobody can take them now: who is next, at which place each of them stands, and how long it may
//! take.
//!
//! A caller who must not wait long has a head start, as if they had come so much earlier. Everybody ages alike, so the
//! order of two who wait never changes, and nobody waits for callers who came later than the longest head start.

use crate::desks::{Desks, Seat, Wanted};
use call_model::{DeskId, HandoffId, Instant, Trigger, Urgency};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Conversations that the expected wait is made from, at most and at least.
const MOST_MEASURED: usize = 50;
const LEAST_MEASURED: usize = 5;

/// How much earlier some callers count as having come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadStarts {
    /// Decisions of high urgency.
    pub high: Duration,
    /// Priority customers and intents of high value.
    pub vip: Duration,
    /// Emergencies.
    pub emergency: Duration,
}

impl Default for HeadStarts {
    fn default() -> Self {
        let [high, vip, emergency] = [120, 120, 3_600].map(Duration::from_secs);
        Self { high, vip, emergency }
    }
}

impl HeadStarts {
    /// That of one caller: the longest that they have a right to.
    pub fn of(&self, wanted: &Wanted) -> Duration {
        let urgent = match wanted.urgency {
            Urgency::Normal => Duration::ZERO,
            Urgency::High => self.high,
            Urgency::Emergency => self.emergency,
        };
        let valued = matches!(wanted.trigger, Trigger::Vip | Trigger::HighValue);
        urgent.max(if valued { self.vip } else { Duration::ZERO })
    }
}

/// A caller who waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Their handoff.
    pub handoff: HandoffId,
    /// What they need.
    pub wanted: Wanted,
    /// Since when a human is sought for them.
    pub since: Instant,
    /// Desks that they are not offered to: until then, or never.
    pub not: Vec<(DeskId, Option<Instant>)>,
}

impl Waiting {
    fn may_have(&self, desk: &DeskId, now: Instant) -> bool {
        self.not.iter().all(|(not, again)| not != desk || again.is_some_and(|at| at <= now))
    }
}

/// Earlier is better: when they count as having come, in nanoseconds, then who was first.
type Rank = (i128, u64);

/// Everybody who waits, in order.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    head_starts: HeadStarts,
    order: BTreeMap<Rank, Waiting>,
    ranks: BTreeMap<HandoffId, Rank>,
    joined: u64,
    /// How long desks were taken by their latest conversations.
    measured: VecDeque<Duration>,
}

impl Queue {
    /// Nobody waits.
    pub fn new(head_starts: HeadStarts) -> Self {
        Self { head_starts, ..Self::default() }
    }

    /// A caller begins to wait; one who waits already gets the place that they deserve now.
    pub fn join(&mut self, waiting: Waiting) {
        let before = self.ranks.get(&waiting.handoff).copied();
        let turn = before.map_or(self.joined, |(_, turn)| turn);
        self.joined += u64::from(before.is_none());
        self.leave(waiting.handoff);
        let head_start = self.head_starts.of(&waiting.wanted).as_nanos();
        let counts_from = i128::from(waiting.since.as_nanos()) - i128::try_from(head_start).unwrap_or(i128::MAX);
        self.ranks.insert(waiting.handoff, (counts_from, turn));
        self.order.insert((counts_from, turn), waiting);
    }

    /// A caller waits no longer. Nothing: they did not.
    pub fn leave(&mut self, handoff: HandoffId) -> Option<Waiting> {
        let rank = self.ranks.remove(&handoff)?;
        self.order.remove(&rank)
    }

    /// Everybody, the next first.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.order.values()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Where a caller stands: 1 is next.
    pub fn place(&self, handoff: HandoffId) -> Option<usize> {
        let rank = self.ranks.get(&handoff)?;
        Some(self.order.range(..rank).count() + 1)
    }

    /// Who is to be offered to a desk now: the first for whom one is free that is not in `shut`.
    pub fn next(&self, desks: &Desks, shut: &[DeskId], now: Instant) -> Option<HandoffId> {
        let free: Vec<&Seat> = desks.open(shut).collect();
        if free.is_empty() {
            return None;
        }
        // What nobody free can do need not be asked for again, however many want it.
        let mut in_vain: BTreeSet<(Option<&str>, Option<&DeskId>)> = BTreeSet::new();
        for waiting in self.order.values() {
            let Wanted { skill, desk, .. } = &waiting.wanted;
            let need = (skill.as_deref(), desk.as_ref());
            if in_vain.contains(&need) {
                continue;
            }
            let mut fit = free.iter().filter(|seat| seat.fits(&waiting.wanted)).peekable();
            if fit.peek().is_none() {
                in_vain.insert(need);
            } else if fit.any(|seat| waiting.may_have(seat.id(), now)) {
                return Some(waiting.handoff);
            }
        }
        None
    }

    /// When a desk may be offered a caller again that could not take them before.
    pub fn next_again(&self, now: Instant) -> Option<Instant> {
        self.order
            .values()
            .flat_map(|waiting| &waiting.not)
            .filter_map(|(_, again)| *again)
            .filter(|at| *at > now)
            .min()
    }

    /// A desk had a caller for so long, and is free again.
    pub fn note_service(&mut self, took: Duration) {
        if self.measured.len() == MOST_MEASURED {
            self.measured.pop_front();
        }
        self.measured.push_back(took);
    }

    /// How long a desk is taken by a conversation, on average; nothing before there are enough to say so.
    pub fn service(&self) -> Option<Duration> {
        let count = u32::try_from(self.measured.len()).ok().filter(|count| *count as usize >= LEAST_MEASURED)?;
        Some(self.measured.iter().sum::<Duration>() / count)
    }

    /// How long a caller at this place waits for one of so many desks, all of them taken; nothing when nobody knows.
    pub fn expected(&self, place: usize, desks: usize) -> Option<Duration> {
        let (place, desks) = (u32::try_from(place).ok()?, u32::try_from(desks).ok().filter(|desks| *desks > 0)?);
        self.service()?.checked_mul(place).map(|all| all / desks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desks::Desk;

    fn waiting(handoff: u128, since_s: u64, wanted: Wanted) -> Waiting {
        Waiting { handoff: HandoffId(handoff), wanted, since: Instant::from_millis(since_s * 1_000), not: Vec::new() }
    }

    fn places(queue: &Queue) -> Vec<u128> {
        queue.iter().map(|waiting| waiting.handoff.0).collect()
    }

    #[test]
    fn who_is_in_a_hurry_overtakes_and_who_came_long_before_is_not_overtaken() {
        let mut queue = Queue::new(HeadStarts::default());
        let urgent = |urgency| Wanted { urgency, ..Trigger::Asked.into() };
        queue.join(waiting(1, 0, Trigger::Asked.into()));
        queue.join(waiting(2, 100, Trigger::Asked.into()));
        queue.join(waiting(3, 110, Trigger::Vip.into()));
        queue.join(waiting(4, 130, urgent(Urgency::High)));
        queue.join(waiting(5, 200, urgent(Urgency::Emergency)));
        assert_eq!(places(&queue), [5, 3, 1, 4, 2]);
        assert_eq!((queue.place(HandoffId(5)), queue.place(HandoffId(2))), (Some(1), Some(5)));
        assert!(queue.leave(HandoffId(3)).is_some() && queue.leave(HandoffId(3)).is_none());
        assert_eq!((places(&queue), queue.place(HandoffId(3))), (vec![5, 1, 4, 2], None));
        // What a caller says while they wait may change their place, and does not lose them their turn.
        queue.join(waiting(2, 100, urgent(Urgency::High)));
        assert_eq!((places(&queue), queue.len()), (vec![5, 2, 1, 4], 4));
    }

    #[test]
    fn the_first_who_fits_a_free_desk_is_next_and_not_the_one_who_was_declined_there() {
        let mut desks = Desks::new([Desk { skills: vec!["tax".to_owned()], ..Desk::new("anna") }, Desk::new("ben")]);
        let mut queue = Queue::default();
        let billing = Wanted { skill: Some("billing".to_owned()), ..Trigger::Asked.into() };
        let (anna, ben) = (DeskId("anna".to_owned()), DeskId("ben".to_owned()));
        assert_eq!(desks.reserve(&ben, HandoffId(9)), Ok(()));
        queue.join(waiting(1, 0, billing));
        let mut second = waiting(2, 1, Trigger::Asked.into());
        second.not = vec![(anna.clone(), None)];
        queue.join(second);
        let mut third = waiting(3, 2, Trigger::Asked.into());
        third.not = vec![(anna.clone(), Some(Instant::from_millis(30_000)))];
        queue.join(third);
        let next = |queue: &Queue, desks: &Desks, s: u64| queue.next(desks, &[], Instant::from_millis(s * 1_000));
        assert_eq!(next(&queue, &desks, 29), None);
        assert_eq!(queue.next_again(Instant::ZERO), Some(Instant::from_millis(30_000)));
        assert_eq!(next(&queue, &desks, 30), Some(HandoffId(3)));
        assert_eq!(queue.next(&desks, &[anna], Instant::from_millis(30_000)), None, "she is busy with something else");
        assert!(desks.release(&ben, HandoffId(9), Instant::ZERO));
        assert_eq!(next(&queue, &desks, 30), Some(HandoffId(1)));
    }

    #[test]
    fn nobody_says_how_long_it_takes_before_it_was_measured() {
        let mut queue = Queue::default();
        for took in [60, 120, 180, 240] {
            queue.note_service(Duration::from_secs(took));
            assert_eq!(queue.expected(1, 1), None);
        }
        queue.note_service(Duration::from_secs(300));
        assert_eq!(queue.service(), Some(Duration::from_secs(180)));
        assert_eq!(queue.expected(1, 2), Some(Duration::from_secs(90)));
        assert_eq!(queue.expected(4, 2), Some(Duration::from_secs(360)));
        assert_eq!(queue.expected(1, 0), None);
        (0..50).for_each(|_| queue.note_service(Duration::from_secs(10)));
        assert_eq!(queue.service(), Some(Duration::from_secs(10)), "what was long ago says nothing about now");
    }
}
