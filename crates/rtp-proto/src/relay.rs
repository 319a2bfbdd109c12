//! The packet path: a datagram of one leg becomes packets of those who hear it. No allocation, no look-up.

use crate::api::{FRAME, LegSlot, Output, Packet, Relay, TimerName};
use crate::cover::is_dtls;
use crate::engine::MediaEngine;
use crate::frame::{Frame, Rate};
use crate::g711;
use crate::header::{self, HEADER, Header, TelephoneEvent};
use crate::ice;
use crate::keying::{Means, is_key_sound};
use crate::keys::Press;
use crate::leg::{Arrival, Content, Feed, Kind, Leg, RtpLeg, turns_into};
use crate::outgoing::Stamp;
use crate::reception::ticks;
use crate::rtcp;
use crate::speech::Speech;
use call_model::{Codec, EndReason, Instant, KeysBy, LegId, MediaEvent, TapFrame};
use core::net::SocketAddr;

/// How one listener gets a packet.
struct Delivery {
    leg: LegId,
    to: SocketAddr,
    codec: Codec,
    payload_type: u8,
    /// The duration to write into a telephone-event whose clock is another at the listener.
    held: Option<u16>,
    /// What is heard is a key that the listener gets by other means.
    mute: bool,
    stamp: Stamp,
}

