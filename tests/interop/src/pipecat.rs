//! The public Media Streams bot framework pipecat, unmodified, with an echo pipeline: `pipecat_echo.py`.

use crate::lines::Lines;
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A pipecat bot in a process of its own, killed when dropped.
pub struct Pipecat {
    child: Child,
    lines: Lines,
    /// The port it serves `/ws` on.
    pub port: u16,
}

impl Pipecat {
    /// Starts it and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not start; importing it takes seconds.
    pub fn start() -> Self {
        let python = std::env::var("WARMLINE_PEERS_PYTHON").unwrap_or_default();
        let python = if python.is_empty() { "python3".to_owned() } else { python };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipecat_echo.py");
        let mut child = Command::new(&python)
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {python}: {error}"));
        let lines = Lines::of(&mut child);
        let mut pipecat = Self { child, lines, port: 0 };
        let ready = pipecat.until("ready", Duration::from_secs(90), |said| said["port"].is_u64());
        pipecat.port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port number");
        pipecat
    }

    /// The next thing it reports that is as `wanted`; what comes before is skipped.
    ///
    /// # Panics
    /// When that does not happen in time; shows what it printed.
    pub fn until(&self, what: &str, within: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        self.lines.until(what, within, |line| serde_json::from_str(line).ok().filter(&wanted))
    }
}

impl Drop for Pipecat {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("pipecat printed:\n{}", self.lines.all());
        }
    }
}
