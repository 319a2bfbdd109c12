//! The list of metrics is a type: what the gateway feeds ([`Metric`]), and what the hub counts itself from the trace
//! ([`Tally`]). Rendered as Prometheus text (exposition format 0.0.4).

use crate::metrics_audio::Audio;
use call_model::{EndCause, HandoffOutcome, Layer, Method, Party, Trigger};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counters and gauges the gateway feeds. Those that follow from trace events (calls, decisions, handoffs, pops) are
/// counted by the hub itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(usize)]
pub enum Metric {
    /// RTP packets relayed (counter).
    PacketsRelayed,
    /// RTP packets refused: wrong source, not RTP, wrong payload type (counter).
    PacketsRefused,
    /// Datagrams and connections from addresses that are no peer of ours, dropped before parsing (counter).
    UnknownSource,
    /// SIP messages from peers that could not be parsed (counter).
    Malformed,
    /// Windows of speech scored (counter).
    WindowsScored,
    /// Windows not scored because the scorer was late (counter).
    WindowsShed,
    /// Tap frames dropped because the ring was full (counter).
    TapDropped,
    /// Ledger rows dropped because the disk was stuck (counter). Set by the API itself when it has the ledger.
    LedgerDropped,
    /// Recordings that are being written (gauge).
    RecordingsRunning,
    /// 20 ms of one party that are in no recording (counter).
    RecordingFramesLost,
    /// Recordings of which something is missing (counter).
    RecordingsIncomplete,
    /// Times that the external recorder failed in a call (counter).
    RecorderFailures,
    /// Calls in which it was given up (counter).
    RecorderLost,
    /// Look-ups of host names that failed; the last answer goes on being used (counter).
    DnsFailures,
    /// Calls refused for want of ports or by the limit (counter).
    CallsRefused,
    /// RTP port pairs in use (gauge).
    PortsInUse,
    /// Callers who wait in line for a desk (gauge).
    Waiting,
    /// Callbacks that are promised and neither made nor given up (gauge).
    CallbacksOpen,
    /// Configured trunks and desks that answer OPTIONS (gauge).
    PeersUp,
    /// Those that do not (gauge).
    PeersDown,
    /// Trunks at which we are registered (gauge).
    TrunksRegistered,
    /// Trunks at which we should be and are not (gauge).
    TrunksUnregistered,
    /// Telephones of desks that are registered here (gauge).
    Telephones,
    /// Rules files that were read again and are in force (counter).
    RulesReloaded,
    /// Rules files that were refused (counter).
    RulesRefused,
    /// 1 while the rules in force are not those of the file, because it was refused (gauge).
    RulesStale,
    /// 1 while draining (gauge).
    Draining,
    /// Requests with a wrong or missing token (counter).
    HttpUnauthorized,
    /// HTTP connections refused because there were too many (counter).
    HttpRefused,
    /// Desk pages with an open event stream (gauge).
    DeskStreams,
    /// Open trace streams (gauge).
    Tails,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::PacketsRelayed,
        Self::PacketsRefused,
        Self::UnknownSource,
        Self::Malformed,
        Self::WindowsScored,
        Self::WindowsShed,
        Self::TapDropped,
        Self::LedgerDropped,
        Self::RecordingsRunning,
        Self::RecordingFramesLost,
        Self::RecordingsIncomplete,
        Self::RecorderFailures,
        Self::RecorderLost,
        Self::DnsFailures,
        Self::CallsRefused,
        Self::PortsInUse,
        Self::Waiting,
        Self::CallbacksOpen,
        Self::PeersUp,
        Self::PeersDown,
        Self::TrunksRegistered,
        Self::TrunksUnregistered,
        Self::Telephones,
        Self::RulesReloaded,
        Self::RulesRefused,
        Self::RulesStale,
        Self::Draining,
        Self::HttpUnauthorized,
        Self::HttpRefused,
        Self::DeskStreams,
        Self::Tails,
    ];

    /// Name, kind and help as Prometheus sees them.
    const fn described(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::PacketsRelayed => ("warmline_rtp_packets_relayed_total", COUNTER, "RTP packets relayed."),
            Self::PacketsRefused => {
                ("warmline_rtp_packets_refused_total", COUNTER, "RTP packets refused: wrong source, shape or type.")
            }
            Self::UnknownSource => {
                ("warmline_sip_unknown_source_total", COUNTER, "SIP from unknown addresses, dropped before parsing.")
            }
            Self::Malformed => ("warmline_sip_malformed_total", COUNTER, "SIP from peers that could not be parsed."),
            Self::WindowsScored => ("warmline_voice_windows_scored_total", COUNTER, "Windows of speech scored."),
            Self::WindowsShed => {
                ("warmline_voice_windows_shed_total", COUNTER, "Windows of speech not scored for want of time.")
            }
            Self::TapDropped => ("warmline_tap_frames_dropped_total", COUNTER, "Tap frames dropped, ring full."),
            Self::LedgerDropped => ("warmline_ledger_rows_dropped_total", COUNTER, "Ledger rows lost, disk stuck."),
            Self::RecordingsRunning => ("warmline_recordings_running", GAUGE, "Recordings that are being written."),
            Self::RecordingFramesLost => {
                ("warmline_recording_frames_lost_total", COUNTER, "20 ms of a party that are in no recording.")
            }
            Self::RecordingsIncomplete => {
                ("warmline_recordings_incomplete_total", COUNTER, "Recordings of which something is missing.")
            }
            Self::RecorderFailures => (
                "warmline_recorder_failures_total",
                COUNTER,
                "Recording sessions that the external recorder refused, did not answer or dropped.",
            ),
            Self::RecorderLost => {
                ("warmline_recorder_lost_total", COUNTER, "Calls in which the external recorder was given up.")
            }
            Self::DnsFailures => (
                "warmline_dns_failures_total",
                COUNTER,
                "Look-ups of peers' host names that failed; the last answer is used.",
            ),
            Self::CallsRefused => ("warmline_calls_refused_total", COUNTER, "Calls refused for want of capacity."),
            Self::PortsInUse => ("warmline_rtp_port_pairs_in_use", GAUGE, "RTP port pairs in use."),
            Self::Waiting => ("warmline_queue_waiting", GAUGE, "Callers who wait in line for a desk."),
            Self::CallbacksOpen => ("warmline_callbacks_open", GAUGE, "Callbacks promised and not made yet."),
            Self::PeersUp => ("warmline_peers_up", GAUGE, "Trunks, bots, desks and recorders that answer."),
            Self::PeersDown => ("warmline_peers_down", GAUGE, "Trunks, bots, desks and recorders that do not."),
            Self::TrunksRegistered => ("warmline_trunks_registered", GAUGE, "Trunks at which we are registered."),
            Self::TrunksUnregistered => {
                ("warmline_trunks_not_registered", GAUGE, "Trunks at which we should be registered and are not.")
            }
            Self::Telephones => ("warmline_telephones_registered", GAUGE, "Telephones of desks registered here."),
            Self::RulesReloaded => ("warmline_rules_reloads_total", COUNTER, "Rules files read again, in force."),
            Self::RulesRefused => ("warmline_rules_refused_total", COUNTER, "Rules files refused; the old ones stay."),
            Self::RulesStale => ("warmline_rules_stale", GAUGE, "1 while the file's rules are refused."),
            Self::Draining => ("warmline_draining", GAUGE, "1 while draining."),
            Self::HttpUnauthorized => {
                ("warmline_http_unauthorized_total", COUNTER, "Requests with a wrong or missing token.")
            }
            Self::HttpRefused => ("warmline_http_connections_refused_total", COUNTER, "HTTP connections refused."),
            Self::DeskStreams => ("warmline_desk_streams", GAUGE, "Desk pages with an open event stream."),
            Self::Tails => ("warmline_tails", GAUGE, "Open trace streams."),
        }
    }
}

