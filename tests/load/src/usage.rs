//! What processes and the machine burned, from /proc.

use crate::gateway::Gateway;
use crate::sys;
use std::fmt;
use std::time::Instant;

/// CPU times at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    at: Instant,
    process: f64,
    own: f64,
    machine: f64,
}

/// CPU between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burned {
    /// Of the process under test, all its threads, in milliseconds.
    pub(crate) process_ms: f64,
    /// The same in percent of one core.
    pub(crate) process_pct: f64,
    /// Everything else on the machine, in percent of one core (so up to 100 a core).
    pub(crate) others_pct: f64,
}

impl Usage {
    /// Now.
    pub(crate) fn of(pid: u32) -> Self {
        let process = cpu_ms(&format!("/proc/{pid}/stat"));
        Self { at: Instant::now(), process, own: cpu_ms("/proc/self/stat"), machine: machine_ms() }
    }

    /// From `before` to now.
    pub(crate) fn since(self, before: Self) -> Burned {
        let wall = self.at.duration_since(before.at).as_secs_f64() * 1000.0;
        let pct = |ms: f64| 100.0 * ms / wall.max(1.0);
        let (process, own) = (self.process - before.process, self.own - before.own);
        let others = (self.machine - before.machine - process - own).max(0.0);
        Burned { process_ms: process, process_pct: pct(process), others_pct: pct(others) }
    }
}

/// User and system time of a process and all its threads, in milliseconds.
fn cpu_ms(path: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The second field is the name in brackets, which may hold anything.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks * 1000.0 / sys::ticks()
}

/// Time in which any core of the machine was busy, in milliseconds.
fn machine_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let busy = [0, 1, 2, 5, 6].into_iter().filter_map(|i| fields.get(i)).sum::<f64>();
    busy * 1000.0 / sys::ticks()
}

/// Memory of a process in RAM, in kB.
pub(crate) fn rss_kb(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// What a gateway holds at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// Memory in RAM.
    pub(crate) mb: f64,
    /// Open file descriptors.
    pub(crate) files: f64,
    /// Pairs of ports that its pool has given out.
    pub(crate) ports: f64,
}

impl Held {
    /// Now.
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let files =
            std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).map_or(f64::NAN, |list| list.count() as f64);
        let ports = gateway.metric("warmline_rtp_port_pairs_in_use");
        Self { mb: rss_kb(gateway.pid()) / 1024.0, files, ports }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB, {} files, {} pairs of ports", self.mb, self.files, self.ports)
    }
}

/// Processes that wanted a core in the last minute, on average.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// Shares of a sorted list of latencies.
pub(crate) fn percentile(sorted: &[u32], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).map(|value| f64::from(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_taken_from_the_ends_inclusive() {
        let list: Vec<u32> = (0..=100).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| percentile(&list, share)), [0.0, 50.0, 99.0, 100.0].map(Some));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn this_process_has_memory_and_burns_time() {
        assert!(rss_kb(std::process::id()) > 100.0);
        let before = Usage::of(std::process::id());
        let mut sum = 0u64;
        while before.at.elapsed().as_millis() < 100 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        assert!(Usage::of(std::process::id()).since(before).process_ms > 0.0);
    }
}
