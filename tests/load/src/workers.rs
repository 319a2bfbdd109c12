//! A thousand callers who all speak, and one listening worker on a core of its own: how late its windows are, how many it
//! gives up, and whether it does so fairly.
//!
//! A process of its own for each backend, since a process has one ONNX runtime. The callers' packets come when they would,
//! every caller at a moment of its own, from another core.

use crate::sys;
use crate::table::Row;
use crate::usage::{self, Usage};
use anyhow::{Context, Result, bail};
use call_model::{CallId, LegId, TapFrame};
use prosody::{Model, ModelConfig, Scored, Scorer, ScorerConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The hidden command that plays them.
pub(crate) const COMMAND: &str = "--one-worker";
pub(crate) const CALLERS: usize = 1000;
/// Milliseconds in a packet.
const PACKET: usize = 20;
/// Milliseconds until everybody has been heard for longer than a window takes.
const WARM_UP: usize = 5_000;
/// What nobody should have to wait for.
const LATE: Duration = Duration::from_millis(500);

/// Measures one backend, the environment's or pure Rust, for so long.
pub(crate) fn row(library: Option<&OsStr>, seconds: u64) -> Result<Row> {
    let variable = prosody::runtime::LIBRARY_VARIABLE;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([COMMAND, &seconds.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
    match library {
        Some(library) => command.env(variable, library),
        None => command.env_remove(variable),
    };
    sys::pinned(&mut command, None);
    let mut child = command.spawn().context("cannot start the listening worker")?;
    let before = Usage::of(child.id());
    let mut printed = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut printed)?;
    let others = Usage::of(child.id()).since(before).others_pct;
    if !child.wait()?.success() {
        bail!("the listening worker failed");
    }
    let found: Value = serde_json::from_str(&printed).context("the listening worker printed something else")?;
    let figure = |name: &'static str| (name, found[name].as_f64().unwrap_or(f64::NAN), "");
    Ok(Row {
        what: format!("one worker, {}", found["backend"].as_str().unwrap_or_default()),
        calls: Some(CALLERS),
        others_cpu_pct: Some(others),
        more: FIGURES.into_iter().map(figure).collect(),
        ..Row::default()
    })
}

const FIGURES: [&str; 10] = [
    "windows_due_per_call_and_second",
    "shed_pct",
    "late_p50_ms",
    "late_p99_ms",
    "late_max_ms",
    "later_than_500_ms",
    "fewest_windows_of_a_call",
    "most_windows_of_a_call",
    "worker_cpu_pct",
    "packets_dropped",
];

/// The child's whole life.
#[allow(clippy::print_stdout, reason = "its parent reads it")]
pub(crate) fn alone(seconds: u64) -> Result<()> {
    // Threads inherit where they may run.
    let apart = sys::pin(0);
    let model = Model::load(&ModelConfig::default())?;
    let (heard, scores) = mpsc::channel();
    let scorer = Scorer::start(ScorerConfig::default(), &model, move |scored| {
        // The other end lives as long as this one.
        let _ = heard.send((scored, Instant::now()));
    })?;
    if !(apart && sys::pin(1)) {
        crate::tell("cannot use core 0 and 1: those who speak disturb those who listen");
    }
    let callers: Vec<Caller> = (0..CALLERS).map(Caller::new).collect();
    callers.iter().for_each(|caller| scorer.open(caller.leg));
    let start = Instant::now();
    let mut before = None;
    for ms in 0..WARM_UP + seconds as usize * 1000 {
        let left = Duration::from_millis(ms as u64).saturating_sub(start.elapsed());
        if !left.is_zero() {
            std::thread::park_timeout(left);
        }
        if ms == WARM_UP {
            before = Some(scorer.stats());
        }
        for packet in callers.iter().filter_map(|caller| caller.packet(ms)) {
            // What it has no room for is counted.
            let _ = scorer.push(&packet);
        }
    }
    let (before, after) = (before.context("nothing was measured")?, scorer.stats());
    drop(scorer);
    let found = Found::of(&callers, scores.into_iter().map(|(scored, at)| (scored, at.duration_since(start))));
    let ms = |share| usage::percentile(&found.late_us, share).map_or(f64::NAN, |us| us / 1000.0);
    let shed = after.shed - before.shed;
    let due = (after.windows - before.windows + after.failed - before.failed + shed) as f64;
    let counts = || found.windows.iter().copied();
    println!(
        "{}",
        json!({
            "backend": model.backend(),
            "windows_due_per_call_and_second": due / CALLERS as f64 / seconds as f64,
            "shed_pct": 100.0 * shed as f64 / due.max(1.0),
            "late_p50_ms": ms(0.5),
            "late_p99_ms": ms(0.99),
            "late_max_ms": ms(1.0),
            "later_than_500_ms": found.late_us.iter().filter(|us| Duration::from_micros(u64::from(**us)) > LATE).count(),
            "fewest_windows_of_a_call": counts().min(),
            "most_windows_of_a_call": counts().max(),
            "worker_cpu_pct": (after.cpu_ms - before.cpu_ms) / seconds as f64 / 10.0,
            "packets_dropped": after.dropped - before.dropped,
        })
    );
    Ok(())
}

/// Somebody who speaks without a pause, in syllables.
struct Caller {
    leg: LegId,
    /// When the first packet comes, milliseconds.
    start: usize,
    seed: u32,
}

impl Caller {
    fn new(number: usize) -> Self {
        let seed = (number as u32).wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995;
        let leg = LegId { call: CallId(number as u64), index: 0 };
        Self { leg, start: mixed(seed) as usize % 1000, seed }
    }

    /// What comes in this millisecond.
    fn packet(&self, ms: usize) -> Option<TapFrame> {
        let since = ms.checked_sub(self.start)?;
        if since % PACKET != 0 {
            return None;
        }
        let number = since / PACKET;
        // Mu-law, by its bits: a sign, and loudness turned upside down. Two packets of three are loud.
        let loudness = if number % 15 < 10 { 0x20 } else { 0x70 };
        let octet = |i: usize| {
            let random = mixed(self.seed.wrapping_add((number * 160 + i) as u32));
            (random as u8 & 0x80) | loudness | (random >> 8) as u8 & 0x0f
        };
        let audio: [u8; 160] = std::array::from_fn(octet);
        Some(TapFrame::new(self.leg, number as u16, (number * 160) as u32, 0, &audio))
    }

    /// When audio until then had come: with the packet that ends there.
    fn complete(&self, media: Duration) -> Duration {
        Duration::from_millis(self.start as u64) + media - Duration::from_millis(PACKET as u64)
    }
}

/// As good as random.
fn mixed(number: u32) -> u32 {
    let number = (number ^ number >> 16).wrapping_mul(0x7feb_352d);
    let number = (number ^ number >> 15).wrapping_mul(0x846c_a68b);
    number ^ number >> 16
}

/// What was scored after the warm-up.
struct Found {
    /// From the moment when a window's audio had come to its score, microseconds, sorted.
    late_us: Vec<u32>,
    /// By caller.
    windows: Vec<u32>,
}

impl Found {
    fn of(callers: &[Caller], scores: impl Iterator<Item = (Scored, Duration)>) -> Self {
        let by_leg: BTreeMap<LegId, usize> = callers.iter().enumerate().map(|(at, caller)| (caller.leg, at)).collect();
        let mut found = Self { late_us: Vec::new(), windows: vec![0; callers.len()] };
        for (scored, at) in scores {
            let Some(caller) = by_leg.get(&scored.leg) else { continue };
            let complete = callers[*caller].complete(scored.due);
            if complete >= Duration::from_millis(WARM_UP as u64) {
                found.late_us.push(u32::try_from(at.saturating_sub(complete).as_micros()).unwrap_or(u32::MAX));
                found.windows[*caller] += 1;
            }
        }
        found.late_us.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_speaks_every_20_ms_from_its_own_beginning() {
        let caller = Caller::new(7);
        let packets: Vec<usize> = (0..1100).filter(|ms| caller.packet(*ms).is_some()).collect();
        assert_eq!(packets[0], caller.start);
        assert!(packets.windows(2).all(|two| two[1] - two[0] == PACKET));
        let third = caller.packet(packets[2]).expect("one of them");
        assert_eq!((third.sequence, third.timestamp, third.audio().len()), (2, 320, 160));
        // What is complete with the third packet are its first 60 ms.
        let complete = caller.complete(Duration::from_millis(60));
        assert_eq!(complete, Duration::from_millis(packets[2] as u64));
    }

    #[test]
    fn callers_begin_at_different_moments() {
        let starts: std::collections::BTreeSet<usize> = (0..CALLERS).map(|number| Caller::new(number).start).collect();
        assert!(starts.len() > 500, "{}", starts.len());
    }
}
