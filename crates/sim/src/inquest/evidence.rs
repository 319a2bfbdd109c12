//! What can be read from the evidence: who belongs to whom, and when somebody could not be heard.

use super::Inquest;
use crate::script::Click;
use crate::setup::{BOT, CALLER2, DESK, DESK2, Party, TRUNK};
use crate::witness::{Dialog, Did, Heard, Voice};
use call_core::Handover;
use call_model::{DeskId, Direction, HandoffId, Instant, PopUpdate};
use core::time::Duration;
use phone::PhoneEvent;
use std::collections::BTreeSet;

/// What anybody may take to be heard again after a hold.
const SETTLES: Duration = Duration::from_millis(1_500);

/// From one packet of a key to the voice, or the next key.
const KEY: Duration = Duration::from_millis(500);
/// In that time a bot that has stopped is known to have: its silence is noticed, and that it does not answer.
const DEAD_BOT: Duration = Duration::from_secs(8);

/// A stretch of time.
pub(super) type Span = (Instant, Instant);

/// A handoff as the page saw it.
pub(super) struct Popped<'a> {
    pub(super) at: Instant,
    pub(super) id: HandoffId,
    pub(super) whose: &'a DeskId,
    pub(super) caller: Option<&'a Dialog>,
    pub(super) desk: Option<&'a Dialog>,
}

impl<'a> Inquest<'a> {
    pub(super) fn wrong(&mut self, at: Instant, what: &str) {
        self.findings.wrong.push(format!("{at:?}: {what}"));
    }

    pub(super) fn callers_dialogs(&self) -> impl Iterator<Item = &'a Dialog> + use<'a> {
        let calls = |dialog: &&Dialog| !dialog.ours && dialog.replaces.is_none();
        self.witness.dialogs.iter().filter(calls).filter(|dialog| matches!(dialog.party, TRUNK | CALLER2))
    }

    /// What belongs to a caller: whom we called, and who took the place of one of them.
    pub(super) fn dialogs_of(&self, caller: &Dialog) -> impl Iterator<Item = &'a Dialog> + use<'a> {
        let of = caller.call_id.clone();
        let third = |dialog: &&Dialog| dialog.ours || (dialog.replaces.is_some() && dialog.answered.is_some());
        self.witness.dialogs.iter().filter(third).filter(move |dialog| dialog.of.as_ref() == Some(&of))
    }

    pub(super) fn desks_of(&self, caller: &Dialog) -> impl Iterator<Item = &'a Dialog> + use<'a> {
        self.dialogs_of(caller).filter(|dialog| is_desk(dialog.party))
    }

