//! Taking ourselves out of the path of two people who already talk. REFER with Replaces on the caller's leg names the
//! consult leg, so that the trunk calls the desk (RFC 5589 §7); or REFER on the desk's leg names the caller's, so that
//! the contact centre calls the trunk (§7.2). A way that is refused gives place to the next one, and after the last
//! they stay joined. Nothing here ever hangs up the caller before somebody has said 200, or has hung up.
//!
//! The rows are those of the standards' failure table (§2.1).

use crate::call::{Call, World, reason};
use crate::capability::{Ability, Peer, PeerKind};
use crate::config::Release;
use crate::leg::{Leg, LegCommand, ReferProgress};
use crate::transfer::{Handoff, Phase, Recovery};
use call_model::{
    Direction, EndCause, EndReason, HandoffOutcome, HandoffStage, Instant, LegId, MediaCommand, Method, Party,
    PopUpdate, Role, Selector, TraceKind,
};
use core::time::Duration;

/// How far the release is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReleaseStep {
    /// REFER is out. The SIP side has its own deadlines; `until` is the net below them.
    Asked { until: Instant },
    /// NOTIFY 200 came. At `at`: we may go if the replaced leg is gone; with `last`, whatever it did.
    Confirmed { at: Instant, last: bool },
    /// The caller's leg was hung up before the NOTIFY: success, or the caller hung up.
    CallerLeft { until: Instant },
    /// The desk's leg was hung up before the NOTIFY: success, or the human hung up.
    DeskLeft {
        until: Instant,
        /// Its BYE said that it was replaced.
        replaced: bool,
        audio: Audio,
    },
}

impl ReleaseStep {
    /// When this step is given up, or done.
    pub(crate) const fn deadline(&self) -> Instant {
        match self {
            Self::Asked { until } | Self::CallerLeft { until } | Self::DeskLeft { until, .. } => *until,
            Self::Confirmed { at, .. } => *at,
        }
    }
}

/// What the caller's audio says about a desk that left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Audio {
    /// It has just left. Where it was replaced, proof is as quick as its BYE, and nobody wants music in between.
    Fresh,
    /// Not asked yet: proof has a second to come. The caller, who may have been left, has music.
    Unasked,
    /// The media path was asked.
    Asked,
    /// It has stopped coming here: it goes somewhere else, and the proof is only late.
    Stopped,
}

/// A REFER that was accepted and given up: what it asked for may happen yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Loose {
    desk: LegId,
    by: Method,
}

/// A desk that hung up while a REFER had no outcome, and was taken for a human who hung up. Nobody else is proven to have
/// the caller.
#[derive(Debug)]
pub(crate) struct Unproven {
    desk: LegId,
    by: Method,
    /// None when another human is fetched instead.
    handoff: Option<Handoff>,
}

/// How long proof may lag behind a BYE, and the peer's own BYE behind its NOTIFY.
pub(crate) const PROOF: Duration = Duration::from_secs(1);
/// A caller may have nothing to hear for so long, and no longer.
const QUIET: Duration = Duration::from_millis(400);
/// How long the media path may take to say when it last heard somebody.
pub(crate) const MEASURE: Duration = Duration::from_millis(100);
/// Whoever was not heard for so long sends nothing here.
pub(crate) const STOPPED: Duration = Duration::from_millis(500);
/// While the caller's audio goes elsewhere, or nowhere, proof has so much longer; then somebody is fetched after all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nobody keeps a muted line so long to listen to a bot.
const FOR_GOOD: Duration = Duration::from_secs(120);
/// Who matched the Replaces has hung up by then.
const REPLACED_BYE: Duration = Duration::from_secs(4);
/// Why a desk has gone that is not replaced.
const HUNG_UP: EndCause = EndCause::new(Party::Desk, EndReason::HungUp);
/// Above every deadline of the SIP side but timer N and the result time: 32 s + 32 s and some.
pub(crate) const NET: Duration = Duration::from_secs(70);
/// A 503 without Retry-After counts for so long.
pub(crate) const REST: Duration = Duration::from_secs(30);

/// Choosing a way.
impl Call {
    /// Whether something on this call needs us in the path just now: then we do not leave.
    pub(crate) fn needs_us(&self) -> bool {
        // Music for whoever is on hold comes from here.
        let holds = |leg: &Leg| leg.is_up() && leg.role != Role::Bot && leg.direction != Direction::SendRecv;
        self.is_needed_now() || self.legs.iter().any(holds)
    }

