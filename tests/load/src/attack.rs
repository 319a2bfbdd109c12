//! Peers that mean harm, or are broken: they come from addresses of a trunk of their own, so that nothing but the
//! gateway's own defences keeps them from the other callers.

use crate::gateway::Gateway;
use crate::sip::Dialog;
use crate::sys;
use crate::traffic::CALLER;
use anyhow::{Context, Result};
use sip_wire::{Message, Method, Uri};
use socket2::{Domain, Socket, Type};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// As `addresses` of a trunk takes them.
pub(crate) const NETWORK: &str = "127.0.14.0/24";
/// So many, so that what one address may do is no limit to all of them.
const ATTACKERS: u8 = 16;
/// What they dial: the callee answers all of them.
pub(crate) const PREFIX: char = '9';
const STEP: Duration = Duration::from_millis(1);
/// Each slow connection says one octet so often.
const OCTET: Duration = Duration::from_secs(1);
const PROBE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(5);

/// Under way until it is stopped.
pub(crate) struct Attack<T> {
    over: Arc<AtomicBool>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Attack<T> {
    fn start(run: impl FnOnce(&AtomicBool) -> T + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        Self { over, thread: std::thread::spawn(move || run(&seen)) }
    }

    /// Stops it: what it has to tell.
    pub(crate) fn stop(self) -> Result<T> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("an attacker failed"))
    }
}

fn attacker(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 14, number + 1)
}

/// New calls, so many a second, whose answers nobody acknowledges; tells how many they were.
pub(crate) fn flood(gateway: SocketAddrV4, per_second: u64) -> Result<Attack<u64>> {
    let sockets: Vec<(UdpSocket, SocketAddrV4)> = (0..ATTACKERS).map(|n| open(attacker(n))).collect::<Result<_>>()?;
    Ok(Attack::start(move |over| {
        let began = Instant::now();
        let (mut made, mut rubbish) = (0u64, [0; 2048]);
        while !over.load(Ordering::Relaxed) {
            let due = began.elapsed().as_micros() as u64 * per_second / 1_000_000;
            for number in made..due {
                let (socket, address) = &sockets[number as usize % sockets.len()];
                let user = format!("{PREFIX}{number}");
                let dialog = Dialog::new(u32::MAX, number as usize, &user, *address, gateway);
                // A full buffer is the kernel's own defence.
                let _ = socket.send_to(&dialog.invite(*address, true), gateway);
            }
            made = made.max(due);
            for (socket, _) in &sockets {
                while socket.recv(&mut rubbish).is_ok() {}
            }
            sys::wait(&[], STEP);
        }
        made
    }))
}

/// Connections that say an octet of an INVITE every second; tells how many were open to the end.
pub(crate) fn slow(gateway: &Gateway, connections: usize) -> Result<Attack<u64>> {
    let head =
        format!("INVITE sip:{PREFIX}1@{} SIP/2.0\r\nVia: SIP/2.0/TCP {};branch=z9hG4bK", gateway.sip, attacker(0));
    drip(gateway.sip, connections, head.into_bytes())
}

/// The same with a TLS handshake (RFC 8446 §4.1.2: a ClientHello of 512 octets), which would take nine minutes.
pub(crate) fn slow_handshakes(gateway: &Gateway, connections: usize) -> Result<Attack<u64>> {
    drip(gateway.sips, connections, vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
}

fn drip(gateway: SocketAddrV4, connections: usize, head: Vec<u8>) -> Result<Attack<u64>> {
    let mut open: Vec<TcpStream> = (0..connections)
        .map(|number| connect(attacker((number % usize::from(ATTACKERS)) as u8), gateway))
        .collect::<Result<_>>()?;
    Ok(Attack::start(move |over| {
        let mut next = Instant::now();
        for octet in head.into_iter().chain(std::iter::repeat(b'a')) {
            if over.load(Ordering::Relaxed) {
                break;
            }
            open.retain_mut(|stream| stream.write_all(&[octet]).is_ok());
            next += OCTET;
            sys::wait(&[], next.saturating_duration_since(Instant::now()));
        }
        open.len() as u64
    }))
}

/// OPTIONS from a trunk that means well, one after the other; tells how long the answers took, sorted, in nanoseconds,
/// and how many did not come.
pub(crate) fn probe(gateway: SocketAddrV4) -> Result<Attack<(Vec<u32>, u64)>> {
    let (socket, address) = open(CALLER)?;
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(Attack::start(move |over| {
        let (mut times, mut missed, mut answer) = (Vec::new(), 0, [0; 2048]);
        for number in 0.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let asked = Instant::now();
            let sent = socket.send_to(&options(number, address, gateway), gateway);
            match sent.and_then(|_| socket.recv(&mut answer)) {
                Ok(_) => times.push(u32::try_from(asked.elapsed().as_nanos()).unwrap_or(u32::MAX)),
                Err(_) => missed += 1,
            }
            sys::wait(&[], PROBE);
        }
        times.sort_unstable();
        (times, missed)
    }))
}

fn options(number: usize, from: SocketAddrV4, gateway: SocketAddrV4) -> Vec<u8> {
    let target = format!("sip:{gateway}");
    let mut request = Message::request(Method::Options, Uri::parse(&target).expect("an address is a URI"));
    for (name, value) in [
        ("Via", format!("SIP/2.0/UDP {from};branch=z9hG4bK-probe-{number}")),
        ("Max-Forwards", "70".to_owned()),
        ("From", format!("<sip:probe@{from}>;tag=probe")),
        ("To", format!("<{target}>")),
        ("Call-ID", format!("probe-{number}@{from}")),
        ("CSeq", "1 OPTIONS".to_owned()),
    ] {
        request.headers.push(name, value);
    }
    request.to_bytes()
}

fn open(ip: Ipv4Addr) -> Result<(UdpSocket, SocketAddrV4)> {
    let socket = UdpSocket::bind((ip, 0)).with_context(|| format!("cannot bind {ip}"))?;
    socket.set_nonblocking(true)?;
    let port = socket.local_addr()?.port();
    Ok((socket, SocketAddrV4::new(ip, port)))
}

fn connect(from: Ipv4Addr, gateway: SocketAddrV4) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&SocketAddr::V4(gateway).into(), PATIENCE).context("the gateway takes no connection")?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
