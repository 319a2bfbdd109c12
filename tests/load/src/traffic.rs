//! The caller, the callee and the desk: many calls on a few sockets, one thread, paced in slots of half a millisecond.
//!
//! Every packet carries who sent it and when, in samples too quiet to disturb a voice gate; behind them is speech.
//! What arrives at the other side is counted and timed by the kernel's receive stamp.

use crate::joins::{Heard, Joins};
use crate::sip::Dialog;
use crate::sys::{self, BATCH, Inbound};
use crate::talk::REPEAT;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

/// Where calls come from.
pub(crate) const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Where the bot is.
pub(crate) const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 12);

/// Where the desk is.
pub(crate) const DESK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 13);

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
/// Mark, window, time and side, each octet as two of the sixteen quietest positive mu-law samples.
const STAMP: usize = 2 * 12;
/// The gateway ends the callee's side after it has answered the caller.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Inviting,
    Up,
    Ending,
    Over,
    Failed,
}

pub(crate) struct Call {
    pub(crate) dialog: Dialog,
    pub(crate) phase: Phase,
    pub(crate) sent: Instant,
    pub(crate) tries: u32,
    pub(crate) provisional: bool,
    /// Where the gateway wants the caller's, the callee's and the desk's packets.
    pub(crate) to: [Option<SocketAddrV4>; SIDES],
    pub(crate) ticks: [u32; SIDES],
}

/// Caller, callee, desk.
pub(crate) const SIDES: usize = 3;
pub(crate) const CALLER_SIDE: usize = 0;
pub(crate) const CALLEE_SIDE: usize = 1;
pub(crate) const DESK_SIDE: usize = 2;

pub(crate) struct Side {
    pub(crate) sip: UdpSocket,
    pub(crate) sip_address: SocketAddrV4,
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

/// Plays all parties.
pub(crate) struct Generator {
    pub(crate) gateway: SocketAddrV4,
    pub(crate) sides: [Side; SIDES],
    pub(crate) calls: Vec<Call>,
    pub(crate) by_call_id: BTreeMap<String, usize>,
    /// The gateway's own dialogs: which call, and with whom.
    pub(crate) legs: BTreeMap<String, (usize, usize)>,
    /// Whose packets are due, by side and slot.
    by_slot: [Vec<Vec<usize>>; SIDES],
    /// Calls whose desk was rung, and when by the kernel's clock; for whoever measures that.
    pub(crate) rung: Vec<(usize, u64)>,
    /// What callers hear, when that is what is measured.
    pub(crate) joins: Option<Joins>,
    /// Whether the caller's telephone says keys as telephone-event; without, they are listened for in the audio.
    pub(crate) events: bool,
    speech: Vec<u8>,
    media: bool,
    pub(crate) series: u32,
    window: Window,
    window_number: u8,
    counting: bool,
    next_slot: Instant,
    slot: usize,
    next_repeat: Instant,
    pub(crate) inbound: Inbound,
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
            sides: [Side::new(CALLER)?, Side::new(CALLEE)?, Side::new(DESK)?],
            calls: Vec::new(),
            by_call_id: BTreeMap::new(),
            legs: BTreeMap::new(),
            by_slot: std::array::from_fn(|_| vec![Vec::new(); SLOTS]),
            rung: Vec::new(),
            joins: None,
            events: true,
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
        self.sides[CALLEE_SIDE].sip_address
    }

    /// Where the desk takes SIP.
    pub(crate) fn desk(&self) -> SocketAddrV4 {
        self.sides[DESK_SIDE].sip_address
    }

    /// A fresh gateway; earlier calls are forgotten.
    pub(crate) fn aim(&mut self, gateway: SocketAddrV4, media: bool) {
        self.gateway = gateway;
        self.media = media;
        self.series += 1;
        self.calls.clear();
        self.by_call_id.clear();
        self.legs.clear();
        self.rung.clear();
        self.by_slot.iter_mut().flatten().for_each(Vec::clear);
    }

    /// Calls that are up.
    pub(crate) fn up(&self) -> usize {
        self.count(Phase::Up)
    }

    /// Calls that failed.
    pub(crate) fn failed(&self) -> usize {
        self.count(Phase::Failed)
    }

