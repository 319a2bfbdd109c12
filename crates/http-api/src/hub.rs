//! Where the switchboard loop leaves what happened, and pages and tails pick it up.
//!
//! Readers hold a position in a ring and nothing else, so a slow one costs no memory: when the ring has moved past its
//! position it is told so, and goes on from there.

use crate::board::{Board, Claim, PopStatus, Read};
use crate::book::{Book, Record};
use crate::handoffs::Handoffs;
use crate::metrics::{Metric, Metrics, Tally};
use crate::shapes::HandoffStatusShape;
use call_model::{
    CallId, DeskId, EndReason, FactKind, HandoffId, HandoffOutcome, Instant, Method, PopUpdate, TraceEvent, TraceKind,
    Trigger, WallAnchor,
};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Handoffs whose kind of reason is remembered until their outcome comes.
const MOST_TRIGGERS: usize = 4096;

/// Sizes of the rings. The defaults hold ten minutes of a busy node in a few megabytes.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// By which instants get dates.
    pub wall: WallAnchor,
    /// Desk events kept per desk for `Last-Event-ID`. Default 1024.
    pub desk_ring: usize,
    /// Trace events kept for tails that fall behind or open late. Default 16384.
    pub trace_ring: usize,
    /// Ended calls kept for `GET /v1/calls`. Default 512.
    pub ended_calls: usize,
}

impl HubConfig {
    /// The default sizes.
    pub fn new(wall: WallAnchor) -> Self {
        Self { wall, desk_ring: 1024, trace_ring: 16_384, ended_calls: 512 }
    }
}

/// Current pops per desk, live calls, the latest trace events and the counters. Clones share one content.
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: HubConfig,
    /// Distinguishes this run's event ids from those of the run before it.
    boot: String,
    metrics: Metrics,
    state: Mutex<State>,
    /// The number of the newest trace event.
    traced: watch::Sender<u64>,
    closed: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    desks: BTreeMap<DeskId, (Board, watch::Sender<u64>)>,
    book: Book,
    handoffs: Handoffs,
    /// Open event streams of each desk, and whether it counts as present.
    pages: BTreeMap<DeskId, (usize, bool)>,
    trace: VecDeque<Traced>,
    /// The number the next trace event gets; the first is 1.
    next_trace: u64,
    tally: Tally,
    triggers: VecDeque<(HandoffId, Trigger)>,
}

/// A trace event with what its rendering needs.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    pub(crate) seq: u64,
    /// When its call began.
    pub(crate) started: Instant,
    pub(crate) event: Arc<TraceEvent>,
}

/// How a trunk is doing.
pub(crate) struct TrunkCount {
    /// Calls that are up.
    pub(crate) calls: usize,
    /// Calls that its REFER took from us.
    pub(crate) released: u64,
    /// REFERs that it refused.
    pub(crate) refused: u64,
}

/// What a tail gets.
#[derive(Debug, Default)]
pub(crate) struct TraceRead {
    /// How many the ring had already forgotten.
    pub(crate) lost: u64,
    pub(crate) events: Vec<Traced>,
    /// Up to where the ring was looked at, matching or not.
    pub(crate) position: u64,
}

