//! Recordings of calls: from the ears of the media threads to encrypted files, and back to WAV.
//!
//! The media threads push 20 ms at a time into a bounded queue and never wait; one thread of its own writes. A disk that
//! is slow or full costs parts of recordings, which are counted, and nobody's call.

mod decrypt;
mod sealed;
#[cfg(test)]
mod tests;
mod writer;

pub use decrypt::decrypt;
pub(crate) use decrypt::reader;
pub(crate) use sealed::Key;

use crate::inbox::{Inbox, Input};
use call_model::{LegId, RecordingCommand};
use crossbeam_channel::Sender;
use http_api::{Hub, Metric};
use rtp_proto::FRAME;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use writer::{Counters, Desk, Heard, Writer};

/// What files are called after their name.
pub(crate) const SUFFIX: &str = "wrec";

/// Where recordings are kept, and how.
#[derive(Clone, Debug)]
pub struct RecordingSettings {
    /// The folder.
    pub directory: PathBuf,
    /// What they are encrypted with.
    pub key: Key,
    /// Older ones are deleted.
    pub retention: Option<Duration>,
}

impl RecordingSettings {
    /// Whether files can be made there: the reason why not.
    pub(crate) fn check(&self) -> io::Result<()> {
        let probe = format!("probe-{}", std::process::id());
        create(&self.directory, &probe)?;
        fs::remove_file(path(&self.directory, &probe))
    }
}

/// The switchboard's way to the writer, which ends with it.
#[derive(Default)]
pub(crate) struct Recorder(Option<(Sender<RecordingCommand>, Arc<Counters>)>);

/// The media threads' way to the writer.
#[derive(Clone, Default)]
pub(crate) struct Ears(Option<Sender<Heard>>);

impl Ears {
    /// Never waits.
    pub(crate) fn hear(&self, leg: LegId, number: u64, samples: &[i16; FRAME]) {
        if let Some(frames) = &self.0 {
            // The writer sees the gap.
            let _ = frames.try_send(Heard { leg, number, samples: *samples });
        }
    }
}

impl Recorder {
    /// Starts the writer, for at most so many calls at once.
    pub(crate) fn start(
        settings: RecordingSettings,
        calls: usize,
        inbox: Inbox,
    ) -> io::Result<(Self, Ears, JoinHandle<()>)> {
        let counters = Arc::new(Counters::default());
        let (directory, old) = (settings.directory.clone(), settings.clone());
        let desk = Desk {
            key: settings.key,
            create: Box::new(move |name| create(&directory, name)),
            complain: Box::new(move |call, name| {
                // Should the switchboard be too busy to trace it, the log has it.
                inbox.try_send(Input::RecordingIncomplete { call, name: name.to_owned() });
            }),
            tidy: Box::new(move || delete_old(&old, SystemTime::now())),
            counters: counters.clone(),
        };
        let (commands, told) = crossbeam_channel::unbounded();
        // Half a second of everybody.
        let (frames, heard) = crossbeam_channel::bounded(calls.saturating_mul(50).clamp(2_000, 100_000));
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            crate::nice::be();
            Writer::new(desk).run(&told, &heard);
        })?;
        Ok((Self(Some((commands, counters))), Ears(Some(frames)), thread))
    }

    /// Does what the switchboard says.
    pub(crate) fn follow(&self, command: RecordingCommand) {
        if let Some((commands, _)) = &self.0 {
            // A writer that has panicked was reported.
            let _ = commands.send(command);
        }
    }

    /// Copies the counters to where `/metrics` reads them.
    pub(crate) fn publish(&self, hub: &Hub) {
        if let Some((_, counters)) = &self.0 {
            hub.metrics().set(Metric::RecordingsRunning, counters.running.load(Ordering::Relaxed));
            hub.metrics().set(Metric::RecordingFramesLost, counters.lost.load(Ordering::Relaxed));
            hub.metrics().set(Metric::RecordingsIncomplete, counters.incomplete.load(Ordering::Relaxed));
        }
    }
}

fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(name).with_extension(SUFFIX)
}

/// A new file, and its folder if there is none yet; nobody else may read them.
fn create(directory: &Path, name: &str) -> io::Result<File> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path(directory, name))
}

/// Deletes recordings whose time is over.
fn delete_old(settings: &RecordingSettings, now: SystemTime) {
    let Some(retention) = settings.retention else { return };
    let Ok(folder) = fs::read_dir(&settings.directory) else { return };
    let is_old = |path: &Path| {
        let changed = fs::metadata(path).and_then(|about| about.modified());
        let age = changed.ok().and_then(|changed| now.duration_since(changed).ok());
        path.extension().is_some_and(|suffix| suffix == SUFFIX) && age.is_some_and(|age| age >= retention)
    };
    for path in folder.flatten().map(|entry| entry.path()).filter(|path| is_old(path)) {
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!(recording = %path.display(), "deleted: its time is over"),
            Err(error) => tracing::error!(recording = %path.display(), %error, "cannot be deleted"),
        }
    }
}
