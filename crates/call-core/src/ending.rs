//! How a call ends: one cause, every leg told, nothing left behind.

use crate::call::{Call, World, reason};
use crate::leg::LegState;
use crate::transfer::Phase;
use call_model::{
    EndCause, EndReason, HandoffOutcome, HandoffStage, Instant, LegId, Party, RemoteMedia, Role, TraceKind,
};
use core::time::Duration;

/// A desk that answered a caller who has gone hears so at most this long.
const FAREWELL: Duration = Duration::from_secs(3);
/// A leg that does not confirm its end (64*T1 and some) is forgotten.
const FORGET: Duration = Duration::from_secs(45);

impl Call {
    /// The caller hung up, or its dialog broke.
    pub(crate) fn on_caller_gone(&mut self, by_remote: bool, status: Option<u16>, world: &mut World<'_>) {
        if by_remote && matches!(self.phase, Phase::Referring { .. }) {
            return self.on_caller_left_in_blind(world);
        }
        if by_remote && (matches!(self.phase, Phase::Releasing { .. }) || self.reopen_release(world)) {
            return self.on_caller_left_in_release(world);
        }
        let cause = match status {
            Some(status) => EndCause::sip(Party::Caller, EndReason::Unreachable, status),
            None if by_remote => EndCause::new(Party::Caller, EndReason::HungUp),
            None => EndCause::new(Party::Caller, EndReason::Unreachable),
        };
        self.end(cause, world);
    }

    /// Ends the call. The first cause stands.
    pub(crate) fn end(&mut self, cause: EndCause, world: &mut World<'_>) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(cause);
        self.end_callback();
        let by_caller = cause.by == Party::Caller;
        self.leave_line(if by_caller { "caller_gone" } else { "call_over" }, world);
        let legs: Vec<LegId> = self.legs.iter().map(|leg| leg.id).collect();
        let farewell: Vec<LegId> = legs.iter().copied().filter(|leg| by_caller && self.is_accepting(*leg)).collect();
        for leg in &legs {
            let take_late = by_caller && self.is_alerting(*leg);
            if let Some(leg) = self.leg_mut(*leg) {
                leg.take_late = take_late;
            }
        }
        let text = farewell_header(cause);
        self.farewell = farewell.into_iter().map(|leg| (leg, world.now + FAREWELL)).collect();
        let (outcome, stage) = self.outcome_at_end(cause);
        self.finish_handoff(outcome, stage, None);
        self.report_referrals(if by_caller { 487 } else { 503 });
        self.watch_the_end(cause, world);
        let why = if by_caller { "the caller hung up" } else { "the call is over" };
        self.leave_others(why, &text, cause, world);
        self.leave_desk(why, world);
        self.end_retransfer("the call is over", world);
        self.bot = None;
        self.bot_deadline = None;
        self.bot_lives();
        self.hand_back = None;
        self.prompt = None;
        self.waiting = None;
        for leg in legs {
            let role = self.leg(leg).map(|leg| leg.role);
            if mutated!(world.config, NoCancel) && role == Some(Role::Desk) && self.phase.is_consulting()
                || mutated!(world.config, BotForgotten) && role == Some(Role::Bot)
            {
                continue;
            }
            if !self.farewell.iter().any(|(of, _)| *of == leg) {
                self.hang_up(leg, &text, cause);
            }
        }
        self.forget_at = Some(world.now + FORGET);
        self.settle();
    }

    /// An impossible state: this call ends, the others do not notice.
    pub(crate) fn fail(&mut self, what: &str, world: &mut World<'_>) {
        self.note(Party::Gateway, format!("fault: {what}"));
        self.end(EndCause::new(Party::Gateway, EndReason::Fault), world);
    }

