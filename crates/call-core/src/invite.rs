//! What an INVITE of ours toward a bot or a desk is made of: who calls, which call it belongs to, and for a handoff the
//! metadata that the desk's profile wants. The switchboard sends it; so does `warmline verify`, to prove that it arrives.

use crate::config::Desk;
use crate::leg::HandoffFacts;
use crate::metadata::{Content, JSON_TYPE, Metadata, UDP_LIMIT};
use call_model::LocalMedia;
use core::net::IpAddr;
use sip_proto::{Address, BodyPart, Flow, InviteRequest};
use sip_wire::{Host, Uri, text};

/// The user part of a caller who is not, or does not want to be, known (RFC 3323 §4.1).
pub(crate) const ANONYMOUS: &str = "anonymous";

/// An INVITE of ours, before anything is said about a handoff.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// How it travels.
    pub flow: Flow,
    /// It may be longer than a datagram should be.
    pub may_grow: bool,
    /// The Request-URI.
    pub target: Uri,
    /// The user part of the caller's address.
    pub caller_user: &'a str,
    /// The user part of the address of a caller who withholds it, for somebody who is trusted with it.
    pub withheld: Option<&'a str>,
    /// The caller's display name.
    pub caller_name: Option<String>,
    /// The call's `Session-ID` (RFC 7989): 32 hexadecimal digits.
    pub session_id: &'a str,
    /// The `Call-ID` of the caller's own dialog.
    pub first_call_id: &'a str,
    /// `Call-ID`, when it is known already.
    pub call_id: Option<String>,
    /// `Max-Forwards`.
    pub max_forwards: u8,
    /// The value of `Replaces` (RFC 3891), for a call that takes the place of another.
    pub replaces: Option<String>,
    /// Our audio.
    pub local: LocalMedia,
}

/// An INVITE that asks a desk to take a caller.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsultInvite {
    /// What to send.
    pub request: InviteRequest,
    /// Names of the headers about the handoff, as they stand in the request.
    pub headers: Vec<String>,
    /// What was left out, and why, in sentences for the trace.
    pub notes: Vec<String>,
}

impl Outgoing<'_> {
    /// Without metadata. `user_phone`: telephone numbers say that they are (RFC 3261 §19.1.1).
    pub(crate) fn request(self, user_phone: bool) -> Option<InviteRequest> {
        let host = Host::parse(&host_text(self.flow.local.ip())).ok()?;
        let (from, mut headers) = identity_headers(self.caller_user, self.withheld, &host, user_phone);
        let target = if user_phone { as_phone(self.target) } else { self.target };
        headers.extend([
            ("Session-ID".to_owned(), format!("{};remote={}", self.session_id, "0".repeat(32))),
            ("X-Call-ID".to_owned(), self.first_call_id.to_owned()),
        ]);
        if let Some(replaces) = self.replaces {
            headers.push(("Replaces".to_owned(), replaces));
            headers.push(("Require".to_owned(), "replaces".to_owned()));
        }
        Some(InviteRequest {
            flow: self.flow,
            request_uri: target.clone(),
            to: Address::new(target),
            from: Address { display: self.caller_name, uri: from },
            call_id: self.call_id,
            max_forwards: self.max_forwards,
            headers,
            extra_part: None,
            local: self.local,
            second: None,
            late_offer: false,
        })
    }
}

