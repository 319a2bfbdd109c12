//! Whether a caller who was told that nobody is available could have been served.

use super::evidence::Popped;
use super::{AT_ONCE, Inquest, LATE, PROOF};
use crate::setup::{BOT, DESK, DESK_NAMES, Party};
use crate::witness::{Dialog, Did, Heard, Voice};
use call_core::OnHumanGone;
use call_model::{BotCommand, Instant, PopUpdate};

/// An attempt to have a bot for a caller.
struct Attempt {
    began: Instant,
    up: Option<Instant>,
    over: Option<Instant>,
}

impl Inquest<'_> {
    /// Before a caller is told goodbye, every desk that is free has been asked, and the bot has been called unless it
    /// was the bot that left last.
    pub(super) fn goodbyes(&mut self) {
        for caller in self.callers_dialogs().filter(|caller| !Self::is_direct(caller)) {
            let mut heard = self.witness.heard[caller.party].iter();
            let told = |heard: &&Heard| heard.voice == Voice::Goodbye && self.is_its_only_call(caller, heard.from);
            let Some(goodbye) = heard.find(told) else { continue };
            let at = goodbye.from;
            let popped = self.popped();
            let theirs = |pop: &&Popped<'_>| pop.at <= at && pop.caller.is_some_and(|of| of.call_id == caller.call_id);
            let pops: Vec<_> = popped.iter().filter(theirs).collect();
            if let Some(what) = self.bot_spared(caller, &pops, at) {
                self.wrong(at, what);
            }
            let free = (0..self.storm.setup.desks)
                .map(|index| DESK + index)
                .find(|desk| !self.was_asked(*desk, caller, &pops, at) && !self.was_taken(*desk, caller, &popped, at));
            if let Some(desk) = free {
                self.wrong(at, &format!("a caller was told goodbye, and party {desk} was free"));
            }
        }
    }

    /// Whether this is the only call of its party that is up then: of two nobody can tell which is told goodbye.
    fn is_its_only_call(&self, caller: &Dialog, at: Instant) -> bool {
        let up = |call: &&Dialog| call.answered.is_some_and(|ok| ok <= at) && call.over().is_none_or(|o| o >= at);
        let mut own = self.callers_dialogs().filter(|call| call.party == caller.party).filter(up);
        own.next().is_some_and(|only| only.call_id == caller.call_id) && own.next().is_none()
    }

    fn bot_spared(&self, caller: &Dialog, pops: &[&Popped<'_>], at: Instant) -> Option<&'static str> {
        let last = self.attempts(caller)?.into_iter().rfind(|attempt| attempt.began <= at)?;
        // Who refuses, or does not answer in time, has been asked.
        last.up.filter(|up| *up <= at)?;
        let Some(over) = last.over.filter(|over| *over <= at) else {
            return Some("a caller was told goodbye, and the bot was there");
        };
        // It left while somebody was being fetched or had the caller, or somebody has had the caller since.
        let needed = |pop: &&Popped<'_>| self.closed_at(pop) > over && (pop.at < over || self.joined_at(pop).is_some());
        pops.iter().any(needed).then_some("a caller was told goodbye, and the bot was not called once more")
    }

    /// Every time the bot was called for a caller; none where it cannot be told for whom.
    fn attempts(&self, caller: &Dialog) -> Option<Vec<Attempt>> {
        if !self.storm.setup.stream_bot {
            let bots = self.dialogs_of(caller).filter(|dialog| dialog.party == BOT);
            // An answer that came when it had been given up is hung up at once.
            let late = |bot: &Dialog, ok: Instant| bot.bye_out.is_some_and(|out| out.since(ok) < LATE);
            let attempt = |bot: &Dialog| Attempt {
                began: bot.invited,
                up: bot.answered.filter(|ok| bot.cancelled.is_none() && !late(bot, *ok)),
                over: bot.over(),
            };
            return Some(bots.map(attempt).collect());
        }
        if self.callers_dialogs().count() > 1 {
            return None;
        }
        let gone: Vec<Instant> = self.did(|did| matches!(did, Did::BotGone { .. })).collect();
        let ends = || gone.iter().chain(&self.witness.stream_closed).copied();
        let mut attempts: Vec<Attempt> = Vec::new();
        for (began, _) in self.world.told().iter().filter(|(_, said)| matches!(said, BotCommand::Dial { .. })) {
            // One that goes in the very moment it was called, perhaps the moment the one before it went.
            let before = attempts.last().is_some_and(|last| last.over == Some(*began));
            let at_once = gone.iter().filter(|end| *end == began).count() > usize::from(before);
            let over = if at_once { Some(*began) } else { ends().filter(|end| end > began).min() };
            attempts.push(Attempt { began: *began, up: Some(*began), over });
        }
        Some(attempts)
    }

    /// Whether a desk was asked since the caller was last served, or has just left by its own doing.
    fn was_asked(&self, desk: Party, caller: &Dialog, pops: &[&Popped<'_>], at: Instant) -> bool {
        let Some(last) = pops.last() else { return false };
        let of_last = || pops.iter().filter(|pop| pop.id == last.id);
        let next_desk = self.storm.setup.on_human_gone == OnHumanGone::NextDesk;
        if of_last().any(|pop| self.joined_at(pop).is_some()) {
            return next_desk && pops.iter().any(|pop| Self::is_at(pop, desk) && self.joined_at(pop).is_some());
        }
        let (began, ended) = (of_last().map(|pop| pop.at).min(), of_last().map(|pop| self.closed_at(pop)).max());
        // Who has talked to the bot since has to be given a human anew.
        let served = self.witness.heard[caller.party].iter().any(|heard| {
            let (from, to) = (ended.unwrap_or(at).max(heard.from), heard.to.min(at));
            heard.voice == Voice::Of(BOT) && to.since(from) > AT_ONCE
        });
        let left = |call: &Dialog| {
            // A BYE while a REFER is out is taken for a hang-up only when no proof of anything else has come.
            let found_out = if call.referred.is_some() { PROOF } else { AT_ONCE };
            let since = began.unwrap_or(at);
            call.party == desk && call.answered.is_some() && call.over().is_some_and(|over| over + found_out >= since)
        };
        !served && (of_last().any(|pop| Self::is_at(pop, desk)) || self.desks_of(caller).any(left))
    }

    /// Whether somebody else had the desk when one was looked for, be it before the bot was called once more.
    fn was_taken(&self, desk: Party, caller: &Dialog, popped: &[Popped<'_>], at: Instant) -> bool {
        let before = at.since(Instant::ZERO).saturating_sub(self.storm.setup.timers.bot_timeout + AT_ONCE);
        let since = Instant::ZERO + before;
        let other = |pop: &&Popped<'_>| pop.caller.is_none_or(|of| of.call_id != caller.call_id);
        let others = popped.iter().filter(other).filter(|pop| Self::is_at(pop, desk));
        others.into_iter().any(|pop| pop.at <= at && self.closed_at(pop) >= since)
    }

    fn is_at(pop: &Popped<'_>, desk: Party) -> bool {
        pop.whose.0 == DESK_NAMES[desk - DESK]
    }

    fn joined_at(&self, pop: &Popped<'_>) -> Option<Instant> {
        self.world.pops().iter().find_map(|(at, update)| match update {
            PopUpdate::Joined { handoff, desk } if (*handoff, desk) == (pop.id, pop.whose) && *at >= pop.at => {
                Some(*at)
            }
            _ => None,
        })
    }

    fn closed_at(&self, pop: &Popped<'_>) -> Instant {
        let closed = self.world.pops().iter().find_map(|(at, update)| match update {
            PopUpdate::Retracted { handoff, desk, .. } if (*handoff, desk) == (pop.id, pop.whose) && *at >= pop.at => {
                Some(*at)
            }
            _ => None,
        });
        closed.unwrap_or(self.world.now())
    }
}
