//! The listening threads: packets in without ever blocking, scores out.
//!
//! Each worker owns some callers, whole: their ears, one model session and one queue. It computes features of all that
//! came, then runs the model for those who have waited longest: one on pure Rust, as many as are ready, up to eight, on
//! libonnxruntime, which does several at once for less. A caller who becomes due again while still waiting
//! loses the older window and keeps the place in line, so that under load everyone is heard less often, and no one
//! never. Packets are taken every 20 ms by the workers; producers wake nobody.

use crate::ear::Ear;
use crate::error::ModelError;
use crate::listening::Heard;
use crate::model::Model;
use crate::runner::Runner;
use call_model::{LegId, TapFrame, VoiceScore};
use core::time::Duration;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// Pause between two looks at the queue when there was nothing to do: one packet time.
const NAP: Duration = Duration::from_millis(20);
/// Packets taken before the waiting windows get their turn.
const MOST_AT_ONCE: usize = 2048;

/// How listening is done.
#[derive(Clone, Debug)]
pub struct ScorerConfig {
    /// Worker threads; at least one is started.
    pub workers: usize,
    /// Packets that may wait per worker. 100 calls bring 5000 a second.
    pub queue: usize,
    /// Sensitivity: false alarms per hour of calm speech at which `distress` 0.5 is set.
    pub alarms_per_hour: f32,
    /// Called first on each worker thread: the place to lower its priority.
    pub on_start: fn(),
}

impl Default for ScorerConfig {
    fn default() -> Self {
        Self { workers: 1, queue: 8192, alarms_per_hour: 1.0, on_start: || {} }
    }
}

/// One window of one caller, scored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scored {
    /// The caller's leg.
    pub leg: LegId,
    /// The end of the window, in the caller's media time since the leg was opened.
    pub at: Duration,
    /// When it became due, in the same time: earlier, if it had to wait.
    pub due: Duration,
    /// What was heard, for the rules.
    pub score: VoiceScore,
    /// The conclusion in full: the logit behind `distress`, and lasting changes.
    pub heard: Heard,
}

/// Counters since start.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ScorerStats {
    /// Legs listened to now.
    pub legs: u64,
    /// Packets taken.
    pub frames: u64,
    /// Packets dropped because a queue was full.
    pub dropped: u64,
    /// Windows scored by the model.
    pub windows: u64,
    /// Windows skipped because they held too little speech.
    pub quiet: u64,
    /// Windows given up because a newer one of the same caller was due.
    pub shed: u64,
    /// Windows on which the model failed.
    pub failed: u64,
    /// Time in the model, milliseconds of the wall clock.
    pub model_ms: f64,
    /// CPU time of the workers altogether, milliseconds; zero where the system does not tell.
    pub cpu_ms: f64,
}

impl ScorerStats {
    /// Time in the model per window, milliseconds.
    pub fn ms_per_window(&self) -> f64 {
        if self.windows == 0 { 0.0 } else { self.model_ms / self.windows as f64 }
    }

    /// Share of due windows that were shed, 0..1.
    pub fn shed_share(&self) -> f64 {
        let due = self.windows + self.shed + self.failed;
        if due == 0 { 0.0 } else { self.shed as f64 / due as f64 }
    }
}

/// The listening threads. Dropping it stops them and waits for the window in work.
pub struct Scorer {
    workers: Vec<Handle>,
    shared: Arc<Shared>,
    model: Mutex<Model>,
}

struct Handle {
    frames: Sender<TapFrame>,
    control: Sender<Control>,
    thread: Option<JoinHandle<()>>,
}

enum Control {
    Open(LegId),
    Close(LegId),
    Model(Box<(Model, Runner)>),
    Stop,
}

#[derive(Default)]
struct Shared {
    legs: AtomicU64,
    frames: AtomicU64,
    dropped: AtomicU64,
    windows: AtomicU64,
    quiet: AtomicU64,
    shed: AtomicU64,
    failed: AtomicU64,
    model_ns: AtomicU64,
    cpu_ns: AtomicU64,
}

impl Scorer {
    /// Starts the threads. `sink` is called on them, once per scored window; it must not block.
    ///
    /// # Errors
    /// When a session or a thread cannot be made.
    pub fn start(
        config: ScorerConfig,
        model: &Model,
        sink: impl Fn(Scored) + Send + Sync + 'static,
    ) -> Result<Self, ModelError> {
        let shared = Arc::new(Shared::default());
        let sink: Arc<dyn Fn(Scored) + Send + Sync> = Arc::new(sink);
        let workers = (0..config.workers.max(1))
            .map(|i| start_worker(i, &config, model, Arc::clone(&shared), Arc::clone(&sink)))
            .collect::<Result<_, _>>()?;
        Ok(Self { workers, shared, model: Mutex::new(model.clone()) })
    }

