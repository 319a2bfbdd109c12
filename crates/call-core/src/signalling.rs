//! How SIP is spoken with one peer, beyond what every peer gets.

use crate::config::{BotReach, SwitchboardConfig, Target};
use crate::info::KeysOut;
use call_model::{KeysBy, SrtpUse};
use core::net::SocketAddr;
use sip_proto::{Account, Credentials, Guard, Network, Registrar, Seat, Transport};

/// How SIP is spoken with one peer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signalling {
    /// Who we are there, when it asks (401, 407).
    pub account: Option<Credentials>,
    /// Who it has to be to begin a call (trunks).
    pub admits: Option<Credentials>,
    /// The interface of ours by which it is reached; none: as [`Interfaces::flow_to`](crate::Interfaces::flow_to) finds.
    pub interface: Option<String>,
    /// Whether its audio is encrypted (SRTP, with keys in the session description).
    pub srtp: SrtpUse,
    /// How it is told of keys.
    pub keys: KeysOut,
    /// Its callers hear early audio (trunks).
    pub early_media: bool,
    /// Headers of its INVITEs that go on to bots and desks, each of them [`passable`](crate::passable) (trunks).
    pub pass_headers: Vec<String>,
    /// Its own number: the user part of what we may always call from (trunks).
    pub number: Option<String>,
    /// Whose number it is shown, and what else it takes (desks).
    pub caller_id: CallerId,
    /// Where we register, so that its calls come to us (trunks).
    pub register: Option<Register>,
    /// What its telephones register here as (desks). Then they are called where they registered from, and nowhere else.
    pub seat: Option<Seat>,
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

/// Whose number a desk is shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CallerId {
    /// That of the trunk, never the caller's.
    pub trunks: bool,
    /// Statuses by which its side refuses the caller's number: then the trunk's is tried, once.
    pub fallback: Vec<u16>,
    /// It is told the number of a caller who withholds it, and asked to keep it to itself (RFC 3325 §9.1).
    pub trusted: bool,
}

/// Where and as what we register (RFC 3261 §10.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Register {
    /// The registrar: the Request-URI.
    pub registrar: String,
    /// Transport.
    pub transport: Transport,
    /// Where the request is sent.
    pub address: SocketAddr,
    /// The host name it was found under, which its TLS certificate must hold.
    pub host: Option<String>,
    /// The address that is registered. Its user part is that of our `Contact`, too: a call that is addressed to it was
    /// dialled as `To` says.
    pub aor: String,
    /// How long it shall last, in seconds.
    pub expires: u32,
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
    let place = |desk: &crate::Desk| match &desk.signalling.seat {
        Some(seat) => seat.from.clone(),
        None => hosts(&desk.targets),
    };
    let desks = config.desks.iter().filter_map(|desk| account(place(desk), &desk.signalling));
    let recorder = config.recorder.iter().filter_map(|one| account(hosts(&one.targets), &one.signalling));
    trunks.chain(bots).chain(desks).chain(recorder).collect()
}

/// Whom we ask.
pub(crate) fn guards(config: &SwitchboardConfig) -> Vec<Guard> {
    let guard = |trunk: &crate::Trunk| {
        let credentials = trunk.signalling.admits.clone()?;
        Some(Guard { peer: trunk.addresses.clone(), credentials, within: false })
    };
    config.trunks.iter().filter_map(guard).collect()
}

/// Who may register here.
pub(crate) fn registrar(config: &SwitchboardConfig) -> Registrar {
    let seats = config.desks.iter().filter_map(|desk| desk.signalling.seat.clone());
    Registrar { seats: seats.collect(), ..config.registrar.clone() }
}

/// The addresses of each peer.
pub(crate) fn peers(config: &SwitchboardConfig) -> Vec<Vec<Network>> {
    let trunks = config.trunks.iter().map(|trunk| trunk.addresses.clone());
    let bots = config.bots.iter().filter_map(|bot| match &bot.reach {
        BotReach::Sip { targets, .. } => Some(hosts(targets)),
        BotReach::Stream { .. } => None,
    });
    let desks = config.desks.iter().map(|desk| [hosts(&desk.targets), desk.replaces_from.clone()].concat());
    let recorder = config.recorder.iter().map(|recorder| hosts(&recorder.targets));
    trunks.chain(bots).chain(desks).chain(recorder).collect()
}

fn hosts(targets: &[Target]) -> Vec<Network> {
    targets.iter().map(|target| (target.address.ip(), 128)).collect()
}
