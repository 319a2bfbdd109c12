//! Malformed and merely unusual SIP: the 49 messages of RFC 4475 and the 12 of RFC 5118, and what each must get.
//!
//! The table is for every layer: `wire` and `stream` are judged here against `sip-wire`, `endpoint` is what a party
//! that talks to our SIP endpoint may see.

pub mod fuzz;

/// What parsing and validating one datagram gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A valid message.
    Accepted,
    /// Malformed, with a ready answer of this code.
    Refused(u16),
    /// Malformed, and nothing may be answered.
    Dropped,
}

/// What the same bytes give on a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// One message or one malformed message, judged as in a datagram; the stream goes on.
    AsDatagram,
    /// Two valid messages, then rubbish that ends the connection unanswered: the RFC's second Content-Length is short.
    TwoMessagesThenCloses,
    /// Nothing yet: the announced body has not arrived.
    Waits,
    /// The next message cannot be found: this code is answered, then the connection is closed.
    Closes(u16),
}

/// What the SIP endpoint sends in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A call is offered to the application (which may then refuse it: 404, 488).
    Routed,
    /// Exactly one final answer, with one of these codes (the first is preferred), and no call.
    Answers(&'static [u16]),
    /// Nothing is sent to anyone, and no call is made.
    Silent,
}

/// One message and its verdicts.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name in the RFC's archive.
    pub name: &'static str,
    /// RFC and section.
    pub rfc: &'static str,
    /// What it tests.
    pub tests: &'static str,
    /// The bytes.
    pub bytes: &'static [u8],
    /// Verdict as a datagram.
    pub wire: Wire,
    /// Verdict on a stream.
    pub stream: Stream,
    /// Verdict of the whole endpoint.
    pub endpoint: Endpoint,
}

