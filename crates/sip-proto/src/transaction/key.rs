//! By what a message finds its transaction (RFC 3261 §17.1.3, §17.2.3).

use sip_wire::{Message, Method, Via};

/// A response belongs to the client transaction with its branch and CSeq method.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ClientKey {
    pub(crate) branch: String,
    pub(crate) method: Method,
}

/// A request belongs to the server transaction with its branch, sent-by and method; ACK counts as INVITE.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ServerKey {
    branch: String,
    sent_by: String,
    method: Method,
}

impl ServerKey {
    /// The key of a request, with what RFC 2543 offers where there is no branch to go by.
    pub(crate) fn of(request: &Message, via: &Via) -> Option<Self> {
        let method = match request.method()? {
            Method::Ack => Method::Invite,
            method => method.clone(),
        };
        let sent_by = format!("{}:{}", via.host, via.port.unwrap_or(5060)).to_ascii_lowercase();
        let branch = match via.branch() {
            Some(branch) if is_rfc_3261(branch) => branch.to_ascii_lowercase(),
            _ => Self::rfc_2543(request)?,
        };
        Some(Self { branch, sent_by, method })
    }

    /// The INVITE that a CANCEL with this key means.
    pub(crate) fn of_invite(&self) -> Self {
        Self { method: Method::Invite, ..self.clone() }
    }

    fn rfc_2543(request: &Message) -> Option<String> {
        let uri = request.request_uri()?;
        let from = request.from().ok()?;
        let number = request.cseq().ok()?.number;
        Some(format!("2543 {} {} {} {number}", uri.as_str(), request.call_id(), from.tag().unwrap_or_default()))
    }
}

/// The same request that came by two ways (RFC 3261 §8.2.2.2): same From tag, Call-ID and CSeq, another branch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct MergeKey {
    call_id: String,
    from_tag: String,
    number: u32,
    method: Method,
}

impl MergeKey {
    pub(crate) fn of(request: &Message) -> Option<Self> {
        let cseq = request.cseq().ok()?;
        let from_tag = request.from().ok()?.tag()?.to_owned();
        Some(Self { call_id: request.call_id().to_owned(), from_tag, number: cseq.number, method: cseq.method })
    }
}

/// The magic cookie (RFC 3261 §8.1.1.7) with something after it.
fn is_rfc_3261(branch: &str) -> bool {
    branch.len() > 7 && branch.is_char_boundary(7) && branch[..7].eq_ignore_ascii_case("z9hG4bK")
}
