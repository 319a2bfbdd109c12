//! TCP connections for SIP: those peers open and those we open, each with a bounded queue.

use crate::inbox::{Inbox, Input};
use call_core::Peers;
use http_api::{Hub, Metric};
use sip_proto::{Flow, Transport};
use sip_wire::{Framed, StreamFramer};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Messages waiting to be written per connection; a peer that reads so slowly is given up.
const QUEUE: usize = 256;
/// A peer that does not accept a connection within this is unreachable.
const CONNECT: Duration = Duration::from_secs(5);
/// A peer that does not take what we write within this is gone.
const WRITE: Duration = Duration::from_secs(10);
/// After a stream that cannot be followed, its last answer has so long to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What the connections are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) idle: Duration,
}

/// All SIP connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TcpSip(Arc<Shared>);

struct Shared {
    advertised: SocketAddr,
    bind_ip: IpAddr,
    limits: Limits,
    peers: Arc<Peers>,
    inbox: Inbox,
    hub: Hub,
    runtime: Handle,
    open: Mutex<BTreeMap<SocketAddr, Entry>>,
}

struct Entry {
    /// Tells a connection from a later one to the same address.
    number: u64,
    queue: mpsc::Sender<Vec<u8>>,
}

impl TcpSip {
    pub(crate) fn new(
        (advertised, bind_ip): (SocketAddr, IpAddr),
        limits: Limits,
        peers: Arc<Peers>,
        inbox: Inbox,
        hub: Hub,
        runtime: Handle,
    ) -> Self {
        let open = Mutex::new(BTreeMap::new());
        Self(Arc::new(Shared { advertised, bind_ip, limits, peers, inbox, hub, runtime, open }))
    }

    /// Takes connections for ever.
    pub(crate) async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => self.arrived(stream, from),
                Err(error) => {
                    // Out of file descriptors, mostly: trying again at once would spin.
                    tracing::warn!(%error, "cannot accept a SIP connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn arrived(&self, stream: TcpStream, from: SocketAddr) {
        if !self.0.peers.knows(from.ip()) {
            self.0.hub.metrics().add(Metric::UnknownSource, 1);
            tracing::debug!(%from, "closed a SIP connection from an unknown address");
            return;
        }
        match self.0.register(from, None) {
            Some((number, queue)) => drop(self.0.runtime.spawn(self.clone().serve(stream, from, number, queue))),
            None => tracing::warn!(%from, "closed a SIP connection: sip.max_connections are open"),
        }
    }

    /// Queues a message, dialling first when no connection to the flow's remote address is open. Never waits.
    pub(crate) fn send(&self, flow: Flow, bytes: Vec<u8>) {
        let queue = self.0.open().get(&flow.remote).map(|entry| entry.queue.clone());
        let refused = match queue {
            Some(queue) => match queue.try_send(bytes) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    tracing::warn!(%flow, "closed a SIP connection: the peer does not read");
                    self.0.open().remove(&flow.remote);
                    None
                }
                // It just ended: dial again.
                Err(mpsc::error::TrySendError::Closed(bytes)) => Some(bytes),
            },
            None => Some(bytes),
        };
        match refused.map(|first| self.0.register(flow.remote, Some(first))) {
            Some(Some((number, queue))) => drop(self.0.runtime.spawn(self.clone().dial(flow.remote, number, queue))),
            Some(None) => {
                tracing::warn!(%flow, "cannot dial: sip.max_connections are open");
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

    async fn dial(self, to: SocketAddr, number: u64, queue: mpsc::Receiver<Vec<u8>>) {
        match timeout(CONNECT, self.0.connect(to)).await {
            Ok(Ok(stream)) => return self.serve(stream, to, number, queue).await,
            Ok(Err(error)) => tracing::warn!(%to, %error, "cannot connect for SIP"),
            Err(_) => tracing::warn!(%to, "cannot connect for SIP: no answer in 5 s"),
        }
        self.ended(to, number).await;
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr, number: u64, queue: mpsc::Receiver<Vec<u8>>) {
        // Signalling is small and urgent.
        let _ = stream.set_nodelay(true);
        if let Err(error) = self.0.exchange(stream, peer, queue).await {
            tracing::debug!(%peer, %error, "SIP connection ended");
        }
        self.ended(peer, number).await;
    }

    async fn ended(&self, peer: SocketAddr, number: u64) {
        {
            let mut open = self.0.open();
            if open.get(&peer).is_some_and(|entry| entry.number == number) {
                open.remove(&peer);
            }
        }
        self.0.inbox.send(Input::FlowFailed(self.0.flow(peer))).await;
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flow(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Tcp, local: self.advertised, remote }
    }

    fn register(&self, peer: SocketAddr, first: Option<Vec<u8>>) -> Option<(u64, mpsc::Receiver<Vec<u8>>)> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let mut open = self.open();
        if open.len() >= self.limits.connections {
            return None;
        }
        let (queue, receiver) = mpsc::channel(QUEUE);
        if let Some(first) = first {
            // A fresh queue has room.
            let _ = queue.try_send(first);
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        open.insert(peer, Entry { number, queue });
        Some((number, receiver))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // From the address peers know us by: their lists of allowed addresses hold it.
        if self.bind_ip.is_ipv4() == to.is_ipv4() {
            socket.bind(SocketAddr::new(self.bind_ip, 0))?;
        }
        socket.connect(to).await
    }

    async fn exchange(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        mut queue: mpsc::Receiver<Vec<u8>>,
    ) -> io::Result<()> {
        let (mut reader, mut writer) = stream.into_split();
        let mut framer = StreamFramer::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            tokio::select! {
                read = reader.read(&mut buffer) => match read? {
                    0 => return Ok(()),
                    len => {
                        framer.push(&buffer[..len]);
                        if self.frames(&mut framer, peer, &mut writer).await?.is_break() {
                            return self.last_words(queue, writer).await;
                        }
                    }
                },
                message = queue.recv() => match message {
                    Some(bytes) => write(&mut writer, &bytes).await?,
                    // Given up by `send`.
                    None => return Ok(()),
                },
                () = tokio::time::sleep(self.limits.idle) => return Ok(()),
            }
        }
    }

    /// Hands every complete message on. Breaks when the stream cannot be followed any further.
    async fn frames(
        &self,
        framer: &mut StreamFramer,
        peer: SocketAddr,
        writer: &mut tokio::net::tcp::OwnedWriteHalf,
    ) -> io::Result<ControlFlow<()>> {
        while let Some(next) = framer.next_frame() {
            let framed = match next {
                // RFC 5626 §3.5.1: two line breaks are answered with one.
                Ok(Framed::KeepAlive) => {
                    write(writer, b"\r\n").await?;
                    continue;
                }
                Ok(Framed::Message(message)) => Ok(*message),
                Err(malformed) => {
                    self.hub.metrics().add(Metric::Malformed, 1);
                    Err(malformed)
                }
            };
            let close = matches!(&framed, Err(malformed) if malformed.close_stream);
            self.inbox.send(Input::Framed { flow: self.flow(peer), framed: Box::new(framed) }).await;
            if close {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn last_words(
        &self,
        mut queue: mpsc::Receiver<Vec<u8>>,
        mut writer: tokio::net::tcp::OwnedWriteHalf,
    ) -> io::Result<()> {
        while let Ok(Some(bytes)) = timeout(LAST_WORDS, queue.recv()).await {
            write(&mut writer, &bytes).await?;
        }
        writer.shutdown().await
    }
}

async fn write(writer: &mut tokio::net::tcp::OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
    timeout(WRITE, writer.write_all(bytes)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
