//! The rules that are in force, and their file: read again on SIGHUP and on request, and refused as a whole when
//! anything is wrong with it.

use crate::inbox::{Inbox, Input};
use crate::rule_files;
use escalation::Rules;
use http_api::{Hub, Metric, Reply, RulesRefusal, RulesView};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::signal::unix::Signal;
use tokio::sync::oneshot;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct RulesKeeper(Arc<Inner>);

struct Inner {
    /// None: the rules built in.
    file: Option<PathBuf>,
    view: Mutex<RulesView>,
    /// One at a time, so that the last one asked for is the one that stays.
    turn: tokio::sync::Mutex<()>,
    inbox: Inbox,
    hub: Hub,
    runtime: Handle,
}

impl RulesKeeper {
    pub(crate) fn new(file: Option<PathBuf>, rules: &Rules, (inbox, hub): (Inbox, Hub), runtime: Handle) -> Self {
        let view = view(file.as_ref(), rules);
        let turn = tokio::sync::Mutex::new(());
        Self(Arc::new(Inner { file, view: Mutex::new(view), turn, inbox, hub, runtime }))
    }

    /// What is in force, and the last file that was refused.
    pub(crate) fn view(&self) -> RulesView {
        self.0.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again.
    pub(crate) fn reload(&self) -> Reply<Result<RulesView, RulesRefusal>> {
        let (tell, told) = oneshot::channel();
        let keeper = self.clone();
        self.0.runtime.spawn(async move {
            // Whoever asked may have gone.
            let _ = tell.send(keeper.read_again().await);
        });
        told
    }

    /// Reads the file again whenever the signal comes.
    pub(crate) async fn on_hangup(self, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            // Whoever sends the signal reads the log.
            let _ = self.read_again().await;
        }
    }

    async fn read_again(&self) -> Result<RulesView, RulesRefusal> {
        let _turn = self.0.turn.lock().await;
        let Some(file) = self.0.file.clone() else {
            tracing::warn!("the rules are those built in: name a file in rules.file to change them without a restart");
            return Err(RulesRefusal::BuiltIn);
        };
        let read = tokio::task::spawn_blocking(move || rule_files::load(&file)).await;
        let rules = match read.unwrap_or_else(|error| Err(vec![error.to_string()])) {
            Ok(rules) => Arc::new(rules),
            Err(complaints) => return Err(self.refuse(complaints)),
        };
        let (done, taken) = oneshot::channel();
        self.0.inbox.send(Input::Rules { rules: rules.clone(), done }).await;
        // The process is ending: nobody is left to judge.
        taken.await.map_err(|_| RulesRefusal::Ending)?;
        let view = view(self.0.file.as_ref(), &rules);
        tracing::info!(version = view.version, rules = view.rules.len(), "the rules file is in force for new calls");
        self.0.hub.metrics().add(Metric::RulesReloaded, 1);
        self.0.hub.metrics().set(Metric::RulesStale, 0);
        *self.0.view.lock().unwrap_or_else(PoisonError::into_inner) = view.clone();
        Ok(view)
    }

    fn refuse(&self, complaints: Vec<String>) -> RulesRefusal {
        for complaint in &complaints {
            tracing::error!(complaint, "the rules file is refused; the rules before it stay in force");
        }
        self.0.hub.metrics().add(Metric::RulesRefused, 1);
        self.0.hub.metrics().set(Metric::RulesStale, 1);
        self.0.view.lock().unwrap_or_else(PoisonError::into_inner).refused = complaints.clone();
        RulesRefusal::Wrong(complaints)
    }
}

fn view(file: Option<&PathBuf>, rules: &Rules) -> RulesView {
    let listed = rules.rules().iter();
    let rule = |rule: &escalation::Rule| (rule.name.clone(), rule.trigger(), rule.layer());
    RulesView {
        file: file.map(|file| file.display().to_string()),
        version: rules.version(),
        rules: listed.map(rule).collect(),
        refused: Vec::new(),
    }
}
