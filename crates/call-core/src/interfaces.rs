//! Our sides of the network: on each, SIP is spoken and audio comes and goes at addresses of its own, and a message says
//! only those of the side it leaves by.

use call_model::InterfaceId;
use core::net::{IpAddr, SocketAddr};
use sip_proto::{Flow, Network, Transport, contains};

/// Local SIP addresses per transport. Absent: that transport is not used for outgoing requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SipAddresses {
    /// UDP.
    pub udp: Option<SocketAddr>,
    /// TCP.
    pub tcp: Option<SocketAddr>,
    /// TLS.
    pub tls: Option<SocketAddr>,
    /// WebSocket.
    pub ws: Option<SocketAddr>,
    /// WebSocket over TLS.
    pub wss: Option<SocketAddr>,
}

impl SipAddresses {
    /// Our address for a transport.
    pub const fn of(&self, transport: Transport) -> Option<SocketAddr> {
        match transport {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
            Transport::Ws => self.ws,
            Transport::Wss => self.wss,
        }
    }

    /// Sets our address for a transport.
    pub const fn set(&mut self, transport: Transport, address: SocketAddr) {
        let place = match transport {
            Transport::Udp => &mut self.udp,
            Transport::Tcp => &mut self.tcp,
            Transport::Tls => &mut self.tls,
            Transport::Ws => &mut self.ws,
            Transport::Wss => &mut self.wss,
        };
        *place = Some(address);
    }

    /// All of them, the plainest first.
    pub fn all(&self) -> impl Iterator<Item = SocketAddr> {
        Transport::ALL.into_iter().filter_map(|transport| self.of(transport))
    }
}

/// One of our sides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// Its name in the configuration.
    pub name: String,
    /// Where SIP is spoken there, as its peers know it. No two interfaces share one.
    pub sip: SipAddresses,
    /// The address in session descriptions that leave by it.
    pub media_ip: IpAddr,
    /// Whoever is in one of these is reached by it.
    pub networks: Vec<Network>,
}

/// All of them; there is at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interfaces {
    first: Interface,
    others: Vec<Interface>,
}

impl Interfaces {
    /// `first` is taken where nothing speaks for another.
    pub const fn new(first: Interface, others: Vec<Interface>) -> Self {
        Self { first, others }
    }

    /// One alone.
    pub fn one(sip: SipAddresses, media_ip: IpAddr) -> Self {
        Self::new(Interface { name: "main".to_owned(), sip, media_ip, networks: Vec::new() }, Vec::new())
    }

    /// The first first.
    pub fn all(&self) -> impl Iterator<Item = &Interface> {
        core::iter::once(&self.first).chain(&self.others)
    }

    /// The one in that place; the first where there is no such place.
    pub fn get(&self, id: InterfaceId) -> &Interface {
        self.all().nth(id.0).unwrap_or(&self.first)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: InterfaceId) -> &mut Interface {
        let Self { first, others } = self;
        id.0.checked_sub(1).and_then(|other| others.get_mut(other)).unwrap_or(first)
    }

    /// The one of that name.
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.all().find(|interface| interface.name == name)
    }

    /// The one that a flow comes and goes by.
    pub fn of(&self, flow: Flow) -> InterfaceId {
        InterfaceId(self.all().position(|one| one.sip.of(flow.transport) == Some(flow.local)).unwrap_or_default())
    }

    /// The ways on which a transport is spoken with a peer that is reached by the interface of that name, or by any.
    pub fn speaking(
        &self,
        named: Option<&str>,
        transport: Transport,
    ) -> impl Iterator<Item = (&Interface, SocketAddr)> {
        let fits = move |one: &&Interface| named.is_none_or(|name| one.name == name);
        self.all().filter(fits).filter_map(move |one| Some((one, one.sip.of(transport)?)))
    }

    /// How to reach a peer: by the interface it names; else by the one with the narrowest network that holds it; else by
    /// the first that knows its family of addresses; else by the first. None where nobody there speaks the transport.
    pub fn flow_to(&self, named: Option<&str>, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let ip = remote.ip().to_canonical();
        let rank = |one: &Interface, local: SocketAddr| {
            let holding = one.networks.iter().filter(|network| contains(**network, ip)).map(|(_, prefix)| *prefix);
            (holding.max(), local.ip().to_canonical().is_ipv4() == ip.is_ipv4())
        };
        let ways: Vec<_> = self.speaking(named, transport).collect();
        // Of equals, the last is taken.
        let best = ways.iter().rev().max_by_key(|(one, local)| rank(one, *local));
        best.map(|(_, local)| Flow { transport, local: *local, remote })
    }

    /// Whether somebody of ours is there.
    pub fn are_at(&self, ip: IpAddr) -> bool {
        self.all().any(|one| one.media_ip == ip || one.sip.all().any(|address| address.ip() == ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, ip: &str, networks: &[(&str, u8)]) -> Interface {
        let ip: IpAddr = ip.parse().expect("an address");
        let at = |port| Some(SocketAddr::new(ip, port));
        let networks = networks.iter().map(|(ip, prefix)| (ip.parse().expect("an address"), *prefix)).collect();
        let sip =
            SipAddresses { udp: at(5060), tls: at(5061).filter(|_| name == "outside"), ..SipAddresses::default() };
        Interface { name: name.to_owned(), sip, media_ip: ip, networks }
    }

    #[test]
    fn a_peer_is_reached_by_the_interface_it_names_else_by_network_else_by_family() {
        let inside = interface("inside", "10.0.0.1", &[("10.0.0.0", 8)]);
        let wing = interface("wing", "10.9.0.1", &[("10.9.0.0", 16)]);
        let six = interface("six", "2001:db8::1", &[]);
        let all = Interfaces::new(interface("outside", "192.0.2.1", &[]), vec![inside, wing, six]);
        let by = |named, transport, remote: &str| {
            let flow = all.flow_to(named, transport, remote.parse().expect("an address"))?;
            assert_eq!(all.get(all.of(flow)).sip.of(transport), Some(flow.local));
            Some(all.get(all.of(flow)).name.as_str())
        };
        let udp = Transport::Udp;
        assert_eq!(by(None, udp, "198.51.100.7:5060"), Some("outside"));
        assert_eq!(by(None, udp, "10.1.2.3:5060"), Some("inside"));
        assert_eq!(by(None, udp, "10.9.2.3:5060"), Some("wing"), "the narrower network");
        assert_eq!(by(None, udp, "[2001:db8:7::7]:5060"), Some("six"));
        assert_eq!(by(Some("wing"), udp, "198.51.100.7:5060"), Some("wing"), "as it says");
        assert_eq!(by(None, Transport::Tls, "10.1.2.3:5061"), Some("outside"), "nobody else speaks it");
        assert_eq!(by(Some("inside"), Transport::Tls, "10.1.2.3:5061"), None);
        assert_eq!(by(None, Transport::Tcp, "10.1.2.3:5060"), None);
    }
}
