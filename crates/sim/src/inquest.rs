//! The verdict on a whole run, found in the evidence alone: what passed the gateway's door, what the parties heard, what
//! the desk's page showed. What the gateway says about itself is only held against it.

use crate::script::{Click, Do};
use crate::setup::{BOT, CALLER2, DESK, DESK2, Party, TRUNK};
use crate::storm::Storm;
use crate::witness::{Dialog, Did, Heard, Voice, Witness};
use crate::world::World;
use call_core::{AcceptGate, OnBotClose};
use call_model::{DeskId, HandoffId, HandoffOutcome, Instant, PopUpdate, TraceKind};
use core::time::Duration;
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
        inquest.humans_told();
        inquest.pops();
        inquest.gate();
        inquest.strangers_heard();
        inquest.joined();
        inquest.released();
        inquest.bots();
        inquest.words();
        inquest.left_behind();
        inquest.handoffs();
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
/// While a REFER is out, a BYE may be its success: proof is waited for.
const PROOF: Duration = Duration::from_secs(7);
/// Requests without an answer fail after 64*T1 (RFC 3261 §17.1).
const UNANSWERED: Duration = Duration::from_secs(30);

/// A handoff as the page saw it.
struct Popped<'a> {
    at: Instant,
    id: HandoffId,
    whose: &'a DeskId,
    caller: Option<&'a Dialog>,
    desk: Option<&'a Dialog>,
}

impl<'a> Inquest<'a> {
    fn wrong(&mut self, at: Instant, what: &str) {
        self.findings.wrong.push(format!("{at:?}: {what}"));
    }

    fn callers_dialogs(&self) -> impl Iterator<Item = &'a Dialog> + use<'a> {
        self.witness.dialogs.iter().filter(|dialog| !dialog.ours && matches!(dialog.party, TRUNK | CALLER2))
    }

    fn dialogs_of(&self, caller: &Dialog) -> impl Iterator<Item = &'a Dialog> + use<'a> {
        let of = caller.call_id.clone();
        self.witness.dialogs.iter().filter(move |dialog| dialog.ours && dialog.of.as_ref() == Some(&of))
    }

    fn desks_of(&self, caller: &Dialog) -> impl Iterator<Item = &'a Dialog> + use<'a> {
        self.dialogs_of(caller).filter(|dialog| is_desk(dialog.party))
    }

    fn did(&self, what: impl Fn(&Did) -> bool) -> impl Iterator<Item = Instant> {
        self.witness.did.iter().filter(move |(_, did)| what(did)).map(|(at, _)| *at)
    }

    fn has_stopped(&self, party: Party) -> bool {
        self.did(|did| *did == Did::Stopped(party)).next().is_some()
    }

    /// The party fell silent on purpose, in one way or another.
    fn was_restless(&self, party: Party) -> bool {
        let restless = |did: &Did| matches!(did, Did::Held(who) | Did::Muted(who) | Did::Stopped(who) if *who == party);
        self.did(restless).next().is_some()
    }

    fn is_direct(&self, party: Party) -> bool {
        party == TRUNK && self.storm.script.iter().any(|(_, what)| matches!(what, Do::Dial("human")))
    }

