//! Small helpers for making and describing messages.

use crate::body;
use crate::flow::{Flow, Transport};
use crate::offer_answer;
use core::net::{IpAddr, SocketAddr};
use sip_wire::{Message, Method, Uri, Via, ViaTransport};

/// The methods this endpoint serves, as `Allow` lists them.
pub(crate) const ALLOW: &str = "INVITE,ACK,CANCEL,BYE,OPTIONS,PRACK,UPDATE,REFER,NOTIFY,INFO";

/// Option tags this endpoint understands, as `Supported` lists them.
pub(crate) const SUPPORTED: [&str; 4] = ["100rel", "replaces", "norefersub", "timer"];

/// Our `Via` on a flow.
pub(crate) fn via(flow: Flow, branch: &str) -> Via {
    let transport = match flow.transport {
        Transport::Udp => ViaTransport::Udp,
        Transport::Tcp => ViaTransport::Tcp,
        Transport::Tls => ViaTransport::Tls,
        other => ViaTransport::Other(other.via().to_owned()),
    };
    Via::new(transport, flow.local, branch)
}

/// Our `Contact` on a flow.
pub(crate) fn contact(user: &str, flow: Flow) -> String {
    match flow.transport {
        Transport::Udp => format!("<sip:{user}@{}>", flow.local),
        other => format!("<sip:{user}@{};transport={}>", flow.local, other.param()),
    }
}

/// Where responses to a request go (RFC 3261 §18.2.2, RFC 3581): the connection, or the datagram's source.
pub(crate) fn reply_flow(flow: Flow, via: &Via) -> Flow {
    if flow.transport.is_reliable() { flow } else { Flow { remote: via.response_address(flow.remote), ..flow } }
}

