//! The verdict on a whole run, found in the evidence alone: what passed the gateway's door, what the parties heard, what
//! the desk's page showed. What the gateway says about itself is only held against it.

mod evidence;
mod goodbye;
mod humans;

use crate::setup::{BOT, CALLER2, DESK, DESK2, Party, TRUNK};
use crate::storm::Storm;
use crate::witness::{Dialog, Did, Heard, Voice, Witness, branch_of};
use crate::world::World;
use call_core::OnBotClose;
use call_model::{Direction, HandoffId, HandoffOutcome, Instant, PopUpdate, TraceEvent, TraceKind};
use core::time::Duration;
use evidence::is_desk;
use phone::PhoneEvent;
use std::collections::BTreeMap;

/// What was found wrong.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// Callers who had nothing to hear, or whom nobody ever served or hung up.
    pub lost: Vec<String>,
    /// What was left 60 s after the end.
    pub leaked: Vec<String>,
    /// What was said or done and is not what happened.
    pub wrong: Vec<String>,
    /// The switchboard's own complaints.
    pub other: Vec<String>,
}

impl Findings {
    /// Holds the inquest on a storm that was played.
    pub fn of(storm: &Storm, world: &World) -> Self {
        let mut inquest = Inquest { storm, world, witness: world.witness(), findings: Self::default() };
        inquest.callers();
        inquest.fed();
        inquest.humans_told();
        inquest.pops();
        inquest.given_up();
        inquest.gate();
        inquest.take_overs();
        inquest.strangers_heard();
        inquest.joined();
        inquest.co_pilots();
        inquest.released();
        inquest.bots();
        inquest.goodbyes();
        inquest.words();
        inquest.left_behind();
        inquest.handoffs();
        inquest.one_story();
        inquest.findings
    }

    /// Nothing was.
    pub fn is_clean(&self) -> bool {
        self == &Self::default()
    }

    /// All of it, with its kind.
    pub fn all(&self) -> impl Iterator<Item = String> {
        let kinds = [("lost", &self.lost), ("leaked", &self.leaked), ("wrong", &self.wrong), ("other", &self.other)];
        kinds.into_iter().flat_map(|(kind, found)| found.iter().map(move |what| format!("{kind}: {what}")))
    }
}

struct Inquest<'a> {
    storm: &'a Storm,
    world: &'a World,
    witness: &'a Witness,
    findings: Findings,
}

/// The gateway does what follows from a message without delay; this is a long time for it.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A human who answered when the caller had gone hears so, at most so long.
const FAREWELL: Duration = Duration::from_secs(4);
/// A bot that could not be heard may be given up for it as long as this after.
const OWES: Duration = Duration::from_secs(9);
/// While a REFER is out, a BYE may be its success: proof is waited for.
const PROOF: Duration = Duration::from_secs(7);
/// A pause in what is heard that is no hiccup of the network's: it may lose a tenth.
const NOT_HEARD: Duration = Duration::from_millis(700);
/// What was given up before it could be cancelled is hung up so soon after it was answered.
const LATE: Duration = Duration::from_millis(100);
/// Requests without an answer fail after 64*T1 (RFC 3261 §17.1).
const UNANSWERED: Duration = Duration::from_secs(30);

impl<'a> Inquest<'a> {
    /// Everybody who calls is served and hung up, and for a reason.
    fn callers(&mut self) {
        self.findings.lost.extend(self.world.callers_lost().cloned());
        for caller in self.callers_dialogs() {
            let unserved = caller.answered.is_none() && caller.refused.is_none() && caller.cancelled.is_none();
            if unserved && !self.had_stopped(caller.party, self.world.now()) {
                self.findings.lost.push(format!("{:?}: a caller was never answered nor refused", caller.invited));
            }
            let hung_up = caller.bye_out.filter(|out| caller.bye_in.is_none_or(|bye| *out < bye));
            let there = |at: &Instant| !self.had_stopped(caller.party, *at);
            if let Some(at) = hung_up.filter(there).filter(|at| !self.may_hang_up(caller, *at)) {
                self.wrong(at, "a caller was hung up, and nothing on the wire says why");
            }
        }
    }

