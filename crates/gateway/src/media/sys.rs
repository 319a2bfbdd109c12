//! The system calls that std does not offer: epoll, and an event to wake it.
//!
//! The only unsafe code of the media path. Every pointer handed to the kernel points into a buffer that the value owns
//! and that is borrowed mutably for the call.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// A set of sockets to wait for, level-triggered: what is not read is reported again.
pub(crate) struct Epoll(OwnedFd);

/// Names of sockets that became readable.
pub(crate) struct Ready {
    events: Vec<libc::epoll_event>,
    len: usize,
}

impl Ready {
    /// Room for so many at once.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { events: vec![libc::epoll_event { events: 0, u64: 0 }; capacity.max(1)], len: 0 }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// One name.
    pub(crate) fn name(&self, i: usize) -> u64 {
        self.events[i].u64
    }
}

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// When the system has no more files to give.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers; a non-negative result is a file that nobody else owns.
        unsafe {
            let fd = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Watches a socket under this name. Closing the socket ends it.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn watch(&self, socket: BorrowedFd<'_>, name: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: name };
        // SAFETY: both files are open for the length of the call, and `event` lives on this stack frame.
        unsafe {
            check(libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event))?;
        }
        Ok(())
    }

    /// Waits until a socket is readable or the time is over (`None`: for ever). A signal ends the wait, too.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn wait(&self, ready: &mut Ready, at_most: Option<Duration>) -> io::Result<()> {
        ready.len = 0;
        // Rounded up: waking too early would mean waking twice.
        let millis = at_most.map_or(-1, |wait| wait.as_nanos().div_ceil(1_000_000).min(60_000) as i32);
        let capacity = ready.events.len() as i32;
        // SAFETY: the kernel writes at most `capacity` events into the vector's initialised memory.
        let result =
            unsafe { check(libc::epoll_wait(self.0.as_raw_fd(), ready.events.as_mut_ptr(), capacity, millis)) };
        match result {
            Ok(len) => ready.len = len as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A bell that wakes an epoll.
pub(crate) struct Event(OwnedFd);

impl Event {
    /// A silent bell.
    ///
    /// # Errors
    /// When the system has no more files to give.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers; a non-negative result is a file that nobody else owns.
        unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Makes the epoll wake. Ringing twice is ringing once.
    pub(crate) fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight octets are read from a local variable. A full counter is as good as a ring.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    /// Silences it.
    pub(crate) fn silence(&self) {
        let mut count = 0u64;
        // SAFETY: eight octets are written to a local variable.
        let _ = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_wakes_the_epoll_once() {
        let (epoll, bell, mut ready) =
            (Epoll::new().expect("epoll"), Event::new().expect("event"), Ready::with_capacity(4));
        epoll.watch(bell.as_fd(), 42).expect("watch");
        epoll.wait(&mut ready, Some(Duration::ZERO)).expect("wait");
        assert_eq!(ready.len(), 0);
        bell.ring();
        bell.ring();
        epoll.wait(&mut ready, None).expect("wait");
        assert_eq!((ready.len(), ready.name(0)), (1, 42));
        bell.silence();
        epoll.wait(&mut ready, Some(Duration::ZERO)).expect("wait");
        assert_eq!(ready.len(), 0);
    }
}
