//! Loading and checking a model: one of the contract, or any other with an adapter.

use crate::adapter::{Adapter, Form};
use crate::ear::HOP_FRAMES;
use crate::error::ModelError;
use crate::metadata::Metadata;
use crate::onnx::{self, Inspection};
use crate::runner::{self, Runner};
use crate::runtime::{self, Refused, Runtime};
use call_model::Emotion;
use core::time::Duration;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use prosody_features::{BANDS, ROWS, WINDOW_FRAMES, WINDOW_VALUES};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// How far an output may be from the golden vector. Runtimes differ in the sixth digit; wrong ones in the first.
const GOLDEN_TOLERANCE: f32 = 2e-3;
/// The model, and the same for any N: libonnxruntime takes several windows at once, tract does not.
const SHIPPED: &[u8] = include_bytes!("../../../models/prosody.onnx");
const SHIPPED_BATCH: &[u8] = include_bytes!("../../../models/prosody-batch.onnx");
/// Most windows that a model is given at once.
pub const MOST_WINDOWS: usize = 8;
/// Runs that tell what a window costs.
const TRIALS: usize = 3;

/// Which model and which runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// An ONNX file that fulfils `models/CONTRACT.md`; the shipped model when absent.
    pub path: Option<PathBuf>,
    /// For a model that does not fulfil it: how to ask and understand it.
    pub adapter: Option<PathBuf>,
    /// libonnxruntime (1.24 or later) to use; an error when it does not load. When absent, the one that the environment
    /// variable `WARMLINE_ONNXRUNTIME` names, or pure-Rust tract when there is none or it does not load.
    pub onnxruntime: Option<PathBuf>,
    /// How long loading and trying it may take.
    pub deadline: Duration,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { path: None, adapter: None, onnxruntime: None, deadline: Duration::from_secs(60) }
    }
}

/// A model that passed its checks. Cheap to clone; every worker makes a [`Runner`] of its own.
#[derive(Clone)]
pub struct Model {
    bytes: Arc<[u8]>,
    metadata: Arc<Metadata>,
    adapter: Option<Arc<Adapter>>,
    form: Form,
    name: String,
    runtime: &'static Runtime,
    most_at_once: usize,
    window_ms: f64,
}

impl Model {
    /// Loads a model, checks names, shapes and metadata, and runs its golden vector. On a thread of its own, because
    /// only that can be given a deadline; one that hangs keeps its thread until the process ends.
    ///
    /// # Errors
    /// When the file is unreadable, no model of this contract, computes something else than its author saw, or is not
    /// ready in time.
    pub fn load(config: &ModelConfig) -> Result<Self, ModelError> {
        let file = config.path.as_deref().map_or("the shipped model".to_owned(), |path| path.display().to_string());
        let (done, ready) = mpsc::channel();
        let (owned, name) = (config.clone(), file.clone());
        let started = std::thread::Builder::new().name("model".to_owned()).spawn(move || {
            // Nobody waits any more when the deadline has passed.
            let _ = done.send(Self::load_now(&owned, name));
        });
        started.map_err(|e| ModelError::Thread(e.to_string()))?;
        match ready.recv_timeout(config.deadline) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(ModelError::Slow { model: file, seconds: config.deadline.as_secs() })
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(ModelError::Runtime(format!("it panicked while loading {file}")))
            }
        }
    }

    fn load_now(config: &ModelConfig, file: String) -> Result<Self, ModelError> {
        let adapter = config.adapter.as_deref().map(read_adapter).transpose()?.map(Arc::new);
        let runtime = runtime::get(config.onnxruntime.as_deref()).map_err(|refused| match refused {
            Refused::Library { path, why } => ModelError::Library { path, why },
            Refused::Runtime(why) => ModelError::Runtime(why),
        })?;
        let bytes: Arc<[u8]> = match &config.path {
            None if runtime.batches() => SHIPPED_BATCH.into(),
            None => SHIPPED.into(),
            Some(path) => read(path, adapter.as_ref().map_or(onnx::MOST_BYTES, |adapter| adapter.most_bytes))?.into(),
        };
        let contract = |why: String| ModelError::Contract { model: file.clone(), why };
        let inspection = Inspection::read(&bytes).map_err(contract)?;
        let metadata = match &adapter {
            Some(adapter) => adapter.metadata.clone(),
            None => Metadata::of_props(&inspection.props).map_err(contract)?,
        };
        let mut model = Self {
            name: format!("{} {}", metadata.name, metadata.version),
            form: adapter.as_ref().map_or(Form::Features, |adapter| adapter.form),
            bytes,
            metadata: Arc::new(metadata),
            adapter,
            runtime,
            most_at_once: 1,
            window_ms: f64::NAN,
        };
        let mut runner = model.runner().map_err(|e| contract(e.to_string()))?;
        let any = runner::check_shapes(runner.session(), model.form, model.adapter()).map_err(contract)?;
        if any && runtime.batches() {
            model.most_at_once = MOST_WINDOWS;
        }
        model.check_golden(&mut runner, &file)?;
        model.window_ms = model.measure(&mut runner)?;
        Ok(model)
    }

    /// Name and version.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The runtime: `tract` or `onnxruntime`.
    pub fn backend(&self) -> &'static str {
        self.runtime.name
    }

    /// Where libonnxruntime was found, when it is used.
    pub fn library(&self) -> Option<&Path> {
        self.runtime.library.as_deref()
    }

    /// What the file, or its adapter, says about the model.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What its windows are made of.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Frames from one window to the next.
    pub fn hop_frames(&self) -> usize {
        self.adapter().map_or(HOP_FRAMES, |adapter| adapter.hop_frames)
    }

    /// Windows it may be given at once.
    pub const fn most_at_once(&self) -> usize {
        self.most_at_once
    }

    /// What one window costs on this machine, milliseconds of one core, the best of a few trials.
    pub const fn window_ms(&self) -> f64 {
        self.window_ms
    }

    /// The answers to the golden input: what an adapter's `golden_output` may hold.
    ///
    /// # Errors
    /// When the model fails while running.
    pub fn golden_answer(&self) -> Result<[f32; 9], ModelError> {
        Ok(self.runner()?.run(&golden_window(self.form))?.values())
    }

    pub(crate) fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_deref()
    }

    /// A session for one thread.
    ///
    /// # Errors
    /// When the runtime refuses the file.
    pub fn runner(&self) -> Result<Runner, ModelError> {
        let made = catch_unwind(AssertUnwindSafe(|| -> ort::Result<Session> {
            Session::builder(&self.runtime.environment)?
                .with_intra_threads(1)?
                .with_optimization_level(GraphOptimizationLevel::Level3)?
                .commit_from_memory(&self.bytes)
        }));
        let session = made
            .map_err(|_| ModelError::Runtime("it panicked while reading the model".into()))?
            .map_err(|e| ModelError::Runtime(e.to_string()))?;
        Ok(Runner::new(session, self.form, self.adapter.clone()))
    }

    fn check_golden(&self, runner: &mut Runner, file: &str) -> Result<(), ModelError> {
        let got = runner.run(&golden_window(self.form))?.values();
        let names = ["neutral", "happy", "sad", "angry", "fear", "disgust", "anger", "arousal", "speech_ratio"];
        for ((name, got), wanted) in names.iter().zip(got).zip(self.metadata.golden.unwrap_or(got)) {
            // NaN is not close to anything.
            let close = (got - wanted).abs() <= GOLDEN_TOLERANCE;
            if !close {
                return Err(ModelError::Golden {
                    model: file.into(),
                    backend: self.backend().into(),
                    output: (*name).into(),
                    got,
                    wanted,
                });
            }
        }
        Ok(())
    }

    fn measure(&self, runner: &mut Runner) -> Result<f64, ModelError> {
        let window = golden_window(self.form);
        let mut best = f64::INFINITY;
        for _ in 0..TRIALS {
            let started = Instant::now();
            runner.run(&window)?;
            best = best.min(started.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(best)
    }
}

impl core::fmt::Debug for Model {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Model({} on {})", self.name, self.backend())
    }
}