    /// Whether a caller of whom NOTIFY has said that somebody else has them has only us, and could be heard here.
    fn is_here(&self, caller: &Dialog, at: Instant) -> bool {
        let calls = self.world.events().iter();
        let calls = calls.filter(|(when, who, event)| *who == caller.party && *event == PhoneEvent::Up && *when <= at);
        let ours = self.witness.dialogs.iter().filter(|dialog| dialog.party == caller.party);
        // A telephone that is up has said so before its ACK is here.
        let ours = ours.filter(|dialog| dialog.answered.and(dialog.acknowledged).is_some_and(|ack| ack <= at));
        let quiet = self.silences(caller.party).into_iter().any(|(from, to)| from <= at && at.since(to) < AT_ONCE);
        let left = self.desks_of(caller).any(|desk| desk.bye_in.is_some_and(|bye| bye <= at));
        calls.count() <= ours.count() && !quiet && !left
    }

    fn may_hang_up(&self, caller: &Dialog, at: Instant) -> bool {
        let soon = Duration::from_millis(40_000);
        let unacknowledged = caller.acknowledged.is_none_or(|ack| Some(ack) > caller.answered.map(|ok| ok + soon));
        let dead = caller.broken.is_some_and(|broken| broken <= at)
            || caller.unanswered.is_some_and(|since| at.since(since) >= UNANSWERED)
            || unacknowledged;
        let said =
            |party: &Dialog| party.notified.iter().any(|(when, status)| *when <= at && matches!(status, 200..=299));
        let replaced = (said(caller) || self.desks_of(caller).any(said)) && !self.is_here(caller, at);
        if dead || replaced || self.did(|did| *did == Did::Ended).any(|when| when <= at) {
            return true;
        }
        let mut desks = self.desks_of(caller);
        if Self::is_direct(caller) {
            return desks.any(|desk| desk.over().is_some_and(|over| over <= at));
        }
        let human = desks.find(|desk| desk.answered.is_some_and(|ok| ok < at) && desk.over().is_none_or(|o| o > at));
        if human.is_some_and(|desk| self.hears(caller.party, Voice::Of(desk.party), at)) {
            return false;
        }
        // A BYE may have to wait for the ACK (RFC 3261 §15).
        let waited = caller.acknowledged.is_some_and(|ack| ack <= at && at.since(ack) < AT_ONCE);
        let farewell = self.witness.heard[caller.party].iter().any(|heard| {
            let just = waited || at.since(heard.to) < Duration::from_secs(2);
            heard.voice == Voice::Goodbye && heard.from <= at && just
        });
        let finished = self.storm.setup.on_close == OnBotClose::HangUp
            && (self.did(|did| matches!(did, Did::BotGone { finished: true })).any(|when| when <= at)
                || self.dialogs_of(caller).any(|bot| bot.party == BOT && bot.bye_in.is_some_and(|bye| bye <= at)));
        // One who does not want to hear us does not hear the goodbye either.
        let deaf = self.is_on_hold(caller.party, at);
        farewell || finished || deaf
    }

    /// While a caller's line is up, there is somebody or something to hear: packets alone are not enough.
    fn fed(&mut self) {
        for caller in self.callers_dialogs() {
            let (Some(ok), Some(ack)) = (caller.answered, caller.acknowledged) else { continue };
            let done =
                |dialog: &Dialog| dialog.notified.iter().find(|(_, code)| matches!(code, 200..=299)).map(|(at, _)| *at);
            let hung_up = self.did(|did| *did == Did::HungUp(caller.party)).find(|at| *at >= ok);
            let told = self.desks_of(caller).filter_map(done).chain(done(caller)).min();
            let ends = [caller.over(), caller.broken, told, hung_up].into_iter().flatten();
            let span = (ok.max(ack) + NOT_HEARD, ends.min().unwrap_or(self.world.now()));
            let audible = |heard: &Heard| heard.voice != Voice::Silence;
            for span in self.calm(&[caller.party], span.0, span.1) {
                let Some(since) = self.deaf_since(caller.party, audible, span, NOT_HEARD) else { continue };
                if !self.somebody_keeps_silent(caller, since) {
                    self.findings.lost.push(format!("{since:?}: the caller hears nothing but silence"));
                }
            }
        }
    }

