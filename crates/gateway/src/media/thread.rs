//! One media thread: waits, reads, lets the engine think, sends.

use super::ports::{Inbound, Ports};
use super::sys::{Epoll, Ready};
use super::{Bell, Counters, Sinks, StreamOut, ToMedia};
use crate::clock::Clock;
use call_model::{EndReason, Instant, LegId, MediaCommand, MediaEvent};
use crossbeam_channel::Receiver;
use rtp_proto::{LegSlot, MediaEngine, Output};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The epoll name of the bell; sockets are named by slot.
const BELL: u64 = u64::MAX;
/// Sockets reported by one wait.
const MOST_READY: usize = 512;
/// Messages taken before packets get their turn.
const ROUND: usize = 256;

pub(crate) struct MediaThread {
    engine: MediaEngine,
    clock: Clock,
    messages: Receiver<ToMedia>,
    bell: Arc<Bell>,
    sinks: Arc<Sinks>,
    counters: Arc<Counters>,
    epoll: Epoll,
    inbound: Inbound,
    /// By the index of the slot.
    open: Vec<Option<OpenPorts>>,
    by_leg: BTreeMap<LegId, usize>,
}

struct OpenPorts {
    leg: LegId,
    slot: LegSlot,
    ports: Ports,
}

impl MediaThread {
    pub(crate) fn new(
        engine: MediaEngine,
        clock: Clock,
        messages: Receiver<ToMedia>,
        bell: Arc<Bell>,
        sinks: Arc<Sinks>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.watch(bell.event.as_fd(), BELL)?;
        let inbound = Inbound::new();
        let (open, by_leg) = (Vec::new(), BTreeMap::new());
        Ok(Self { engine, clock, messages, bell, sinks, counters, epoll, inbound, open, by_leg })
    }

