//! The shipped model and the threads, as the gateway uses them.

use call_model::{CallId, LegId, TapFrame};
use prosody::cost::syllables;
use prosody::{Model, ModelConfig, Scorer, ScorerConfig, hear_samples, score_samples, score_wav};
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
            assert_eq!(scored.due, scored.at, "nobody had to wait");
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
        let _ = send.send((scored.leg, scored.due, scored.at));
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
    let (mut heard, mut waited) = (std::collections::BTreeMap::new(), false);
    while let Ok((leg, due, at)) = scores.recv_timeout(Duration::from_secs(2)) {
        assert!(due <= at && at - due < Duration::from_secs(1), "{due:?} {at:?}");
        waited |= due < at;
        *heard.entry(leg).or_insert(0u32) += 1;
    }
    assert!(waited);
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

#[test]
fn names_that_differ_are_an_adapters_business() {
    let mut bytes = std::fs::read(models().join("prosody.onnx")).expect("shipped");
    let places: Vec<usize> = bytes.windows(8).enumerate().filter(|(_, w)| *w == b"features").map(|(i, _)| i).collect();
    for place in places {
        bytes[place..place + 8].copy_from_slice(b"pictures");
    }
    let adapter = br#"
        name = "renamed"
        version = "2"
        licence = "none"
        [input]
        name = "pictures"
        form = "features"
        [emotion]
        output = "emotion"
        values = "probabilities"
        labels = ["neutral", "happy", "sad", "angry", "fear", "disgust"]
        [anger]
        output = "anger"
        [arousal]
        output = "arousal"
    "#;
    let config = ModelConfig {
        path: Some(in_temp("renamed.onnx", &bytes)),
        adapter: Some(in_temp("renamed.toml", adapter)),
        ..ModelConfig::default()
    };
    let (ours, theirs) = (shipped(), Model::load(&config).expect("loads"));
    assert_eq!(theirs.name(), "renamed 2");
    let anger = |model: &Model| -> Vec<f32> {
        score_samples(model, &syllables(8)).expect("runs").iter().map(|(_, score)| score.anger).collect()
    };
    assert_eq!(anger(&ours), anger(&theirs));
}

const WAVE: &str = r#"
    name = "loudness"
    version = "1"
    licence = "none"
    [input]
    name = "input_values"
    form = "waveform"
    rate = 16000
    window_s = 1.0
    hop_s = 0.5
    [emotion]
    output = "logits"
    labels = ["angry", "neutral", "-"]
"#;

fn wave(name: &str, adapter: &str) -> ModelConfig {
    ModelConfig {
        path: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wave.onnx")),
        adapter: Some(in_temp(name, adapter.as_bytes())),
        ..ModelConfig::default()
    }
}

#[test]
fn a_model_of_raw_samples_hears_the_same_windows_at_its_own_rate_and_hop() {
    let model = Model::load(&wave("wave.toml", WAVE)).expect("loads");
    let loud = syllables(6);
    let quiet: Vec<i16> = loud.iter().map(|s| s / 8).collect();
    let anger = |samples: &[i16]| -> Vec<(f32, f32)> {
        let heard = hear_samples(&model, samples, 1.0).expect("runs");
        heard.iter().map(|(t, heard)| (*t, heard.score.anger)).collect()
    };
    let (loud, quiet) = (anger(&loud), anger(&quiet));
    assert!(loud.len() >= 9 && loud.len() == quiet.len(), "{loud:?}");
    assert!(loud.iter().zip(&quiet).all(|(l, q)| l.1 > 2.0 * q.1 && l.0 == q.0), "{loud:?} {quiet:?}");
    assert!(loud.windows(2).all(|pair| (pair[1].0 - pair[0].0 - 0.5).abs() < 1e-3), "{loud:?}");
}

#[test]
fn an_adapters_golden_vector_is_kept_too() {
    let model = Model::load(&wave("wave-golden.toml", WAVE)).expect("loads");
    let golden = model.golden_answer().expect("runs").map(|value| value.to_string()).join(", ");
    let with = |golden: &str| WAVE.replacen("licence", &format!("golden_output = [{golden}]\nlicence"), 1);
    Model::load(&wave("wave-same.toml", &with(&golden))).expect("the same");
    let other = Model::load(&wave("wave-other.toml", &with("0.5,0,0,0.5,0,0,0.5,0.5,1"))).expect_err("another");
    assert!(other.to_string().contains("golden vector"), "{other}");
}

#[test]
fn an_adapter_that_does_not_fit_the_model_is_told_where() {
    for (from, to, told) in [
        ("rate = 16000", "rate = 8000", "[1, 16000]"),
        ("input_values", "samples", "`samples`"),
        ("\"logits\"", "\"answer\"", "`answer`"),
        ("\"-\"]", "\"-\", \"sad\"]", "[1, 3]"),
    ] {
        let config = wave(&format!("wave-{}.toml", told.len()), &WAVE.replace(from, to));
        let why = Model::load(&config).expect_err("refused").to_string();
        assert!(why.contains(told), "{told}: {why}");
    }
    let missing = ModelConfig { adapter: Some("/nonexistent.toml".into()), ..ModelConfig::default() };
    assert!(Model::load(&missing).expect_err("refused").to_string().contains("/nonexistent.toml"));
}

#[test]
fn a_model_that_is_not_ready_in_time_is_refused() {
    let config = ModelConfig { deadline: Duration::ZERO, ..ModelConfig::default() };
    let why = Model::load(&config).expect_err("no time").to_string();
    assert!(why.contains("not ready after 0 s"), "{why}");
}

#[test]
fn another_model_takes_over_while_calls_are_up_and_begins_with_a_fresh_baseline() {
    let model = shipped();
    let (send, scores) = mpsc::channel();
    let scorer = Scorer::start(ScorerConfig::default(), &model, move |scored| {
        let _ = send.send(scored);
    })
    .expect("starts");
    let leg = LegId { call: CallId(9), index: 0 };
    scorer.open(leg);
    let mut spoken = syllables(40).into_iter();
    let mut sent = 0u32;
    let mut until = |wanted: &dyn Fn(&prosody::Scored) -> bool| {
        for _ in 0..30 {
            for _ in 0..50 {
                let octets: Vec<u8> = spoken.by_ref().take(160).map(to_mulaw).collect();
                assert!(scorer.push(&TapFrame::new(leg, sent as u16, sent * 160, 0, &octets)));
                sent += 1;
            }
            while let Ok(scored) = scores.recv_timeout(Duration::from_millis(500)) {
                if wanted(&scored) {
                    return true;
                }
            }
        }
        false
    };
    assert!(until(&|scored| scored.score.baselined), "a baseline after 10 s");
    scorer.change_model(&Model::load(&wave("wave-live.toml", WAVE)).expect("loads")).expect("changed");
    assert!(until(&|scored| !scored.score.baselined), "the call goes on, its baseline anew");
    assert_eq!(scorer.model().name(), "loudness 1");
    assert_eq!(scorer.stats().failed, 0);
}

/// The nearest mu-law octet, by search: tests need no speed.
fn to_mulaw(sample: i16) -> u8 {
    let distance = |octet: u8| i32::from(prosody_features::g711::mulaw(octet)).abs_diff(i32::from(sample));
    let half: u8 = if sample < 0 { 0x00 } else { 0x80 };
    (half..=half + 0x7f).min_by_key(|octet| distance(*octet)).unwrap_or(0xff)
}