impl Hub {
    /// An empty hub.
    pub fn new(config: HubConfig) -> Self {
        let state = State {
            desks: BTreeMap::new(),
            book: Book::new(config.ended_calls),
            handoffs: Handoffs::default(),
            pages: BTreeMap::new(),
            trace: VecDeque::new(),
            next_trace: 1,
            tally: Tally::default(),
            triggers: VecDeque::new(),
        };
        let shared = Shared {
            boot: format!("{:x}", config.wall.unix_ms),
            config,
            metrics: Metrics::default(),
            state: Mutex::new(state),
            traced: watch::Sender::new(0),
            closed: watch::Sender::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A pop changed. Never waits for a page.
    pub fn pop(&self, update: &PopUpdate) {
        let wall = self.wall();
        let mut state = self.state();
        if let PopUpdate::Offered { package, .. } = update {
            if state.triggers.len() == MOST_TRIGGERS {
                state.triggers.pop_front();
            }
            state.triggers.push_back((package.id, package.trigger));
        }
        self.board(&mut state, update.desk(), |board| board.handle(update, &wall));
    }

    /// Something happened. Never waits for a tail.
    pub fn trace(&self, event: &TraceEvent) {
        let mut state = self.state();
        state.book.handle(event);
        state.handoffs.handle(event);
        self.count(&mut state, event);
        self.follow(&mut state, event);
        let started = event.call.and_then(|call| state.book.began(call)).unwrap_or(self.shared.config.wall.at);
        let seq = state.next_trace;
        state.next_trace += 1;
        if state.trace.len() >= self.shared.config.trace_ring.max(1) {
            state.trace.pop_front();
        }
        state.trace.push_back(Traced { seq, started, event: Arc::new(event.clone()) });
        drop(state);
        self.shared.traced.send_replace(seq);
    }

    /// Counters and gauges that only the gateway knows.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Ends all event streams. [`crate::serve`] does it when it is told to stop.
    pub fn close(&self) {
        self.shared.closed.send_replace(true);
    }

    pub(crate) fn wall(&self) -> WallAnchor {
        self.shared.config.wall
    }

    pub(crate) fn boot(&self) -> &str {
        &self.shared.boot
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.shared.closed.subscribe()
    }

    pub(crate) fn watch_desk(&self, desk: &DeskId) -> watch::Receiver<u64> {
        self.board(&mut self.state(), desk, |_| ());
        let state = self.state();
        state.desks.get(desk).map_or_else(|| watch::Sender::new(0).subscribe(), |(_, changed)| changed.subscribe())
    }

    pub(crate) fn read_desk(&self, desk: &DeskId, position: Option<u64>, most: usize) -> Read {
        self.board(&mut self.state(), desk, |board| board.read_after(position, most))
    }

    pub(crate) fn claim(&self, desk: &DeskId, handoff: HandoffId, tab: &str, accept: bool) -> Claim {
        self.board(&mut self.state(), desk, |board| board.claim(handoff, tab, accept))
    }

    pub(crate) fn unclaim(&self, desk: &DeskId, handoff: HandoffId) {
        self.board(&mut self.state(), desk, |board| board.unclaim(handoff));
    }

    pub(crate) fn done(&self, desk: &DeskId, handoff: HandoffId) -> Result<(), Option<PopStatus>> {
        self.board(&mut self.state(), desk, |board| board.done(handoff))
    }

    /// Whether the pop is on the desk, or why it is not any more.
    pub(crate) fn present(&self, desk: &DeskId, handoff: HandoffId) -> Result<(), Option<String>> {
        self.board(&mut self.state(), desk, |board| {
            if board.has(handoff) { Ok(()) } else { Err(board.closed(handoff).map(str::to_owned)) }
        })
    }

    pub(crate) fn mark(&self, desk: &DeskId, handoff: HandoffId, status: PopStatus) {
        self.marked(&mut self.state(), desk, handoff, status);
    }

    pub(crate) fn package(&self, desk: &DeskId, handoff: HandoffId) -> Option<(CallId, Arc<Value>)> {
        let state = self.state();
        state.desks.get(desk).and_then(|(board, _)| board.package(handoff))
    }

    /// The call of a handoff whose caller the desk has, or had.
    pub(crate) fn conversation(&self, desk: &DeskId, handoff: HandoffId) -> Option<CallId> {
        self.board(&mut self.state(), desk, |board| board.conversation(handoff))
    }

    /// Whether a page of the desk is open.
    pub(crate) fn has_page(&self, desk: &DeskId) -> bool {
        self.state().pages.get(desk).is_some_and(|(_, present)| *present)
    }

    /// Whether the desk has it on its screen.
    pub(crate) fn shows(&self, desk: &DeskId, handoff: HandoffId) -> bool {
        self.package(desk, handoff).is_some()
    }

    /// The package on whichever desk has it.
    pub(crate) fn any_package(&self, handoff: HandoffId) -> Option<(CallId, Arc<Value>)> {
        self.state().desks.values().find_map(|(board, _)| board.package(handoff))
    }

    pub(crate) fn calls(&self, most: usize) -> Vec<(CallId, Record)> {
        self.state().book.calls(most)
    }

    pub(crate) fn call(&self, call: CallId) -> Option<(CallId, Record)> {
        self.state().book.call(call)
    }

    /// Where a handoff stands, and whose call it is of.
    pub(crate) fn handoff(&self, id: HandoffId) -> Option<(CallId, HandoffStatusShape)> {
        let wall = self.wall();
        self.state().handoffs.get(id).map(|story| (story.call, story.shape(id, &wall)))
    }

    /// A page of the desk opened its stream; `tell` if that makes it present, while nothing else can change it.
    pub(crate) fn page_opened(&self, desk: &DeskId, tell: impl FnOnce()) {
        let mut state = self.state();
        let (open, present) = state.pages.entry(desk.clone()).or_default();
        *open += 1;
        if !core::mem::replace(present, true) {
            tell();
        }
    }

    /// A page of the desk closed its stream.
    pub(crate) fn page_closed(&self, desk: &DeskId) {
        if let Some((open, _)) = self.state().pages.get_mut(desk) {
            *open = open.saturating_sub(1);
        }
    }

    /// `tell` if the desk has no page and still counts as present, which then ends.
    pub(crate) fn if_no_page(&self, desk: &DeskId, tell: impl FnOnce()) {
        if let Some((0, present)) = self.state().pages.get_mut(desk)
            && core::mem::take(present)
        {
            tell();
        }
    }

    /// How a trunk is doing.
    pub(crate) fn trunk(&self, name: &str) -> TrunkCount {
        let state = self.state();
        let (released, refused) = state.tally.releases.get(name).copied().unwrap_or_default();
        TrunkCount { calls: state.book.active_on(name), released, refused }
    }

    pub(crate) fn watch_trace(&self) -> watch::Receiver<u64> {
        self.shared.traced.subscribe()
    }

    /// The newest position, or the one before the oldest event there is.
    pub(crate) fn trace_edge(&self, oldest: bool) -> u64 {
        let state = self.state();
        let newest = state.next_trace - 1;
        if oldest { state.trace.front().map_or(newest, |event| event.seq - 1) } else { newest }
    }

    /// Up to `most` events after `position`, of one call or of all.
    pub(crate) fn read_trace(&self, position: u64, call: Option<CallId>, most: usize) -> TraceRead {
        let state = self.state();
        let newest = state.next_trace - 1;
        let position = position.min(newest);
        let oldest = state.trace.front().map_or(newest, |event| event.seq - 1);
        let lost = oldest.saturating_sub(position);
        let skip = usize::try_from(position.max(oldest) - oldest).unwrap_or(usize::MAX);
        let mut read = TraceRead { lost, events: Vec::new(), position: newest };
        for traced in state.trace.iter().skip(skip) {
            if read.events.len() == most {
                read.position = traced.seq - 1;
                break;
            }
            if call.is_none() || traced.event.call == call {
                read.events.push(traced.clone());
            }
        }
        read
    }

    /// What the hub knows, as Prometheus text.
    pub(crate) fn render_metrics(&self) -> String {
        let mut out = String::with_capacity(8192);
        {
            let state = self.state();
            state.tally.render(&mut out, state.book.active());
        }
        self.shared.metrics.render(&mut out);
        out
    }

    /// A poisoned lock means that a reader panicked between two whole changes: what is there is still whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a desk's board and wakes its pages when that made an event.
    fn board<T>(&self, state: &mut State, desk: &DeskId, change: impl FnOnce(&mut Board) -> T) -> T {
        let (board, changed) = state
            .desks
            .entry(desk.clone())
            .or_insert_with(|| (Board::new(desk.0.clone(), self.shared.config.desk_ring), watch::Sender::new(0)));
        let before = board.head();
        let result = change(board);
        if board.head() != before {
            changed.send_replace(board.head());
        }
        result
    }

    fn marked(&self, state: &mut State, desk: &DeskId, handoff: HandoffId, status: PopStatus) {
        let took = self.board(state, desk, |board| board.mark(handoff, status));
        if let Some(took) = took.filter(|_| status == PopStatus::Acknowledged) {
            state.tally.ack.observe(took);
        }
    }

    /// The page follows what other doors did: a key on the phone, another tab, the end of the call.
    fn follow(&self, state: &mut State, event: &TraceEvent) {
        match &event.kind {
            TraceKind::Pop { handoff, desk, what } => {
                let status = match *what {
                    "acknowledged" => PopStatus::Acknowledged,
                    "accepted" => PopStatus::Accepted,
                    "declined" => PopStatus::Declined,
                    _ => return,
                };
                self.marked(state, desk, *handoff, status);
            }
            TraceKind::Ended { cause } => {
                let Some(call) = event.call else { return };
                let released = cause.reason == EndReason::Released;
                for (board, changed) in state.desks.values_mut() {
                    let before = board.head();
                    board.call_ended(call, released);
                    if board.head() != before {
                        changed.send_replace(board.head());
                    }
                }
            }
            _ => {}
        }
    }

    fn count(&self, state: &mut State, event: &TraceEvent) {
        let State { tally, triggers, book, .. } = state;
        match &event.kind {
            TraceKind::Began { trunk, .. } => *tally.calls.entry(trunk.clone()).or_default() += 1,
            TraceKind::Ended { cause } => tally.call_ended(*cause),
            TraceKind::Sip { sent, again, .. } => {
                let direction = if *sent { "sent" } else { "received" };
                *tally.sip.entry((direction, if *again { "yes" } else { "no" })).or_default() += 1;
            }
            TraceKind::Fact(fact) => tally.windows += u64::from(matches!(fact.kind, FactKind::Voice(_))),
            TraceKind::Decided(decision) => {
                *tally.decisions.entry((decision.trigger, decision.layer)).or_default() += 1;
            }
            TraceKind::Pop { what, .. } => *tally.pops.entry(what).or_default() += 1,
            TraceKind::Release { what, .. } if what == "REFER refused" => {
                if let Some(trunk) = event.call.and_then(|call| book.trunk(call)) {
                    tally.releases.entry(trunk.to_owned()).or_default().1 += 1;
                }
            }
            TraceKind::Dequeued { waited, how, .. } => {
                let (count, seconds) = tally.waits.entry(how).or_default();
                (*count, *seconds) = (*count + 1, *seconds + waited.as_secs());
            }
            TraceKind::Callback { what, .. } => *tally.callbacks.entry(what).or_default() += 1,
            TraceKind::Voicemail { what, .. } => *tally.voicemails.entry(what).or_default() += 1,
            TraceKind::EarlyDrop { desk, by, .. } => *tally.early_drops.entry((desk.0.clone(), *by)).or_default() += 1,
            TraceKind::HandoffEnded { handoff, outcome, method, corrects, .. } => {
                let known = triggers.iter().rev().find(|(id, _)| id == handoff).map(|(_, trigger)| *trigger);
                let decided = event.call.and_then(|call| book.trigger(call));
                let trigger = known.or(decided).unwrap_or(Trigger::Direct);
                let counted = if *corrects { &mut tally.corrected } else { &mut tally.handoffs };
                *counted.entry((*outcome, trigger, *method)).or_default() += 1;
                if let (HandoffOutcome::Released, Method::ReferTrunk, Some(trunk)) =
                    (*outcome, *method, event.call.and_then(|call| book.trunk(call)))
                {
                    tally.releases.entry(trunk.to_owned()).or_default().0 += 1;
                }
            }
            TraceKind::Recording { what: "recorder failed", .. } => self.metrics().add(Metric::RecorderFailures, 1),
            TraceKind::Recording { what: "recorder lost", .. } => {
                self.metrics().add(Metric::RecorderFailures, 1);
                self.metrics().add(Metric::RecorderLost, 1);
            }
            TraceKind::Dropped { .. } => tally.dropped += 1,
            TraceKind::Quality { role, name, stats, last: true, .. } => tally.audio.leg_ended(*role, name, stats),
            _ => {}
        }
    }
}
