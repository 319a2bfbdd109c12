//! Signs of life: OPTIONS to the desks' telephones, to SIP bots, and to trunks that take our calls, so that one that is gone is known before a caller
//! needs it. It decides which of several targets is tried first, and nothing else: a telephone that does not answer
//! OPTIONS may still answer a call.

use super::{Switchboard, TimerName};
use crate::capability::PeerKind;
use crate::config::{BotReach, SwitchboardConfig, Target};
use crate::signalling::Signalling;
use call_model::{Instant, Party, TraceKind};
use core::time::Duration;
use sip_proto::{Flow, PingId};
use sip_wire::Uri;
use std::collections::BTreeMap;

/// Unanswered in a row before a target counts as down, and answered before it counts as up again.
const LOSSES: u8 = 3;
const WINS: u8 = 2;

#[derive(Clone, Debug)]
struct Watched {
    about: Party,
    name: String,
    target: Target,
    flow: Flow,
    uri: Uri,
    up: bool,
    /// Answers in a row that speak against what it counts as.
    against: u8,
    /// It failed a call, and is tried last until then.
    shunned_until: Option<Instant>,
}

impl Watched {
    fn is(&self, about: Party, name: &str) -> bool {
        self.about == about && self.name == name
    }
}

/// Who is asked, and what came of it.
#[derive(Debug)]
pub(super) struct Health {
    every: Option<Duration>,
    next: Option<Instant>,
    watched: Vec<Watched>,
    asked: BTreeMap<PingId, usize>,
}

impl Health {
    /// Everybody counts as up at first. `start` is now; nobody is asked when `ping_every` is none.
    pub(super) fn new(config: &SwitchboardConfig, start: Instant) -> Self {
        let every = config.timers.ping_every;
        let mut health = Self { every, next: None, watched: Vec::new(), asked: BTreeMap::new() };
        health.follow(config, start);
        health
    }

    /// The targets are others now. What is known of those that stayed is kept.
    pub(super) fn follow(&mut self, config: &SwitchboardConfig, now: Instant) {
        let watch = |about, name: &str, signalling: &Signalling, uri: &str, target: &Target| {
            let named = signalling.interface.as_deref();
            let flow = config.interfaces.flow_to(named, target.transport, target.address)?;
            let uri = Uri::parse(&uri.replace("{user}", "ping").replace("{number}@", "")).ok()?;
            let known = self.watched.iter().find(|known| known.is(about, name) && known.flow == flow);
            let known = known.map(|known| Watched { target: *target, uri: uri.clone(), ..known.clone() });
            let name = name.to_owned();
            let fresh = Watched { about, name, target: *target, flow, uri, up: true, against: 0, shunned_until: None };
            Some(known.unwrap_or(fresh))
        };
        let mut watched = Vec::new();
        for desk in &config.desks {
            let watch = |target| watch(Party::Desk, &desk.name, &desk.signalling, &desk.uri, target);
            watched.extend(desk.targets.iter().filter_map(watch));
        }
        for bot in &config.bots {
            if let BotReach::Sip { uri, targets, .. } = &bot.reach {
                let watch = |target| watch(Party::Bot, &bot.name, &bot.signalling, uri, target);
                watched.extend(targets.iter().filter_map(watch));
            }
        }
        for trunk in &config.trunks {
            let out = trunk.outbound.as_ref();
            watched
                .extend(out.and_then(|out| watch(Party::Trunk, &trunk.name, &trunk.signalling, &out.uri, &out.target)));
        }
        if let Some(recorder) = &config.recorder {
            let watch = |target| watch(Party::Recorder, &recorder.name, &recorder.signalling, &recorder.uri, target);
            watched.extend(recorder.targets.iter().filter_map(watch));
        }
        self.watched = watched;
        // Their numbers are others now; who was asked is asked again.
        self.asked.clear();
        self.next = self.next.or(self.every.map(|every| now + every)).filter(|_| !self.watched.is_empty());
    }

    /// Whether it answers at any of its targets.
    pub(super) fn is_up(&self, about: Party, name: &str) -> Option<bool> {
        self.next?;
        self.watched.iter().filter(|one| one.is(about, name)).map(|one| one.up).reduce(|one, other| one || other)
    }

    /// Its targets, and whether each answers.
    pub(super) fn targets(&self, about: Party, name: &str) -> impl Iterator<Item = (Target, Option<bool>)> {
        let asked = self.next.is_some();
        let of = self.watched.iter().filter(move |one| one.is(about, name));
        of.map(move |one| (one.target, asked.then_some(one.up)))
    }

    pub(super) fn is_down(&self, about: Party, name: &str, target: Target, now: Instant) -> bool {
        let one = self.watched.iter().find(|one| one.is(about, name) && one.target == target);
        one.is_some_and(|one| !one.up || one.shunned_until.is_some_and(|until| until > now))
    }

    /// It failed a call.
    pub(super) fn shun(&mut self, about: Party, name: &str, target: Target, until: Instant) {
        let one = self.watched.iter_mut().find(|one| one.is(about, name) && one.target == target);
        if let Some(one) = one {
            one.shunned_until = Some(until);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        self.next.map(|at| (at, TimerName::Ping))
    }
}

impl Switchboard {
    pub(super) fn ask_for_signs_of_life(&mut self, now: Instant) {
        let Some(every) = self.health.every.filter(|_| self.health.next.is_some_and(|next| next <= now)) else {
            return;
        };
        self.health.next = Some(now + every);
        for (index, one) in self.health.watched.iter().enumerate() {
            let ping = self.endpoint.options(one.flow, one.uri.clone(), now);
            self.health.asked.insert(ping, index);
        }
    }

    /// Any final answer is a sign of life, even 405.
    pub(super) fn on_pong(&mut self, ping: PingId, said: Option<(bool, bool)>, now: Instant) {
        let alive = said.is_some();
        let Some(one) = self.health.asked.remove(&ping).and_then(|index| self.health.watched.get_mut(index)) else {
            return;
        };
        if let (Party::Desk, Some((refer, replaces))) = (one.about, said) {
            let desk = (PeerKind::Desk, one.name.as_str());
            self.capabilities.on_advertised(desk, refer, replaces, "answer to OPTIONS", now);
        }
        one.against = if alive == one.up { 0 } else { one.against + 1 };
        if one.against < if one.up { LOSSES } else { WINS } {
            return;
        }
        one.up = alive;
        one.against = 0;
        let answers = if alive { "answers OPTIONS again: up" } else { "has not answered OPTIONS three times: down" };
        let (about, name, remote) = (one.about, one.name.clone(), one.flow.remote);
        let alone = self.health.targets(about, &name).nth(1).is_none();
        let place = if alone { String::new() } else { format!(" at {remote}") };
        self.trace(None, TraceKind::Note { about, text: format!("{about} {name}{place} {answers}") }, now);
    }
}
