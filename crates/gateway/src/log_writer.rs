//! Log lines leave through a thread of their own: a terminal or a journal that stalls must not stall a call.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait; more are dropped, and their number is written once there is room.
const WAITING: usize = 8192;
/// At the end, what waits has so long to leave.
const FLUSH: Duration = Duration::from_secs(1);

enum ToWriter {
    Line(Vec<u8>),
    End(Sender<()>),
}

/// Makes the buffers that `tracing-subscriber` writes into.
#[derive(Clone)]
pub(crate) struct LogWriter {
    queue: Sender<ToWriter>,
    dropped: Arc<AtomicU64>,
}

/// Dropping it writes what still waits.
pub struct LogGuard {
    queue: Sender<ToWriter>,
    _thread: JoinHandle<()>,
}

impl LogWriter {
    /// Starts the thread that writes to `out`.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<(Self, LogGuard)> {
        let (queue, lines) = bounded(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = dropped.clone();
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || write(out, &lines, &counter))?;
        Ok((Self { queue: queue.clone(), dropped }, LogGuard { queue, _thread: thread }))
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let (done, written) = bounded(1);
        if self.queue.send_timeout(ToWriter::End(done), FLUSH).is_ok() {
            // A stalled reader of our log does not keep the process.
            let _ = written.recv_timeout(FLUSH);
        }
    }
}

fn write(mut out: impl Write, lines: &Receiver<ToWriter>, dropped: &AtomicU64) {
    for message in lines {
        // Nobody is left to be told that the log cannot be written.
        let _ = match message {
            ToWriter::Line(line) => out.write_all(&line),
            ToWriter::End(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
                return;
            }
        };
        let missing = dropped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let _ = writeln!(out, "({missing} log lines were dropped: whoever reads them is too slow)");
        }
    }
}

/// One line in the making.
pub(crate) struct Line<'a> {
    text: Vec<u8>,
    writer: &'a LogWriter,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.text);
        if !line.is_empty()
            && let Err(TrySendError::Full(_)) = self.writer.queue.try_send(ToWriter::Line(line))
        {
            self.writer.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { text: Vec::new(), writer: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Takes nothing until it is let go.
    struct Stalled(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().expect("no panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_lines_not_time() {
        let (release, stall) = bounded(0);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (writer, guard) = LogWriter::start(Stalled(stall, written.clone())).expect("a thread");
        for _ in 0..WAITING + 100 {
            writer.make_writer().write_all(b"x\n").expect("never fails");
        }
        assert!(writer.dropped.load(Ordering::Relaxed) >= 99);
        drop(release);
        drop(guard);
        let written = written.lock().expect("no panics");
        assert!(String::from_utf8_lossy(&written).contains("log lines were dropped"));
    }
}
