//! The words every Warmline crate shares: time, ids, legs, media parameters, facts, decisions, the handoff package,
//! end causes and trace events.
//!
//! Plain values without behaviour worth a lock, a clock or a socket, and without `serde`: the shapes that leave the
//! process are owned by `http-api`, `ledger` and the gateway's config, and are converted by hand.

pub mod bot;
pub mod callback;
pub mod cause;
pub mod fact;
pub mod ids;
pub mod leg;
pub mod media;
pub mod package;
pub mod pop;
pub mod recording;
pub mod request;
pub mod secret;
pub mod srtp;
pub mod tap;
pub mod time;
pub mod trace;

pub use bot::{BotCommand, BotEvent, BotUpdate, Resumed};
pub use callback::{Callback, CallbackId, CallbackNote, CallbackState, CallbackWish};
pub use cause::{EndCause, EndReason, Party};
pub use fact::{Because, Decision, Emotion, Fact, FactKind, Layer, Speaker, Trigger, Urgency, VoiceScore};
pub use ids::{CallId, HandoffId, IdSource, InterfaceId, LegId, Role};
pub use leg::{HandoffOutcome, HandoffStage, Method, TransferState};
pub use media::{
    Codec, DialStep, Direction, KeysBy, LegStats, LocalMedia, MediaCommand, MediaEvent, Prompt, RemoteMedia, Selector,
};
pub use package::{Article, EarlierHandoff, HandoffEnd, HandoffPackage};
pub use pop::{DeskAction, DeskId, DeskState, Disposition, PopUpdate};
pub use recording::{RecordingCommand, RecordingWish};
pub use request::{HandoffRefused, HandoffRequest};
pub use secret::{Redacted, Secret};
pub use srtp::{Crypto, DtlsPeer, Fingerprint, IceLite, Keying, SrtpKey, SrtpSuite, SrtpUse};
pub use tap::TapFrame;
pub use time::{Instant, WallAnchor};
pub use trace::{TraceEvent, TraceKind};
