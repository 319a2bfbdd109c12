//! A REFER that a bot or a human's phone sends us: they want the caller to be passed on. It becomes a handoff like any
//! other, and whoever asked is told how that one fares.

use crate::call::{Call, CallOutput, World, party};
use crate::leg::{Referral, ReferralAnswer};
use crate::transfer::Phase;
use call_model::{Because, Decision, HandoffOutcome, Layer, LegId, Party, Role, Trigger, Urgency};

/// REFERs of one call that are answered together when its handoff ends; more are told to wait.
const MAX_REFERRALS: usize = 4;

impl Call {
    /// A leg's peer asks for the caller to be passed on.
    pub(crate) fn on_referral(&mut self, id: LegId, referral: Referral, world: &mut World<'_>) {
        let role = self.leg(id).filter(|leg| leg.is_up()).map(|leg| leg.role);
        let refused = match role {
            _ if self.ending.is_some() => Some(603),
            _ if self.referrals.len() >= MAX_REFERRALS => Some(491),
            Some(Role::Bot) if Some(id) == self.bot => self.on_bots_referral(referral.clone(), world),
            Some(Role::Desk) => self.on_desks_referral(id, referral.clone(), world),
            _ => Some(603),
        };
        if let Some(status) = refused {
            let by = role.map_or(Party::Gateway, party);
            self.note(by, format!("REFER refused ({status})"));
            self.answer_referral(&referral, ReferralAnswer::Refuse(status));
        }
    }

    /// The bot gives the caller to a human. None, or the status by which that is refused.
    fn on_bots_referral(&mut self, referral: Referral, world: &mut World<'_>) -> Option<u16> {
        match self.phase {
            _ if self.is_direct() => return Some(603),
            Phase::WithBot => self.preferred = Some(referral.target.clone()),
            // A handoff is under way already; it will do.
            Phase::Waiting { .. }
            | Phase::Offering { .. }
            | Phase::Alerting { .. }
            | Phase::Referring { .. }
            | Phase::Accepting { .. } => {}
            Phase::Joined { .. } | Phase::Releasing { .. } => {
                self.answer_referral(&referral, ReferralAnswer::Accept);
                self.answer_referral(&referral, ReferralAnswer::Report(200));
                return None;
            }
            Phase::Released | Phase::Recovering(_) => return Some(603),
        }
        self.accept_referral(&referral, world);
        if self.phase == Phase::WithBot {
            let text =
                referral.reason.map_or_else(|| "the bot sent REFER".to_owned(), |reason| format!("REFER: {reason}"));
            self.on_decision(referred_by_bot(text, world), world);
        }
        None
    }

    /// 202, and what it tells about the caller.
    pub(crate) fn accept_referral(&mut self, referral: &Referral, world: &mut World<'_>) {
        self.answer_referral(referral, ReferralAnswer::Accept);
        self.referrals.push(referral.id);
        for fact in referral.facts.iter().cloned() {
            self.observe(fact, world);
        }
    }

    fn answer_referral(&mut self, referral: &Referral, answer: ReferralAnswer) {
        self.outputs.push_back(CallOutput::Referral { id: referral.id, answer });
    }

    /// Tells everybody who sent REFER how it fares; a final status is the last word.
    pub(crate) fn report_referrals(&mut self, status: u16) {
        for id in &self.referrals {
            self.outputs.push_back(CallOutput::Referral { id: *id, answer: ReferralAnswer::Report(status) });
        }
        if status >= 200 {
            self.referrals.clear();
        }
    }

    /// Whether the bot sent REFER and has yet to hear how it ended.
    pub(crate) fn bot_has_referred(&self) -> bool {
        !self.referrals.is_empty()
    }
}

/// The final status of a REFER whose handoff ended so.
pub(crate) const fn outcome_status(outcome: HandoffOutcome) -> u16 {
    match outcome {
        HandoffOutcome::Joined | HandoffOutcome::Released | HandoffOutcome::Unproven => 200,
        HandoffOutcome::Busy => 486,
        HandoffOutcome::NoAnswer | HandoffOutcome::NotAccepted => 480,
        HandoffOutcome::Declined => 603,
        HandoffOutcome::CallerGone => 487,
        HandoffOutcome::NoTarget | HandoffOutcome::Failed => 503,
    }
}

/// The decision that no rules file can take away: a bot that sends REFER wants a human.
fn referred_by_bot(text: String, world: &World<'_>) -> Decision {
    Decision {
        at: world.now,
        rule: "refer".to_owned(),
        trigger: Trigger::Bot,
        layer: Layer::Hard,
        urgency: Urgency::Normal,
        because: vec![Because { at: world.now, text }],
    }
}
