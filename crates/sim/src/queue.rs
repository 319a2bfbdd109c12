//! What is yet to come, in order of time; at the same time, in the order in which it was announced.

use call_model::Instant;
use core::cmp::Reverse;
use std::collections::BinaryHeap;

/// A queue of things to come. What comes is large and lies still; only its places move.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    announced: u64,
    items: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), announced: 0, items: Vec::new(), free: Vec::new() }
    }
}

impl<T> Queue<T> {
    pub(crate) fn push(&mut self, at: Instant, item: T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.items.push(None);
            self.items.len() - 1
        });
        self.items[slot] = Some(item);
        self.announced += 1;
        self.heap.push(Reverse((at, self.announced, slot)));
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next thing, if its time has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<T> {
        self.heap.peek().filter(|Reverse((at, ..))| *at <= now)?;
        let Reverse((.., slot)) = self.heap.pop()?;
        self.free.push(slot);
        self.items[slot].take()
    }
}

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