impl MediaEngine {
    /// A datagram came to the leg's RTP port, the first `length` octets of `buffer`; behind them there should be
    /// [`crate::SRTP_ROOM`], or listeners whose audio is encrypted get nothing. Hot path: opened, rewritten and protected
    /// in place, no allocation.
    ///
    /// `Some`: send it now. Further listeners of the same source, if any, are served through [`Self::poll_output`], and
    /// so are events; a caller that relays many packets may poll once after all of them. RTCP (RFC 5761) and DTLS on
    /// this port are recognised by their first octets (RFC 7983), and so is STUN.
    pub fn handle_rtp<'b>(
        &mut self,
        slot: LegSlot,
        from: SocketAddr,
        buffer: &'b mut [u8],
        length: usize,
        now: Instant,
    ) -> Option<Relay<'b>> {
        let packet = buffer.get_mut(..length)?;
        if header::is_rtcp(packet) {
            self.receive_rtcp(slot, from, packet, true, now);
            return None;
        }
        if is_dtls(packet) {
            self.receive_dtls(slot, from, packet, now);
            return None;
        }
        if ice::is_stun(packet) {
            self.receive_check(slot, from, packet);
            return None;
        }
        let arrival = self.receive(slot, from, packet, now)?;
        let mut in_place = None;
        for i in 0.. {
            let Some(listener) = self.at(slot.index).and_then(|leg| leg.listeners.get(i).copied()) else { break };
            let (Some(source), Some(leg)) = (self.at(slot.index).and_then(Leg::rtp), self.at(listener)) else {
                continue;
            };
            match (&leg.kind, arrival.content) {
                _ if leg.records() => {}
                (Kind::Rtp(_), Content::Event(event)) if leg.hears_by_tick(source) => {
                    self.deliver_key(slot.index, listener, &arrival, event, packet, now);
                }
                _ if leg.hears_by_tick(source) => {}
                (_, Content::Audio(codec)) if !codec.is_g711() && is_key_sound(source, leg) => {}
                (Kind::Stream(_), content) => {
                    self.deliver_to_stream(slot.index, listener, &arrival, content, packet, now)
                }
                (Kind::Rtp(_), Content::ComfortNoise) => self.deliver_silence(slot.index, listener, &arrival, now),
                (Kind::Rtp(_), _) if in_place.is_none() => in_place = Some(listener),
                (Kind::Rtp(_), _) => self.deliver_copy(slot.index, listener, &arrival, packet, now),
                (Kind::Ear, _) => {}
            }
        }
        let listener = in_place?;
        let delivery = self.place(slot.index, listener, &arrival, now)?;
        let len = rewrite(packet, &arrival, &delivery);
        let len = self.peer_mut(listener)?.cover.seal_rtp(buffer, len)?;
        let bytes = buffer.get(..len)?;
        Some(Relay { slot: self.slot(listener), leg: delivery.leg, to: delivery.to, bytes })
    }

    /// A datagram came to the leg's RTCP port. It is opened in place.
    pub fn handle_rtcp(&mut self, slot: LegSlot, from: SocketAddr, packet: &mut [u8], now: Instant) {
        self.receive_rtcp(slot, from, packet, false, now);
    }

    /// Judges the packet, and does all that does not depend on who hears it: statistics, events, digits, the tap.
    fn receive(&mut self, slot: LegSlot, from: SocketAddr, packet: &mut [u8], now: Instant) -> Option<Arrival> {
        let place = self.slots.get_mut(slot.index as usize).filter(|place| place.generation == slot.generation)?;
        let leg = place.leg.as_deref_mut()?;
        let id = leg.id;
        let Kind::Rtp(rtp) = &mut leg.kind else { return None };
        let arrival = rtp.receive(from, packet, now)?;
        let payload = packet.get(arrival.header.payload.clone()).unwrap_or(&[]);
        if let Some(hearing) = &mut rtp.hearing {
            hearing.put(arrival.place, arrival.content, payload, now);
        }
        // What is decoded on the tick is judged and tapped there.
        let plain = rtp.codec().is_some_and(Codec::is_g711);
        let doubled = !rtp.believes(Means::Events, now);
        let pressed = match (&mut rtp.tones, arrival.content) {
            (Some(tones), Content::Audio(Codec::Pcmu)) => tones.hear(payload.iter().map(|o| g711::decode_mulaw(*o))),
            (Some(tones), Content::Audio(Codec::Pcma)) => tones.hear(payload.iter().map(|o| g711::decode_alaw(*o))),
            _ => None,
        };
        let tapped = rtp.tapped && plain;
        let begins = match arrival.content {
            Content::Audio(codec) if plain => leg.speech.hear(codec, payload, now),
            _ => false,
        };
        if arrival.flowing {
            self.outputs.push_back(Output::Event(MediaEvent::Flowing { leg: id, from }));
        }
        if begins {
            self.report_speech(slot.index, id, now);
        }
        if tapped {
            self.tap_packet(id, &arrival.header, packet);
        }
        if let Content::Event(event) = arrival.content {
            if doubled {
                return None;
            }
            self.follow_digits(slot.index, arrival.header.timestamp, event, arrival.place.fresh, now);
        }
        if let Some(pressed) = pressed {
            self.report_digit(slot.index, pressed, Means::Tones, now);
        }
        Some(arrival)
    }

    /// Somebody begins to speak; from now on it is watched when they pause.
    pub(crate) fn report_speech(&mut self, index: u32, leg: LegId, now: Instant) {
        self.outputs.push_back(Output::Event(MediaEvent::Speaks { leg }));
        self.arm(index, TimerName::Pause, now + Speech::PAUSES, now);
    }

    fn tap_packet(&mut self, leg: LegId, header: &Header, packet: &[u8]) {
        let audio = packet.get(header.payload.clone()).unwrap_or(&[]);
        let mut timestamp = header.timestamp;
        for part in audio.chunks(TapFrame::MAX) {
            let frame = TapFrame::new(leg, header.sequence, timestamp, header.payload_type, part);
            if !self.tap.push(&frame) {
                self.tap_dropped += 1;
            }
            timestamp = timestamp.wrapping_add(part.len() as u32);
        }
    }

    fn follow_digits(&mut self, index: u32, timestamp: u32, event: header::TelephoneEvent, fresh: bool, now: Instant) {
        let Some((rtp, _)) = self.at_mut(index).and_then(|leg| leg.rtp_mut()) else { return };
        let before = if fresh { rtp.digits.restart() } else { None };
        let [earlier, this] = rtp.digits.handle(timestamp, event, now);
        let due = rtp.digits.poll_timeout().filter(|_| !rtp.armed.digit_end);
        rtp.armed.digit_end |= due.is_some();
        if let Some(due) = due {
            self.arm(index, TimerName::DigitEnd, due, now);
        }
        for pressed in [before, earlier, this].into_iter().flatten() {
            self.report_digit(index, pressed, Means::Events, now);
        }
    }

    /// Gives the packet its numbers in the listener's stream; `None` when this listener must not get it.
    fn place(&mut self, source: u32, listener: u32, arrival: &Arrival, now: Instant) -> Option<Delivery> {
        let fill_after = self.config.fill_after;
        let mute = is_key_sound(self.at(source)?.rtp()?, self.at(listener)?);
        let leg = self.at_mut(listener)?;
        let id = leg.id;
        let (rtp, feed) = leg.rtp_mut()?;
        if rtp.keys_by == KeysBy::Rtp && rtp.dialler.is_pressing() {
            return None;
        }
        let missed = feed.keys.missed(0, arrival.header.timestamp);
        if matches!(arrival.content, Content::Event(_)) && missed {
            return None;
        }
        let delivery = Delivery { mute, ..deliver(id, source, rtp, arrival, now)? };
        let arm = resume(rtp, feed);
        if arm {
            self.arm(listener, TimerName::Fill, now + fill_after, now);
        }
        Some(delivery)
    }

    fn deliver_copy(&mut self, source: u32, listener: u32, arrival: &Arrival, packet: &[u8], now: Instant) {
        let Some(payload) = packet.get(arrival.header.payload.clone()) else { return };
        let mut copy = Packet::new();
        if !copy.push(&[0; HEADER]) || !copy.push(payload) {
            return;
        }
        let Some(delivery) = self.place(source, listener, arrival, now) else { return };
        convert(&mut copy.as_mut_slice()[HEADER..], arrival.content, &delivery);
        copy.as_mut_slice()[..HEADER].copy_from_slice(&delivery.header().to_bytes());
        let Delivery { leg, to, .. } = delivery;
        if self.peer_mut(listener).is_some_and(|peer| peer.seal_packet(&mut copy)) {
            self.outputs.push_back(Output::Rtp { leg, slot: self.slot(listener), to, packet: copy });
        }
    }

    /// Comfort noise is not negotiated with every listener, so they get 20 ms of silence in its place.
    fn deliver_silence(&mut self, source: u32, listener: u32, arrival: &Arrival, now: Instant) {
        if self.at(listener).is_none_or(|leg| leg.feed.filling) {
            return;
        }
        let Some(delivery) = self.place(source, listener, arrival, now) else { return };
        let slot = self.slot(listener);
        let mut packet = Packet::new();
        packet.push(&delivery.header().to_bytes());
        if let Some((rtp, _)) = self.at_mut(listener).and_then(Leg::rtp_mut) {
            rtp.encoder.encode(&Frame::silence(Rate::of(delivery.codec)), &mut packet);
        }
        if self.peer_mut(listener).is_some_and(|peer| peer.seal_packet(&mut packet)) {
            self.outputs.push_back(Output::Rtp { leg: delivery.leg, slot, to: delivery.to, packet });
        }
    }

    fn deliver_to_stream(
        &mut self,
        source: u32,
        listener: u32,
        arrival: &Arrival,
        content: Content,
        packet: &[u8],
        now: Instant,
    ) {
        let Content::Audio(codec) = content else { return };
        let Some(audio) = packet.get(arrival.header.payload.clone()) else { return };
        let Self { slots, outputs, .. } = self;
        let Some(leg) = slots.get_mut(listener as usize).and_then(|slot| slot.leg.as_deref_mut()) else { return };
        let id = leg.id;
        let Kind::Stream(stream) = &mut leg.kind else { return };
        if !stream.take(source, arrival.place) {
            return;
        }
        stream.heard = now;
        let full = |mulaw: [u8; FRAME]| outputs.push_back(Output::StreamFrame { leg: id, mulaw });
        match codec {
            Codec::Pcmu => stream.hear(audio, |octet| octet, full),
            Codec::Pcma => stream.hear(audio, g711::alaw_to_mulaw, full),
            // Heard on the tick.
            Codec::G722 | Codec::Opus => {}
        }
    }

    /// A key of a source whose audio waits for the tick: it goes on at once, in the place of the audio.
    fn deliver_key(
        &mut self,
        source: u32,
        listener: u32,
        arrival: &Arrival,
        event: TelephoneEvent,
        packet: &[u8],
        now: Instant,
    ) {
        let slot = self.slot(listener);
        let Some(payload) = packet.get(arrival.header.payload.clone()) else { return };
        let Some(leg) = self.at_mut(listener) else { return };
        let id = leg.id;
        let Some((rtp, feed)) = leg.rtp_mut().filter(|(rtp, _)| rtp.may_send()) else { return };
        let Some(input) = feed.input(source) else { return };
        let Some(peer) = &rtp.peer else { return };
        let Some(payload_type) = rtp.events_to() else { return };
        let (to, codec) = (peer.latch.current(), peer.media.codec);
        let held = held(arrival, event, peer.media.event_clock);
        let timestamp = arrival.header.timestamp;
        let at = match feed.keys.press(input, timestamp, event.end, now) {
            Press::No => return,
            Press::Begins => None,
            Press::GoesOn(at) => Some(at),
        };
        let stamp = rtp.outgoing.press(at, arrival.duration, payload.len(), now);
        if at.is_none() {
            feed.keys.begin(input, timestamp, stamp.timestamp, event.end, now);
        }
        let delivery = Delivery { leg: id, to, codec, payload_type, held, mute: false, stamp };
        let mut packet = Packet::new();
        if packet.push(&delivery.header().to_bytes()) && packet.push(payload) {
            convert(&mut packet.as_mut_slice()[HEADER..], arrival.content, &delivery);
            if self.peer_mut(listener).is_some_and(|peer| peer.seal_packet(&mut packet)) {
                self.outputs.push_back(Output::Rtp { leg: id, slot, to, packet });
            }
        }
    }

    fn receive_dtls(&mut self, slot: LegSlot, from: SocketAddr, datagram: &[u8], now: Instant) {
        let place = self.slots.get_mut(slot.index as usize).filter(|place| place.generation == slot.generation);
        let Some((rtp, _)) = place.and_then(|place| place.leg.as_deref_mut()?.rtp_mut()) else { return };
        rtp.receive_dtls(from, datagram, now);
        self.push_handshake(slot.index, now);
    }

    /// A browser asks whether it reaches us.
    fn receive_check(&mut self, slot: LegSlot, from: SocketAddr, datagram: &[u8]) {
        let place = self.slots.get_mut(slot.index as usize).filter(|place| place.generation == slot.generation);
        let Some(leg) = place.and_then(|place| place.leg.as_deref_mut()) else { return };
        let id = leg.id;
        let Some((rtp, _)) = leg.rtp_mut() else { return };
        match rtp.receive_check(from, datagram) {
            Some(datagram) => self.outputs.push_back(Output::Datagram { leg: id, slot, to: from, datagram }),
            None => rtp.refused += 1,
        }
    }

    /// Sends what a leg's DTLS association wants sent, and sees that it is woken.
    pub(crate) fn push_handshake(&mut self, index: u32, now: Instant) {
        let slot = self.slot(index);
        let Self { slots, outputs, .. } = self;
        let Some(leg) = slots.get_mut(index as usize).and_then(|slot| slot.leg.as_deref_mut()) else { return };
        let id = leg.id;
        let Some((rtp, _)) = leg.rtp_mut() else { return };
        let Some(peer) = &mut rtp.peer else { return };
        let to = peer.dtls_from.unwrap_or(peer.latch.current());
        while let Some(datagram) = peer.cover.poll_datagram() {
            outputs.push_back(Output::Datagram { leg: id, slot, to, datagram });
        }
        let due = peer.cover.poll_timeout().filter(|due| rtp.armed.handshake.is_none_or(|armed| *due < armed));
        rtp.armed.handshake = due.or(rtp.armed.handshake);
        let outcome = peer.cover.poll_outcome();
        if let Some(due) = due {
            self.arm(index, TimerName::Handshake, due, now);
        }
        match outcome {
            Some(Ok(())) => self.refresh(index, now),
            Some(Err(why)) => {
                let failed = MediaEvent::Failed { leg: id, reason: EndReason::HandshakeFailed, why };
                self.outputs.push_back(Output::Event(failed));
            }
            None => {}
        }
    }

    fn receive_rtcp(&mut self, slot: LegSlot, from: SocketAddr, packet: &mut [u8], muxed: bool, now: Instant) {
        let Some(place) = self.slots.get_mut(slot.index as usize).filter(|place| place.generation == slot.generation)
        else {
            return;
        };
        let Some((rtp, _)) = place.leg.as_deref_mut().and_then(|leg| leg.rtp_mut()) else { return };
        let ours = rtp.outgoing.ssrc();
        let Some(peer) = &mut rtp.peer else { return };
        let known = from.ip() == peer.latch.current().ip() || from.ip() == peer.media.rtcp.ip();
        let length = if known { peer.cover.open_rtcp(packet, muxed) } else { None };
        let opened = length.and_then(|length| packet.get(..length));
        let Some(report) = opened.and_then(|packet| rtcp::parse(packet, ours, now)) else {
            rtp.refused += 1;
            return;
        };
        peer.rtcp_from = Some((from, muxed));
        rtp.last_report = report.sender.map(|(ssrc, ntp)| (ssrc, ntp, now)).or(rtp.last_report);
        rtp.round_trip = report.round_trip.or(rtp.round_trip);
        rtp.heard = report.heard.map(|heard| (heard, rtp.outgoing.packets())).or(rtp.heard);
    }
}

