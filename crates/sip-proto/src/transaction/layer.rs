//! All transactions: finds them by key, runs their machines, sends what they send.

use super::Action;
use super::key::{ClientKey, MergeKey, ServerKey};
use super::{ClientInput, ServerInput, Timing, TxId};
use super::{invite_client, invite_server, non_invite_client, non_invite_server};
use crate::digest::Asked;
use crate::event::{DialogId, Output, SentNote};
use crate::flow::Flow;
use crate::message;
use crate::timer::{TimerName, Timers};
use call_model::Instant;
use core::net::SocketAddr;
use core::time::Duration;
use sip_wire::{Message, Method};
use std::collections::{BTreeMap, VecDeque};

/// All transactions of an endpoint. `P` is what a client transaction is for; it comes back with its results.
#[derive(Debug)]
pub(crate) struct Transactions<P> {
    timing: Timing,
    next: u64,
    clients: BTreeMap<TxId, Client<P>>,
    servers: BTreeMap<TxId, Server>,
    client_keys: BTreeMap<ClientKey, TxId>,
    server_keys: BTreeMap<ServerKey, TxId>,
    merge_keys: BTreeMap<MergeKey, TxId>,
    timers: Timers<TxId>,
    /// Peers that did not answer over TCP, and until when that is taken for granted.
    no_tcp: BTreeMap<SocketAddr, Instant>,
}

/// A request to send.
pub(crate) struct NewClient<P> {
    pub(crate) flow: Flow,
    /// Complete, our `Via` included.
    pub(crate) request: Message,
    pub(crate) branch: String,
    pub(crate) purpose: P,
    pub(crate) note: SentNote,
    /// Challenges that this request answers, in this attempt or an earlier one.
    pub(crate) tried: Vec<Asked>,
    /// Where it goes as a datagram, should TCP not be there.
    pub(crate) fallback: Option<Flow>,
}

/// A request that came.
pub(crate) struct NewServer {
    pub(crate) key: ServerKey,
    /// Where responses go.
    pub(crate) reply_to: Flow,
    pub(crate) request: Message,
    /// The tag our responses carry in `To`.
    pub(crate) to_tag: String,
    pub(crate) dialog: Option<DialogId>,
}

/// What came of a client transaction.
#[derive(Debug)]
pub(crate) enum ClientResult {
    Response,
    TimedOut,
    TransportFailed,
}

#[derive(Debug)]
struct Client<P> {
    state: ClientState,
    flow: Flow,
    key: ClientKey,
    /// The request without its body, to make ACK and CANCEL from.
    head: Message,
    bytes: Vec<u8>,
    ack: Option<Vec<u8>>,
    purpose: P,
    note: SentNote,
    tried: Vec<Asked>,
    fallback: Option<Flow>,
    interval: Duration,
}

#[derive(Clone, Copy, Debug)]
enum ClientState {
    Invite(invite_client::State),
    Other(non_invite_client::State),
}