    /// Until [`ToMedia::Stop`].
    pub(crate) fn run(mut self) {
        let mut ready = Ready::with_capacity(MOST_READY);
        let mut more = false;
        loop {
            let due = self.engine.poll_timeout().map(|(when, _)| self.clock.until(when));
            let wait = if more { Some(std::time::Duration::ZERO) } else { due };
            if let Err(error) = self.epoll.wait(&mut ready, wait) {
                tracing::error!(%error, "a media thread cannot wait for packets");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            add(&self.counters.wakeups, 1);
            let now = self.clock.now();
            let mut rung = more;
            for i in 0..ready.len() {
                match ready.name(i) {
                    BELL => rung = true,
                    name => self.read(name, now),
                }
            }
            self.drain();
            if rung {
                let Some(left) = self.take_messages() else { return };
                more = left;
            }
            if self.engine.poll_timeout().is_some_and(|(when, _)| when <= now) {
                self.engine.handle_timeout(now);
                self.drain();
            }
            self.counters.tap_dropped.store(self.engine.tap_dropped(), Ordering::Relaxed);
        }
    }

    /// Reads a datagram of one socket, and relays it.
    fn read(&mut self, name: u64, now: Instant) {
        let (index, is_rtcp) = ((name >> 1) as usize, name & 1 == 1);
        let Some(Some(open)) = self.open.get(index) else { return };
        let socket = if is_rtcp { &open.ports.rtcp } else { &open.ports.rtp };
        let Some((buffer, length, from)) = self.inbound.read(socket) else { return };
        let (leg, slot) = (open.leg, open.slot);
        add(&self.counters.received, 1);
        if length == 0 {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            if is_rtcp {
                self.engine.handle_rtcp(slot, from, &mut buffer[..length], now);
            } else if let Some(relay) = self.engine.handle_rtp(slot, from, buffer, length, now)
                && let Some(Some(open)) = self.open.get(relay.slot.index())
            {
                send(&self.counters, &open.ports, false, relay.bytes, relay.to);
            }
        }));
        if result.is_err() {
            self.give_up(leg);
        }
    }

    /// Whether there may be more; `None` to leave.
    fn take_messages(&mut self) -> Option<bool> {
        self.bell.silence();
        for _ in 0..ROUND {
            let Ok(message) = self.messages.try_recv() else { return Some(false) };
            let now = self.clock.now();
            match message {
                ToMedia::Stop => return None,
                ToMedia::Command(command, ports) => self.command(&command, ports, now),
                ToMedia::StreamAudio(leg, mulaw) => self.engine.handle_stream_audio(leg, &mulaw, now),
                ToMedia::StreamMark(leg, name) => self.engine.handle_stream_mark(leg, name, now),
                ToMedia::StreamClear(leg) => self.engine.handle_stream_clear(leg, now),
            }
            self.drain();
        }
        Some(true)
    }

    fn command(&mut self, command: &MediaCommand, ports: Option<Ports>, now: Instant) {
        let leg = command.leg();
        let result = catch_unwind(AssertUnwindSafe(|| self.engine.handle_command(command, now)));
        if result.is_err() {
            return self.give_up(leg);
        }
        let Some(ports) = ports else { return };
        let Some(slot) = self.engine.slot_of(leg) else { return };
        if let Err(error) = self.take_over(leg, slot, ports) {
            self.engine.handle_command(&MediaCommand::Close { leg }, now);
            let why = format!("cannot wait for packets of the leg: {error}");
            (self.sinks.on_event)(MediaEvent::Failed { leg, reason: EndReason::NoCapacity, why });
        }
    }

    fn take_over(&mut self, leg: LegId, slot: LegSlot, ports: Ports) -> io::Result<()> {
        if self.by_leg.contains_key(&leg) {
            return Ok(());
        }
        let name = (slot.index() as u64) << 1;
        self.epoll.watch(ports.rtp.as_fd(), name)?;
        self.epoll.watch(ports.rtcp.as_fd(), name | 1)?;
        if self.open.len() <= slot.index() {
            self.open.resize_with(slot.index() + 1, || None);
        }
        self.open[slot.index()] = Some(OpenPorts { leg, slot, ports });
        self.by_leg.insert(leg, slot.index());
        Ok(())
    }

    /// A fault in our own code while serving a leg ends that leg, not the thread.
    fn give_up(&mut self, leg: LegId) {
        tracing::error!(%leg, "a fault in the media path: the leg is given up");
        let now = self.clock.now();
        let closing = MediaCommand::Close { leg };
        let closed = catch_unwind(AssertUnwindSafe(|| self.engine.handle_command(&closing, now)));
        if closed.is_err() {
            self.close_ports(leg);
        }
        (self.sinks.on_event)(MediaEvent::Failed {
            leg,
            reason: EndReason::Fault,
            why: "a fault in the media path".to_owned(),
        });
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Rtp { slot, to, packet, .. } => {
                    if let Some(ports) = self.ports(slot) {
                        send(&self.counters, ports, false, packet.as_slice(), to);
                    }
                }
                Output::Datagram { slot, to, datagram, .. } => {
                    if let Some(ports) = self.ports(slot) {
                        send(&self.counters, ports, false, &datagram, to);
                    }
                }
                Output::Rtcp { slot, to, muxed, packet, .. } => {
                    if let Some(ports) = self.ports(slot) {
                        send(&self.counters, ports, !muxed, packet.as_slice(), to);
                    }
                }
                Output::StreamFrame { leg, mulaw } => (self.sinks.on_stream)(leg, StreamOut::Frame(mulaw)),
                Output::StreamMarkPlayed { leg, name } => (self.sinks.on_stream)(leg, StreamOut::MarkPlayed(name)),
                Output::Heard { leg, number, samples } => self.sinks.ears.hear(leg, number, &samples),
                // The switchboard hears of the key, too, and tells the bot.
                Output::StreamDigit { .. } => {}
                Output::Event(event) => {
                    // The switchboard may give the port to another call as soon as it hears this.
                    if let MediaEvent::Quality { leg, last: true, .. } = &event {
                        self.close_ports(*leg);
                    }
                    (self.sinks.on_event)(event);
                }
            }
        }
    }

    /// The ports of a slot, also of one that the engine has just closed (its last RTCP), but never of its successor.
    fn ports(&self, slot: LegSlot) -> Option<&Ports> {
        self.open.get(slot.index())?.as_ref().filter(|open| open.slot == slot).map(|open| &open.ports)
    }

    fn close_ports(&mut self, leg: LegId) {
        if let Some(index) = self.by_leg.remove(&leg) {
            self.open[index] = None;
        }
    }
}

fn send(counters: &Counters, ports: &Ports, rtcp: bool, bytes: &[u8], to: SocketAddr) {
    // A packet that does not fit into the socket's buffer now would be late anyway.
    match ports.send(rtcp, bytes, to) {
        Ok(_) => add(&counters.sent, 1),
        Err(_) => add(&counters.send_failed, 1),
    }
}

/// The thread is the only writer of its counters: no atomic addition is needed, only that readers see whole numbers.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}
