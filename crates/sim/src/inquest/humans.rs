//! Who may have the caller, whom they hear then, and what the page says about it.

use super::evidence::Span;
use super::{AT_ONCE, FAREWELL, Inquest, NOT_HEARD, PROOF};
use crate::script::{Click, Do};
use crate::setup::{BOT, CALLER2, DESK, DESK2, TRUNK};
use crate::witness::{Dialog, Did, Heard, Voice};
use call_core::{AcceptGate, CoPilot, Handover, Introduce};
use call_model::{HandoffOutcome, Instant, PopUpdate};
use core::time::Duration;
use phone::PhoneEvent;

/// Caller and human, from the join to whatever ends it.
struct Pair<'a> {
    caller: &'a Dialog,
    desk: &'a Dialog,
    span: Span,
}

impl<'a> Inquest<'a> {
    /// Nobody gets the caller without having proved to be a human: on this call of theirs, and before.
    pub(super) fn gate(&mut self) {
        if self.storm.setup.accept != AcceptGate::KeyOrPage {
            return;
        }
        for caller in [TRUNK, CALLER2] {
            let dialogs = self.callers_dialogs().filter(|dialog| dialog.party == caller);
            let calls = |dialog: &'a Dialog| self.desks_of(dialog).map(move |desk| (dialog, desk));
            let desks: Vec<_> = dialogs.flat_map(calls).collect();
            for heard in self.witness.heard[caller].iter().filter(|heard| heard.ours && heard.packets > 1) {
                let Voice::Of(party @ (DESK | DESK2)) = heard.voice else { continue };
                let there = |(_, desk): &&(&Dialog, &Dialog)| {
                    let late = |over: Instant| heard.from > over + Duration::from_millis(400);
                    desk.party == party && self.had_answered(desk, heard.from) && !desk.over().is_some_and(late)
                };
                let may = |(dialog, desk): &(&Dialog, &'a Dialog)| {
                    Self::is_direct(dialog) || self.has_proved(desk, heard.from)
                };
                if !desks.iter().filter(there).any(may) {
                    self.wrong(heard.from, "a caller was given to somebody who had not accepted");
                }
            }
        }
    }

    /// Whether a party had answered by then, be it that its answer was lost.
    fn had_answered(&self, desk: &Dialog, by: Instant) -> bool {
        let mut events = self.world.events().iter();
        let up = |event: &PhoneEvent| *event == PhoneEvent::Up;
        desk.answered.is_some_and(|ok| ok <= by)
            || events.any(|(at, who, event)| *who == desk.party && up(event) && (desk.invited..=by).contains(at))
    }

    /// Key 1 on the call itself, a click on its pop, or whoever had it before did that; or a human has asked the other
    /// one, and passes the caller on to that very conversation.
    fn has_proved(&self, desk: &'a Dialog, by: Instant) -> bool {
        let chain = self.chain(desk);
        // A desk that is joined on answer is so as well where it takes a call over.
        let ungated = chain.iter().any(|desk| self.handover(desk.party) != Handover::Warm);
        let on_call = |desk: &&Dialog| {
            let since = desk.answered.unwrap_or(Instant::ZERO);
            self.witness
                .keys
                .iter()
                .any(|(at, who, key)| (*who, *key) == (desk.party, '1') && (since..=by).contains(at))
        };
        let clicked = || {
            let calls = self.clicks(Click::Accept).into_iter().filter(|(at, ..)| *at <= by);
            let mut calls = calls.flat_map(|(_, id, whose)| self.calls_for(id, Some(whose)));
            calls.any(|call| chain.iter().any(|desk| desk.call_id == call.call_id))
        };
        let asked = desk.ours && desk.replaces.is_some();
        ungated || asked || chain.iter().any(on_call) || clicked()
    }

    /// Nobody takes a call over who may not.
    pub(super) fn take_overs(&mut self) {
        for new in self.witness.dialogs.iter().filter(|dialog| !dialog.ours && dialog.answered.is_some()) {
            let Some(old) = new.replaces.as_ref().and_then(|call_id| self.dialog(call_id)) else { continue };
            let desks = super::is_desk(new.party) && super::is_desk(old.party);
            let callers = matches!((new.party, old.party), (TRUNK | CALLER2, TRUNK | CALLER2));
            if new.party != old.party && !callers && !(desks && self.storm.setup.desks_may_take_over) {
                self.wrong(new.invited, "a stranger has taken a call over");
            }
        }
    }

