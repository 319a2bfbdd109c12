//! What a decision costs: `cargo bench -p routing`.

use call_model::{HandoffId, Instant, Trigger, Urgency};
use criterion::{Criterion, criterion_group, criterion_main};
use routing::{Desk, Desks, HeadStarts, Presence, Queue, Waiting, Wanted};
use std::hint::black_box;

const DESKS: usize = 2_000;
const WAITING: usize = 10_000;
const NOW: Instant = Instant::from_millis(60_000);

fn desk(n: usize) -> Desk {
    Desk {
        skills: vec![["billing", "distress", "tax"][n % 3].to_owned()],
        languages: vec![["en", "es", "de", "fr"][n % 4].to_owned()],
        seniority: (n % 10) as u8,
        ..Desk::new(format!("desk-{n}"))
    }
}

/// A third of them taken, a third with nobody known to be there.
fn desks() -> Desks {
    let mut desks = Desks::new((0..DESKS).map(desk));
    for n in (0..DESKS).filter(|n| n % 7 > 1) {
        desks.set_presence(&desk(n).id, Presence::Available, NOW);
        if n % 7 > 4 {
            desks.reserve(&desk(n).id, HandoffId(n as u128)).expect("free");
        }
    }
    desks
}

fn choose(c: &mut Criterion) {
    let desks = desks();
    let wanted = Wanted { language: Some("es".to_owned()), ..Wanted::from(Trigger::Distress) };
    c.bench_function("a desk for one caller, of 2,000", |b| b.iter(|| black_box(desks.choose(&wanted, &[], NOW))));
}

/// Of 2,000 desks one is free, and does billing; a third of 10,000 callers want that.
fn next(c: &mut Criterion) {
    let mut desks = desks();
    for n in 1..DESKS {
        let _taken_already = desks.reserve(&desk(n).id, HandoffId(100_000 + n as u128));
    }
    let free = desk(0).id;
    let mut queue = Queue::new(HeadStarts::default());
    for n in 0..WAITING {
        let skill = Some(["distress", "tax", "billing"][n % 3].to_owned());
        let urgency = [Urgency::Normal, Urgency::High, Urgency::Emergency][n % 7 % 3];
        let wanted = Wanted { skill, urgency, ..Wanted::from(Trigger::Asked) };
        let since = Instant::from_millis(n as u64 * 100);
        queue.join(Waiting { handoff: HandoffId(n as u128), wanted, since, not: Vec::new() });
    }
    let mut in_vain = queue.clone();
    for waiting in queue.iter() {
        in_vain.join(Waiting { not: vec![(free.clone(), None)], ..waiting.clone() });
    }
    let last = queue.iter().last().expect("somebody").handoff;
    let now = Instant::from_millis(2_000_000);
    c.bench_function("who of 10,000 gets the one of 2,000 desks that is free", |b| {
        b.iter(|| black_box(queue.next(&desks, &[], now).expect("somebody")));
    });
    c.bench_function("nobody of 10,000: it is the wrong desk, or has declined each", |b| {
        b.iter(|| assert_eq!(black_box(in_vain.next(&desks, &[], now)), None));
    });
    c.bench_function("the place of the last of 10,000", |b| b.iter(|| black_box(queue.place(last))));
    c.bench_function("to leave 10,000 and to join them", |b| {
        b.iter(|| {
            let gone = queue.leave(HandoffId(5_000)).expect("waits");
            queue.join(gone);
        });
    });
}

criterion_group!(benches, choose, next);
criterion_main!(benches);
