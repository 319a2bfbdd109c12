//! The media threads: RTP and RTCP sockets on epoll, one [`MediaEngine`](rtp_proto::MediaEngine) per thread.
//!
//! ```text
//! let threads = MediaThreads::start(setup, &mut ids, tap_of_thread, on_event, on_stream)?;
//! let handle = threads.handle();           // cheap to clone, for any thread, never waits
//! handle.command(MediaCommand::Open { .. });
//! handle.stream_audio(leg, mulaw);         // from a WebSocket bot
//! drop(threads);                           // stops and joins them
//! ```
//!
//! * All legs of a call live on one thread, chosen by the call's id.
//! * **Ports are bound before the SDP leaves**: [`MediaHandle::command`] binds the two sockets of an `Open` on the
//!   calling thread (some 20 us) and hands them over with the command. A port that does not bind is reported as
//!   [`MediaEvent::Failed`] before `command` returns. Packets that come before the thread has taken the sockets over
//!   wait in the kernel's buffer.
//! * A leg's ports are free again when its [`MediaEvent::Quality`] with `last` arrives.
//! * `tap`: called once per thread for its [`TapSink`]; `on_event`, `on_stream`: called on the media threads (and
//!   `on_event` from `command`, see above), so they must neither wait nor take locks that others hold for long.
//! * Telephone events reach the switchboard as [`MediaEvent::Digit`]; the engine's own `StreamDigit` is not passed on,
//!   since the switchboard tells WebSocket bots about keys.
//! * The threads inherit the affinity of the thread that starts them, which leaves out the cores of listening
//!   (`crate::cores`), and none is pinned to one core: the scheduler moves them away from a core that something else
//!   keeps busy, which a pin would forbid.
//!
//! Per packet: one `epoll_wait` shared by all that is ready, one `recvfrom`, one `sendto` from the listener's own socket.
//! `recvmmsg` and `sendmmsg` would batch only packets of one socket, and a leg has one packet per 20 ms.

mod ports;
mod sys;
#[cfg(test)]
mod tests;
mod thread;

use crate::clock::Clock;
use crate::recording::Ears;
use call_model::{CallId, EndReason, IdSource, InterfaceId, LegId, MediaCommand, MediaEvent};
use crossbeam_channel::Sender;
use ports::Ports;
use rtp_proto::{EngineConfig, FRAME, MediaEngine, TapSink};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use thread::MediaThread;

/// Messages waiting for a thread above which audio of WebSocket bots is dropped: a bot that floods must not eat memory.
const MOST_WAITING: usize = 8192;

/// What the threads need.
pub(crate) struct MediaSetup {
    /// Where RTP sockets are bound, by interface; at least one.
    pub(crate) bind: Vec<IpAddr>,
    /// How many threads; at least one is started.
    pub(crate) threads: usize,
    /// Prompts, music and timing.
    pub(crate) engine: EngineConfig,
    /// The one clock.
    pub(crate) clock: Clock,
    /// Takes what the ears hear.
    pub(crate) ears: Ears,
}

/// For a WebSocket bot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StreamOut {
    /// 20 ms of what the bot hears, mu-law.
    Frame([u8; FRAME]),
    /// Audio before this mark has been played or dropped.
    MarkPlayed(String),
}

/// Counters since the start, over all threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct MediaCounters {
    /// Datagrams read.
    pub(crate) received: u64,
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Datagrams the kernel did not take.
    pub(crate) send_failed: u64,
    /// Times a thread woke.
    pub(crate) wakeups: u64,
    /// Tapped packets the listener had no room for.
    pub(crate) tap_dropped: u64,
    /// Audio chunks of WebSocket bots dropped before they reached a thread.
    pub(crate) flooded: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) send_failed: AtomicU64,
    pub(crate) wakeups: AtomicU64,
    pub(crate) tap_dropped: AtomicU64,
    pub(crate) flooded: AtomicU64,
}

/// To a thread.
#[allow(clippy::large_enum_variant, reason = "commands are few, and moved once")]
pub(crate) enum ToMedia {
    Command(MediaCommand, Option<Ports>),
    StreamAudio(LegId, Vec<u8>),
    StreamMark(LegId, String),
    StreamClear(LegId),
    Stop,
}

/// Where events and the audio for WebSocket bots go.
pub(crate) struct Sinks {
    pub(crate) on_event: Box<dyn Fn(MediaEvent) + Send + Sync>,
    pub(crate) on_stream: Box<dyn Fn(LegId, StreamOut) + Send + Sync>,
    pub(crate) ears: Ears,
}

/// Wakes a thread, at most once per round.
pub(crate) struct Bell {
    event: sys::Event,
    rung: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            self.event.ring();
        }
    }

    /// To be called before looking into the channel: whatever is sent from now on rings again.
    pub(crate) fn silence(&self) {
        self.event.silence();
        // A swap rather than a store: the look into the channel must not be moved before it.
        self.rung.swap(false, Ordering::SeqCst);
    }
}

/// The way to one thread.
struct Way {
    queue: Sender<ToMedia>,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
}

impl Way {
    fn send(&self, message: ToMedia) {
        // A thread that is gone needs no commands.
        let _ = self.queue.send(message);
        self.bell.ring();
    }
}