    /// The ways out of the path that the trunk's policy and what is known of trunk and desk allow, best first.
    pub(crate) fn ways_out(&self, desk: LegId, world: &World<'_>) -> Vec<Method> {
        let Some(name) = self.leg(desk).map(|leg| leg.name.as_str()) else { return Vec::new() };
        if self.handoff.is_none() || self.about.release == Release::Stay || self.is_needed_always() {
            return Vec::new();
        }
        let (known, now) = (&*world.capabilities, world.now);
        let (trunk, desk) = ((PeerKind::Trunk, self.about.trunk.as_str()), (PeerKind::Desk, name));
        let always = self.about.release == Release::Refer;
        let by_trunk = always
            || (known.has(trunk, Ability::Refer, now)
                && known.has(trunk, Ability::Replaces, now)
                && known.may(desk, Ability::Replaces, now)
                && !known.rests(trunk, now));
        let takes_replaces =
            if always { known.may(trunk, Ability::Replaces, now) } else { known.has(trunk, Ability::Replaces, now) };
        let by_desk = known.surely(desk, Ability::Refer, now) && takes_replaces && !known.rests(trunk, now);
        let ways = [(Method::ReferTrunk, by_trunk), (Method::ReferDesk, by_desk)];
        ways.into_iter().filter(|(_, possible)| *possible).map(|(way, _)| way).collect()
    }

    /// Sends the first REFER, unless we are needed just now.
    pub(crate) fn start_release(&mut self, desk: LegId, world: &mut World<'_>) {
        if self.needs_us() {
            return;
        }
        if !self.take_next_way(desk, &[], world) {
            self.settle_joined(desk, None, HandoffStage::Join, world);
        }
    }

    /// Asks by the best way that was not tried; false when there is none.
    fn take_next_way(&mut self, desk: LegId, tried: &[Method], world: &mut World<'_>) -> bool {
        let ways = self.ways_out(desk, world);
        let Some(by) = ways.into_iter().find(|way| !tried.contains(way)) else { return false };
        let until = world.now + world.config.timers.refer_result_timeout + NET;
        self.use_method(by);
        self.enter(Phase::Releasing { leg: desk, by, step: ReleaseStep::Asked { until } }, world.now);
        self.send_refer(desk, by);
        true
    }

    fn send_refer(&mut self, desk: LegId, by: Method) {
        let caller = self.caller_id();
        if by == Method::ReferDesk {
            self.trace_release("REFER sent to the desk", None);
            return self.command(desk, LegCommand::Refer { consult: caller, facts: None });
        }
        let facts = self.handoff.as_ref().map(|handoff| self.facts_of(handoff));
        self.trace_release("REFER sent", None);
        self.command(caller, LegCommand::Refer { consult: desk, facts });
    }

    /// Who got the REFER, and whose dialog it names.
    const fn sides(&self, desk: LegId, by: Method) -> (LegId, LegId) {
        match by {
            Method::ReferDesk => (desk, self.caller_id()),
            _ => (self.caller_id(), desk),
        }
    }
}

