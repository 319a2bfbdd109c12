//! System calls that std does not offer: many datagrams at once with the kernel's receive stamps, epoll, affinity, and
//! children that die with us. The only unsafe code here; every pointer handed to the kernel points into a buffer that
//! is borrowed for the call.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Datagrams read or sent by one call.
pub(crate) const BATCH: usize = 64;
/// Longest datagram read.
const DATAGRAM: usize = 2048;
/// Room for one time stamp as control data.
const CONTROL: usize = 64;

/// What was read: buffers that are used again.
pub(crate) struct Inbound {
    data: Vec<[u8; DATAGRAM]>,
    control: Vec<[u64; CONTROL / 8]>,
    names: Vec<libc::sockaddr_in>,
    lengths: [usize; BATCH],
    stamps: [Option<u64>; BATCH],
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Self {
            data: vec![[0; DATAGRAM]; BATCH],
            control: vec![[0; CONTROL / 8]; BATCH],
            names: vec![name(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)); BATCH],
            lengths: [0; BATCH],
            stamps: [None; BATCH],
        }
    }

    /// Reads what is there without waiting; returns how many datagrams.
    pub(crate) fn read(&mut self, socket: BorrowedFd<'_>) -> usize {
        // SAFETY: iovec and mmsghdr are plain data for which all zeros is valid.
        let mut vectors: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for i in 0..BATCH {
            vectors[i].iov_base = self.data[i].as_mut_ptr().cast();
            vectors[i].iov_len = DATAGRAM;
            let header = &mut headers[i].msg_hdr;
            header.msg_iov = &raw mut vectors[i];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.names[i]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_control = self.control[i].as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
        }
        let (list, none) = (headers.as_mut_ptr(), std::ptr::null_mut());
        // SAFETY: every header points to one vector, name, control block and buffer that outlive the call and are
        // borrowed mutably through `self` or live on this stack frame; the lengths are theirs.
        let read =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), list, BATCH as libc::c_uint, libc::MSG_DONTWAIT as _, none) };
        let read = usize::try_from(read).unwrap_or(0);
        for (i, header) in headers.iter().enumerate().take(read) {
            self.lengths[i] = (header.msg_len as usize).min(DATAGRAM);
            self.stamps[i] = stamp(&header.msg_hdr);
        }
        read
    }

    /// One datagram of the last read, its sender, and when the kernel received it (ns since 1970).
    pub(crate) fn datagram(&self, i: usize) -> (&[u8], SocketAddrV4, Option<u64>) {
        let name = &self.names[i];
        let from = SocketAddrV4::new(Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)), u16::from_be(name.sin_port));
        (&self.data[i][..self.lengths[i]], from, self.stamps[i])
    }
}

fn stamp(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the header and the control block it points to are alive and were filled in by the kernel; CMSG_FIRSTHDR
    // checks the length, and a SCM_TIMESTAMPNS message carries one timespec, read unaligned.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null()
            || (*message).cmsg_level != libc::SOL_SOCKET
            || (*message).cmsg_type != libc::SCM_TIMESTAMPNS
        {
            return None;
        }
        let time: libc::timespec = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
        Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

fn name(address: SocketAddrV4) -> libc::sockaddr_in {
    // SAFETY: plain data for which all zeros is valid.
    let mut name: libc::sockaddr_in = unsafe { mem::zeroed() };
    name.sin_family = libc::AF_INET as libc::sa_family_t;
    name.sin_port = address.port().to_be();
    name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
    name
}

/// Sends datagrams, at most [`BATCH`], without waiting; returns how many the kernel took.
pub(crate) fn send_many(socket: BorrowedFd<'_>, packets: &[(SocketAddrV4, [u8; 172])]) -> usize {
    // SAFETY: plain data for which all zeros is valid.
    let mut vectors: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
    let mut names = [name(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)); BATCH];
    let count = packets.len().min(BATCH);
    for (i, (to, bytes)) in packets.iter().enumerate().take(count) {
        names[i] = name(*to);
        vectors[i].iov_base = bytes.as_ptr().cast_mut().cast();
        vectors[i].iov_len = bytes.len();
        let header = &mut headers[i].msg_hdr;
        header.msg_iov = &raw mut vectors[i];
        header.msg_iovlen = 1;
        header.msg_name = (&raw mut names[i]).cast();
        header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    }
    // SAFETY: every header points to one vector and name on this stack frame and to a packet borrowed for the call,
    // which the kernel only reads.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, libc::MSG_DONTWAIT as _)
    };
    usize::try_from(sent).unwrap_or(0)
}