/// The consult INVITE for a desk, as its profile wants it. `package_url`: where packages are fetched, the handoff id is
/// appended. `plain`: the rich form was refused. None: our own address cannot be written in a URI.
pub fn consult_invite(
    outgoing: Outgoing<'_>,
    desk: &Desk,
    facts: &HandoffFacts,
    package_url: Option<&str>,
    plain: bool,
    user_agent: &str,
) -> Option<ConsultInvite> {
    let (flow, may_grow) = (outgoing.flow, outgoing.may_grow);
    let mut request = outgoing.request(desk.profile.user_phone)?;
    let host = host_text(flow.local.ip());
    let content = Content { facts, url_base: package_url, multipart: desk.multipart, plain, host: &host };
    let mut metadata = Metadata::new(&desk.profile, content);
    let mut notes = Vec::new();
    if !metadata.left_out.is_empty() {
        let name = &desk.profile.name;
        notes.push(format!("consult INVITE: profile {name} has no room for {}", metadata.left_out.join(", ")));
    }
    if !may_grow {
        let room = UDP_LIMIT.saturating_sub(bare_size(&request, user_agent));
        let dropped = metadata.fit(room);
        if !dropped.is_empty() {
            notes.push(format!("consult INVITE trimmed to {UDP_LIMIT} octets: without {}", dropped.join(", ")));
        }
    }
    let headers = metadata.headers.iter().map(|(name, _)| name.clone()).collect();
    request.headers.extend(metadata.headers);
    request.extra_part = metadata.part.map(|(content_id, bytes)| BodyPart {
        content_type: JSON_TYPE.to_owned(),
        content_id: Some(content_id),
        disposition: "by-reference;handling=optional",
        bytes,
    });
    Some(ConsultInvite { request, headers, notes })
}

/// Octets of the INVITE without metadata: exact but for the digits of the SDP's session id, counted at their most.
pub(crate) fn bare_size(request: &InviteRequest, user_agent: &str) -> usize {
    /// Everything the endpoint writes that does not depend on the call: header names, branch, tag, Allow, Supported, session timer,
    /// and the SDP with two codecs. A test keeps it honest.
    const FIXED: usize = 598;
    let uris = 2 * request.request_uri.as_str().len() + request.from.uri.as_str().len();
    let addresses = 2 * request.flow.local.to_string().len() + 2 * request.local.rtp.ip().to_string().len();
    let display = request.from.display.as_ref().map_or(0, |name| text::quote(name).len() + 1);
    let call_id = request.call_id.as_ref().map_or(64, String::len);
    let listed: usize = request.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    FIXED + uris + addresses + display + call_id + listed + user_agent.len()
}

pub(crate) fn host_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// `From`, and the headers that say how far it is to be believed: asserted (RFC 3325), or withheld (RFC 3323 §4.1), from
/// all but those who are trusted.
pub(crate) fn identity_headers(
    user: &str,
    withheld: Option<&str>,
    host: &Host,
    user_phone: bool,
) -> (Uri, Vec<(String, String)>) {
    let address = |user: &str| {
        let uri = Uri::parse(&format!("sip:{user}@{host}")).unwrap_or_else(|_| Uri::sip("", host, None));
        if user_phone { as_phone(uri) } else { uri }
    };
    let assertion = |uri: &Uri| ("P-Asserted-Identity".to_owned(), format!("<{uri}>"));
    if user == ANONYMOUS {
        let nobody = Host::parse("anonymous.invalid").unwrap_or_else(|_| host.clone());
        let asserted = withheld.map(|user| assertion(&address(user)));
        let privacy = ("Privacy".to_owned(), "id".to_owned());
        return (Uri::sip(user, &nobody, None), asserted.into_iter().chain([privacy]).collect());
    }
    let from = address(user);
    let asserted = assertion(&from);
    (from, vec![asserted])
}

/// The URI with `user=phone` when its user part is a telephone number.
fn as_phone(uri: Uri) -> Uri {
    let number = uri.user_text().unwrap_or_default();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let is_number = digits.len() >= 3 && digits.bytes().all(|octet| octet.is_ascii_digit());
    if is_number && uri.is_sip() { uri.with_param("user", Some("phone")) } else { uri }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_telephone_numbers_say_that_they_are() {
        let of = |uri| as_phone(Uri::parse(uri).expect("a URI")).to_string();
        assert_eq!(of("sip:+442079460000@h:5060;transport=tcp"), "sip:+442079460000@h:5060;transport=tcp;user=phone");
        assert_eq!(of("sip:123@h;user=phone"), "sip:123@h;user=phone");
        assert_eq!(of("sip:queue-care@h"), "sip:queue-care@h");
        assert_eq!(of("sip:h"), "sip:h");
    }
}