/// What the peer makes of it.
impl Call {
    pub(crate) fn on_refer(&mut self, from: LegId, progress: ReferProgress, world: &mut World<'_>) {
        if self.ending.is_some() {
            return;
        }
        match progress {
            ReferProgress::Accepted(_) => self.agreed = Some(world.now),
            ReferProgress::Refused { .. }
            | ReferProgress::Notify { status: Some(300..), .. }
            | ReferProgress::Notify { status: None | Some(..200), last: true } => self.agreed = None,
            _ => {}
        }
        if let Phase::Referring { .. } = self.phase {
            return self.on_blind_progress(from, progress, world);
        }
        let Phase::Releasing { leg, by, .. } = self.phase else { return self.on_late_outcome(from, progress, world) };
        if from != self.sides(leg, by).0 {
            // Of a way that was given up.
            return;
        }
        self.learn_from(leg, by, progress, world);
        match progress {
            ReferProgress::Accepted(_) if mutated!(world.config, ByeAfterAccepted) => self.released(world),
            ReferProgress::Accepted(status) => {
                self.trace_release("REFER accepted", Some(status));
                self.on_sign_of_life(world);
            }
            ReferProgress::Refused { status, .. } => {
                self.trace_release("REFER refused", Some(status));
                if matches!(status, 408 | 481) {
                    // The peer may have lost the whole dialog: an OPTIONS in it finds out.
                    self.command(from, LegCommand::Probe);
                }
                // Overload and a dialog in doubt are no reason to try something else.
                self.release_failed(Some(status), !matches!(status, 408 | 481 | 503), world);
            }
            ReferProgress::Unsendable => {
                self.trace_release("REFER impossible: the other dialog cannot be named", None);
                self.release_failed(None, true, world);
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
                self.release_failed(Some(status), true, world);
            }
            ReferProgress::Notify { status, last: true } => {
                // The outcome is the last status line seen; 1xx or none is no outcome (RFC 3515 §2.4.5).
                self.trace_release("NOTIFY ends without an outcome", status);
                self.release_failed(status, false, world);
            }
            ReferProgress::Notify { status, last: false } => {
                self.trace_release("NOTIFY", status);
                self.on_sign_of_life(world);
            }
            ReferProgress::EarlierSucceeded if self.blinds.is_empty() => {}
            ReferProgress::EarlierSucceeded => self.doubt_the_caller(200, world),
            ReferProgress::Silence { .. } => {
                self.trace_release("REFER accepted, then silence", None);
                // A desk that has left is waited for by a clock of its own.
                if !matches!(self.phase, Phase::Releasing { step: ReleaseStep::DeskLeft { .. }, .. }) {
                    self.give_up_waiting(leg, by, world);
                }
            }
        }
    }

    /// A trunk whose BYE came first and that still reports is at it: a caller's hang-up would have ended the REFER too.
    fn on_sign_of_life(&mut self, world: &World<'_>) {
        if let Phase::Releasing { step: ReleaseStep::CallerLeft { until }, .. } = &mut self.phase {
            *until = world.now + PROOF;
        }
    }

    /// What this says about the peers, for later calls.
    fn learn_from(&mut self, desk: LegId, by: Method, progress: ReferProgress, world: &mut World<'_>) {
        let Some((referee, replaced)) = self.peers_of(desk, by) else { return };
        let (referee, replaced) = ((referee.0, referee.1.as_str()), (replaced.0, replaced.1.as_str()));
        let (known, now) = (&mut *world.capabilities, world.now);
        match progress {
            ReferProgress::Refused { status: 503, retry_after, .. } => {
                let rest = retry_after.map_or(REST, |seconds| Duration::from_secs(seconds.into()));
                known.on_overload(referee, rest, now);
            }
            ReferProgress::Refused { status, no_replaces, .. } => known.on_refused(referee, status, no_replaces, now),
            ReferProgress::Notify { status: Some(481), .. } => known.on_replaces_broken(replaced, now),
            ReferProgress::Notify { .. } => known.on_notify(referee),
            ReferProgress::Silence { notified: false } => known.on_silence(referee, now),
            ReferProgress::Silence { .. }
            | ReferProgress::Accepted(_)
            | ReferProgress::Unsendable
            | ReferProgress::EarlierSucceeded => {}
        }
    }

    /// Who got the REFER, and who gets the INVITE with Replaces, by name.
    fn peers_of(&self, desk: LegId, by: Method) -> Option<((PeerKind, String), (PeerKind, String))> {
        let name = match self.leg(desk) {
            Some(leg) => leg.name.clone(),
            None => self.handoff.as_ref()?.desk.as_ref()?.0.0.clone(),
        };
        let (trunk, desk) = ((PeerKind::Trunk, self.about.trunk.clone()), (PeerKind::Desk, name));
        Some(if by == Method::ReferDesk { (desk, trunk) } else { (trunk, desk) })
    }

