//! Datagrams that came back: what ICMP says of them, from the socket's error queue. Without it, an unconnected socket
//! is told nothing of a closed port.
//!
//! Every pointer handed to the kernel points into a value that lives on the stack for the length of the call.
#![allow(unsafe_code)]

use socket2::SockAddr;
use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Has the kernel keep what ICMP says of datagrams from this socket.
///
/// # Errors
/// When the system refuses.
pub(crate) fn keep(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    let on: libc::c_int = 1;
    let (level, name) = if v6 { (libc::SOL_IPV6, libc::IPV6_RECVERR) } else { (libc::SOL_IP, libc::IP_RECVERR) };
    let len = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the kernel reads `len` octets of `on`.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), len) } as isize)
}

/// One that came back.
pub(crate) struct Undelivered {
    /// Where it was sent.
    pub(crate) to: SocketAddr,
    /// Nobody is there (RFC 3261 §18.4), rather than that it was too long for some link.
    pub(crate) unreachable: bool,
}

/// The next one; none when there is no more.
pub(crate) fn next(socket: BorrowedFd<'_>) -> Option<Undelivered> {
    let mut control = [0u64; 64];
    // SAFETY: all zeros are a valid, empty header.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the kernel writes at most `len` octets of the address and `msg_controllen` of `control`.
    let read = unsafe {
        SockAddr::try_init(|address, len| {
            message.msg_name = address.cast();
            message.msg_namelen = *len;
            check(libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT))?;
            *len = message.msg_namelen;
            Ok(())
        })
    };
    let (_, address) = read.ok()?;
    Some(Undelivered { to: address.as_socket()?, unreachable: why(&message).is_some_and(is_unreachable) })
}

/// The error that a header from the error queue carries.
fn why(message: &libc::msghdr) -> Option<u32> {
    // SAFETY: the kernel has filled `message`, whose control buffer outlives this call; a part that is long enough for
    // the error is read, unaligned.
    unsafe {
        let mut part = libc::CMSG_FIRSTHDR(message);
        while let Some(head) = part.as_ref() {
            let kind = (head.cmsg_level, head.cmsg_type);
            let error = matches!(kind, (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR));
            if error && head.cmsg_len >= libc::CMSG_LEN(size_of::<libc::sock_extended_err>() as u32) as usize {
                return Some(libc::CMSG_DATA(part).cast::<libc::sock_extended_err>().read_unaligned().ee_errno);
            }
            part = libc::CMSG_NXTHDR(message, part);
        }
    }
    None
}

fn is_unreachable(error: u32) -> bool {
    let errors = [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETUNREACH, libc::ENOPROTOOPT];
    errors.iter().any(|one| u32::try_from(*one) == Ok(error))
}

fn check(result: isize) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
