//! One scripted telephone on real sockets: a thread that drives a sans-IO [`Phone`] and notes when packets came.

use crate::clock::Clock;
use call_model::{IdSource, Instant};
use crossbeam_channel::{Receiver, Sender};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use phone::{Phone, PhoneConfig, PhoneEvent, PhoneOutput, Source};
use sip_proto::{Flow, Transport};
use sip_wire::Uri;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const SIP: Token = Token(0);
const RTP: Token = Token(1);
const BELL: Token = Token(2);
/// Without anything to do, look at the orders this often.
const IDLE: Duration = Duration::from_millis(500);

/// What to do now.
#[derive(Debug)]
pub(super) enum Order {
    Call { uri: Uri, to: SocketAddr },
    HangUp,
    Say(Source),
    Report(Sender<Report>),
    Leave,
}

/// What a party noticed, and when.
#[derive(Clone, Debug)]
pub(super) struct Noticed {
    pub(super) who: &'static str,
    pub(super) at: Instant,
    pub(super) event: PhoneEvent,
}

/// One RTP packet at a party's socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Came {
    pub(super) at: Instant,
    pub(super) from: SocketAddr,
    /// Somebody speaks in it, or a tone sounds.
    pub(super) loud: bool,
}

/// What came to its RTP socket, and what left it.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Each packet that came, in order.
    pub(super) arrivals: Vec<Came>,
    /// When each packet left, in order.
    pub(super) departures: Vec<Instant>,
    /// Sequence numbers that never came, over all streams.
    pub(super) lost: u64,
}

/// One incoming stream, by its SSRC (RFC 3550 §A.1).
#[derive(Clone, Copy, Debug)]
struct Incoming {
    first: u64,
    highest: u64,
    received: u64,
}

impl Incoming {
    fn lost(&self) -> u64 {
        (self.highest - self.first + 1).saturating_sub(self.received)
    }
}

/// Sockets that are bound, so that addresses are known before anything is configured.
pub(super) struct Seat {
    sip: UdpSocket,
    rtp: UdpSocket,
    pub(super) sip_address: SocketAddr,
    pub(super) rtp_address: SocketAddr,
}

impl Seat {
    /// Ports of the system's choice on `ip`.
    pub(super) fn take(ip: IpAddr) -> io::Result<Self> {
        let sip = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        let rtp = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        let (sip_address, rtp_address) = (sip.local_addr()?, rtp.local_addr()?);
        Ok(Self { sip, rtp, sip_address, rtp_address })
    }
}

