//! Signs of life: OPTIONS to the desks' telephones and to SIP bots, so that one that is gone is known before a caller
//! needs it. Said, not acted upon: a telephone that does not answer OPTIONS may still answer a call.

use super::{Switchboard, TimerName};
use crate::capability::PeerKind;
use crate::config::{BotReach, SwitchboardConfig};
use call_model::{Instant, Party, TraceKind};
use core::net::SocketAddr;
use core::time::Duration;
use sip_proto::{Flow, PingId, Transport};
use sip_wire::Uri;
use std::collections::BTreeMap;

/// Unanswered in a row before a peer counts as down, and answered before it counts as up again.
const LOSSES: u8 = 3;
const WINS: u8 = 2;

#[derive(Debug)]
struct Peer {
    about: Party,
    name: String,
    flow: Flow,
    uri: Uri,
    up: bool,
    /// Answers in a row that speak against what it counts as.
    against: u8,
}

/// Who is asked, and what came of it.
#[derive(Debug)]
pub(super) struct Health {
    every: Duration,
    next: Option<Instant>,
    peers: Vec<Peer>,
    asked: BTreeMap<PingId, usize>,
}

impl Health {
    /// Everybody counts as up at first. `start` is now; nobody is asked when `ping_every` is none.
    pub(super) fn new(config: &SwitchboardConfig, start: Instant) -> Self {
        let peer = |about, name: &str, uri: &str, transport: Transport, remote: SocketAddr| {
            let local = config.sip.of(transport)?;
            let uri = Uri::parse(&uri.replace("{user}", "ping")).ok()?;
            Some(Peer {
                about,
                name: name.to_owned(),
                flow: Flow { transport, local, remote },
                uri,
                up: true,
                against: 0,
            })
        };
        let desks = config.desks.iter().map(|d| peer(Party::Desk, &d.name, &d.uri, d.transport, d.address?));
        let bots = config.bots.iter().map(|bot| match &bot.reach {
            BotReach::Sip { uri, transport, address, .. } => peer(Party::Bot, &bot.name, uri, *transport, *address),
            BotReach::Stream { .. } => None,
        });
        let peers: Vec<_> = desks.chain(bots).flatten().collect();
        let every = config.timers.ping_every.filter(|_| !peers.is_empty());
        Self { every: every.unwrap_or_default(), next: every.map(|every| start + every), peers, asked: BTreeMap::new() }
    }

    pub(super) fn is_up(&self, about: Party, name: &str) -> Option<bool> {
        self.next?;
        self.peers.iter().find(|peer| peer.about == about && peer.name == name).map(|peer| peer.up)
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        self.next.map(|at| (at, TimerName::Ping))
    }
}

impl Switchboard {
    pub(super) fn ask_for_signs_of_life(&mut self, now: Instant) {
        if self.health.next.is_none_or(|next| next > now) {
            return;
        }
        self.health.next = Some(now + self.health.every);
        for (index, peer) in self.health.peers.iter().enumerate() {
            let ping = self.endpoint.options(peer.flow, peer.uri.clone(), now);
            self.health.asked.insert(ping, index);
        }
    }

    /// Any final answer is a sign of life, even 405.
    pub(super) fn on_pong(&mut self, ping: PingId, said: Option<(bool, bool)>, now: Instant) {
        let alive = said.is_some();
        let Some(peer) = self.health.asked.remove(&ping).and_then(|index| self.health.peers.get_mut(index)) else {
            return;
        };
        if let (Party::Desk, Some((refer, replaces))) = (peer.about, said) {
            let desk = (PeerKind::Desk, peer.name.as_str());
            self.capabilities.on_advertised(desk, refer, replaces, "answer to OPTIONS", now);
        }
        peer.against = if alive == peer.up { 0 } else { peer.against + 1 };
        if peer.against < if peer.up { LOSSES } else { WINS } {
            return;
        }
        peer.up = alive;
        peer.against = 0;
        let answers = if alive { "answers OPTIONS again: up" } else { "has not answered OPTIONS three times: down" };
        let (about, text) = (peer.about, format!("{} {} {answers}", peer.about, peer.name));
        self.trace(None, TraceKind::Note { about, text }, now);
    }
}
