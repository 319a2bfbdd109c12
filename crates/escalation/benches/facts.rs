//! What a fact costs: `cargo bench -p escalation`.

use call_model::{Fact, FactKind, Instant, Speaker, VoiceScore};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use escalation::{Engine, Rules};
use std::hint::black_box;
use std::sync::Arc;

/// What is said, again and again.
const TURNS: [(Speaker, &str); 4] = [
    (Speaker::Caller, "Hello, I am calling about a late fee on my last statement, it shows twenty five dollars"),
    (Speaker::Bot, "I can help with that. Could you tell me the last four digits of your account?"),
    (Speaker::Caller, "It ends in four four one seven, and the payment went out in the morning of the third"),
    (Speaker::Bot, "Thank you. I see the payment, it arrived in time, so the fee will be taken off."),
];

fn facts(c: &mut Criterion) {
    let rules = Arc::new(Rules::default_pack());
    let voice =
        |_| FactKind::Voice(VoiceScore { distress: 0.2, speech_ratio: 0.8, baselined: true, ..VoiceScore::default() });
    let turn = |second: usize| {
        let (speaker, text) = TURNS[second % TURNS.len()];
        FactKind::Turn { speaker, text: text.to_owned(), confidence: Some(0.95) }
    };
    let intent = |_| FactKind::Intent { name: "late_fee".to_owned(), confidence: Some(0.93) };
    let action = |_| FactKind::Action { name: "lookup".to_owned(), succeeded: true, result: "found".to_owned() };
    let talk = |second: usize| match second % 10 {
        0 | 5 => turn(second / 5),
        3 => intent(second),
        8 => action(second),
        _ => voice(second),
    };
    let kinds: [(&str, &dyn Fn(usize) -> FactKind); 4] = [
        ("voice", &voice),
        ("turn", &turn),
        ("intent", &intent),
        ("a call's mix: 6 voice, 2 turns, intent, action", &talk),
    ];
    let mut group = c.benchmark_group("general pack, one fact");
    group.throughput(Throughput::Elements(1));
    for (name, kind) in kinds {
        let made: Vec<FactKind> = (0..40).map(kind).collect();
        group.bench_function(name, |b| {
            let mut engine = Engine::new(Arc::clone(&rules));
            let mut second = 0;
            b.iter(|| {
                second += 1;
                let at = Instant::from_millis(second as u64 * 1_000);
                engine.handle_fact(&Fact { at, kind: made[second % made.len()].clone() });
                black_box(engine.poll_output())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, facts);
criterion_main!(benches);
