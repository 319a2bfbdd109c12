//! What a decision costs: `cargo bench -p routing`.

use call_model::{HandoffId, Instant, Trigger};
use criterion::{Criterion, criterion_group, criterion_main};
use routing::{Desk, Desks, Presence, Wanted};
use std::hint::black_box;

const DESKS: usize = 2_000;
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

criterion_group!(benches, choose);
criterion_main!(benches);