    pub(super) fn dialog(&self, call_id: &str) -> Option<&'a Dialog> {
        self.witness.dialogs.iter().find(|dialog| dialog.call_id == call_id)
    }

    pub(super) fn did(&self, what: impl Fn(&Did) -> bool) -> impl Iterator<Item = Instant> {
        self.witness.did.iter().filter(move |(_, did)| what(did)).map(|(at, _)| *at)
    }

    /// Whether a party had stopped for good by then.
    pub(super) fn had_stopped(&self, party: Party, by: Instant) -> bool {
        self.did(|did| *did == Did::Stopped(party)).any(|at| at <= by)
    }

    /// When a party could not be heard, or would not hear, by its own doing.
    pub(super) fn silences(&self, party: Party) -> Vec<Span> {
        let (mut spans, mut held, mut muted) = (Vec::new(), None, None);
        let mut ends = self.world.events().iter().filter(|(_, who, event)| {
            let over = matches!(event, PhoneEvent::Ended { .. } | PhoneEvent::Failed(_) | PhoneEvent::Cancelled);
            *who == party && (over || *event == PhoneEvent::Held(Direction::SendRecv))
        });
        for (at, did) in &self.witness.did {
            match did {
                Did::Held(who, direction) if *who == party && *direction != Direction::SendRecv => {
                    held.get_or_insert(*at);
                }
                Did::Held(who, _) if *who == party => {
                    // Resumed when the telephone says so, or hung up meanwhile.
                    let end = ends.find(|(end, ..)| end >= at).map(|(end, ..)| *end);
                    spans.extend(held.take().map(|from| (from, end.map_or(self.world.now(), |end| end + SETTLES))));
                }
                Did::Muted(who, true) if *who == party => _ = muted.get_or_insert(*at),
                Did::Muted(who, false) if *who == party => {
                    spans.extend(muted.take().map(|from| (from, *at + SETTLES)));
                }
                // That a bot is dead is for us to find out: its caller is alone with it.
                Did::Stopped(who) if *who == party && party == BOT => spans.push((*at, *at + DEAD_BOT)),
                Did::Stopped(who) if *who == party => spans.push((*at, self.world.now())),
                _ => {}
            }
        }
        // Keys take the place of the voice.
        let keys = self.witness.keys.iter().filter(|(_, who, _)| *who == party);
        spans.extend(keys.map(|(at, ..)| (*at, *at + KEY)));
        spans.extend(held.into_iter().chain(muted).map(|from| (from, self.world.now())));
        spans
    }

    /// The parts of a stretch in which none of these parties kept silent.
    pub(super) fn calm(&self, parties: &[Party], from: Instant, to: Instant) -> Vec<Span> {
        let mut silences: Vec<Span> = parties.iter().flat_map(|party| self.silences(*party)).collect();
        silences.sort();
        let (mut calm, mut from) = (Vec::new(), from);
        for (begin, end) in silences {
            if begin > from {
                calm.push((from, begin.min(to)));
            }
            from = from.max(end);
        }
        calm.push((from, to));
        calm.retain(|(from, to)| from < to);
        calm
    }

    /// The caller has dialled a human, not the bot.
    pub(super) fn is_direct(caller: &Dialog) -> bool {
        matches!(caller.dialled.as_str(), "human" | "bob")
    }

    /// From when on a listener heard none of the voices wanted for `longest`.
    pub(super) fn deaf_since(
        &self,
        listener: Party,
        wanted: impl Fn(&Heard) -> bool,
        (from, to): Span,
        longest: Duration,
    ) -> Option<Instant> {
        let mut heard_until = from;
        for heard in self.witness.heard[listener].iter().filter(|heard| wanted(heard)) {
            if heard.from > heard_until + longest {
                break;
            }
            heard_until = heard_until.max(heard.to);
        }
        (to > heard_until + longest).then_some(heard_until)
    }

    /// Whether a party heard this voice in the second before.
    pub(super) fn hears(&self, party: Party, voice: Voice, at: Instant) -> bool {
        let recent = |heard: &Heard| heard.from <= at && at.since(heard.to) < Duration::from_millis(700);
        self.witness.heard[party].iter().any(|heard| heard.voice == voice && heard.packets > 2 && recent(heard))
    }

    pub(super) fn popped(&self) -> Vec<Popped<'a>> {
        let offered = self.world.pops().iter().enumerate().filter_map(|(place, (at, pop))| match pop {
            PopUpdate::Offered { desk, sip_call_id, package } => Some((place, *at, desk, sip_call_id, package)),
            _ => None,
        });
        let popped = offered.map(|(place, at, whose, first, package)| {
            // The INVITE that counts is the last one for this pop: a desk may have another one in the same handoff.
            let later = self.world.pops()[place + 1..].iter().map_while(|(_, pop)| match pop {
                PopUpdate::Offered { desk, package: again, .. } if again.id == package.id && desk == whose => None,
                PopUpdate::Redialled { desk, handoff, sip_call_id } if *handoff == package.id && desk == whose => {
                    Some(Some(sip_call_id))
                }
                _ => Some(None),
            });
            let call_id = later.flatten().last();
            let party = if package.caller.reveal().contains("caller") { TRUNK } else { CALLER2 };
            let desk = self.dialog(call_id.unwrap_or(first));
            // A desk that was called says for whom; one that was not belongs to the latest call, of those that are up.
            let before = || self.callers_dialogs().filter(|caller| caller.party == party && caller.invited <= at);
            let latest = before().filter(|caller| caller.over().is_none_or(|over| over > at)).last();
            let caller = desk.and_then(|desk| self.dialog(desk.of.as_ref()?)).or(latest).or_else(|| before().last());
            Popped { at, id: package.id, whose, caller, desk }
        });
        popped.collect()
    }

    /// Every call that was made, or taken over, for a handoff; of one desk, or of all.
    pub(super) fn calls_for(&self, id: HandoffId, whose: Option<&DeskId>) -> Vec<&'a Dialog> {
        let call_ids = self.world.pops().iter().filter_map(|(_, pop)| match pop {
            PopUpdate::Offered { desk, sip_call_id, package } if package.id == id => Some((desk, sip_call_id)),
            PopUpdate::Redialled { desk, sip_call_id, handoff } if *handoff == id => Some((desk, sip_call_id)),
            _ => None,
        });
        let call_ids = call_ids.filter(|(desk, _)| whose.is_none_or(|whose| whose == *desk));
        let call_ids: BTreeSet<&String> = call_ids.map(|(_, call_id)| call_id).collect();
        call_ids.into_iter().filter_map(|call_id| self.dialog(call_id)).collect()
    }

    /// When somebody clicked so, and on which pop: always the latest.
    pub(super) fn clicks(&self, click: Click) -> Vec<(Instant, HandoffId, &'a DeskId)> {
        let so = self.world.clicks().iter().filter(|(_, did, ..)| *did == click);
        so.map(|(at, _, id, desk)| (*at, *id, desk)).collect()
    }

    /// A dialog and those it has taken the place of, the first last.
    pub(super) fn chain(&self, dialog: &'a Dialog) -> Vec<&'a Dialog> {
        let mut chain = vec![dialog];
        while let Some(before) = chain.last().and_then(|last| self.dialog(last.replaces.as_ref()?)) {
            if chain.iter().any(|known| known.call_id == before.call_id) {
                break;
            }
            chain.push(before);
        }
        chain
    }

    /// Who has a dialog's place in the end.
    pub(super) fn heir(&self, dialog: &'a Dialog) -> &'a Dialog {
        self.heir_at(dialog, self.world.now())
    }

    /// Who has a dialog's place at a time.
    pub(super) fn heir_at(&self, dialog: &'a Dialog, at: Instant) -> &'a Dialog {
        let takes =
            |new: &&Dialog| new.answered.is_some_and(|ok| ok <= at) && new.replaces.as_ref() == Some(&dialog.call_id);
        let new = self.witness.dialogs.iter().filter(|new| !new.ours && new.invited > dialog.invited).find(takes);
        new.map_or(dialog, |new| self.heir_at(new, at))
    }

    pub(super) fn handover(&self, desk: Party) -> Handover {
        self.storm.setup.handover[desk - DESK]
    }
}

pub(super) const fn is_desk(party: Party) -> bool {
    matches!(party, DESK | DESK2)
}
