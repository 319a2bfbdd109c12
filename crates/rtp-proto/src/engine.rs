//! The engine: all legs of all calls of one media thread.

use crate::api::{EngineConfig, LegSlot, Output, Relay, TapSink, TimerName};
use call_model::{IdSource, Instant, LegId, LegStats, MediaCommand};
use core::net::SocketAddr;
use std::collections::VecDeque;

/// Legs of many calls that live on one media thread.
///
/// Drain [`Self::poll_output`] after every `handle_*`, then read [`Self::poll_timeout`].
pub struct MediaEngine {
    config: EngineConfig,
    ids: IdSource,
    tap: Box<dyn TapSink>,
    outputs: VecDeque<Output>,
}

impl MediaEngine {
    /// An engine without legs. `ids` gives SSRCs, first sequence numbers and timestamps, and RTCP intervals.
    pub fn new(config: EngineConfig, ids: IdSource, tap: Box<dyn TapSink>) -> Self {
        Self { config, ids, tap, outputs: VecDeque::new() }
    }

    /// Carries out a command. Commands about legs that are not open are ignored.
    pub fn handle_command(&mut self, command: &MediaCommand, now: Instant) {
        let _ = (command, now, &self.config, &mut self.ids, &mut self.tap);
    }

    /// The dense place of an open leg.
    pub fn slot_of(&self, leg: LegId) -> Option<LegSlot> {
        let _ = leg;
        None
    }

    /// A datagram came to the leg's RTP port. Hot path: rewritten in place, no allocation.
    ///
    /// `Some`: send it now. Further listeners of the same source, if any, are served through [`Self::poll_output`].
    pub fn handle_rtp<'b>(
        &mut self,
        slot: LegSlot,
        from: SocketAddr,
        packet: &'b mut [u8],
        now: Instant,
    ) -> Option<Relay<'b>> {
        let _ = (slot, from, packet, now);
        None
    }

    /// A datagram came to the leg's RTCP port.
    pub fn handle_rtcp(&mut self, slot: LegSlot, from: SocketAddr, packet: &[u8], now: Instant) {
        let _ = (slot, from, packet, now);
    }

    /// Audio from a WebSocket bot: mu-law, any length; buffered and played at 20 ms.
    pub fn handle_stream_audio(&mut self, leg: LegId, mulaw: &[u8], now: Instant) {
        let _ = (leg, mulaw, now);
    }

    /// A mark from a WebSocket bot: reported once the audio sent before it has played.
    pub fn handle_stream_mark(&mut self, leg: LegId, name: String, now: Instant) {
        let _ = (leg, name, now);
    }

    /// A WebSocket bot drops what it sent and has not been played; its pending marks are reported.
    pub fn handle_stream_clear(&mut self, leg: LegId, now: Instant) {
        let _ = (leg, now);
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// What to do next, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why; `None` when nothing is pending.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        None
    }

    /// The numbers of an open leg so far.
    pub fn stats(&self, leg: LegId) -> Option<LegStats> {
        let _ = leg;
        None
    }

    /// Tapped frames that the sink had no room for.
    pub fn tap_dropped(&self) -> u64 {
        0
    }
}
