//! What the parties measured at their own sockets, and what the gateway says of itself.

use super::page::Seen;
use super::party::{Came, Noticed, Report};
use crate::listening::ModelInfo;
use call_model::{FactKind, Instant, Role, TraceEvent, TraceKind, TransferState, VoiceScore};
use phone::PhoneEvent;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// All that is known after the play.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) trace: Vec<TraceEvent>,
    pub(super) noticed: Vec<Noticed>,
    pub(super) seen: Vec<Seen>,
    pub(super) caller: Report,
    pub(super) desk: Report,
    /// Where the desk's own audio comes from once it no longer passes the gateway.
    pub(super) desk_rtp: Option<SocketAddr>,
    /// Chunk numbers that the bot missed.
    pub(super) bot_lost: u64,
    /// Frames of 20 ms that the bot received.
    pub(super) bot_frames: u64,
}

impl Evidence {
    /// When the transfer first came to `state`.
    pub(super) fn came_to(&self, state: TransferState) -> Option<Instant> {
        self.trace.iter().find(|event| matches!(event.kind, TraceKind::State { to, .. } if to == state)).map(|e| e.at)
    }

    /// When `who` first noticed something.
    pub(super) fn noticed(&self, who: &str, what: impl Fn(&PhoneEvent) -> bool) -> Option<Instant> {
        self.noticed.iter().find(|noticed| noticed.who == who && what(&noticed.event)).map(|noticed| noticed.at)
    }

    /// With which status the caller's call was refused.
    pub(super) fn refused(&self) -> Option<u16> {
        self.noticed.iter().find_map(|noticed| match noticed.event {
            PhoneEvent::Failed(code) if noticed.who == "caller" => Some(code),
            _ => None,
        })
    }

    /// The voice scores, with seconds since the call began.
    pub(super) fn voice(&self) -> Vec<(f32, VoiceScore)> {
        let Some(began) = self.trace.first().map(|event| event.at) else { return Vec::new() };
        self.trace
            .iter()
            .filter_map(|event| match &event.kind {
                TraceKind::Fact(fact) => match &fact.kind {
                    FactKind::Voice(score) => Some((event.at.since(began).as_secs_f32(), *score)),
                    _ => None,
                },
                _ => None,
            })
            .collect()
    }

    /// When and why the rules decided.
    pub(super) fn decision(&self) -> Option<&call_model::Decision> {
        self.trace.iter().find_map(|event| match &event.kind {
            TraceKind::Decided(decision) => Some(decision),
            _ => None,
        })
    }

    fn acknowledged(&self) -> Option<Instant> {
        self.seen.iter().find_map(|seen| match seen {
            Seen::Acknowledged { at, .. } => Some(*at),
            _ => None,
        })
    }

    /// Whether audio reached both: the desk's voice the caller's socket, and the caller's packets the desk's.
    fn heard_each_other(&self) -> bool {
        /// What was under way to the caller at the join is not the desk's yet.
        const SETTLED: Duration = Duration::from_millis(200);
        const SPOKEN: usize = 10;
        const STEADY: usize = 25;
        let Some(joined) = self.came_to(TransferState::Joined) else { return false };
        let after = |came: &&Came| came.at >= joined + SETTLED;
        self.caller.arrivals.iter().filter(after).filter(|came| came.loud).count() >= SPOKEN
            && self.desk.arrivals.iter().filter(after).count() >= STEADY
    }

    /// Packets of the caller that never came to the bot while it listened, beyond the few at both ends.
    fn upstream_lost(&self) -> u64 {
        let hears = |event: &TraceEvent, caller: bool| match event.kind {
            TraceKind::Fed { role: Role::Bot, source, .. } => (source == Some(Role::Caller)) == caller,
            _ => false,
        };
        let Some(first) = self.trace.iter().position(|event| hears(event, true)) else { return 0 };
        let over = |event: &&TraceEvent| {
            hears(event, false) || matches!(event.kind, TraceKind::LegEnded { role: Role::Bot | Role::Caller, .. })
        };
        let (from, to) = (self.trace[first].at, self.trace[first..].iter().find(over).map(|event| event.at));
        let sent = self.caller.departures.iter().filter(|at| **at >= from && to.is_none_or(|to| **at <= to)).count();
        shortage(sent as u64, self.bot_frames)
    }

    /// Of the REFER, in one word.
    fn refer_outcome(&self) -> String {
        if self.came_to(TransferState::Released).is_some() {
            return "released".to_owned();
        }
        let last = self.trace.iter().rev().find_map(|event| match &event.kind {
            TraceKind::Release { what, status } => {
                Some(status.map_or(what.clone(), |status| format!("{what} ({status})")))
            }
            _ => None,
        });
        last.unwrap_or_else(|| "not_tried".to_owned())
    }
}

