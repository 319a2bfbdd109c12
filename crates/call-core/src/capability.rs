//! What trunks and desks are known to be able to do, and how we know: said in Allow and Supported, shown by how a
//! release went, or set by the operator. The way out of the path is chosen by this and nothing else (standards §2).

use crate::config::{Abilities, Desk, Manual, SwitchboardConfig};
use call_model::Instant;
use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

/// How long a refusal or a broken ability keeps us from trying again.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A peer that accepts REFER and then says nothing this often in a row does not do it.
const SILENCES: u8 = 2;

/// Whose abilities.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PeerKind {
    /// A trunk.
    Trunk,
    /// A desk, or the contact centre behind it.
    Desk,
}

impl fmt::Display for PeerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trunk => "trunk",
            Self::Desk => "desk",
        })
    }
}

/// An ability that a release needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ability {
    /// Follows a REFER (RFC 3515).
    Refer,
    /// Takes an INVITE with Replaces (RFC 3891).
    Replaces,
    /// Follows a REFER without Replaces, to somebody it has no call with yet.
    Blind,
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refer => "refer",
            Self::Replaces => "replaces",
            Self::Blind => "blind",
        })
    }
}

/// What we know of one ability.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Evidence {
    /// Nothing.
    #[default]
    Unknown,
    /// The peer says so, in Allow or Supported.
    Advertised,
    /// It worked.
    Proven,
    /// The peer refused.
    Refused {
        /// With this status.
        status: u16,
        /// It is not asked again before.
        until: Instant,
    },
    /// The peer agreed, and did not do it.
    Broken {
        /// It is not relied upon again before.
        until: Instant,
    },
}

impl Evidence {
    /// The token used on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Advertised => "advertised",
            Self::Proven => "proven",
            Self::Refused { .. } => "refused",
            Self::Broken { .. } => "broken",
        }
    }

    /// When a bad experience is forgotten.
    pub const fn until(self) -> Option<Instant> {
        match self {
            Self::Refused { until, .. } | Self::Broken { until } => Some(until),
            Self::Unknown | Self::Advertised | Self::Proven => None,
        }
    }
}

/// One ability of one peer, for the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbilityView {
    /// What we know.
    pub evidence: Evidence,
    /// What the operator says.
    pub manual: Manual,
    /// Whether it is counted upon now.
    pub usable: bool,
    /// How we know, in words.
    pub because: String,
    /// Since when.
    pub since: Option<Instant>,
    /// Until when, for what is forgotten.
    pub until: Option<Instant>,
}

/// One peer's abilities, for the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapabilityView {
    /// Trunk or desk.
    pub peer: PeerKind,
    /// Its name in the configuration.
    pub name: String,
    /// Whether it follows REFER.
    pub refer: AbilityView,
    /// Whether it takes INVITE with Replaces.
    pub replaces: AbilityView,
    /// Whether it follows REFER without Replaces.
    pub blind: AbilityView,
    /// It said 503: no REFER before then.
    pub resting_until: Option<Instant>,
    /// Desks: handoffs joined, and how many of them ended within two minutes.
    pub handoffs: u64,
    /// See [`Self::handoffs`].
    pub early_drops: u64,
}

#[derive(Clone, Debug, Default)]
struct Known {
    evidence: Evidence,
    /// What the peer says of itself; holds again once a bad experience is forgotten.
    advertised: bool,
    because: String,
    since: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
struct Record {
    manual: Abilities,
    refer: Known,
    replaces: Known,
    blind: Known,
    silences: u8,
    resting_until: Option<Instant>,
    handoffs: u64,
    early_drops: u64,
}

/// What is known of every configured trunk and desk.
#[derive(Clone, Debug)]
pub(crate) struct Capabilities {
    records: BTreeMap<(PeerKind, String), Record>,
}

impl Capabilities {
    pub(crate) fn new(config: &SwitchboardConfig) -> Self {
        let record = |manual| Record { manual, ..Record::default() };
        let trunks = config.trunks.iter().map(|t| ((PeerKind::Trunk, t.name.clone()), record(t.abilities)));
        // What the operator says of a desk counts before what is known of its product.
        let first = |own: Manual, product: Manual| if own == Manual::Learn { product } else { own };
        let of_desk = |desk: &Desk| Abilities {
            refer: first(desk.abilities.refer, desk.profile.refer),
            replaces: first(desk.abilities.replaces, desk.profile.replaces),
        };
        let desks = config.desks.iter().map(|d| ((PeerKind::Desk, d.name.clone()), record(of_desk(d))));
        Self { records: trunks.chain(desks).collect() }
    }

    /// What the peer said of itself; `how`: in which message.
    pub(crate) fn on_advertised(&mut self, peer: Peer<'_>, refer: bool, replaces: bool, how: &str, now: Instant) {
        let Some(record) = self.record(peer) else { return };
        record.refer.on_advertised(refer, "Allow", how, now);
        record.replaces.on_advertised(replaces, "Supported", how, now);
    }

