//! The last 3 s of features, from which windows are cut.

use crate::{BANDS, FrameFeatures, ROWS, WINDOW_FRAMES, WINDOW_VALUES, mel};

/// A ring of the last [`WINDOW_FRAMES`] frames.
#[derive(Clone)]
pub struct History {
    frames: Box<[[f32; ROWS]; WINDOW_FRAMES]>,
    speech: [bool; WINDOW_FRAMES],
    next: usize,
    filled: usize,
}

impl History {
    /// A history of silence.
    pub fn new() -> Self {
        let floor = mel::FLOOR.ln();
        let silence = core::array::from_fn(|row| if row < BANDS { floor } else { 0.0 });
        Self { frames: Box::new([silence; WINDOW_FRAMES]), speech: [false; WINDOW_FRAMES], next: 0, filled: 0 }
    }

    /// Remembers a frame and forgets the one of 3 s ago.
    pub fn push(&mut self, frame: &FrameFeatures) {
        self.frames[self.next] = frame.rows;
        self.speech[self.next] = frame.speech;
        self.next = (self.next + 1) % WINDOW_FRAMES;
        self.filled = (self.filled + 1).min(WINDOW_FRAMES);
    }

    /// Whether 3 s have been heard.
    pub const fn is_full(&self) -> bool {
        self.filled == WINDOW_FRAMES
    }

    /// Frames of speech among the last [`WINDOW_FRAMES`].
    pub fn speech_frames(&self) -> usize {
        self.speech.iter().filter(|speech| **speech).count()
    }

    /// Share of speech among the last [`WINDOW_FRAMES`], 0..1.
    pub fn speech_ratio(&self) -> f32 {
        self.speech_frames() as f32 / WINDOW_FRAMES as f32
    }

    /// Writes the window row by row, oldest frame first. Before the first frame there was silence; slots past
    /// [`WINDOW_VALUES`] stay as they are, and a shorter slice is filled as far as it goes.
    pub fn write_window(&self, out: &mut [f32]) {
        let len = out.len().min(WINDOW_VALUES);
        for (row, line) in out[..len].chunks_mut(WINDOW_FRAMES).enumerate() {
            for (i, slot) in line.iter_mut().enumerate() {
                *slot = self.frames[(self.next + i) % WINDOW_FRAMES][row];
            }
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}
