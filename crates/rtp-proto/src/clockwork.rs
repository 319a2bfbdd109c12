//! What happens by time: frames every 20 ms, silence for listeners whose source is quiet, reports.

use crate::api::{FRAME, Output, Packet, TimerName};
use crate::engine::MediaEngine;
use crate::g711::{self, MULAW_SILENCE};
use crate::header::Header;
use crate::leg::{Kind, Leg, RtpLeg};
use crate::rtcp;
use call_model::{Codec, Instant, LegId, MediaEvent, Selector};
use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, VecDeque};

/// The pace of everything we play ourselves.
const TICK: Duration = Duration::from_millis(20);
/// Ticks that a late wake-up makes up for; when more were missed, their time is skipped instead.
const CATCH_UP: u32 = 5;
/// No timer of a leg comes sooner after itself, whatever the configuration says.
const SHORTEST: Duration = Duration::from_millis(1);

/// Timers of legs: a heap, so that none is found by scanning. Entries of closed legs are recognised when due.
#[derive(Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Instant, TimerName, u32, u32)>>);

impl MediaEngine {
    /// When to call [`Self::handle_timeout`], and why; `None` when nothing is pending.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        let timer = self.timers.0.peek().map(|Reverse((at, name, ..))| (*at, *name));
        let tick = self.tick_at.map(|at| (at, TimerName::Pace));
        match (timer, tick) {
            (Some(timer), Some(tick)) => Some(timer.min(tick)),
            (timer, tick) => timer.or(tick),
        }
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.run_ticks(now);
        while let Some(Reverse((at, name, index, generation))) = self.timers.0.peek().copied() {
            if at > now {
                break;
            }
            self.timers.0.pop();
            if self.slot(index).generation == generation && self.at(index).is_some() {
                self.on_timer(index, name, now);
            }
        }
    }

    pub(crate) fn arm(&mut self, index: u32, name: TimerName, at: Instant, now: Instant) {
        let generation = self.slot(index).generation;
        self.timers.0.push(Reverse((at.max(now + SHORTEST), name, index, generation)));
    }

    /// Serves the leg every 20 ms from now on, if it needs that. All legs share one grid, so that they share wake-ups.
    pub(crate) fn wake_pace(&mut self, index: u32, now: Instant) {
        let Some(leg) = self.at_mut(index) else { return };
        if leg.wants_pace() && !core::mem::replace(&mut leg.paced, true) {
            self.paced.push(index);
            self.tick_at.get_or_insert_with(|| on_grid(now));
        }
    }

    pub(crate) fn rtcp_interval(&mut self) -> Duration {
        let mean = u64::try_from(self.config.rtcp_every.as_micros()).unwrap_or(u64::MAX >> 1).min(u64::MAX >> 1);
        Duration::from_micros(mean / 2 + self.ids.below(mean))
    }

    fn run_ticks(&mut self, now: Instant) {
        let mut ran = 0;
        while let Some(at) = self.tick_at.filter(|at| *at <= now) {
            if ran == CATCH_UP {
                self.skip_time(now);
                break;
            }
            self.tick(now);
            self.tick_at = (!self.paced.is_empty()).then(|| at + TICK);
            ran += 1;
        }
    }

    /// Too late to make up for: the streams go on at the present, as after a change of source.
    fn skip_time(&mut self, now: Instant) {
        self.tick_at = Some(on_grid(now + TICK));
        for i in 0..self.paced.len() {
            if let Some((rtp, _)) = self.at_mut(self.paced[i]).and_then(Leg::rtp_mut) {
                rtp.outgoing.switch();
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        let mut i = 0;
        while let Some(index) = self.paced.get(i).copied() {
            match self.at_mut(index) {
                Some(leg) if leg.wants_pace() => {
                    match leg.kind {
                        Kind::Rtp(_) => self.pace_rtp(index, now),
                        Kind::Stream(_) => self.pace_stream(index, now),
                    }
                    i += 1;
                }
                other => {
                    if let Some(leg) = other {
                        leg.paced = false;
                    }
                    self.paced.swap_remove(i);
                }
            }
        }
    }

    fn pace_rtp(&mut self, index: u32, now: Instant) {
        let Self { slots, config, .. } = self;
        let Some(leg) = slots.get_mut(index as usize).and_then(|slot| slot.leg.as_deref_mut()) else { return };
        let (frame, played) = leg.feed.next_frame(config, now);
        if leg.feed.mixer.as_deref_mut().is_some_and(|mixer| mixer.is_pressing(now)) {
            return;
        }
        if let Some(prompt) = played {
            let leg = leg.id;
            self.outputs.push_back(Output::Event(MediaEvent::Played { leg, prompt }));
        }
        self.send_frame(index, &frame, now);
    }

    /// A WebSocket bot: its audio to those who hear it, and to it what is not relayed to it as it comes.
    fn pace_stream(&mut self, index: u32, now: Instant) {
        let Self { slots, config, outputs, .. } = self;
        let Some(leg) = slots.get_mut(index as usize).and_then(|slot| slot.leg.as_deref_mut()) else { return };
        let Kind::Stream(stream) = &mut leg.kind else { return };
        report_marks(leg.id, stream, outputs);
        let frame = stream.playout.next(now);
        stream.played += u64::from(frame.is_some());
        let begins = frame.as_ref().is_some_and(|frame| leg.speech.hear(Codec::Pcmu, frame, now));
        let id = leg.id;
        let heard = match leg.feed.selector {
            Selector::Leg(_) if now.since(stream.heard) < config.fill_after => None,
            Selector::Leg(_) => Some(([MULAW_SILENCE; FRAME], None)),
            _ => Some(leg.feed.next_frame(config, now)),
        };
        if let Some((mulaw, played)) = heard {
            stream.sent += 1;
            outputs.push_back(Output::StreamFrame { leg: leg.id, mulaw });
            let event = played.map(|prompt| MediaEvent::Played { leg: leg.id, prompt });
            outputs.extend(event.map(Output::Event));
        }
        if begins {
            self.report_speech(index, id, now);
        }
        let frame = frame.unwrap_or([MULAW_SILENCE; FRAME]);
        for i in 0.. {
            let Some(listener) = self.at(index).and_then(|leg| leg.listeners.get(i).copied()) else { break };
            self.pass_frame(index, listener, &frame, now);
        }
    }

    /// 20 ms of mu-law of a source to one listener.
    fn pass_frame(&mut self, source: u32, listener: u32, mulaw: &[u8; FRAME], now: Instant) {
        match self.at_mut(listener).and_then(|leg| leg.feed.mixed(source)) {
            Some((input, mixer)) => mixer.hear(input, Codec::Pcmu, mulaw, now),
            None => self.send_frame(listener, mulaw, now),
        }
    }

    /// 20 ms of mu-law to one leg, of either kind.
    fn send_frame(&mut self, index: u32, mulaw: &[u8; FRAME], now: Instant) {
        let slot = self.slot(index);
        let Some(leg) = self.at_mut(index) else { return };
        let id = leg.id;
        match &mut leg.kind {
            Kind::Rtp(rtp) if rtp.may_send() => {
                let Some((to, packet)) = paced_packet(rtp, mulaw, now) else { return };
                self.outputs.push_back(Output::Rtp { leg: id, slot, to, packet });
            }
            Kind::Rtp(_) => {}
            Kind::Stream(stream) => {
                stream.heard = now;
                stream.sent += 1;
                self.outputs.push_back(Output::StreamFrame { leg: id, mulaw: *mulaw });
            }
        }
    }

    fn on_timer(&mut self, index: u32, name: TimerName, now: Instant) {
        match name {
            TimerName::Pace => {}
            TimerName::Fill => self.on_fill(index, now),
            TimerName::Silent => self.on_silent(index, now),
            TimerName::DigitEnd => self.on_digit_end(index, now),
            TimerName::Pause => self.on_pause(index, now),
            TimerName::Rtcp => {
                self.report_rtcp(index, false, now);
                let interval = self.rtcp_interval();
                self.arm(index, TimerName::Rtcp, now + interval, now);
            }
            TimerName::Quality => {
                let Some(leg) = self.at(index) else { return };
                let event = MediaEvent::Quality { leg: leg.id, stats: leg.stats(), last: false };
                self.outputs.push_back(Output::Event(event));
                let every = self.config.quality_every;
                self.arm(index, TimerName::Quality, now + every, now);
            }
        }
    }

    /// Has the listener's source been quiet for long enough?
    fn on_fill(&mut self, index: u32, now: Instant) {
        let fill_after = self.config.fill_after;
        let paced_source = |engine: &Self| {
            let source = engine.at(index).and_then(|leg| leg.feed.only_source()).and_then(|slot| engine.at(slot));
            source.is_some_and(|source| matches!(source.kind, Kind::Stream(_)))
        };
        let paced = paced_source(self);
        let Some((rtp, feed)) = self.at_mut(index).and_then(Leg::rtp_mut) else { return };
        rtp.armed.fill = false;
        if paced || feed.filling || !rtp.may_send() || !matches!(feed.selector, Selector::Leg(_)) {
            return;
        }
        let due = rtp.outgoing.last_sent().unwrap_or(feed.since) + fill_after;
        if due <= now {
            feed.filling = true;
            self.wake_pace(index, now);
        } else {
            rtp.armed.fill = true;
            self.arm(index, TimerName::Fill, due, now);
        }
    }

    fn on_silent(&mut self, index: u32, now: Instant) {
        let after = self.config.silent_after;
        let Some(leg) = self.at_mut(index) else { return };
        let id = leg.id;
        let Some((rtp, _)) = leg.rtp_mut() else { return };
        let Some(expecting) = rtp.expecting_since else {
            rtp.armed.silent = false;
            return;
        };
        let since = rtp.last_received.map_or(expecting, |at| at.max(expecting));
        let mut due = since + after.saturating_mul(rtp.silences_reported.saturating_add(1));
        if due <= now {
            rtp.silences_reported = rtp.silences_reported.saturating_add(1);
            // When packets come back, the switchboard wants to know.
            rtp.flowing = false;
            let event = MediaEvent::Silent { leg: id, lasted: now.since(since) };
            self.outputs.push_back(Output::Event(event));
            due = now + after;
        }
        self.arm(index, TimerName::Silent, due, now);
    }

    fn on_pause(&mut self, index: u32, now: Instant) {
        let Some(leg) = self.at_mut(index) else { return };
        let id = leg.id;
        if leg.speech.handle_timeout(now) {
            self.outputs.push_back(Output::Event(MediaEvent::Paused { leg: id }));
        } else if let Some(due) = leg.speech.poll_timeout() {
            self.arm(index, TimerName::Pause, due, now);
        }
    }

    fn on_digit_end(&mut self, index: u32, now: Instant) {
        let Some((rtp, _)) = self.at_mut(index).and_then(Leg::rtp_mut) else { return };
        let pressed = rtp.digits.handle_timeout(now);
        let again = rtp.digits.poll_timeout();
        rtp.armed.digit_end = again.is_some();
        if let Some(at) = again {
            self.arm(index, TimerName::DigitEnd, at, now);
        }
        if let Some(pressed) = pressed {
            self.report_digit(index, pressed);
        }
    }

    /// RTCP about the leg's stream and its peer's, if there is anything to say.
    pub(crate) fn report_rtcp(&mut self, index: u32, bye: bool, now: Instant) {
        let slot = self.slot(index);
        let Self { slots, config, outputs, .. } = self;
        let Some(leg) = slots.get_mut(index as usize).and_then(|slot| slot.leg.as_deref_mut()) else { return };
        let id = leg.id;
        let Some((rtp, _)) = leg.rtp_mut() else { return };
        let Some(peer) = &rtp.peer else { return };
        let (to, muxed) = peer.rtcp_to();
        if to.ip().is_unspecified() || to.port() == 0 {
            return;
        }
        let packet = compound(rtp, &config.cname, bye, now);
        outputs.push_back(Output::Rtcp { leg: id, slot, to, muxed, packet });
    }
}

fn report_marks(leg: LegId, stream: &mut crate::leg::StreamLeg, outputs: &mut VecDeque<Output>) {
    while let Some(name) = stream.playout.poll_mark() {
        outputs.push_back(Output::Event(MediaEvent::MarkPlayed { leg, name: name.clone() }));
        outputs.push_back(Output::StreamMarkPlayed { leg, name });
    }
}

fn compound(rtp: &mut RtpLeg, cname: &str, bye: bool, now: Instant) -> Packet {
    let packets = rtp.outgoing.packets();
    let sent = (packets > rtp.reported_packets).then(|| rtcp::Sent {
        timestamp: rtp.outgoing.timestamp_at(now),
        packets: packets as u32,
        octets: rtp.outgoing.octets(),
    });
    rtp.reported_packets = packets;
    let last_report = rtp.last_report;
    let block = rtp.reception.as_mut().map(|reception| rtcp::Block {
        ssrc: reception.ssrc(),
        fraction_lost: reception.take_fraction_lost(),
        lost: reception.lost(),
        highest: reception.highest(),
        jitter: reception.jitter(),
        last_report: last_report.filter(|(ssrc, ..)| *ssrc == reception.ssrc()).map(|(_, ntp, at)| (ntp, at)),
    });
    rtcp::compound(rtp.outgoing.ssrc(), sent, block, cname, bye, now)
}

fn paced_packet(rtp: &mut RtpLeg, mulaw: &[u8; FRAME], now: Instant) -> Option<(core::net::SocketAddr, Packet)> {
    let peer = rtp.peer.as_ref()?;
    let (to, codec) = (peer.latch.current(), peer.media.codec);
    let stamp = rtp.outgoing.pace(now);
    let header = Header {
        marker: stamp.marker,
        payload_type: codec.payload_type(),
        sequence: stamp.sequence,
        timestamp: stamp.timestamp,
        ssrc: stamp.ssrc,
        payload: 0..0,
    };
    let mut packet = Packet::new();
    packet.push(&header.to_bytes());
    packet.push(mulaw);
    if codec == Codec::Pcma {
        g711::mulaw_to_alaw_in_place(&mut packet.as_mut_slice()[crate::header::HEADER..]);
    }
    Some((to, packet))
}

/// The next whole 20 ms, which may be now.
fn on_grid(now: Instant) -> Instant {
    let tick = TICK.as_nanos() as u64;
    Instant::from_nanos(now.as_nanos().div_ceil(tick).saturating_mul(tick))
}
