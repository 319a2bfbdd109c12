//! Running a model: windows in, answers out.

use crate::adapter::{Adapter, Form};
use crate::error::ModelError;
use crate::model::Answer;
use ort::session::Session;
use ort::value::{TensorRef, ValueType};
use prosody_features::{ROWS, SAMPLE_RATE, WINDOW_FRAMES, resample};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The contract's outputs and their sizes.
const OUTPUTS: [(&str, usize); 4] = [("emotion", 6), ("anger", 1), ("arousal", 1), ("speech_ratio", 1)];

/// A session, for one thread.
pub struct Runner {
    session: Session,
    form: Form,
    adapter: Option<Arc<Adapter>>,
}

impl Runner {
    pub(crate) const fn new(session: Session, form: Form, adapter: Option<Arc<Adapter>>) -> Self {
        Self { session, form, adapter }
    }

    pub(crate) const fn session(&self) -> &Session {
        &self.session
    }

    /// Scores one window, as an ear hands it over.
    ///
    /// # Errors
    /// When the runtime fails or answers with something that is no probability.
    pub fn run(&mut self, window: &[f32]) -> Result<Answer, ModelError> {
        Ok(self.run_all(window, 1)?[0])
    }

    /// Scores `count` windows that lie one after the other, at once; as many answers.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_all(&mut self, windows: &[f32], count: usize) -> Result<Vec<Answer>, ModelError> {
        let values = self.form.values();
        if count == 0 || windows.len() != count * values {
            return Err(ModelError::Runtime(format!(
                "{count} windows have {} values, not {values} each",
                windows.len()
            )));
        }
        match self.form {
            Form::Features => self.ask(windows, &[count, ROWS, WINDOW_FRAMES]),
            Form::Waveform { rate, normalise, .. } => {
                let waves = windows.chunks_exact(values).map(|window| prepare(window, rate, normalise));
                let waves = waves.collect::<Result<Vec<_>, _>>()?;
                self.ask(&waves.concat(), &[count, waves[0].len()])
            }
        }
    }

    fn ask(&mut self, values: &[f32], shape: &[usize]) -> Result<Vec<Answer>, ModelError> {
        let failed = |e: ort::Error| ModelError::Runtime(e.to_string());
        let input = TensorRef::from_array_view((shape, values)).map_err(failed)?;
        let (session, adapter, count) = (&mut self.session, self.adapter.as_deref(), shape[0]);
        let ran = catch_unwind(AssertUnwindSafe(|| -> Result<Vec<Answer>, ModelError> {
            let outputs = session.run([input.into()]).map_err(failed)?;
            let mut found = BTreeMap::new();
            for (name, value) in outputs.iter() {
                if let Ok((_, values)) = value.try_extract_tensor::<f32>() {
                    found.insert(name.to_owned(), values.to_vec());
                }
            }
            let one = |i: usize| {
                let mine = found.iter().map(|(name, values)| {
                    let each = values.len() / count;
                    (name.as_str(), &values[i * each..(i + 1) * each])
                });
                let mine: BTreeMap<&str, &[f32]> = mine.collect();
                adapter.map_or_else(|| understand(&mine), |adapter| adapter.understand(&mine, 1.0))
            };
            (0..count).map(one).collect::<Result<_, _>>().map_err(ModelError::Runtime)
        }));
        let panicked = |_| Err(ModelError::Runtime("it panicked while running the model".into()));
        let answers = ran.unwrap_or_else(panicked)?;
        let sane = |answer: &Answer| answer.values().iter().all(|p| (-1e-3..=1.001).contains(p));
        if answers.iter().all(sane) {
            Ok(answers)
        } else {
            Err(ModelError::Runtime("an output is no probability".into()))
        }
    }
}

