//! Blind transfer: the trunk is asked to call the desk itself (REFER without Replaces, RFC 5589 §6). The caller stays
//! with the bot, or with music, until the last NOTIFY. Whatever goes wrong before it, we call the desk ourselves.

use crate::call::{Call, World, reason};
use crate::capability::{Ability, Peer, PeerKind};
use crate::config::{Desk, Handover};
use crate::leg::{LegCommand, ReferProgress};
use crate::release::{MEASURE, NET, PROOF, REST, STOPPED};
use crate::transfer::Phase;
use call_model::{
    DeskId, EndCause, EndReason, HandoffOutcome, HandoffStage, Instant, LegId, MediaCommand, Method, Party, PopUpdate,
};
use core::time::Duration;

/// What the trunk was asked to do, as long as it may be done.
#[derive(Clone, Debug)]
pub(crate) struct Blind {
    leg: LegId,
    /// The desk that it was asked to call, and the name of the leg that was meant for it.
    desk: (DeskId, String),
    /// It said that it would.
    accepted: bool,
    /// It has reported, so it would report the end, too.
    notified: bool,
    /// Another human was proven to have the caller since.
    overtaken: bool,
}

/// How far the blind transfer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlindStep {
    /// REFER is out. The SIP side has its own deadlines; `until` is the net below them.
    Asked { until: Instant },
    /// NOTIFY 200 came. The trunk has until then to hang up; then the media path is asked whether the caller's audio still
    /// comes here, and has until then to say.
    Confirmed { at: Instant, asked: bool },
    /// The trunk hung up before the NOTIFY: it is done, or the caller hung up.
    CallerLeft { until: Instant },
}

impl BlindStep {
    /// When this step is given up, or done.
    pub(crate) const fn deadline(&self) -> Instant {
        match self {
            Self::Asked { until } | Self::CallerLeft { until } => *until,
            Self::Confirmed { at, .. } => *at,
        }
    }
}

/// Asking.
impl Call {
    /// Whether the trunk is to be asked to call this desk: the desk is set so, nothing is known against it, and nobody
    /// needs us in the path. A second desk that rings already may answer at any time, so we keep the caller; and a human who
    /// passes the caller on is better served by us, wherever we can call.
    pub(crate) fn may_refer_blindly(&self, desk: &Desk, world: &World<'_>) -> bool {
        let (known, now) = (&*world.capabilities, world.now);
        let trunk = self.trunk_peer();
        let alone = |handoff: &crate::transfer::Handoff| handoff.in_place_of.is_none() && handoff.beside.is_empty();
        desk.handover == Handover::Refer
            && self.handoff.as_ref().is_some_and(alone)
            && (self.passing_human().is_none() || !desk.is_callable())
            && self.caller_is_up()
            && !self.is_needed_always()
            && known.may(trunk, Ability::Refer, now)
            && known.may(trunk, Ability::Blind, now)
            && !known.rests(trunk, now)
    }

    fn trunk_peer(&self) -> Peer<'_> {
        (PeerKind::Trunk, &self.about.trunk)
    }

    pub(crate) fn refer_blindly(&mut self, leg: LegId, desk: &Desk, world: &mut World<'_>) {
        let until = world.now + world.config.timers.refer_result_timeout + NET;
        let desk_and_id = self.handoff.as_ref().and_then(|handoff| handoff.desk.clone());
        self.blinds.extend(desk_and_id.map(|desk| Blind {
            leg,
            desk,
            accepted: false,
            notified: false,
            overtaken: false,
        }));
        self.use_method(Method::Blind);
        self.enter(Phase::Referring { leg, step: BlindStep::Asked { until } }, world.now);
        self.trace_release("REFER sent, without Replaces", None);
        let facts = self.handoff.as_ref().map(|handoff| self.facts_of(handoff));
        self.command(self.caller_id(), LegCommand::ReferTo { desk: desk.name.clone(), facts });
    }
}

/// What the trunk makes of it.
impl Call {
    pub(crate) fn on_blind_progress(&mut self, from: LegId, progress: ReferProgress, world: &mut World<'_>) {
        if from != self.caller_id() {
            return;
        }
        self.learn_from_blind(progress, world);
        self.note_blind(progress);
        match progress {
            ReferProgress::Accepted(status) => self.trace_release("REFER accepted", Some(status)),
            ReferProgress::Refused { status, .. } => {
                self.trace_release("REFER refused", Some(status));
                if matches!(status, 408 | 481) {
                    self.command(from, LegCommand::Probe);
                }
                self.blind_failed(Some(status), false, world);
            }
            ReferProgress::Unsendable => self.blind_failed(None, false, world),
            ReferProgress::Notify { status: Some(status @ 200..=299), .. } => {
                self.trace_release("NOTIFY", Some(status));
                self.blind_confirmed(world);
            }
            ReferProgress::Notify { status: Some(status @ 300..), .. } => {
                self.trace_release("NOTIFY", Some(status));
                self.blind_failed(Some(status), true, world);
            }
            ReferProgress::Notify { status, last: true } => {
                self.trace_release("NOTIFY ends without an outcome", status);
                self.blind_failed(None, false, world);
            }
            ReferProgress::Notify { status, last: false } => {
                self.trace_release("NOTIFY", status);
                if status.is_some_and(|status| (180..200).contains(&status)) {
                    self.report_referrals(180);
                }
            }
            ReferProgress::Silence { .. } => {
                self.trace_release("REFER accepted, then silence", None);
                self.blind_failed(None, false, world);
            }
            ReferProgress::EarlierSucceeded => self.blind_confirmed(world),
        }
    }