#[derive(Debug)]
struct Server {
    state: ServerState,
    key: ServerKey,
    merge_key: Option<MergeKey>,
    reply_to: Flow,
    request: Message,
    to_tag: String,
    dialog: Option<DialogId>,
    last: Option<(Vec<u8>, SentNote)>,
    interval: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ServerState {
    Invite(invite_server::State),
    Other(non_invite_server::State),
}

type Out = VecDeque<Output>;

/// A caller does not wait for a filtered port: TCP that has not brought so much as a 100 by then is taken for absent.
const FALL_BACK: Duration = Duration::from_millis(500);
/// For so long, and for so many peers.
const NO_TCP: Duration = Duration::from_secs(600);
const NO_TCP_MOST: usize = 1000;

impl<P: Clone> Transactions<P> {
    pub(crate) const fn new(timing: Timing) -> Self {
        Self {
            timing,
            next: 1,
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            client_keys: BTreeMap::new(),
            server_keys: BTreeMap::new(),
            merge_keys: BTreeMap::new(),
            timers: Timers::new(),
            no_tcp: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    pub(crate) fn next_timeout(&self) -> Option<(Instant, TimerName)> {
        self.timers.next()
    }

    // --- client side

    /// Sends a request and watches over it.
    pub(crate) fn start_client(&mut self, new: NewClient<P>, now: Instant, out: &mut Out) -> TxId {
        let id = self.fresh();
        let method = new.request.method().cloned().unwrap_or(Method::Options);
        let invite = method == Method::Invite;
        let bytes = new.request.to_bytes();
        let mut head = new.request;
        head.body = Vec::new();
        let key = ClientKey { branch: new.branch.to_ascii_lowercase(), method };
        self.client_keys.insert(key.clone(), id);
        let state = if invite {
            ClientState::Invite(invite_client::State::Calling)
        } else {
            ClientState::Other(non_invite_client::State::Trying)
        };
        let start = if invite { invite_client::START } else { non_invite_client::START };
        let client = Client {
            state,
            flow: new.flow,
            key,
            head,
            bytes,
            ack: None,
            purpose: new.purpose,
            note: new.note,
            tried: new.tried,
            fallback: new.fallback,
            interval: self.timing.t1,
        };
        if client.fallback.is_some() {
            self.timers.start(id, TimerName::FallBack, now + FALL_BACK);
        }
        self.clients.insert(id, client);
        self.run_client(id, start, None, now, out);
        id
    }

    /// The transaction a response belongs to, and whether it has seen a final response already.
    pub(crate) fn find_client(&self, response: &Message) -> Option<(TxId, P, bool)> {
        let branch = response.via().ok()?.branch()?.to_ascii_lowercase();
        let method = response.cseq().ok()?.method;
        let id = *self.client_keys.get(&ClientKey { branch, method })?;
        let client = self.clients.get(&id)?;
        let finished = matches!(
            client.state,
            ClientState::Invite(invite_client::State::Completed | invite_client::State::Accepted)
                | ClientState::Other(non_invite_client::State::Completed)
        );
        Some((id, client.purpose.clone(), finished))
    }

    /// Takes a response; says whether the user is to see it.
    pub(crate) fn handle_response(&mut self, id: TxId, response: &Message, now: Instant, out: &mut Out) -> bool {
        let input = match response.code().unwrap_or(0) {
            100..200 => ClientInput::Provisional,
            200..300 => ClientInput::Success,
            _ => ClientInput::Failure,
        };
        matches!(self.client_input(id, input, Some(response), now, out), Some(ClientResult::Response))
    }

    /// The request of a running client transaction, without its body.
    pub(crate) fn client_head(&self, id: TxId) -> Option<(&Message, Flow)> {
        self.clients.get(&id).map(|client| (&client.head, client.flow))
    }

    /// The whole request of a client transaction, where it went, and which challenges it answers.
    pub(crate) fn client_request(&self, id: TxId) -> Option<(Message, Flow, Vec<Asked>)> {
        let client = self.clients.get(&id)?;
        Some((Message::parse_datagram(&client.bytes).ok()?, client.flow, client.tried.clone()))
    }

    /// Forgets a client transaction whose user has given up.
    pub(crate) fn drop_client(&mut self, id: TxId) {
        if let Some(client) = self.clients.remove(&id) {
            self.client_keys.remove(&client.key);
            self.timers.stop_all(id);
        }
    }

    /// Fails every client transaction on a flow; gives what they were for. Of an address (UDP) the news is ICMP, which
    /// anybody may send: it counts only where the peer has not answered yet.
    pub(crate) fn fail_flow(&mut self, flow: Flow, now: Instant, out: &mut Out) -> Vec<P> {
        let at_stake = self.clients.iter().filter(|(_, c)| c.flow == flow && c.is_at_stake());
        let hit: Vec<_> = at_stake.map(|(id, c)| (*id, c.purpose.clone())).collect();
        let mut failed = Vec::new();
        for (id, purpose) in hit {
            if !self.fall_back(id, now, out)
                && self.client_input(id, ClientInput::TransportError, None, now, out).is_some()
            {
                failed.push(purpose);
            }
        }
        failed
    }

    /// Whether a request that is too big for a datagram is worth trying over TCP.
    pub(crate) fn takes_tcp(&self, remote: SocketAddr, now: Instant) -> bool {
        self.no_tcp.get(&remote).is_none_or(|until| *until <= now)
    }

    /// The same request as a datagram, under the same branch: should it arrive by both ways, it is one (RFC 3261 §17.2.3).
    fn fall_back(&mut self, id: TxId, now: Instant, out: &mut Out) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let (ClientState::Invite(invite_client::State::Calling), Some(flow)) = (client.state, client.fallback.take())
        else {
            return false;
        };
        let Ok(mut request) = Message::parse_datagram(&client.bytes) else { return false };
        let via = request.via().ok();
        let Some(branch) = via.as_ref().and_then(|via| via.branch()) else { return false };
        request.headers.set("Via", message::via(flow, branch).to_string());
        client.bytes = request.to_bytes();
        request.body = Vec::new();
        client.head = request;
        client.flow = flow;
        self.timers.stop_all(id);
        self.no_tcp.retain(|_, until| *until > now);
        if self.no_tcp.len() < NO_TCP_MOST {
            self.no_tcp.insert(flow.remote, now + NO_TCP);
        }
        self.run_client(id, invite_client::START, None, now, out);
        true
    }

    // --- server side

    pub(crate) fn find_server(&self, key: &ServerKey) -> Option<TxId> {
        self.server_keys.get(key).copied()
    }

    /// Whether the same request is being served under another branch.
    pub(crate) fn is_merged(&self, request: &Message) -> bool {
        MergeKey::of(request).is_some_and(|key| self.merge_keys.contains_key(&key))
    }

    pub(crate) fn start_server(&mut self, new: NewServer, now: Instant, out: &mut Out) -> TxId {
        let id = self.fresh();
        let invite = new.request.method() == Some(&Method::Invite);
        let state = if invite {
            ServerState::Invite(invite_server::State::Proceeding)
        } else {
            ServerState::Other(non_invite_server::State::Trying)
        };
        let merge_key = MergeKey::of(&new.request).filter(|key| !self.merge_keys.contains_key(key));
        if let Some(key) = &merge_key {
            self.merge_keys.insert(key.clone(), id);
        }
        self.server_keys.insert(new.key.clone(), id);
        let mut request = new.request;
        request.body = Vec::new();
        let server = Server {
            state,
            key: new.key,
            merge_key,
            reply_to: new.reply_to,
            request,
            to_tag: new.to_tag,
            dialog: new.dialog,
            last: None,
            interval: self.timing.t1,
        };
        self.servers.insert(id, server);
        if !invite {
            self.run_server(id, non_invite_server::START, now, out);
        }
        id
    }

    pub(crate) fn server_dialog(&self, id: TxId) -> Option<DialogId> {
        self.servers.get(&id)?.dialog
    }

    pub(crate) fn set_server_dialog(&mut self, id: TxId, dialog: DialogId) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.dialog = Some(dialog);
        }
    }