impl Delivery {
    fn header(&self) -> Header {
        Header {
            marker: self.stamp.marker,
            payload_type: self.payload_type,
            sequence: self.stamp.sequence,
            timestamp: self.stamp.timestamp,
            ssrc: self.stamp.ssrc,
            payload: HEADER..HEADER,
        }
    }
}

fn deliver(leg: LegId, source: u32, rtp: &mut RtpLeg, arrival: &Arrival, now: Instant) -> Option<Delivery> {
    let peer = rtp.peer.as_ref().filter(|_| rtp.may_send())?;
    let codec = peer.media.codec;
    let (payload_type, held) = match arrival.content {
        // A codec that the source had a moment ago.
        Content::Audio(from) if !turns_into(from, codec) => return None,
        Content::Audio(_) | Content::ComfortNoise => (peer.media.payload_type, None),
        Content::Event(event) => (rtp.events_to()?, held(arrival, event, peer.media.event_clock)),
    };
    let to = peer.latch.current();
    let stamp = rtp.outgoing.relay(source, arrival.place, &arrival.header, arrival.duration, now)?;
    Some(Delivery { leg, to, codec, payload_type, held, mute: false, stamp })
}

/// The source is heard again: no more silence from us. True when the fill timer has to be armed.
fn resume(rtp: &mut RtpLeg, feed: &mut Feed) -> bool {
    feed.filling = false;
    !core::mem::replace(&mut rtp.armed.fill, true)
}

