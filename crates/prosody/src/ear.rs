//! One caller's ear: packets or samples to due windows, answers to scores. Pure; the same for live and recorded audio.

use crate::calibration::Calibration;
use crate::listening::{Heard, Listening};
use crate::model::Answer;
use crate::stream::Stream;
use call_model::TapFrame;
use core::time::Duration;
use prosody_features::{Extractor, FRAME_SAMPLES, History};

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
    since_window: usize,
    new_speech: u32,
    due: bool,
    quiet: u64,
}

impl Ear {
    /// An ear that has heard nothing.
    pub fn new(calibration: &Calibration, alarms_per_hour: f32) -> Self {
        Self {
            stream: Stream::new(),
            sound: Sound {
                extractor: Extractor::new(),
                history: History::new(),
                since_window: 0,
                new_speech: 0,
                due: false,
                quiet: 0,
            },
            listening: Listening::new(calibration, alarms_per_hour),
        }
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
        if !sound.history.is_full() && sound.history.speech_frames() >= LEAST_SPEECH_EVER {
            sound.due = true;
            return true;
        }
        sound.since_window > 0 && sound.finish_hop()
    }

    /// Writes the features of the due window, which ends now. False when none is due.
    pub fn take_window(&mut self, out: &mut [f32]) -> bool {
        if core::mem::take(&mut self.sound.due) {
            self.sound.history.write_window(out);
            return true;
        }
        false
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
        self.since_window >= HOP_FRAMES && self.history.is_full() && self.finish_hop()
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