    /// Whether a final response may still be sent.
    pub(crate) fn awaits_answer(&self, id: TxId) -> bool {
        self.servers.get(&id).is_some_and(|server| {
            matches!(
                server.state,
                ServerState::Invite(invite_server::State::Proceeding)
                    | ServerState::Other(non_invite_server::State::Trying | non_invite_server::State::Proceeding)
            )
        })
    }

    /// Whether an ACK under this key belongs to the transaction, not to the dialog that a 2xx made.
    pub(crate) fn takes_ack(&self, id: TxId) -> bool {
        let refused = [invite_server::State::Completed, invite_server::State::Confirmed].map(ServerState::Invite);
        self.servers.get(&id).is_some_and(|server| refused.contains(&server.state))
    }

    /// A request being served, without its body, our `To` tag and where responses go.
    pub(crate) fn server_head(&self, id: TxId) -> Option<(&Message, &str, Flow)> {
        self.servers.get(&id).map(|server| (&server.request, server.to_tag.as_str(), server.reply_to))
    }

    /// The request came again.
    pub(crate) fn handle_again(&mut self, id: TxId, now: Instant, out: &mut Out) {
        self.server_input(id, ServerInput::Request, now, out);
    }

    /// The ACK of a 3xx-6xx came.
    pub(crate) fn handle_ack(&mut self, id: TxId, now: Instant, out: &mut Out) {
        self.server_input(id, ServerInput::Ack, now, out);
    }

