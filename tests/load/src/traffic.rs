//! The caller and the callee: many calls on a few sockets, one thread, paced in slots of half a millisecond.
//!
//! Every packet carries the moment it was sent, in samples too quiet to disturb a voice gate; behind them is speech.
//! What arrives at the other side is counted and timed by the kernel's receive stamp.

use crate::sip::{self, Dialog};
use crate::sys::{self, BATCH, Inbound};
use anyhow::{Context, Result, bail};
use sip_wire::{Message, Method};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

/// Where calls come from.
pub(crate) const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Where the bot is.
pub(crate) const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 12);

/// RTP sockets of each side; calls share them.
const SOCKETS: usize = 8;
/// Slots in the 20 ms of a packet.
const SLOTS: usize = 40;
const SLOT: Duration = Duration::from_micros(500);
/// So late, slots are left out rather than sent in one burst.
const HOPELESS: u32 = 40;
const RTP_HEADER: usize = 12;
const FRAME: usize = 160;
/// Tells our packets from others.
const MARK: [u8; 2] = *b"WL";
/// Mark, window and time, each octet as two of the sixteen quietest positive mu-law samples.
const STAMP: usize = 2 * 11;
/// A request without answer is repeated after this, then twice, four times as long; then the call has failed.
const REPEAT: Duration = Duration::from_millis(500);
const MOST_TRIES: u32 = 6;
/// The gateway ends the callee's side after it has answered the caller.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Inviting,
    Up,
    Ending,
    Over,
    Failed,
}

struct Call {
    dialog: Dialog,
    phase: Phase,
    sent: Instant,
    tries: u32,
    provisional: bool,
    /// Where the gateway wants the caller's and the callee's packets.
    to: [Option<SocketAddrV4>; 2],
    ticks: u32,
}

struct Side {
    sip: UdpSocket,
    sip_address: SocketAddrV4,
    rtp: Vec<(UdpSocket, SocketAddrV4)>,
    /// Bound so that reports to them are not answered by ICMP errors; never read.
    _rtcp: Vec<UdpSocket>,
}

/// What was measured in a window.
#[derive(Clone, Default, Debug)]
pub(crate) struct Window {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Nanoseconds from just before sending to the kernel's receive stamp; sorted once closed.
    pub(crate) latencies: Vec<u32>,
    /// Slots this generator left out because it was late itself.
    pub(crate) skipped: u64,
}

impl Window {
    pub(crate) fn loss_pct(&self) -> f64 {
        100.0 * self.sent.saturating_sub(self.received) as f64 / (self.sent as f64).max(1.0)
    }
}

/// Plays both parties.
pub(crate) struct Generator {
    gateway: SocketAddrV4,
    sides: [Side; 2],
    calls: Vec<Call>,
    by_call_id: BTreeMap<String, usize>,
    by_slot: Vec<Vec<usize>>,
    speech: Vec<u8>,
    media: bool,
    series: u32,
    window: Window,
    window_number: u8,
    counting: bool,
    next_slot: Instant,
    slot: usize,
    next_repeat: Instant,
    inbound: Inbound,
    outbound: Vec<(SocketAddrV4, [u8; RTP_HEADER + FRAME])>,
}

impl Side {
    fn new(ip: Ipv4Addr) -> Result<Self> {
        let sip = bind(ip, 0)?;
        sys::prepare(sip.as_fd(), 4 << 20);
        let sip_address = local(&sip)?;
        let (mut rtp, mut rtcp) = (Vec::new(), Vec::new());
        while rtp.len() < SOCKETS {
            let socket = bind(ip, 0)?;
            let address = local(&socket)?;
            // RTP is on even ports, and the next one must be ours as well.
            let Some(Ok(next)) = (address.port() % 2 == 0).then(|| bind(ip, address.port() + 1)) else { continue };
            if !sys::prepare(socket.as_fd(), 4 << 20) {
                bail!("the kernel gives no receive stamps (SO_TIMESTAMPNS)");
            }
            rtp.push((socket, address));
            rtcp.push(next);
        }
        Ok(Self { sip, sip_address, rtp, _rtcp: rtcp })
    }
}

