//! Taking ourselves out of the path of two people who already talk: REFER with Replaces on the caller's leg, naming
//! the consult leg (RFC 5589 §7). Whatever goes wrong, they stay joined; nothing here ever hangs up the caller before
//! the trunk has said 200, and then waits a second for the trunk to do it.
//!
//! The rows are those of the standards' failure table (§2.1).

use crate::call::{Call, World, reason};
use crate::leg::{LegCommand, ReferProgress};
use crate::transfer::{Phase, Recovery};
use call_model::{EndCause, EndReason, HandoffOutcome, HandoffStage, Instant, LegId, Method, Party, TraceKind};
use core::time::Duration;

/// How far the release is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReleaseStep {
    /// REFER is out. The SIP side has its own deadlines; `until` is the net below them.
    Asked { until: Instant },
    /// NOTIFY 200 came. At `at`: the caller leg may be hung up if the desk's is gone; with `last`, whatever the desk did.
    Confirmed { at: Instant, last: bool },
    /// The caller's leg was hung up by the trunk before the NOTIFY: success, or the caller hung up.
    CallerLeft { until: Instant },
    /// The desk's leg was hung up before the NOTIFY: success, or the human hung up.
    DeskLeft { until: Instant },
}

/// How long proof may lag behind a BYE, and the trunk's own BYE behind its NOTIFY.
const PROOF: Duration = Duration::from_secs(1);
/// A desk that matched the Replaces has hung up by then.
const DESK_BYE: Duration = Duration::from_secs(4);
/// Above every deadline of the SIP side but timer N and the result time: 32 s + 32 s and some.
const NET: Duration = Duration::from_secs(70);

impl Call {
    /// Sends REFER.
    pub(crate) fn start_release(&mut self, leg: LegId, world: &mut World<'_>) {
        let Some(facts) = self.handoff.as_ref().map(|handoff| self.facts_of(handoff)) else { return };
        self.use_method(Method::ReferTrunk);
        let until = world.now + world.config.timers.refer_result_timeout + NET;
        self.enter(Phase::Releasing { leg, step: ReleaseStep::Asked { until } }, world.now);
        self.trace_release("REFER sent", None);
        self.command(self.caller_id(), LegCommand::Refer { consult: leg, facts });
    }

    /// What the trunk makes of it.
    pub(crate) fn on_refer(&mut self, progress: ReferProgress, world: &mut World<'_>) {
        if self.ending.is_some() {
            return;
        }
        if !matches!(self.phase, Phase::Releasing { .. }) {
            return self.on_late_outcome(progress, world);
        }
        match progress {
            ReferProgress::Accepted(_) if mutated!(world.config, ByeAfterAccepted) => self.released(world),
            ReferProgress::Accepted(status) => self.trace_release("REFER accepted", Some(status)),
            ReferProgress::Refused(status) => {
                self.trace_release("REFER refused", Some(status));
                if matches!(status, 408 | 481) {
                    // The trunk may have lost the whole dialog: an OPTIONS in it finds out.
                    self.command(self.caller_id(), LegCommand::Probe);
                }
                self.release_failed(Some(status), world);
            }
            ReferProgress::Unsendable => {
                self.trace_release("REFER impossible: the desk's dialog cannot be named", None);
                self.release_failed(None, world);
            }
            ReferProgress::Notify { status: Some(status @ 200..=299), .. } => {
                self.trace_release("NOTIFY", Some(status));
                self.release_confirmed(world);
            }
            ReferProgress::Notify { status: Some(status @ 300..), .. } => {
                self.trace_release("NOTIFY", Some(status));
                if mutated!(world.config, FailureIsSuccess) {
                    return self.release_confirmed(world);
                }
                self.release_failed(Some(status), world);
            }
            ReferProgress::Notify { status, last: true } => {
                // The outcome is the last status line seen; 1xx or none is no outcome (RFC 3515 §2.4.5).
                self.trace_release("NOTIFY ends without an outcome", status);
                self.release_failed(status, world);
            }
            ReferProgress::Notify { status, last: false } => self.trace_release("NOTIFY", status),
            ReferProgress::Silence => {
                self.trace_release("REFER accepted, then silence", None);
                self.release_failed(None, world);
            }
        }
    }

