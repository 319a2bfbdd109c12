//! What is yet to come, in order of time; at the same time, in the order in which it was announced.

use call_model::Instant;
use core::cmp::Ordering;
use std::collections::BinaryHeap;

/// A queue of things to come.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    announced: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    place: u64,
    item: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), announced: 0 }
    }
}

impl<T> Queue<T> {
    pub(crate) fn push(&mut self, at: Instant, item: T) {
        self.announced += 1;
        self.heap.push(Entry { at, place: self.announced, item });
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The next thing, if its time has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<T> {
        self.heap.peek().filter(|entry| entry.at <= now)?;
        self.heap.pop().map(|entry| entry.item)
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest first.
        (other.at, other.place).cmp(&(self.at, self.place))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_by_time_and_then_by_their_order() {
        let mut queue = Queue::default();
        for (at, item) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            queue.push(Instant::from_millis(at), item);
        }
        let now = Instant::from_millis(1);
        assert_eq!([queue.pop(now), queue.pop(now), queue.pop(now)], [Some('a'), Some('b'), None]);
        assert_eq!(queue.next(), Some(Instant::from_millis(2)));
        let rest: Vec<_> = core::iter::from_fn(|| queue.pop(Instant::from_millis(9))).collect();
        assert_eq!(rest, ['c', 'd']);
    }
}
