//! How SIP is spoken with one peer, beyond what every peer gets.

use crate::config::{BotReach, SwitchboardConfig, Target};
use crate::info::KeysOut;
use call_model::{KeysBy, SrtpUse};
use sip_proto::{Account, Credentials, Guard, Network};

/// How SIP is spoken with one peer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signalling {
    /// Who we are there, when it asks (401, 407).
    pub account: Option<Credentials>,
    /// Who it has to be to begin a call (trunks).
    pub admits: Option<Credentials>,
    /// Whether its audio is encrypted (SRTP, with keys in the session description).
    pub srtp: SrtpUse,
    /// How it is told of keys.
    pub keys: KeysOut,
    /// Its callers hear early audio (trunks).
    pub early_media: bool,
}

impl Signalling {
    /// Whether the media engine tells it of keys.
    pub(crate) const fn keys_by(&self) -> KeysBy {
        match self.keys {
            KeysOut::Rtp => KeysBy::Rtp,
            KeysOut::InfoRelay | KeysOut::InfoPlain => KeysBy::Info,
        }
    }
}

/// Whom we tell who we are.
pub(crate) fn accounts(config: &SwitchboardConfig) -> Vec<Account> {
    let account = |peer: Vec<Network>, signalling: &Signalling| {
        signalling.account.clone().map(|credentials| Account { peer, credentials })
    };
    let trunks = config.trunks.iter().filter_map(|trunk| account(trunk.addresses.clone(), &trunk.signalling));
    let bots = config.bots.iter().filter_map(|bot| match &bot.reach {
        BotReach::Sip { targets, .. } => account(hosts(targets), &bot.signalling),
        BotReach::Stream { .. } => None,
    });
    let desks = config.desks.iter().filter_map(|desk| account(hosts(&desk.targets), &desk.signalling));
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

fn hosts(targets: &[Target]) -> Vec<Network> {
    targets.iter().map(|target| (target.address.ip(), 128)).collect()
}
