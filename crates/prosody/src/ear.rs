//! One caller's ear: packets or samples to due windows, answers to scores. Pure; the same for live and recorded audio.

use crate::adapter::Form;
use crate::listening::{Heard, Listening};
use crate::model::{Answer, Model};
use crate::stream::Stream;
use call_model::TapFrame;
use core::time::Duration;
use prosody_features::{Extractor, FRAME_SAMPLES, History};
use std::collections::VecDeque;

/// Frames from one window to the next: 1 s.
pub const HOP_FRAMES: usize = 50;
/// A window with fewer frames of speech is not worth a judgement: 0.6 s.
pub const LEAST_SPEECH: usize = 30;
/// A window that adds fewer frames of speech to the one before says nothing new: 0.2 s.
pub const LEAST_NEW_SPEECH: u32 = 10;
/// A whole recording with fewer frames of speech is not judged: 0.2 s.
const LEAST_SPEECH_EVER: usize = 10;

/// Features, gate, windows and judgement of one caller.
pub struct Ear {
    stream: Stream,
    sound: Sound,
    listening: Listening,
}

struct Sound {
    extractor: Extractor,
    history: History,
    form: Form,
    /// The last window of samples, for models that want no features.
    wave: VecDeque<i16>,
    heard_frames: usize,
    hop_frames: usize,
    since_window: usize,
    new_speech: u32,
    due: bool,
    quiet: u64,
}

impl Ear {
    /// An ear that has heard nothing, for this model, at a sensitivity in false alarms per hour.
    pub fn new(model: &Model, alarms_per_hour: f32) -> Self {
        Self {
            stream: Stream::new(),
            sound: Sound {
                extractor: Extractor::new(),
                history: History::new(),
                form: model.form(),
                wave: VecDeque::new(),
                heard_frames: 0,
                hop_frames: model.hop_frames(),
                since_window: 0,
                new_speech: 0,
                due: false,
                quiet: 0,
            },
            listening: Listening::new(&model.metadata().calibration, alarms_per_hour),
        }
    }

    /// Goes on with another model: what was heard stays, what was concluded does not, since another model's numbers
    /// mean something else. The caller's baseline begins anew.
    pub fn change_model(&mut self, model: &Model, alarms_per_hour: f32) {
        let sound = &mut self.sound;
        if sound.form != model.form() {
            (sound.heard_frames, sound.due) = (0, false);
            sound.wave.clear();
        }
        (sound.form, sound.hop_frames) = (model.form(), model.hop_frames());
        self.listening = Listening::new(&model.metadata().calibration, alarms_per_hour);
    }

    /// Takes a packet. True when a window became due; if one was due already, that one is gone.
    pub fn handle_packet(&mut self, packet: &TapFrame) -> bool {
        let (stream, sound) = (&mut self.stream, &mut self.sound);
        let mut due = false;
        stream.push(packet, &mut |samples| due |= sound.frame(samples));
        due
    }

    /// Takes 20 ms of samples that need no reordering. True when a window became due.
    pub fn handle_samples(&mut self, samples: &[i16; FRAME_SAMPLES]) -> bool {
        self.sound.frame(samples)
    }

    /// Makes a last window due at the end of a recording, if the speech since the last one is worth it. A recording
    /// shorter than a window has this one only.
    pub fn handle_end(&mut self) -> bool {
        let sound = &mut self.sound;
        if !sound.is_full() && sound.history.speech_frames() >= LEAST_SPEECH_EVER {
            sound.due = true;
            return true;
        }
        sound.since_window > 0 && sound.finish_hop()
    }

    /// Appends the due window, which ends now, to `out`. False when none is due.
    pub fn take_window(&mut self, out: &mut Vec<f32>) -> bool {
        let due = core::mem::take(&mut self.sound.due);
        if due {
            self.sound.write_window(out);
        }
        due
    }

    /// Takes the model's answer to the window taken last.
    pub fn handle_answer(&mut self, answer: &Answer) -> Heard {
        let new_speech = core::mem::take(&mut self.sound.new_speech);
        self.listening.handle_window(answer, self.sound.history.speech_ratio(), new_speech)
    }

    /// Media time heard so far, pauses included. Live packets only.
    pub fn media_time(&self) -> Duration {
        Duration::from_micros(self.stream.media() * 125)
    }

    /// Windows that held too little speech to be judged.
    pub const fn quiet_windows(&self) -> u64 {
        self.sound.quiet
    }
}

impl Sound {
    fn frame(&mut self, samples: &[i16; FRAME_SAMPLES]) -> bool {
        let features = self.extractor.frame(samples);
        self.history.push(&features);
        self.new_speech += u32::from(features.speech);
        self.since_window += 1;
        self.heard_frames = self.heard_frames.saturating_add(1);
        if self.form != Form::Features {
            let spare = (self.wave.len() + FRAME_SAMPLES).saturating_sub(self.form.values());
            self.wave.drain(..spare.min(self.wave.len()));
            self.wave.extend(samples);
        }
        self.since_window >= self.hop_frames && self.is_full() && self.finish_hop()
    }

    fn is_full(&self) -> bool {
        self.heard_frames >= self.form.frames()
    }

    /// Before the first frame of a call there was silence.
    fn write_window(&self, out: &mut Vec<f32>) {
        let start = out.len();
        out.resize(start + self.form.values(), 0.0);
        if self.form == Form::Features {
            return self.history.write_window(&mut out[start..]);
        }
        let silence = self.form.values() - self.wave.len();
        for (slot, sample) in out[start + silence..].iter_mut().zip(&self.wave) {
            *slot = f32::from(*sample) / 32768.0;
        }
    }

    fn finish_hop(&mut self) -> bool {
        self.since_window = 0;
        let worth = self.new_speech >= LEAST_NEW_SPEECH && self.history.speech_frames() >= LEAST_SPEECH;
        if worth {
            self.due = true;
        } else {
            self.quiet += 1;
        }
        worth
    }
}
