//! The endpoint: all transactions and dialogs of one gateway.

mod auth;
mod notifier;
mod receive;
mod refer;
mod refreshing;
mod registering;
mod registrar;
mod reliable;
mod screen;
mod uac;
mod uas;
mod within;

use crate::config::{Account, EndpointConfig, Network};
use crate::dialog::{Dialog, State};
use crate::digest::{Asked, Challenges, Doorkeeper};
use crate::event::{DialogEvent, DialogId, EndedBecause, Output, PingId, SeenNote, SentNote, SubscriptionId};
use crate::flow::{Flow, Transport};
use crate::message;
use crate::pace::Pace;
use crate::registration::{Binding, Registration, RegistrationId};
use crate::timer::{TimerName, Timers};
use crate::transaction::{ClientResult, NewClient, Timing, Transactions, TxId};
use call_model::{IdSource, Instant, RemoteMedia};
use sip_wire::{COOKIE, Message, Method, NameAddr, Replaces, Uri};
use std::collections::{BTreeMap, VecDeque};

/// All transactions and dialogs of one gateway, as one pure value.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    ids: IdSource,
    timing: Timing,
    transactions: Transactions<Purpose>,
    pace: Pace,
    dialogs: BTreeMap<DialogId, Box<Dialog>>,
    index: BTreeMap<DialogKey, DialogId>,
    timers: Timers<DialogId>,
    subscriptions: BTreeMap<SubscriptionId, notifier::Subscription>,
    subscription_timers: Timers<SubscriptionId>,
    out: VecDeque<Output>,
    /// What was asked of us when we asked for signs of life.
    pings: BTreeMap<PingId, Challenges>,
    registrations: BTreeMap<RegistrationId, Registration>,
    registration_timers: Timers<RegistrationId>,
    /// Where telephones can be reached that registered here, by user, the oldest first.
    bindings: BTreeMap<String, Vec<Binding>>,
    /// No registration of theirs runs out before.
    unbinding: Option<Instant>,
    /// When there is anybody to be asked.
    door: Option<Doorkeeper>,
    next_dialog: u64,
    next_ping: u64,
    next_subscription: u64,
    next_registration: u64,
    draining: bool,
}

/// Octets of the largest request that is sent as a datagram by choice (RFC 3261 §18.1.1).
pub const MAX_DATAGRAM: usize = 1300;

/// What a client transaction is for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Purpose {
    /// The INVITE that makes the dialog.
    Invite(DialogId),
    /// An INVITE within it.
    Reinvite(DialogId),
    Bye(DialogId),
    /// An UPDATE that keeps the session alive.
    Refresh(DialogId),
    /// A REFER, by its CSeq number.
    Refer(DialogId, u32),
    /// A NOTIFY about the peer's REFER.
    Notify(DialogId, SubscriptionId),
    /// Whatever the user asked for.
    Request(DialogId, Method),
    Ping(PingId),
    Register(RegistrationId),
    /// The outcome changes nothing.
    Courtesy(DialogId),
}

impl Purpose {
    const fn dialog(&self) -> Option<DialogId> {
        match self {
            Self::Invite(id)
            | Self::Reinvite(id)
            | Self::Bye(id)
            | Self::Refresh(id)
            | Self::Refer(id, _)
            | Self::Notify(id, _)
            | Self::Request(id, _)
            | Self::Courtesy(id) => Some(*id),
            Self::Ping(_) | Self::Register(_) => None,
        }
    }
}

/// By what a message finds its dialog (RFC 3261 §12). The remote tag is empty while it is not known.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct DialogKey {
    call_id: String,
    local_tag: String,
    remote_tag: String,
}

