//! A recorded call, judged again: by the rules that it had, or by others.

use crate::engine::Engine;
use crate::near::Near;
use crate::rules::Rules;
use call_model::{Decision, Fact, FactKind, Instant, Speaker};
use core::time::Duration;
use std::sync::Arc;

/// One thing that an engine is told of a call.
#[derive(Clone, PartialEq, Debug)]
pub enum Moment {
    /// Something was observed.
    Fact(FactKind),
    /// Caller or bot begins or ends to speak.
    Speech {
        /// Who.
        speaker: Speaker,
        /// Begins.
        speaks: bool,
    },
    /// A human is fetched.
    Handoff,
    /// The caller is the bot's again.
    Returned,
    /// The call is over.
    End,
}

/// What rules make of a whole call.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Verdict {
    /// All decisions, in order.
    pub decisions: Vec<Decision>,
    /// How near each of the other rules came, the nearest first.
    pub near: Vec<Near>,
}

/// What other rules would have done to a call.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The same, at the same moment.
    None,
    /// At the same moment, for another reason.
    Reason(Decision),
    /// A human so much sooner.
    Sooner(Duration, Decision),
    /// A human so much later.
    Later(Duration, Decision),
    /// A human, where none was called.
    Called(Decision),
    /// Nobody by the moment at which a human was fetched; what would have come then, nobody knows.
    NotBy(Instant),
}

/// Two moments that are no further apart are the same.
const SAME: Duration = Duration::from_millis(100);

/// Plays the whole call.
pub fn judge(rules: &Arc<Rules>, moments: &[(Instant, Moment)]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut near: Vec<Near> = Vec::new();
    play(rules, moments, |engine| {
        while let Some(decision) = engine.poll_output() {
            verdict.decisions.push(decision);
        }
        for one in engine.near() {
            match near.iter_mut().find(|known| known.rule == one.rule) {
                Some(known) if known.share >= one.share => {}
                Some(known) => *known = one,
                None => near.push(one),
            }
        }
        true
    });
    near.retain(|near| verdict.decisions.iter().all(|decision| decision.rule != near.rule));
    near.sort_by(|one, other| other.share.total_cmp(&one.share));
    verdict.near = near;
    verdict
}

/// The first decision before a human was fetched for whatever reason, or the call's end.
pub fn first_decision(rules: &Arc<Rules>, moments: &[(Instant, Moment)]) -> Option<Decision> {
    let handoff = moments.iter().position(|(_, moment)| *moment == Moment::Handoff);
    let mut first = None;
    play(rules, &moments[..handoff.map_or(moments.len(), |at| at + 1)], |engine| {
        first = engine.poll_output();
        first.is_none()
    });
    first
}

/// What the rules change about a call in which a human was called at `was`, by the rule of that name.
pub fn change(rules: &Arc<Rules>, moments: &[(Instant, Moment)], was: Option<(Instant, &str)>) -> Change {
    match (was, first_decision(rules, moments)) {
        (None, None) => Change::None,
        (None, Some(decision)) => Change::Called(decision),
        (Some((at, _)), None) => Change::NotBy(at),
        (Some((at, _)), Some(decision)) if decision.at + SAME < at => Change::Sooner(at.since(decision.at), decision),
        (Some((at, _)), Some(decision)) if decision.at > at + SAME => Change::Later(decision.at.since(at), decision),
        (Some((_, rule)), Some(decision)) if decision.rule == rule => Change::None,
        (Some(_), Some(decision)) => Change::Reason(decision),
    }
}

/// Tells an engine everything in its time, whatever falls due on the way included. `look` is called before and after
/// each step, and ends it by saying no.
fn play(rules: &Arc<Rules>, moments: &[(Instant, Moment)], mut look: impl FnMut(&mut Engine) -> bool) {
    let mut engine = Engine::new(Arc::clone(rules));
    let mut now = Instant::ZERO;
    for (at, moment) in moments {
        while let Some((due, _)) = engine.poll_timeout().filter(|(due, _)| *due <= *at && *due > now) {
            now = due;
            engine.handle_timeout(due);
            if !look(&mut engine) {
                return;
            }
        }
        now = now.max(*at);
        match moment {
            Moment::End => engine.handle_timeout(now),
            Moment::Fact(kind) => engine.handle_fact(&Fact { at: now, kind: kind.clone() }),
            Moment::Speech { speaker, speaks } => {
                engine.handle_timeout(now);
                if !look(&mut engine) {
                    return;
                }
                engine.handle_speech(*speaker, *speaks, now);
            }
            Moment::Handoff => engine.handle_handoff(),
            Moment::Returned => engine.handle_returned(now),
        }
        if !look(&mut engine) {
            return;
        }
    }
}