/// The running threads; dropping them stops them and joins.
pub(crate) struct MediaThreads {
    handle: MediaHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Commands to the threads, from any thread; never waits.
#[derive(Clone)]
pub(crate) struct MediaHandle(Arc<Shared>);

struct Shared {
    ways: Vec<Way>,
    bind: Vec<IpAddr>,
    sinks: Arc<Sinks>,
}

impl MediaThreads {
    /// Starts the threads. See the top of this module for who is called when.
    ///
    /// # Errors
    /// When the system gives no more threads or files; those already started are stopped.
    pub(crate) fn start(
        setup: MediaSetup,
        ids: &mut IdSource,
        mut tap: impl FnMut() -> Box<dyn TapSink>,
        on_event: impl Fn(MediaEvent) + Send + Sync + 'static,
        on_stream: impl Fn(LegId, StreamOut) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let sinks = Arc::new(Sinks { on_event: Box::new(on_event), on_stream: Box::new(on_stream), ears: setup.ears });
        let mut started = Started::default();
        for i in 0..setup.threads.max(1) {
            let engine = MediaEngine::new(setup.engine.clone(), ids.fork(), tap());
            started.add(i, engine, setup.clock, sinks.clone())?;
        }
        let ways = std::mem::take(&mut started.ways);
        let threads = std::mem::take(&mut started.threads);
        Ok(Self { handle: MediaHandle(Arc::new(Shared { ways, bind: setup.bind, sinks })), threads })
    }

    /// A way to send commands.
    pub(crate) fn handle(&self) -> MediaHandle {
        self.handle.clone()
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        stop(&self.handle.0.ways, &mut self.threads);
    }
}

/// Threads on their way up: stopped again when one of them does not start.
#[derive(Default)]
struct Started {
    ways: Vec<Way>,
    threads: Vec<JoinHandle<()>>,
}

impl Started {
    fn add(&mut self, i: usize, engine: MediaEngine, clock: Clock, sinks: Arc<Sinks>) -> io::Result<()> {
        // Unbounded: commands may not be lost and their senders may not wait. Audio is bounded by MOST_WAITING.
        let (queue, messages) = crossbeam_channel::unbounded();
        let bell = Arc::new(Bell { event: sys::Event::new()?, rung: AtomicBool::new(false) });
        let counters = Arc::new(Counters::default());
        let thread = MediaThread::new(engine, clock, messages, bell.clone(), sinks, counters.clone())?;
        let thread = std::thread::Builder::new().name(format!("media-{i}")).spawn(move || thread.run())?;
        self.ways.push(Way { queue, bell, counters });
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        stop(&self.ways, &mut self.threads);
    }
}

fn stop(ways: &[Way], threads: &mut Vec<JoinHandle<()>>) {
    for way in ways {
        way.send(ToMedia::Stop);
    }
    for thread in threads.drain(..) {
        if thread.join().is_err() {
            tracing::error!("a media thread had panicked");
        }
    }
}

impl MediaHandle {
    /// Passes a command on; see the top of this module for what `Open` does at once.
    pub(crate) fn command(&self, command: MediaCommand) {
        let leg = command.leg();
        let ports = match &command {
            MediaCommand::Open { port, interface, .. } => match Ports::bind(self.bind(*interface), *port) {
                Ok(ports) => Some(ports),
                Err(error) => {
                    let why = format!("cannot bind RTP ports {port} and {}: {error}", u32::from(*port) + 1);
                    let reason = EndReason::NoCapacity;
                    return (self.0.sinks.on_event)(MediaEvent::Failed { leg, reason, why });
                }
            },
            _ => None,
        };
        self.way(leg.call).send(ToMedia::Command(command, ports));
    }

    fn bind(&self, interface: InterfaceId) -> IpAddr {
        self.0.bind.get(interface.0).copied().unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    /// Audio from a WebSocket bot, mu-law, any length.
    pub(crate) fn stream_audio(&self, leg: LegId, mulaw: Vec<u8>) {
        let way = self.way(leg.call);
        if way.queue.len() < MOST_WAITING {
            way.send(ToMedia::StreamAudio(leg, mulaw));
        } else {
            way.counters.flooded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A mark from a WebSocket bot.
    pub(crate) fn stream_mark(&self, leg: LegId, name: String) {
        self.way(leg.call).send(ToMedia::StreamMark(leg, name));
    }

    /// A WebSocket bot drops what has not been played.
    pub(crate) fn stream_clear(&self, leg: LegId) {
        self.way(leg.call).send(ToMedia::StreamClear(leg));
    }

    /// What the threads did so far.
    #[allow(dead_code, reason = "for /metrics")]
    pub(crate) fn counters(&self) -> MediaCounters {
        let mut sum = MediaCounters::default();
        for way in &self.0.ways {
            let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            sum.received += get(&way.counters.received);
            sum.sent += get(&way.counters.sent);
            sum.send_failed += get(&way.counters.send_failed);
            sum.wakeups += get(&way.counters.wakeups);
            sum.tap_dropped += get(&way.counters.tap_dropped);
            sum.flooded += get(&way.counters.flooded);
        }
        sum
    }

    fn way(&self, call: CallId) -> &Way {
        // Call ids are random, so this spreads calls evenly.
        let ways = &self.0.ways;
        &ways[(call.0 % ways.len() as u64) as usize]
    }
}
