//! From the media threads' tap to the voice model and back to the switchboard as facts.

use crate::config::ListenSettings;
use crate::inbox::{Inbox, Input};
use call_model::{FactKind, MediaCommand, TapFrame};
use http_api::{Hub, Metric};
use prosody::{Model, ModelError, Scored, Scorer, ScorerConfig};
use rtp_proto::TapSink;
use std::sync::Arc;

/// The scorer, when any route listens.
#[derive(Clone)]
pub(crate) struct Listening(Option<Arc<Scorer>>);

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
    pub(crate) fn start(settings: &ListenSettings, inbox: Inbox, hub: Hub) -> Result<(Self, ModelInfo), ModelError> {
        let model = Model::load(&settings.model_config())?;
        let info = ModelInfo::of(&model);
        let config = ScorerConfig { workers: settings.workers, on_start: crate::nice::be, ..ScorerConfig::default() };
        let scorer = Scorer::start(config, &model, move |scored| report(&inbox, &hub, scored))?;
        Ok((Self(Some(Arc::new(scorer))), info))
    }

    /// Reads the model again, for the calls that are up too. One that fails its checks changes nothing.
    pub(crate) fn reload(&self, settings: &ListenSettings) {
        let Some(scorer) = &self.0 else { return };
        match Model::load(&settings.model_config()).and_then(|model| scorer.change_model(&model).map(|()| model)) {
            Ok(model) => {
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
        let Some(scorer) = &self.0 else { return };
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
            Some(scorer) => Box::new(ScorerTap(scorer.clone())),
            None => Box::new(rtp_proto::NoTap),
        }
    }

    /// Copies the scorer's counters to where `/metrics` reads them.
    pub(crate) fn publish(&self, hub: &Hub) {
        if let Some(scorer) = &self.0 {
            let stats = scorer.stats();
            hub.metrics().set(Metric::WindowsScored, stats.windows);
            hub.metrics().set(Metric::WindowsShed, stats.shed);
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

fn report(inbox: &Inbox, hub: &Hub, scored: Scored) {
    let input = Input::Fact { call: scored.leg.call, kind: FactKind::Voice(scored.score) };
    if !inbox.try_send(input) {
        // The switchboard is behind: the next window says more than a late one.
        hub.metrics().add(Metric::WindowsShed, 1);
    }
}

struct ScorerTap(Arc<Scorer>);

impl TapSink for ScorerTap {
    fn push(&mut self, frame: &TapFrame) -> bool {
        self.0.push(frame)
    }
}
