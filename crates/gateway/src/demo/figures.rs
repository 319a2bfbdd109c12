//! What the parties measured at their own sockets.

use super::page::Seen;
use super::party::{Noticed, Report};
use crate::listening::ModelInfo;
use call_model::{FactKind, Instant, TraceEvent, TraceKind, TransferState, VoiceScore};
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
    pub(super) bot_lost: u64,
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
        let gap = |at: Option<Instant>| at.and_then(|at| pause_around(&evidence.caller.arrivals, at));
        Self {
            handed_over: joined.is_some(),
            trigger: decision.map(|decision| decision.trigger.as_str()),
            rule: decision.map(|decision| decision.rule.clone()),
            trigger_to_consult: decision.zip(arrived).map(|(decision, arrived)| arrived.since(decision.at)),
            pop_before_ring: rings.map(|rings| evidence.acknowledged().is_some_and(|shown| shown < rings)),
            join_gap: gap(joined),
            refer_outcome: evidence.refer_outcome(),
            release_gap: gap(replaced),
            voice_windows: voice.len(),
            voice_peak: voice.iter().map(|(_, score)| score.distress).fold(0.0, f32::max),
            caller_packets: evidence.caller.arrivals.len() as u64,
            lost: evidence.caller.lost + evidence.desk.lost + evidence.bot_lost,
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
        line("handed over to a human", yes(self.handed_over));
        if let (Some(trigger), Some(rule)) = (self.trigger, &self.rule) {
            line("because", format!("{trigger} (rule {rule})"));
        }
        if let Some(took) = self.trigger_to_consult {
            line("from the decision to the desk's INVITE", format!("{:.1} ms", millis(took)));
        }
        if let Some(before) = self.pop_before_ring {
            line("the screen was up before the phone rang", yes(before));
        }
        if let Some(gap) = self.join_gap {
            line("pause the caller heard at the join", format!("{:.1} ms beyond the 20 of every packet", millis(gap)));
        }
        if self.handed_over {
            line("taking ourselves out of the path (REFER)", self.refer_outcome.clone());
        }
        if let Some(gap) = self.release_gap {
            line("pause the caller heard when we left", format!("{:.1} ms beyond the 20", millis(gap)));
        }
        line("windows of the caller's voice scored", format!("{} (peak {:.2})", self.voice_windows, self.voice_peak));
        line("packets the caller received, and all lost", format!("{}, {}", self.caller_packets, self.lost));
        line("voice model", format!("{} on {}", self.model, self.backend));
        out
    }
}

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The longest pause between two packets from a second before `at` to two seconds after it, less the 20 ms between any
/// two packets; none when hardly anything arrived.
fn pause_around(arrivals: &[(Instant, SocketAddr)], at: Instant) -> Option<Duration> {
    const USUAL: Duration = Duration::from_millis(20);
    let (from, to) = (at - Duration::from_secs(1), at + Duration::from_secs(2));
    let near: Vec<Instant> = arrivals.iter().map(|(at, _)| *at).filter(|at| *at >= from && *at <= to).collect();
    let longest = near.windows(2).map(|pair| pair[1].since(pair[0])).max()?;
    Some(longest.saturating_sub(USUAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(millis: &[u64]) -> Vec<(Instant, SocketAddr)> {
        millis.iter().map(|ms| (Instant::from_millis(*ms), SocketAddr::from(([127, 0, 0, 1], 1)))).collect()
    }

    #[test]
    fn the_pause_is_the_longest_near_the_moment_and_less_the_usual() {
        let came = arrivals(&[0, 900, 5000, 5020, 5070, 5090, 9000]);
        assert_eq!(pause_around(&came, Instant::from_millis(5030)), Some(Duration::from_millis(30)));
        assert_eq!(pause_around(&[], Instant::from_millis(5030)), None);
    }
}
