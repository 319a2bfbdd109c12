//! SIP over connections (TCP, TLS, WebSocket): those peers open and those we open, each with a bounded queue.

mod line;
mod tls;
mod vigil;

use crate::inbox::{Inbox, Input};
use call_core::Peers;
use http_api::{Hub, Metric};
use line::{Duplex, Exchange, Line};
use sip_proto::{Flow, Transport};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) use tls::Tls;

/// Messages waiting to be written per connection; a peer that reads so slowly is given up.
const QUEUE: usize = 256;
/// A connection, its TLS and its WebSocket handshake are made within this, or the peer is unreachable.
const CONNECT: Duration = Duration::from_secs(5);
/// What one address may hold of all connections: one peer gone wild leaves room for the others.
const SHARE: usize = 4;

/// What the connections are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) idle: Duration,
}

/// Everything the connections need.
pub(crate) struct Setup {
    /// Where we dial from, per transport and our address as peers know it: their lists of allowed addresses hold it.
    pub(crate) bind: BTreeMap<(Transport, SocketAddr), IpAddr>,
    pub(crate) limits: Limits,
    pub(crate) tls: Tls,
    pub(crate) peers: Arc<Peers>,
    pub(crate) inbox: Inbox,
    pub(crate) hub: Hub,
    pub(crate) runtime: Handle,
}

/// All SIP connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Shared>);

struct Shared {
    bind: BTreeMap<(Transport, SocketAddr), IpAddr>,
    limits: Limits,
    tls: Tls,
    peers: RwLock<Arc<Peers>>,
    inbox: Inbox,
    hub: Hub,
    runtime: Handle,
    open: Mutex<Open>,
}

/// What is open. A connection is used for whatever goes to its other end from the same side of ours, whoever opened it.
#[derive(Default)]
struct Open {
    lines: BTreeMap<Flow, Entry>,
    per_ip: BTreeMap<IpAddr, usize>,
    numbers: u64,
}

struct Entry {
    /// Tells a connection from a later one to the same address.
    number: u64,
    queue: mpsc::Sender<Vec<u8>>,
}

/// A place among the open connections.
struct Place {
    number: u64,
    queue: mpsc::Receiver<Vec<u8>>,
}

impl Open {
    fn add(&mut self, flow: Flow, first: Option<Vec<u8>>, most: usize) -> Option<Place> {
        let ip = flow.remote.ip();
        let held = self.per_ip.get(&ip).copied().unwrap_or(0);
        if self.lines.len() >= most || held >= most.div_ceil(SHARE) {
            return None;
        }
        let (queue, receiver) = mpsc::channel(QUEUE);
        if let Some(first) = first {
            // A fresh queue has room.
            let _ = queue.try_send(first);
        }
        self.numbers += 1;
        let replaced = self.lines.insert(flow, Entry { number: self.numbers, queue });
        if replaced.is_none() {
            self.per_ip.insert(ip, held + 1);
        }
        Some(Place { number: self.numbers, queue: receiver })
    }

    fn remove(&mut self, flow: Flow, number: Option<u64>) {
        if self.lines.get(&flow).is_none_or(|entry| number.is_some_and(|number| number != entry.number)) {
            return;
        }
        self.lines.remove(&flow);
        if let Some(held) = self.per_ip.get_mut(&flow.remote.ip()) {
            *held -= 1;
            if *held == 0 {
                self.per_ip.remove(&flow.remote.ip());
            }
        }
    }
}

