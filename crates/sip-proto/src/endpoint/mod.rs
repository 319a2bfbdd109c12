//! The endpoint: all transactions and dialogs of one gateway.

use crate::config::EndpointConfig;
use crate::event::{AcceptError, DialogId, InviteRequest, Output, PingId, RequestId};
use crate::flow::Flow;
use crate::timer::TimerName;
use call_model::{IdSource, Instant, LocalMedia, RemoteMedia};
use sip_wire::{Malformed, Message, Method, Replaces, Uri};

/// All transactions and dialogs of one gateway, as one pure value.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    ids: IdSource,
}

#[allow(unused_variables)]
impl Endpoint {
    /// An endpoint without dialogs.
    pub fn new(config: EndpointConfig, ids: IdSource) -> Self {
        Self { config, ids }
    }
    /// Takes a message that was parsed.
    pub fn handle_message(&mut self, flow: Flow, message: Message, now: Instant) {}
    /// Takes one that could not be: sends its ready answer, if it has one.
    pub fn handle_malformed(&mut self, flow: Flow, malformed: Malformed, now: Instant) {}
    /// Takes the news that a flow is gone (connection lost, ICMP): its client transactions fail with 503.
    pub fn handle_flow_failed(&mut self, flow: Flow, now: Instant) {}
    /// Lets every deadline up to `now` act.
    pub fn handle_timeout(&mut self, now: Instant) {}
    /// The next deadline, and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        None
    }
    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }
    /// No new calls from now on: INVITE and OPTIONS outside dialogs get 503 with `Retry-After`.
    pub fn drain(&mut self) {}

    /// Sends INVITE. Ends in `Answered` or `Failed`.
    pub fn invite(&mut self, request: InviteRequest, now: Instant) -> DialogId {
        DialogId(0)
    }
    /// Gives an unanswered INVITE of ours up: CANCEL as soon as it is allowed (RFC 3261 §9.1). `Failed` (487 as a
    /// rule) or `Late` follows. `reason` is the value of a `Reason` header.
    pub fn cancel(&mut self, dialog: DialogId, reason: Option<&str>, now: Instant) {}

    /// Sends a provisional response (180, 183, 182) to an INVITE.
    pub fn ring(&mut self, dialog: DialogId, code: u16, now: Instant) {}
    /// Answers an INVITE with 200, sent again until acknowledged. Gives what was agreed, or none when the offer is ours
    /// (late offer): then `Confirmed` carries it.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing was sent.
    pub fn accept(
        &mut self, dialog: DialogId, local: LocalMedia, headers: &[(String, String)], now: Instant,
    ) -> Result<Option<RemoteMedia>, AcceptError> {
        Err(AcceptError::NotWaiting)
    }
    /// Answers an INVITE with a final 3xx-6xx. An empty `reason` means the usual phrase. Nothing is reported back.
    pub fn reject(&mut self, dialog: DialogId, code: u16, reason: &str, headers: &[(String, String)], now: Instant) {}

    /// Hangs up, in whatever state: BYE when established (after the ACK, if that is still due), CANCEL when ringing,
    /// 480 when not answered. `reason` is the value of a `Reason` header. `Ended` (or `Failed`) follows.
    pub fn bye(&mut self, dialog: DialogId, reason: Option<&str>, now: Instant) {}
    /// Offers `local` anew (hold, resume, moved media). `MediaChanged` or `ChangeRefused` follows; 491 is retried
    /// inside (RFC 3261 §14.1).
    pub fn reinvite(&mut self, dialog: DialogId, local: LocalMedia, now: Instant) {}
    /// Sends REFER. `refer_to` goes byte-exact inside the angle brackets; so does `referred_by`.
    pub fn refer(&mut self, dialog: DialogId, refer_to: &str, referred_by: &str, now: Instant) {}
    /// Sends another request inside the dialog (INFO, OPTIONS). `RequestDone` follows. `body` is content type and octets.
    pub fn request(
        &mut self, dialog: DialogId, method: Method, headers: &[(String, String)], body: Option<(&str, &[u8])>,
        now: Instant,
    ) {
    }
    /// Answers a request that an event handed out. An empty `reason` means the usual phrase.
    pub fn respond(
        &mut self, request: RequestId, code: u16, reason: &str, headers: &[(String, String)],
        body: Option<(&str, &[u8])>, now: Instant,
    ) {
    }
    /// Asks a peer for signs of life; `Pong` follows.
    pub fn options(&mut self, flow: Flow, uri: Uri, now: Instant) -> PingId {
        PingId(0)
    }

    /// How a third party must name this dialog to its remote party in `Replaces` (RFC 3891 §3): `to-tag` is the
    /// remote's tag. None unless the dialog is established.
    pub fn replaces_value(&self, dialog: DialogId) -> Option<Replaces> {
        None
    }
    /// Which established dialog of ours a received `Replaces` names.
    pub fn match_replaces(&self, replaces: &Replaces) -> Option<DialogId> {
        None
    }
    /// Where requests to the peer go: its latest `Contact`.
    pub fn remote_target(&self, dialog: DialogId) -> Option<Uri> {
        None
    }
    /// `Call-ID` of the dialog; empty for an unknown one.
    pub fn sip_call_id(&self, dialog: DialogId) -> &str {
        ""
    }
    /// Whether the peer listed an option tag in `Supported` (its INVITE or latest answer).
    pub fn remote_supports(&self, dialog: DialogId, tag: &str) -> bool {
        false
    }
    /// Whether the peer listed a method in `Allow`. False when it sent no `Allow`.
    pub fn remote_allows(&self, dialog: DialogId, method: &Method) -> bool {
        false
    }
    /// Dialogs held, lingering ones included.
    pub fn dialog_count(&self) -> usize {
        0
    }
    /// Transactions held.
    pub fn transaction_count(&self) -> usize {
        0
    }
}
