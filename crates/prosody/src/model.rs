//! Loading, checking and running a model of the contract.

use crate::metadata::Metadata;
use crate::runtime::{self, Refused, Runtime};
use call_model::Emotion;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorRef, ValueType};
use prosody_features::{BANDS, ROWS, WINDOW_FRAMES, WINDOW_VALUES};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// Larger files are refused unread: they could not run in real time anyway.
const MOST_BYTES: u64 = 64 << 20;
/// How far an output may be from the golden vector. Runtimes differ in the sixth digit; wrong ones in the first.
const GOLDEN_TOLERANCE: f32 = 2e-3;
const SHIPPED: &[u8] = include_bytes!("../../../models/prosody.onnx");
const OUTPUTS: [(&str, usize); 4] = [("emotion", 6), ("anger", 1), ("arousal", 1), ("speech_ratio", 1)];

/// Which model and which runtime.
#[derive(Clone, Debug, Default)]
pub struct ModelConfig {
    /// An ONNX file that fulfils `models/CONTRACT.md`; the shipped model when absent.
    pub path: Option<PathBuf>,
    /// libonnxruntime (1.24 or later) to use; an error when it does not load. When absent, the one that the environment
    /// variable `WARMLINE_ONNXRUNTIME` names, or pure-Rust tract when there is none or it does not load.
    pub onnxruntime: Option<PathBuf>,
}

