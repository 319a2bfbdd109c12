//! What is said before an answer: our provisional responses, acknowledged where the peer wants it (RFC 3262), and the
//! branches of a fork from which the peer's come.

use crate::flow::Flow;
use crate::offer_answer::Session;
use core::time::Duration;
use sip_wire::{CSeq, Message, Method, NameAddr, RAck, Uri};

/// What we have said of a call that waits for our answer.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// All of it has to be acknowledged.
    pub(crate) reliable: bool,
    /// The number of the latest; 0: none.
    pub(crate) rseq: u32,
    /// What has not been acknowledged. Nothing else is said meanwhile.
    pub(crate) unacknowledged: Option<Unacknowledged>,
    /// What is to be said next: status and SDP.
    pub(crate) next: Option<(u16, Option<Vec<u8>>)>,
    /// A 200 that has to wait, as SDP is still to be acknowledged.
    pub(crate) answer: Option<Answer>,
}

/// A reliable provisional response of ours.
#[derive(Debug)]
pub(crate) struct Unacknowledged {
    pub(crate) rack: RAck,
    pub(crate) flow: Flow,
    pub(crate) bytes: Vec<u8>,
    pub(crate) what: String,
    pub(crate) interval: Duration,
    /// It has SDP.
    pub(crate) described: bool,
}

/// A 200 that waits.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: Vec<(String, String)>,
    /// Whoever answers knows what was agreed.
    pub(crate) told: bool,
}

impl Progress {
    /// Our SDP has not been acknowledged: no 200 may be sent (RFC 3262 §3).
    pub(crate) fn holds_answer(&self) -> bool {
        self.unacknowledged.as_ref().is_some_and(|own| own.described)
            || self.next.as_ref().is_some_and(|(_, sdp)| sdp.is_some())
    }
}

/// One who rings, and may answer.
#[derive(Debug)]
pub(crate) struct Branch {
    /// By it a third party may name the dialog (RFC 3891).
    pub(crate) tag: String,
    pub(crate) remote: NameAddr,
    pub(crate) target: Uri,
    pub(crate) route_set: Vec<NameAddr>,
    pub(crate) remote_cseq: Option<u32>,
    /// The number of its latest reliable response.
    pub(crate) rseq: Option<u32>,
    /// What was said with it in SDP.
    pub(crate) session: Option<Session>,
}

impl Branch {
    /// The one that a provisional response came from; `target` is where it is if it does not say.
    pub(crate) fn of(response: &Message, target: &Uri) -> Option<Self> {
        let remote = response.to().ok()?;
        let tag = remote.tag().filter(|tag| !tag.is_empty())?.to_owned();
        let contact = response.contact().ok().flatten().map(|contact| contact.uri).filter(Uri::is_sip);
        let mut route_set = response.record_routes();
        route_set.reverse();
        let target = contact.unwrap_or_else(|| target.clone());
        Some(Self { tag, remote, target, route_set, remote_cseq: None, rseq: None, session: None })
    }

    /// Whether a reliable response with this number is the next one (RFC 3262 §4); the first may have any.
    pub(crate) fn takes(&mut self, rseq: u32) -> bool {
        let next = self.rseq.is_none_or(|latest| latest.checked_add(1) == Some(rseq));
        if next {
            self.rseq = Some(rseq);
        }
        next
    }
}

/// What a PRACK says of a response.
pub(crate) fn rack(rseq: u32, response: &Message) -> RAck {
    let number = response.cseq().map_or(0, |cseq| cseq.number);
    RAck { rseq, cseq: CSeq { number, method: Method::Invite } }
}