/// The figures of `--json`, and of the last lines of the story.
pub(super) struct Figures {
    handed_over: bool,
    joined: bool,
    trigger: Option<&'static str>,
    rule: Option<String>,
    trigger_to_consult: Option<Duration>,
    pop_before_ring: Option<bool>,
    join_gap: Option<Duration>,
    refer_outcome: String,
    release_gap: Option<Duration>,
    voice_windows: usize,
    voice_peak: f32,
    caller_packets: u64,
    lost: u64,
    backend: String,
    model: String,
}

impl Figures {
    pub(super) fn of(evidence: &Evidence, model: Option<&ModelInfo>) -> Self {
        let decision = evidence.decision();
        let arrived = evidence.noticed("desk", |event| matches!(event, PhoneEvent::Arrived(_)));
        let rings = evidence.noticed("desk", |event| matches!(event, PhoneEvent::Rings));
        let joined = evidence.came_to(TransferState::Joined);
        let replaced = evidence.noticed("desk", |event| matches!(event, PhoneEvent::Replaced));
        let voice = evidence.voice();
        let arrivals = &evidence.caller.arrivals;
        Self {
            handed_over: evidence.heard_each_other(),
            joined: joined.is_some(),
            trigger: decision.map(|decision| decision.trigger.as_str()),
            rule: decision.map(|decision| decision.rule.clone()),
            trigger_to_consult: decision.zip(arrived).map(|(decision, arrived)| arrived.since(decision.at)),
            pop_before_ring: rings.map(|rings| evidence.acknowledged().is_some_and(|shown| shown < rings)),
            join_gap: joined.and_then(|at| pause_around(arrivals, at)),
            refer_outcome: evidence.refer_outcome(),
            release_gap: replaced.zip(evidence.desk_rtp).and_then(|(at, desk)| pause_until(arrivals, at, desk)),
            voice_windows: voice.len(),
            voice_peak: voice.iter().map(|(_, score)| score.distress).fold(0.0, f32::max),
            caller_packets: evidence.caller.arrivals.len() as u64,
            lost: evidence.caller.lost + evidence.desk.lost + evidence.bot_lost.max(evidence.upstream_lost()),
            backend: model.map_or_else(|| "none".to_owned(), |model| model.backend.clone()),
            model: model.map_or_else(|| "none".to_owned(), |model| model.name.clone()),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "handed_over": self.handed_over,
            "trigger": self.trigger,
            "rule": self.rule,
            "trigger_to_consult_ms": self.trigger_to_consult.map(millis),
            "pop_before_ring": self.pop_before_ring,
            "join_gap_ms": self.join_gap.map(millis),
            "refer_outcome": self.refer_outcome,
            "release_gap_ms": self.release_gap.map(millis),
            "voice_windows": self.voice_windows,
            "voice_peak": (f64::from(self.voice_peak) * 1000.0).round() / 1000.0,
            "caller_packets": self.caller_packets,
            "rtp_lost": self.lost,
            "backend": self.backend,
            "model": self.model,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::from("Measured at the parties' own sockets:\n");
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "  {name:<44} {value}");
        };
        line("joined, and each heard the other", yes(self.handed_over));
        if let Some(took) = self.trigger_to_consult {
            line("from the gateway's decision to the INVITE", format!("{:.1} ms, at the desk", millis(took)));
        }
        if let Some(before) = self.pop_before_ring {
            line("the screen was up before the phone rang", yes(before));
        }
        if let Some(gap) = self.join_gap {
            line("pause the caller heard at the join", format!("{:.1} ms beyond the 20 of every packet", millis(gap)));
        }
        if let Some(gap) = self.release_gap {
            line("from our last audio to the desk's own", format!("{:.1} ms beyond the 20", millis(gap)));
        } else if self.refer_outcome == "released" {
            line("from our last audio to the desk's own", "the desk's own never came".to_owned());
        }
        line("packets the caller received, and all lost", format!("{}, {}", self.caller_packets, self.lost));
        out.push_str("The gateway's own account:\n");
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "  {name:<44} {value}");
        };
        if let (Some(trigger), Some(rule)) = (self.trigger, &self.rule) {
            line("why a human was needed", format!("{trigger} (rule {rule})"));
        }
        line("windows of the caller's voice scored", format!("{} (peak {:.2})", self.voice_windows, self.voice_peak));
        line("voice model", format!("{} on {}", self.model, self.backend));
        if self.joined {
            line("taking ourselves out of the path (REFER)", self.refer_outcome.clone());
        }
        out
    }
}

