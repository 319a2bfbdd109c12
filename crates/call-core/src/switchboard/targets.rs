//! Desks and bots that are reached in more than one place (RFC 3263): which is tried first, which next, and what becomes
//! of it when the name server gives others. Their call notices nothing of it.

use super::{Switchboard, TimerName, dial};
use crate::config::{BotReach, SwitchboardConfig, Target};
use crate::leg::Dial;
use crate::peers::Peers;
use crate::signalling;
use call_model::{IdSource, Instant, LegId, Party, Role, TraceKind};
use core::net::IpAddr;
use core::time::Duration;
use sip_proto::DialogId;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// A target that has not even said 100 after this is passed over, while there is another. On UDP it has been asked three
/// times by then; and it is half of the time after which another desk rings as well.
const SILENCE: Duration = Duration::from_secs(2);
/// A target that failed is tried last for so long, unless it says itself for how long.
pub(super) const SHUN: Duration = Duration::from_secs(60);

/// A call to a peer that may still move on to its next target.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) dial: Dial,
    pub(super) at: Target,
    pub(super) left: VecDeque<Target>,
}

/// When which calls have waited long enough for any answer at all.
pub(super) type Silences = BTreeSet<(Instant, DialogId, LegId)>;

/// A target of a peer's, for the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetView {
    /// Which.
    pub target: Target,
    /// Whether it answers OPTIONS; nothing when it is not asked.
    pub up: Option<bool>,
}

impl Switchboard {
    /// The host name of a desk, a SIP bot or the recorder stands for these places from now on. Calls that are under way stay where they
    /// are. False: it did so before, or there is no such peer.
    pub fn handle_resolved(&mut self, about: Party, name: &str, targets: Vec<Target>, now: Instant) -> bool {
        let Some(held) = targets_mut(Arc::make_mut(&mut self.config), about, name) else { return false };
        if *held == targets {
            return false;
        }
        let places: Vec<String> = targets.iter().map(place).collect();
        *held = targets;
        let text = format!("{about} {name} is at {}", places.join(", "));
        self.trace(None, TraceKind::Note { about, text }, now);
        let busy: Vec<IpAddr> =
            self.dialogs.keys().filter_map(|id| self.endpoint.remote_address(*id)).map(|at| at.ip()).collect();
        self.peers = Arc::new(Peers::from_config(&self.config).with_those_of(&self.peers, &busy));
        self.endpoint.set_accounts(signalling::accounts(&self.config));
        self.endpoint.set_peers(signalling::peers(&self.config));
        self.health.follow(&self.config, now);
        true
    }

    /// Who may talk to us now.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// What it was told, with the targets of now.
    pub fn config(&self) -> &SwitchboardConfig {
        &self.config
    }

    /// The targets of a desk or a SIP bot, and whether each answers OPTIONS.
    pub fn targets(&self, about: Party, name: &str) -> Vec<TargetView> {
        self.health.targets(about, name).map(|(target, up)| TargetView { target, up }).collect()
    }

    /// Best first: those not known to be down, by priority, those of one priority drawn by weight (RFC 2782).
    pub(super) fn in_order(&mut self, role: Role, name: &str, targets: &[Target], now: Instant) -> VecDeque<Target> {
        let down = |target: &Target| self.health.is_down(dial::party(role), name, *target, now);
        let mut left: Vec<_> = targets.iter().map(|target| ((down(target), target.priority), *target)).collect();
        left.sort_by_key(|(rank, target)| (*rank, target.weight > 0));
        let mut ordered = VecDeque::new();
        while let Some((rank, _)) = left.first() {
            let equals = left.iter().take_while(|(other, _)| other == rank).map(|(_, target)| target.weight);
            let nth = draw(&equals.collect::<Vec<_>>(), &mut self.ids);
            ordered.push_back(left.remove(nth).1);
        }
        ordered
    }

    /// The dialog failed: on to the next target, if this may be the target's fault and there is one.
    pub(super) fn fail_over(&mut self, dialog: DialogId, code: u16, retry_after: Option<u32>, now: Instant) -> bool {
        let Some((leg, _)) = self.current_leg(dialog).filter(|_| matches!(code, 408 | 503)) else { return false };
        let rest = retry_after.map_or(SHUN, |seconds| Duration::from_secs(seconds.into()));
        let why = if code == 408 { "does not answer".to_owned() } else { format!("gives {code}") };
        self.next_target(leg, &why, rest, now)
    }