    fn release_confirmed(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, step } = self.phase else { return };
        match step {
            ReleaseStep::Confirmed { .. } => {}
            ReleaseStep::CallerLeft { .. } if by != Method::ReferDesk => self.released(world),
            ReleaseStep::Asked { .. } | ReleaseStep::DeskLeft { .. } | ReleaseStep::CallerLeft { .. } => {
                let step = ReleaseStep::Confirmed { at: world.now + PROOF, last: false };
                self.phase = Phase::Releasing { leg, by, step };
            }
        }
    }

    /// The next way, or everybody stays where they are; if one has gone meanwhile, it was a hang-up after all.
    fn release_failed(&mut self, status: Option<u16>, another: bool, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, step } = self.phase else { return };
        match step {
            ReleaseStep::Confirmed { .. } => {}
            ReleaseStep::Asked { .. } if mutated!(world.config, RefusalHangsUp) => {
                self.end(EndCause::new(Party::Gateway, EndReason::Fault), world);
            }
            ReleaseStep::Asked { .. } => {
                // The ways are tried in order, so those before this one are behind us.
                let tried: &[Method] = if by == Method::ReferTrunk {
                    &[Method::ReferTrunk]
                } else {
                    &[Method::ReferTrunk, Method::ReferDesk]
                };
                if !(another && !self.needs_us() && self.take_next_way(leg, tried, world)) {
                    self.settle_joined(leg, status, HandoffStage::Release, world);
                    if mutated!(world.config, PartedByRefusal) {
                        for (leg, from) in [(self.caller_id(), Selector::Music), (leg, Selector::Silence)] {
                            self.send_media(MediaCommand::Feed { leg, from });
                        }
                    }
                }
            }
            ReleaseStep::DeskLeft { .. } => {
                self.use_no_method();
                self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Release, status);
                self.on_human_gone(HUNG_UP, world);
            }
            ReleaseStep::CallerLeft { .. } => {
                self.use_no_method();
                self.end(EndCause::new(Party::Caller, EndReason::HungUp), world);
            }
        }
    }

    /// They stay joined, and we with them.
    fn settle_joined(&mut self, desk: LegId, status: Option<u16>, stage: HandoffStage, world: &World<'_>) {
        self.use_no_method();
        self.finish_handoff(HandoffOutcome::Joined, stage, status);
        self.enter(Phase::Joined { leg: desk, release_at: None, release: false }, world.now);
    }

    /// The REFER was accepted, so it may yet be done: nobody waits for it, but what it would look like is remembered.
    fn give_up_waiting(&mut self, desk: LegId, by: Method, world: &mut World<'_>) {
        if matches!(self.phase, Phase::Releasing { step: ReleaseStep::Asked { .. }, .. }) {
            self.loose = Some(Loose { desk, by });
        }
        self.release_failed(None, false, world);
    }

    /// The desk holds the call while a REFER is out: the caller needs our music, so we stay. A caller who comes back from
    /// a hold when the desk has left is with us, and with nobody else.
    pub(crate) fn on_hold_in_release(&mut self, id: LegId, was: Direction, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, step } = self.phase else { return };
        let holds = |direction| direction != Direction::SendRecv;
        let held = self.leg(id).is_some_and(|party| holds(party.direction));
        if id == self.caller_id() && holds(was) && !held && matches!(step, ReleaseStep::DeskLeft { .. }) {
            self.trace_release("the caller resumes: nobody else has the caller", None);
            return self.human_hung_up(world);
        }
        if id == leg && held && matches!(step, ReleaseStep::Asked { .. }) {
            self.trace_release("the desk holds the call: we stay", None);
            let (referee, _) = self.sides(leg, by);
            self.command(referee, LegCommand::GiveUpRefer);
            self.give_up_waiting(leg, by, world);
        }
    }

    /// Somebody leaves, or the outcome comes, after all: the release that was given up is looked at again.
    pub(crate) fn reopen_release(&mut self, world: &World<'_>) -> bool {
        let Phase::Joined { leg, .. } = self.phase else { return false };
        let Some(Loose { desk, by }) = self.loose.take().filter(|loose| loose.desk == leg) else { return false };
        self.use_method(by);
        self.enter(Phase::Releasing { leg: desk, by, step: ReleaseStep::Asked { until: world.now + NET } }, world.now);
        true
    }

    /// The outcome of a REFER that we had given up. While both are still here, 200 is 200. With a BYE from the desk
    /// before it, it means that the desk was replaced after all: caller and human talk, and whoever came back is
    /// talking to nobody.
    fn on_late_outcome(&mut self, from: LegId, progress: ReferProgress, world: &mut World<'_>) {
        let status = match progress {
            ReferProgress::Notify { status: Some(status @ 200..), .. } => status,
            ReferProgress::EarlierSucceeded => 200,
            _ => return,
        };
        if from == self.caller_id() && !self.blinds.is_empty() {
            return self.on_late_blind(status, world);
        }
        if matches!(self.phase, Phase::Joined { .. }) {
            if status >= 300 {
                self.loose = None;
            } else if self.loose.is_some_and(|loose| self.sides(loose.desk, loose.by).0 == from)
                && self.reopen_release(world)
            {
                return self.on_refer(from, progress, world);
            }
        }
        let Some(Unproven { desk, by, handoff }) = self.unproven.take().filter(|_| status < 300) else { return };
        let with_bot = matches!(self.phase, Phase::WithBot | Phase::Recovering(Recovery::Bot { .. }));
        if let Some(handoff) = handoff.filter(|_| with_bot) {
            self.trace_release("NOTIFY, late", Some(status));
            self.drop_bot(EndCause::new(Party::Gateway, EndReason::Released), "Transferred");
            self.known.forget_earlier(handoff.id);
            self.hand_back = None;
            self.handoff = Some(handoff);
            self.show_pop_again();
            let step = ReleaseStep::Confirmed { at: world.now + PROOF, last: false };
            self.enter(Phase::Releasing { leg: desk, by, step }, world.now);
        } else if from == self.caller_id() {
            self.doubt_the_caller(status, world);
        }
    }

    /// NOTIFY says that somebody else has the caller, whom a human here has, or is about to have: the caller's audio will
    /// tell.
    pub(crate) fn doubt_the_caller(&mut self, status: u16, world: &mut World<'_>) {
        self.trace_release("NOTIFY, late", Some(status));
        self.elsewhere = Some(world.now);
        if self.leg(self.caller_id()).is_some_and(|caller| caller.silent) {
            self.leave_the_caller_elsewhere(world);
        }
    }

    /// Whether a caller who, as NOTIFY said, is with somebody else has been on hold here ever since: such a line is never
    /// silent, since it owes no audio.
    pub(crate) fn holds_for_good(&self, now: Instant) -> bool {
        let held = self.leg(self.caller_id()).and_then(|caller| caller.held);
        let told =
            |since: Instant| held.is_some_and(|held| held.since <= since + PROOF) && now.since(since) >= FOR_GOOD;
        self.elsewhere.is_some_and(told)
    }

    pub(crate) fn leave_the_caller_elsewhere(&mut self, world: &mut World<'_>) {
        self.trace_release("the caller's audio has gone: nobody is left for a human here", None);
        self.end(EndCause::new(Party::Gateway, EndReason::Released), world);
    }

    /// The human still has the caller: what was taken off the page comes back.
    pub(crate) fn show_pop_again(&mut self) {
        let Some(package) = self.next_package() else { return };
        let Some((desk, sip_call_id)) = self.handoff.as_ref().and_then(|handoff| handoff.desk.clone()) else { return };
        let handoff = package.id;
        self.pop(PopUpdate::Offered { desk: desk.clone(), sip_call_id, package: Box::new(package) });
        self.pop(PopUpdate::Joined { desk, handoff });
        self.trace_pop("offered");
    }
}

