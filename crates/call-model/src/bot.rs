//! What passes between a call and a bot that is reached by WebSocket rather than SIP, and what any bot is told.

use crate::callback::CallbackId;
use crate::fact::FactKind;
use crate::ids::{CallId, HandoffId};
use crate::secret::{Redacted, Secret};
use core::time::Duration;

/// From the call to the connection of its bot.
#[derive(Clone, PartialEq, Debug)]
pub enum BotCommand {
    /// Connect and start the stream.
    Dial {
        /// `ws://` or `wss://`, from the configuration.
        url: String,
        /// Who is calling.
        from: Redacted,
        /// What they dialled.
        to: Redacted,
        /// Session-ID (RFC 7989), 32 hexadecimal characters: the call's name outside.
        session_id: String,
        /// The call, for the control URL.
        call: CallId,
        /// What the bot must present there.
        control_token: Secret,
        /// Set when a human had the caller before.
        resumed: Option<Box<Resumed>>,
    },
    /// A key the caller pressed.
    Digit(char),
    /// News about the handoff.
    Tell(BotUpdate),
    /// Say goodbye and close.
    Close,
}

/// What a bot that is dialled for a caller whom a human had is told at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resumed {
    /// Which handoff ended.
    pub handoff: HandoffId,
    /// How: an end token, such as `handed_back`.
    pub how: &'static str,
    /// What the human wants the bot to know; one line, may be empty.
    pub notes: String,
    /// What the bot knew when it handed over; one line, may be empty.
    pub summary: String,
}

/// What a bot is told about the handoff.
#[derive(Clone, PartialEq, Debug)]
pub enum BotUpdate {
    /// A human is being fetched.
    HandoffStarted {
        /// Why, the kind.
        trigger: &'static str,
        /// Estimated waiting time, when known.
        wait: Option<Duration>,
    },
    /// No human is free: the caller waits in line.
    HandoffQueued {
        /// Which place: 1 is next.
        place: usize,
        /// How long it may take, when known.
        wait: Option<Duration>,
    },
    /// A human took the call; the bot may go.
    HandoffAccepted,
    /// A human took the call, all three hear each other, and the bot introduces the human.
    Introduce {
        /// The desk.
        desk: String,
        /// How to call the human.
        display: String,
    },
    /// A human has the call, and the bot stays on, hearing both.
    CoPilot {
        /// The desk.
        desk: String,
    },
    /// A human had the call and gives the caller back.
    HandedBack {
        /// The handoff that brought the human the caller.
        handoff: HandoffId,
        /// What the human wants the bot to know; may be empty.
        notes: String,
        /// The desk.
        by: String,
        /// The outcome token of that handoff, such as `joined`.
        outcome: &'static str,
    },
    /// The caller will be called back: it is written down.
    CallbackAccepted {
        /// Its name.
        callback: CallbackId,
        /// When, as local time with zone (RFC 9557).
        at: String,
        /// It is later than was asked for: nobody is there before.
        moved: bool,
    },
    /// The caller will not be called back.
    CallbackRefused {
        /// A token, such as `not_allowed`.
        reason: &'static str,
        /// In words the bot can say.
        why: &'static str,
    },
    /// It did not work and the caller is the bot's again.
    HandoffFailed {
        /// An outcome token, such as `no_answer`.
        outcome: &'static str,
        /// In words the bot can say.
        why: String,
    },
}

/// From the bot's connection to the call.
#[derive(Clone, PartialEq, Debug)]
pub enum BotEvent {
    /// Connected and started.
    Up,
    /// Something the bot reported over its control channel.
    Fact(FactKind),
    /// The bot closed the stream in good order.
    Finished,
    /// The connection failed or died.
    Down {
        /// For the operator and the human.
        why: String,
    },
}
