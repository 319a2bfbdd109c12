//! Keys across the bridge: whoever presses one, by whatever means, those who hear them get it by the means they know, and
//! once.
//!
//! Telephone-events go on packet by packet where both sides know them (`relay`). Everything else is regenerated here, when
//! the key is let go: as events, as tones, or by telling the switchboard to send SIP INFO.

use crate::api::{Output, Packet};
use crate::clockwork::paced_packet;
use crate::dialler::{Dialled, KeyTick};
use crate::dtmf::Pressed;
use crate::engine::MediaEngine;
use crate::frame::{Frame, Rate};
use crate::header::{HEADER, Header, TelephoneEvent};
use crate::leg::{Kind, Leg, RtpLeg};
use crate::outgoing::Stamp;
use crate::reception::ticks;
use crate::tones;
use call_model::{DialStep, Instant, KeysBy, LegId, MediaEvent};
use core::net::SocketAddr;
use core::time::Duration;

/// Some peers press every key by two means. For so long after one, keys by another are the same keys.
const DOUBLED: Duration = Duration::from_secs(2);

/// By what means a key was pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Means {
    /// RFC 4733.
    Events,
    /// A sound.
    Tones,
    /// SIP INFO.
    Signalling,
}

impl RtpLeg {
    /// The payload type for the keys that we send it, if it takes them so.
    pub(crate) fn events_to(&self) -> Option<u8> {
        let peer = self.peer.as_ref().filter(|_| self.keys_by == KeysBy::Rtp)?;
        peer.media.telephone_event
    }

    /// Whether keys by these means are others than those it has just pressed by different ones.
    pub(crate) fn believes(&self, means: Means, now: Instant) -> bool {
        self.last_key.is_none_or(|(last, at)| last == means || now.since(at) >= DOUBLED)
    }
}

/// Whether what is heard of the source now is a key that the listener gets by other means, or has had.
pub(crate) fn is_key_sound(source: &RtpLeg, listener: &Leg) -> bool {
    let tone = source.tones.as_ref().is_some_and(|tones| tones.is_down());
    match &listener.kind {
        Kind::Stream(_) => tone,
        _ if listener.records() => tone || source.digits.poll_timeout().is_some(),
        Kind::Ear => false,
        Kind::Rtp(rtp) => {
            let otherwise = rtp.keys_by == KeysBy::Info || rtp.events_to().is_some();
            // Who sends events may send the tone with them.
            source.digits.poll_timeout().is_some() || tone && otherwise
        }
    }
}

impl MediaEngine {
    /// A peer pressed a key by SIP INFO.
    pub(crate) fn pressed(&mut self, leg: LegId, digit: char, held: Duration, now: Instant) {
        if let Some(slot) = self.slot_of(leg) {
            self.report_digit(slot.index, Pressed { digit, held }, Means::Signalling, now);
        }
    }

    /// Keys for a peer, one after the other.
    pub(crate) fn dial_keys(&mut self, leg: LegId, steps: &[DialStep], now: Instant) {
        let Some(index) = self.slot_of(leg).map(|slot| slot.index) else { return };
        if let Some((rtp, _)) = self.at_mut(index).and_then(Leg::rtp_mut) {
            rtp.dialler.dial(steps);
            self.wake_pace(index, now);
        }
    }

    /// A key was let go: tells the switchboard, and everybody who hears the leg.
    pub(crate) fn report_digit(&mut self, index: u32, pressed: Pressed, means: Means, now: Instant) {
        let Pressed { digit, held } = pressed;
        let Some(leg) = self.at_mut(index) else { return };
        let id = leg.id;
        if let Some((rtp, _)) = leg.rtp_mut() {
            if !rtp.believes(means, now) {
                return;
            }
            rtp.last_key = Some((means, now));
        }
        self.outputs.push_back(Output::Event(MediaEvent::Digit { leg: id, digit, held }));
        for i in 0.. {
            let Some(listener) = self.at(index).and_then(|leg| leg.listeners.get(i).copied()) else { break };
            self.regenerate(listener, pressed, means, now);
        }
    }

    fn regenerate(&mut self, listener: u32, pressed: Pressed, means: Means, now: Instant) {
        let Pressed { digit, held } = pressed;
        let Some(leg) = self.at_mut(listener) else { return };
        let (id, heard_for) = (leg.id, now.since(leg.feed.since));
        let rtp = match &mut leg.kind {
            Kind::Rtp(rtp) if rtp.records => return,
            Kind::Rtp(rtp) => rtp,
            Kind::Stream(_) => return self.outputs.push_back(Output::StreamDigit { leg: id, digit }),
            Kind::Ear => return,
        };
        let had_it = match means {
            _ if rtp.keys_by == KeysBy::Info => false,
            Means::Events => rtp.events_to().is_some(),
            Means::Tones => rtp.events_to().is_none(),
            Means::Signalling => false,
        };
        // The key that accepts a caller must not be heard by them.
        if had_it || heard_for < held {
            return;
        }
        if let Some(event) = tones::event(digit) {
            rtp.dialler.press(event, held);
            self.wake_pace(listener, now);
        }
    }

    /// What the dialler does in these 20 ms; whether it took the place of the audio.
    pub(crate) fn dial(&mut self, index: u32, now: Instant) -> bool {
        let slot = self.slot(index);
        let Some(leg) = self.at_mut(index) else { return false };
        let id = leg.id;
        let Some((rtp, _)) = leg.rtp_mut().filter(|(rtp, _)| !rtp.waits_for_keys()) else { return false };
        let key = match rtp.dialler.tick() {
            Dialled::Nothing => return false,
            Dialled::Done => {
                self.outputs.push_back(Output::Event(MediaEvent::Dialled { leg: id }));
                return false;
            }
            Dialled::Key(key) => key,
        };
        if rtp.keys_by == KeysBy::Info {
            let held = Duration::from_millis(key.held.into());
            let digit = tones::digit(key.event).filter(|_| key.after == 0);
            self.outputs.extend(digit.map(|digit| Output::Event(MediaEvent::Key { leg: id, digit, held })));
            return false;
        }
        if rtp.may_send()
            && let Some((to, packet)) = key_packet(rtp, key, now)
        {
            self.outputs.push_back(Output::Rtp { leg: id, slot, to, packet });
        }
        true
    }
}

/// 20 ms of a key, as an event or as a tone.
fn key_packet(rtp: &mut RtpLeg, key: KeyTick, now: Instant) -> Option<(SocketAddr, Packet)> {
    let Some(payload_type) = rtp.events_to() else {
        let rate = rtp.codec().map_or(Rate::Narrow, Rate::of);
        let sounds = key.after < key.held;
        let frame = if sounds { tones::frame(key.event, key.after, rate) } else { Frame::silence(rate) };
        return paced_packet(rtp, &frame, now);
    };
    let peer = rtp.peer.as_ref()?;
    let (to, clock) = (peer.latch.current(), peer.media.event_clock);
    let down = Duration::from_millis(key.down().into());
    let duration = u16::try_from(ticks(down, clock)).unwrap_or(u16::MAX);
    let payload = TelephoneEvent { event: key.event, end: key.ended(), duration }.to_bytes();
    let begun = rtp.dialler.timestamp;
    let Stamp { marker, sequence, timestamp, ssrc } = rtp.outgoing.press(begun, down, payload.len(), now);
    rtp.dialler.timestamp = Some(timestamp);
    let header = Header { marker, payload_type, sequence, timestamp, ssrc, payload: HEADER..HEADER };
    let mut packet = Packet::new();
    packet.push(&header.to_bytes());
    packet.push(&payload);
    Some((to, packet))
}
