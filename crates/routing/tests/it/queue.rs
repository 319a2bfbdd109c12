//! The queue: whoever comes and goes, the order is just, nobody starves, and one desk is offered one caller.

use crate::desks::wanted;
use call_model::{DeskId, HandoffId, Instant, Trigger, Urgency};
use core::time::Duration;
use proptest::prelude::*;
use routing::{Desk, Desks, HeadStarts, Queue, Waiting, Wanted};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    /// A caller comes; so many desks have said no already.
    Come { wanted: Wanted, declined: usize },
    /// The n-th who waits hangs up.
    Go(usize),
    /// The n-th desk that is taken is free again.
    Free(usize),
}

const DESKS: usize = 4;

fn id(n: usize) -> DeskId {
    DeskId(format!("desk-{n}"))
}

fn desk(n: usize) -> Desk {
    let skills = if n == 0 { vec!["billing".to_owned()] } else { Vec::new() };
    Desk { skills, ..Desk::new(format!("desk-{n}")) }
}

fn fits(n: usize, waiting: &Waiting) -> bool {
    let skills = desk(n).skills;
    waiting.wanted.desk.as_ref().is_none_or(|named| *named == id(n))
        && waiting.wanted.skill.as_ref().is_none_or(|skill| skills.is_empty() || skills.contains(skill))
        && waiting.not.iter().all(|(not, _)| *not != id(n))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (wanted(), 0..3usize).prop_map(|(wanted, declined)| Step::Come { wanted, declined }),
        1 => (0..8usize).prop_map(Step::Go),
        3 => (0..DESKS).prop_map(Step::Free),
    ]
}

/// When a caller counts as having come.
fn counts_from(waiting: &Waiting) -> i128 {
    let head_start = HeadStarts::default().of(&waiting.wanted).as_nanos();
    i128::from(waiting.since.as_nanos()) - i128::try_from(head_start).unwrap()
}

proptest! {
    #[test]
    fn each_desk_is_offered_the_first_who_fits_and_nobody_waits_beside_a_free_desk(
        steps in proptest::collection::vec(step(), 0..150),
    ) {
        let (mut desks, mut queue) = (Desks::new((0..DESKS).map(desk)), Queue::new(HeadStarts::default()));
        let mut taken: BTreeMap<usize, HandoffId> = BTreeMap::new();
        for (n, step) in steps.into_iter().enumerate() {
            let now = Instant::from_millis(n as u64 * 20_000);
            match step {
                Step::Come { wanted, declined } => {
                    let not = (0..declined).map(|n| (id(n), None)).collect();
                    queue.join(Waiting { handoff: HandoffId(n as u128), wanted, since: now, not });
                }
                Step::Go(nth) => {
                    let gone = queue.iter().nth(nth).map(|waiting| waiting.handoff);
                    if let Some(gone) = gone {
                        prop_assert!(queue.leave(gone).is_some());
                        prop_assert_eq!(queue.place(gone), None);
                    }
                }
                Step::Free(nth) => {
                    if let Some(n) = taken.keys().copied().nth(nth) {
                        let handoff = taken.remove(&n).unwrap();
                        prop_assert!(desks.release(&id(n), handoff, now));
                    }
                }
            }
            let before = queue.clone();
            while let Some(next) = queue.next(&desks, &[], now) {
                prop_assert_eq!(Some(next), queue.clone().next(&desks, &[], now), "the same again");
                let offered = queue.leave(next).unwrap();
                let tried: Vec<DeskId> = offered.not.iter().map(|(desk, _)| desk.clone()).collect();
                let choice = desks.choose(&offered.wanted, &tried, now).expect("somebody is free");
                prop_assert!(desks.reserve(&choice.desk, next).is_ok());
                let n = (0..DESKS).find(|n| id(*n) == choice.desk).unwrap();
                prop_assert!(fits(n, &offered), "{} for {offered:?}", choice.desk);
                prop_assert_eq!(taken.insert(n, next), None, "one desk, one caller");
                for other in before.iter().filter(|other| queue.place(other.handoff).is_some() && fits(n, other)) {
                    prop_assert!(counts_from(&offered) <= counts_from(other), "{offered:?} before {other:?}");
                }
            }
            for n in (0..DESKS).filter(|n| !taken.contains_key(n)) {
                prop_assert!(queue.iter().all(|waiting| !fits(n, waiting)), "somebody waits beside {}", id(n));
            }
            let order: Vec<i128> = queue.iter().map(counts_from).collect();
            prop_assert!(order.is_sorted());
            for (nth, waiting) in queue.iter().enumerate() {
                prop_assert_eq!(queue.place(waiting.handoff), Some(nth + 1));
            }
            prop_assert_eq!(queue.iter().count(), queue.len());
        }
    }
}

/// Urgent callers come faster than two desks can serve them, for hours; those who are not urgent are served all the same.
#[test]
fn nobody_starves() {
    let (mut desks, mut queue) = (Desks::new((0..2).map(|n| Desk::new(format!("desk-{n}")))), Queue::default());
    let service = Duration::from_secs(60);
    let mut busy: BTreeMap<DeskId, (HandoffId, Instant)> = BTreeMap::new();
    let mut came: BTreeMap<HandoffId, Instant> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    for second in 0..4 * 3_600_u64 {
        let now = Instant::from_millis(second * 1_000);
        let over: Vec<DeskId> =
            busy.iter().filter(|(_, (_, until))| *until <= now).map(|(desk, _)| desk.clone()).collect();
        for desk in over {
            let (handoff, _) = busy.remove(&desk).unwrap();
            assert!(desks.release(&desk, handoff, now));
        }
        // Those in a hurry alone are more than two desks can serve; of those, some give up.
        for (every, urgency) in [(25, Urgency::High), (300, Urgency::Normal)] {
            if second % every == 0 && (urgency == Urgency::Normal || queue.len() < 20) {
                let handoff = HandoffId(u128::from(second * 2) + u128::from(urgency == Urgency::High));
                let wanted = Wanted { urgency, ..Trigger::Asked.into() };
                queue.join(Waiting { handoff, wanted, since: now, not: Vec::new() });
                if urgency == Urgency::Normal {
                    came.insert(handoff, now);
                }
            }
        }
        while let Some(next) = queue.next(&desks, &[], now) {
            let waiting = queue.leave(next).unwrap();
            let desk = desks.choose(&waiting.wanted, &[], now).unwrap().desk;
            desks.reserve(&desk, next).unwrap();
            busy.insert(desk, (next, now + service));
            if let Some(since) = came.remove(&next) {
                longest = longest.max(now.since(since));
            }
        }
    }
    // Before them are those who waited already, and those in a hurry who come within the head start: no more.
    assert!(longest > Duration::from_secs(120), "they did wait: {longest:?}");
    assert!(longest < Duration::from_secs(120) + service * 13, "{longest:?}");
    assert!(came.len() <= 3, "{} wait at the end", came.len());
}