fn bind(ip: Ipv4Addr, port: u16) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, port)).with_context(|| format!("cannot bind {ip}:{port}"))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn local(socket: &UdpSocket) -> Result<SocketAddrV4> {
    match socket.local_addr()? {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => bail!("{address} is no IPv4 address"),
    }
}

impl Generator {
    /// Opens the sockets. The gateway must be told [`Self::callee`].
    pub(crate) fn new(speech: Vec<u8>) -> Result<Self> {
        let now = Instant::now();
        Ok(Self {
            gateway: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
            sides: [Side::new(CALLER)?, Side::new(CALLEE)?],
            calls: Vec::new(),
            by_call_id: BTreeMap::new(),
            by_slot: vec![Vec::new(); SLOTS],
            speech,
            media: true,
            series: 0,
            window: Window::default(),
            window_number: 0,
            counting: false,
            next_slot: now,
            slot: 0,
            next_repeat: now,
            inbound: Inbound::new(),
            outbound: Vec::with_capacity(BATCH),
        })
    }

    /// Where the callee takes SIP.
    pub(crate) fn callee(&self) -> SocketAddrV4 {
        self.sides[1].sip_address
    }

    /// A fresh gateway; earlier calls are forgotten.
    pub(crate) fn aim(&mut self, gateway: SocketAddrV4, media: bool) {
        self.gateway = gateway;
        self.media = media;
        self.series += 1;
        self.calls.clear();
        self.by_call_id.clear();
        self.by_slot.iter_mut().for_each(Vec::clear);
    }

    /// Calls that are up.
    pub(crate) fn up(&self) -> usize {
        self.count(Phase::Up)
    }

    /// Calls that failed.
    pub(crate) fn failed(&self) -> usize {
        self.count(Phase::Failed)
    }

    fn count(&self, phase: Phase) -> usize {
        self.calls.iter().filter(|call| call.phase == phase).count()
    }

    /// Makes calls until `count` are up, so many a second.
    pub(crate) fn set_up(&mut self, prefix: char, count: usize, per_second: f64) {
        let start = Instant::now();
        let first = self.calls.len();
        let wanted = count.saturating_sub(self.up());
        let at_most = Duration::from_secs_f64(wanted as f64 / per_second + 40.0);
        self.drive(at_most, |generator, now| {
            let due = (now.duration_since(start).as_secs_f64() * per_second) as usize;
            while generator.calls.len() - first < due.min(wanted) {
                generator.invite(prefix, now);
            }
            generator.calls.len() - first >= wanted && generator.count(Phase::Inviting) == 0
        });
    }

    /// Plays calls that exist already, for a relay without SIP: where the caller's and the callee's packets go.
    pub(crate) fn assume(&mut self, ports: &[[SocketAddrV4; 2]]) {
        for to in ports {
            let number = self.calls.len();
            let dialog = Dialog::new(self.series, number, "", self.sides[0].sip_address, self.gateway);
            let to = to.map(Some);
            let (phase, sent) = (Phase::Up, Instant::now());
            self.calls.push(Call { dialog, phase, sent, tries: 0, provisional: false, to, ticks: 0 });
            self.by_slot[number % SLOTS].push(number);
        }
    }

    /// Ends all calls, so many a second.
    pub(crate) fn hang_up_all(&mut self, per_second: f64) {
        let start = Instant::now();
        let up: Vec<usize> = (0..self.calls.len()).filter(|number| self.calls[*number].phase == Phase::Up).collect();
        let at_most = Duration::from_secs_f64(up.len() as f64 / per_second + 40.0);
        let mut done = 0;
        self.drive(at_most, |generator, now| {
            let due = ((now.duration_since(start).as_secs_f64() * per_second) as usize).min(up.len());
            for number in up.get(done..due).unwrap_or_default() {
                generator.bye(*number, now);
            }
            done = done.max(due);
            done >= up.len() && generator.count(Phase::Ending) == 0
        });
        self.pass(LAST_WORDS);
    }

