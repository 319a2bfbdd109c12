//! Values that name peers: SIP URIs with the address they lead to, codecs, patterns.

use crate::resolve::Lookup;
use call_core::{Network, Pattern, ReferTo, Target};
use call_model::{Codec, Party};
use sip_proto::Transport;
use sip_wire::{Host, Uri};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

/// Where requests to a peer are sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hop {
    pub(super) transport: Transport,
    /// The transport was not said: a name server may know better.
    any_transport: bool,
    place: Place,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    At(SocketAddr),
    Named(String, Option<u16>),
}

impl Hop {
    /// Nothing before its name is looked up.
    pub(super) fn targets(&self) -> Vec<Target> {
        match self.place {
            Place::At(address) => vec![Target::new(self.transport, address)],
            Place::Named(..) => Vec::new(),
        }
    }

    pub(super) fn host(&self) -> Option<String> {
        match &self.place {
            Place::At(_) => None,
            Place::Named(host, _) => Some(host.clone()),
        }
    }

    /// Where it is now, for who does not follow it.
    pub(super) fn address(&self) -> Result<SocketAddr, String> {
        match &self.place {
            Place::At(address) => Ok(*address),
            Place::Named(host, port) => {
                let port = port.unwrap_or(self.transport.default_port());
                let found = (host.as_str(), port).to_socket_addrs();
                let found = found.map_err(|error| format!("`{host}` cannot be looked up ({error})"))?;
                found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| format!("`{host}` has no address"))
            }
        }
    }

    /// What has to be looked up. `optional`: nothing is lost when that fails.
    pub(super) fn lookup(&self, about: Party, name: &str, optional: bool) -> Option<Lookup> {
        let Place::Named(host, port) = &self.place else { return None };
        let (transport, any_transport) = (self.transport, self.any_transport);
        Some(Lookup {
            about,
            name: name.to_owned(),
            host: host.clone(),
            port: *port,
            transport,
            any_transport,
            optional,
            interface: None,
        })
    }
}

/// `sip:USER@HOST[:PORT][;transport=tcp]`, `sips:USER@HOST[:PORT]`. A host name is looked up while we run: whoever runs its
/// name server says where a desk or a bot is. Trunks, who may call us, are lists of addresses for that reason.
pub(super) fn target(text: &str) -> Result<(String, Hop), String> {
    let example = "write for example sip:{user}@192.0.2.7:5060;transport=udp";
    let (rest, secure) = match (text.strip_prefix("sip:"), text.strip_prefix("sips:")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => return Err(format!("`{text}` is no SIP address: it must begin with sip: or sips:; {example}")),
    };
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"')) {
        return Err(format!("holds blanks, control characters, quotes or angle brackets; {example}"));
    }
    let (address, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let host_port = address.rsplit_once('@').map_or(address, |(_, host)| host);
    let host_port = host_port.split('?').next().unwrap_or(host_port);
    let (transport, named) = transport_of(parameters, secure)?;
    let hop = hop(transport, !named && !secure, host_port).map_err(|why| format!("`{host_port}` {why}; {example}"))?;
    Ok((text.to_owned(), hop))
}

/// A desk's URI, and where requests to it are sent, if we can call it at all. `hop`: where, for a URI that names no host
/// or is reached by way of another one. `by_trunk`: the trunk calls it, so we need not be able to.
pub(super) fn reach(text: &str, hop: Option<Hop>, by_trunk: bool) -> Result<(String, Option<Hop>), String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    let known = matches!(scheme.as_str(), "sip" | "sips" | "tel");
    if known && (hop.is_some() || by_trunk) {
        // A URI holds no braces.
        Uri::parse(&text.replace("{user}", "0")).map_err(|why| format!("`{text}` is no address: {why}"))?;
    }
    let hop = match (scheme.as_str(), hop) {
        ("sips", Some(hop)) if !hop.transport.is_secure() => {
            return Err("is sips:, so address must be TLS as well: write address = \"tls:HOST:PORT\"".to_owned());
        }
        ("sip" | "sips" | "tel", Some(hop)) => Some(hop),
        ("tel", None) if by_trunk => None,
        // It is enough that the trunk knows the host.
        ("sip" | "sips", None) if by_trunk => target(text).ok().map(|(_, hop)| hop),
        ("tel", None) => return Err(format!("`{text}` names no host: set address = \"IP:PORT\" too")),
        _ => Some(target(text)?.1),
    };
    Ok((text.to_owned(), hop))
}