    fn note_blind(&mut self, progress: ReferProgress) {
        let Some(blind) = self.blinds.last_mut() else { return };
        match progress {
            ReferProgress::Accepted(_) => blind.accepted = true,
            ReferProgress::Notify { status: None | Some(..200), last: false } => blind.notified = true,
            ReferProgress::Refused { .. }
            | ReferProgress::Unsendable
            | ReferProgress::Notify { status: Some(300..), .. }
            | ReferProgress::Notify { last: true, status: None | Some(..200) } => drop(self.blinds.pop()),
            ReferProgress::Notify { .. } | ReferProgress::Silence { .. } | ReferProgress::EarlierSucceeded => {}
        }
    }

    /// A policy against blind transfer says nothing of REFER with Replaces; a method that is unknown says it all.
    fn learn_from_blind(&self, progress: ReferProgress, world: &mut World<'_>) {
        let (known, now, trunk) = (&mut *world.capabilities, world.now, self.trunk_peer());
        match progress {
            ReferProgress::Refused { status: 503, retry_after, .. } => {
                let rest = retry_after.map_or(REST, |seconds| Duration::from_secs(seconds.into()));
                known.on_overload(trunk, rest, now);
            }
            ReferProgress::Refused { status, .. } => known.on_blind_refused(trunk, status, now),
            ReferProgress::Notify { .. } => known.on_notify(trunk),
            ReferProgress::Silence { notified: false } => known.on_silence(trunk, now),
            ReferProgress::Silence { .. }
            | ReferProgress::Accepted(_)
            | ReferProgress::Unsendable
            | ReferProgress::EarlierSucceeded => {}
        }
    }

    /// Whether the trunk says that the desk has the caller.
    pub(crate) const fn is_referred_away(&self) -> bool {
        matches!(self.phase, Phase::Referring { step: BlindStep::Confirmed { .. }, .. })
    }

    fn blind_confirmed(&mut self, world: &mut World<'_>) {
        let Phase::Referring { leg, step } = self.phase else { return };
        match step {
            BlindStep::Confirmed { .. } => {}
            BlindStep::Asked { .. } => {
                let step = BlindStep::Confirmed { at: world.now + PROOF, asked: false };
                self.phase = Phase::Referring { leg, step };
            }
            BlindStep::CallerLeft { .. } => self.blindly_released(world),
        }
    }

    /// We call the desk ourselves where we can, unless it has spoken for itself: busy is busy. `by_notify`: the status is
    /// the desk's, as the trunk tells it.
    fn blind_failed(&mut self, status: Option<u16>, by_notify: bool, world: &mut World<'_>) {
        let Phase::Referring { leg, step } = self.phase else { return };
        match step {
            BlindStep::Confirmed { .. } => {}
            BlindStep::CallerLeft { .. } => self.caller_left_for_good(world),
            BlindStep::Asked { .. } => {
                self.use_no_method();
                let desk = self.leg(leg).and_then(|leg| world.config.desk(&leg.name));
                let busy = by_notify && matches!(status, Some(486 | 600));
                match desk.filter(|desk| desk.is_callable() && !busy) {
                    Some(desk) => self.call_desk(leg, desk, world),
                    None => self.lose_referred_desk(leg, status, world),
                }
            }
        }
    }

    /// The trunk hung up, and no NOTIFY came. One that had reported before would have told of a success. Of one that
    /// agreed and never reported nobody knows: the desk has the caller, or the caller hung up.
    fn caller_left_for_good(&mut self, world: &mut World<'_>) {
        if self.blinds.last().is_none_or(|blind| !blind.accepted || blind.notified) {
            return self.end(EndCause::new(Party::Caller, EndReason::HungUp), world);
        }
        self.trace_release("the trunk never reported: nobody knows", None);
        self.report_referrals(487);
        self.finish_handoff(HandoffOutcome::Unproven, HandoffStage::Release, None);
        self.end(EndCause::new(Party::Trunk, EndReason::HungUp), world);
    }

    /// Somebody else is proven to have the caller.
    pub(crate) fn overtake_blinds(&mut self) {
        self.blinds.iter_mut().for_each(|blind| blind.overtaken = true);
    }

