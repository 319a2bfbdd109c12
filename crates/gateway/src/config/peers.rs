//! Values that name peers: SIP URIs with the address they lead to, codecs, patterns.

use call_core::{Network, Pattern, ReferTo};
use call_model::Codec;
use sip_proto::Transport;
use sip_wire::Uri;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// A SIP URI as configured, and where requests to it are sent.
pub(super) struct Target {
    pub(super) uri: String,
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
}

/// `sip:USER@HOST[:PORT][;transport=tcp]`. A host name is looked up now, once: a peer that moves needs a restart, and
/// an address list cannot be widened by whoever runs the name server in mid-flight.
pub(super) fn target(text: &str) -> Result<Target, String> {
    let example = "write for example sip:{user}@192.0.2.7:5060;transport=udp";
    let rest = text.strip_prefix("sip:").ok_or_else(|| {
        format!("`{text}` is no SIP address: it must begin with sip: (sips: is not spoken yet); {example}")
    })?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"')) {
        return Err(format!("holds blanks, control characters, quotes or angle brackets; {example}"));
    }
    let (address, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let host_port = address.rsplit_once('@').map_or(address, |(_, host)| host);
    let host_port = host_port.split('?').next().unwrap_or(host_port);
    let transport = transport_of(parameters)?;
    let address = resolve(host_port).map_err(|why| format!("`{host_port}` {why}; {example}"))?;
    Ok(Target { uri: text.to_owned(), transport, address })
}

/// A desk's URI, and where requests to it are sent, if we can call it at all.
pub(super) struct Reach {
    pub(super) uri: String,
    pub(super) transport: Transport,
    pub(super) address: Option<SocketAddr>,
}

/// `address`: where requests are sent, for a URI that names no host or is reached by way of another one. `by_trunk`: the
/// trunk calls it, so we need not be able to.
pub(super) fn reach(text: &str, address: Option<(Transport, SocketAddr)>, by_trunk: bool) -> Result<Reach, String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    let known = matches!(scheme.as_str(), "sip" | "sips" | "tel");
    if known && (address.is_some() || by_trunk) {
        // A URI holds no braces.
        Uri::parse(&text.replace("{user}", "0")).map_err(|why| format!("`{text}` is no address: {why}"))?;
    }
    let (transport, address) = match (scheme.as_str(), address) {
        ("sip" | "tel", Some((transport, address))) => (transport, Some(address)),
        ("sips", Some(_)) => return Err("is sips:, which is not spoken yet: only a trunk can call it".to_owned()),
        ("sips" | "tel", None) if by_trunk => (Transport::Udp, None),
        ("sip", None) if by_trunk => match target(text) {
            Ok(target) => (target.transport, Some(target.address)),
            // It is enough that the trunk knows the host.
            Err(_) => (Transport::Udp, None),
        },
        ("tel", None) => return Err(format!("`{text}` names no host: set address = \"IP:PORT\" too")),
        _ => {
            let target = target(text)?;
            (target.transport, Some(target.address))
        }
    };
    Ok(Reach { uri: text.to_owned(), transport, address })
}

/// `HOST:PORT` or `tcp:HOST:PORT`.
pub(super) fn via(text: &str) -> Result<(Transport, SocketAddr), String> {
    let (transport, host_port) = match text.split_once(':') {
        Some(("tcp", rest)) => (Transport::Tcp, rest),
        Some(("udp", rest)) => (Transport::Udp, rest),
        _ => (Transport::Udp, text),
    };
    let address =
        resolve(host_port).map_err(|why| format!("`{host_port}` {why}; write 192.0.2.7:5060 or tcp:HOST:PORT"))?;
    Ok((transport, address))
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

fn transport_of(parameters: &str) -> Result<Transport, String> {
    let named = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("transport"));
    match named.map(|(_, value)| value.to_ascii_lowercase()).as_deref() {
        None | Some("udp") => Ok(Transport::Udp),
        Some("tcp") => Ok(Transport::Tcp),
        Some(other) => Err(format!("transport={other} is not spoken: use udp or tcp")),
    }
}

fn resolve(host_port: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = host_port.parse::<SocketAddr>() {
        return if address.port() == 0 { Err("has port 0".to_owned()) } else { Ok(address) };
    }
    if let Ok(ip) = host_port.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, 5060));
    }
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().map_err(|_| "has a port that is no number".to_owned())?),
        None => (host_port, 5060),
    };
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("cannot be looked up ({error})"))?
        .min_by_key(|address| address.is_ipv6())
        .ok_or_else(|| "has no address".to_owned())
}

pub(super) fn codec(text: &str) -> Result<Codec, String> {
    match text.to_ascii_uppercase().as_str() {
        "PCMU" => Ok(Codec::Pcmu),
        "PCMA" => Ok(Codec::Pcma),
        _ => Err(format!("`{text}` is not carried: use PCMU or PCMA")),
    }
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
