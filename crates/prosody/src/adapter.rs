//! An adapter: a TOML file that says how a model which knows nothing of our contract is asked and understood.
//!
//! Its form is documented in `models/CONTRACT.md`, "Other models".

use crate::calibration::Calibration;
use crate::metadata::Metadata;
use crate::model::Answer;
use call_model::Emotion;
use prosody_features::{FRAME_SAMPLES, SAMPLE_RATE, WINDOW_FRAMES};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// An adapter of more than this is a mistake.
const MOST_BYTES: u64 = 1 << 20;

/// How a foreign model is asked and understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    pub(crate) metadata: Metadata,
    pub(crate) form: Form,
    pub(crate) hop_frames: usize,
    pub(crate) input: String,
    pub(crate) emotion: Emotions,
    /// Output and its index; without one, what the classes say.
    pub(crate) anger: Option<(String, usize)>,
    pub(crate) arousal: Option<(String, usize)>,
    pub(crate) most_bytes: u64,
}

/// What a window of a model is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// The contract's features, `[N, 64, 150]`.
    Features,
    /// Samples, `[N, frames x 20 ms]`.
    Waveform {
        /// Samples per second that the model wants.
        rate: u32,
        /// Length in frames of 20 ms.
        frames: usize,
        /// Whether every window is brought to mean 0 and variance 1, as wav2vec2 wants it.
        normalise: bool,
    },
}

impl Form {
    /// Frames of 20 ms in a window.
    pub const fn frames(self) -> usize {
        match self {
            Self::Features => WINDOW_FRAMES,
            Self::Waveform { frames, .. } => frames,
        }
    }

    /// Values in a window as an ear hands it over: features, or samples at 8 kHz.
    pub const fn values(self) -> usize {
        match self {
            Self::Features => prosody_features::WINDOW_VALUES,
            Self::Waveform { frames, .. } => frames * FRAME_SAMPLES,
        }
    }
}

/// Which output names the classes, and which of ours each of its values is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Emotions {
    pub(crate) output: String,
    pub(crate) labels: Vec<Option<Emotion>>,
    pub(crate) values: Values,
}

/// What the numbers of an output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Values {
    #[default]
    Logits,
    Probabilities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    version: String,
    licence: String,
    #[serde(default)]
    training_sets: String,
    #[serde(default = "default_mb")]
    max_mb: u64,
    input: InputPart,
    emotion: EmotionPart,
    anger: Option<Place>,
    arousal: Option<Place>,
    calibration: Option<Calibration>,
    golden_output: Option<[f32; 9]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputPart {
    name: String,
    form: String,
    #[serde(default = "default_rate")]
    rate: u32,
    #[serde(default = "default_window")]
    window_s: f64,
    #[serde(default = "default_hop")]
    hop_s: f64,
    #[serde(default)]
    normalise: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmotionPart {
    output: String,
    labels: Vec<String>,
    #[serde(default)]
    values: Values,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    output: String,
    #[serde(default)]
    index: usize,
}

const fn default_mb() -> u64 {
    512
}

const fn default_rate() -> u32 {
    16_000
}

const fn default_window() -> f64 {
    3.0
}

const fn default_hop() -> f64 {
    1.0
}

impl Adapter {
    /// Reads an adapter.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, String> {
        let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
        if size > MOST_BYTES {
            return Err(format!("it has {size} octets; an adapter has a hundred or so lines"));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(|e| e.to_string())?)
    }

    /// The same from text.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        let frames = |seconds: f64, key: &str, most: f64| {
            let frames = (seconds * 50.0).round();
            let fits = (0.02..=most).contains(&seconds) && (frames / 50.0 - seconds).abs() < 1e-6;
            if fits { Ok(frames as usize) } else { Err(format!("input.{key} must be a multiple of 0.02 up to {most}")) }
        };
        let window = frames(file.input.window_s, "window_s", 30.0)?;
        let form = match file.input.form.as_str() {
            "features" if window == WINDOW_FRAMES => Form::Features,
            "features" => return Err("input.window_s is 3 for features".into()),
            "waveform" if (SAMPLE_RATE..=48_000).contains(&file.input.rate) => {
                Form::Waveform { rate: file.input.rate, frames: window, normalise: file.input.normalise }
            }
            "waveform" => return Err(format!("input.rate must lie between {SAMPLE_RATE} and 48000")),
            other => return Err(format!("input.form is {other:?}; \"features\" and \"waveform\" are known")),
        };
        let labels = file.emotion.labels.iter().map(|label| class(label)).collect::<Result<Vec<_>, _>>()?;
        if !labels.contains(&Some(Emotion::Angry)) && file.anger.is_none() {
            return Err("nothing says what anger is: name \"angry\" in emotion.labels, or write [anger]".into());
        }
        if !(1..=4096).contains(&file.max_mb) {
            return Err("max_mb must lie between 1 and 4096".into());
        }
        let place = |place: Place| (place.output, place.index);
        Ok(Self {
            metadata: Metadata {
                name: file.name,
                version: file.version,
                training_sets: file.training_sets,
                licence: file.licence,
                calibration: file.calibration.map_or_else(|| Ok(guessed()), Calibration::checked)?,
                golden: file.golden_output,
            },
            form,
            hop_frames: frames(file.input.hop_s, "hop_s", 10.0)?,
            input: file.input.name,
            emotion: Emotions { output: file.emotion.output, labels, values: file.emotion.values },
            anger: file.anger.map(place),
            arousal: file.arousal.map(place),
            most_bytes: file.max_mb << 20,
        })
    }

    /// What it says about the model.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What the model's windows are made of.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The largest file it allows.
    pub const fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// The outputs, by name, as one answer. `speech` is the share that our own gate heard.
    pub(crate) fn understand(&self, outputs: &BTreeMap<&str, &[f32]>, speech: f32) -> Result<Answer, String> {
        let get = |name: &str| outputs.get(name).copied().ok_or_else(|| format!("no output `{name}`"));
        let mut answer = Answer { speech_ratio: speech, ..Answer::default() };
        let values = get(&self.emotion.output)?;
        if values.len() != self.emotion.labels.len() {
            let (got, wanted) = (values.len(), self.emotion.labels.len());
            return Err(format!("`{}` has {got} values for {wanted} labels", self.emotion.output));
        }
        let shares = self.emotion.values.shares(values);
        for (share, class) in shares.iter().zip(&self.emotion.labels) {
            if let Some(slot) = class.and_then(|class| answer.emotion.get_mut(class as usize)) {
                *slot += share;
            }
        }
        let [_, happy, _, angry, fear, _] = answer.emotion;
        let at = |place: &Option<(String, usize)>, otherwise: f32| -> Result<f32, String> {
            let Some((name, index)) = place else { return Ok(otherwise) };
            let value = get(name)?.get(*index).ok_or_else(|| format!("`{name}` has no value {index}"))?;
            Ok(value.clamp(0.0, 1.0))
        };
        answer.anger = at(&self.anger, angry)?;
        answer.arousal = at(&self.arousal, (happy + angry + fear).min(1.0))?;
        Ok(answer)
    }
}

