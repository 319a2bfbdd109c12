//! From the media threads' tap to the voice model and back to the switchboard as facts.

use crate::config::ListenSettings;
use crate::inbox::{Inbox, Input};
use call_model::{FactKind, MediaCommand, TapFrame};
use http_api::{Hub, Metric};
use prosody::{Model, ModelError, Scored, Scorer, ScorerConfig};
use rtp_proto::TapSink;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The scorer, when any route listens.
#[derive(Clone)]
pub(crate) struct Listening(Option<Arc<Listener>>);

struct Listener {
    scorer: Scorer,
    /// Scores for which the switchboard had no room.
    late: Arc<AtomicU64>,
    /// Which model it is now, and what runs it.
    model: Mutex<(String, &'static str)>,
}

/// What `warmline serve` says about the model at start-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelInfo {
    /// Name and version.
    pub name: String,
    /// `tract`, or `onnxruntime` and where it was found, with what a window costs here.
    pub backend: String,
}

impl Listening {
    /// Nobody listens.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// Loads and checks the model and starts the workers.
    pub(crate) fn start(settings: &ListenSettings, inbox: Inbox) -> Result<(Self, ModelInfo), ModelError> {
        let model = Model::load(&settings.model_config())?;
        let info = ModelInfo::of(&model);
        let config = ScorerConfig { workers: settings.workers, on_start: crate::nice::be, ..ScorerConfig::default() };
        let late = Arc::new(AtomicU64::new(0));
        let counted = late.clone();
        let scorer = Scorer::start(config, &model, move |scored| report(&inbox, &counted, scored))?;
        let model = Mutex::new((model.name().to_owned(), model.backend()));
        Ok((Self(Some(Arc::new(Listener { scorer, late, model }))), info))
    }

    /// Reads the model again, for the calls that are up too. One that fails its checks changes nothing.
    pub(crate) fn reload(&self, settings: &ListenSettings) {
        let Some(Listener { scorer, model: current, .. }) = self.0.as_deref() else { return };
        match Model::load(&settings.model_config()).and_then(|model| scorer.change_model(&model).map(|()| model)) {
            Ok(model) => {
                *current.lock().unwrap_or_else(PoisonError::into_inner) = (model.name().to_owned(), model.backend());
                let ModelInfo { name, backend } = ModelInfo::of(&model);
                tracing::info!(model = name, backend, "listening goes on with the model as it is now");
            }
            Err(error) => {
                tracing::error!(%error, "the model was not read again; listening goes on with the one before")
            }
        }
    }

    /// Follows the switchboard's taps, so that each begins with a fresh baseline and ends with its leg.
    pub(crate) fn follow(&self, command: &MediaCommand) {
        let Some(Listener { scorer, .. }) = self.0.as_deref() else { return };
        match command {
            MediaCommand::Tap { leg, on: true } => scorer.open(*leg),
            // Leg 0 is the caller's, the only one ever tapped.
            MediaCommand::Tap { leg, on: false } | MediaCommand::Close { leg } if leg.index == 0 => scorer.close(*leg),
            _ => {}
        }
    }

    /// For one media thread.
    pub(crate) fn tap(&self) -> Box<dyn TapSink> {
        match &self.0 {
            Some(listener) => Box::new(ScorerTap(listener.clone())),
            None => Box::new(rtp_proto::NoTap),
        }
    }

    /// Copies the scorer's counters to where `/metrics` reads them.
    pub(crate) fn publish(&self, hub: &Hub) {
        if let Some(listener) = &self.0 {
            let stats = listener.scorer.stats();
            let late = listener.late.load(Ordering::Relaxed);
            hub.metrics().set(Metric::WindowsScored, stats.windows);
            hub.metrics().set(Metric::WindowsShed, stats.shed + stats.failed + late);
            let (model, backend) = &*listener.model.lock().unwrap_or_else(PoisonError::into_inner);
            hub.metrics().set_voice_model(model, backend);
        }
    }
}

impl ModelInfo {
    fn of(model: &Model) -> Self {
        let library = model.library().map_or(String::new(), |path| format!(" ({})", path.display()));
        let backend = format!("{}{library}, {:.2} ms a window", model.backend(), model.window_ms());
        Self { name: model.name().to_owned(), backend }
    }
}

fn report(inbox: &Inbox, late: &AtomicU64, scored: Scored) {
    let input = Input::Fact { call: scored.leg.call, kind: FactKind::Voice(scored.score) };
    if !inbox.try_send(input) {
        // The switchboard is behind: the next window says more than a late one.
        late.fetch_add(1, Ordering::Relaxed);
    }
}

struct ScorerTap(Arc<Listener>);

impl TapSink for ScorerTap {
    fn push(&mut self, frame: &TapFrame) -> bool {
        self.0.scorer.push(frame)
    }
}
