//! The way of promises to the disk, and of changes to those who asked for them.

use crate::inbox::{Inbox, Input};
use call_core::{CallbackFixed, Switchboard};
use call_model::{Callback, CallbackId, Instant};
use http_api::{CallbackChange, Refused};
use ledger::Ledger;
use tokio::sync::oneshot;

/// Writes a callback down; the switchboard is told whether it is on the disk.
pub(crate) fn keep(ledger: &Ledger, inbox: &Inbox, callback: &Callback) {
    let (id, version, inbox) = (callback.id, callback.version, inbox.clone());
    ledger.keep(callback, move |kept| inbox.insist(Input::CallbackKept { id, version, kept }));
}

/// Whoever asked for a change.
type Asker = oneshot::Sender<Result<(), Refused>>;

/// Those who are answered once a version is on the disk.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Vec<(CallbackId, u32, Asker)>);

impl Waiting {
    /// Changes a promise as somebody in operations wants.
    pub(crate) fn change(
        &mut self,
        board: &mut Switchboard,
        (id, change): (CallbackId, CallbackChange),
        reply: Asker,
        now: Instant,
    ) {
        let changed = match change {
            CallbackChange::Cancel => board.cancel_callback(id, now),
            CallbackChange::Reschedule(wish) => board.reschedule_callback(id, &wish, now),
        };
        match changed {
            Ok(version) => self.0.push((id, version, reply)),
            Err(fixed) => _ = reply.send(Err(refused(fixed))),
        }
    }

    /// Tells them. Whoever has gone is not told.
    pub(crate) fn tell(&mut self, id: CallbackId, version: u32, kept: bool) {
        for (_, _, reply) in self.0.extract_if(.., |(of, at, _)| *of == id && *at == version) {
            let lost = || Refused::NotNow("it could not be written down".to_owned());
            _ = reply.send(if kept { Ok(()) } else { Err(lost()) });
        }
    }
}

fn refused(fixed: CallbackFixed) -> Refused {
    match fixed {
        CallbackFixed::Unknown => Refused::UnknownCallback,
        CallbackFixed::UnderWay => Refused::NotNow("it is being made now".to_owned()),
        CallbackFixed::Time(refusal) => Refused::Invalid(format!("Not at that time: {}.", refusal.why())),
    }
}
