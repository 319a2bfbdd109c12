//! Cost of one second of audio (50 frames), as the gateway computes it.

use criterion::{Criterion, criterion_group, criterion_main};
use prosody_features::{Extractor, FRAME_SAMPLES};
use std::hint::black_box;

fn features(c: &mut Criterion) {
    let mut seed = 1u32;
    let second: Vec<[i16; FRAME_SAMPLES]> = (0..50)
        .map(|_| {
            core::array::from_fn(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 20) as i16 - 2048
            })
        })
        .collect();
    let mut extractor = Extractor::new();
    c.bench_function("features of one second", |b| {
        b.iter(|| {
            for frame in &second {
                black_box(extractor.frame(black_box(frame)));
            }
        });
    });
}

criterion_group!(benches, features);
criterion_main!(benches);