    /// Calls come and go: each is ended `hold` after it was answered.
    pub(crate) fn churn(&mut self, prefix: char, total: usize, per_second: f64, hold: Duration) {
        let start = Instant::now();
        let at_most = Duration::from_secs_f64(total as f64 / per_second + 40.0);
        let mut waiting: VecDeque<usize> = VecDeque::new();
        self.drive(at_most, |generator, now| {
            let due = (now.duration_since(start).as_secs_f64() * per_second) as usize;
            while generator.calls.len() < due.min(total) {
                waiting.push_back(generator.invite(prefix, now));
            }
            while let Some(number) = waiting.front().copied() {
                match generator.calls[number].phase {
                    Phase::Inviting => break,
                    Phase::Up if now.duration_since(generator.calls[number].sent) < hold => break,
                    Phase::Up => generator.bye(number, now),
                    _ => {}
                }
                waiting.pop_front();
            }
            let busy = generator.count(Phase::Inviting) + generator.count(Phase::Ending);
            generator.calls.len() >= total && waiting.is_empty() && busy == 0
        });
        self.pass(LAST_WORDS);
    }

    /// Lets time pass with what is up.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.drive(time, |_, _| false);
    }

    /// Counts and times what is sent from now on.
    pub(crate) fn open_window(&mut self) {
        self.window = Window::default();
        self.window_number = self.window_number.wrapping_add(1).max(1);
        self.counting = true;
    }

    /// Stops counting, and waits a second for what is still on its way.
    pub(crate) fn close_window(&mut self) -> Window {
        self.counting = false;
        self.pass(Duration::from_secs(1));
        let mut window = std::mem::take(&mut self.window);
        window.latencies.sort_unstable();
        window
    }

    fn drive(&mut self, at_most: Duration, mut done: impl FnMut(&mut Self, Instant) -> bool) {
        let end = Instant::now() + at_most;
        loop {
            let now = Instant::now();
            if now >= end || done(self, now) {
                return;
            }
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.read_sip(0, now);
        self.read_sip(1, now);
        while self.next_slot <= now {
            self.read_rtp();
            self.next_slot += SLOT;
            self.slot = (self.slot + 1) % SLOTS;
            if now.duration_since(self.next_slot) > SLOT * HOPELESS {
                self.window.skipped += u64::from(self.counting && self.media);
                continue;
            }
            if self.media {
                self.send_slot();
            }
        }
        if self.next_repeat <= now {
            self.next_repeat = now + REPEAT / 5;
            self.repeat(now);
        }
        let time = self.next_slot.saturating_duration_since(Instant::now());
        sys::wait(&[self.sides[0].sip.as_fd(), self.sides[1].sip.as_fd()], time);
    }

    // --- media ---------------------------------------------------------------------------------------------------

    fn send_slot(&mut self) {
        let window = if self.counting { self.window_number } else { 0 };
        for side in 0..2 {
            let list = std::mem::take(&mut self.by_slot[self.slot]);
            for numbers in list.chunks(BATCH) {
                self.outbound.clear();
                for number in numbers {
                    let call = &mut self.calls[*number];
                    let Some(to) = call.to[side] else { continue };
                    call.ticks += u32::from(side == 1);
                    self.outbound.push((to, packet(*number, side, call.ticks, &self.speech)));
                }
                let stamp = stamp(window, wall_ns());
                for (_, bytes) in &mut self.outbound {
                    bytes[RTP_HEADER..RTP_HEADER + STAMP].copy_from_slice(&stamp);
                }
                let (socket, _) = &self.sides[side].rtp[self.slot % SOCKETS];
                let sent = sys::send_many(socket.as_fd(), &self.outbound);
                self.window.sent += if window > 0 { sent as u64 } else { 0 };
            }
            self.by_slot[self.slot] = list;
        }
    }

    /// Reads a quarter of the sockets; each gets its turn every 2 ms, since the kernel keeps the time.
    fn read_rtp(&mut self) {
        for (i, side) in (self.slot % 4..SOCKETS).step_by(4).flat_map(|i| [(i, 0), (i, 1)]) {
            loop {
                let count = self.inbound.read(self.sides[side].rtp[i].0.as_fd());
                for k in 0..count {
                    let (bytes, _, stamp) = self.inbound.datagram(k);
                    if let (Some(sent), Some(received)) = (sent_at(bytes, self.window_number), stamp) {
                        self.window.received += 1;
                        let latency = received.saturating_sub(sent);
                        self.window.latencies.push(u32::try_from(latency).unwrap_or(u32::MAX));
                    }
                }
                if count < BATCH {
                    break;
                }
            }
        }
    }

    // --- signalling ----------------------------------------------------------------------------------------------

    fn invite(&mut self, prefix: char, now: Instant) -> usize {
        let number = self.calls.len();
        let dialog =
            Dialog::new(self.series, number, &format!("{prefix}{number}"), self.sides[0].sip_address, self.gateway);
        self.by_call_id.insert(dialog.call_id.clone(), number);
        let (phase, to) = (Phase::Inviting, [None; 2]);
        self.calls.push(Call { dialog, phase, sent: now, tries: 1, provisional: false, to, ticks: 0 });
        self.send_request(number);
        number
    }

    fn bye(&mut self, number: usize, now: Instant) {
        self.end(number, Phase::Ending);
        let call = &mut self.calls[number];
        (call.sent, call.tries) = (now, 1);
        self.send_request(number);
    }

    fn end(&mut self, number: usize, phase: Phase) {
        self.calls[number].phase = phase;
        self.by_slot[number % SLOTS].retain(|one| *one != number);
    }

    fn send_request(&self, number: usize) {
        let Some(call) = self.calls.get(number) else { return };
        let bytes = match call.phase {
            Phase::Ending => call.dialog.bye(),
            _ => call.dialog.invite(self.sides[0].rtp[number % SLOTS % SOCKETS].1),
        };
        self.send_sip(0, &bytes, self.gateway);
    }

    fn send_sip(&self, side: usize, bytes: &[u8], to: SocketAddrV4) {
        // What is not sent is repeated.
        let _ = self.sides[side].sip.send_to(bytes, to);
    }

    fn repeat(&mut self, now: Instant) {
        for number in 0..self.calls.len() {
            let call = &mut self.calls[number];
            let waits = match call.phase {
                Phase::Inviting => !call.provisional,
                Phase::Ending => true,
                _ => false,
            };
            if waits && now.duration_since(call.sent) >= REPEAT * (1 << call.tries.min(MOST_TRIES)) / 2 {
                call.tries += 1;
                if call.tries > MOST_TRIES {
                    self.end(number, Phase::Failed);
                } else {
                    self.send_request(number);
                }
            }
        }
    }

    fn read_sip(&mut self, side: usize, now: Instant) {
        let mut buffer = [0; 4096];
        while let Ok((len, SocketAddr::V4(from))) = self.sides[side].sip.recv_from(&mut buffer) {
            let Ok(message) = Message::parse_datagram(&buffer[..len]) else { continue };
            match (side, message.is_request()) {
                (0, false) => self.caller_hears(&message, now),
                (1, true) => self.callee_hears(&message, from),
                (0, true) => self.caller_is_asked(&message, from),
                _ => {}
            }
        }
    }

    fn caller_hears(&mut self, message: &Message, now: Instant) {
        let (Some(number), Some(code)) = (self.by_call_id.get(message.call_id()).copied(), message.code()) else {
            return;
        };
        let Ok(cseq) = message.cseq() else { return };
        match (cseq.method, code, self.calls[number].phase) {
            (Method::Invite, 100..200, Phase::Inviting) => self.calls[number].provisional = true,
            (Method::Invite, 200..300, phase) => {
                let call = &mut self.calls[number];
                call.dialog.answered(message);
                let ack = call.dialog.ack();
                if phase == Phase::Inviting {
                    call.to[0] = sip::media_address(&message.body);
                    (call.phase, call.sent) = (Phase::Up, now);
                    self.by_slot[number % SLOTS].push(number);
                }
                self.send_sip(0, &ack, self.gateway);
            }
            (Method::Invite, _, Phase::Inviting) => {
                let call = &mut self.calls[number];
                call.dialog.answered(message);
                let ack = call.dialog.ack();
                self.send_sip(0, &ack, self.gateway);
                self.end(number, Phase::Failed);
            }
            (Method::Bye, 200.., Phase::Ending) => {
                self.end(number, if code < 300 { Phase::Over } else { Phase::Failed });
            }
            _ => {}
        }
    }

    /// The gateway wants something from the caller: that is no part of any run here, except its own BYE.
    fn caller_is_asked(&mut self, message: &Message, from: SocketAddrV4) {
        let known = self.by_call_id.get(message.call_id()).copied();
        let code = match (message.method(), known) {
            (Some(Method::Bye), Some(number)) => {
                self.end(number, Phase::Failed);
                200
            }
            (Some(Method::Options), _) => 200,
            (Some(Method::Ack), _) => return,
            _ => 501,
        };
        self.send_sip(0, &message.response_to(code, "", None).to_bytes(), from);
    }

    fn callee_hears(&mut self, message: &Message, from: SocketAddrV4) {
        match message.method() {
            Some(Method::Ack) => {}
            Some(Method::Invite) => {
                let number = message.request_uri().and_then(sip::dialled);
                let Some(call) = number.and_then(|number| self.calls.get_mut(number)) else {
                    return self.send_sip(1, &message.response_to(404, "", Some("callee")).to_bytes(), from);
                };
                call.to[1] = sip::media_address(&message.body);
                let number = call.dialog.number;
                let ringing = message.response_to(180, "Ringing", Some(&format!("callee-{number}")));
                let rtp = self.sides[1].rtp[number % SLOTS % SOCKETS].1;
                let answer = sip::accept(message, self.sides[1].sip_address, rtp, number);
                self.send_sip(1, &ringing.to_bytes(), from);
                self.send_sip(1, &answer, from);
            }
            Some(Method::Bye | Method::Options) => {
                self.send_sip(1, &message.response_to(200, "", None).to_bytes(), from)
            }
            _ => self.send_sip(1, &message.response_to(501, "", None).to_bytes(), from),
        }
    }
}