pub(crate) const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// Cheap from any thread: one atomic per metric.
#[derive(Debug, Default)]
pub struct Metrics {
    values: [AtomicU64; Metric::ALL.len()],
    /// Its name, and what runs it.
    voice_model: Mutex<Option<(String, &'static str)>>,
}

impl Metrics {
    /// Adds to a counter.
    pub fn add(&self, metric: Metric, by: u64) {
        self.values[metric as usize].fetch_add(by, Ordering::Relaxed);
    }

    /// Takes from a gauge.
    pub fn sub(&self, metric: Metric, by: u64) {
        self.values[metric as usize].fetch_sub(by, Ordering::Relaxed);
    }

    /// Sets a gauge, or a counter whose owner keeps the total.
    pub fn set(&self, metric: Metric, value: u64) {
        self.values[metric as usize].store(value, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self, metric: Metric) -> u64 {
        self.values[metric as usize].load(Ordering::Relaxed)
    }

    /// The model that listens from now on, and what runs it.
    pub fn set_voice_model(&self, name: &str, backend: &'static str) {
        *self.voice_model.lock().unwrap_or_else(PoisonError::into_inner) = Some((name.to_owned(), backend));
    }

    pub(crate) fn render(&self, out: &mut String) {
        for metric in Metric::ALL {
            let (name, kind, help) = metric.described();
            family(out, name, kind, help);
            line(out, name, "", self.get(metric));
        }
        if let Some((model, backend)) = &*self.voice_model.lock().unwrap_or_else(PoisonError::into_inner) {
            let name = "warmline_voice_model_info";
            family(out, name, GAUGE, "1 for the model that listens, and what runs it.");
            line(out, name, &format!("model=\"{}\",backend=\"{backend}\"", escape(model)), 1);
        }
    }
}

/// What the hub counts from the trace. Labels come from closed lists, or from names in the configuration.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) ended: BTreeMap<(String, &'static str), u64>,
    pub(crate) decisions: BTreeMap<(Trigger, Layer), u64>,
    pub(crate) handoffs: BTreeMap<(HandoffOutcome, Trigger, Method), u64>,
    /// Those whose outcome became this one after another was counted.
    pub(crate) corrected: BTreeMap<(HandoffOutcome, Trigger, Method), u64>,
    /// Releases by trunk: done by its REFER, and refused.
    pub(crate) releases: BTreeMap<String, (u64, u64)>,
    /// By desk, and whose doing it was.
    pub(crate) early_drops: BTreeMap<(String, Party), u64>,
    /// Callers who stopped waiting in line, by how: their number, and how many seconds they had waited.
    pub(crate) waits: BTreeMap<&'static str, (u64, u64)>,
    /// Callbacks, by what became of them.
    pub(crate) callbacks: BTreeMap<&'static str, u64>,
    /// Messages that callers were asked for, by what became of them.
    pub(crate) voicemails: BTreeMap<&'static str, u64>,
    pub(crate) pops: BTreeMap<&'static str, u64>,
    pub(crate) sip: BTreeMap<(&'static str, &'static str), u64>,
    pub(crate) dropped: u64,
    pub(crate) windows: u64,
    pub(crate) ack: Histogram,
    pub(crate) audio: Audio,
}

impl Tally {
    pub(crate) fn call_ended(&mut self, cause: EndCause) {
        *self.ended.entry((cause.by.to_string(), cause.reason.as_str())).or_default() += 1;
    }