    /// Goes on with another model. Calls that are up stay; their baselines begin anew.
    ///
    /// # Errors
    /// When a session cannot be made; nothing has changed then.
    pub fn change_model(&self, model: &Model) -> Result<(), ModelError> {
        let runners = self.workers.iter().map(|_| model.runner()).collect::<Result<Vec<_>, _>>()?;
        for (worker, runner) in self.workers.iter().zip(runners) {
            // A worker that died has nobody to tell.
            let _ = worker.control.send(Control::Model(Box::new((model.clone(), runner))));
        }
        *self.model.lock().unwrap_or_else(PoisonError::into_inner) = model.clone();
        Ok(())
    }

    /// Starts listening to a leg, with a fresh baseline.
    pub fn open(&self, leg: LegId) {
        self.tell(leg, Control::Open(leg));
    }

    /// Stops listening to a leg and forgets it. Packets of it still queued are ignored; a window in work may still
    /// come out.
    pub fn close(&self, leg: LegId) {
        self.tell(leg, Control::Close(leg));
    }

    /// Takes a packet. Never blocks, wakes nobody; false when it was dropped because the queue is full.
    pub fn push(&self, frame: &TapFrame) -> bool {
        match self.worker(frame.leg).frames.try_send(*frame) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Counters.
    pub fn stats(&self) -> ScorerStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shared = &self.shared;
        ScorerStats {
            legs: get(&shared.legs),
            frames: get(&shared.frames),
            dropped: get(&shared.dropped),
            windows: get(&shared.windows),
            quiet: get(&shared.quiet),
            shed: get(&shared.shed),
            failed: get(&shared.failed),
            model_ms: get(&shared.model_ns) as f64 / 1e6,
            cpu_ms: get(&shared.cpu_ns) as f64 / 1e6,
        }
    }

    /// The model in use.
    pub fn model(&self) -> Model {
        self.model.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, leg: LegId, control: Control) {
        // The receiver lives as long as the thread; if that died, there is nobody to tell.
        let _ = self.worker(leg).control.send(control);
    }

    fn worker(&self, leg: LegId) -> &Handle {
        // Call ids are random, so this spreads calls evenly.
        &self.workers[(leg.call.0 % self.workers.len() as u64) as usize]
    }
}

