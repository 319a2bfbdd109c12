//! A caller for whom no desk is free waits in line, where the route says so. The bot keeps them company, or music, as the
//! route says for the time that a desk rings; whoever keeps them company is told at which place they stand.

use crate::call::{Call, World, reason};
use crate::transfer::{Handoff, Phase, Tried};
use call_model::{
    BotUpdate, Decision, DeskId, EndCause, EndReason, HandoffId, HandoffOutcome, HandoffStage, Instant, Party,
    TraceKind,
};
use core::time::Duration;
use routing::{Waiting, Wanted};

/// A desk that did not answer is offered the same caller again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// When nobody is left who could come free, somebody may be back after this; a page that is loaded anew is.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// A place that has changed is told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A handoff that waits, or has waited between two desks.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The wait ends then, whatever comes.
    pub(crate) until: Instant,
    /// The place that was told last, and whether the time was known.
    told: Option<(usize, bool)>,
    /// Since when nobody is left to wait for.
    alone: Option<Instant>,
}

impl Handoff {
    /// Desks that are not to be rung for this caller now.
    pub(crate) fn excluded(&self) -> Vec<DeskId> {
        self.tried.iter().map(|tried| tried.desk.clone()).collect()
    }
}

impl Call {
    /// What the handoff needs of a desk.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let handoff = self.handoff.as_ref()?;
        let language = self.known.entity("language").map(str::to_owned);
        let crate::transfer::Target { desk, skill } = handoff.target.clone();
        Some(Wanted { desk, skill, language, ..Wanted::from(&handoff.decision) })
    }

    /// A desk did not work out. Where callers wait, it may be asked again, unless it has said no.
    pub(crate) fn may_be_asked_again(&mut self, desk: &DeskId, outcome: HandoffOutcome, now: Instant) {
        let waits = self.about.route.queue.is_some() && outcome != HandoffOutcome::Declined;
        let tried = self.handoff.as_mut().and_then(|handoff| handoff.tried.iter_mut().find(|one| one.desk == *desk));
        if let Some(tried) = tried.filter(|_| waits) {
            tried.again = Some(now + AGAIN_AFTER);
        }
    }

    /// No desk can be rung now. True: the caller waits until one can.
    pub(crate) fn wait_in_line(&mut self, wanted: &Wanted, why: &str, world: &mut World<'_>) -> bool {
        let Some(queue) = self.about.route.queue else { return false };
        let Some(handoff) = self.handoff.as_ref().filter(|_| self.retransfer.is_none()) else { return false };
        let (id, since, now) = (handoff.id, handoff.decision.at, world.now);
        let until = handoff.line.as_ref().map_or(now + queue.max_wait, |line| line.until);
        let full = handoff.line.is_none() && world.queue.len() >= queue.max_length;
        let hopeless = world.seats.staffed(wanted, &self.never_again(), now) == 0;
        if full || hopeless || until <= now {
            let what = match (full, hopeless) {
                (true, _) => "too many wait already",
                (_, true) => "nobody is there who could come free",
                _ => "it has taken too long",
            };
            self.note(Party::Gateway, format!("does not wait: {what}"));
            return false;
        }
        let not = handoff.tried.iter().map(|one| (one.desk.clone(), one.again)).collect();
        world.queue.join(Waiting { handoff: id, wanted: wanted.clone(), since, not });
        world.seats.touch();
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.line = Some(Line { until, told: None, alone: None });
        }
        self.enter(Phase::Waiting { until, tell_at: now }, now);
        self.report_referrals(182);
        self.tell_place(why, world);
        true
    }

    /// A desk is free for this caller.
    pub(crate) fn on_desk_free(&mut self, world: &mut World<'_>) {
        let Phase::Waiting { .. } = self.phase else { return self.leave_line("elsewhere", world) };
        let now = world.now;
        self.try_again(|tried| tried.again.is_some_and(|at| at <= now), world);
        self.settle();
    }

    /// Rings a desk, those that were tried before included where that is meant.
    fn try_again(&mut self, whom: impl Fn(&Tried) -> bool, world: &mut World<'_>) {
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.tried.retain(|tried| !whom(tried));
        }
        self.leave_line("offered", world);
        self.try_next_desk(world);
    }

    /// The time to wait is over, or it is time to say how far it has come.
    pub(crate) fn on_waiting_timeout(&mut self, world: &mut World<'_>) {
        let Phase::Waiting { until, .. } = self.phase else { return };
        if until > world.now && !self.waits_for_nobody(world) {
            return self.tell_place("", world);
        }
        // Whoever did not answer a moment ago is better than nobody.
        let (wanted, never) = (self.wanted(), self.never_again());
        if wanted.is_some_and(|wanted| world.seats.any_but(&wanted, &never, world.now)) {
            return self.try_again(|tried| tried.again.is_some(), world);
        }
        self.leave_line(if until > world.now { "nobody_left" } else { "too_long" }, world);
        self.go_another_way(world);
        self.on_handoff_failed(world);
    }

    /// Whether everybody who could come free has gone, and nobody has come back.
    fn waits_for_nobody(&mut self, world: &World<'_>) -> bool {
        let (wanted, never) = (self.wanted(), self.never_again());
        let staffed = wanted.is_some_and(|wanted| world.seats.staffed(&wanted, &never, world.now) > 0);
        let Some(line) = self.handoff.as_mut().and_then(|handoff| handoff.line.as_mut()) else { return false };
        line.alone = if staffed { None } else { line.alone.or(Some(world.now)) };
        line.alone.is_some_and(|since| world.now.since(since) >= BACK_WITHIN)
    }

    /// Desks that are not to be rung again for this caller, however long they wait.
    fn never_again(&self) -> Vec<DeskId> {
        let tried = self.handoff.iter().flat_map(|handoff| &handoff.tried);
        tried.filter(|tried| tried.again.is_none()).map(|tried| tried.desk.clone()).collect()
    }

    /// The caller waits no longer, if they did.
    pub(crate) fn leave_line(&mut self, how: &'static str, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_ref().map(|handoff| handoff.id) else { return };
        if let Some(waited) = world.queue.leave(handoff) {
            world.seats.touch();
            let waited = world.now.since(waited.since);
            self.trace(TraceKind::Dequeued { handoff, waited, how });
        }
    }

    /// The place in line, for whoever keeps the caller company; told when it has changed.
    fn tell_place(&mut self, why: &str, world: &World<'_>) {
        let Phase::Waiting { until, .. } = self.phase else { return };
        self.phase = Phase::Waiting { until, tell_at: world.now + TELL_EVERY };
        let Some((id, place, wait)) = self.place_in_line(world) else { return };
        let Some(line) = self.handoff.as_mut().and_then(|handoff| handoff.line.as_mut()) else { return };
        let news = Some((place, wait.is_some()));
        if core::mem::replace(&mut line.told, news) != news {
            self.tell_bot(BotUpdate::HandoffQueued { place, wait });
            self.trace(TraceKind::Queued { handoff: id, place, of: world.queue.len(), wait, because: why.to_owned() });
        }
    }

    /// Which place, and how long it may take from now on.
    pub(crate) fn place_in_line(&self, world: &World<'_>) -> Option<(HandoffId, usize, Option<Duration>)> {
        let id = self.handoff.as_ref()?.id;
        let place = world.queue.place(id)?;
        let desks = world.seats.staffed(&self.wanted()?, &[], world.now);
        Some((id, place, world.queue.expected(place, desks)))
    }

    /// Something makes a caller who waits more urgent. False: they do not wait, or it makes no difference.
    pub(crate) fn grow_urgent(&mut self, decision: &Decision, world: &mut World<'_>) -> bool {
        let Phase::Waiting { .. } = self.phase else { return false };
        let Some(handoff) = self.handoff.as_mut().filter(|one| one.decision.urgency < decision.urgency) else {
            return false;
        };
        handoff.decision.urgency = decision.urgency;
        handoff.decision.because.extend(decision.because.iter().cloned());
        let id = handoff.id;
        let Some((wanted, waiting)) = self.wanted().zip(world.queue.leave(id)) else { return false };
        world.queue.join(Waiting { wanted, ..waiting });
        self.note(Party::Gateway, format!("rule {}: the caller is in more of a hurry", decision.rule));
        self.tell_place("", world);
        true
    }

    /// The bot needs no human any more. While somebody has picked up that is for the human to say.
    pub(crate) fn withdraw(&mut self, world: &mut World<'_>) {
        let leg = match self.phase {
            Phase::Waiting { .. } => None,
            Phase::Offering { leg, .. } | Phase::Alerting { leg, .. } => Some(leg),
            _ => return self.note(Party::Bot, "there is nothing to withdraw now".to_owned()),
        };
        if self.retransfer.is_some() || !self.bot_is_up() {
            return;
        }
        self.note(Party::Bot, "withdraws the handoff".to_owned());
        self.leave_line("withdrawn", world);
        let cause = EndCause::new(Party::Bot, EndReason::Cancelled);
        let (why, text) = ("the bot goes on", reason(487, "Withdrawn"));
        self.leave_others(why, &text, cause, world);
        self.leave_desk(why, world);
        if let Some(leg) = leg {
            self.hang_up(leg, &text, cause);
            if let Some(handoff) = self.handoff.as_mut() {
                handoff.last.get_or_insert((HandoffOutcome::NoAnswer, HandoffStage::Consult, None));
            }
        }
        self.on_handoff_failed(world);
    }
}