    pub(crate) fn render(&self, out: &mut String, active: usize) {
        family(out, "warmline_calls_total", COUNTER, "Calls begun, by trunk.");
        for (trunk, count) in &self.calls {
            line(out, "warmline_calls_total", &format!("trunk=\"{}\"", escape(trunk)), *count);
        }
        family(out, "warmline_active_calls", GAUGE, "Calls that are up.");
        line(out, "warmline_active_calls", "", active as u64);
        family(out, "warmline_calls_ended_total", COUNTER, "Calls ended, by whose doing and reason.");
        for ((by, reason), count) in &self.ended {
            line(out, "warmline_calls_ended_total", &format!("by=\"{by}\",reason=\"{reason}\""), *count);
        }
        family(out, "warmline_decisions_total", COUNTER, "Decisions that a human is needed.");
        for ((trigger, layer), count) in &self.decisions {
            line(out, "warmline_decisions_total", &format!("trigger=\"{trigger}\",layer=\"{layer}\""), *count);
        }
        let late = "Handoffs whose outcome became this one after another was counted.";
        for (name, help, handoffs) in [
            ("warmline_handoffs_total", "Handoffs by their one outcome.", &self.handoffs),
            ("warmline_handoffs_corrected_total", late, &self.corrected),
        ] {
            family(out, name, COUNTER, help);
            for ((outcome, trigger, method), count) in handoffs {
                let labels = format!("outcome=\"{outcome}\",trigger=\"{trigger}\",method=\"{method}\"");
                line(out, name, &labels, *count);
            }
        }
        family(out, "warmline_releases_total", COUNTER, "REFERs of trunks, by what came of them.");
        for (trunk, (released, refused)) in &self.releases {
            for (result, count) in [("released", released), ("refused", refused)] {
                let labels = format!("trunk=\"{}\",result=\"{result}\"", escape(trunk));
                line(out, "warmline_releases_total", &labels, *count);
            }
        }
        family(out, "warmline_early_drops_total", COUNTER, "Conversations that ended soon after the join, by desk.");
        for ((desk, by), count) in &self.early_drops {
            let labels = format!("desk=\"{}\",by=\"{by}\"", escape(desk));
            line(out, "warmline_early_drops_total", &labels, *count);
        }
        family(out, "warmline_queue_left_total", COUNTER, "Callers who stopped waiting in line, by how.");
        for (how, (count, _)) in &self.waits {
            line(out, "warmline_queue_left_total", &format!("how=\"{how}\""), *count);
        }
        family(out, "warmline_queue_waited_seconds_total", COUNTER, "How long they had waited, together.");
        for (how, (_, seconds)) in &self.waits {
            line(out, "warmline_queue_waited_seconds_total", &format!("how=\"{how}\""), *seconds);
        }
        family(out, "warmline_callbacks_total", COUNTER, "What happened to callbacks, in one word.");
        for (what, count) in &self.callbacks {
            line(out, "warmline_callbacks_total", &format!("what=\"{what}\""), *count);
        }
        family(out, "warmline_voicemails_total", COUNTER, "Messages that callers were asked for, in one word.");
        for (what, count) in &self.voicemails {
            line(out, "warmline_voicemails_total", &format!("what=\"{what}\""), *count);
        }
        family(out, "warmline_pops_total", COUNTER, "Screen pops, by what became of them.");
        for (what, count) in &self.pops {
            line(out, "warmline_pops_total", &format!("what=\"{what}\""), *count);
        }
        family(out, "warmline_sip_messages_total", COUNTER, "SIP messages of calls.");
        for ((direction, again), count) in &self.sip {
            let labels = format!("direction=\"{direction}\",retransmission=\"{again}\"");
            line(out, "warmline_sip_messages_total", &labels, *count);
        }
        family(out, "warmline_dropped_total", COUNTER, "Things thrown away on purpose, as the trace saw them.");
        line(out, "warmline_dropped_total", "", self.dropped);
        family(out, "warmline_voice_facts_total", COUNTER, "Voice scores that reached the rules.");
        line(out, "warmline_voice_facts_total", "", self.windows);
        self.audio.render(out);
        self.ack.render(out, "warmline_pop_ack_seconds", "From the offer of a pop to the page's acknowledgement.");
    }
}

/// Upper bounds in microseconds: the pop has 20 ms to be acknowledged before the desk rings anyway.
const BOUNDS_US: [u64; 9] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 2_000_000];