    /// It worked.
    pub(crate) fn on_proven(&mut self, peer: Peer<'_>, ability: Ability, how: &str, now: Instant) {
        let Some(record) = self.record(peer) else { return };
        if ability == Ability::Refer {
            record.silences = 0;
        }
        record.known(ability).learn(Evidence::Proven, how.to_owned(), now);
    }

    /// The peer refused our REFER. Says what the status means for later calls (standards §2, last paragraph, and §2.1).
    pub(crate) fn on_refused(&mut self, peer: Peer<'_>, status: u16, no_replaces: bool, now: Instant) {
        let Some(record) = self.record(peer) else { return };
        let until = now + DAY;
        let ability = match status {
            420 if no_replaces => Ability::Replaces,
            403 | 405 | 420 | 429 | 501 | 603 => Ability::Refer,
            // 481 is about the dialog, 408 and 491 about the moment, 401 and 407 about us, 503 about its health.
            _ => return,
        };
        let why = match status {
            429 => "REFER refused with 429: it wants a signed Referred-By".to_owned(),
            420 if no_replaces => "REFER refused with 420: it does not support Replaces".to_owned(),
            status => format!("REFER refused with {status}"),
        };
        record.known(ability).learn(Evidence::Refused { status, until }, why, now);
    }

    /// The peer refused a REFER without Replaces. Where that is its policy, one with Replaces may still be followed.
    pub(crate) fn on_blind_refused(&mut self, peer: Peer<'_>, status: u16, now: Instant) {
        if !matches!(status, 403 | 603) {
            return self.on_refused(peer, status, false, now);
        }
        let Some(record) = self.record(peer) else { return };
        let why = format!("REFER without Replaces refused with {status}");
        record.blind.learn(Evidence::Refused { status, until: now + DAY }, why, now);
    }

    /// The peer is overloaded: not its ability, its health.
    pub(crate) fn on_overload(&mut self, peer: Peer<'_>, retry_after: Duration, now: Instant) {
        if let Some(record) = self.record(peer) {
            record.resting_until = Some(now + retry_after);
        }
    }

    /// The peer accepted a REFER and nothing ever came of it.
    pub(crate) fn on_silence(&mut self, peer: Peer<'_>, now: Instant) {
        let Some(record) = self.record(peer) else { return };
        record.silences = record.silences.saturating_add(1);
        if record.silences >= SILENCES {
            record.silences = 0;
            let why = format!("REFER was accepted {SILENCES} times and no NOTIFY came");
            record.refer.learn(Evidence::Broken { until: now + DAY }, why, now);
        }
    }

    /// The peer tells how its REFER fares, whatever the outcome.
    pub(crate) fn on_notify(&mut self, peer: Peer<'_>) {
        if let Some(record) = self.record(peer) {
            record.silences = 0;
        }
    }

    /// The peer did not know the dialog that Replaces named: something on the way rewrites dialog ids.
    pub(crate) fn on_replaces_broken(&mut self, peer: Peer<'_>, now: Instant) {
        if let Some(record) = self.record(peer) {
            let why = "Replaces named a dialog that it did not know (481)".to_owned();
            record.replaces.learn(Evidence::Broken { until: now + DAY }, why, now);
        }
    }

    /// Counts a handoff that a desk got.
    pub(crate) fn on_joined(&mut self, desk: &str) {
        if let Some(record) = self.record((PeerKind::Desk, desk)) {
            record.handoffs += 1;
        }
    }

    /// Charges a call that ended early to the desk.
    pub(crate) fn on_early_drop(&mut self, desk: &str) {
        if let Some(record) = self.record((PeerKind::Desk, desk)) {
            record.early_drops += 1;
        }
    }

    /// Whether the ability may be counted upon: proven, advertised, or set.
    pub(crate) fn has(&self, peer: Peer<'_>, ability: Ability, now: Instant) -> bool {
        self.weigh(peer, ability, now).is_some_and(|(manual, evidence)| match manual {
            Manual::Yes => true,
            Manual::No => false,
            Manual::Learn => matches!(evidence, Evidence::Advertised | Evidence::Proven),
        })
    }

    /// Whether nothing speaks against the ability: not set to no, not refused, not broken.
    pub(crate) fn may(&self, peer: Peer<'_>, ability: Ability, now: Instant) -> bool {
        self.weigh(peer, ability, now).is_some_and(|(manual, evidence)| match manual {
            Manual::Yes => true,
            Manual::No => false,
            Manual::Learn => evidence.until().is_none(),
        })
    }

