//! A promise to call somebody back, and what is known of it.

use crate::ids::{BadId, CallId, HandoffId};
use crate::package::HandoffPackage;
use crate::secret::Redacted;
use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

/// The public name of a callback; made like that of a handoff, and opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallbackId(pub HandoffId);

impl fmt::Display for CallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CallbackId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        text.parse().map(Self)
    }
}

/// What somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CallbackWish {
    /// Whom to call; without it the caller, at the number that the trunk gave.
    pub number: Option<String>,
    /// When: RFC 3339, or a local time such as `2026-11-23T10:00`; without it as soon as possible.
    pub at: Option<String>,
    /// The time zone of a local time; without it that of the opening hours.
    pub zone: Option<String>,
}

/// How far a callback is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CallbackState {
    /// It will be made.
    Promised,
    /// A human is there and the caller is being dialled. Found after a crash: nobody knows how that ended.
    Calling,
    /// Human and caller were joined.
    Kept,
    /// It was tried as often, or as long, as it may be.
    GivenUp,
    /// Somebody took it back.
    Cancelled,
}

impl CallbackState {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Promised, Self::Calling, Self::Kept, Self::GivenUp, Self::Cancelled];

    /// The token on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promised => "promised",
            Self::Calling => "calling",
            Self::Kept => "kept",
            Self::GivenUp => "given_up",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether somebody still waits for it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Promised | Self::Calling)
    }
}

/// A callback as it is kept. Times are milliseconds since 1970.
#[derive(Clone, PartialEq, Debug)]
pub struct Callback {
    /// Its name.
    pub id: CallbackId,
    /// Counts up with every change, from 1.
    pub version: u32,
    /// How far it is.
    pub state: CallbackState,
    /// Whom to call.
    pub number: Redacted,
    /// By which trunk.
    pub trunk: String,
    /// The call in which it was asked for.
    pub call: CallId,
    /// When it was asked for.
    pub asked_ms: u64,
    /// The time that was told.
    pub promised_ms: u64,
    /// When it is tried next.
    pub due_ms: u64,
    /// How often the caller was dialled.
    pub attempts: u8,
    /// What happened last, in words; empty at first.
    pub note: String,
    /// What was known when it was asked for.
    pub package: Arc<HandoffPackage>,
}

/// What a human is told of a caller who is called back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallbackNote {
    /// Its name.
    pub id: CallbackId,
    /// When it was asked for, milliseconds since 1970.
    pub asked_ms: u64,
    /// The time that the caller was told.
    pub promised_ms: u64,
    /// Which time the caller is dialled, from 1.
    pub attempt: u8,
}