    /// Whether somebody to whom the caller is, or is about to be, connected cannot be heard by their own doing.
    fn somebody_keeps_silent(&self, caller: &Dialog, at: Instant) -> bool {
        let at = at + NOT_HEARD;
        let connected = |dialog: &&Dialog| {
            dialog.answered.is_some_and(|ok| ok <= at) && dialog.over().is_none_or(|over| over + AT_ONCE >= at)
        };
        // Our answer to one who takes a call over was lost, and they do not know yet that they have it.
        let unknown =
            |dialog: &Dialog| dialog.replaces.is_some() && dialog.acknowledged.is_none_or(|ack| ack + NOT_HEARD >= at);
        if self.dialogs_of(caller).filter(connected).any(|dialog| !dialog.ours && unknown(dialog)) {
            return true;
        }
        // Whoever has hung up is silent while the word of it is under way.
        let has_left = |dialog: &Dialog| {
            let left = |event: &PhoneEvent| matches!(event, PhoneEvent::Replaced | PhoneEvent::Ended { .. });
            let since = dialog.answered.unwrap_or(Instant::ZERO);
            let mut events = self.world.events().iter();
            events.any(|(when, who, event)| *who == dialog.party && left(event) && (since..=at).contains(when))
        };
        if self.dialogs_of(caller).filter(connected).any(has_left) {
            return true;
        }
        let mut silences = self.dialogs_of(caller).filter(connected).flat_map(|dialog| self.silences(dialog.party));
        silences.any(|(from, to)| from <= at && at <= to + AT_ONCE)
    }

    /// Whether a party has said that it does not want to hear us, and not so long ago that it hears again for sure.
    fn is_on_hold(&self, party: Party, at: Instant) -> bool {
        let held = self
            .did(|did| matches!(did, Did::Held(who, direction) if *who == party && *direction != Direction::SendRecv));
        let mut spans = self.silences(party).into_iter().filter(|(from, to)| (*from..=*to).contains(&at));
        let held: Vec<Instant> = held.collect();
        spans.any(|(from, _)| held.contains(&from))
    }

    /// When the caller has gone, nobody rings on or says hello to silence.
    fn humans_told(&mut self) {
        for caller in self.callers_dialogs() {
            let Some(gone) = caller.over().or(caller.left()) else { continue };
            let patience = if caller.referred.is_some() { PROOF } else { Duration::ZERO };
            for desk in self.desks_of(caller) {
                self.human_told(desk, gone, patience);
            }
            for bot in self.dialogs_of(caller).filter(|dialog| dialog.party == BOT) {
                let due = bot.answered.map(|ok| ok.max(gone) + FAREWELL + patience);
                if due.is_some_and(|due| bot.over().is_none_or(|over| over > due)) {
                    self.wrong(gone, "the bot was not told that the caller had gone");
                }
            }
        }
        for desk in self.witness.dialogs.iter().filter(|dialog| dialog.ours) {
            let late = desk.cancelled.zip(desk.answered).filter(|(cancel, ok)| ok > cancel).map(|(_, ok)| ok);
            if let Some(ok) = late.filter(|ok| desk.over().is_none_or(|over| over > *ok + AT_ONCE)) {
                self.wrong(ok, "an answer after our CANCEL was not hung up");
            }
        }
    }

