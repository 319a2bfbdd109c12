//! The shipped model and the threads, as the gateway uses them.

use call_model::{CallId, LegId, TapFrame};
use prosody::{Model, ModelConfig, Scorer, ScorerConfig, score_samples, score_wav};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

fn shipped() -> Model {
    Model::load(&ModelConfig::default()).expect("the shipped model loads")
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// Speech-like noise: syllables with pauses, enough to open the gate.
fn syllables(seconds: usize) -> Vec<i16> {
    let mut seed = 1u32;
    (0..seconds * 8000)
        .map(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 18) as i16 - 8192;
            if i % 2400 < 1600 { noise / 2 } else { noise / 200 }
        })
        .collect()
}

fn in_temp(name: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("warmline-{}-{name}", std::process::id()));
    std::fs::File::create(&path).and_then(|mut file| file.write_all(bytes)).expect("temporary file");
    path
}

fn load_error(path: PathBuf) -> String {
    let config = ModelConfig { path: Some(path), ..ModelConfig::default() };
    Model::load(&config).expect_err("refused").to_string()
}

#[test]
fn the_shipped_model_passes_its_golden_vector_and_says_what_it_is() {
    let model = shipped();
    assert!(model.name().starts_with("warmline-prosody "), "{}", model.name());
    assert!(model.metadata().training_sets.contains("emodb"), "{:?}", model.metadata());
    assert!(["tract", "onnxruntime"].contains(&model.backend()));
}

#[test]
fn files_that_are_no_model_are_refused_with_what_to_do() {
    assert!(load_error("/nonexistent/model.onnx".into()).contains("cannot read"));
    assert!(load_error(in_temp("garbage.onnx", b"not a model")).contains("models/CONTRACT.md"));
    let whole = std::fs::read(models().join("prosody.onnx")).expect("shipped");
    let cut = load_error(in_temp("cut.onnx", &whole[..whole.len() / 2]));
    assert!(cut.contains("CONTRACT") && cut.contains("cut off"), "{cut}");
}

#[test]
fn a_model_with_altered_weights_fails_its_golden_vector() {
    let mut bytes = std::fs::read(models().join("prosody.onnx")).expect("shipped");
    // Zeroing a stretch of weights keeps the file well-formed and makes the answers wrong.
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0);
    let why = load_error(in_temp("altered.onnx", &bytes));
    assert!(why.contains("golden vector") || why.contains("CONTRACT"), "{why}");
}

#[test]
fn a_model_of_other_shapes_is_refused_by_name() {
    // The input's name is changed in place, wherever the graph mentions it.
    let mut bytes = std::fs::read(models().join("prosody.onnx")).expect("shipped");
    let places: Vec<usize> = bytes.windows(8).enumerate().filter(|(_, w)| *w == b"features").map(|(i, _)| i).collect();
    for place in places {
        bytes[place..place + 8].copy_from_slice(b"pictures");
    }
    let why = load_error(in_temp("pictures.onnx", &bytes));
    assert!(why.contains("`pictures`") && why.contains("`features`"), "{why}");
}

#[test]
fn silence_tones_and_noise_are_no_speech_and_give_no_judgement() {
    let model = shipped();
    let tone: Vec<i16> = (0..80_000).map(|i| ((f64::from(i) * 0.4).sin() * 9000.0) as i16).collect();
    for (name, samples) in [("silence", vec![0; 80_000]), ("tone", tone), ("clipped", vec![i16::MAX; 80_000])] {
        assert_eq!(score_samples(&model, &samples).expect("runs"), [], "{name}");
    }
    assert_eq!(score_samples(&model, &[]).expect("runs"), []);
}

#[test]
fn a_short_recording_has_one_window_and_every_value_is_a_probability() {
    let model = shipped();
    assert_eq!(score_samples(&model, &syllables(2)).expect("runs").len(), 1);
    for (t, score) in score_samples(&model, &syllables(20)).expect("runs") {
        let values = [score.anger, score.arousal, score.distress, score.confidence, score.speech_ratio];
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)), "{t}: {score:?}");
    }
}

#[test]
fn a_recording_that_is_no_wav_is_refused() {
    let path = in_temp("song.wav", b"ID3 music");
    let why = score_wav(&shipped(), &path).expect_err("refused").to_string();
    assert!(why.contains("not a WAV file"), "{why}");
}

