//! The thread that writes recordings: takes what the ears heard from a bounded queue, and complains about what it loses.

use super::sealed::{Key, Sealed};
use call_model::{CallId, LegId, RecordingCommand};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use rtp_proto::FRAME;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the queue is looked into.
const ROUND: Duration = Duration::from_millis(50);
/// What was heard before the end may still be in the queue.
const LINGER: Duration = Duration::from_millis(200);
/// 20 ms in one chunk of a file: as much is lost when the machine dies.
const CHUNK: u64 = 50;

/// 20 ms of what one ear heard.
#[derive(Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) leg: LegId,
    pub(crate) number: u64,
    pub(crate) samples: [i16; FRAME],
}

/// What the writer says of itself.
#[derive(Default)]
pub(crate) struct Counters {
    /// Recordings that are being written.
    pub(crate) running: AtomicU64,
    /// 20 ms of one party that are in no file.
    pub(crate) lost: AtomicU64,
    /// Recordings of which something is missing.
    pub(crate) incomplete: AtomicU64,
}

/// Makes the file of a recording.
pub(crate) type Create = Box<dyn Fn(&str) -> io::Result<File> + Send>;
/// Is told once of each recording of which something is missing.
pub(crate) type Complain = Box<dyn Fn(CallId, &str) + Send>;

/// What the writer needs.
pub(crate) struct Desk {
    pub(crate) key: Key,
    pub(crate) create: Create,
    pub(crate) complain: Complain,
    /// Done now and then.
    pub(crate) tidy: Box<dyn FnMut() + Send>,
    pub(crate) counters: Arc<Counters>,
}

/// A recording under way.
struct Open {
    name: String,
    call: CallId,
    channels: usize,
    sealed: Option<Sealed>,
    /// The number of its first 20 ms.
    start: Option<u64>,
    /// The number of the first 20 ms in `samples`, and how many there are.
    chunk: u64,
    filled: u64,
    samples: Vec<i16>,
    complained: bool,
    ended: Option<Instant>,
}

/// An ear: whose recording it is for, its channel there, and the number that comes next.
struct Ear {
    name: String,
    channel: usize,
    next: Option<u64>,
}

pub(crate) struct Writer {
    desk: Desk,
    open: BTreeMap<String, Open>,
    ears: BTreeMap<LegId, Ear>,
}