/// An RTP packet of speech; the stamp is filled in when it is sent.
fn packet(number: usize, side: usize, ticks: u32, speech: &[u8]) -> [u8; RTP_HEADER + FRAME] {
    let mut bytes = [0xff; RTP_HEADER + FRAME];
    bytes[..2].copy_from_slice(&[0x80, 0]);
    bytes[2..4].copy_from_slice(&(ticks as u16).to_be_bytes());
    bytes[4..8].copy_from_slice(&ticks.wrapping_mul(FRAME as u32).to_be_bytes());
    bytes[8..12].copy_from_slice(&((number * 2 + side) as u32 | 0x5750_0000).to_be_bytes());
    // Every call is somewhere else in the speech, so that not all begin a sentence at once.
    let frames = (speech.len() / FRAME).max(1);
    let at = (number * 37 + ticks as usize) % frames * FRAME;
    if let Some(part) = speech.get(at..at + FRAME) {
        bytes[RTP_HEADER..].copy_from_slice(part);
    }
    bytes
}

fn stamp(window: u8, at: u64) -> [u8; STAMP] {
    let mut octets = [MARK[0], MARK[1], window, 0, 0, 0, 0, 0, 0, 0, 0];
    octets[3..].copy_from_slice(&at.to_be_bytes());
    std::array::from_fn(|i| 0xf0 | if i % 2 == 0 { octets[i / 2] >> 4 } else { octets[i / 2] & 0x0f })
}