#[test]
fn packets_on_threads_are_heard_like_the_recording() {
    let model = shipped();
    let (send, scores) = mpsc::channel();
    let scorer = Scorer::start(ScorerConfig::default(), &model, move |scored| {
        let _ = send.send(scored);
    })
    .expect("starts");
    let samples = syllables(6);
    let leg = LegId { call: CallId(7), index: 0 };
    scorer.open(leg);
    let (mut decoded, mut live) = (Vec::new(), Vec::new());
    for (i, chunk) in samples.chunks_exact(160).enumerate() {
        let octets: Vec<u8> = chunk.iter().map(|s| to_mulaw(*s)).collect();
        decoded.extend(octets.iter().map(|octet| prosody_features::g711::mulaw(*octet)));
        assert!(scorer.push(&TapFrame::new(leg, i as u16, (i * 160) as u32, 0, &octets)));
        // A window a second from the third on; waiting for each keeps any from being shed.
        if i >= 149 && (i + 1) % 50 == 0 {
            let scored = scores.recv_timeout(Duration::from_secs(30)).expect("a window a second");
            live.push((scored.at.as_secs_f32(), scored.score));
        }
    }
    assert_eq!(live, score_samples(&model, &decoded).expect("runs"));
    assert_eq!((live.len(), scorer.stats().dropped, scorer.stats().windows), (4, 0, 4));
}

#[test]
fn a_full_queue_drops_packets_and_never_blocks() {
    let model = shipped();
    let config = ScorerConfig { queue: 4, ..ScorerConfig::default() };
    let scorer = Scorer::start(config, &model, |_| {}).expect("starts");
    let leg = LegId { call: CallId(1), index: 0 };
    scorer.open(leg);
    let packet = TapFrame::new(leg, 0, 0, 0, &[0xff; 160]);
    let taken = (0..10_000).filter(|_| scorer.push(&packet)).count() as u64;
    assert!(taken >= 4 && scorer.stats().dropped == 10_000 - taken && scorer.stats().dropped > 0);
}

#[test]
fn packets_of_legs_that_are_not_open_are_ignored() {
    let model = shipped();
    let scorer = Scorer::start(ScorerConfig::default(), &model, |_| panic!("nobody is listened to")).expect("starts");
    let leg = LegId { call: CallId(2), index: 0 };
    for (i, chunk) in syllables(4).chunks_exact(160).enumerate() {
        let octets: Vec<u8> = chunk.iter().map(|s| to_mulaw(*s)).collect();
        scorer.push(&TapFrame::new(leg, i as u16, (i * 160) as u32, 0, &octets));
    }
    drop(scorer);
}

#[test]
fn under_overload_windows_are_shed_evenly_and_counted() {
    let model = shipped();
    let (send, scores) = mpsc::channel();
    let config = ScorerConfig { queue: 1 << 16, ..ScorerConfig::default() };
    let scorer = Scorer::start(config, &model, move |scored| {
        let _ = send.send(scored.leg);
    })
    .expect("starts");
    let legs: Vec<_> = (0..8).map(|i| LegId { call: CallId(i), index: 0 }).collect();
    legs.iter().for_each(|leg| scorer.open(*leg));
    // 20 s for each of 8 callers at once: far more than real time.
    for (i, chunk) in syllables(20).chunks_exact(160).enumerate() {
        let octets: Vec<u8> = chunk.iter().map(|s| to_mulaw(*s)).collect();
        for leg in &legs {
            scorer.push(&TapFrame::new(*leg, i as u16, (i * 160) as u32, 0, &octets));
        }
    }
    let mut heard = std::collections::BTreeMap::new();
    while let Ok(leg) = scores.recv_timeout(Duration::from_secs(2)) {
        *heard.entry(leg).or_insert(0u32) += 1;
    }
    let stats = scorer.stats();
    assert!(stats.shed > 0 && stats.windows + stats.quiet + stats.shed == 8 * 18, "{stats:?}");
    let (least, most) = (heard.values().min(), heard.values().max());
    assert!(heard.len() == 8 && least.zip(most).is_some_and(|(l, m)| m - l <= 2), "{heard:?}");
}

#[test]
fn a_library_asked_for_that_does_not_load_is_an_error_and_spoils_nothing() {
    let config = ModelConfig { onnxruntime: Some(in_temp("lib.so", b"no library")), ..ModelConfig::default() };
    let error = Model::load(&config).expect_err("it is no library").to_string();
    assert!(error.contains("cannot use libonnxruntime") && error.contains("lib.so"), "{error}");
    let model = Model::load(&ModelConfig::default()).expect("nothing was asked for");
    if std::env::var_os(prosody::runtime::LIBRARY_VARIABLE).is_none() {
        assert_eq!(model.backend(), "tract");
    }
}

/// The nearest mu-law octet, by search: tests need no speed.
fn to_mulaw(sample: i16) -> u8 {
    let distance = |octet: u8| i32::from(prosody_features::g711::mulaw(octet)).abs_diff(i32::from(sample));
    let half: u8 = if sample < 0 { 0x00 } else { 0x80 };
    (half..=half + 0x7f).min_by_key(|octet| distance(*octet)).unwrap_or(0xff)
}