impl Writer {
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk, open: BTreeMap::new(), ears: BTreeMap::new() }
    }

    /// Until the other side of `commands` is gone; then everything is finished.
    pub(crate) fn run(mut self, commands: &Receiver<RecordingCommand>, frames: &Receiver<Heard>) {
        let every = Duration::from_secs(3600);
        let mut tidied: Option<Instant> = None;
        loop {
            let gone = match commands.recv_timeout(ROUND) {
                Ok(command) => {
                    self.command(command);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            while let Ok(heard) = frames.try_recv() {
                // Its beginning was told before it was heard, but perhaps after we looked.
                if !self.ears.contains_key(&heard.leg) {
                    commands.try_iter().for_each(|command| self.command(command));
                }
                self.hear(&heard);
            }
            let now = Instant::now();
            let over = |open: &Open| gone || open.ended.is_some_and(|ended| now - ended >= LINGER);
            let names: Vec<String> =
                self.open.values().filter(|open| over(open)).map(|open| open.name.clone()).collect();
            names.iter().for_each(|name| self.finish(name));
            if gone {
                return;
            }
            if tidied.is_none_or(|tidied| now - tidied >= every) {
                tidied = Some(now);
                (self.desk.tidy)();
            }
        }
    }

    fn command(&mut self, command: RecordingCommand) {
        match command {
            RecordingCommand::Begin { name, ears, stereo } => {
                let Some(call) = ears.first().map(|ear| ear.call) else { return };
                let channels = if stereo { ears.len() } else { 1 };
                for (place, ear) in ears.into_iter().enumerate() {
                    let channel = if stereo { place } else { 0 };
                    self.ears.insert(ear, Ear { name: name.clone(), channel, next: None });
                }
                let samples = vec![0; CHUNK as usize * FRAME * channels];
                let open = Open {
                    name: name.clone(),
                    call,
                    channels,
                    sealed: None,
                    start: None,
                    chunk: 0,
                    filled: 0,
                    samples,
                    complained: false,
                    ended: None,
                };
                self.open.insert(name, open);
            }
            RecordingCommand::End { name } => {
                if let Some(open) = self.open.get_mut(&name) {
                    open.ended = Some(Instant::now());
                }
            }
        }
        self.desk.counters.running.store(self.open.len() as u64, Ordering::Relaxed);
    }

    fn hear(&mut self, heard: &Heard) {
        let Some(ear) = self.ears.get_mut(&heard.leg) else { return };
        let Some(open) = self.open.get_mut(&ear.name) else { return };
        let missed = ear.next.map_or(0, |next| heard.number.saturating_sub(next));
        ear.next = Some(heard.number + 1);
        if missed > 0 {
            self.desk.lose(open, missed);
        }
        if open.start.is_none() {
            (open.start, open.chunk) = (Some(heard.number), heard.number);
        }
        if heard.number >= open.chunk + CHUNK {
            self.desk.flush(open);
            open.chunk += (heard.number - open.chunk) / CHUNK * CHUNK;
        }
        let Some(place) = heard.number.checked_sub(open.chunk) else { return };
        open.filled = open.filled.max(place + 1);
        let from = place as usize * FRAME * open.channels + ear.channel;
        let places = open.samples.iter_mut().skip(from).step_by(open.channels);
        places.zip(heard.samples).for_each(|(sample, heard)| *sample = sample.saturating_add(heard));
    }

    fn finish(&mut self, name: &str) {
        let Some(mut open) = self.open.remove(name) else { return };
        self.ears.retain(|_, ear| ear.name != name);
        self.desk.flush(&mut open);
        let frames = open.chunk.saturating_sub(open.start.unwrap_or_default());
        if let Some(Err(error)) = open.sealed.as_mut().map(|sealed| sealed.end(frames)) {
            self.desk.complain(&mut open, &error);
        }
        self.desk.counters.running.store(self.open.len() as u64, Ordering::Relaxed);
    }
}

impl Desk {
    /// Writes what there is of a chunk, and begins the next.
    fn flush(&self, open: &mut Open) {
        let (start, filled) = (open.start.unwrap_or_default(), open.filled);
        if filled > 0 {
            if let Err(error) = self.write(open, open.chunk - start) {
                self.counters.lost.fetch_add(filled, Ordering::Relaxed);
                self.complain(open, &error);
            }
            open.samples.fill(0);
            open.chunk += filled;
            open.filled = 0;
        }
    }

    fn write(&self, open: &mut Open, frame: u64) -> io::Result<()> {
        if open.sealed.is_none() {
            let file = (self.create)(&open.name)?;
            open.sealed = Some(Sealed::begin(file, &self.key, open.channels as u8)?);
        }
        let samples = open.filled as usize * FRAME * open.channels;
        match &mut open.sealed {
            Some(sealed) => sealed.write(frame, &open.samples[..samples]),
            None => Ok(()),
        }
    }

    fn lose(&self, open: &mut Open, frames: u64) {
        self.counters.lost.fetch_add(frames, Ordering::Relaxed);
        self.complain(open, &io::Error::other("the disk, or this machine, is too slow"));
    }

    fn complain(&self, open: &mut Open, error: &io::Error) {
        if !core::mem::replace(&mut open.complained, true) {
            tracing::error!(recording = open.name, %error, "some of a recording cannot be written");
            self.counters.incomplete.fetch_add(1, Ordering::Relaxed);
            (self.complain)(open.call, &open.name);
        }
    }
}