    fn human_told(&mut self, desk: &Dialog, gone: Instant, patience: Duration) {
        if desk.ours && desk.invited > gone + AT_ONCE {
            if !self.a_copy_began(desk.invited) {
                self.wrong(desk.invited, "a desk was rung for a caller who had gone");
            }
            return;
        }
        let over = desk.over();
        let by = |limit: Instant| over.is_some_and(|over| over <= limit);
        match desk.connected() {
            Some(ok) if !by(ok.max(gone) + FAREWELL + patience) => {
                self.wrong(gone, "a human was left alone on the line");
            }
            None => {
                let Some(rang) = desk.rang else { return };
                let limit = rang.max(gone) + AT_ONCE;
                // To one who is not there any more, nothing needs to be said.
                if self.had_stopped(desk.party, limit) {
                    return;
                }
                if !by(limit) && desk.cancelled.is_none_or(|cancel| cancel > limit) {
                    self.wrong(gone, "a desk rang on when the caller had gone: no CANCEL");
                }
            }
            Some(_) => {}
        }
    }

    /// A pop goes when there is nobody to talk to any more.
    fn pops(&mut self) {
        for pop in self.popped() {
            let closed =
                self.world.pops().iter().filter(|(at, _)| *at >= pop.at).find_map(|(at, update)| match update {
                    PopUpdate::Retracted { desk, handoff, .. } if (*handoff, desk) == (pop.id, pop.whose) => Some(*at),
                    PopUpdate::Ended { desk, handoff, outcome: HandoffOutcome::Released }
                        if (*handoff, desk) == (pop.id, pop.whose) =>
                    {
                        Some(*at)
                    }
                    _ => None,
                });
            let Some(closed) = closed else {
                self.wrong(pop.at, "a pop was left on the page");
                continue;
            };
            let desk = pop.desk.map(|desk| self.heir(desk));
            // Whoever was asked may have been replaced meanwhile.
            let asked = desk.map(|desk| self.chain(desk)).unwrap_or_default();
            let referred = asked.into_iter().chain(pop.caller).any(|party| party.referred.is_some());
            let patience = if referred { PROOF } else { AT_ONCE };
            let gone = pop.caller.and_then(|caller| caller.over().or(caller.left()));
            let given_up = desk.and_then(|desk| [desk.over(), desk.cancelled].into_iter().flatten().min());
            let due = [gone, given_up].into_iter().flatten().min().map(|at| at.max(pop.at));
            if let Some(due) = due.filter(|due| closed > *due + patience) {
                self.wrong(due, "a pop stayed on the page for more than 1 s");
            }
        }
    }

    /// The bot hears none of our sounds, and no caller is heard by two humans.
    fn strangers_heard(&mut self) {
        let ours = |heard: &&Heard| matches!(heard.voice, Voice::Music | Voice::Goodbye | Voice::Prompt);
        if let Some(heard) = self.witness.heard[BOT].iter().filter(ours).find(|heard| heard.packets > 1) {
            self.wrong(heard.from, "the bot heard hold music or a prompt");
        }
        let witness = self.witness;
        for caller in [TRUNK, CALLER2] {
            for desk in [DESK, DESK2] {
                if let Some(at) = self.overhears(desk, caller) {
                    self.wrong(at, "a human whose call was over heard the caller");
                }
            }
            let hears = |desk: Party| {
                let stretches = witness.heard[desk].iter();
                stretches.filter(move |heard| heard.voice == Voice::Of(caller) && heard.packets > 3)
            };
            let both: Option<Heard> = hears(DESK).find_map(|one| {
                let together = |other: &Heard| one.to.min(other.to).since(one.from.max(other.from));
                hears(DESK2).find(|other| together(other) > Duration::from_millis(300)).copied()
            });
            if let Some(at) = both.map(|heard| heard.from) {
                self.wrong(at, "two humans heard one caller");
            }
        }
    }

    /// Since when a desk that has no call with us any more has had a caller's voice from us.
    fn overhears(&self, desk: Party, caller: Party) -> Option<Instant> {
        let ours = |heard: &&Heard| heard.ours && heard.voice == Voice::Of(caller);
        let calls = || self.witness.dialogs.iter().filter(move |dialog| dialog.party == desk);
        self.witness.heard[desk].iter().filter(ours).find_map(|heard| {
            let before = calls().filter(|dialog| dialog.invited <= heard.to);
            let over = before.map(|dialog| dialog.over().unwrap_or(self.world.now())).max()?;
            (heard.to > over + NOT_HEARD).then_some(over)
        })
    }