/// Why a model cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read the model {path}: {why}; give a readable file, or none for the shipped model")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The file is no model of this contract.
    #[error("{model} does not fulfil the model contract: {why}; see models/CONTRACT.md")]
    Contract {
        /// The file.
        model: String,
        /// What is missing or wrong.
        why: String,
    },
    /// The runtime computes something else than the model's author saw.
    #[error(
        "{model} fails its golden vector on {backend}: {output} is {got:.4} instead of {wanted:.4}; the file is \
         damaged, or this runtime computes it wrongly (tract needs a float32 file exported with N = 1): use the \
         shipped model, or name libonnxruntime in WARMLINE_ONNXRUNTIME"
    )]
    Golden {
        /// The file.
        model: String,
        /// The runtime.
        backend: String,
        /// Which output.
        output: String,
        /// What came out.
        got: f32,
        /// What the metadata says.
        wanted: f32,
    },
    /// The library asked for cannot be used.
    #[error(
        "cannot use libonnxruntime {path}: {why}; name libonnxruntime.so of version 1.24 or later, or none for the \
         pure-Rust backend"
    )]
    Library {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The runtime failed.
    #[error("the ONNX runtime failed: {0}")]
    Runtime(String),
    /// A thread could not be started.
    #[error("cannot start a listening thread: {0}")]
    Thread(String),
    /// A recording cannot be read.
    #[error("cannot read the recording {path}: {why}")]
    Recording {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A model that passed its checks. Cheap to clone; every worker makes a [`Runner`] of its own.
#[derive(Clone)]
pub struct Model {
    bytes: Arc<[u8]>,
    metadata: Arc<Metadata>,
    name: String,
    runtime: &'static Runtime,
}

impl Model {
    /// Loads a model, checks names, shapes and metadata, and runs its golden vector.
    ///
    /// # Errors
    /// When the file is unreadable, no model of this contract, or computes something else than its author saw.
    pub fn load(config: &ModelConfig) -> Result<Self, ModelError> {
        let (bytes, file): (Arc<[u8]>, String) = match &config.path {
            None => (SHIPPED.into(), "the shipped model".into()),
            Some(path) => {
                let unreadable = |why: String| ModelError::Unreadable { path: path.display().to_string(), why };
                let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
                if size > MOST_BYTES {
                    return Err(unreadable(format!("it has {size} octets; the limit is {MOST_BYTES}")));
                }
                (std::fs::read(path).map_err(|e| unreadable(e.to_string()))?.into(), path.display().to_string())
            }
        };
        let contract = |why: String| ModelError::Contract { model: file.clone(), why };
        let metadata = Arc::new(Metadata::read(&bytes).map_err(contract)?);
        let runtime = runtime::get(config.onnxruntime.as_deref()).map_err(|refused| match refused {
            Refused::Library { path, why } => ModelError::Library { path, why },
            Refused::Runtime(why) => ModelError::Runtime(why),
        })?;
        let model = Self { name: format!("{} {}", metadata.name, metadata.version), bytes, metadata, runtime };
        let mut runner = model.runner().map_err(|e| contract(e.to_string()))?;
        check_shapes(&runner.session).map_err(contract)?;
        model.check_golden(&mut runner, &file)?;
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

    /// What the file says about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
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
        Ok(Runner { session })
    }

    fn check_golden(&self, runner: &mut Runner, file: &str) -> Result<(), ModelError> {
        let answer = runner.run(&golden_input())?;
        let mut got = [0.0; 9];
        got[..6].copy_from_slice(&answer.emotion);
        got[6..].copy_from_slice(&[answer.anger, answer.arousal, answer.speech_ratio]);
        let names = ["neutral", "happy", "sad", "angry", "fear", "disgust", "anger", "arousal", "speech_ratio"];
        for ((name, got), wanted) in names.iter().zip(got).zip(self.metadata.golden) {
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
}

impl core::fmt::Debug for Model {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Model({} on {})", self.name, self.backend())
    }
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
}

/// A session, for one thread.
pub struct Runner {
    session: Session,
}

impl Runner {
    /// Scores one window of features (`[64, 150]`, row by row).
    ///
    /// # Errors
    /// When the runtime fails or answers with something that is no probability.
    pub fn run(&mut self, window: &[f32]) -> Result<Answer, ModelError> {
        let failed = |e: ort::Error| ModelError::Runtime(e.to_string());
        if window.len() != WINDOW_VALUES {
            return Err(ModelError::Runtime(format!("a window has {WINDOW_VALUES} values, not {}", window.len())));
        }
        let shape = [1usize, ROWS, WINDOW_FRAMES];
        let input = TensorRef::from_array_view((shape, window)).map_err(failed)?;
        let session = &mut self.session;
        let ran = catch_unwind(AssertUnwindSafe(|| -> Result<Answer, ModelError> {
            let outputs = session.run(ort::inputs!["features" => input]).map_err(failed)?;
            let mut flat = [0.0f32; 9];
            let mut at = 0;
            for (name, len) in OUTPUTS {
                let value = outputs.get(name).ok_or_else(|| ModelError::Runtime(format!("no output {name}")))?;
                let (_, values) = value.try_extract_tensor::<f32>().map_err(failed)?;
                if values.len() != len {
                    return Err(ModelError::Runtime(format!("{name} has {} values, not {len}", values.len())));
                }
                flat[at..at + len].copy_from_slice(values);
                at += len;
            }
            if !flat.iter().all(|p| (-1e-3..=1.001).contains(p)) {
                return Err(ModelError::Runtime("an output is no probability".into()));
            }
            let mut answer = Answer { anger: flat[6], arousal: flat[7], speech_ratio: flat[8], ..Answer::default() };
            answer.emotion.copy_from_slice(&flat[..6]);
            Ok(answer)
        }));
        ran.unwrap_or_else(|_| Err(ModelError::Runtime("it panicked while running the model".into())))
    }
}

fn check_shapes(session: &Session) -> Result<(), String> {
    let fits = |shape: Option<&[i64]>, wanted: &[i64]| {
        shape.is_some_and(|shape| {
            shape.len() == wanted.len() && shape.iter().zip(wanted).all(|(got, wanted)| got == wanted || *got == -1)
        })
    };
    let dims = |dtype: &ValueType| match dtype {
        ValueType::Tensor { shape, .. } => Some(shape.to_vec()),
        _ => None,
    };
    let [input] = session.inputs() else {
        return Err(format!("it has {} inputs instead of the one named `features`", session.inputs().len()));
    };
    let shape = dims(input.dtype());
    if input.name() != "features" || !fits(shape.as_deref(), &[1, ROWS as i64, WINDOW_FRAMES as i64]) {
        let name = input.name();
        return Err(format!("its input is `{name}` {shape:?} instead of `features` [1 or N, {ROWS}, {WINDOW_FRAMES}]"));
    }
    for (name, len) in OUTPUTS {
        let Some(output) = session.outputs().iter().find(|output| output.name() == name) else {
            return Err(format!("the output `{name}` is missing"));
        };
        let shape = dims(output.dtype());
        if !fits(shape.as_deref(), &[1, len as i64]) {
            return Err(format!("its output `{name}` is {shape:?} instead of [1 or N, {len}]"));
        }
    }
    Ok(())
}

/// The golden input of the contract: a wandering buzz over a noise floor, by integer arithmetic, so that anyone can
/// make it again (`golden_input()` in `models/training/export.py` is the same).
pub fn golden_input() -> Vec<f32> {
    let mut seed = 12345u32;
    let mut out = Vec::with_capacity(WINDOW_VALUES);
    for row in 0..ROWS {
        for frame in 0..WINDOW_FRAMES {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = f64::from(seed >> 8) / f64::from(1u32 << 24);
            let wave = ((frame / 8 + row / 3) % 7) as f64 / 7.0;
            let value = if row < BANDS { -9.0 + 6.0 * wave + random } else { 0.3 * wave * random };
            out.push(value as f32);
        }
    }
    out
}