/// A Prometheus histogram of durations.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [u64; BOUNDS_US.len()],
    count: u64,
    sum_us: u64,
}

impl Histogram {
    pub(crate) fn observe(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS_US) {
            if us <= bound {
                *bucket += 1;
            }
        }
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    fn render(&self, out: &mut String, name: &str, help: &str) {
        family(out, name, "histogram", help);
        for (count, bound) in self.buckets.iter().zip(BOUNDS_US) {
            line(out, &format!("{name}_bucket"), &format!("le=\"{}\"", bound as f64 / 1e6), *count);
        }
        line(out, &format!("{name}_bucket"), "le=\"+Inf\"", self.count);
        let _ = writeln!(out, "{name}_sum {}", self.sum_us as f64 / 1e6);
        line(out, &format!("{name}_count"), "", self.count);
    }
}

pub(crate) fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

pub(crate) fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ =
        if labels.is_empty() { writeln!(out, "{name} {value}") } else { writeln!(out, "{name}{{{labels}}} {value}") };
}

pub(crate) fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_own_slot_and_name() {
        let metrics = Metrics::default();
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, index);
            metrics.set(metric, index as u64 + 100);
        }
        let mut out = String::new();
        metrics.render(&mut out);
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            let (name, kind, _) = metric.described();
            assert_eq!(kind == COUNTER, name.ends_with("_total"), "{name}");
            assert!(out.contains(&format!("\n{name} {}\n", index + 100)), "{name}");
        }
    }

    #[test]
    fn the_model_that_listens_is_named_once() {
        let metrics = Metrics::default();
        metrics.set_voice_model("one", "tract");
        metrics.set_voice_model("two \"b\"", "onnxruntime");
        let mut out = String::new();
        metrics.render(&mut out);
        let infos: Vec<_> = out.lines().filter(|line| line.starts_with("warmline_voice_model_info")).collect();
        assert_eq!(infos, [r#"warmline_voice_model_info{model="two \"b\"",backend="onnxruntime"} 1"#]);
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut tally = Tally::default();
        tally.calls.insert("a\"} 1\nevil 2\\".into(), 3);
        let mut out = String::new();
        tally.render(&mut out, 0);
        assert!(out.contains("warmline_calls_total{trunk=\"a\\\"} 1\\nevil 2\\\\\"} 3\n"), "{out}");
    }

    #[test]
    fn histogram_buckets_are_cumulative() {
        let mut histogram = Histogram::default();
        for ms in [1, 4, 30, 9000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut out = String::new();
        histogram.render(&mut out, "x", "y");
        for expected in ["le=\"0.001\"} 1", "le=\"0.005\"} 2", "le=\"0.05\"} 3", "le=\"2\"} 3", "le=\"+Inf\"} 4"] {
            assert!(out.contains(expected), "{expected} not in {out}");
        }
    }
}