    /// Whether the operator says so, or it has worked before: what a peer says of itself is not enough.
    pub(crate) fn surely(&self, peer: Peer<'_>, ability: Ability, now: Instant) -> bool {
        self.weigh(peer, ability, now).is_some_and(|(manual, evidence)| match manual {
            Manual::Yes => true,
            Manual::No => false,
            Manual::Learn => evidence == Evidence::Proven,
        })
    }

    /// Whether the peer asked to be left alone for a while.
    pub(crate) fn rests(&self, peer: Peer<'_>, now: Instant) -> bool {
        let record = self.records.get(&(peer.0, peer.1.to_owned()));
        record.and_then(|record| record.resting_until).is_some_and(|until| until > now)
    }

    /// Everything, for the API.
    pub(crate) fn views(&self, now: Instant) -> Vec<CapabilityView> {
        self.records
            .iter()
            .map(|((peer, name), record)| {
                let view = |ability, known: &Known, manual: Manual| {
                    let evidence = known.evidence(now);
                    let forgotten = evidence != known.evidence;
                    AbilityView {
                        evidence,
                        manual,
                        usable: match ability {
                            // Asked for by the operator, desk by desk: what is not known against it will do.
                            Ability::Blind => self.may((*peer, name), ability, now),
                            _ => self.has((*peer, name), ability, now),
                        },
                        because: match manual {
                            Manual::Learn if forgotten => format!("{}, more than a day ago", known.because),
                            Manual::Learn => known.because.clone(),
                            Manual::Yes | Manual::No => format!("set to \"{manual}\" in the configuration"),
                        },
                        since: known.since,
                        until: evidence.until(),
                    }
                };
                CapabilityView {
                    peer: *peer,
                    name: name.clone(),
                    refer: view(Ability::Refer, &record.refer, record.manual.refer),
                    replaces: view(Ability::Replaces, &record.replaces, record.manual.replaces),
                    blind: view(Ability::Blind, &record.blind, Manual::Learn),
                    resting_until: record.resting_until.filter(|until| *until > now),
                    handoffs: record.handoffs,
                    early_drops: record.early_drops,
                }
            })
            .collect()
    }

    fn weigh(&self, peer: Peer<'_>, ability: Ability, now: Instant) -> Option<(Manual, Evidence)> {
        let record = self.records.get(&(peer.0, peer.1.to_owned()))?;
        Some(match ability {
            Ability::Refer => (record.manual.refer, record.refer.evidence(now)),
            Ability::Replaces => (record.manual.replaces, record.replaces.evidence(now)),
            Ability::Blind => (Manual::Learn, record.blind.evidence(now)),
        })
    }

    fn record(&mut self, peer: Peer<'_>) -> Option<&mut Record> {
        self.records.get_mut(&(peer.0, peer.1.to_owned()))
    }
}

/// Who, by kind and configured name.
pub(crate) type Peer<'a> = (PeerKind, &'a str);

impl Record {
    const fn known(&mut self, ability: Ability) -> &mut Known {
        match ability {
            Ability::Refer => &mut self.refer,
            Ability::Replaces => &mut self.replaces,
            Ability::Blind => &mut self.blind,
        }
    }
}

impl Known {
    fn learn(&mut self, evidence: Evidence, because: String, now: Instant) {
        self.evidence = evidence;
        self.because = because;
        self.since = Some(now);
    }

    fn on_advertised(&mut self, has: bool, header: &str, how: &str, now: Instant) {
        self.advertised = has;
        // What happened weighs more than what is said.
        let said = matches!(self.evidence(now), Evidence::Unknown | Evidence::Advertised);
        let evidence = if has { Evidence::Advertised } else { Evidence::Unknown };
        if said && (self.evidence != evidence || self.since.is_none()) {
            let not = if has { "" } else { "not " };
            self.learn(evidence, format!("{not}listed in {header} of its {how}"), now);
        }
    }