    /// Sends a response, made with [`message::response_to`] and completed.
    pub(crate) fn respond(&mut self, id: TxId, response: &Message, now: Instant, out: &mut Out) {
        if !self.awaits_answer(id) {
            return;
        }
        let code = response.code().unwrap_or(500);
        let Some(server) = self.servers.get_mut(&id) else { return };
        let note = SentNote {
            dialog: server.dialog,
            what: message::describe(response),
            sip_call_id: server.request.call_id().to_owned(),
            cseq: message::cseq_text(response),
            again: false,
        };
        server.last = Some((response.to_bytes(), note));
        let input = match code {
            100..200 => ServerInput::Provisional,
            200..300 => ServerInput::Success,
            _ => ServerInput::Failure,
        };
        self.server_input(id, input, now, out);
    }

    // --- time

    /// The next deadline that has come: acts on it. Outer none: none has. Inner: what a client transaction came to.
    #[allow(clippy::option_option, reason = "nothing due, and due without consequence for the user, are two things")]
    pub(crate) fn handle_due(&mut self, now: Instant, out: &mut Out) -> Option<Option<(P, ClientResult)>> {
        let (id, name) = self.timers.pop_due(now)?;
        if self.servers.contains_key(&id) {
            self.server_input(id, ServerInput::Timer(name), now, out);
            return Some(None);
        }
        if name == TimerName::FallBack {
            self.fall_back(id, now, out);
            return Some(None);
        }
        let purpose = self.clients.get(&id).map(|client| client.purpose.clone());
        let result = self.client_input(id, ClientInput::Timer(name), None, now, out);
        Some(purpose.zip(result))
    }

    // --- running the machines

    fn client_input(
        &mut self,
        id: TxId,
        input: ClientInput,
        response: Option<&Message>,
        now: Instant,
        out: &mut Out,
    ) -> Option<ClientResult> {
        let client = self.clients.get_mut(&id)?;
        let (next, actions) = match client.state {
            ClientState::Invite(state) => {
                let (next, actions) = invite_client::step(state, input);
                (next.map(ClientState::Invite), actions)
            }
            ClientState::Other(state) => {
                let (next, actions) = non_invite_client::step(state, input);
                if next == Some(non_invite_client::State::Proceeding) {
                    client.interval = self.timing.t2;
                }
                (next.map(ClientState::Other), actions)
            }
        };
        if let Some(next) = next {
            client.state = next;
        }
        let result = self.run_client(id, actions, response, now, out);
        if next.is_none() {
            self.drop_client(id);
        }
        result
    }

    fn run_client(
        &mut self,
        id: TxId,
        actions: &[Action],
        response: Option<&Message>,
        now: Instant,
        out: &mut Out,
    ) -> Option<ClientResult> {
        let timing = self.timing;
        let client = self.clients.get_mut(&id)?;
        let reliable = client.flow.transport.is_reliable();
        let mut result = None;
        for action in actions {
            match *action {
                Action::Send => transmit(out, client.flow, &client.bytes, &client.note, false),
                Action::SendAgain => transmit(out, client.flow, &client.bytes, &client.note, true),
                Action::Acknowledge => client.acknowledge(response, out),
                Action::Report => result = Some(ClientResult::Response),
                Action::TimedOut => result = Some(ClientResult::TimedOut),
                Action::TransportFailed => result = Some(ClientResult::TransportFailed),
                Action::Stop(name) => self.timers.stop(id, name),
                Action::Start(name) => {
                    if let Some(wait) = client.wait(name, reliable, timing) {
                        self.timers.start(id, name, now + wait);
                    }
                }
            }
        }
        result
    }