/// When this packet of ours was sent; `None` for packets of other windows and others' packets.
fn sent_at(bytes: &[u8], window: u8) -> Option<u64> {
    let samples = bytes.get(RTP_HEADER..RTP_HEADER + STAMP)?;
    let octet = |i: usize| samples[2 * i] << 4 | samples[2 * i + 1] & 0x0f;
    let ours =
        samples.iter().all(|sample| *sample >= 0xf0) && [octet(0), octet(1), octet(2)] == [MARK[0], MARK[1], window];
    (ours && window > 0).then(|| u64::from_be_bytes(std::array::from_fn(|i| octet(3 + i))))
}

fn wall_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_again_in_their_own_window_only() {
        let mut bytes = packet(7, 1, 3, &[0x55; 480]);
        assert_eq!(sent_at(&bytes, 5), None, "not stamped");
        bytes[RTP_HEADER..RTP_HEADER + STAMP].copy_from_slice(&stamp(5, 0x0123_4567_89ab_cdef));
        assert_eq!(sent_at(&bytes, 5), Some(0x0123_4567_89ab_cdef));
        assert_eq!(sent_at(&bytes, 4), None);
        assert_eq!(sent_at(&bytes[..20], 5), None);
        assert_eq!(bytes[RTP_HEADER + STAMP..], [0x55; FRAME - STAMP], "speech behind the stamp");
    }
}