fn read_adapter(path: &Path) -> Result<Adapter, ModelError> {
    Adapter::load(path).map_err(|why| ModelError::Adapter { path: path.display().to_string(), why })
}

/// An ONNX file of at most so many octets.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, ModelError> {
    let unreadable = |why: String| ModelError::Unreadable { path: path.display().to_string(), why };
    let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
    if size > most {
        return Err(unreadable(format!("it has {size} octets; the limit is {most}")));
    }
    std::fs::read(path).map_err(|e| unreadable(e.to_string()))
}

/// What the model says about one window. All values 0..1.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Answer {
    /// Class probabilities, in the order of [`Emotion::ALL`].
    pub emotion: [f32; 6],
    /// Anger.
    pub anger: f32,
    /// Activation.
    pub arousal: f32,
    /// Share of speech.
    pub speech_ratio: f32,
}

impl Answer {
    /// The likeliest class and its probability.
    pub fn top(&self) -> (Emotion, f32) {
        let scored = Emotion::ALL.into_iter().zip(self.emotion);
        scored.fold((Emotion::Neutral, 0.0), |best, this| if this.1 > best.1 { this } else { best })
    }

    /// The anger logit, kept within plus or minus 8.
    pub fn anger_logit(&self) -> f32 {
        let p = self.anger.clamp(1e-6, 1.0 - 1e-6);
        (p / (1.0 - p)).ln().clamp(-8.0, 8.0)
    }

    /// All nine: classes, anger, arousal, speech ratio.
    pub fn values(&self) -> [f32; 9] {
        let mut values = [0.0; 9];
        values[..6].copy_from_slice(&self.emotion);
        values[6..].copy_from_slice(&[self.anger, self.arousal, self.speech_ratio]);
        values
    }
}

/// The golden input of the contract: a wandering buzz over a noise floor, by integer arithmetic, so that anyone can
/// make it again (`golden_input()` in `models/training/export.py` is the same).
pub fn golden_input() -> Vec<f32> {
    let mut seed = 12345u32;
    let mut out = Vec::with_capacity(WINDOW_VALUES);
    for row in 0..ROWS {
        for frame in 0..WINDOW_FRAMES {
            let random = random(&mut seed);
            let wave = ((frame / 8 + row / 3) % 7) as f64 / 7.0;
            let value = if row < BANDS { -9.0 + 6.0 * wave + random } else { 0.3 * wave * random };
            out.push(value as f32);
        }
    }
    out
}

/// For waveforms it is noise that comes and goes eight times a second.
fn golden_window(form: Form) -> Vec<f32> {
    if form == Form::Features {
        return golden_input();
    }
    let mut seed = 12345u32;
    let loudness = |i: usize| [0.02, 0.3][i / 500 % 2];
    (0..form.values()).map(|i| ((random(&mut seed) - 0.5) * loudness(i)) as f32).collect()
}

fn random(seed: &mut u32) -> f64 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    f64::from(*seed >> 8) / f64::from(1u32 << 24)
}