    /// After a release we are out of the path, and somebody said that it worked.
    fn released(&mut self) {
        let popped = self.popped();
        for (at, update) in self.world.pops() {
            let PopUpdate::Ended { handoff, desk, outcome: HandoffOutcome::Released } = update else { continue };
            let pop = popped.iter().rev().find(|pop| (pop.id, pop.whose) == (*handoff, desk));
            let pair = pop.and_then(|pop| Some((pop.caller?, self.heir(pop.desk?))));
            let Some((caller, desk)) = pair else { continue };
            let said = caller.notified.iter().any(|(when, status)| when <= at && matches!(status, 200..=299));
            let said = said || desk.notified.iter().any(|(_, status)| matches!(status, 200..=299));
            let left = caller.bye_in.is_some() && desk.bye_in.is_some();
            if !said && !left {
                self.wrong(*at, "released, and nobody has said so");
            }
            let late = *at + Duration::from_secs(2);
            let again =
                self.callers_dialogs().filter(|other| other.party == caller.party && other.invited > caller.invited);
            let again = again.map(|other| other.invited).min();
            let fed = |heard: &Heard| heard.ours && heard.to > late && again.is_none_or(|again| heard.to < again);
            if self.witness.heard[caller.party].iter().any(fed) {
                self.wrong(late, "released, and still fed by us");
            }
        }
    }

    /// The bot stays until a human has the caller.
    fn bots(&mut self) {
        let joins: Vec<Instant> = self.pops_joined().collect();
        for caller in self.callers_dialogs() {
            for bot in self.dialogs_of(caller).filter(|dialog| dialog.party == BOT) {
                let Some(out) = bot.bye_out.filter(|out| bot.bye_in.is_none_or(|bye| *out < bye)) else { continue };
                // Given up before it could be cancelled, it answered all the same.
                let late = bot.answered.is_some_and(|ok| out.since(ok) < LATE);
                let excused = late
                    || bot.cancelled.is_some()
                    || bot.broken.is_some()
                    || bot.unanswered.is_some()
                    // It may have owed an answer.
                    || self.silences(BOT).iter().any(|(from, to)| *from <= out && out <= *to + OWES)
                    || self.had_stopped(caller.party, out)
                    || caller.over().is_some_and(|over| over <= out + AT_ONCE)
                    || joins.iter().any(|join| *join <= out);
                if !excused {
                    self.wrong(out, "the bot was hung up before a human had the caller");
                }
            }
        }
        let mut callers = self.callers_dialogs();
        if let (Some(caller), None) = (callers.next(), callers.next()) {
            for out in &self.witness.stream_closed {
                let gone = caller.over().or(caller.left()).is_some_and(|gone| gone <= *out + AT_ONCE);
                let timed_out = caller.answered.is_none_or(|ok| ok > *out);
                let dead = self.had_stopped(caller.party, *out) || caller.broken.is_some();
                if !gone && !dead && !timed_out && !joins.iter().any(|join| join <= out) {
                    self.wrong(*out, "the bot's stream was closed before a human had the caller");
                }
            }
        }
    }