impl Drop for Scorer {
    fn drop(&mut self) {
        for worker in &self.workers {
            let _ = worker.control.send(Control::Stop);
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn start_worker(
    index: usize,
    config: &ScorerConfig,
    model: &Model,
    shared: Arc<Shared>,
    sink: Arc<dyn Fn(Scored) + Send + Sync>,
) -> Result<Handle, ModelError> {
    let (frames, frames_in) = crossbeam_channel::bounded(config.queue.max(1));
    let (control, control_in) = crossbeam_channel::unbounded();
    let worker = Worker {
        frames: frames_in,
        control: control_in,
        runner: model.runner()?,
        model: model.clone(),
        alarms_per_hour: config.alarms_per_hour,
        ears: BTreeMap::new(),
        waiting: VecDeque::new(),
        windows: Vec::new(),
        asked: Vec::new(),
        shared,
        sink,
        cpu_ns: 0,
        until_account: 0,
        stopping: false,
    };
    let on_start = config.on_start;
    let thread = std::thread::Builder::new()
        .name(format!("listen-{index}"))
        .spawn(move || {
            on_start();
            worker.run();
        })
        .map_err(|e| ModelError::Thread(e.to_string()))?;
    Ok(Handle { frames, control, thread: Some(thread) })
}

struct Worker {
    frames: Receiver<TapFrame>,
    control: Receiver<Control>,
    runner: Runner,
    model: Model,
    alarms_per_hour: f32,
    ears: BTreeMap<LegId, Listener>,
    /// Callers with a due window, longest wait first.
    waiting: VecDeque<LegId>,
    /// The windows that the model is asked about, and whose they are.
    windows: Vec<f32>,
    asked: Vec<LegId>,
    shared: Arc<Shared>,
    sink: Arc<dyn Fn(Scored) + Send + Sync>,
    cpu_ns: u64,
    until_account: u32,
    stopping: bool,
}

struct Listener {
    ear: Ear,
    waiting: bool,
    due: Duration,
    quiet: u64,
}

impl Worker {
    fn run(mut self) {
        while !self.stopping {
            let took = self.take_frames();
            self.score_some();
            self.account();
            while let Ok(control) = self.control.try_recv() {
                self.handle_control(control);
            }
            if took > 0 || !self.waiting.is_empty() {
                continue;
            }
            match self.control.recv_timeout(NAP) {
                Ok(control) => self.handle_control(control),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn handle_control(&mut self, control: Control) {
        match control {
            Control::Open(leg) => {
                let ear = Ear::new(&self.model, self.alarms_per_hour);
                if self.ears.insert(leg, Listener { ear, waiting: false, due: Duration::ZERO, quiet: 0 }).is_none() {
                    self.shared.legs.fetch_add(1, Ordering::Relaxed);
                }
                self.waiting.retain(|waiting| *waiting != leg);
            }
            Control::Close(leg) => {
                if self.ears.remove(&leg).is_some() {
                    self.shared.legs.fetch_sub(1, Ordering::Relaxed);
                }
                self.waiting.retain(|waiting| *waiting != leg);
            }
            Control::Model(new) => {
                (self.model, self.runner) = *new;
                for listener in self.ears.values_mut() {
                    listener.ear.change_model(&self.model, self.alarms_per_hour);
                }
            }
            Control::Stop => self.stopping = true,
        }
    }

    fn take_frames(&mut self) -> usize {
        let mut took = 0;
        while took < MOST_AT_ONCE {
            let Ok(frame) = self.frames.try_recv() else { break };
            took += 1;
            self.handle_frame(&frame);
        }
        self.shared.frames.fetch_add(took as u64, Ordering::Relaxed);
        took
    }

    fn handle_frame(&mut self, frame: &TapFrame) {
        if !self.ears.contains_key(&frame.leg) {
            // The word that the leg is open was sent before its first packet, on the other channel.
            while let Ok(control) = self.control.try_recv() {
                self.handle_control(control);
            }
        }
        let Some(listener) = self.ears.get_mut(&frame.leg) else { return };
        let due = listener.ear.handle_packet(frame);
        let quiet = listener.ear.quiet_windows();
        self.shared.quiet.fetch_add(quiet - listener.quiet, Ordering::Relaxed);
        listener.quiet = quiet;
        if !due {
            return;
        }
        listener.due = listener.ear.media_time();
        if listener.waiting {
            self.shared.shed.fetch_add(1, Ordering::Relaxed);
        } else {
            listener.waiting = true;
            self.waiting.push_back(frame.leg);
        }
    }

    fn score_some(&mut self) {
        self.windows.clear();
        self.asked.clear();
        while self.asked.len() < self.model.most_at_once() {
            let Some(leg) = self.waiting.pop_front() else { break };
            let Some(listener) = self.ears.get_mut(&leg) else { continue };
            listener.waiting = false;
            if listener.ear.take_window(&mut self.windows) {
                self.asked.push(leg);
            }
        }
        let count = self.asked.len();
        if count == 0 {
            return;
        }
        let (started, shared) = (Instant::now(), &self.shared);
        let answers = match self.runner.run_all(&self.windows, count) {
            Ok(answers) => answers,
            Err(error) => {
                if shared.failed.fetch_add(count as u64, Ordering::Relaxed) == 0 {
                    tracing::error!(%error, "the prosody model fails; callers are not heard");
                }
                return;
            }
        };
        let spent = u64::try_from(started.elapsed().as_nanos()).unwrap_or(0);
        shared.model_ns.fetch_add(spent, Ordering::Relaxed);
        shared.windows.fetch_add(count as u64, Ordering::Relaxed);
        for (leg, answer) in self.asked.iter().zip(answers) {
            if let Some(listener) = self.ears.get_mut(leg) {
                let heard = listener.ear.handle_answer(&answer);
                let (at, due) = (listener.ear.media_time(), listener.due);
                (self.sink)(Scored { leg: *leg, at, due, score: heard.score, heard });
            }
        }
    }

    /// Adds this thread's CPU time since the last look, about twice a second.
    fn account(&mut self) {
        self.until_account = self.until_account.checked_sub(1).unwrap_or(25);
        if self.until_account > 0 {
            return;
        }
        let Some(now) = thread_cpu_ns() else { return };
        self.shared.cpu_ns.fetch_add(now.saturating_sub(self.cpu_ns), Ordering::Relaxed);
        self.cpu_ns = now;
    }
}

/// CPU time of the calling thread, from the scheduler's statistics (Linux).
pub fn thread_cpu_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}