impl Streams {
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup { bind, limits, tls, peers, inbox, hub, runtime } = setup;
        runtime.spawn(tls.clone().renew());
        let (open, peers) = (Mutex::default(), RwLock::new(peers));
        Self(Arc::new(Shared { bind, limits, tls, peers, inbox, hub, runtime, open }))
    }

    /// Others may connect from now on, and those we call have these names. Connections that are open stay.
    pub(crate) fn know(&self, peers: Arc<Peers>, names: BTreeMap<SocketAddr, String>) {
        *self.0.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
        self.0.tls.know(names);
    }

    /// Takes connections for ever.
    pub(crate) async fn accept(self, (transport, local): (Transport, SocketAddr), listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => self.arrived(stream, Flow { transport, local, remote }),
                Err(error) => {
                    // Out of file descriptors, mostly: trying again at once would spin.
                    tracing::warn!(%error, "cannot accept a SIP connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn arrived(&self, stream: TcpStream, flow: Flow) {
        let from = flow.remote;
        if !self.0.peers.read().unwrap_or_else(PoisonError::into_inner).knows(from.ip()) {
            self.0.hub.metrics().add(Metric::UnknownSource, 1);
            tracing::debug!(%from, "closed a SIP connection from an unknown address");
            return;
        }
        // Handshakes hold a place too: whoever never finishes one must not be able to begin thousands.
        match self.0.register(flow, None) {
            Some(place) => drop(self.0.runtime.spawn(self.clone().welcome(stream, flow, place))),
            None => {
                tracing::warn!(%flow, "closed a SIP connection: sip.max_connections, or one address's share of them")
            }
        }
    }

    async fn welcome(self, stream: TcpStream, flow: Flow, place: Place) {
        match timeout(CONNECT, self.0.take(stream, flow.transport)).await {
            Ok(Ok(line)) => return self.serve(line, flow, place, false).await,
            Ok(Err(error)) => tracing::warn!(%flow, %error, "a SIP connection was not made"),
            Err(_) => tracing::warn!(%flow, "a SIP connection was not made: its handshake took more than 5 s"),
        }
        self.ended(flow, place.number).await;
    }

    /// Queues a message, dialling first when no connection to the flow's remote address is open. Never waits.
    pub(crate) fn send(&self, flow: Flow, bytes: Vec<u8>) {
        let queue = self.0.open().lines.get(&flow).map(|entry| entry.queue.clone());
        let refused = match queue {
            Some(queue) => match queue.try_send(bytes) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    tracing::warn!(%flow, "closed a SIP connection: the peer does not read");
                    self.0.open().remove(flow, None);
                    None
                }
                // It just ended: dial again.
                Err(mpsc::error::TrySendError::Closed(bytes)) => Some(bytes),
            },
            None => Some(bytes),
        };
        match refused.filter(|_| flow.transport.is_dialable()).map(|first| self.0.register(flow, Some(first))) {
            Some(Some(place)) => drop(self.0.runtime.spawn(self.clone().dial(flow, place))),
            Some(None) => {
                tracing::warn!(%flow, "cannot dial: sip.max_connections, or one address's share of them, are open");
                self.failed(flow);
            }
            None => self.failed(flow),
        }
    }

    fn failed(&self, flow: Flow) {
        // Called on the switchboard thread, which must not wait for itself.
        let inbox = self.0.inbox.clone();
        self.0.runtime.spawn(async move { inbox.send(Input::FlowFailed(flow)).await });
    }

    async fn dial(self, flow: Flow, place: Place) {
        match timeout(CONNECT, self.0.connect(flow)).await {
            Ok(Ok(line)) => return self.serve(line, flow, place, true).await,
            Ok(Err(error)) => tracing::warn!(%flow, %error, "cannot connect for SIP"),
            Err(_) => tracing::warn!(%flow, "cannot connect for SIP: no answer in 5 s"),
        }
        self.ended(flow, place.number).await;
    }

    async fn serve(self, line: Line, flow: Flow, place: Place, dialled: bool) {
        let exchange = Exchange { shared: &self.0, flow, queue: place.queue, dialled };
        if let Err(error) = line.exchange(exchange).await {
            tracing::debug!(%flow, %error, "SIP connection ended");
        }
        self.ended(flow, place.number).await;
    }

    async fn ended(&self, flow: Flow, number: u64) {
        self.0.open().remove(flow, Some(number));
        self.0.inbox.send(Input::FlowFailed(flow)).await;
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, flow: Flow, first: Option<Vec<u8>>) -> Option<Place> {
        self.open().add(flow, first, self.limits.connections)
    }

    /// A connection somebody opened, with the handshakes of its transport behind it.
    async fn take(&self, stream: TcpStream, transport: Transport) -> io::Result<Line> {
        urgent(&stream);
        let stream: Box<dyn Duplex> = match transport {
            Transport::Tls | Transport::Wss => {
                let acceptor = self.tls.acceptor().ok_or_else(|| io::Error::other("[sip.tls] names no certificate"))?;
                Box::new(acceptor.accept(stream).await?)
            }
            _ => Box::new(stream),
        };
        match transport {
            Transport::Ws | Transport::Wss => Line::web(stream).await,
            _ => Ok(Line::Octets(stream)),
        }
    }

    async fn connect(&self, flow: Flow) -> io::Result<Line> {
        let to = flow.remote;
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(ip) = self.bind.get(&(flow.transport, flow.local)).filter(|ip| ip.is_ipv4() == to.is_ipv4()) {
            socket.bind(SocketAddr::new(*ip, 0))?;
        }
        let stream = socket.connect(to).await?;
        urgent(&stream);
        if flow.transport != Transport::Tls {
            return Ok(Line::Octets(Box::new(stream)));
        }
        Ok(Line::Octets(Box::new(self.tls.connector().connect(self.tls.name(to), stream).await?)))
    }
}

/// Signalling is small and urgent.
fn urgent(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
}
