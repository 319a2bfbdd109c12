//! The yardstick: a relay that does nothing but pass datagrams on, in a process of its own, measured like the gateway.
//!
//! Machines and neighbours differ; what the gateway costs above this is the gateway's own.

use crate::sys::{self, Epoll};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

/// The hidden command that plays the relay.
pub(crate) const COMMAND: &str = "--bare-relay";

/// Killed when dropped.
pub(crate) struct BareRelay {
    child: Child,
    /// Where the caller's and the callee's packets of each call go.
    pub(crate) ports: Vec<[SocketAddrV4; 2]>,
}

impl BareRelay {
    pub(crate) fn start(calls: usize, core: Option<usize>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([COMMAND, &calls.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        sys::pinned(&mut command, core);
        let mut child = command.spawn().context("cannot start the bare relay")?;
        let mut line = String::new();
        let output = child.stdout.take().context("no output")?;
        let mut relay = Self { child, ports: Vec::new() };
        BufReader::new(output).read_line(&mut line)?;
        let ports: Vec<u16> = line.split_whitespace().filter_map(|port| port.parse().ok()).collect();
        let address = |port: &u16| SocketAddrV4::new(Ipv4Addr::LOCALHOST, *port);
        relay.ports = ports.chunks_exact(2).map(|pair| [address(&pair[0]), address(&pair[1])]).collect();
        if relay.ports.len() != calls {
            bail!("the bare relay did not start (too few open files?)");
        }
        Ok(relay)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for BareRelay {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's whole life: learns each side's address from its first packet and passes everything to the other side.
pub(crate) fn relay(calls: usize) -> Result<()> {
    let epoll = Epoll::new()?;
    let mut sockets = Vec::new();
    for name in 0..calls * 2 {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        epoll.watch(socket.as_fd(), name as u64)?;
        sockets.push(socket);
    }
    let mut line = String::new();
    for socket in &sockets {
        line += &format!("{} ", socket.local_addr()?.port());
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    let mut peers: Vec<Option<SocketAddr>> = vec![None; sockets.len()];
    let (mut buffer, mut ready) = ([0; 2048], Vec::new());
    loop {
        epoll.wait(&mut ready);
        for name in &ready {
            let this = *name as usize;
            let Ok((len, from)) = sockets[this].recv_from(&mut buffer) else { continue };
            peers[this] = Some(from);
            if let Some(to) = peers[this ^ 1] {
                // Lost packets are counted by who misses them.
                let _ = sockets[this ^ 1].send_to(&buffer[..len], to);
            }
        }
    }
}
