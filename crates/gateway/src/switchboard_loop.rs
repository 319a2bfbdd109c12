//! The thread that owns the switchboard: reads what arrived, lets it think, does what it says.

use crate::bot_streams::BotStreams;
use crate::callbacks;
use crate::clock::Clock;
use crate::control::{peers, queue, refused_control, refused_desk, refused_recording};
use crate::inbox::{Inbox, Input, Outlet};
use crate::ledger_watch::LedgerWatch;
use crate::listening::Listening;
use crate::media::MediaHandle;
use crate::recording::Recorder;
use crate::running::server_names;
use crate::sip_streams::Streams;
use crate::sip_udp::{Datagram, UdpSip, is_full};
use call_core::{Output, Switchboard};
use call_model::{HandoffRefused, Instant, Secret, TraceEvent, TraceKind};
use http_api::{Hub, Metric, Refused};
use ledger::Ledger;
use sip_proto::{Flow, Transport};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// The mio token of the bell.
pub(crate) const BELL: mio::Token = mio::Token(usize::MAX);

/// Contained panics after which the process gives up.
const MOST_FAULTS: u32 = 1000;
/// Inputs taken from one source before the others get their turn.
const ROUND: usize = 64;
/// Counters of other threads are copied for `/metrics` this often.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// Where outputs go.
pub(crate) struct Outputs {
    pub(crate) streams: Streams,
    pub(crate) media: MediaHandle,
    pub(crate) listening: Listening,
    pub(crate) recorder: Recorder,
    pub(crate) bots: BotStreams,
    pub(crate) hub: Hub,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) inbox: Inbox,
    pub(crate) observer: Option<crossbeam_channel::Sender<TraceEvent>>,
}

/// Everything the thread owns.
pub(crate) struct SwitchboardLoop {
    pub(crate) board: Switchboard,
    pub(crate) clock: Clock,
    pub(crate) poll: mio::Poll,
    pub(crate) udp: Vec<UdpSip>,
    pub(crate) outlet: Outlet,
    pub(crate) outputs: Outputs,
    pub(crate) idle: Option<oneshot::Sender<()>>,
    pub(crate) published: Instant,
    pub(crate) ledger_watch: LedgerWatch,
    pub(crate) changes: callbacks::Waiting,
}