impl Values {
    fn shares(self, values: &[f32]) -> Vec<f32> {
        match self {
            Self::Probabilities => values.to_vec(),
            Self::Logits => {
                let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let powers: Vec<f32> = values.iter().map(|value| (value - most).exp()).collect();
                let sum: f32 = powers.iter().sum();
                powers.iter().map(|power| power / sum).collect()
            }
        }
    }
}

/// Which of ours a label is; `-` and `surprise` are none.
fn class(label: &str) -> Result<Option<Emotion>, String> {
    let known = match label {
        "calm" | "boredom" | "neutral" => Emotion::Neutral,
        "happy" => Emotion::Happy,
        "sad" => Emotion::Sad,
        "angry" => Emotion::Angry,
        "fear" => Emotion::Fear,
        "disgust" => Emotion::Disgust,
        "surprise" | "-" => return Ok(None),
        other => {
            return Err(format!(
                "the label {other:?} is unknown: write neutral, happy, sad, angry, fear, disgust, or - for any other"
            ));
        }
    };
    Ok(Some(known))
}

/// For an adapter that was never calibrated: half anger, half not, against the caller's own beginning.
fn guessed() -> Calibration {
    Calibration {
        threshold_per_hour: BTreeMap::from([("1".to_owned(), 2.0)]),
        scale: 1.0,
        population_logit: -2.0,
        hours: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAVE: &str = r#"
        name = "big"
        version = "1"
        licence = "CC BY-NC 4.0"
        [input]
        name = "input_values"
        form = "waveform"
        normalise = true
        [emotion]
        output = "logits"
        labels = ["angry", "happy", "-", "neutral"]
    "#;

    #[test]
    fn logits_become_our_classes_and_what_is_no_class_of_ours_counts_for_none() {
        let adapter = Adapter::parse(WAVE).expect("in order");
        assert_eq!(adapter.form, Form::Waveform { rate: 16_000, frames: 150, normalise: true });
        let outputs = BTreeMap::from([("logits", &[1.0, 1.0, 1.0, 1.0][..])]);
        let answer = adapter.understand(&outputs, 0.7).expect("understood");
        assert_eq!((answer.anger, answer.arousal, answer.speech_ratio), (0.25, 0.5, 0.7));
        assert_eq!(answer.emotion, [0.25, 0.25, 0.0, 0.25, 0.0, 0.0]);
        assert!(adapter.understand(&BTreeMap::from([("logits", &[1.0][..])]), 0.7).is_err());
        assert!(adapter.understand(&BTreeMap::new(), 0.7).is_err());
    }

    #[test]
    fn anger_and_arousal_may_have_outputs_of_their_own() {
        let text = format!("{WAVE}\n[anger]\noutput = \"vad\"\nindex = 1\n[arousal]\noutput = \"vad\"\n");
        let adapter = Adapter::parse(&text).expect("in order");
        let outputs = BTreeMap::from([("logits", &[0.0; 4][..]), ("vad", &[0.9, 0.1][..])]);
        let answer = adapter.understand(&outputs, 1.0).expect("understood");
        assert_eq!((answer.anger, answer.arousal), (0.1, 0.9));
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, told) in [
            ("\"angry\", \"happy\"", "\"sad\", \"happy\"", "anger"),
            ("\"-\"", "\"cheerful\"", "\"cheerful\""),
            ("\"waveform\"", "\"pictures\"", "\"pictures\""),
            ("normalise = true", "rate = 4000", "input.rate"),
            ("normalise = true", "hop_s = 0.33", "input.hop_s"),
            ("normalise = true", "tempo = 1", "tempo"),
            ("licence = \"CC BY-NC 4.0\"", "", "licence"),
        ] {
            let why = Adapter::parse(&WAVE.replace(from, to)).expect_err("refused");
            assert!(why.contains(told), "{why}");
        }
    }
}