/// The ACK of a 3xx-6xx (RFC 3261 §17.1.1.3).
pub(crate) fn ack_of_refusal(invite: &Message, response: &Message) -> Message {
    let mut ack = same_hop(invite, Method::Ack);
    let to = response.headers.get("To").or(invite.headers.get("To")).unwrap_or_default();
    ack.headers.set("To", to);
    ack
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(crate) fn cancel_of(invite: &Message, reason: Option<&str>) -> Message {
    let mut cancel = same_hop(invite, Method::Cancel);
    if let Some(reason) = reason {
        cancel.headers.push("Reason", reason);
    }
    cancel
}

/// A request that travels exactly as an INVITE did.
fn same_hop(invite: &Message, method: Method) -> Message {
    let uri = invite.request_uri().cloned().unwrap_or_else(nowhere);
    let number = invite.cseq().map_or(0, |cseq| cseq.number);
    let mut request = Message::request(method.clone(), uri);
    if let Some(via) = invite.headers.get("Via") {
        request.headers.push("Via", via);
    }
    request.headers.copy_from(&invite.headers, "Route");
    request.headers.push("Max-Forwards", "70");
    for name in ["From", "To", "Call-ID", "Session-ID"] {
        request.headers.copy_from(&invite.headers, name);
    }
    request.headers.push("CSeq", format!("{number} {method}"));
    request
}

/// A URI that reaches nobody, for places that need one and cannot fail.
pub(crate) fn nowhere() -> Uri {
    Uri::sip("", &sip_wire::Host::Name("invalid".to_owned()), None)
}

/// The CSeq as written; nothing when there is none.
pub(crate) fn cseq_text(message: &Message) -> String {
    message.headers.get("CSeq").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// A message in a reader's words.
pub(crate) fn describe(message: &Message) -> String {
    if let Some(method) = message.method() {
        return match method {
            Method::Invite | Method::Update if message.require().iter().any(|tag| tag == "siprec") => {
                let sends = offer_answer::says(&message.body, b"a=sendonly");
                format!("{method} (recording{})", if sends { "" } else { " paused" })
            }
            Method::Invite | Method::Update if offer_answer::is_hold(&message.body) => format!("{method} (hold)"),
            Method::Notify => match body::sipfrag_status(&message.body) {
                Some(status) => format!("{method} {status}"),
                None => method.to_string(),
            },
            method => method.to_string(),
        };
    }
    let reliable = if message.rseq().is_some() { " (reliable)" } else { "" };
    let status = format!("{} {}{reliable}", message.code().unwrap_or(0), message.reason().unwrap_or_default());
    match message.cseq() {
        Ok(cseq) if cseq.method != Method::Invite => format!("{} ({})", status.trim(), cseq.method),
        _ => status.trim().to_owned(),
    }
}

/// Where a request to a URI goes, given the flow its dialog lives on.
///
/// There is no DNS here: a host name means "where the peer is known to be". An address is believed, unless no packet
/// could get there from here: unspecified, multicast, loopback or private where the peer is not (an unaware phone
/// behind NAT). A connection is kept as long as it leads to the right host (RFC 5923), and where there could be no other.
/// The transport stays.
pub(crate) fn next_hop(uri: &Uri, flow: Flow) -> Flow {
    let Some(ip) = uri.host().and_then(sip_wire::Host::ip) else { return flow };
    let peer = flow.remote.ip();
    let unreachable = ip.is_unspecified()
        || ip.is_multicast()
        || ip == IpAddr::from([255, 255, 255, 255])
        || ip.is_ipv4() != peer.is_ipv4()
        || (ip.is_loopback() && !peer.is_loopback())
        || (is_private(ip) && !is_private(peer) && !peer.is_loopback());
    let connected = flow.transport.is_reliable() && ip == peer;
    if unreachable || connected || !flow.transport.is_dialable() {
        return flow;
    }
    let port = uri.port().filter(|port| *port != 0).unwrap_or(flow.transport.default_port());
    Flow { remote: SocketAddr::new(ip, port), ..flow }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => (ip.segments()[0] & 0xfe00) == 0xfc00 || (ip.segments()[0] & 0xffc0) == 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(transport: Transport, remote: &str) -> Flow {
        Flow { transport, local: "203.0.113.10:5060".parse().unwrap(), remote: remote.parse().unwrap() }
    }

    #[test]
    fn the_next_hop_is_the_contact_unless_no_packet_could_get_there() {
        for (transport, remote, uri, hop) in [
            (Transport::Udp, "198.51.100.20:5060", "sip:x@198.51.100.21:5070", "198.51.100.21:5070"),
            (Transport::Udp, "198.51.100.20:5060", "sip:x@198.51.100.21", "198.51.100.21:5060"),
            (Transport::Udp, "198.51.100.20:1024", "sip:x@192.168.1.7:5060", "198.51.100.20:1024"),
            (Transport::Udp, "10.0.0.9:5060", "sip:x@10.0.0.7:5062", "10.0.0.7:5062"),
            (Transport::Udp, "198.51.100.20:5060", "sip:x@127.0.0.1", "198.51.100.20:5060"),
            (Transport::Udp, "198.51.100.20:5060", "sip:x@0.0.0.0", "198.51.100.20:5060"),
            (Transport::Udp, "198.51.100.20:5060", "sip:x@desk.example.net:5070", "198.51.100.20:5060"),
            (Transport::Udp, "198.51.100.20:5060", "sip:x@[2001:db8::1]", "198.51.100.20:5060"),
            (Transport::Tcp, "198.51.100.20:41234", "sip:x@198.51.100.20:5060", "198.51.100.20:41234"),
            (Transport::Tcp, "198.51.100.20:41234", "sip:x@198.51.100.21:5060", "198.51.100.21:5060"),
            (Transport::Tls, "198.51.100.20:41234", "sip:x@198.51.100.20", "198.51.100.20:41234"),
            (Transport::Tls, "198.51.100.20:41234", "sip:x@198.51.100.21", "198.51.100.21:5061"),
            (Transport::Wss, "198.51.100.20:41234", "sip:x@198.51.100.21:443", "198.51.100.20:41234"),
        ] {
            let hop: SocketAddr = hop.parse().unwrap();
            assert_eq!(next_hop(&Uri::parse(uri).unwrap(), flow(transport, remote)).remote, hop, "{uri}");
        }
    }
}