/// Between any two packets.
const USUAL: Duration = Duration::from_millis(20);

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The longest pause between two packets from a second before `at` to two seconds after it, less the 20 ms between any
/// two packets; none when hardly anything arrived.
fn pause_around(arrivals: &[Came], at: Instant) -> Option<Duration> {
    let (from, to) = (at - Duration::from_secs(1), at + Duration::from_secs(2));
    let near: Vec<Instant> = arrivals.iter().map(|came| came.at).filter(|at| *at >= from && *at <= to).collect();
    let longest = near.windows(2).map(|pair| pair[1].since(pair[0])).max()?;
    Some(longest.saturating_sub(USUAL))
}

/// From the last packet of the gateway that came before `replaced`, when the call left it, to the first of the desk's
/// own, less the usual 20 ms; none when the desk never spoke to the caller directly.
///
/// The gateway goes on sending silence until it has hung up, which must not hide a desk that comes late.
fn pause_until(arrivals: &[Came], replaced: Instant, desk: SocketAddr) -> Option<Duration> {
    let ours = arrivals.iter().rfind(|came| came.from != desk && came.at < replaced)?;
    let direct = arrivals.iter().find(|came| came.from == desk)?;
    Some(direct.at.since(ours.at).saturating_sub(USUAL))
}

/// How many fewer came than were sent, when it is more than start and end of a stream explain.
const fn shortage(sent: u64, came: u64) -> u64 {
    const EDGES: u64 = 10;
    let missing = sent.saturating_sub(came);
    if missing > EDGES { missing } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(host: u8, millis: impl IntoIterator<Item = u64>) -> Vec<Came> {
        let from = SocketAddr::from(([127, 0, 0, host], 1));
        millis.into_iter().map(|ms| Came { at: Instant::from_millis(ms), from, loud: true }).collect()
    }

    fn arrivals(millis: &[u64]) -> Vec<Came> {
        from(1, millis.iter().copied())
    }

    /// What the caller receives: us until 2 s, from 1 s on in silence; the desk from `direct` on.
    fn released(direct: u64) -> Vec<Came> {
        let mut came = from(1, (0..2_000).step_by(20));
        came.extend(from(13, (direct..4_000).step_by(20)));
        came.sort_by_key(|came| came.at);
        came
    }

    #[test]
    fn our_silence_does_not_hide_a_desk_that_is_late() {
        let desk = SocketAddr::from(([127, 0, 0, 13], 1));
        let pause = |direct| pause_until(&released(direct), Instant::from_millis(1_001), desk);
        assert_eq!(pause(1_003), Some(Duration::ZERO));
        assert_eq!(pause(1_025), Some(Duration::from_millis(5)));
        assert_eq!(pause(1_700), Some(Duration::from_millis(680)));
        assert_eq!(pause(5_000), None);
        let around = pause_around(&released(1_700), Instant::from_millis(1_001));
        assert_eq!(around, Some(Duration::ZERO), "which is why it does not measure this");
    }

    #[test]
    fn a_shortage_is_a_loss_beyond_the_edges() {
        assert_eq!((shortage(1_500, 1_520), shortage(1_500, 1_490), shortage(1_500, 1_489)), (0, 0, 11));
    }

    #[test]
    fn joined_in_silence_is_not_handed_over() {
        let state = TraceKind::State { from: TransferState::Accepting, to: TransferState::Joined };
        let trace = vec![TraceEvent { at: Instant::from_millis(1_000), call: None, kind: state }];
        let heard = |loud: bool, until: u64| {
            let mut caller = from(1, (0..3_000).step_by(20));
            caller.iter_mut().filter(|came| came.at >= Instant::from_millis(1_100)).for_each(|came| came.loud = loud);
            let report = |arrivals| Report { arrivals, ..Report::default() };
            let desk = report(from(1, (0..until).step_by(20)));
            Evidence { trace: trace.clone(), caller: report(caller), desk, ..Evidence::default() }.heard_each_other()
        };
        assert!(heard(true, 3_000) && !heard(false, 3_000) && !heard(true, 1_100));
    }

    #[test]
    fn the_pause_is_the_longest_near_the_moment_and_less_the_usual() {
        let came = arrivals(&[0, 900, 5000, 5020, 5070, 5090, 9000]);
        assert_eq!(pause_around(&came, Instant::from_millis(5030)), Some(Duration::from_millis(30)));
        assert_eq!(pause_around(&[], Instant::from_millis(5030)), None);
    }
}