    fn pops_joined(&self) -> impl Iterator<Item = Instant> + use<'a> {
        self.world.pops().iter().filter(|(_, pop)| matches!(pop, PopUpdate::Joined { .. })).map(|(at, _)| *at)
    }

    /// 60 s after the end nothing is left, neither with the parties nor with us.
    fn left_behind(&mut self) {
        let board = &self.world.switchboard;
        let busy = |party: &Party| self.world.is_busy(*party) && !self.has_a_stray_copy(*party);
        let busy: Vec<_> = (TRUNK..=CALLER2).filter(busy).collect();
        let leaked = &mut self.findings.leaked;
        for party in busy {
            leaked.push(format!("nobody told party {party} that it is over"));
        }
        if !board.is_idle() {
            leaked.push(format!("the switchboard holds {} calls, {} ports", board.call_count(), board.ports_in_use()));
        }
        let (dialogs, transactions) = board.sip_left();
        if dialogs + transactions > 0 {
            leaked.push(format!("{dialogs} dialogs and {transactions} transactions are left"));
        }
        for dialog in self.witness.dialogs.iter().filter(|dialog| dialog.answered.is_some() && dialog.over().is_none())
        {
            leaked.push(format!("{:?}: the dialog with party {} never ended", dialog.invited, dialog.party));
        }
    }

    /// Whether a call has begun by then with a copy of an INVITE whose transaction was over.
    fn a_copy_began(&self, by: Instant) -> bool {
        let began = |event: &&TraceEvent| matches!(event.kind, TraceKind::Began { .. }) && event.at <= by;
        let invited = self.callers_dialogs().filter(|caller| caller.invited <= by).count();
        self.world.trace().iter().filter(began).count() > invited
    }

    /// Whether the call that a telephone has is an INVITE that was on its way for longer than its transaction lasted, be
    /// it one that the telephone had answered for good: whoever sent it has forgotten it, and cannot cancel it
    /// (RFC 3261 §9.1).
    fn has_a_stray_copy(&self, party: Party) -> bool {
        let events = self.world.events().iter().filter(|(_, who, _)| *who == party);
        let mut arrivals = events.filter_map(|(at, _, event)| match event {
            PhoneEvent::Arrived(invite) => Some((*at, branch_of(invite.headers.get("Via")?))),
            _ => None,
        });
        let Some((at, last)) = arrivals.next_back() else { return false };
        let too_late = |dialog: &Dialog| dialog.branch == last && dialog.timed_out(at);
        arrivals.any(|(_, via)| via == last) || self.witness.dialogs.iter().any(too_late)
    }

    /// Each handoff has one outcome.
    fn handoffs(&mut self) {
        self.findings.other.extend(self.world.inconsistent().iter().cloned());
        let mut ended: BTreeMap<HandoffId, u32> = BTreeMap::new();
        for event in self.world.trace() {
            match &event.kind {
                TraceKind::Routed { handoff, .. } => _ = ended.entry(*handoff).or_default(),
                TraceKind::HandoffEnded { handoff, corrects: false, .. } => *ended.entry(*handoff).or_default() += 1,
                TraceKind::Note { text, .. } if text.starts_with("fault") => {
                    self.findings.other.push(format!("{:?}: {text}", event.at));
                }
                _ => {}
            }
        }
        for (handoff, outcomes) in ended.into_iter().filter(|(_, outcomes)| *outcomes != 1) {
            self.findings.other.push(format!("handoff {handoff} has {outcomes} outcomes"));
        }
    }

    /// What page and records are told is one story: which human has the caller, and how it ended.
    fn one_story(&mut self) {
        let trace = self.world.trace();
        for (at, update) in self.world.pops() {
            let (told, recorded) = match update {
                PopUpdate::Joined { handoff, desk } => {
                    let routed =
                        trace.iter().rev().filter(|event| event.at <= *at).find_map(|event| match &event.kind {
                            TraceKind::Routed { handoff: id, desk, .. } if id == handoff => Some(desk.to_string()),
                            _ => None,
                        });
                    (desk.to_string(), routed)
                }
                PopUpdate::Ended { handoff, outcome, .. } => {
                    let ended =
                        trace.iter().rev().filter(|event| event.at <= *at).find_map(|event| match &event.kind {
                            TraceKind::HandoffEnded { handoff: id, outcome, .. } if id == handoff => {
                                Some(outcome.to_string())
                            }
                            _ => None,
                        });
                    (outcome.to_string(), ended)
                }
                _ => continue,
            };
            if recorded.as_ref() != Some(&told) {
                self.wrong(*at, &format!("the page is told {told}, and records {recorded:?}"));
            }
        }
    }
}