fn understand(outputs: &BTreeMap<&str, &[f32]>) -> Result<Answer, String> {
    let mut flat = [0.0f32; 9];
    let mut at = 0;
    for (name, len) in OUTPUTS {
        let values = outputs.get(name).ok_or_else(|| format!("no output {name}"))?;
        if values.len() != len {
            return Err(format!("{name} has {} values, not {len}", values.len()));
        }
        flat[at..at + len].copy_from_slice(values);
        at += len;
    }
    let mut answer = Answer { anger: flat[6], arousal: flat[7], speech_ratio: flat[8], ..Answer::default() };
    answer.emotion.copy_from_slice(&flat[..6]);
    Ok(answer)
}

/// Samples at 8 kHz as the model wants them.
fn prepare(window: &[f32], rate: u32, normalise: bool) -> Result<Vec<f32>, ModelError> {
    let mut wave = resample::to(window.to_vec(), SAMPLE_RATE, rate).map_err(ModelError::Runtime)?;
    if normalise {
        let mean = wave.iter().sum::<f32>() / wave.len() as f32;
        let power = wave.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / wave.len() as f32;
        let scale = 1.0 / (power + 1e-7).sqrt();
        wave.iter_mut().for_each(|s| *s = (*s - mean) * scale);
    }
    Ok(wave)
}

/// Whether inputs and outputs are as wanted; true when any number of windows may be asked at once.
pub(crate) fn check_shapes(session: &Session, form: Form, adapter: Option<&Adapter>) -> Result<bool, String> {
    let [input] = session.inputs() else {
        return Err(format!("it has {} inputs; it must have one", session.inputs().len()));
    };
    let (wanted, sizes) = match (form, adapter) {
        (Form::Waveform { rate, frames, .. }, Some(adapter)) => {
            (adapter.input.as_str(), vec![(frames as u64 * u64::from(rate) / 50) as i64])
        }
        (_, adapter) => (adapter.map_or("features", |adapter| &adapter.input), vec![ROWS as i64, WINDOW_FRAMES as i64]),
    };
    let shape = dims(input.dtype());
    let fits = shape.as_deref().is_some_and(|shape| fits(shape, &sizes));
    if input.name() != wanted || !fits {
        let (name, shape) = (input.name(), shape.unwrap_or_default());
        return Err(format!("its input is `{name}` {shape:?} instead of `{wanted}` [1 or N, {}]", list(&sizes)));
    }
    match adapter {
        None => OUTPUTS.iter().try_for_each(|(name, len)| check_output(session, name, Some(*len)))?,
        Some(adapter) => {
            check_output(session, &adapter.emotion.output, Some(adapter.emotion.labels.len()))?;
            for (name, _) in adapter.anger.iter().chain(&adapter.arousal) {
                check_output(session, name, None)?;
            }
        }
    }
    Ok(shape.is_some_and(|shape| shape.first() == Some(&-1)))
}

fn check_output(session: &Session, name: &str, len: Option<usize>) -> Result<(), String> {
    let Some(output) = session.outputs().iter().find(|output| output.name() == name) else {
        let known: Vec<&str> = session.outputs().iter().map(ort::value::Outlet::name).collect();
        return Err(format!("the output `{name}` is missing; there are {}", known.join(", ")));
    };
    let shape = dims(output.dtype()).unwrap_or_default();
    match len {
        // Some exporters leave the last size open; then the first run tells.
        Some(len) if !fits(&shape, &[len as i64]) => {
            Err(format!("its output `{name}` is {shape:?} instead of [1 or N, {len}]"))
        }
        _ => Ok(()),
    }
}

/// One window or any number of them, each of these sizes.
fn fits(shape: &[i64], sizes: &[i64]) -> bool {
    let fits = |(got, wanted): (&i64, &i64)| got == wanted || *got == -1;
    shape.len() == sizes.len() + 1 && matches!(shape[0], 1 | -1) && shape[1..].iter().zip(sizes).all(fits)
}

fn dims(dtype: &ValueType) -> Option<Vec<i64>> {
    match dtype {
        ValueType::Tensor { shape, .. } => Some(shape.to_vec()),
        _ => None,
    }
}

fn list(sizes: &[i64]) -> String {
    sizes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}
