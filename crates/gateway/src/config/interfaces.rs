//! Our sides of the network: `[sip]` and `[rtp]` are the first, `[[interfaces]]` are the others.

use super::reader::{Complaints, Section, ip, network, socket};
use super::settings::{Settings, SipListen};
use call_core::{Interface, Interfaces, Signalling, SipAddresses};
use call_model::InterfaceId;
use sip_proto::Transport;
use std::net::{IpAddr, SocketAddr};

/// What the first is called.
const FIRST: &str = "main";

/// One of them: what the switchboard knows of it, its sockets, and where its RTP sockets are bound.
pub(super) struct Side {
    pub(super) interface: Interface,
    pub(super) listen: Vec<SipListen>,
    pub(super) rtp: IpAddr,
}

/// `listen` and `advertised` of a section.
pub(super) fn listening(section: &mut Section, id: InterfaceId, usual: Vec<SipListen>) -> Vec<SipListen> {
    let advertised = section.text("advertised", ip);
    let mut listen = section.list("listen", sip_listen).unwrap_or(usual);
    for (index, one) in listen.iter_mut().enumerate() {
        (one.advertised, one.interface) = (advertised, id);
        if one.bind.ip().is_unspecified() && advertised.is_none() {
            let key = section.path_of("advertised");
            section.complain(
                &format!("listen[{index}]"),
                format!("{} means every address, so peers must be told which: set {key} = \"192.0.2.1\"", one.bind),
            );
        }
    }
    for transport in Transport::ALL {
        if listen.iter().filter(|one| one.transport == transport).count() > 1 {
            let what = "keep one of each, and put the others under [[interfaces]]";
            section.complain("listen", format!("holds more than one {transport}: address: {what}"));
        }
    }
    if listen.is_empty() {
        section.complain("listen", "is empty: without a socket no call can come; write [\"udp:127.0.0.1:5060\"]");
    }
    listen
}

/// What is in `[sip]` where nothing is.
pub(super) fn usual() -> Vec<SipListen> {
    let bind = SocketAddr::from(([127, 0, 0, 1], 5060));
    let one = |transport| SipListen { transport, bind, advertised: None, interface: InterfaceId::default() };
    [Transport::Udp, Transport::Tcp].map(one).to_vec()
}

fn sip_listen(text: &str) -> Result<SipListen, String> {
    let named = text.split_once(':').and_then(|(name, address)| Some((Transport::named(name)?, address)));
    let Some((transport, address)) = named else {
        return Err(format!("`{text}` names no transport: write udp:127.0.0.1:5060, or tcp:, tls:, ws:, wss:"));
    };
    Ok(SipListen { transport, bind: socket(address)?, advertised: None, interface: InterfaceId::default() })
}

/// Our addresses as peers reach them. Ports 0 are filled in once the sockets are bound.
fn addresses(listen: &[SipListen]) -> SipAddresses {
    let mut addresses = SipAddresses::default();
    for one in listen {
        addresses.set(one.transport, SocketAddr::new(one.advertised.unwrap_or(one.bind.ip()), one.bind.port()));
    }
    addresses
}

/// The first, made of `[sip]` and `[rtp]`.
pub(super) fn first(listen: Vec<SipListen>, rtp: IpAddr, media_ip: IpAddr) -> Side {
    let (name, sip) = (FIRST.to_owned(), addresses(&listen));
    Side { interface: Interface { name, sip, media_ip, networks: Vec::new() }, listen, rtp }
}

/// Another one.
pub(super) fn another(mut section: Section, id: InterfaceId) -> Option<Side> {
    let name = section.required("name", "\"inside\"", super::sections::plain_name);
    let listen = listening(&mut section, id, Vec::new());
    let bound = listen.first().map_or(IpAddr::from([127, 0, 0, 1]), |one| one.bind.ip());
    let rtp = section.text("rtp_address", ip).unwrap_or(bound);
    let told = section.text("rtp_advertised", ip).or(listen.first().and_then(|one| one.advertised));
    if rtp.is_unspecified() && told.is_none() && !bound.is_unspecified() {
        section.complain(
            "rtp_address",
            format!("{rtp} means every address, so peers must be told which: set rtp_advertised"),
        );
    }
    let networks = section.list("networks", network).unwrap_or_default();
    section.finish();
    let (sip, media_ip) = (addresses(&listen), told.unwrap_or(rtp));
    Some(Side { interface: Interface { name: name?, sip, media_ip, networks }, listen, rtp })
}