impl SwitchboardLoop {
    /// Until [`Input::Stop`].
    pub(crate) fn run(mut self) {
        let mut events = mio::Events::with_capacity(16);
        let mut more = true;
        loop {
            let wait = if more { Duration::ZERO } else { self.wait() };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "cannot wait for input");
            }
            for event in &events {
                if let Some(udp) = self.udp.get_mut(event.token().0) {
                    udp.became_readable();
                }
            }
            self.outlet.bell.silence();
            let mut datagrams = false;
            for at in 0..self.udp.len() {
                datagrams |= self.take_datagrams(at);
            }
            let media = self.take_media();
            let Some(inputs) = self.take_inputs() else { return };
            self.take_timers();
            self.tell_idle();
            self.publish();
            more = datagrams || media || inputs;
        }
    }

    fn wait(&self) -> Duration {
        let due = self.board.poll_timeout().map(|(when, _)| self.clock.until(when));
        due.unwrap_or(PUBLISH_EVERY).min(PUBLISH_EVERY)
    }

    /// Whether there may be more.
    fn take_datagrams(&mut self, at: usize) -> bool {
        for _ in 0..ROUND {
            let Some(udp) = self.udp.get_mut(at) else { return false };
            match udp.receive(self.board.peers()) {
                Datagram::Known(flow, len) => {
                    let now = self.clock.now();
                    let bytes = udp.bytes(len);
                    guarded("a SIP datagram", || self.board.handle_datagram(flow, bytes, now));
                    self.pump();
                }
                Datagram::Unknown => self.outputs.hub.metrics().add(Metric::UnknownSource, 1),
                Datagram::Unreachable(flow) => {
                    let now = self.clock.now();
                    guarded("a datagram that came back", || self.board.handle_flow_failed(flow, now));
                    self.pump();
                }
                Datagram::KeepAlive => {}
                Datagram::Empty => return false,
            }
        }
        self.udp.get(at).is_some_and(UdpSip::may_have_more)
    }

    fn take_media(&mut self) -> bool {
        for _ in 0..ROUND {
            let Ok(event) = self.outlet.media.try_recv() else { return false };
            let now = self.clock.now();
            guarded("a media event", || self.board.handle_media(event, now));
            self.pump();
        }
        true
    }

    /// Whether there may be more; `None` to leave the loop.
    fn take_inputs(&mut self) -> Option<bool> {
        for _ in 0..ROUND {
            match self.outlet.inputs.try_recv() {
                Ok(Input::Stop) | Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => return None,
                Ok(input) => {
                    self.take_input(input);
                    self.pump();
                }
                Err(tokio::sync::mpsc::error::TryRecvError::Empty) => return Some(false),
            }
        }
        Some(true)
    }

    fn take_input(&mut self, input: Input) {
        let now = self.clock.now();
        let board = &mut self.board;
        match input {
            Input::Framed { flow, framed } => guarded("a SIP message", || board.handle_framed(flow, *framed, now)),
            Input::FlowFailed(flow) => guarded("a lost connection", || board.handle_flow_failed(flow, now)),
            Input::Bot { leg, event } => guarded("a bot's event", || board.handle_bot(leg, event, now)),
            Input::Fact { call, kind } => guarded("a voice score", || board.handle_fact(call, kind, now)),
            Input::Control { call, token, facts, reply } => {
                let mut answer = Err(Refused::NotNow("the call was lost to a fault".to_owned()));
                guarded("a control event", || {
                    answer = facts.into_iter().try_for_each(|fact| {
                        board.handle_control(call, token.expose(), fact, now).map_err(refused_control)
                    });
                });
                // The HTTP client may have gone.
                let _ = reply.send(answer);
            }
            Input::Handoff { call, token, request, reply } => {
                let mut answer = Err(HandoffRefused::NotNow("the call was lost to a fault"));
                guarded("a request for a handoff", || {
                    answer = board.request_handoff(call, token.as_ref().map(Secret::expose), *request, now);
                });
                // Whoever is told its name may ask after it at once.
                self.pump();
                let _ = reply.send(answer);
            }
            Input::Token { call, token, reply } => {
                let _ = reply.send(board.check_token(call, Some(token.expose())));
            }
            Input::Resolved { about, name, targets } => guarded("a host name's addresses", || {
                if board.handle_resolved(about, &name, targets, now) {
                    self.outputs.streams.know(board.peers().clone(), server_names(board.config()));
                }
            }),
            Input::Peers { reply } => {
                let _ = reply.send(peers(board, now));
            }
            Input::Queue { reply } => {
                let _ = reply.send(queue(board, now));
            }
            Input::Page { desk, open } => guarded("a desk's page", || {
                board.handle_page(&desk, open, now);
            }),
            Input::Desk { desk, action, reply } => {
                let mut answer = Err(Refused::NotNow("the call was lost to a fault".to_owned()));
                guarded("a desk's action", || {
                    answer = board.handle_desk(&desk, action, now).map_err(refused_desk);
                });
                let _ = reply.send(answer);
            }
            Input::Offer { desk, handoff, sdp, reply } => {
                let mut answer = Err(Refused::NotNow("the call was lost to a fault".to_owned()));
                guarded("a page's audio", || {
                    answer = board.handle_offer(&desk, handoff, &sdp, now).map_err(refused_desk);
                });
                // The media thread knows of it before the browser can.
                self.pump();
                let _ = reply.send(answer);
            }
            Input::Rules { rules, done } => {
                self.outputs.ledger.rules(&rules.version(), rules.text(), now);
                board.set_rules(rules);
                let _ = done.send(());
            }
            Input::Recording { call, wish, reply } => {
                let mut answer = Err(Refused::NotNow("the call was lost to a fault".to_owned()));
                guarded("a wish about a recording", || {
                    answer = board.handle_recording(call, wish, now).map_err(refused_recording);
                });
                let _ = reply.send(answer);
            }
            Input::RecordingIncomplete { call, name } => guarded("a recording's complaint", || {
                board.handle_recording_incomplete(call, name, now);
            }),
            Input::State { desk, state, reply } => {
                let mut known = false;
                guarded("a desk's state", || known = board.handle_state(&desk, state, now));
                let _ = reply.send(if known { Ok(()) } else { Err(Refused::UnknownHandoff) });
            }
            Input::Disposition { desk, about, disposition, reply } => {
                guarded("a disposition", || board.handle_disposition(&desk, about, disposition, now));
                let _ = reply.send(Ok(()));
            }
            Input::Callbacks { reply } => {
                let _ = reply.send(board.callbacks().cloned().collect());
            }
            Input::Callback { id, change, reply } => {
                guarded("a change of a callback", || self.changes.change(board, (id, change), reply, now));
            }
            Input::CallbackKept { id, version, kept } => {
                guarded("a callback on the disk", || board.handle_callback_kept(id, version, kept, now));
                self.changes.tell(id, version, kept);
            }
            Input::Drain { idle } => {
                guarded("the drain", || board.drain(now));
                self.outputs.hub.metrics().set(Metric::Draining, 1);
                self.idle = Some(idle);
            }
            Input::EndAll => guarded("the last goodbye", || board.end_all(now)),
            // Handled by the caller.
            Input::Stop => {}
        }
    }

    fn take_timers(&mut self) {
        for _ in 0..ROUND {
            let now = self.clock.now();
            if self.board.poll_timeout().is_none_or(|(when, _)| when > now) {
                return;
            }
            guarded("a timer", || self.board.handle_timeout(now));
            self.pump();
        }
        // The next round goes on at once: the deadline is still in the past.
        tracing::debug!(timer = ?self.board.poll_timeout(), "timers keep being due");
    }

    fn tell_idle(&mut self) {
        if self.idle.is_some()
            && self.board.is_idle()
            && let Some(idle) = self.idle.take()
        {
            let _ = idle.send(());
        }
    }

    fn publish(&mut self) {
        let now = self.clock.now();
        if now.since(self.published) >= PUBLISH_EVERY {
            self.published = now;
            self.outputs.listening.publish(&self.outputs.hub);
            self.outputs.recorder.publish(&self.outputs.hub);
            let (media, metrics) = (self.outputs.media.counters(), self.outputs.hub.metrics());
            metrics.set(Metric::PacketsRelayed, media.sent);
            let registered = self.board.registered(now);
            metrics.set(Metric::TrunksRegistered, registered.trunks);
            metrics.set(Metric::TrunksUnregistered, registered.trunks_not);
            metrics.set(Metric::Telephones, registered.telephones);
            let open = self.board.callbacks().filter(|one| one.state.is_open()).count();
            metrics.set(Metric::CallbacksOpen, open as u64);
            metrics.set(Metric::Waiting, self.board.waiting_count() as u64);
            metrics.set(Metric::PortsInUse, self.board.ports_in_use() as u64);
            metrics.set(Metric::TapDropped, media.tap_dropped);
            let health = self.outputs.ledger.health();
            metrics.set(Metric::LedgerDropped, health.dropped);
            self.ledger_watch.look(&health, now);
        }
    }

    /// Does all the switchboard wants done.
    fn pump(&mut self) {
        loop {
            let mut output = None;
            guarded("an output", || output = self.board.poll_output());
            match output {
                Some(Output::Transmit { flow, bytes }) => {
                    if !self.outputs.transmit(flow, bytes, &self.udp) {
                        let now = self.clock.now();
                        guarded("a datagram that did not leave", || self.board.handle_flow_failed(flow, now));
                    }
                }
                Some(output) => self.outputs.carry_out(output),
                None => return,
            }
        }
    }
}