impl Endpoint {
    /// An endpoint without dialogs.
    pub fn new(config: EndpointConfig, mut ids: IdSource) -> Self {
        let timing = Timing::new(&config);
        let asks = !config.guards.is_empty() || !config.registrar.seats.is_empty();
        let door = asks.then(|| Doorkeeper::new(&mut ids, config.nonce_lifetime));
        let pace = Pace::new(config.new_requests_per_s);
        Self {
            config,
            ids,
            timing,
            transactions: Transactions::new(timing),
            pace,
            dialogs: BTreeMap::new(),
            index: BTreeMap::new(),
            timers: Timers::new(),
            subscriptions: BTreeMap::new(),
            subscription_timers: Timers::new(),
            out: VecDeque::new(),
            pings: BTreeMap::new(),
            registrations: BTreeMap::new(),
            registration_timers: Timers::new(),
            bindings: BTreeMap::new(),
            unbinding: None,
            door,
            next_dialog: 1,
            next_ping: 1,
            next_subscription: 0,
            next_registration: 1,
            draining: false,
        }
    }

    /// Takes the news that a flow is gone (connection lost, ICMP): its client transactions fail with 503. Dialogs on a
    /// lost connection go on over a new one to the peer's `Contact` or first route.
    pub fn handle_flow_failed(&mut self, flow: Flow, now: Instant) {
        let redials = flow.transport.is_reliable() && flow.transport.is_dialable();
        for dialog in self.dialogs.values_mut().filter(|dialog| redials && dialog.flow == flow) {
            let hop = dialog.route_set.first().map_or(&dialog.remote_target, |route| &route.uri);
            dialog.flow.remote.set_port(hop.port().unwrap_or(flow.transport.default_port()));
        }
        self.on_registered_flow_failed(flow, now);
        self.unbind_flow(flow);
        for purpose in self.transactions.fail_flow(flow, now, &mut self.out) {
            self.on_no_response(purpose, 503, now);
        }
    }

