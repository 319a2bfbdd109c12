//! All calls and the SIP endpoint as one pure value. The only file that knows both SIP and calls.

use crate::config::SwitchboardConfig;
use call_model::{
    BotCommand, BotEvent, CallId, DeskAction, DeskId, FactKind, IdSource, Instant, LegId, MediaCommand, MediaEvent,
    PopUpdate, Redacted, Role, TraceEvent, TransferState, WallAnchor,
};
use sip_proto::Flow;
use sip_wire::{Malformed, Message};
use std::sync::Arc;

/// What the switchboard wants done.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// Where.
        flow: Flow,
        /// A whole SIP message.
        bytes: Vec<u8>,
    },
    /// For the media thread that owns the leg's call.
    Media(MediaCommand),
    /// For the connection of a bot that is reached by WebSocket. The first command for a leg is `Dial`.
    Bot {
        /// The bot leg.
        leg: LegId,
        /// What.
        command: BotCommand,
    },
    /// For a desk's page.
    Pop(PopUpdate),
    /// What happened.
    Trace(TraceEvent),
}

/// Why a control event was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlRefused {
    /// No such call, or it is over.
    UnknownCall,
    /// Not the token of that call.
    WrongToken,
}

/// Why a desk's action was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeskRefused {
    /// No such desk is configured.
    UnknownDesk,
    /// The handoff is not, or no longer, this desk's.
    NotYours,
}

/// Why the switchboard wants to wake up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerName {
    /// The SIP endpoint.
    Sip,
    /// A call: its transfer, rules or digits.
    Call,
    /// A port has rested.
    Port,
}

/// A call, for the API.
#[derive(Clone, PartialEq, Debug)]
pub struct CallView {
    /// Which.
    pub id: CallId,
    /// Session-ID (RFC 7989).
    pub session_id: String,
    /// The trunk's name.
    pub trunk: String,
    /// Who calls.
    pub from: Redacted,
    /// What they dialled.
    pub to: Redacted,
    /// When it began.
    pub began: Instant,
    /// Where it stands.
    pub state: TransferState,
    /// Since when.
    pub since: Instant,
    /// Its living legs.
    pub legs: Vec<(LegId, Role)>,
}

/// All calls and the SIP endpoint.
pub struct Switchboard {
    config: Arc<SwitchboardConfig>,
}

impl Switchboard {
    /// A switchboard without calls.
    pub fn new(config: Arc<SwitchboardConfig>, ids: IdSource, wall: WallAnchor) -> Self {
        let _ = (ids, wall);
        Self { config }
    }

    /// A UDP datagram from a known peer.
    pub fn handle_datagram(&mut self, flow: Flow, bytes: &[u8], now: Instant) {
        let _ = (flow, bytes, now);
    }

    /// A message from a TCP connection, framed.
    pub fn handle_framed(&mut self, flow: Flow, framed: Result<Message, Malformed>, now: Instant) {
        let _ = (flow, framed, now);
    }

    /// A connection broke, or an address is unreachable.
    pub fn handle_flow_failed(&mut self, flow: Flow, now: Instant) {
        let _ = (flow, now);
    }

    /// From the media path.
    pub fn handle_media(&mut self, event: MediaEvent, now: Instant) {
        let _ = (event, now);
    }

    /// From the connection of a bot reached by WebSocket.
    pub fn handle_bot(&mut self, leg: LegId, event: BotEvent, now: Instant) {
        let _ = (leg, event, now);
    }

    /// Something was observed about a call (the prosody model).
    pub fn handle_fact(&mut self, call: CallId, kind: FactKind, now: Instant) {
        let _ = (call, kind, now);
    }

    /// Something a bot reported over HTTP, with the call's token.
    pub fn handle_control(&mut self, call: CallId, token: &str, kind: FactKind, now: Instant) -> Result<(), ControlRefused> {
        let _ = (call, token, kind, now);
        Err(ControlRefused::UnknownCall)
    }

    /// From a desk's page.
    pub fn handle_desk(&mut self, desk: &DeskId, action: DeskAction, now: Instant) -> Result<(), DeskRefused> {
        let _ = (desk, action, now);
        Err(DeskRefused::UnknownDesk)
    }

    /// No new calls from now on; those that are up go on.
    pub fn drain(&mut self, now: Instant) {
        let _ = now;
    }

    /// Lets due timers fire.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When to call [`Self::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        None
    }

    /// What to do next; ask until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// The calls that are up.
    pub fn calls(&self) -> impl Iterator<Item = CallView> + '_ {
        core::iter::empty()
    }

    /// Whether nothing is left: no call, no dialog winding down.
    pub fn is_idle(&self) -> bool {
        let _ = &self.config;
        true
    }

    /// The invariants: while a caller leg is up exactly one selector feeds it, and no call is without end. For the
    /// simulator, after every step.
    ///
    /// # Errors
    /// Says which call broke what.
    pub fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
