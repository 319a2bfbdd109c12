//! The heart of Warmline: calls, their legs, the transfer saga, the screen pop and the port pool, as pure values.
//!
//! [`Switchboard`] holds all calls and the SIP endpoint. It opens no socket and reads no clock: feed it what arrived
//! with `handle_*`, drain `poll_output`, then sleep until `poll_timeout`. A call speaks legs, never SIP methods; only
//! `switchboard` maps SIP dialogs to legs. RTP never passes here: see [`call_model::MediaCommand`].

/// Whether a deliberate bug is awake; never, unless the feature `mutations` is on.
#[cfg(feature = "mutations")]
macro_rules! mutated {
    ($config:expr, $which:ident) => {
        $config.mutation == Some($crate::mutation::Mutation::$which)
    };
}
/// Whether a deliberate bug is awake: never.
#[cfg(not(feature = "mutations"))]
macro_rules! mutated {
    ($config:expr, $which:ident) => {
        false
    };
}

mod beside;
mod blind;
mod bot;
mod browser;
mod call;
mod callbacks;
mod calling_back;
mod capability;
mod choreography;
pub mod config;
mod consult;
mod controls;
mod digits;
mod early;
mod ending;
mod handback;
mod hearing;
mod held;
mod info;
mod inputs;
mod interfaces;
mod invariants;
mod invite;
mod join;
mod known;
mod leg;
mod message;
mod metadata;
mod minutes;
#[cfg(feature = "mutations")]
pub mod mutation;
mod passing;
mod peers;
mod pop;
mod popping;
mod ports;
pub mod profile;
mod recorder;
mod recording;
mod referral;
mod release;
mod replaced;
mod reply;
mod requested;
mod retransfer;
mod seats;
mod signalling;
mod switchboard;
mod transfer;
mod typing;
mod waiting;
mod watchdog;
mod whisper;

#[cfg(test)]
mod tests;

pub use callbacks::{CallbackRefusal, Callbacks, Date, Hours, OpenSpan, plain_number};
pub use capability::{Ability, AbilityView, CapabilityView, Evidence, PeerKind};
pub use config::{
    Abilities, AcceptGate, Bot, BotReach, Choreography, CoPilot, Consent, Desk, HandBack, Handover, Introduce, Manual,
    Network, OnBotClose, OnBotRefusal, OnHumanGone, Otherwise, Outbound, Pattern, Queueing, Record, RecordTo, Recorded,
    Recorder, Recording, ReferTo, Release, Route, RouteTo, SwitchboardConfig, Target, Timers, Trunk, Voicemails, Way,
    WhileConsulting,
};
pub use info::KeysOut;
pub use interfaces::{Interface, Interfaces, SipAddresses};
pub use invite::{ConsultInvite, Outgoing, consult_invite};
pub use leg::HandoffFacts;
pub use passing::passable;
pub use peers::{Peers, contains};
pub use profile::Profile;
pub use routing::{HeadStarts, Order, Presence, Wanted};
pub use seats::PresenceView;
pub use signalling::{CallerId, Register, Signalling};
pub use switchboard::{
    CallView, CallbackFixed, ControlRefused, DeskRefused, Output, RecordingRefused, Registered, RegistrationStatus,
    Switchboard, TargetView, TimerName, WaitingView,
};