    fn pairs(&self) -> Vec<Pair<'a>> {
        let popped = self.popped();
        let joined = self.world.pops().iter().filter_map(|(at, update)| match update {
            PopUpdate::Joined { handoff, desk } => Some((*at, *handoff, desk)),
            _ => None,
        });
        let pair = |(at, id, whose): (Instant, _, _)| {
            let pop = popped.iter().rev().find(|pop| (pop.id, pop.whose) == (id, whose) && pop.at <= at)?;
            let (caller, desk) = (pop.caller?, self.heir_at(pop.desk?, at));
            // A party whom our answer did not reach has nothing to say yet.
            let there = caller.acknowledged?.max(desk.acknowledged?).max(at);
            Some(Pair { caller, desk, span: (there + NOT_HEARD, self.parting(caller, desk, at)) })
        };
        joined.filter_map(pair).collect()
    }

    /// When caller and human, joined at a time, are no more.
    fn parting(&self, caller: &Dialog, desk: &Dialog, at: Instant) -> Instant {
        let hung_up = |did: &Did| matches!(did, Did::HungUp(who) if *who == caller.party || *who == desk.party);
        // A telephone that has another call as well may hang that one up.
        let before = self.did(|did| *did == Did::HungUp(caller.party));
        let before = caller.answered.and_then(|ok| before.filter(|when| (ok..at).contains(when)).min());
        let hung_up = before.or_else(|| self.did(hung_up).find(|when| *when >= at));
        // A human who passes the caller on may be relieved from then on.
        let passes_on = |what: &Do| match what {
            Do::Refer(who, _) | Do::ReferToConsult(who) => *who == desk.party,
            _ => false,
        };
        let accepted = |event: &PhoneEvent| matches!(event, PhoneEvent::ReferAnswered(200..=299));
        let mut events = self.world.events().iter().rev();
        let agreed = events.find(|(_, who, event)| *who == desk.party && accepted(event)).map(|(when, ..)| *when);
        let script = self.storm.script.iter().filter(|(_, what)| passes_on(what));
        let asked = script.map(|(millis, _)| Instant::from_millis(*millis));
        // It may be on its way when they are joined.
        let passed_on = asked.filter(|when| *when >= at || agreed.is_some_and(|agreed| agreed >= at)).min();
        let passed_on = passed_on.map(|when| when.max(at));
        let ends = [caller.over(), desk.over(), caller.broken, desk.broken, self.without_us(caller, desk, at)];
        ends.into_iter().chain([hung_up, passed_on]).flatten().min().unwrap_or(self.world.now())
    }

    /// When one of them has left us, or somebody else has taken our place: a REFER alone is no such thing.
    fn without_us(&self, caller: &Dialog, desk: &Dialog, at: Instant) -> Option<Instant> {
        let parties = [caller.party, desk.party];
        let leaves = |event: &PhoneEvent| matches!(event, PhoneEvent::Replaced | PhoneEvent::Ended { .. });
        let mut left = self.world.events().iter();
        // The word that the caller is elsewhere may have been under way since before the join.
        let relieved = |when: Instant, who, event: &PhoneEvent| {
            who == caller.party && *event == PhoneEvent::Replaced && caller.answered.is_some_and(|ok| ok <= when)
        };
        let left = left.find(|(when, who, event)| {
            relieved(*when, *who, event) || *when >= at && parties.contains(who) && leaves(event)
        });
        let heard = parties.into_iter().flat_map(|party| &self.witness.heard[party]);
        // Who has stopped dead is not heard elsewhere any more, and whoever listens there does not come back.
        let dead = |heard: &Heard| matches!(heard.voice, Voice::Of(speaker) if self.had_stopped(speaker, at));
        let elsewhere = heard.filter(|heard| !heard.ours && (heard.to >= at || dead(heard)));
        let elsewhere = elsewhere.map(|heard| heard.from.max(at)).min();
        left.map(|(when, ..)| at.max(*when)).into_iter().chain(elsewhere).min()
    }

    /// When the page says joined, the two hear each other for as long as nobody does anything about it.
    pub(super) fn joined(&mut self) {
        for Pair { caller, desk, span: (from, to) } in self.pairs() {
            for span in self.calm(&[caller.party, desk.party], from, to) {
                for (listener, speaker, who) in
                    [(desk.party, caller.party, "the human"), (caller.party, desk.party, "the caller")]
                {
                    let speaks = |heard: &Heard| heard.voice == Voice::Of(speaker);
                    if let Some(pause) = self.deaf_since(listener, speaks, span, NOT_HEARD) {
                        self.wrong(pause, &format!("joined, but {who} does not hear the other"));
                    }
                }
            }
        }
    }

    /// A bot that stays after the join is heard by whom it is set to be heard.
    pub(super) fn co_pilots(&mut self) {
        let set = &self.storm.setup.choreography;
        for Pair { caller, desk, span: (from, to) } in self.pairs() {
            // With two callers it is not known whose bot has said so.
            let alone = self.callers_dialogs().count() == 1;
            let introduced = self.did(|did| *did == Did::Introduced).find(|at| alone && *at >= from);
            let latest = from + self.storm.setup.timers.introduce_timeout;
            let from = match set.introduce {
                Introduce::ThreeWay => introduced.map_or(latest, |at| latest.min(at + NOT_HEARD)),
                Introduce::None => from,
            };
            let intrudes = |heard: &&Heard| {
                let together = heard.to.min(to).since(heard.from.max(from));
                heard.voice == Voice::Of(BOT) && heard.ours && together > Duration::from_millis(300)
            };
            if let Some(heard) = self.witness.heard[caller.party].iter().find(intrudes) {
                self.wrong(heard.from, "the caller hears the bot and has a human");
            }
            let heard = self.witness.heard[desk.party].iter().find(intrudes);
            if let Some(heard) = heard.filter(|_| set.co_pilot != CoPilot::Heard) {
                self.wrong(heard.from, "the human hears a bot that is to be silent");
            }
        }
    }

    /// A desk that is given up does not ring on, and nobody is left on the line there.
    pub(super) fn given_up(&mut self) {
        for (at, update) in self.world.pops() {
            let PopUpdate::Retracted { desk, handoff, .. } = update else { continue };
            for call in self.calls_for(*handoff, Some(desk)).into_iter().filter(|call| call.invited <= *at) {
                let since = call.connected().or(call.rang);
                let Some(since) = since else { continue };
                let patience = if call.answered.is_none() { AT_ONCE } else { FAREWELL };
                let patience = patience + if call.referred.is_some() { PROOF } else { Duration::ZERO };
                let limit = since.max(*at) + patience;
                let told = [call.over(), call.cancelled].into_iter().flatten().min();
                // A desk may be called again in the same handoff.
                let again = self.popped().iter().any(|pop| (pop.id, pop.whose) == (*handoff, desk) && pop.at >= *at);
                if told.is_none_or(|told| told > limit) && !again && !self.had_stopped(call.party, limit) {
                    self.wrong(*at, "a desk was given up, and not told");
                }
            }
        }
    }

    /// The outcome that the page is told is what happened in this handoff.
    pub(super) fn words(&mut self) {
        let popped = self.popped();
        for (at, update) in self.world.pops() {
            let PopUpdate::Ended { handoff, outcome, .. } = update else { continue };
            let of_this = || popped.iter().filter(|pop| pop.id == *handoff);
            let Some(caller) = of_this().find_map(|pop| pop.caller) else { continue };
            let began = of_this().map(|pop| pop.at).min().unwrap_or(*at);
            let calls = self.calls_for(*handoff, None);
            let heard_of = caller.notified.iter().filter(|(when, _)| (began..=*at).contains(when));
            let trunk: Vec<u16> = heard_of.map(|(_, code)| *code).collect();
            let refused = |codes: &[u16]| {
                let mut desks = calls.iter().filter_map(|call| call.refused);
                desks.any(|(_, code)| codes.contains(&code)) || trunk.iter().any(|code| codes.contains(code))
            };
            let clicked = || self.clicks(Click::Decline).iter().any(|(when, id, _)| id == handoff && when <= at);
            let joined =
                self.world.pops().iter().any(
                    |(when, pop)| matches!(pop, PopUpdate::Joined { handoff: id, .. } if id == handoff && when <= at),
                );
            let gone = [caller.left(), caller.broken, caller.unanswered].into_iter().flatten().any(|gone| gone <= *at)
                || self.had_stopped(caller.party, *at);
            let dropped: Vec<Instant> = self
                .world
                .pops()
                .iter()
                .filter(|(_, pop)| matches!(pop, PopUpdate::Retracted { handoff: id, .. } if id == handoff))
                .map(|(when, _)| *when)
                .collect();
            let blind = caller.refers.iter().any(|referred| (began..=*at).contains(referred));
            let true_word = match outcome {
                HandoffOutcome::Busy => refused(&[486, 600]),
                HandoffOutcome::Declined => refused(&[603]) || clicked(),
                HandoffOutcome::NoAnswer => {
                    // Who waits in line afterwards is told much later.
                    let given_up = |tried, ok| dropped.iter().any(|when| (tried..ok).contains(when));
                    let late = |tried, ok| ok > *at || given_up(tried, ok);
                    blind || calls.iter().any(|call| call.answered.is_none_or(|ok| late(call.tried, ok)))
                }
                HandoffOutcome::NotAccepted => {
                    calls.iter().any(|call| self.heir(call).answered.is_some_and(|ok| ok <= *at))
                }
                HandoffOutcome::CallerGone => gone,
                HandoffOutcome::Released | HandoffOutcome::Unproven => joined || blind,
                HandoffOutcome::Joined => joined,
                HandoffOutcome::NoTarget | HandoffOutcome::Failed => !joined,
            };
            if !true_word {
                self.wrong(*at, &format!("the page is told {outcome}, which is not what happened"));
            }
        }
    }
}