/// Turns the packet into the listener's; returns its length. CSRC list, extension and padding go.
fn rewrite(packet: &mut [u8], arrival: &Arrival, delivery: &Delivery) -> usize {
    let payload = arrival.header.payload.clone();
    let len = HEADER + payload.len();
    if payload.start != HEADER {
        packet.copy_within(payload, HEADER);
    }
    convert(&mut packet[HEADER..len], arrival.content, delivery);
    packet[..HEADER].copy_from_slice(&delivery.header().to_bytes());
    len
}

fn convert(payload: &mut [u8], content: Content, delivery: &Delivery) {
    match (content, delivery.codec) {
        (Content::Audio(_), Codec::Pcmu) if delivery.mute => payload.fill(g711::MULAW_SILENCE),
        (Content::Audio(_), Codec::Pcma) if delivery.mute => payload.fill(g711::ALAW_SILENCE),
        (Content::Audio(Codec::Pcmu), Codec::Pcma) => g711::mulaw_to_alaw_in_place(payload),
        (Content::Audio(Codec::Pcma), Codec::Pcmu) => g711::alaw_to_mulaw_in_place(payload),
        (Content::Event(_), _) => {
            if let (Some(held), Some(duration)) = (delivery.held, payload.get_mut(2..4)) {
                duration.copy_from_slice(&held.to_be_bytes());
            }
        }
        _ => {}
    }
}

/// The duration of a telephone-event on the listener's clock, where that is not the source's.
fn held(arrival: &Arrival, event: TelephoneEvent, clock: u32) -> Option<u16> {
    let ticks = ticks(arrival.duration, clock).min(u64::from(u16::MAX)) as u16;
    // One tick is rounding.
    (ticks.abs_diff(event.duration) > 1).then_some(ticks)
}
