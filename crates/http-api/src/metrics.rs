//! The list of metrics is a type.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters and gauges the gateway feeds. Those that follow from trace events (calls, decisions, handoffs, pops) are
/// counted by the hub itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(usize)]
pub enum Metric {
    /// RTP packets relayed (counter).
    PacketsRelayed,
    /// RTP packets refused: wrong source, not RTP, wrong payload type (counter).
    PacketsRefused,
    /// SIP messages from addresses that are no peer of ours, dropped before parsing (counter).
    UnknownSource,
    /// SIP messages from peers that could not be parsed (counter).
    Malformed,
    /// Windows of speech scored (counter).
    WindowsScored,
    /// Windows not scored because the scorer was late (counter).
    WindowsShed,
    /// Tap frames dropped because the ring was full (counter).
    TapDropped,
    /// Ledger rows dropped because the disk was stuck (counter).
    LedgerDropped,
    /// Calls refused for want of ports or by the limit (counter).
    CallsRefused,
    /// RTP port pairs in use (gauge).
    PortsInUse,
    /// Configured trunks and desks that answer OPTIONS (gauge).
    PeersUp,
    /// 1 while draining (gauge).
    Draining,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::PacketsRelayed,
        Self::PacketsRefused,
        Self::UnknownSource,
        Self::Malformed,
        Self::WindowsScored,
        Self::WindowsShed,
        Self::TapDropped,
        Self::LedgerDropped,
        Self::CallsRefused,
        Self::PortsInUse,
        Self::PeersUp,
        Self::Draining,
    ];
}

/// Cheap from any thread: one atomic per metric.
#[derive(Debug, Default)]
pub struct Metrics {
    values: [AtomicU64; Metric::ALL.len()],
}

impl Metrics {
    /// Adds to a counter.
    pub fn add(&self, metric: Metric, by: u64) {
        self.values[metric as usize].fetch_add(by, Ordering::Relaxed);
    }

    /// Sets a gauge, or a counter whose owner keeps the total.
    pub fn set(&self, metric: Metric, value: u64) {
        self.values[metric as usize].store(value, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self, metric: Metric) -> u64 {
        self.values[metric as usize].load(Ordering::Relaxed)
    }
}
