//! The way to the switchboard thread: one bounded channel, one for the media path, and a bell that wakes it.

use call_core::Target;
use call_model::{
    BotEvent, CallId, Callback, CallbackId, DeskAction, DeskId, DeskState, Disposition, FactKind, HandoffId,
    HandoffRefused, HandoffRequest, LegId, MediaEvent, Party, RecordingWish, Secret,
};
use escalation::Rules;
use http_api::{CallbackChange, PeerView, QueueView, Refused};
use sip_proto::Flow;
use sip_wire::{Malformed, Message};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Everything that reaches the switchboard except UDP datagrams, which its thread reads itself.
#[derive(Debug)]
pub(crate) enum Input {
    /// A message from a connection.
    Framed { flow: Flow, framed: Box<Result<Message, Malformed>> },
    /// A connection ended or could not be made.
    FlowFailed(Flow),
    /// From the connection of a WebSocket bot.
    Bot { leg: LegId, event: BotEvent },
    /// From the voice model.
    Fact { call: CallId, kind: FactKind },
    /// From a bot over HTTP.
    Control { call: CallId, token: Secret, facts: Vec<FactKind>, reply: oneshot::Sender<Result<(), Refused>> },
    /// Somebody asks for a handoff; bots with their call's token.
    Handoff {
        call: CallId,
        token: Option<Secret>,
        request: Box<HandoffRequest>,
        reply: oneshot::Sender<Result<HandoffId, HandoffRefused>>,
    },
    /// Whether a bot's token is that of its call.
    Token { call: CallId, token: Secret, reply: oneshot::Sender<Result<(), HandoffRefused>> },
    /// A desk's or a bot's host name was looked up.
    Resolved { about: Party, name: String, targets: Vec<Target> },
    /// What is known of trunks and desks.
    Peers { reply: oneshot::Sender<Vec<PeerView>> },
    /// Who waits for a desk.
    Queue { reply: oneshot::Sender<QueueView> },
    /// The first page of a desk was opened, or its last one is closed.
    Page { desk: DeskId, open: bool },
    /// A human says whether they take callers.
    State { desk: DeskId, state: DeskState, reply: oneshot::Sender<Result<(), Refused>> },
    /// A human says what became of a conversation.
    Disposition {
        desk: DeskId,
        about: (CallId, HandoffId),
        disposition: Disposition,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    /// From a desk's page.
    Desk { desk: DeskId, action: DeskAction, reply: oneshot::Sender<Result<(), Refused>> },
    /// The page of a desk brings the audio of a caller.
    Offer { desk: DeskId, handoff: HandoffId, sdp: String, reply: oneshot::Sender<Result<String, Refused>> },
    /// Calls that begin from now on are judged by these.
    Rules { rules: Arc<Rules>, done: oneshot::Sender<()> },
    /// Something is wanted of the recording of a call.
    Recording { call: CallId, wish: RecordingWish, reply: oneshot::Sender<Result<(), Refused>> },
    /// Some of a recording could not be written.
    RecordingIncomplete { call: CallId, name: String },
    /// Callbacks that are open, or were within the last day.
    Callbacks { reply: oneshot::Sender<Vec<Callback>> },
    /// Operations want something of a callback.
    Callback { id: CallbackId, change: CallbackChange, reply: oneshot::Sender<Result<(), Refused>> },
    /// Whether a callback is on the disk.
    CallbackKept { id: CallbackId, version: u32, kept: bool },
    /// No new calls from now on; tell when nothing is left.
    Drain { idle: oneshot::Sender<()> },
    /// Hang everybody up.
    EndAll,
    /// Leave the loop.
    Stop,
}

/// Inputs waiting at once. A full channel holds back TCP readers and bots, and refuses the rest.
const CAPACITY: usize = 4096;

/// The sending side. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inbox {
    inputs: mpsc::Sender<Input>,
    media: crossbeam_channel::Sender<MediaEvent>,
    bell: Arc<Bell>,
}

/// The receiving side, for the switchboard thread only.
pub(crate) struct Outlet {
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) media: crossbeam_channel::Receiver<MediaEvent>,
    pub(crate) bell: Arc<Bell>,
}

/// Wakes the switchboard thread, at most once per round.
pub(crate) struct Bell {
    waker: mio::Waker,
    rung: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "cannot wake the switchboard thread");
        }
    }

    /// To be called before looking into the channels: whatever is sent from now on rings again.
    pub(crate) fn silence(&self) {
        // A read-modify-write: a plain store could be overtaken by the look into the channel, and a ring be lost.
        self.rung.swap(false, Ordering::SeqCst);
    }
}

/// A channel whose bell is `waker`.
pub(crate) fn inbox(waker: mio::Waker) -> (Inbox, Outlet) {
    let (inputs, inputs_out) = mpsc::channel(CAPACITY);
    // Unbounded, since a media thread may not wait and these events may not be lost (ports hang on them); their
    // number is bounded by the legs that are open.
    let (media, media_out) = crossbeam_channel::unbounded();
    let bell = Arc::new(Bell { waker, rung: AtomicBool::new(false) });
    (Inbox { inputs, media, bell: bell.clone() }, Outlet { inputs: inputs_out, media: media_out, bell })
}

impl Inbox {
    /// Waits for room. For those that can be held back.
    pub(crate) async fn send(&self, input: Input) {
        // A closed channel means that the process is ending: nobody is left to care.
        let _ = self.inputs.send(input).await;
        self.bell.ring();
    }

    /// Gives the input up when there is no room; whether it went in.
    pub(crate) fn try_send(&self, input: Input) -> bool {
        let sent = self.inputs.try_send(input).is_ok();
        self.bell.ring();
        sent
    }

    /// Waits for room, on a thread that may.
    pub(crate) fn insist(&self, input: Input) {
        // A closed channel means that the process is ending: nobody is left to care.
        let _ = self.inputs.blocking_send(input);
        self.bell.ring();
    }

    /// From a media thread: never waits.
    pub(crate) fn media(&self, event: MediaEvent) {
        let _ = self.media.send(event);
        self.bell.ring();
    }
}