    /// The outcome of a REFER that we had given up. With 200 the desk has the caller, and whoever we called instead is
    /// talking to nobody, unless they were proven to.
    pub(crate) fn on_late_blind(&mut self, status: u16, world: &mut World<'_>) {
        let Some(blind) = self.blinds.pop().filter(|_| status < 300) else { return };
        let Blind { leg, desk, overtaken, .. } = blind;
        if overtaken {
            return self.doubt_the_caller(status, world);
        }
        self.trace_release("NOTIFY, late", Some(status));
        self.only_this_desk(world);
        self.leave_line("elsewhere", world);
        if let Phase::Offering { leg, .. }
        | Phase::Alerting { leg, .. }
        | Phase::Accepting { leg, .. }
        | Phase::Joined { leg, .. } = self.phase
        {
            let cause = EndCause::new(Party::Gateway, EndReason::Finished);
            self.hang_up(leg, &reason(200, "Call completed elsewhere"), cause);
        }
        if self.handoff.as_ref().is_some_and(|handoff| handoff.desk.as_ref().is_some_and(|(now, _)| *now != desk.0)) {
            self.leave_desk("another desk took the caller", world);
            if let Some(handoff) = self.handoff.as_mut() {
                handoff.desk = Some(desk);
            }
            self.trace_desk("the trunk has brought the caller there after all".to_owned());
            self.show_pop_again();
        }
        self.use_method(Method::Blind);
        self.enter(
            Phase::Referring { leg, step: BlindStep::Confirmed { at: world.now + PROOF, asked: false } },
            world.now,
        );
    }

    fn lose_referred_desk(&mut self, leg: LegId, status: Option<u16>, world: &mut World<'_>) {
        self.hang_up(leg, &reason(500, "Failed"), EndCause::new(Party::Gateway, EndReason::Finished));
        match status {
            Some(486 | 600) => self.on_desk_lost(HandoffOutcome::Busy, status, "the phone was busy", world),
            _ => self.on_desk_lost(HandoffOutcome::Failed, status, "the trunk could not reach it", world),
        }
    }
}

/// Who leaves, and when it is enough.
impl Call {
    /// BYE from the trunk: it has done what we asked, or the caller hung up.
    pub(crate) fn on_caller_left_in_blind(&mut self, world: &mut World<'_>) {
        let Phase::Referring { leg, step } = self.phase else { return };
        match step {
            BlindStep::Asked { .. } => {
                self.trace_release("BYE from the trunk before NOTIFY", None);
                let step = BlindStep::CallerLeft { until: world.now + PROOF };
                self.phase = Phase::Referring { leg, step };
            }
            BlindStep::Confirmed { .. } => self.blindly_released(world),
            BlindStep::CallerLeft { .. } => {}
        }
    }

    pub(crate) fn on_blind_timeout(&mut self, world: &mut World<'_>) {
        let Phase::Referring { leg, step } = self.phase else { return };
        match step {
            BlindStep::Asked { .. } => {
                self.trace_release("no outcome", None);
                self.command(self.caller_id(), LegCommand::GiveUpRefer);
                self.blind_failed(None, false, world);
            }
            BlindStep::CallerLeft { .. } => self.blind_failed(None, false, world),
            BlindStep::Confirmed { asked: false, .. } => {
                let step = BlindStep::Confirmed { at: world.now + MEASURE, asked: true };
                self.phase = Phase::Referring { leg, step };
                self.send_media(MediaCommand::Measure { leg: self.caller_id() });
            }
            BlindStep::Confirmed { asked: true, .. } => self.blindly_released(world),
        }
    }

    /// NOTIFY said 200, and the trunk has not hung up. A caller whose audio still comes here has nobody else.
    pub(crate) fn on_measured_in_blind(&mut self, last_heard: Option<Instant>, world: &mut World<'_>) {
        let Phase::Referring { leg, step: BlindStep::Confirmed { asked: true, .. } } = self.phase else { return };
        if last_heard.is_none_or(|last| world.now.since(last) >= STOPPED) {
            return self.blindly_released(world);
        }
        self.trace_release("NOTIFY 200, yet the caller's audio still comes here: not believed", None);
        self.blinds.pop();
        self.phase = Phase::Referring { leg, step: BlindStep::Asked { until: world.now } };
        self.blind_failed(None, false, world);
    }

    /// Another telephone has the trunk's side now: the outcome went with the dialog that was asked.
    pub(crate) fn on_caller_replaced_in_blind(&mut self, world: &mut World<'_>) {
        if let Phase::Referring { step: BlindStep::Asked { .. }, .. } = self.phase {
            self.trace_release("the telephone that was asked is another now: no outcome", None);
            self.blind_failed(None, false, world);
        }
    }

    /// The desk has the caller, without us.
    fn blindly_released(&mut self, world: &mut World<'_>) {
        let trunk = self.trunk_peer();
        world.capabilities.on_proven(trunk, Ability::Refer, "a blind transfer that went well", world.now);
        world.capabilities.on_proven(trunk, Ability::Blind, "a blind transfer that went well", world.now);
        self.trace_release("released", None);
        if let Some((handoff, desk)) = self.handoff.as_ref().and_then(|h| Some((h.id, h.desk.clone()?.0))) {
            self.pop(PopUpdate::Joined { desk, handoff });
            self.trace_pop("joined");
        }
        self.correct_outcome();
        self.enter(Phase::Released, world.now);
        let cause = EndCause::new(Party::Gateway, EndReason::Released);
        self.hang_up(self.caller_id(), &reason(200, "Transferred"), cause);
        self.end(cause, world);
    }
}
