//! How SIP is spoken with one peer, beyond what every peer gets.

use crate::config::{BotReach, SwitchboardConfig};
use core::net::SocketAddr;
use sip_proto::{Account, Credentials, Guard, Network};

/// How SIP is spoken with one peer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signalling {
    /// Who we are there, when it asks (401, 407).
    pub account: Option<Credentials>,
    /// Who it has to be to begin a call (trunks).
    pub admits: Option<Credentials>,
}

/// Whom we tell who we are.
pub(crate) fn accounts(config: &SwitchboardConfig) -> Vec<Account> {
    let account = |peer: Vec<Network>, signalling: &Signalling| {
        signalling.account.clone().map(|credentials| Account { peer, credentials })
    };
    let trunks = config.trunks.iter().filter_map(|trunk| account(trunk.addresses.clone(), &trunk.signalling));
    let bots = config.bots.iter().filter_map(|bot| match &bot.reach {
        BotReach::Sip { address, .. } => account(host(*address), &bot.signalling),
        BotReach::Stream { .. } => None,
    });
    let desks = config.desks.iter().filter_map(|desk| account(host(desk.address?), &desk.signalling));
    trunks.chain(bots).chain(desks).collect()
}

/// Whom we ask.
pub(crate) fn guards(config: &SwitchboardConfig) -> Vec<Guard> {
    let guard = |trunk: &crate::Trunk| {
        let credentials = trunk.signalling.admits.clone()?;
        Some(Guard { peer: trunk.addresses.clone(), credentials, within: false })
    };
    config.trunks.iter().filter_map(guard).collect()
}

fn host(address: SocketAddr) -> Vec<Network> {
    vec![(address.ip(), 128)]
}
