//! What telephone lines do to a caller's audio must neither raise nor hide an alarm, stop the listening, nor crash it.

use call_model::{CallId, LegId, TapFrame};
use core::time::Duration;
use prosody::cost::syllables;
use prosody::ear::Ear;
use prosody::{Answer, Heard, Model, ModelConfig, Runner, Shift};
use prosody_features::{WINDOW_VALUES, wav};
use std::path::Path;

const LEG: LegId = LegId { call: CallId(3), index: 0 };
const PCMU: u8 = 0;
const PCMA: u8 = 8;

/// A caller on a line, listened to as live.
struct Line {
    ear: Ear,
    runner: Runner,
    sent: u16,
    timestamp: u32,
    heard: Vec<Heard>,
}

impl Line {
    fn new() -> Self {
        let model = Model::load(&ModelConfig::default()).expect("the shipped model loads");
        let runner = model.runner().expect("runs");
        // Near the end of the timestamps: they begin anew during every test.
        Self { ear: Ear::new(&model, 1.0), runner, sent: 65_500, timestamp: u32::MAX - 8000, heard: Vec::new() }
    }

    fn say(&mut self, samples: &[i16]) -> &mut Self {
        self.say_in(samples, PCMU, |_| true)
    }

    /// In a codec, over a line that carries only these packets.
    fn say_in(&mut self, samples: &[i16], codec: u8, carried: impl Fn(usize) -> bool) -> &mut Self {
        for (i, chunk) in samples.chunks_exact(160).enumerate() {
            let octets: Vec<u8> = chunk.iter().map(|s| encode(*s, codec)).collect();
            if carried(i) {
                self.packet(codec, &octets);
            }
            self.wait(160);
        }
        self
    }

    fn packet(&mut self, payload_type: u8, octets: &[u8]) {
        if self.ear.handle_packet(&TapFrame::new(LEG, self.sent, self.timestamp, payload_type, octets)) {
            let mut window = Vec::new();
            assert!(self.ear.take_window(&mut window));
            let answer = self.runner.run(&window).expect("a judgement");
            self.heard.push(self.ear.handle_answer(&answer));
        }
    }

    /// No packets for so many samples.
    fn wait(&mut self, samples: u32) -> &mut Self {
        (self.sent, self.timestamp) = (self.sent.wrapping_add(1), self.timestamp.wrapping_add(samples));
        self
    }

    fn shifts(&self) -> Vec<Shift> {
        self.heard.iter().filter_map(|heard| heard.shift).collect()
    }

    fn upset(&self) -> bool {
        self.shifts().contains(&Shift::Upset)
    }
}

fn recording(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/assets").join(name);
    wav::read(&std::fs::read(path).expect("asset")).expect("a WAV file")
}

fn calm() -> Vec<i16> {
    recording("caller-calm.wav")
}

fn upset() -> Vec<i16> {
    recording("caller-upset.wav")
}

/// The nearest octet, by search: tests need no speed.
fn encode(sample: i16, codec: u8) -> u8 {
    use prosody_features::g711::{alaw, mulaw};
    static MU: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    static A: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let (table, decode): (_, fn(u8) -> i16) = if codec == PCMA { (&A, alaw) } else { (&MU, mulaw) };
    let nearest = |sample: i32| (0..=255u8).min_by_key(|octet| i32::from(decode(*octet)).abs_diff(sample)).unwrap_or(0);
    table.get_or_init(|| (0..4096).map(|i| nearest(i * 16 - 32_768 + 8)).collect())
        [(i32::from(sample) + 32_768) as usize / 16]
}

fn tone(hertz: &[f64], seconds: usize) -> Vec<i16> {
    let at = |i: usize, f: f64| (core::f64::consts::TAU * f * i as f64 / 8000.0).sin();
    (0..seconds * 8000).map(|i| (hertz.iter().map(|f| at(i, *f)).sum::<f64>() * 9000.0) as i16).collect()
}

#[test]
fn the_calm_caller_is_calm_and_the_upset_one_is_noticed() {
    assert_eq!(Line::new().say(&calm()).shifts(), []);
    assert!(Line::new().say(&upset()).upset());
}

#[test]
fn a_change_of_codec_in_the_middle_is_not_heard() {
    let calm = calm();
    let (first, second) = calm.split_at(calm.len() / 2 / 160 * 160);
    let mut line = Line::new();
    line.say_in(first, PCMU, |_| true).say_in(second, PCMA, |_| true);
    let mut same = Line::new();
    same.say(&calm);
    assert_eq!((line.shifts(), line.heard.len()), (vec![], same.heard.len()));
    let apart = line.heard.iter().zip(&same.heard).map(|(a, b)| (a.corrected - b.corrected).abs()).fold(0.0, f32::max);
    assert!(apart < 0.6, "{apart}");
    assert!(Line::new().say_in(&upset(), PCMA, |_| true).upset());
}

