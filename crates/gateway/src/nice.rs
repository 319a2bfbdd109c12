//! Threads that step back for the audio.

/// Below everything that carries audio or signalling, above idle: a scorer that shares a core with a media thread must
/// not make packets wait.
const STEP: i32 = 5;

/// Lowers the calling thread's priority. Where the system refuses, it stays as it is.
#[allow(unsafe_code, reason = "nice has no safe wrapper in std")]
pub(crate) fn be() {
    // SAFETY: takes no pointers. On Linux it concerns the calling thread only.
    let _ = unsafe { libc::nice(STEP) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_the_calling_thread_steps_back() {
        let nice = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
            let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            fields.split_whitespace().nth(16).and_then(|nice| nice.parse::<i32>().ok())
        };
        let before = nice().expect("a number");
        let lowered = std::thread::spawn(move || {
            super::be();
            nice()
        });
        assert_eq!(lowered.join().expect("no panic"), Some((before + super::STEP).min(19)));
        assert_eq!(nice(), Some(before));
    }
}
