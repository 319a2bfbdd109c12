//! Who may talk to us at all: configured addresses, asked before a single byte is parsed.

use crate::config::{BotReach, Network, SwitchboardConfig};
use core::net::IpAddr;
pub use sip_proto::contains;

/// The addresses of all configured peers, and the parts they play.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    trunks: Vec<(Network, usize)>,
    others: Vec<IpAddr>,
    /// Where dialogs of desks' may be taken over from, and their telephones register from.
    networks: Vec<Network>,
}

impl Peers {
    /// Collects trunks, SIP bots, desks and the recorder.
    pub fn from_config(config: &SwitchboardConfig) -> Self {
        let trunks = config
            .trunks
            .iter()
            .enumerate()
            .flat_map(|(index, trunk)| trunk.addresses.iter().map(move |network| (*network, index)))
            .collect();
        let bots = config.bots.iter().filter_map(|bot| match &bot.reach {
            BotReach::Sip { targets, .. } => Some(targets),
            BotReach::Stream { .. } => None,
        });
        let recorder = config.recorder.iter().map(|recorder| &recorder.targets);
        let targets = bots.chain(config.desks.iter().map(|desk| &desk.targets)).chain(recorder).flatten();
        let mut others: Vec<IpAddr> = targets.map(|target| target.address.ip().to_canonical()).collect();
        others.sort_unstable();
        others.dedup();
        let registering = |desk: &crate::Desk| desk.signalling.seat.as_ref().map(|seat| seat.from.clone());
        let networks =
            |desk: &crate::Desk| [desk.replaces_from.clone(), registering(desk).unwrap_or_default()].concat();
        Self { trunks, others, networks: config.desks.iter().flat_map(networks).collect() }
    }

    /// Those who were known before, and are in a call that is still under way, stay known.
    pub(crate) fn with_those_of(mut self, before: &Self, busy: &[IpAddr]) -> Self {
        let busy = busy.iter().map(IpAddr::to_canonical).filter(|ip| before.others.binary_search(ip).is_ok());
        self.others.extend(busy);
        self.others.sort_unstable();
        self.others.dedup();
        self
    }

    /// Whether anything from this address is worth parsing.
    pub fn knows(&self, ip: IpAddr) -> bool {
        self.others.binary_search(&ip.to_canonical()).is_ok()
            || self.trunk(ip).is_some()
            || self.networks.iter().any(|network| contains(*network, ip))
    }

    /// The trunk (its place in the configuration) this address belongs to. The longest prefix wins.
    pub fn trunk(&self, ip: IpAddr) -> Option<usize> {
        let matching = self.trunks.iter().filter(|(network, _)| contains(*network, ip));
        matching.max_by_key(|((_, prefix), index)| (*prefix, core::cmp::Reverse(*index))).map(|(_, index)| *index)
    }
}

impl From<&SwitchboardConfig> for Peers {
    fn from(config: &SwitchboardConfig) -> Self {
        Self::from_config(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test address")
    }

    #[test]
    fn networks_hold_what_their_prefix_says() {
        assert!(contains((ip("192.0.2.0"), 24), ip("192.0.2.255")));
        assert!(!contains((ip("192.0.2.0"), 24), ip("192.0.3.0")));
        assert!(contains((ip("192.0.2.7"), 32), ip("192.0.2.7")));
        assert!(!contains((ip("192.0.2.7"), 32), ip("192.0.2.6")));
        assert!(contains((ip("0.0.0.0"), 0), ip("203.0.113.9")));
        assert!(contains((ip("192.0.2.0"), 24), ip("::ffff:192.0.2.1")));
        assert!(contains((ip("2001:db8::"), 32), ip("2001:db8:1::9")));
        assert!(!contains((ip("2001:db8::"), 32), ip("2001:db9::1")));
        assert!(!contains((ip("0.0.0.0"), 0), ip("::1")));
    }
}
