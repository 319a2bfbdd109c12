//! Features must not drift: a model trained on yesterday's would hear something else today.

use prosody_features::{Extractor, FRAME_SAMPLES, History, WINDOW_VALUES};

/// A second of a buzz at 130 Hz whose loudness follows syllables, over faint noise; integer arithmetic only.
fn buzz() -> Vec<i16> {
    let (mut seed, mut phase) = (99u32, 0i32);
    (0..8000)
        .map(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            phase = (phase + 130) % 8000;
            let loud = if i % 2000 < 1300 { 6 } else { 1 };
            // A saw-tooth has all harmonics.
            (phase - 4000) / 3 * loud / 4 + (seed >> 25) as i32
        })
        .map(|sample| i16::try_from(sample).unwrap_or(0))
        .collect()
}

#[test]
fn the_features_of_a_known_sound_are_what_they_were() {
    let frames = Extractor::recording(&buzz());
    let rows = frames[5].rows;
    let picked = [0, 10, 20, 39, 40, 47, 48, 63].map(|row| rows[row]);
    let same = picked.iter().zip(EXPECTED).all(|(got, wanted)| (got - wanted).abs() < 2e-3);
    assert!(same, "{picked:?}: if this change is meant, the models in models/ must be trained anew");
    let speech = frames.iter().filter(|frame| frame.speech).count();
    assert_eq!(speech, EXPECTED_SPEECH);
}

const EXPECTED: [f32; 8] = [-0.2083, -2.0758, -3.3737, -5.1445, 0.0028, 0.0877, 0.2503, -0.0133];
const EXPECTED_SPEECH: usize = 37;

#[test]
fn it_makes_no_difference_how_the_audio_comes() {
    let sound = buzz();
    let whole = Extractor::recording(&sound);
    let mut extractor = Extractor::new();
    let pieces: Vec<_> = sound
        .chunks_exact(FRAME_SAMPLES)
        .map(|chunk| extractor.frame(chunk.try_into().expect("whole frames")))
        .collect();
    assert_eq!(whole, pieces);
}

#[test]
fn a_window_is_rows_of_time_oldest_first() {
    let (mut history, mut window) = (History::new(), vec![0.0; WINDOW_VALUES]);
    let frames = Extractor::recording(&buzz().repeat(4));
    frames.iter().for_each(|frame| history.push(frame));
    history.write_window(&mut window);
    let last = frames.len() - 1;
    assert_eq!((window[149], window[0]), (frames[last].rows[0], frames[last - 149].rows[0]));
    assert_eq!((window[63 * 150 + 149], window[150]), (frames[last].rows[63], frames[last - 149].rows[1]));
}

#[test]
fn every_value_is_finite_for_extreme_sounds() {
    for sample in [i16::MIN, i16::MAX, 0, 1] {
        let square: Vec<i16> = (0..1600).map(|i| if i % 16 < 8 { sample } else { sample.saturating_neg() }).collect();
        assert!(Extractor::recording(&square).iter().all(|frame| frame.rows.iter().all(|value| value.is_finite())));
    }
}