    fn server_input(&mut self, id: TxId, input: ServerInput, now: Instant, out: &mut Out) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let (next, actions) = match server.state {
            ServerState::Invite(state) => {
                let (next, actions) = invite_server::step(state, input);
                (next.map(ServerState::Invite), actions)
            }
            ServerState::Other(state) => {
                let (next, actions) = non_invite_server::step(state, input);
                (next.map(ServerState::Other), actions)
            }
        };
        let Some(next) = next else {
            self.drop_server(id);
            return;
        };
        server.state = next;
        self.run_server(id, actions, now, out);
    }

    fn run_server(&mut self, id: TxId, actions: &[Action], now: Instant, out: &mut Out) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let reliable = server.reply_to.transport.is_reliable();
        for action in actions {
            match *action {
                Action::Send | Action::SendAgain => {
                    if let Some((bytes, note)) = &server.last {
                        transmit(out, server.reply_to, bytes, note, *action == Action::SendAgain);
                    }
                }
                Action::Stop(name) => self.timers.stop(id, name),
                Action::Start(TimerName::RetransmitResponse) => {
                    if !reliable {
                        self.timers.start(id, TimerName::RetransmitResponse, now + server.interval);
                        server.interval = (server.interval * 2).min(self.timing.t2);
                    }
                }
                Action::Start(name) => {
                    if let Some(wait) = self.timing.once(name, reliable) {
                        self.timers.start(id, name, now + wait);
                    }
                }
                Action::Acknowledge | Action::Report | Action::TimedOut | Action::TransportFailed => {}
            }
        }
    }

    fn drop_server(&mut self, id: TxId) {
        if let Some(server) = self.servers.remove(&id) {
            self.server_keys.remove(&server.key);
            if let Some(key) = server.merge_key {
                self.merge_keys.remove(&key);
            }
            self.timers.stop_all(id);
        }
    }

    fn fresh(&mut self) -> TxId {
        let id = TxId(self.next);
        self.next += 1;
        id
    }
}

impl<P> Client<P> {
    /// Whether a failure of its flow concerns it.
    const fn is_at_stake(&self) -> bool {
        let unheard = matches!(
            self.state,
            ClientState::Invite(invite_client::State::Calling) | ClientState::Other(non_invite_client::State::Trying)
        );
        unheard || self.flow.transport.is_reliable()
    }

    /// The length of a deadline; retransmission intervals double (A), up to T2 where it is not INVITE (E).
    fn wait(&mut self, name: TimerName, reliable: bool, timing: Timing) -> Option<Duration> {
        let invite = matches!(self.state, ClientState::Invite(_));
        match name {
            TimerName::RetransmitRequest if reliable => None,
            TimerName::RetransmitRequest => {
                let wait = self.interval;
                self.interval = if invite { wait * 2 } else { (wait * 2).min(timing.t2) };
                Some(wait)
            }
            TimerName::AbsorbResponses if reliable => Some(Duration::ZERO),
            TimerName::AbsorbResponses if !invite => Some(timing.t4),
            _ => timing.once(name, reliable),
        }
    }

    /// ACK of a 3xx-6xx (RFC 3261 §17.1.1.3): the request's branch, the response's `To`.
    fn acknowledge(&mut self, response: Option<&Message>, out: &mut Out) {
        let again = self.ack.is_some();
        if let (None, Some(response)) = (&self.ack, response) {
            self.ack = Some(message::ack_of_refusal(&self.head, response).to_bytes());
        }
        if let Some(ack) = &self.ack {
            let cseq = self.note.cseq.replace("INVITE", "ACK");
            let note = SentNote { what: "ACK".to_owned(), cseq, ..self.note.clone() };
            transmit(out, self.flow, ack, &note, again);
        }
    }
}

fn transmit(out: &mut Out, flow: Flow, bytes: &[u8], note: &SentNote, again: bool) {
    let note = SentNote { again, ..note.clone() };
    out.push_back(Output::Transmit { flow, bytes: bytes.to_vec(), note });
}