impl Outputs {
    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Transmit { .. } => {}
            Output::Media(command) => {
                self.listening.follow(&command);
                self.media.command(command);
            }
            Output::Recording(command) => self.recorder.follow(command),
            Output::Bot { leg, command } => self.bots.command(leg, command),
            Output::Callback(callback) => callbacks::keep(&self.ledger, &self.inbox, &callback),
            Output::Pop(update) => self.hub.pop(&update),
            Output::Trace(event) => self.trace(event),
        }
    }

    /// The record of what was said keeps no long numbers.
    fn record(&self, event: &TraceEvent) {
        if let TraceKind::Fact(_) = &event.kind {
            let mut kept = event.clone();
            call_trace::redact(&mut kept.kind);
            return self.ledger.record(&kept);
        }
        self.ledger.record(event);
    }

    /// False: nothing can be sent there.
    fn transmit(&self, flow: Flow, bytes: Vec<u8>, udp: &[UdpSip]) -> bool {
        match (flow.transport, udp.iter().find(|udp| udp.is_at(flow.local))) {
            (Transport::Udp, Some(udp)) => {
                let Err(error) = udp.send(flow.remote, &bytes) else { return true };
                tracing::warn!(to = %flow.remote, %error, "a SIP datagram was not sent");
                return is_full(&error);
            }
            (Transport::Udp, None) => tracing::error!(%flow, "no socket for this transport"),
            _ => self.streams.send(flow, bytes),
        }
        true
    }

    fn trace(&mut self, event: TraceEvent) {
        crate::logging::trace(&event);
        self.hub.trace(&event);
        self.record(&event);
        if let Some(observer) = &self.observer
            && observer.send(event).is_err()
        {
            self.observer = None;
        }
    }
}

/// A panic while one input is handled is a bug, and must not end the other calls. The panic hook has logged where.
fn guarded(what: &'static str, work: impl FnOnce()) {
    static FAULTS: AtomicU32 = AtomicU32::new(0);
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!(what, "a panic was contained; the call it belonged to may hang until it is hung up");
        if FAULTS.fetch_add(1, Ordering::Relaxed) >= MOST_FAULTS {
            // Whatever keeps failing will not heal by itself; whoever supervises us starts afresh.
            eprintln!("warmline: {MOST_FAULTS} panics were contained: giving up");
            std::process::abort();
        }
    }
}