/// Who leaves, and when it is enough.
impl Call {
    /// BYE from the desk: it was replaced, or the human hung up.
    pub(crate) fn on_desk_left_in_release(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, step } = self.phase else { return };
        match step {
            ReleaseStep::Asked { .. } => {
                let replaced = self.last_reason.take().is_some_and(|reason| says_replaced(&reason));
                self.trace_release("BYE from the desk before NOTIFY", None);
                let step = ReleaseStep::DeskLeft { until: world.now + QUIET, replaced, audio: Audio::Fresh };
                self.phase = Phase::Releasing { leg, by, step };
            }
            ReleaseStep::CallerLeft { .. } | ReleaseStep::Confirmed { last: true, .. } => self.released(world),
            ReleaseStep::Confirmed { .. } if self.leg(self.caller_id()).is_none() => self.released(world),
            ReleaseStep::Confirmed { .. } if by == Method::ReferDesk => self.wait_for_the_replaced(world),
            ReleaseStep::Confirmed { .. } | ReleaseStep::DeskLeft { .. } => {}
        }
    }

    /// BYE from the trunk: it has done what we asked, or the caller hung up.
    pub(crate) fn on_caller_left_in_release(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, step } = self.phase else { return };
        match step {
            ReleaseStep::Asked { .. } => {
                self.trace_release("BYE from the trunk before NOTIFY", None);
                let step = ReleaseStep::CallerLeft { until: world.now + PROOF };
                self.phase = Phase::Releasing { leg, by, step };
            }
            ReleaseStep::DeskLeft { .. } => self.released(world),
            ReleaseStep::Confirmed { .. } if self.leg(leg).is_none() => self.released(world),
            ReleaseStep::Confirmed { .. } if by != Method::ReferDesk => self.wait_for_the_replaced(world),
            ReleaseStep::Confirmed { .. } | ReleaseStep::CallerLeft { .. } => {}
        }
    }

    /// Who got the REFER has said 200 and gone; the other has a few seconds to follow.
    fn wait_for_the_replaced(&mut self, world: &World<'_>) {
        if let Phase::Releasing { leg, by, .. } = self.phase {
            let step = ReleaseStep::Confirmed { at: world.now + REPLACED_BYE, last: true };
            self.phase = Phase::Releasing { leg, by, step };
        }
    }

    pub(crate) fn on_release_timeout(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, step } = self.phase else { return };
        match step {
            ReleaseStep::Asked { .. } => {
                self.trace_release("no outcome", None);
                self.give_up_waiting(leg, by, world);
            }
            ReleaseStep::CallerLeft { .. } => self.release_failed(None, false, world),
            ReleaseStep::DeskLeft { replaced, audio: Audio::Fresh, .. } => {
                let until = world.now + PROOF.saturating_sub(QUIET);
                let step = ReleaseStep::DeskLeft { until, replaced, audio: Audio::Unasked };
                self.phase = Phase::Releasing { leg, by, step };
            }
            ReleaseStep::DeskLeft { replaced, audio: Audio::Unasked, .. } => {
                let step = ReleaseStep::DeskLeft { until: world.now + MEASURE, replaced, audio: Audio::Asked };
                self.phase = Phase::Releasing { leg, by, step };
                self.send_media(MediaCommand::Measure { leg: self.caller_id() });
            }
            ReleaseStep::DeskLeft { .. } => self.human_hung_up(world),
            ReleaseStep::Confirmed { .. } if self.leg(self.sides(leg, by).1).is_none() => self.released(world),
            ReleaseStep::Confirmed { last: false, .. } => self.wait_for_the_replaced(world),
            ReleaseStep::Confirmed { last: true, .. } => self.on_replaced_did_not_leave(leg, by, world),
        }
    }

    /// The desk has left without proof; this is when the caller was last heard. Audio that still comes here: the human
    /// hung up. Audio that has stopped: it goes to the desk, if the desk said so; else there is no hurry, and nobody to
    /// talk to.
    pub(crate) fn on_measured(&mut self, last_heard: Option<Instant>, world: &mut World<'_>) {
        self.on_measured_in_blind(last_heard, world);
        let Phase::Releasing { leg, by, step: ReleaseStep::DeskLeft { replaced, audio, .. } } = self.phase else {
            return;
        };
        let stopped = last_heard.is_none_or(|last| world.now.since(last) >= STOPPED);
        match audio {
            Audio::Fresh | Audio::Unasked => {}
            Audio::Asked if stopped && replaced => {
                self.trace_release("the desk was replaced, and the caller's audio has gone: success", None);
                self.released(world);
            }
            Audio::Asked if stopped => {
                self.trace_release("the caller's audio has gone too: waiting for proof", None);
                let until = world.now + PATIENCE;
                let step = ReleaseStep::DeskLeft { until, replaced, audio: Audio::Stopped };
                self.phase = Phase::Releasing { leg, by, step };
            }
            Audio::Stopped if stopped => {}
            Audio::Asked | Audio::Stopped => self.human_hung_up(world),
        }
    }

    /// The caller was alone all the while.
    fn human_hung_up(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, .. } = self.phase else { return };
        self.use_no_method();
        self.finish_handoff(HandoffOutcome::Joined, HandoffStage::Release, None);
        let handoff = self.on_human_gone(HUNG_UP, world);
        self.unproven = Some(Unproven { desk: leg, by, handoff });
    }

    /// The caller was last heard so long ago. Where a late NOTIFY has said that a desk has the caller, it has. Who agreed
    /// to a REFER, and told no end, and whose audio stopped while they were at it, has taken the caller away without a
    /// word: the bot is talking to nobody.
    pub(crate) fn on_caller_silent(&mut self, lasted: Duration, world: &mut World<'_>) {
        if self.elsewhere.is_some_and(|since| world.now - lasted <= since + PROOF) {
            return self.leave_the_caller_elsewhere(world);
        }
        let (last, patience) = (world.now - lasted, world.config.timers.refer_result_timeout);
        let at_it = |agreed: Instant| agreed <= last && last <= agreed + patience;
        if lasted >= FOR_GOOD && matches!(self.phase, Phase::WithBot) && self.agreed.is_some_and(at_it) {
            self.trace_release("no outcome, and the caller's audio has gone for good: somebody has the caller", None);
            self.enter(Phase::Released, world.now);
            self.end(EndCause::new(Party::Gateway, EndReason::Released), world);
        }
    }

    /// NOTIFY said 200, and the replaced leg is still here: its peer does not implement the BYE of RFC 3891 §3, or the
    /// word of the other is worth nothing. The caller's audio tells which.
    fn on_replaced_did_not_leave(&mut self, leg: LegId, by: Method, world: &mut World<'_>) {
        let caller = self.leg(self.caller_id());
        if caller.is_none_or(|caller| caller.silent) {
            return self.released(world);
        }
        if caller.is_some_and(|caller| caller.held.is_some()) {
            // Who holds owes no audio: only if nothing comes of this line for long, it is the one that was left behind.
            self.elsewhere = Some(world.now);
        }
        self.trace_release("NOTIFY 200, yet the caller's audio still comes here: we stay", None);
        if self.leg(leg).is_none() {
            return self.human_hung_up(world);
        }
        let (who, what) = match by {
            Method::ReferDesk => (Party::Trunk, "did not hang up the replaced leg"),
            _ => (Party::Desk, "did not hang up the replaced leg"),
        };
        self.note(who, what.to_owned());
        self.settle_joined(leg, Some(200), HandoffStage::Release, world);
    }

    /// They talk without us: hang up what is left.
    fn released(&mut self, world: &mut World<'_>) {
        let Phase::Releasing { leg, by, .. } = self.phase else { return };
        if let Some((referee, replaced)) = self.peers_of(leg, by) {
            let proven = |world: &mut World<'_>, peer: &(PeerKind, String), ability| {
                let peer: Peer<'_> = (peer.0, &peer.1);
                world.capabilities.on_proven(peer, ability, "a release that went well", world.now);
            };
            proven(world, &referee, Ability::Refer);
            proven(world, &replaced, Ability::Replaces);
            // Who calls with Replaces knows it, too.
            proven(world, &referee, Ability::Replaces);
        }
        self.trace_release("released", None);
        self.correct_outcome();
        self.enter(Phase::Released, world.now);
        let cause = EndCause::new(Party::Gateway, EndReason::Released);
        if by == Method::ReferDesk {
            self.hang_up(leg, &reason(200, "Transferred"), cause);
        }
        self.hang_up(self.caller_id(), &reason(200, "Transferred"), cause);
        self.end(cause, world);
    }

    /// The outcome was told when nobody waited for a release any more; page and records learn of it all the same.
    pub(crate) fn correct_outcome(&mut self) {
        let Some(handoff) = self.handoff.as_ref().filter(|handoff| handoff.finished) else { return };
        let (id, desk, method) = (handoff.id, handoff.desk.clone(), handoff.method);
        let (outcome, stage, sip) = (HandoffOutcome::Released, HandoffStage::Release, Some(200));
        if let Some((desk, _)) = desk {
            self.pop(PopUpdate::Ended { desk, handoff: id, outcome });
        }
        self.trace(TraceKind::HandoffEnded { handoff: id, outcome, stage, sip, method, corrects: true });
    }

    /// We are in the path after all.
    pub(crate) fn use_no_method(&mut self) {
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.method = handoff.in_path;
        }
    }

    pub(crate) fn use_method(&mut self, method: Method) {
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.method = method;
        }
    }

    pub(crate) fn trace_release(&mut self, what: &str, status: Option<u16>) {
        self.trace(TraceKind::Release { what: what.to_owned(), status });
    }
}

/// A BYE whose `Reason` (RFC 3326) says that another dialog took this one's place.
fn says_replaced(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("replaced")
}