/// Sets an integer option of SOL_SOCKET; whether the system agreed.
fn option(socket: BorrowedFd<'_>, which: libc::c_int, value: libc::c_int) -> bool {
    let len = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: reads one integer that lives on this stack frame.
    unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, which, (&raw const value).cast(), len) == 0 }
}

/// Lets this process open as many files as the system allows it.
pub(crate) fn many_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write one plain value on this stack frame; a refusal leaves the limit as it is.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Asks for kernel receive stamps and as large a receive buffer as the system grants.
pub(crate) fn prepare(socket: BorrowedFd<'_>, buffer: i32) -> bool {
    let _ = option(socket, libc::SO_RCVBUFFORCE, buffer) || option(socket, libc::SO_RCVBUF, buffer);
    option(socket, libc::SO_TIMESTAMPNS, 1)
}

/// Waits until one of the sockets is readable, or the time is over.
pub(crate) fn wait(sockets: &[BorrowedFd<'_>], at_most: Duration) {
    let mut list: Vec<libc::pollfd> =
        sockets.iter().map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect();
    let time = libc::timespec { tv_sec: at_most.as_secs() as _, tv_nsec: at_most.subsec_nanos().into() };
    // SAFETY: the list and the time live on this stack frame; no signal mask is given.
    unsafe { libc::ppoll(list.as_mut_ptr(), list.len() as libc::nfds_t, &raw const time, std::ptr::null()) };
}

/// A set of sockets to wait for.
pub(crate) struct Epoll(OwnedFd);

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers; a non-negative result is a file that nobody else owns.
        unsafe { Ok(Self(OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?))) }
    }

    pub(crate) fn watch(&self, socket: BorrowedFd<'_>, name: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: name };
        // SAFETY: both files are open for the length of the call, and `event` lives on this stack frame.
        unsafe {
            check(libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event))?;
        }
        Ok(())
    }

    /// The names of what became readable, waiting for ever.
    pub(crate) fn wait(&self, names: &mut Vec<u64>) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 512];
        // SAFETY: the events live on this stack frame and their number is given.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), events.len() as _, -1) };
        names.clear();
        names.extend(events.iter().take(usize::try_from(count).unwrap_or(0)).map(|event| event.u64));
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set_affinity(core: usize) -> io::Result<()> {
    // SAFETY: the set is plain data on this stack frame, and CPU_SET ignores numbers it has no room for.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(core, &mut set);
        check(libc::sched_setaffinity(0, mem::size_of::<libc::cpu_set_t>(), &raw const set))?;
    }
    Ok(())
}

/// Pins this thread, and those it starts from now on, to one core; whether the system agreed.
pub(crate) fn pin(core: usize) -> bool {
    set_affinity(core).is_ok()
}

/// The child will run on this core only (when it may), and be killed when we die.
pub(crate) fn pinned(command: &mut Command, core: Option<usize>) {
    let setup = move || {
        if let Some(core) = core {
            let _ = set_affinity(core);
        }
        // SAFETY: takes no pointers.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(setup) };
}

/// Clock ticks a second, the unit of CPU time in /proc.
pub(crate) fn ticks() -> f64 {
    // SAFETY: takes no pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}
