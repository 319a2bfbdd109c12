//! Where the switchboard loop leaves what happened, and pages and tails pick it up.

use crate::metrics::Metrics;
use call_model::{PopUpdate, TraceEvent, WallAnchor};
use std::sync::Arc;

/// Sizes of the rings. The defaults hold ten minutes of a busy node in a few megabytes.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// By which instants get dates.
    pub wall: WallAnchor,
    /// Desk events kept per desk for `Last-Event-ID`. Default 1024.
    pub desk_ring: usize,
    /// Trace events kept for tails that fall behind or open late. Default 16384.
    pub trace_ring: usize,
    /// Ended calls kept for `GET /v1/calls`. Default 512.
    pub ended_calls: usize,
}

impl HubConfig {
    /// The default sizes.
    pub fn new(wall: WallAnchor) -> Self {
        Self { wall, desk_ring: 1024, trace_ring: 16_384, ended_calls: 512 }
    }
}

/// Current pops per desk, live calls, the latest trace events and the counters. Clones share one content.
#[derive(Clone, Debug)]
pub struct Hub {
    metrics: Arc<Metrics>,
}

impl Hub {
    /// An empty hub.
    pub fn new(_config: HubConfig) -> Self {
        Self { metrics: Arc::new(Metrics::default()) }
    }

    /// A pop changed. Never waits for a page.
    pub fn pop(&self, _update: &PopUpdate) {}

    /// Something happened. Never waits for a tail.
    pub fn trace(&self, _event: &TraceEvent) {}

    /// Counters and gauges that only the gateway knows.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Ends all event streams. [`crate::serve`] does it when it is told to stop.
    pub fn close(&self) {}
}