/// A running party.
pub(super) struct Party {
    orders: Sender<Order>,
    bell: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Party {
    pub(super) fn start(
        who: &'static str,
        seat: Seat,
        config: PhoneConfig,
        (clock, ids): (Clock, IdSource),
        noticed: Sender<Noticed>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let bell = Arc::new(Waker::new(poll.registry(), BELL)?);
        let (orders, inbox) = crossbeam_channel::unbounded();
        let Seat { mut sip, mut rtp, sip_address, .. } = seat;
        poll.registry().register(&mut sip, SIP, Interest::READABLE)?;
        poll.registry().register(&mut rtp, RTP, Interest::READABLE)?;
        let phone = Phone::new(config, ids);
        let life = Life {
            who,
            phone,
            poll,
            sip,
            rtp,
            sip_address,
            clock,
            inbox,
            noticed,
            arrivals: Vec::new(),
            departures: Vec::new(),
            streams: BTreeMap::new(),
        };
        let thread = std::thread::Builder::new().name(format!("demo-{who}")).spawn(move || life.run())?;
        Ok(Self { orders, bell, thread: Some(thread) })
    }

    pub(super) fn order(&self, order: Order) {
        // A party that has left takes no orders.
        let _ = self.orders.send(order);
        let _ = self.bell.wake();
    }

    /// What it measured so far.
    pub(super) fn report(&self) -> Report {
        let (give, take) = crossbeam_channel::bounded(1);
        self.order(Order::Report(give));
        take.recv().unwrap_or_default()
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.order(Order::Leave);
        if let Some(thread) = self.thread.take() {
            // A party that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

struct Life {
    who: &'static str,
    phone: Phone,
    poll: Poll,
    sip: UdpSocket,
    rtp: UdpSocket,
    sip_address: SocketAddr,
    clock: Clock,
    inbox: Receiver<Order>,
    noticed: Sender<Noticed>,
    arrivals: Vec<Came>,
    departures: Vec<Instant>,
    streams: BTreeMap<u32, Incoming>,
}

impl Life {
    fn run(mut self) {
        let mut events = Events::with_capacity(8);
        loop {
            let wait = self.phone.poll_timeout().map_or(IDLE, |due| self.clock.until(due).min(IDLE));
            if self.poll.poll(&mut events, Some(wait)).is_err() {
                continue;
            }
            self.read();
            while let Ok(order) = self.inbox.try_recv() {
                let now = self.clock.now();
                match order {
                    Order::Call { uri, to } => self.phone.call(&uri, to, Vec::new(), now),
                    Order::HangUp => self.phone.hang_up(now),
                    Order::Say(source) => self.phone.media.say(source),
                    Order::Report(to) => {
                        let lost = self.streams.values().map(Incoming::lost).sum();
                        let (arrivals, departures) = (self.arrivals.clone(), self.departures.clone());
                        // Whoever asked may have given up.
                        let _ = to.send(Report { arrivals, departures, lost });
                    }
                    Order::Leave => return,
                }
            }
            self.phone.handle_timeout(self.clock.now());
            self.write();
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 65_536];
        while let Ok((len, from)) = self.rtp.recv_from(&mut buffer) {
            let now = self.clock.now();
            self.arrivals.push(Came { at: now, from, loud: loud(&buffer[..len]) });
            self.count(&buffer[..len]);
            self.phone.handle_rtp(from, &buffer[..len], now);
        }
        while let Ok((len, remote)) = self.sip.recv_from(&mut buffer) {
            let flow = Flow { transport: Transport::Udp, local: self.sip_address, remote };
            self.phone.handle_datagram(flow, &buffer[..len], self.clock.now());
            self.write();
        }
    }

    fn count(&mut self, packet: &[u8]) {
        let &[_, _, high, low, _, _, _, _, a, b, c, d, ..] = packet else { return };
        let sequence = u16::from_be_bytes([high, low]);
        let stream = self.streams.entry(u32::from_be_bytes([a, b, c, d])).or_insert_with(|| {
            // Far from zero, so that packets older than the first one do not underflow.
            let first = (1 << 32) | u64::from(sequence);
            Incoming { first, highest: first, received: 0 }
        });
        stream.received += 1;
        let step = sequence.wrapping_sub(stream.highest as u16) as i16;
        stream.highest = stream.highest.max(stream.highest.saturating_add_signed(i64::from(step)));
    }

    fn write(&mut self) {
        while let Some(output) = self.phone.poll_output() {
            // A datagram that is not sent is a datagram lost: SIP repeats, RTP does not.
            match output {
                PhoneOutput::Sip { flow, bytes, .. } => drop(self.sip.send_to(&bytes, flow.remote)),
                PhoneOutput::Rtp { to, bytes } => {
                    if self.rtp.send_to(&bytes, to).is_ok() {
                        self.departures.push(self.clock.now());
                    }
                }
                PhoneOutput::Event(event) => {
                    drop(self.noticed.send(Noticed { who: self.who, at: self.clock.now(), event }));
                }
            }
        }
    }
}

/// Whether a G.711 packet holds a sample above 900 of 32768: its segment, bits 4 to 6, is the third or higher.
fn loud(packet: &[u8]) -> bool {
    const HEADER: usize = 12;
    let (Some(kind), Some(payload)) = (packet.get(1), packet.get(HEADER..)) else { return false };
    let inverted = match kind & 0x7f {
        0 => 0xff,
        8 => 0x55,
        _ => return false,
    };
    payload.iter().any(|octet| ((octet ^ inverted) >> 4) & 7 >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_not_loud_and_speech_is() {
        let packet = |kind: u8, octet: u8| [&[0x80, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[octet; 160]].concat();
        assert!(!loud(&packet(0, 0xff)) && !loud(&packet(0, 0x7f)) && !loud(&packet(8, 0xd5)) && !loud(&[0x80]));
        assert!(loud(&packet(0, 0x80)) && loud(&packet(8, 0xaa)) && !loud(&packet(101, 0x00)));
    }
}
