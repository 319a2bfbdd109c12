//! What happens by time: frames every 20 ms, silence for listeners whose source is quiet, reports.

use crate::api::{FRAME, Output, Packet, TimerName};
use crate::engine::MediaEngine;
use crate::frame::{Frame, Rate};
use crate::header::{HEADER, Header};
use crate::keying::{Means, is_key_sound};
use crate::leg::{Kind, Leg, RtpLeg};
use crate::outgoing::Stamp;
use crate::resample::Said;
use crate::rtcp;
use call_model::{Codec, Instant, KeysBy, LegId, MediaEvent, Selector};
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
        let legs = self.slots.iter_mut().filter_map(|slot| slot.leg.as_deref_mut()?.rtp_mut());
        legs.for_each(|(rtp, _)| rtp.outgoing.skip());
    }

    /// First everybody who is heard on the tick says their part, then everybody gets theirs.
    fn tick(&mut self, now: Instant) {
        for i in 0..self.paced.len() {
            self.speak(self.paced[i], now);
        }
        let mut i = 0;
        while let Some(index) = self.paced.get(i).copied() {
            match self.at_mut(index) {
                Some(leg) if leg.wants_pace() => {
                    if !self.dial(index, now) && self.at(index).is_some_and(Leg::listens_by_tick) {
                        self.pace(index, now);
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

    /// What a source says in these 20 ms, to those who hear it on the tick.
    fn speak(&mut self, index: u32, now: Instant) {
        let Self { slots, outputs, tap, tap_dropped, .. } = self;
        let Some(leg) = slots.get_mut(index as usize).and_then(|slot| slot.leg.as_deref_mut()) else { return };
        let id = leg.id;
        let mut pressed = None;
        let (mut said, begins) = match &mut leg.kind {
            Kind::Stream(stream) => {
                report_marks(id, stream, outputs);
                let mulaw = stream.playout.next(now);
                stream.played += u64::from(mulaw.is_some());
                let begins = mulaw.as_ref().is_some_and(|mulaw| leg.speech.hear(Codec::Pcmu, mulaw, now));
                let frame = mulaw.as_ref().map_or(Frame::silence(Rate::Narrow), Frame::from_mulaw);
                (Said::new(frame), begins)
            }
            Kind::Rtp(rtp) => {
                let Some(hearing) = &mut rtp.hearing else { return };
                let (frame, real) = hearing.next_frame(now);
                let mut said = Said::new(frame);
                let decoded = !hearing.codec().is_g711();
                if decoded && rtp.tapped {
                    let tapped = hearing.tap(id, said.at(Rate::Narrow, &mut leg.converter), real);
                    *tap_dropped += u64::from(tapped.is_some_and(|tapped| !tap.push(&tapped)));
                }
                if let Some(tones) = rtp.tones.as_mut().filter(|_| decoded) {
                    let narrow = said.at(Rate::Narrow, &mut leg.converter);
                    pressed = tones.hear(narrow.samples().iter().copied());
                }
                (said, decoded && real && leg.speech.hear_frame(&frame, now))
            }
            Kind::Ear => return,
        };
        if let Some(pressed) = pressed {
            self.report_digit(index, pressed, Means::Tones, now);
        }
        if begins {
            self.report_speech(index, id, now);
        }
        for i in 0.. {
            let Some(listener) = self.at(index).and_then(|leg| leg.listeners.get(i).copied()) else { break };
            self.pass_on(index, listener, &mut said, now);
        }
    }

    /// What a source said, to one listener.
    fn pass_on(&mut self, source: u32, listener: u32, said: &mut Said, now: Instant) {
        let (Some(speaker), Some(leg)) = (self.at(source), self.at(listener)) else { return };
        if speaker.rtp().is_some_and(|speaker| !leg.hears_by_tick(speaker)) {
            return;
        }
        let (rate, mute) = (leg.rate(), speaker.rtp().is_some_and(|speaker| is_key_sound(speaker, leg)));
        let Some(speaker) = self.at_mut(source) else { return };
        let frame = if mute { Frame::silence(rate) } else { *said.at(rate, &mut speaker.converter) };
        let Some(leg) = self.at_mut(listener) else { return };
        if leg.rtp().is_some_and(|rtp| rtp.keys_by == KeysBy::Rtp && rtp.dialler.is_pressing()) {
            return;
        }
        let input = leg.feed.input(source);
        if let (Some(mix), Some(input)) = (&mut leg.feed.mix, input) {
            mix[input] = Some(frame);
        } else if !leg.feed.keys.is_pressing(now) {
            if let Kind::Stream(stream) = &mut leg.kind {
                stream.heard = now;
            }
            self.send_frame(listener, &frame, now);
        }
    }

    /// What a leg hears in these 20 ms when no source brings it: a prompt, music, a mix, silence.
    fn pace(&mut self, index: u32, now: Instant) {
        let Self { slots, config, outputs, .. } = self;
        let Some(leg) = slots.get_mut(index as usize).and_then(|slot| slot.leg.as_deref_mut()) else { return };
        let rate = leg.rate();
        let (frame, played) = leg.feed.next_frame(config, rate);
        if leg.feed.keys.is_pressing(now) {
            return;
        }
        let event = played.map(|prompt| MediaEvent::Played { leg: leg.id, prompt });
        outputs.extend(event.map(Output::Event));
        let served = matches!(&leg.kind, Kind::Stream(stream) if now.since(stream.heard) < config.fill_after);
        if !(served && matches!(leg.feed.selector, Selector::Leg(_))) {
            self.send_frame(index, &frame, now);
        }
    }

    /// 20 ms at the leg's own rate to a leg of either kind.
    fn send_frame(&mut self, index: u32, frame: &Frame, now: Instant) {
        let slot = self.slot(index);
        let number = self.tick_at.unwrap_or(now).as_nanos() / TICK.as_nanos() as u64;
        let Some(leg) = self.at_mut(index) else { return };
        let id = leg.id;
        match &mut leg.kind {
            Kind::Ear => {
                let mut samples = [0; FRAME];
                samples.copy_from_slice(frame.samples());
                self.outputs.push_back(Output::Heard { leg: id, number, samples });
            }
            Kind::Rtp(rtp) if rtp.may_send() => {
                let Some((to, packet)) = paced_packet(rtp, frame, now) else { return };
                self.outputs.push_back(Output::Rtp { leg: id, slot, to, packet });
            }
            Kind::Rtp(_) => {}
            Kind::Stream(stream) => {
                stream.sent += 1;
                self.outputs.push_back(Output::StreamFrame { leg: id, mulaw: frame.mulaw() });
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
            TimerName::Handshake => {
                let Some((rtp, _)) = self.at_mut(index).and_then(Leg::rtp_mut) else { return };
                rtp.armed.handshake = None;
                rtp.peer.iter_mut().for_each(|peer| peer.cover.handle_timeout(now));
                self.push_handshake(index, now);
            }
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
            let leg = engine.at(index)?;
            let source = engine.at(leg.feed.only_source()?)?;
            Some(source.rtp().is_none_or(|source| leg.hears_by_tick(source)))
        };
        let paced = paced_source(self).unwrap_or(false);
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
        let after = rtp.silent_after(after);
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
            self.report_digit(index, pressed, Means::Events, now);
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
        let mut packet = compound(rtp, &config.cname, bye, now);
        if rtp.peer.as_mut().is_some_and(|peer| peer.cover.seal_rtcp(&mut packet, muxed)) {
            outputs.push_back(Output::Rtcp { leg: id, slot, to, muxed, packet });
        }
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

pub(crate) fn paced_packet(rtp: &mut RtpLeg, frame: &Frame, now: Instant) -> Option<(core::net::SocketAddr, Packet)> {
    let peer = rtp.peer.as_ref()?;
    let (to, payload_type) = (peer.latch.current(), peer.media.payload_type);
    let mut packet = Packet::new();
    packet.push(&[0; HEADER]);
    rtp.encoder.encode(frame, &mut packet);
    let octets = packet.as_slice().len() - HEADER;
    if octets == 0 {
        return None;
    }
    let Stamp { marker, sequence, timestamp, ssrc } = rtp.outgoing.pace(octets, now);
    let header = Header { marker, payload_type, sequence, timestamp, ssrc, payload: 0..0 };
    packet.as_mut_slice()[..HEADER].copy_from_slice(&header.to_bytes());
    let sealed = rtp.peer.as_mut()?.seal_packet(&mut packet);
    sealed.then_some((to, packet))
}

/// The next whole 20 ms, which may be now.
fn on_grid(now: Instant) -> Instant {
    let tick = TICK.as_nanos() as u64;
    Instant::from_nanos(now.as_nanos().div_ceil(tick).saturating_mul(tick))
}
