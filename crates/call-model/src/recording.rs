//! The recording of a call: what the gateway is told to write, and what others may ask of it.

use crate::ids::LegId;

/// From the switchboard to whatever writes recordings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordingCommand {
    /// Write down what these ears hear from now on. They are opened and fed by [`crate::MediaCommand`]s.
    Begin {
        /// Its name: random, says nothing about the call.
        name: String,
        /// The ears, one or two.
        ears: Vec<LegId>,
        /// Each ear has a channel of its own, the first the left one; otherwise all are mixed into one.
        stereo: bool,
    },
    /// That was all.
    End {
        /// Which.
        name: String,
    },
}

/// What is asked of the recording of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordingWish {
    /// The caller agrees to it.
    Start,
    /// Silence instead of what is said, until `Resume`.
    Pause,
    /// Go on.
    Resume,
    /// End it for good.
    Stop,
}

impl RecordingWish {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Start, Self::Pause, Self::Resume, Self::Stop];

    /// The token used on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
        }
    }
}