    /// What counts now: a bad experience is forgotten after its time.
    fn evidence(&self, now: Instant) -> Evidence {
        match self.evidence {
            bad if bad.until().is_some_and(|until| until <= now) && self.advertised => Evidence::Advertised,
            bad if bad.until().is_some_and(|until| until <= now) => Evidence::Unknown,
            evidence => evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::bench_config;

    const TRUNK: Peer<'static> = (PeerKind::Trunk, "trunk");
    const ANNA: Peer<'static> = (PeerKind::Desk, "anna");
    const HOUR: Duration = Duration::from_secs(3600);

    fn known() -> Capabilities {
        Capabilities::new(&bench_config())
    }

    fn advertised() -> Capabilities {
        let mut known = known();
        known.on_advertised(TRUNK, true, true, "INVITE", Instant::ZERO);
        known
    }

    #[test]
    fn nothing_is_counted_upon_before_it_is_said_or_shown() {
        let mut known = known();
        let now = Instant::ZERO;
        assert!(!known.has(TRUNK, Ability::Refer, now));
        assert!(known.may(TRUNK, Ability::Refer, now));
        known.on_advertised(TRUNK, true, false, "INVITE", now);
        assert!(known.has(TRUNK, Ability::Refer, now));
        assert!(!known.has(TRUNK, Ability::Replaces, now));
        assert!(!known.surely(TRUNK, Ability::Refer, now));
        known.on_proven(TRUNK, Ability::Refer, "NOTIFY 200", now);
        known.on_advertised(TRUNK, false, false, "INVITE", now);
        assert!(known.surely(TRUNK, Ability::Refer, now), "what worked weighs more than what is said");
        known.on_advertised((PeerKind::Trunk, "nobody"), true, true, "INVITE", now);
        assert!(!known.may((PeerKind::Trunk, "nobody"), Ability::Refer, now));
    }

    #[test]
    fn a_hard_refusal_counts_for_a_day_and_a_soft_one_not_at_all() {
        for (status, hard) in [
            (401, false),
            (403, true),
            (405, true),
            (407, false),
            (408, false),
            (420, true),
            (429, true),
            (480, false),
            (481, false),
            (486, false),
            (491, false),
            (500, false),
            (501, true),
            (503, false),
            (603, true),
        ] {
            let mut known = advertised();
            known.on_refused(TRUNK, status, false, Instant::ZERO);
            assert_eq!(!known.has(TRUNK, Ability::Refer, Instant::ZERO + HOUR), hard, "{status}");
            assert!(known.has(TRUNK, Ability::Refer, Instant::ZERO + 24 * HOUR), "{status} is forgotten");
        }
    }

    #[test]
    fn a_420_for_replaces_is_not_about_refer() {
        let mut known = advertised();
        known.on_refused(TRUNK, 420, true, Instant::ZERO);
        assert!(known.has(TRUNK, Ability::Refer, Instant::ZERO));
        assert!(!known.may(TRUNK, Ability::Replaces, Instant::ZERO));
    }

    #[test]
    fn two_silences_in_a_row_make_it_broken() {
        let mut known = advertised();
        known.on_silence(TRUNK, Instant::ZERO);
        assert!(known.has(TRUNK, Ability::Refer, Instant::ZERO));
        known.on_proven(TRUNK, Ability::Refer, "NOTIFY 200", Instant::ZERO);
        known.on_silence(TRUNK, Instant::ZERO);
        assert!(known.has(TRUNK, Ability::Refer, Instant::ZERO), "not in a row");
        known.on_silence(TRUNK, Instant::ZERO);
        assert!(!known.may(TRUNK, Ability::Refer, Instant::ZERO));
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let mut config = bench_config();
        config.trunks[0].abilities = Abilities { refer: Manual::No, replaces: Manual::Yes };
        let mut known = Capabilities::new(&config);
        known.on_proven(TRUNK, Ability::Refer, "NOTIFY 200", Instant::ZERO);
        known.on_replaces_broken(TRUNK, Instant::ZERO);
        assert!(!known.may(TRUNK, Ability::Refer, Instant::ZERO));
        assert!(known.surely(TRUNK, Ability::Replaces, Instant::ZERO));
        let view = known.views(Instant::ZERO).into_iter().find(|view| view.peer == PeerKind::Trunk).expect("the trunk");
        assert_eq!(view.refer.because, "set to \"no\" in the configuration");
        assert!(!view.refer.usable && view.replaces.usable);
    }

    #[test]
    fn the_view_says_how_we_know_since_when_and_until_when() {
        let mut known = advertised();
        let later = Instant::ZERO + HOUR;
        known.on_replaces_broken(ANNA, later);
        known.on_refused(TRUNK, 603, false, later);
        known.on_overload(TRUNK, Duration::from_secs(30), later);
        let views = known.views(later);
        let names: Vec<_> = views.iter().map(|view| (view.peer, view.name.as_str())).collect();
        assert_eq!(names, [(PeerKind::Trunk, "trunk"), (PeerKind::Desk, "anna"), (PeerKind::Desk, "ben")]);
        let trunk = &views[0];
        assert_eq!(trunk.refer.because, "REFER refused with 603");
        assert_eq!((trunk.refer.since, trunk.refer.until), (Some(later), Some(later + 24 * HOUR)));
        assert_eq!(trunk.replaces.because, "listed in Supported of its INVITE");
        assert_eq!(trunk.resting_until, Some(later + Duration::from_secs(30)));
        assert_eq!(views[1].replaces.evidence.as_str(), "broken");
        let tomorrow = known.views(later + 24 * HOUR);
        assert_eq!(tomorrow[0].refer.evidence, Evidence::Advertised);
        assert_eq!(tomorrow[0].refer.because, "REFER refused with 603, more than a day ago");
        assert_eq!(tomorrow[0].resting_until, None);
    }
}
