//! The system calls that std does not offer: epoll, an event to wake it, and reading several datagrams at once.
//!
//! The only unsafe code of the media path. Every pointer handed to the kernel points into a buffer that the value owns
//! and that is borrowed mutably for the call.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Datagrams read by one call.
pub(crate) const BATCH: usize = 8;
/// Longest datagram: an Ethernet frame holds less.
pub(crate) const DATAGRAM: usize = 2048;

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

/// Buffers for reading several datagrams by one call. The kernel's list of pointers is built anew for each call, which
/// costs less than a cache miss and leaves no pointer behind.
pub(crate) struct Inbound {
    data: Box<[[u8; DATAGRAM]; BATCH]>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
    lengths: [usize; BATCH],
    from: [Option<SocketAddr>; BATCH],
}

impl Inbound {
    /// Empty buffers.
    pub(crate) fn new() -> Self {
        // SAFETY: sockaddr_storage is plain data for which all zeros is valid.
        let name: libc::sockaddr_storage = unsafe { mem::zeroed() };
        Self {
            data: Box::new([[0; DATAGRAM]; BATCH]),
            names: Box::new([name; BATCH]),
            lengths: [0; BATCH],
            from: [None; BATCH],
        }
    }

    /// Reads what is there, at most [`BATCH`] datagrams, without waiting; returns how many.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; else what the system says.
    pub(crate) fn read(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: iovec and mmsghdr are plain data for which all zeros is valid.
        let mut vectors: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for i in 0..BATCH {
            vectors[i].iov_base = self.data[i].as_mut_ptr().cast();
            vectors[i].iov_len = DATAGRAM;
            headers[i].msg_hdr.msg_iov = &raw mut vectors[i];
            headers[i].msg_hdr.msg_iovlen = 1;
            headers[i].msg_hdr.msg_name = (&raw mut self.names[i]).cast();
            headers[i].msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        }
        let (list, count) = (headers.as_mut_ptr(), BATCH as libc::c_uint);
        let no_limit = std::ptr::null_mut();
        // SAFETY: every header points to one vector, one name and one buffer, all of which outlive the call and are
        // borrowed mutably through `self` or live on this stack frame; the lengths are theirs.
        let read =
            unsafe { check(libc::recvmmsg(socket.as_raw_fd(), list, count, libc::MSG_DONTWAIT as _, no_limit))? };
        let read = read as usize;
        for (i, header) in headers.iter().enumerate().take(read) {
            let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            self.lengths[i] = if truncated { 0 } else { (header.msg_len as usize).min(DATAGRAM) };
            self.from[i] = address(&self.names[i], header.msg_hdr.msg_namelen);
        }
        Ok(read)
    }

    /// One datagram of the last read and its sender; `None` when it was too long or came from no internet address.
    pub(crate) fn datagram(&mut self, i: usize) -> Option<(&mut [u8], SocketAddr)> {
        let from = self.from[i]?;
        let len = self.lengths[i];
        (len > 0).then(|| (&mut self.data[i][..len], from))
    }
}

fn address(name: &libc::sockaddr_storage, len: libc::socklen_t) -> Option<SocketAddr> {
    let len = len as usize;
    let pointer: *const libc::sockaddr_storage = name;
    match i32::from(name.ss_family) {
        libc::AF_INET if len >= mem::size_of::<libc::sockaddr_in>() => {
            // SAFETY: the kernel says that this is a sockaddr_in; the storage is larger and at least as aligned.
            let v4 = unsafe { &*pointer.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(ip.into(), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 if len >= mem::size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { &*pointer.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            // A socket of both families sees IPv4 peers as mapped addresses.
            match ip.to_ipv4_mapped() {
                Some(v4) => Some(SocketAddr::new(v4.into(), port)),
                None => Some(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into()),
            }
        }
        _ => None,
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn datagrams_come_with_their_length_and_sender() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(ours) = UdpSocket::bind(host) else { continue };
            let theirs = UdpSocket::bind(host).expect("bind");
            let to = ours.local_addr().expect("bound");
            for len in [1usize, 172, DATAGRAM, DATAGRAM + 1] {
                theirs.send_to(&vec![7; len], to).expect("send");
            }
            let mut inbound = Inbound::new();
            assert_eq!(inbound.read(ours.as_fd()).expect("read"), 4);
            let from = theirs.local_addr().expect("bound");
            for (i, len) in [1usize, 172, DATAGRAM].into_iter().enumerate() {
                assert_eq!(inbound.datagram(i), Some((vec![7; len].as_mut_slice(), from)));
            }
            assert_eq!(inbound.datagram(3), None, "cut off by the kernel");
            let empty = inbound.read(ours.as_fd()).expect_err("nothing left");
            assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        }
    }

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