    fn release_confirmed(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, step } = self.phase else { return };
        match step {
            ReleaseStep::Confirmed { .. } => {}
            ReleaseStep::CallerLeft { .. } => self.released(world),
            ReleaseStep::Asked { .. } | ReleaseStep::DeskLeft { .. } => {
                let step = ReleaseStep::Confirmed { at: world.now + PROOF, last: false };
                self.phase = Phase::Releasing { leg, step };
            }
        }
    }

    /// Everybody stays where they are; if one has gone meanwhile, it was a hang-up after all.
    fn release_failed(&mut self, status: Option<u16>, world: &mut World<'_>) {
        let Phase::Releasing { leg, step } = self.phase else { return };
        match step {
            ReleaseStep::Confirmed { .. } => {}
            ReleaseStep::Asked { .. } if mutated!(world.config, RefusalHangsUp) => {
                self.end(EndCause::new(Party::Gateway, EndReason::Fault), world);
            }
            ReleaseStep::Asked { .. } => {
                self.use_method(Method::Stay);
                self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Release, status);
                self.enter(Phase::Joined { leg, release_at: None, release: false }, world.now);
            }
            ReleaseStep::DeskLeft { .. } => {
                self.use_method(Method::Stay);
                self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Release, status);
                self.on_human_gone(world);
            }
            ReleaseStep::CallerLeft { .. } => {
                self.use_method(Method::Stay);
                self.end(EndCause::new(Party::Caller, EndReason::HungUp), world);
            }
        }
    }

    /// The outcome of a REFER that we had given up, the human being gone. With a BYE from the desk before it, 200 means
    /// that the desk was replaced after all: caller and human talk, and whoever came back is talking to nobody.
    fn on_late_outcome(&mut self, progress: ReferProgress, world: &mut World<'_>) {
        let ReferProgress::Notify { status: Some(status @ 200..), .. } = progress else { return };
        let Some(leg) = self.unproven.take().filter(|_| status < 300) else { return };
        if matches!(self.phase, Phase::WithBot | Phase::Recovering(Recovery::Bot { .. })) {
            self.trace_release("NOTIFY, late", Some(status));
            self.drop_bot(EndCause::new(Party::Gateway, EndReason::Released), "Transferred");
            let step = ReleaseStep::Confirmed { at: world.now + PROOF, last: false };
            self.enter(Phase::Releasing { leg, step }, world.now);
        }
    }

    /// BYE from the desk: it was replaced, or the human hung up.
    pub(crate) fn on_desk_left_in_release(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, step } = self.phase else { return };
        match step {
            ReleaseStep::Asked { .. } => {
                self.trace_release("BYE from the desk before NOTIFY", None);
                let step = ReleaseStep::DeskLeft { until: world.now + PROOF };
                self.phase = Phase::Releasing { leg, step };
            }
            ReleaseStep::CallerLeft { .. } | ReleaseStep::Confirmed { last: true, .. } => self.released(world),
            ReleaseStep::Confirmed { .. } if self.leg(self.caller_id()).is_none() => self.released(world),
            ReleaseStep::Confirmed { .. } | ReleaseStep::DeskLeft { .. } => {}
        }
    }

    /// BYE from the trunk: it has done what we asked, or the caller hung up.
    pub(crate) fn on_caller_left_in_release(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, step } = self.phase else { return };
        match step {
            ReleaseStep::Asked { .. } => {
                self.trace_release("BYE from the trunk before NOTIFY", None);
                let step = ReleaseStep::CallerLeft { until: world.now + PROOF };
                self.phase = Phase::Releasing { leg, step };
            }
            ReleaseStep::DeskLeft { .. } => self.released(world),
            ReleaseStep::Confirmed { .. } if self.leg(leg).is_none() => self.released(world),
            ReleaseStep::Confirmed { .. } => {
                let step = ReleaseStep::Confirmed { at: world.now + DESK_BYE, last: true };
                self.phase = Phase::Releasing { leg, step };
            }
            ReleaseStep::CallerLeft { .. } => {}
        }
    }

    pub(crate) fn on_release_timeout(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, step } = self.phase else { return };
        match step {
            ReleaseStep::Asked { .. } => {
                self.trace_release("no outcome", None);
                self.release_failed(None, world);
            }
            ReleaseStep::CallerLeft { .. } => self.release_failed(None, world),
            ReleaseStep::DeskLeft { .. } => {
                self.unproven = Some(leg);
                self.release_failed(None, world);
            }
            ReleaseStep::Confirmed { .. } if self.leg(leg).is_none() => self.released(world),
            ReleaseStep::Confirmed { last: false, .. } => {
                let step = ReleaseStep::Confirmed { at: world.now + DESK_BYE, last: true };
                self.phase = Phase::Releasing { leg, step };
            }
            ReleaseStep::Confirmed { last: true, .. } => self.on_desk_did_not_leave(leg, world),
        }
    }

    /// NOTIFY said 200, and the desk still has its leg with us: it does not implement the BYE of RFC 3891 §3, or the
    /// trunk's word is worth nothing. The caller's audio tells which.
    fn on_desk_did_not_leave(&mut self, leg: LegId, world: &mut World<'_>) {
        let caller = self.leg(self.caller_id());
        if caller.is_some_and(|caller| !caller.silent) {
            self.trace_release("NOTIFY 200, yet the caller's audio still comes here: we stay", None);
            self.note(Party::Desk, "did not hang up the replaced leg".to_owned());
            self.use_method(Method::Stay);
            self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Release, Some(200));
            return self.enter(Phase::Joined { leg, release_at: None, release: false }, world.now);
        }
        self.released(world);
    }

    /// They talk without us: hang up what is left.
    fn released(&mut self, world: &mut World<'_>) {
        self.trace_release("released", None);
        self.enter(Phase::Released, world.now);
        let cause = EndCause::new(Party::Gateway, EndReason::Released);
        self.hang_up(self.caller_id(), &reason(200, "Transferred"), cause);
        self.end(cause, world);
    }

    fn use_method(&mut self, method: Method) {
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.method = method;
        }
    }

    fn trace_release(&mut self, what: &str, status: Option<u16>) {
        self.trace(TraceKind::Release { what: what.to_owned(), status });
    }
}