/// What only shows between them.
pub(super) fn check_sides(sides: &[Side], complaints: &Complaints) {
    for (at, side) in sides.iter().enumerate().skip(1) {
        let path = format!("interfaces[{}]", at - 1);
        let (interface, before) = (&side.interface, &sides[..at]);
        if before.iter().any(|other| other.interface.name == interface.name) {
            let what = format!("`{}` is taken already ([sip] and [rtp] are `{FIRST}`): choose another", interface.name);
            complaints.add(format!("{path}.name"), what);
        }
        for one in &side.listen {
            let others =
                || before.iter().flat_map(|other| &other.listen).filter(|other| other.transport == one.transport);
            let same = |a: IpAddr, b: IpAddr| a == b || a.is_unspecified() || b.is_unspecified();
            let bound =
                |other: &&SipListen| same(other.bind.ip(), one.bind.ip()) && other.bind.port() == one.bind.port();
            let told = |other: &&SipListen| other.told() == one.told();
            if one.bind.port() == 0 {
                continue;
            }
            let (transport, bind) = (one.transport, one.bind);
            if let Some(other) = others().find(bound) {
                let what =
                    format!("{transport}:{bind} is bound already, as {}: every interface needs its own", other.bind);
                complaints.add(format!("{path}.listen"), what);
            } else if others().any(|other| told(&other)) {
                let what = format!(
                    "{transport}:{bind} is told as {}, as another is: nobody could tell them apart",
                    one.told()
                );
                complaints.add(format!("{path}.advertised"), what);
            }
        }
        let taken = |network| before.iter().any(|other| other.interface.networks.contains(network));
        for (ip, prefix) in interface.networks.iter().filter(|network| taken(network)) {
            complaints
                .add(format!("{path}.networks"), format!("{ip}/{prefix} is also another's: it can be only one's"));
        }
    }
}

/// All of them.
pub(super) fn interfaces(sides: Vec<Side>) -> (Interfaces, Vec<SipListen>, Vec<IpAddr>) {
    let listen = sides.iter().flat_map(|side| side.listen.clone()).collect();
    let rtp = sides.iter().map(|side| side.rtp).collect();
    let mut all = sides.into_iter().map(|side| side.interface);
    let none = || Interface {
        name: FIRST.to_owned(),
        sip: SipAddresses::default(),
        media_ip: [0; 4].into(),
        networks: vec![],
    };
    (Interfaces::new(all.next().unwrap_or_else(none), all.collect()), listen, rtp)
}

/// Peers name interfaces that there are.
pub(super) fn check_named(settings: &Settings, complaints: &Complaints) {
    let board = &settings.switchboard;
    let names: Vec<&str> = board.interfaces.all().map(|one| one.name.as_str()).collect();
    let check = |path: String, signalling: &Signalling| {
        if let Some(name) = signalling.interface.as_deref().filter(|name| !names.contains(name)) {
            complaints.add(path, format!("`{name}` is no interface: there are {}", names.join(", ")));
        }
    };
    for (at, trunk) in board.trunks.iter().enumerate() {
        check(format!("trunks[{at}].interface"), &trunk.signalling);
    }
    for (at, bot) in board.bots.iter().enumerate() {
        check(format!("bots[{at}].interface"), &bot.signalling);
    }
    if let Some(recorder) = &board.recorder {
        check("recording.recorder.interface".to_owned(), &recorder.signalling);
    }
    for (at, desk) in board.desks.iter().enumerate() {
        check(format!("desks[{at}].interface"), &desk.signalling);
    }
}

/// What is wrong when nobody of ours speaks a transport with a peer.
pub(super) fn unspoken(settings: &Settings, signalling: &Signalling, transport: Transport) -> Option<String> {
    let interfaces = &settings.switchboard.interfaces;
    let named = signalling.interface.as_deref();
    if named.is_some_and(|name| interfaces.named(name).is_none())
        || interfaces.speaking(named, transport).next().is_some()
    {
        return None;
    }
    let whose = named.map_or("sip.listen".to_owned(), |name| format!("interface {name}"));
    Some(format!("needs {transport}, but {whose} has no such address: add \"{transport}:IP:PORT\""))
}