/// The case with this name.
pub fn case(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

macro_rules! cases {
    ($($name:literal, $rfc:literal, $tests:literal, $wire:expr, $stream:expr, $endpoint:expr;)*) => {
        &[$(Case {
            name: $name,
            rfc: $rfc,
            tests: $tests,
            bytes: include_bytes!(concat!("../messages/", $name, ".dat")),
            wire: $wire,
            stream: $stream,
            endpoint: $endpoint,
        },)*]
    };
}

use Endpoint::{Answers, Routed, Silent};
use Stream::{AsDatagram, Closes, TwoMessagesThenCloses, Waits};
use Wire::{Accepted, Dropped, Refused};

/// Every message of both RFCs, in their order.
pub const CASES: &[Case] = cases! {
    "wsinv", "4475 §3.1.1.1", "folding, odd case, white space everywhere", Accepted, AsDatagram, Routed;
    "intmeth", "4475 §3.1.1.2", "every token character, NUL in a quoted string", Accepted, AsDatagram, Answers(&[405, 501]);
    "esc01", "4475 §3.1.1.3", "escapes that are not separators", Accepted, AsDatagram, Routed;
    "escnull", "4475 §3.1.1.4", "%00 in URIs", Accepted, AsDatagram, Answers(&[405]);
    "esc02", "4475 §3.1.1.5", "% in a method is no escape", Accepted, AsDatagram, Answers(&[501, 405]);
    "lwsdisp", "4475 §3.1.1.6", "no white space before <", Accepted, AsDatagram, Answers(&[200]);
    "longreq", "4475 §3.1.1.7", "very long values", Accepted, AsDatagram, Routed;
    "dblreq", "4475 §3.1.1.8", "a second request after the first", Accepted, TwoMessagesThenCloses, Answers(&[405]);
    "semiuri", "4475 §3.1.1.9", "semicolon in the user part", Accepted, AsDatagram, Answers(&[200]);
    "transports", "4475 §3.1.1.10", "unknown transports in Via", Accepted, AsDatagram, Answers(&[200]);
    "mpart01", "4475 §3.1.1.11", "binary multipart body", Accepted, AsDatagram, Answers(&[405, 501, 415]);
    "unreason", "4475 §3.1.1.12", "UTF-8 reason phrase", Accepted, AsDatagram, Silent;
    "noreason", "4475 §3.1.1.13", "empty reason phrase", Accepted, AsDatagram, Silent;
    "badinv01", "4475 §3.1.2.1", "stray separators in Via and Contact", Refused(400), AsDatagram, Answers(&[400]);
    "clerr", "4475 §3.1.2.2", "Content-Length larger than the body", Refused(400), Waits, Answers(&[400]);
    "ncl", "4475 §3.1.2.3", "negative Content-Length", Refused(400), Closes(400), Answers(&[400]);
    "scalar02", "4475 §3.1.2.4", "numbers out of range in a request", Refused(400), AsDatagram, Answers(&[400]);
    "scalarlg", "4475 §3.1.2.5", "numbers out of range in a response", Dropped, AsDatagram, Silent;
    "quotbal", "4475 §3.1.2.6", "quote not closed in To", Refused(400), AsDatagram, Answers(&[400]);
    "ltgtruri", "4475 §3.1.2.7", "<> around the Request-URI", Refused(400), AsDatagram, Answers(&[400]);
    "lwsruri", "4475 §3.1.2.8", "white space in the Request-URI", Refused(400), AsDatagram, Answers(&[400]);
    "lwsstart", "4475 §3.1.2.9", "double spaces in the request line", Refused(400), AsDatagram, Answers(&[400]);
    "trws", "4475 §3.1.2.10", "spaces after the SIP version", Refused(400), AsDatagram, Answers(&[400]);
    "escruri", "4475 §3.1.2.11", "headers in the Request-URI", Refused(400), AsDatagram, Answers(&[400]);
    "baddate", "4475 §3.1.2.12", "Date not in GMT", Accepted, AsDatagram, Routed;
    "regbadct", "4475 §3.1.2.13", "Contact with ? and without <>", Refused(400), AsDatagram, Answers(&[400, 405]);
    "badaspec", "4475 §3.1.2.14", "spaces inside <>", Refused(400), AsDatagram, Answers(&[400]);
    "baddn", "4475 §3.1.2.15", "comma in an unquoted display name", Refused(400), AsDatagram, Answers(&[400]);
    "badvers", "4475 §3.1.2.16", "SIP/7.0", Refused(505), AsDatagram, Answers(&[505]);
    "mismatch01", "4475 §3.1.2.17", "CSeq names another method", Refused(400), AsDatagram, Answers(&[400]);
    "mismatch02", "4475 §3.1.2.18", "unknown method and CSeq names another", Refused(501), AsDatagram, Answers(&[501, 400]);
    "bigcode", "4475 §3.1.2.19", "status code out of range", Dropped, AsDatagram, Silent;
    "badbranch", "4475 §3.2.1", "branch is the bare cookie", Refused(400), AsDatagram, Answers(&[400]);
    "insuf", "4475 §3.3.1", "no From, To, Call-ID", Refused(400), AsDatagram, Answers(&[400]);
    "unkscm", "4475 §3.3.2", "unknown Request-URI scheme", Refused(416), AsDatagram, Answers(&[416]);
    "novelsc", "4475 §3.3.3", "soap.beep Request-URI", Refused(416), AsDatagram, Answers(&[416]);
    "unksm2", "4475 §3.3.4", "unknown schemes in headers", Accepted, AsDatagram, Answers(&[405]);
    "bext01", "4475 §3.3.5", "unknown option tags required", Accepted, AsDatagram, Answers(&[420]);
    "invut", "4475 §3.3.6", "unknown Content-Type", Accepted, AsDatagram, Answers(&[415]);
    "regaut01", "4475 §3.3.7", "unknown authorization scheme", Accepted, AsDatagram, Answers(&[405]);
    "multi01", "4475 §3.3.8", "single headers repeated", Refused(400), AsDatagram, Answers(&[400]);
    "mcl01", "4475 §3.3.9", "two Content-Lengths", Refused(400), Closes(400), Answers(&[400]);
    "bcast", "4475 §3.3.10", "second Via is a broadcast address", Dropped, AsDatagram, Silent;
    "zeromf", "4475 §3.3.11", "Max-Forwards is 0", Accepted, AsDatagram, Answers(&[200, 483]);
    "cparam01", "4475 §3.3.12", "unknown Contact header parameter", Accepted, AsDatagram, Answers(&[405]);
    "cparam02", "4475 §3.3.13", "unknown Contact URI parameter", Accepted, AsDatagram, Answers(&[405]);
    "regescrt", "4475 §3.3.14", "escaped header in a Contact URI", Accepted, AsDatagram, Answers(&[405]);
    "sdp01", "4475 §3.3.15", "Accept names only unknown types", Accepted, AsDatagram, Answers(&[406]);
    "inv2543", "4475 §3.4.1", "RFC 2543 client", Accepted, Closes(400), Routed;
    "ipv6-good", "5118 §4.1", "IPv6 reference", Accepted, AsDatagram, Answers(&[405]);
    "ipv6-bad", "5118 §4.2", "IPv6 address without brackets", Refused(400), AsDatagram, Answers(&[400]);
    "port-ambiguous", "5118 §4.3", "port inside the brackets is part of the address", Accepted, AsDatagram, Answers(&[405]);
    "port-unambiguous", "5118 §4.4", "port after the brackets", Accepted, AsDatagram, Answers(&[405]);
    "via-received-param-with-delim", "5118 §4.5", "received with brackets", Accepted, AsDatagram, Answers(&[481]);
    "via-received-param-no-delim", "5118 §4.5", "received without brackets", Accepted, AsDatagram, Answers(&[200]);
    "ipv6-in-sdp", "5118 §4.6", "IPv6 addresses in SDP", Accepted, AsDatagram, Routed;
    "mult-ip-in-header", "5118 §4.7", "IPv4 and IPv6 Vias mixed", Accepted, AsDatagram, Answers(&[481]);
    "mult-ip-in-sdp", "5118 §4.8", "IPv4 and IPv6 streams mixed", Accepted, AsDatagram, Routed;
    "ipv4-mapped-ipv6", "5118 §4.9", "IPv4-mapped addresses", Accepted, AsDatagram, Routed;
    "ipv6-bug-abnf-3-colons", "5118 §4.10", "three colons before an embedded IPv4 address", Accepted, AsDatagram, Answers(&[200]);
    "ipv6-correct-abnf-2-colons", "5118 §4.10", "two colons before an embedded IPv4 address", Accepted, AsDatagram, Answers(&[200]);
};