    /// Lets every deadline up to `now` act.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(result) = self.transactions.handle_due(now, &mut self.out) {
            match result {
                Some((purpose, ClientResult::TimedOut)) => self.on_no_response(purpose, 408, now),
                Some((purpose, ClientResult::TransportFailed)) => self.on_no_response(purpose, 503, now),
                Some((_, ClientResult::Response)) | None => {}
            }
        }
        while let Some((dialog, name)) = self.timers.pop_due(now) {
            self.on_dialog_timer(dialog, name, now);
        }
        while let Some((subscription, _)) = self.subscription_timers.pop_due(now) {
            self.on_subscription_due(subscription, now);
        }
        while let Some((registration, _)) = self.registration_timers.pop_due(now) {
            self.on_registration_due(registration, now);
        }
        self.unbind_expired(now);
    }

    /// The next deadline, and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        let dialogs = self.timers.next().into_iter().chain(self.subscription_timers.next());
        let unbinding = self.unbinding.map(|at| (at, TimerName::BindingExpires));
        let registrations = self.registration_timers.next().into_iter().chain(unbinding);
        self.transactions.next_timeout().into_iter().chain(dialogs).chain(registrations).min()
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// No new calls from now on: INVITE and OPTIONS outside dialogs get 503 with `Retry-After`.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    /// Asks a peer for signs of life; `Pong` follows.
    pub fn options(&mut self, flow: Flow, uri: Uri, now: Instant) -> PingId {
        let ping = PingId(self.next_ping);
        self.next_ping += 1;
        let us = Uri::sip("ping", &flow.local.ip().into(), Some(flow.local.port()));
        let mut request = Message::request(Method::Options, uri.clone());
        let headers = &mut request.headers;
        headers.push("Max-Forwards", "70");
        headers.push("From", NameAddr::new(us).with_tag(&self.ids.hex(12)).to_string());
        headers.push("To", NameAddr::new(uri).to_string());
        headers.push("Call-ID", format!("{}@{}", self.ids.hex(20), flow.local.ip()));
        headers.push("CSeq", "1 OPTIONS");
        headers.push("Contact", message::contact(&self.config.contact_user, flow));
        headers.push("Accept", "application/sdp");
        headers.push("User-Agent", self.config.user_agent.as_str());
        self.send(flow, request, Purpose::Ping(ping), now);
        ping
    }

    /// How a third party must name this dialog to its remote party in `Replaces` (RFC 3891 §3): `to-tag` is the
    /// remote's tag. None unless the dialog is established, or rings here.
    pub fn replaces_value(&self, dialog: DialogId) -> Option<Replaces> {
        let dialog = self.dialogs.get(&dialog)?;
        let to_tag = match dialog.state {
            State::Calling { .. } => &dialog.branches.last()?.tag,
            State::Arriving { .. } => &dialog.remote_tag,
            _ => Some(&dialog.remote_tag).filter(|_| dialog.is_open())?,
        };
        Some(Replaces {
            call_id: dialog.call_id.clone(),
            to_tag: to_tag.clone(),
            from_tag: dialog.local_tag.clone(),
            early_only: false,
        })
    }

    /// Which established dialog of ours a received `Replaces` names.
    pub fn match_replaces(&self, replaces: &Replaces) -> Option<DialogId> {
        let id = self.find_replaced(replaces)?;
        self.dialogs.get(&id).filter(|dialog| dialog.is_open()).map(|dialog| dialog.id)
    }

    /// Which call to us that we have not answered yet a received `Replaces` names.
    pub fn match_unanswered(&self, replaces: &Replaces) -> Option<DialogId> {
        let id = self.find_replaced(replaces)?;
        self.dialogs.get(&id).filter(|dialog| matches!(dialog.state, State::Arriving { .. })).map(|dialog| dialog.id)
    }

    /// Where requests to the peer go: its latest `Contact`.
    pub fn remote_target(&self, dialog: DialogId) -> Option<Uri> {
        self.dialogs.get(&dialog).map(|dialog| dialog.remote_target.clone())
    }

    /// Whom we tell who we are is elsewhere now; it must be the same accounts in the same order.
    pub fn set_accounts(&mut self, accounts: Vec<Account>) {
        self.config.accounts = accounts;
    }

    /// Where the peers are is known better now ([`EndpointConfig::peers`]).
    pub fn set_peers(&mut self, peers: Vec<Vec<Network>>) {
        self.config.peers = peers;
    }

    /// What holds of the second stream of a recording session.
    pub fn second_media(&self, dialog: DialogId) -> Option<RemoteMedia> {
        self.dialogs.get(&dialog)?.session.as_ref()?.agreed_second()
    }

    /// Where its peer was heard last.
    pub fn remote_address(&self, dialog: DialogId) -> Option<core::net::SocketAddr> {
        self.dialogs.get(&dialog).map(|dialog| dialog.flow.remote)
    }

    /// Where we are in the dialog, as its peer knows it.
    pub fn local_address(&self, dialog: DialogId) -> Option<core::net::SocketAddr> {
        self.dialogs.get(&dialog).map(|dialog| dialog.flow.local)
    }

    /// Whether nobody on the way can read what the dialog says.
    pub fn is_secure(&self, dialog: DialogId) -> bool {
        self.dialogs.get(&dialog).is_some_and(|dialog| dialog.flow.transport.is_secure())
    }

    /// `Call-ID` of the dialog; empty for an unknown one.
    pub fn sip_call_id(&self, dialog: DialogId) -> &str {
        self.dialogs.get(&dialog).map_or("", |dialog| dialog.call_id.as_str())
    }

    /// Whether the peer listed an option tag in `Supported` (its INVITE or latest answer).
    pub fn remote_supports(&self, dialog: DialogId, tag: &str) -> bool {
        self.dialogs.get(&dialog).is_some_and(|d| d.peer.supported.iter().any(|known| known.eq_ignore_ascii_case(tag)))
    }

    /// Whether the peer listed a method in `Allow`. False when it sent no `Allow`.
    pub fn remote_allows(&self, dialog: DialogId, method: &Method) -> bool {
        self.dialogs.get(&dialog).is_some_and(|d| d.peer.allow.iter().any(|known| known == method.as_str()))
    }

    /// Dialogs held, lingering ones included.
    pub fn dialog_count(&self) -> usize {
        self.dialogs.len()
    }

    /// Transactions held.
    pub fn transaction_count(&self) -> usize {
        self.transactions.len()
    }

    // --- what the parts of this folder share

    fn emit(&mut self, event: DialogEvent) {
        self.out.push_back(Output::Event(event));
    }

    fn seen(&mut self, flow: Flow, message: &Message, dialog: Option<DialogId>, again: bool) {
        let (what, sip_call_id, cseq) =
            (message::describe(message), message.call_id().to_owned(), message::cseq_text(message));
        self.out.push_back(Output::Seen(SeenNote { flow, dialog, what, sip_call_id, cseq, again }));
    }

    fn dropped(&mut self, why: impl Into<String>) {
        self.out.push_back(Output::Dropped(why.into()));
    }

    /// Sends a request that is complete but for its `Via`.
    fn send(&mut self, flow: Flow, request: Message, purpose: Purpose, now: Instant) -> TxId {
        self.send_tried(flow, request, purpose, Vec::new(), now)
    }

    /// The same for one that was challenged already.
    fn send_tried(
        &mut self,
        flow: Flow,
        mut request: Message,
        purpose: Purpose,
        tried: Vec<Asked>,
        now: Instant,
    ) -> TxId {
        if let (Some(Method::Invite), Some(dialog)) =
            (request.method(), purpose.dialog().and_then(|id| self.dialogs.get_mut(&id)))
        {
            dialog.invite_credentials = auth::credentials_of(&request);
        }
        let branch = self.branch();
        request.headers.push_front("Via", message::via(flow, &branch).to_string());
        let invite = request.method() == Some(&Method::Invite);
        let stream = request.request_uri().and_then(|uri| self.stream_to(flow, uri, now));
        let stream = stream.filter(|_| invite && request.to_bytes().len() > MAX_DATAGRAM);
        if let Some(stream) = stream {
            request.headers.set("Via", message::via(stream, &branch).to_string());
        }
        let note = self.note(purpose.dialog(), &request);
        let (flow, fallback) = (stream.unwrap_or(flow), stream.map(|_| flow));
        let new = NewClient { flow, request, branch, purpose, note, tried, fallback };
        self.transactions.start_client(new, now, &mut self.out)
    }

    /// The way of an INVITE that is too big for a datagram; none when the peer wants datagrams, or did not answer over TCP
    /// a short while ago.
    fn stream_to(&self, flow: Flow, target: &Uri, now: Instant) -> Option<Flow> {
        let mut streams = self.config.tcp.iter().filter(|_| flow.transport == Transport::Udp);
        let (_, local) = *streams.find(|(datagrams, _)| *datagrams == flow.local)?;
        let wants = target.param("transport").is_none_or(|named| !named.eq_ignore_ascii_case("udp"));
        let there = wants && self.transactions.takes_tcp(flow.remote, now);
        there.then_some(Flow { transport: Transport::Tcp, local, ..flow })
    }

    /// Whether an INVITE on a flow may be longer than a datagram should be.
    pub fn may_grow(&self, flow: Flow, target: &Uri, now: Instant) -> bool {
        flow.transport.is_reliable() || self.stream_to(flow, target, now).is_some()
    }

    /// Sends a message outside transactions.
    fn transmit(&mut self, flow: Flow, message: &Message, dialog: Option<DialogId>) {
        let note = self.note(dialog, message);
        self.out.push_back(Output::Transmit { flow, bytes: message.to_bytes(), note });
    }

    fn note(&self, dialog: Option<DialogId>, message: &Message) -> SentNote {
        let (what, sip_call_id, cseq) =
            (message::describe(message), message.call_id().to_owned(), message::cseq_text(message));
        SentNote { dialog, what, sip_call_id, cseq, again: false }
    }

    fn branch(&mut self) -> String {
        format!("{COOKIE}{}", self.ids.hex(16))
    }

    /// Answers a request being served; gives the response as sent.
    fn reply(
        &mut self,
        tx: TxId,
        code: u16,
        reason: &str,
        now: Instant,
        complete: impl FnOnce(&mut Message),
    ) -> Option<Message> {
        let (request, to_tag, flow) = self.transactions.server_head(tx)?;
        let mut response = request.response_to(code, reason, (code > 100).then_some(to_tag));
        let target = matches!(request.method(), Some(Method::Invite | Method::Update | Method::Refer | Method::Notify));
        let dialog = self.transactions.server_dialog(tx).and_then(|id| self.dialogs.get(&id));
        if target && (101..300).contains(&code) {
            let user = &self.config.contact_user;
            let contact = dialog.map_or_else(|| message::contact(user, flow), |dialog| dialog.contact(user, flow));
            response.headers.push("Contact", contact);
        }
        response.headers.push("Server", self.config.user_agent.as_str());
        if let Some(dialog) = dialog {
            dialog.session_id.write(&mut response);
        }
        complete(&mut response);
        self.transactions.respond(tx, &response, now, &mut self.out);
        Some(response)
    }

    fn add_dialog(&mut self, dialog: Dialog) {
        self.index.insert(key_of(&dialog), dialog.id);
        self.dialogs.insert(dialog.id, Box::new(dialog));
    }

    fn fresh_dialog_id(&mut self) -> DialogId {
        let id = DialogId(self.next_dialog);
        self.next_dialog += 1;
        id
    }

    fn find_dialog(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<DialogId> {
        let key = DialogKey {
            call_id: call_id.to_owned(),
            local_tag: local_tag.to_owned(),
            remote_tag: remote_tag.to_owned(),
        };
        self.index.get(&key).copied()
    }

    /// The dialog is over: what is left is to answer what is still under way. Emits `event` unless it is a quiet one.
    fn finish(&mut self, id: DialogId, event: Option<DialogEvent>, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.state = State::Over;
        dialog.unacknowledged = None;
        let quiet = core::mem::replace(&mut dialog.quiet, true);
        self.timers.stop_all(id);
        self.timers.start(id, TimerName::ForgetDialog, now + self.timing.span());
        if let Some(event) = event.filter(|_| !quiet) {
            self.emit(event);
        }
    }

    /// Reports the end at once and hangs up behind it.
    fn end_now(&mut self, id: DialogId, because: EndedBecause, now: Instant) {
        let expired = "SIP;cause=408;text=\"Session expired\"";
        self.hang_up(id, because, (because == EndedBecause::Expired).then_some(expired), now);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if !core::mem::replace(&mut dialog.quiet, true) {
            self.emit(DialogEvent::Ended { dialog: id, by_remote: false, reason: None, because });
        }
    }

    fn forget(&mut self, id: DialogId) {
        if let Some(dialog) = self.dialogs.remove(&id) {
            let key = key_of(&dialog);
            if self.index.get(&key) == Some(&id) {
                self.index.remove(&key);
            }
            self.timers.stop_all(id);
        }
    }

    fn on_dialog_timer(&mut self, id: DialogId, name: TimerName, now: Instant) {
        match name {
            // A subscription may outlive the call (RFC 5057 §4); it has an end of its own.
            TimerName::ForgetDialog if self.is_subscribed(id) => {
                self.timers.start(id, TimerName::ForgetDialog, now + self.timing.span());
            }
            TimerName::ForgetDialog => self.forget(id),
            TimerName::HangUpAfterNotify => self.hang_up_at_last(id, now),
            TimerName::RetransmitOk => self.on_retransmit_ok(id, now),
            TimerName::HangUpUnacknowledged => self.on_never_acknowledged(id, now),
            TimerName::RetransmitProvisional => self.on_retransmit_provisional(id, now),
            TimerName::RefuseUnacknowledged => self.on_never_pracked(id, now),
            TimerName::TakeForCancelled => self.on_take_for_cancelled(id, now),
            TimerName::GlareBackOff => self.on_glare_over(id, now),
            TimerName::GiveUpChange => self.on_give_up_change(id, now),
            TimerName::RefreshSession => self.on_refresh_due(id, now),
            TimerName::SessionExpired => self.on_session_expired(id, now),
            TimerName::ReferAgain => self.on_refer_again(id, now),
            TimerName::AwaitFirstNotify => self.on_no_notify(id, now),
            TimerName::AwaitReferResult => self.on_no_refer_result(id, now),
            _ => {}
        }
    }
}

fn key_of(dialog: &Dialog) -> DialogKey {
    DialogKey {
        call_id: dialog.call_id.clone(),
        local_tag: dialog.local_tag.clone(),
        remote_tag: dialog.remote_tag.clone(),
    }
}