#[test]
fn five_percent_loss_neither_raises_nor_hides_an_alarm() {
    let carried = |i: usize| (i * 7919) % 20 != 3;
    assert_eq!(Line::new().say_in(&calm(), PCMU, carried).shifts(), []);
    assert!(Line::new().say_in(&upset(), PCMU, carried).upset());
}

#[test]
fn a_hold_is_no_speech_and_what_was_learnt_of_the_caller_stays() {
    let mut line = Line::new();
    line.say(&calm());
    let before = line.heard.len();
    assert!(line.heard[before - 1].score.baselined);
    line.wait(120 * 8000);
    assert_eq!(line.heard.len(), before, "nobody speaks on hold");
    line.say(&calm());
    assert!(line.heard.len() > before && line.heard[before].score.baselined && line.shifts().is_empty());
}

#[test]
fn music_tones_keys_and_digital_silence_raise_nothing() {
    let music = recording("music.wav");
    assert_eq!(Line::new().say(&calm()).say(&music[..music.len().min(8000 * 30)]).shifts(), []);
    let mut line = Line::new();
    line.say(&calm());
    let before = line.heard.len();
    for _ in 0..50 {
        // A telephone-event; its packets are no audio.
        line.packet(101, &[5, 0x0a, 0, 160]);
        line.wait(160);
    }
    line.say(&tone(&[770.0, 1336.0], 5))
        .say(&vec![0; 8000 * 20])
        .say(&vec![i16::MAX; 8000 * 5])
        .say(&tone(&[425.0], 10));
    assert_eq!(line.shifts(), []);
    // Where a tone begins or ends it looks like a syllable; 45 s that were heard would be 40 windows.
    let windows = line.heard.len() - before;
    assert!(windows < 10, "{windows}");
}

#[test]
fn an_echo_of_the_bot_under_the_caller_raises_nothing() {
    let bot = recording("bot-fee.wav");
    let both: Vec<i16> = calm().iter().zip(bot.iter().cycle()).map(|(c, b)| c.saturating_add(b / 12)).collect();
    assert_eq!(Line::new().say(&both).shifts(), []);
}

#[test]
fn a_calm_second_person_on_the_callers_telephone_raises_nothing() {
    assert_eq!(Line::new().say(&calm()).say(&recording("desk-hello.wav")).say(&calm()).shifts(), []);
}

#[test]
fn a_clipping_telephone_is_heard_too() {
    let clipped = |samples: Vec<i16>| -> Vec<i16> { samples.iter().map(|s| s.saturating_mul(4)).collect() };
    assert_eq!(Line::new().say(&clipped(calm())).shifts(), []);
    assert!(Line::new().say(&clipped(upset())).upset());
}

#[test]
fn a_call_of_one_second_is_not_judged() {
    assert_eq!(Line::new().say(&syllables(1)).heard, []);
}

#[test]
fn what_is_no_number_is_an_error_and_the_next_window_is_judged() {
    let model = Model::load(&ModelConfig::default()).expect("loads");
    let mut runner = model.runner().expect("runs");
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        if let Ok(answer) = runner.run(&vec![wrong; WINDOW_VALUES]) {
            assert!(answer.values().iter().all(|p| p.is_finite()), "{wrong}: {answer:?}");
        }
    }
    assert!(runner.run(&vec![0.0; WINDOW_VALUES]).is_ok());
    assert!(runner.run(&[]).is_err() && runner.run(&vec![0.0; WINDOW_VALUES + 1]).is_err());
}

#[test]
fn ten_hours_are_heard_to_the_end() {
    let model = Model::load(&ModelConfig::default()).expect("loads");
    let mut ear = Ear::new(&model, 1.0);
    let minute: Vec<Vec<u8>> =
        syllables(60).chunks_exact(160).map(|chunk| chunk.iter().map(|s| encode(*s, PCMU)).collect()).collect();
    let (mut window, mut windows) = (Vec::new(), 0);
    for i in 0..10 * 3600 * 50u32 {
        let octets = &minute[i as usize % minute.len()];
        if ear.handle_packet(&TapFrame::new(LEG, i as u16, (u32::MAX / 2).wrapping_add(i * 160), PCMU, octets)) {
            window.clear();
            assert!(ear.take_window(&mut window));
            let heard = ear.handle_answer(&Answer { anger: 0.1, ..Answer::default() });
            assert!(heard.shift.is_none() && heard.corrected.is_finite());
            windows += 1;
        }
    }
    assert_eq!((windows, ear.media_time()), (10 * 3600 - 2, Duration::from_secs(10 * 3600)));
}