/// `HOST:PORT`, `tcp:HOST:PORT` or `tls:HOST:PORT`.
pub(super) fn via(text: &str) -> Result<Hop, String> {
    let named = text.split_once(':').and_then(|(name, rest)| Some((Transport::named(name)?, rest)));
    let (transport, host_port) = named.unwrap_or((Transport::Udp, text));
    hop(dialable(transport)?, named.is_none(), host_port)
        .map_err(|why| format!("`{host_port}` {why}; write 192.0.2.7:5060 or tls:HOST:PORT"))
}

/// `as_is`, `tel` or `@HOST`.
pub(super) fn refer_to(text: &str) -> Result<ReferTo, String> {
    match (text, text.strip_prefix('@')) {
        ("as_is", _) => Ok(ReferTo::AsIs),
        ("tel", _) => Ok(ReferTo::Tel),
        (_, Some(host)) if Uri::parse(&format!("sip:0@{host}")).is_ok() => Ok(ReferTo::Domain(host.to_owned())),
        _ => {
            Err(format!("`{text}` is not known: as_is, tel, or the trunk's own host such as @example.pstn.twilio.com"))
        }
    }
}

/// And whether it was said.
fn transport_of(parameters: &str, secure: bool) -> Result<(Transport, bool), String> {
    let named = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("transport"));
    let Some((_, name)) = named else { return Ok((if secure { Transport::Tls } else { Transport::Udp }, false)) };
    match Transport::named(name) {
        // RFC 3261 §26.2.2: sips over TCP is TLS.
        Some(Transport::Tcp) if secure => Ok((Transport::Tls, true)),
        Some(Transport::Udp) if secure => {
            Err("is sips: over udp, which does not exist: leave transport out".to_owned())
        }
        Some(transport) => Ok((dialable(transport)?, true)),
        None => Err(format!("transport={name} is not spoken: use udp, tcp or tls")),
    }
}

fn dialable(transport: Transport) -> Result<Transport, String> {
    if transport.is_dialable() {
        return Ok(transport);
    }
    Err(format!(
        "{transport} cannot be called: a browser has no address. It must register or call us; use udp, tcp or tls"
    ))
}

fn hop(transport: Transport, any_transport: bool, host_port: &str) -> Result<Hop, String> {
    let hop = |place| Ok(Hop { transport, any_transport, place });
    if let Ok(address) = host_port.parse::<SocketAddr>() {
        return if address.port() == 0 { Err("has port 0".to_owned()) } else { hop(Place::At(address)) };
    }
    if let Ok(ip) = host_port.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return hop(Place::At(SocketAddr::new(ip, transport.default_port())));
    }
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| "has a port that is no number".to_owned())?)),
        None => (host_port, None),
    };
    match Host::parse(host) {
        _ if host.is_empty() => Err("has no host".to_owned()),
        Ok(_) => hop(Place::Named(host.to_owned(), port)),
        Err(error) => Err(format!("is no host name ({error})")),
    }
}

pub(super) fn codec(text: &str) -> Result<Codec, String> {
    let known = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("`{text}` is not carried: use {}", Codec::ALL.map(Codec::name).join(", ")))
}

/// `+441632960000` exactly, `7*` a prefix, `*` anything.
pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    match text.split_once('*') {
        None => Ok(Pattern::Exact(text.to_owned())),
        Some(("", "")) => Ok(Pattern::Any),
        Some((prefix, "")) => Ok(Pattern::Prefix(prefix.to_owned())),
        Some(_) => Err(format!("`{text}` has its * in the wrong place: a number, `prefix*` or `*`")),
    }
}

/// `ws://host[:port]/path` or `wss://...`.
pub(super) fn stream_url(text: &str) -> Result<String, String> {
    let url: tokio_tungstenite::tungstenite::http::Uri =
        text.parse().map_err(|error| format!("`{text}` is no URL: {error}"))?;
    match (url.scheme_str(), url.host()) {
        (Some("ws" | "wss"), Some(host)) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no WebSocket address: write ws://127.0.0.1:8765/media or wss://...")),
    }
}

/// `http://host[:port]`, without the slash at the end.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let url: tokio_tungstenite::tungstenite::http::Uri =
        text.parse().map_err(|error| format!("`{text}` is no URL: {error}"))?;
    match (url.scheme_str(), url.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(format!("`{text}` is no address of a web server: write http://192.0.2.1:8088 or https://...")),
    }
}

/// Whether two networks share an address.
pub(super) fn overlap(a: Network, b: Network) -> bool {
    let narrower = if a.1 >= b.1 { a } else { b };
    let wider = if a.1 >= b.1 { b } else { a };
    call_core::contains(wider, narrower.0)
}
