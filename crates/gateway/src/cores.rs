//! Which cores listening keeps to, and which the audio: a model that runs for a millisecond must not make packets wait.

use crate::config::Settings;
use std::fmt;

/// How the threads share the cores that this process may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cores {
    /// Nobody listens: the audio has them all.
    Free,
    /// Too few of them: the scheduler decides, and the listening workers step back (`crate::nice`).
    Shared { cores: usize, wanted: usize },
    /// These for the listening workers, those for the media threads.
    Apart { listening: Vec<usize>, media: Vec<usize> },
}

impl Cores {
    /// By what is configured and what the system lets us use.
    pub(crate) fn of(settings: &Settings) -> Self {
        if !settings.switchboard.routes.iter().any(|route| route.listen) {
            return Self::Free;
        }
        Self::split(allowed(), settings.rtp.media_threads(), settings.listen.workers)
    }

    /// The last ones for the workers, the others for the media threads: one more than these are, for the switchboard,
    /// and so that the scheduler can move them away from a core that something else keeps busy.
    fn split(mut cores: Vec<usize>, media: usize, workers: usize) -> Self {
        let wanted = media + workers + 1;
        if cores.len() < wanted {
            return Self::Shared { cores: cores.len(), wanted };
        }
        let listening = cores.split_off(cores.len() - workers);
        Self::Apart { listening, media: cores }
    }

    /// What `start` starts are listening workers.
    pub(crate) fn listening<T>(&self, start: impl FnOnce() -> T) -> T {
        match self {
            Self::Apart { listening, .. } => within(listening, start),
            _ => start(),
        }
    }

    /// What `start` starts are media threads.
    pub(crate) fn media<T>(&self, start: impl FnOnce() -> T) -> T {
        match self {
            Self::Apart { media, .. } => within(media, start),
            _ => start(),
        }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => write!(f, "no route listens: media threads may use every core"),
            Self::Shared { cores, wanted } => {
                write!(f, "listening workers and media threads share {cores} of them; {wanted} would keep them apart")
            }
            Self::Apart { listening, media } => {
                write!(f, "listening workers keep to {}, media threads to {}", ranges(listening), ranges(media))
            }
        }
    }
}

/// As Linux writes them: `0-5,7`.
fn ranges(cores: &[usize]) -> String {
    let runs = cores.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [one] => one.to_string(),
        run => format!("{}-{}", run[0], run[run.len() - 1]),
    });
    runs.collect::<Vec<_>>().join(",")
}

/// Does something on these cores only; threads that it starts stay there, the calling one is as before.
fn within<T>(cores: &[usize], start: impl FnOnce() -> T) -> T {
    let before = allowed();
    if let Err(error) = keep_to(cores) {
        tracing::warn!(cores = ranges(cores), %error, "the system does not let threads keep to some cores");
    }
    let started = start();
    // What could be narrowed can be widened again.
    let _ = keep_to(&before);
    started
}

/// The cores that the calling thread may use.
#[allow(unsafe_code, reason = "std knows only how many there are")]
fn allowed() -> Vec<usize> {
    // SAFETY: the set is plain data on this stack frame, and its size is given.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) {
            0 => set,
            _ => return Vec::new(),
        }
    };
    // SAFETY: the numbers are those that the set has room for.
    (0..libc::CPU_SETSIZE as usize).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
}

#[allow(unsafe_code, reason = "affinity has no safe wrapper in std")]
fn keep_to(cores: &[usize]) -> std::io::Result<()> {
    // SAFETY: the set is plain data on this stack frame, its size is given, and CPU_SET ignores numbers it has no room for.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cores.iter().for_each(|core| libc::CPU_SET(*core, &mut set));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_has_the_last_cores_when_there_are_enough() {
        let split = |cores: usize, media, workers| Cores::split((0..cores).collect(), media, workers);
        assert_eq!(split(4, 2, 1), Cores::Apart { listening: vec![3], media: vec![0, 1, 2] });
        assert_eq!(split(3, 2, 1), Cores::Shared { cores: 3, wanted: 4 });
        assert_eq!(split(0, 1, 1), Cores::Shared { cores: 0, wanted: 3 });
        let some = Cores::split(vec![0, 2, 3, 4, 8, 9], 2, 2);
        assert_eq!(some.to_string(), "listening workers keep to 8-9, media threads to 0,2-4");
    }

    #[test]
    fn threads_stay_where_they_were_started_and_who_started_them_does_not() {
        let before = allowed();
        let first = before[..1].to_vec();
        let started = within(&first, || std::thread::spawn(allowed));
        assert_eq!(started.join().expect("no panic"), first);
        assert_eq!(allowed(), before);
    }
}
