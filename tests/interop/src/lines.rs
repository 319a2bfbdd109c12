//! What a child process prints, as it comes.

use std::io::{BufRead as _, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The lines of both outputs of a child.
pub(crate) struct Lines {
    receiver: Receiver<String>,
    all: Arc<Mutex<String>>,
}

impl Lines {
    /// Reads on until the child ends; its outputs must be piped.
    pub(crate) fn of(child: &mut Child) -> Self {
        let (sender, receiver) = channel();
        let all = Arc::new(Mutex::new(String::new()));
        if let Some(output) = child.stdout.take() {
            read(output, sender.clone(), Arc::clone(&all));
        }
        if let Some(errors) = child.stderr.take() {
            read(errors, sender, Arc::clone(&all));
        }
        Self { receiver, all }
    }

    /// The next line of which `take` makes something.
    pub(crate) fn until<T>(&self, what: &str, within: Duration, take: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + within;
        loop {
            match self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = take(&line) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("never printed in time: {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without printing: {what}"),
            }
        }
    }

    /// Everything printed so far.
    pub(crate) fn all(&self) -> String {
        self.all.lock().map(|text| text.clone()).unwrap_or_default()
    }
}

fn read(output: impl Read + Send + 'static, sender: Sender<String>, all: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Ok(mut text) = all.lock() {
                text.push_str(&line);
                text.push('\n');
            }
            // Nobody waits any more: keep reading, so that the child never blocks.
            drop(sender.send(line));
        }
    });
}