    fn outcome_at_end(&self, cause: EndCause) -> (HandoffOutcome, HandoffStage) {
        let before = if cause.by == Party::Caller { HandoffOutcome::CallerGone } else { HandoffOutcome::Failed };
        match self.phase {
            Phase::Released => (HandoffOutcome::Released, HandoffStage::Release),
            Phase::Releasing { .. } => (HandoffOutcome::Joined, HandoffStage::Release),
            Phase::Joined { .. } => (self.joined_outcome(), HandoffStage::Join),
            Phase::Accepting { .. } => (before, HandoffStage::Accept),
            Phase::Waiting { .. } => (before, HandoffStage::Route),
            _ => (before, HandoffStage::Consult),
        }
    }

    /// Somebody picked up after the caller had gone, before the CANCEL arrived: nobody says hello to silence.
    pub(crate) fn on_late_answer(&mut self, id: LegId, media: RemoteMedia, world: &World<'_>) {
        if let Some(leg) = self.leg_mut(id) {
            leg.take_late = false;
            leg.state = LegState::Up;
        }
        self.take_media(id, media, world.now);
        self.farewell.push((id, world.now + FAREWELL));
        self.note(Party::Desk, "answered after the caller had gone".to_owned());
    }

    /// The desk has heard that the caller is gone.
    pub(crate) fn end_farewell(&mut self, desk: LegId) {
        let Some(place) = self.farewell.iter().position(|(leg, _)| *leg == desk) else { return };
        self.farewell.remove(place);
        if let Some(cause) = self.ending {
            self.hang_up(desk, &farewell_header(cause), cause);
        }
    }

    /// Those who have had the time to hear it.
    pub(crate) fn end_farewells(&mut self, now: Instant) {
        while let Some((leg, _)) = self.farewell.iter().copied().find(|(_, until)| *until <= now) {
            self.end_farewell(leg);
        }
    }

    /// Peers that never confirmed their end are not waited for any longer.
    pub(crate) fn forget_legs(&mut self) {
        self.forget_at = None;
        let Some(cause) = self.ending else { return };
        for leg in self.legs.iter().map(|leg| leg.id).collect::<Vec<_>>() {
            self.note(Party::Gateway, format!("leg {leg} never confirmed its end"));
            self.remove_leg(leg, cause);
        }
    }

    /// The call is over with its last leg.
    pub(crate) fn close_when_empty(&mut self) {
        if let Some(cause) = self.ending
            && !self.is_over()
            && self.legs.iter().all(|leg| leg.state == LegState::Planned)
        {
            self.trace(TraceKind::Ended { cause });
            self.set_over();
        }
    }
}

/// The final status for a caller who was not answered.
pub(crate) const fn refusal_status(cause: EndCause) -> u16 {
    match (cause.reason, cause.sip) {
        (EndReason::NoRoute, _) => 404,
        (EndReason::NoCapacity | EndReason::Draining | EndReason::Unreachable, _) => 503,
        (EndReason::HandshakeFailed, _) => 488,
        (EndReason::Fault, _) => 500,
        (EndReason::TimedOut, _) => 480,
        (EndReason::Refused, Some(status @ (404 | 410 | 480 | 484 | 486 | 488 | 600..=699))) => status,
        (EndReason::Refused, Some(500..=599)) => 503,
        _ => 480,
    }
}

/// What the other parties are told (RFC 3326).
fn farewell_header(cause: EndCause) -> String {
    match (cause.by, cause.reason) {
        (Party::Caller, EndReason::HungUp | EndReason::Cancelled) => q850(16, "Caller hung up"),
        (_, EndReason::HungUp | EndReason::Finished) => q850(16, "Normal call clearing"),
        (_, EndReason::Released) => reason(200, "Transferred"),
        (_, EndReason::Fault) => reason(500, "Internal error"),
        (_, EndReason::HandshakeFailed) => reason(488, "No DTLS handshake"),
        (Party::Caller, _) => q850(41, "Caller lost"),
        _ => reason(480, "Nobody available"),
    }
}

fn q850(cause: u16, text: &str) -> String {
    format!("Q.850;cause={cause};text=\"{text}\"")
}