    /// It rings: whoever is called is there, and stays.
    pub(super) fn settle_target(&mut self, dialog: DialogId) {
        if let Some((leg, _)) = self.current_leg(dialog)
            && let Some(link) = self.links.get_mut(&leg)
        {
            link.attempt = None;
        }
    }

    /// Those of whom nothing was heard for too long.
    pub(super) fn pass_over_the_silent(&mut self, now: Instant) {
        while let Some(&(at, dialog, leg)) = self.silences.first().filter(|(at, ..)| *at <= now) {
            self.silences.remove(&(at, dialog, leg));
            let current = self.links.get(&leg).and_then(|link| link.dialog) == Some(dialog);
            if current && self.endpoint.is_unheard(dialog) && self.next_target(leg, "is silent", SHUN, now) {
                self.endpoint.cancel(dialog, None, now);
            }
        }
    }

    pub(super) fn next_silence(&self) -> Option<(Instant, TimerName)> {
        self.silences.first().map(|(at, ..)| (*at, TimerName::Target))
    }

    /// Should nothing be heard of it.
    pub(super) fn await_target(&mut self, leg: LegId, dialog: DialogId, now: Instant) {
        let attempt = self.links.get(&leg).and_then(|link| link.attempt.as_ref());
        if attempt.is_some_and(|attempt| !attempt.left.is_empty()) {
            self.silences.insert((now + SILENCE, dialog, leg));
        }
    }

    /// The same call to the next target. False: there is none, and the leg's dialog is what it was.
    fn next_target(&mut self, leg: LegId, why: &str, rest: Duration, now: Instant) -> bool {
        let Some(link) = self.links.get_mut(&leg) else { return false };
        let Some(Attempt { dial, at, mut left }) = link.attempt.take() else { return false };
        let (old, about) = (link.dialog, dial::party(dial.role));
        self.health.shun(about, &dial.name, at, now + rest);
        let Some(entry) = self.calls.remove(&leg.call) else { return false };
        let mut moved = false;
        while let Some(next) = left.pop_front().filter(|_| !moved) {
            let text = format!("{} at {} {why}: trying {}", dial.name, place(&at), place(&next));
            self.trace(Some(leg.call), TraceKind::Note { about, text }, now);
            let attempt = Attempt { dial: dial.clone(), at: next, left: left.clone() };
            match self.dial_at(&entry.call, leg, attempt, now) {
                Ok(()) => moved = true,
                Err(text) => self.trace(Some(leg.call), TraceKind::Note { about: Party::Gateway, text }, now),
            }
        }
        self.calls.insert(leg.call, entry);
        if let Some(old) = old.filter(|_| moved) {
            self.remember(old, now);
        }
        moved
    }
}

/// `192.0.2.7:5060 (UDP)`.
fn place(target: &Target) -> String {
    format!("{} ({})", target.address, target.transport.via())
}

/// Which one of these weights, of which those of zero come first, is taken (RFC 2782).
fn draw(weights: &[u16], ids: &mut IdSource) -> usize {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if weights.len() < 2 || total == 0 {
        return 0;
    }
    let drawn = ids.below(total + 1);
    let mut sum = 0;
    let reached = weights.iter().position(|weight| {
        sum += u64::from(*weight);
        sum >= drawn
    });
    reached.unwrap_or(0)
}

fn targets_mut<'a>(config: &'a mut SwitchboardConfig, about: Party, name: &str) -> Option<&'a mut Vec<Target>> {
    if about == Party::Desk {
        return config.desks.iter_mut().find(|desk| desk.name == name).map(|desk| &mut desk.targets);
    }
    if about == Party::Recorder {
        return config.recorder.as_mut().map(|recorder| &mut recorder.targets);
    }
    let bot = config.bots.iter_mut().find(|bot| bot.name == name)?;
    match &mut bot.reach {
        BotReach::Sip { targets, .. } => Some(targets),
        BotReach::Stream { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavy_are_drawn_more_often_and_the_light_sometimes() {
        let mut ids = IdSource::from_u64(7);
        let mut drawn = [0; 3];
        for _ in 0..1000 {
            drawn[draw(&[0, 10, 30], &mut ids)] += 1;
        }
        assert!(drawn[0] > 0 && drawn[0] < 60, "{drawn:?}");
        assert!(drawn[1] > 180 && drawn[1] < 320, "{drawn:?}");
        assert!(drawn[2] > 640, "{drawn:?}");
        assert_eq!(draw(&[0, 0], &mut ids), 0);
    }
}