    pub(crate) fn count(&self, phase: Phase) -> usize {
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
            let to = [Some(to[0]), Some(to[1]), None];
            let (phase, sent) = (Phase::Up, Instant::now());
            self.calls.push(Call { dialog, phase, sent, tries: 0, provisional: false, to, ticks: [0; SIDES] });
            self.speaks(number, CALLER_SIDE);
            self.speaks(number, CALLEE_SIDE);
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

    pub(crate) fn drive(&mut self, at_most: Duration, mut done: impl FnMut(&mut Self, Instant) -> bool) {
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
        (0..SIDES).for_each(|side| self.read_sip(side, now));
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
        sys::wait(&self.sides.each_ref().map(|side| side.sip.as_fd()), time);
    }

    /// From now on this side of the call sends: the desk at another moment than the callee, as another telephone would.
    pub(crate) fn speaks(&mut self, number: usize, side: usize) {
        let slot = slot_of(number, side);
        self.by_slot[side][slot].push(number);
    }

    /// This side of the call is over.
    pub(crate) fn falls_silent(&mut self, number: usize, side: usize) {
        self.calls[number].to[side] = None;
        self.by_slot[side][slot_of(number, side)].retain(|one| *one != number);
    }

    /// Where this side of the call takes its audio: the socket that it sends from.
    pub(crate) fn ear(&self, number: usize, side: usize) -> SocketAddrV4 {
        self.sides[side].rtp[slot_of(number, side) % SOCKETS].1
    }

    // --- media ---------------------------------------------------------------------------------------------------

    fn send_slot(&mut self) {
        let window = if self.counting { self.window_number } else { 0 };
        for side in 0..SIDES {
            let list = std::mem::take(&mut self.by_slot[side][self.slot]);
            for numbers in list.chunks(BATCH) {
                self.outbound.clear();
                for number in numbers {
                    let call = &mut self.calls[*number];
                    let Some(to) = call.to[side] else { continue };
                    call.ticks[side] += 1;
                    self.outbound.push((to, packet(*number, side, call.ticks[side], &self.speech)));
                }
                let stamp = stamp(window, side, wall_ns());
                for (_, bytes) in &mut self.outbound {
                    bytes[RTP_HEADER..RTP_HEADER + STAMP].copy_from_slice(&stamp);
                }
                let (socket, _) = &self.sides[side].rtp[self.slot % SOCKETS];
                let sent = sys::send_many(socket.as_fd(), &self.outbound);
                self.window.sent += if window > 0 { sent as u64 } else { 0 };
            }
            self.by_slot[side][self.slot] = list;
        }
    }

    /// Reads a quarter of the sockets; each gets its turn every 2 ms, since the kernel keeps the time.
    fn read_rtp(&mut self) {
        for (i, side) in (self.slot % 4..SOCKETS).step_by(4).flat_map(|i| (0..SIDES).map(move |side| (i, side))) {
            loop {
                let count = self.inbound.read(self.sides[side].rtp[i].0.as_fd());
                for k in 0..count {
                    let (bytes, from, stamp) = self.inbound.datagram(k);
                    if let (CALLER_SIDE, Some(joins), Some(at)) = (side, &mut self.joins, stamp) {
                        joins.hear(from, Heard::read(bytes, source(bytes)), at);
                    }
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
}

fn slot_of(number: usize, side: usize) -> usize {
    if side == DESK_SIDE { number.wrapping_mul(0x9e37_79b1) / 128 % SLOTS } else { number % SLOTS }
}

/// An RTP packet of speech; the stamp is filled in when it is sent.
fn packet(number: usize, side: usize, ticks: u32, speech: &[u8]) -> [u8; RTP_HEADER + FRAME] {
    let mut bytes = [0xff; RTP_HEADER + FRAME];
    bytes[..2].copy_from_slice(&[0x80, 0]);
    bytes[2..4].copy_from_slice(&(ticks as u16).to_be_bytes());
    bytes[4..8].copy_from_slice(&ticks.wrapping_mul(FRAME as u32).to_be_bytes());
    bytes[8..12].copy_from_slice(&((number * SIDES + side) as u32 | 0x5750_0000).to_be_bytes());
    // Every call is somewhere else in the speech, so that not all begin a sentence at once.
    let frames = (speech.len() / FRAME).max(1);
    let at = (number * 37 + ticks as usize) % frames * FRAME;
    if let Some(part) = speech.get(at..at + FRAME) {
        bytes[RTP_HEADER..].copy_from_slice(part);
    }
    bytes
}

fn stamp(window: u8, side: usize, at: u64) -> [u8; STAMP] {
    let mut octets = [MARK[0], MARK[1], window, 0, 0, 0, 0, 0, 0, 0, 0, side as u8];
    octets[3..11].copy_from_slice(&at.to_be_bytes());
    std::array::from_fn(|i| 0xf0 | if i % 2 == 0 { octets[i / 2] >> 4 } else { octets[i / 2] & 0x0f })
}

/// One octet of the stamp; `None` for others' packets.
fn stamped(bytes: &[u8], i: usize) -> Option<u8> {
    let samples = bytes.get(RTP_HEADER..RTP_HEADER + STAMP)?;
    let octet = |i: usize| samples[2 * i] << 4 | samples[2 * i + 1] & 0x0f;
    (samples.iter().all(|sample| *sample >= 0xf0) && [octet(0), octet(1)] == MARK).then(|| octet(i))
}

/// Which side of ours said it.
fn source(bytes: &[u8]) -> Option<usize> {
    stamped(bytes, 11).map(usize::from)
}

/// When this packet of ours was sent; `None` for packets of other windows and others' packets.
fn sent_at(bytes: &[u8], window: u8) -> Option<u64> {
    let ours = window > 0 && stamped(bytes, 2) == Some(window);
    ours.then(|| u64::from_be_bytes(std::array::from_fn(|i| stamped(bytes, 3 + i).unwrap_or_default())))
}

pub(crate) fn wall_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_again_in_their_own_window_only() {
        let mut bytes = packet(7, 1, 3, &[0x55; 480]);
        assert_eq!(sent_at(&bytes, 5), None, "not stamped");
        bytes[RTP_HEADER..RTP_HEADER + STAMP].copy_from_slice(&stamp(5, DESK_SIDE, 0x0123_4567_89ab_cdef));
        assert_eq!(sent_at(&bytes, 5), Some(0x0123_4567_89ab_cdef));
        assert_eq!(sent_at(&bytes, 4), None);
        assert_eq!(source(&bytes), Some(DESK_SIDE));
        assert_eq!(sent_at(&bytes[..20], 5), None);
        assert_eq!(bytes[RTP_HEADER + STAMP..], [0x55; FRAME - STAMP], "speech behind the stamp");
    }
}