    fn popped(&self) -> Vec<Popped<'a>> {
        let offered = self.world.pops().iter().filter_map(|(at, pop)| match pop {
            PopUpdate::Offered { desk, sip_call_id, package } => Some((*at, desk, sip_call_id, package.id)),
            _ => None,
        });
        let mut callers: BTreeMap<HandoffId, &'a Dialog> = BTreeMap::new();
        let mut popped = Vec::new();
        for (at, whose, first, id) in offered {
            // The INVITE that counts is the last one for this pop.
            let call_id = self.world.pops().iter().rev().find_map(|(_, pop)| match pop {
                PopUpdate::Redialled { desk, handoff, sip_call_id } if *handoff == id && desk == whose => {
                    Some(sip_call_id)
                }
                _ => None,
            });
            let call_id = call_id.unwrap_or(first);
            let desk = self.witness.dialogs.iter().find(|dialog| dialog.call_id == *call_id);
            let of = desk.and_then(|desk| desk.of.as_ref());
            if let Some(caller) = self.callers_dialogs().find(|caller| Some(&caller.call_id) == of) {
                callers.insert(id, caller);
            }
            popped.push(Popped { at, id, whose, caller: None, desk });
        }
        for pop in &mut popped {
            pop.caller = callers.get(&pop.id).copied();
        }
        popped
    }

    /// Everybody who calls is served and hung up, and for a reason.
    fn callers(&mut self) {
        self.findings.lost.extend(self.world.callers_lost().cloned());
        for caller in self.callers_dialogs() {
            if self.has_stopped(caller.party) {
                continue;
            }
            if caller.answered.is_none() && caller.refused.is_none() && caller.cancelled.is_none() {
                self.findings.lost.push(format!("{:?}: a caller was never answered nor refused", caller.invited));
            }
            let hung_up = caller.bye_out.filter(|out| caller.bye_in.is_none_or(|bye| *out < bye));
            if let Some(at) = hung_up.filter(|at| !self.may_hang_up(caller, *at)) {
                self.wrong(at, "a caller was hung up, and nothing on the wire says why");
            }
        }
    }

    fn may_hang_up(&self, caller: &Dialog, at: Instant) -> bool {
        let soon = Duration::from_millis(40_000);
        let unacknowledged = caller.acknowledged.is_none_or(|ack| Some(ack) > caller.answered.map(|ok| ok + soon));
        let dead = caller.broken.is_some_and(|broken| broken <= at)
            || caller.unanswered.is_some_and(|since| at.since(since) >= UNANSWERED)
            || unacknowledged;
        let said =
            |party: &Dialog| party.notified.iter().any(|(when, status)| *when <= at && matches!(status, 200..=299));
        let replaced = said(caller) || self.desks_of(caller).any(said);
        if dead || replaced || self.did(|did| *did == Did::Ended).any(|when| when <= at) {
            return true;
        }
        let mut desks = self.desks_of(caller);
        if self.is_direct(caller.party) {
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
        let deaf = self.was_restless(caller.party);
        farewell || finished || deaf
    }

    /// Whether a party heard this voice in the second before.
    fn hears(&self, party: Party, voice: Voice, at: Instant) -> bool {
        let recent = |heard: &Heard| heard.from <= at && at.since(heard.to) < Duration::from_millis(700);
        self.witness.heard[party].iter().any(|heard| heard.voice == voice && heard.packets > 2 && recent(heard))
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
        if desk.invited > gone + AT_ONCE {
            return self.wrong(desk.invited, "a desk was rung for a caller who had gone");
        }
        let over = desk.over();
        let by = |limit: Instant| over.is_some_and(|over| over <= limit);
        match desk.answered {
            Some(ok) if !by(ok.max(gone) + FAREWELL + patience) => {
                self.wrong(gone, "a human was left alone on the line");
            }
            None => {
                // To one who is not there any more, nothing needs to be said.
                let Some(rang) = desk.rang.filter(|_| !self.has_stopped(desk.party)) else { return };
                let limit = rang.max(gone) + AT_ONCE;
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
            let referred = [pop.caller, pop.desk].into_iter().flatten().any(|party| party.referred.is_some());
            let patience = if referred { PROOF } else { AT_ONCE };
            let gone = pop.caller.and_then(|caller| caller.over().or(caller.left()));
            let given_up = pop.desk.and_then(|desk| [desk.over(), desk.cancelled].into_iter().flatten().min());
            let due = [gone, given_up].into_iter().flatten().min().map(|at| at.max(pop.at));
            if let Some(due) = due.filter(|due| closed > *due + patience) {
                self.wrong(due, "a pop stayed on the page for more than 1 s");
            }
        }
    }

    /// Nobody gets the caller without having proved to be a human.
    fn gate(&mut self) {
        if self.storm.setup.accept != AcceptGate::KeyOrPage {
            return;
        }
        let witness = self.witness;
        for caller in [TRUNK, CALLER2].into_iter().filter(|caller| !self.is_direct(*caller)).collect::<Vec<_>>() {
            for heard in witness.heard[caller].iter().filter(|heard| heard.ours && heard.packets > 1) {
                let Voice::Of(desk @ (DESK | DESK2)) = heard.voice else { continue };
                let proof = |did: &Did| matches!(did, Did::Clicked(Click::Accept)) || *did == Did::Pressed(desk, '1');
                let proved = self.did(proof).any(|at| at <= heard.from);
                if !proved {
                    self.wrong(heard.from, "a caller was given to somebody who had not accepted");
                }
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

    /// When the page says joined, the two hear each other for as long as nobody does anything about it.
    fn joined(&mut self) {
        let popped = self.popped();
        for (at, update) in self.world.pops() {
            let PopUpdate::Joined { handoff, .. } = update else { continue };
            let pop = popped.iter().rev().find(|pop| pop.id == *handoff && pop.at <= *at);
            let Some((caller, desk)) = pop.and_then(|pop| Some((pop.caller?, pop.desk?))) else { continue };
            if self.was_restless(caller.party) || self.was_restless(desk.party) {
                continue;
            }
            let ends = [caller.over(), desk.over(), caller.referred, caller.broken, desk.broken, desk.referred];
            let hung_up = |did: &Did| matches!(did, Did::HungUp(who) if *who == caller.party || *who == desk.party);
            let hung_up = self.did(hung_up).find(|when| when >= at);
            let hung_up =
                hung_up.or_else(|| self.did(|did| *did == Did::HungUp(caller.party)).next().filter(|w| w < at));
            // A human who passes the caller on may be relieved from then on.
            let passes_on = |what: &Do| matches!(what, Do::Refer(who, _) if *who == desk.party);
            let script = self.storm.script.iter().filter(|(_, what)| passes_on(what));
            let passed_on = script.map(|(millis, _)| Instant::from_millis(*millis)).filter(|when| when >= at).min();
            let ends = ends.into_iter().chain([hung_up, passed_on]);
            let end = ends.flatten().min().unwrap_or(self.world.now());
            // A caller whom our answer did not reach has nothing to say yet.
            let there = caller.acknowledged.map_or(*at, |ack| ack.max(*at));
            let (from, to) = (there + Duration::from_millis(700), end);
            for (listener, speaker, who) in
                [(desk.party, caller.party, "the human"), (caller.party, desk.party, "the caller")]
            {
                if let Some(pause) = self.deaf_since(listener, Voice::Of(speaker), from, to) {
                    self.wrong(pause, &format!("joined, but {who} does not hear the other"));
                }
            }
        }
    }

    /// From when on a listener did not hear a voice for 700 ms.
    fn deaf_since(&self, listener: Party, voice: Voice, from: Instant, to: Instant) -> Option<Instant> {
        let longest = Duration::from_millis(700);
        let mut heard_until = from;
        for heard in self.witness.heard[listener].iter().filter(|heard| heard.voice == voice) {
            if heard.from > heard_until + longest {
                break;
            }
            heard_until = heard_until.max(heard.to);
        }
        (to > heard_until + longest).then_some(heard_until)
    }

    /// After a release we are out of the path, and somebody said that it worked.
    fn released(&mut self) {
        let popped = self.popped();
        for (at, update) in self.world.pops() {
            let PopUpdate::Ended { handoff, outcome: HandoffOutcome::Released, .. } = update else { continue };
            let pop = popped.iter().rev().find(|pop| pop.id == *handoff);
            let Some((caller, desk)) = pop.and_then(|pop| Some((pop.caller?, pop.desk?))) else { continue };
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
                let late = bot.answered.is_some_and(|ok| out.since(ok) < Duration::from_millis(100));
                let excused = late
                    || bot.cancelled.is_some()
                    || bot.broken.is_some()
                    || bot.unanswered.is_some()
                    || self.has_stopped(BOT)
                    // It may have owed an answer.
                    || self.did(|did| matches!(did, Did::Muted(BOT) | Did::Held(BOT))).any(|at| at < out)
                    || self.has_stopped(caller.party)
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
                let dead = self.has_stopped(caller.party) || caller.broken.is_some();
                if !gone && !dead && !timed_out && !joins.iter().any(|join| join <= out) {
                    self.wrong(*out, "the bot's stream was closed before a human had the caller");
                }
            }
        }
    }

    fn pops_joined(&self) -> impl Iterator<Item = Instant> + use<'a> {
        self.world.pops().iter().filter(|(_, pop)| matches!(pop, PopUpdate::Joined { .. })).map(|(at, _)| *at)
    }

    /// The outcome that the page is told is the one that happened.
    fn words(&mut self) {
        let popped = self.popped();
        for (at, update) in self.world.pops() {
            let PopUpdate::Ended { handoff, outcome, .. } = update else { continue };
            let Some(caller) = popped.iter().find(|pop| pop.id == *handoff).and_then(|pop| pop.caller) else {
                continue;
            };
            let desks: Vec<_> = self.desks_of(caller).filter(|desk| desk.invited <= *at).collect();
            let refused =
                |codes: &[u16]| desks.iter().any(|d| d.refused.is_some_and(|(_, code)| codes.contains(&code)));
            let clicked = |click: Click| self.did(move |did| *did == Did::Clicked(click)).any(|when| when <= *at);
            let joined = self.pops_joined().any(|join| join <= *at);
            let stopped = self.has_stopped(caller.party) || caller.broken.is_some() || caller.unanswered.is_some();
            let true_word = match outcome {
                HandoffOutcome::Busy => refused(&[486, 600]),
                HandoffOutcome::Declined => refused(&[603]) || clicked(Click::Decline),
                HandoffOutcome::NoAnswer => desks.iter().any(|desk| desk.answered.is_none_or(|ok| ok > desk.invited)),
                HandoffOutcome::NotAccepted => desks.iter().any(|desk| desk.answered.is_some()),
                HandoffOutcome::CallerGone => caller.left().is_some_and(|left| left <= *at) || stopped,
                HandoffOutcome::Joined | HandoffOutcome::Released | HandoffOutcome::Unproven => joined,
                _ => true,
            };
            if !true_word {
                self.wrong(*at, &format!("the page is told {outcome}, which is not what happened"));
            }
        }
    }

    /// 60 s after the end nothing is left, neither with the parties nor with us.
    fn left_behind(&mut self) {
        // Who is on hold owes no audio, and without session timers (RFC 4028) nobody asks whether they are still there.
        let on_hold = |party| self.has_stopped(party) && self.did(|did| *did == Did::Held(party)).next().is_some();
        if on_hold(TRUNK) || on_hold(CALLER2) {
            return;
        }
        let board = &self.world.switchboard;
        let leaked = &mut self.findings.leaked;
        for party in (TRUNK..=CALLER2).filter(|party| self.world.is_busy(*party)) {
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

    /// Each handoff has one outcome.
    fn handoffs(&mut self) {
        self.findings.other.extend(self.world.inconsistent().iter().cloned());
        let mut ended: BTreeMap<HandoffId, u32> = BTreeMap::new();
        for event in self.world.trace() {
            match &event.kind {
                TraceKind::Routed { handoff, .. } => _ = ended.entry(*handoff).or_default(),
                TraceKind::HandoffEnded { handoff, .. } => *ended.entry(*handoff).or_default() += 1,
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
}

const fn is_desk(party: Party) -> bool {
    matches!(party, DESK | DESK2)
}
