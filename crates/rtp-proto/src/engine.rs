//! The engine: all legs of all calls of one media thread. Commands here, packets in `relay`, time in `clockwork`.

use crate::api::{EngineConfig, LegSlot, Output, TapSink, TimerName};
use crate::clockwork::Timers;
use crate::hearing::Hearing;
use crate::leg::{Kind, Leg, Peer, RtpLeg, StreamLeg, legs_of};
use crate::speech::Speech;
use call_model::{IdSource, Instant, LegId, LegStats, MediaCommand, MediaEvent, RemoteMedia, Selector};
use std::collections::{BTreeMap, VecDeque};

/// Legs of many calls that live on one media thread.
///
/// Drain [`Self::poll_output`] after every `handle_*`, then read [`Self::poll_timeout`].
pub struct MediaEngine {
    pub(crate) config: EngineConfig,
    pub(crate) ids: IdSource,
    pub(crate) tap: Box<dyn TapSink>,
    pub(crate) tap_dropped: u64,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: BTreeMap<LegId, u32>,
    /// Slots of legs that are served every 20 ms.
    pub(crate) paced: Vec<u32>,
    /// The next of these 20 ms; set exactly when `paced` is not empty.
    pub(crate) tick_at: Option<Instant>,
    pub(crate) timers: Timers,
}

/// A place that legs occupy one after the other.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) generation: u32,
    pub(crate) leg: Option<Box<Leg>>,
}

impl MediaEngine {
    /// An engine without legs. `ids` gives SSRCs, first sequence numbers and timestamps, and RTCP intervals.
    pub fn new(config: EngineConfig, ids: IdSource, tap: Box<dyn TapSink>) -> Self {
        Self {
            config,
            ids,
            tap,
            tap_dropped: 0,
            outputs: VecDeque::with_capacity(64),
            slots: Vec::new(),
            free: Vec::new(),
            by_id: BTreeMap::new(),
            paced: Vec::new(),
            tick_at: None,
            timers: Timers::default(),
        }
    }

    /// Carries out a command. Commands about legs that are not open, and a second `Open`, are ignored.
    ///
    /// A leg hears [`Selector::Silence`] until told otherwise. A source that is not open (yet, or any more), or belongs
    /// to another call, is silence too.
    pub fn handle_command(&mut self, command: &MediaCommand, now: Instant) {
        match command {
            MediaCommand::Open { leg, role, port: _, interface: _, allowed, keys_by } => {
                let rtp = RtpLeg::new(*role, allowed.clone(), *keys_by, &mut self.ids);
                self.open(*leg, Kind::Rtp(rtp), now);
            }
            MediaCommand::OpenStream { leg } => {
                let stream = StreamLeg::new(&self.config, now);
                self.open(*leg, Kind::Stream(stream), now);
            }
            MediaCommand::OpenEar { leg } => self.open(*leg, Kind::Ear, now),
            MediaCommand::Replaced { leg } => {
                if let Some((rtp, _)) = self.leg_mut(*leg).and_then(|(_, leg)| leg.rtp_mut()) {
                    rtp.forsake_peer();
                }
            }
            MediaCommand::Remote { leg, media } => self.set_remote(*leg, *media, now),
            MediaCommand::Feed { leg, from } => self.set_feed(*leg, *from, now),
            MediaCommand::Measure { leg } => {
                if let Some(leg) = self.by_id.get(leg).and_then(|index| self.at(*index)) {
                    let event = MediaEvent::Quality { leg: leg.id, stats: leg.stats(), last: false };
                    self.outputs.push_back(Output::Event(event));
                }
            }
            MediaCommand::Attend { leg } => {
                if let Some((_, leg)) = self.leg_mut(*leg) {
                    leg.speech = Speech::default();
                }
            }
            MediaCommand::Tap { leg, on } => {
                if let Some((rtp, _)) = self.leg_mut(*leg).and_then(|(_, leg)| leg.rtp_mut()) {
                    rtp.tapped = *on && rtp.caller;
                }
            }
            MediaCommand::Pressed { leg, digit, held } => self.pressed(*leg, *digit, *held, now),
            MediaCommand::Dial { leg, steps } => self.dial_keys(*leg, steps, now),
            MediaCommand::Close { leg } => self.close(*leg, now),
        }
    }

    /// The dense place of an open leg.
    pub fn slot_of(&self, leg: LegId) -> Option<LegSlot> {
        let index = *self.by_id.get(&leg)?;
        Some(self.slot(index))
    }

    /// Audio from a WebSocket bot: mu-law, any length; buffered and played at 20 ms. What exceeds
    /// [`EngineConfig::stream_buffer`] is dropped and counted as refused, one per 20 ms.
    pub fn handle_stream_audio(&mut self, leg: LegId, mulaw: &[u8], now: Instant) {
        let Some(stream) = self.stream_mut(leg) else { return };
        let excess = stream.playout.push(mulaw, now);
        stream.refused += excess.div_ceil(crate::api::FRAME) as u64;
        stream.last_received = Some(now);
    }

    /// A mark from a WebSocket bot: reported within 20 ms after the audio sent before it has played.
    pub fn handle_stream_mark(&mut self, leg: LegId, name: String, _now: Instant) {
        let Some(stream) = self.stream_mut(leg) else { return };
        if !stream.playout.mark(name) {
            stream.refused += 1;
        }
    }

    /// A WebSocket bot drops what it sent and has not been played; its pending marks are reported at once.
    pub fn handle_stream_clear(&mut self, leg: LegId, _now: Instant) {
        let Some(stream) = self.stream_mut(leg) else { return };
        stream.playout.clear();
        while let Some(name) = self.stream_mut(leg).and_then(|stream| stream.playout.poll_mark()) {
            self.outputs.push_back(Output::Event(MediaEvent::MarkPlayed { leg, name: name.clone() }));
            self.outputs.push_back(Output::StreamMarkPlayed { leg, name });
        }
    }

    /// What to do next, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The numbers of an open leg so far.
    pub fn stats(&self, leg: LegId) -> Option<LegStats> {
        let index = *self.by_id.get(&leg)?;
        self.slots.get(index as usize)?.leg.as_deref().map(Leg::stats)
    }

    /// Tapped frames that the sink had no room for.
    pub fn tap_dropped(&self) -> u64 {
        self.tap_dropped
    }

    /// Open legs.
    pub fn legs(&self) -> usize {
        self.by_id.len()
    }

    fn open(&mut self, id: LegId, kind: Kind, now: Instant) {
        if self.by_id.contains_key(&id) {
            return;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        self.slots[index as usize].leg = Some(Box::new(Leg::new(id, kind, now)));
        self.by_id.insert(id, index);
        let every = self.config.quality_every;
        self.arm(index, TimerName::Quality, now + every, now);
        for waiting in self.legs_of_call(id) {
            if self.at(waiting).is_some_and(|leg| leg.feed.wants(id)) {
                self.connect(waiting, now);
            }
        }
        self.wake_pace(index, now);
    }

    fn set_remote(&mut self, id: LegId, media: RemoteMedia, now: Instant) {
        let Self { slots, config, by_id, .. } = self;
        let Some(index) = by_id.get(&id).copied() else { return };
        let Some(Slot { leg: Some(leg), .. }) = slots.get_mut(index as usize) else { return };
        let Some((rtp, _)) = leg.rtp_mut() else { return };
        rtp.set_remote(media, config, now);
        if let Some((from, datagram)) = rtp.early.take() {
            rtp.receive_dtls(from, &datagram, now);
        }
        let first = !core::mem::replace(&mut rtp.armed.rtcp, true);
        let listens = rtp.expecting_since.is_some() && !core::mem::replace(&mut rtp.armed.silent, true);
        let after = rtp.silent_after(config.silent_after);
        if first {
            let interval = self.rtcp_interval();
            self.arm(index, TimerName::Rtcp, now + interval, now);
        }
        if listens {
            self.arm(index, TimerName::Silent, now + after, now);
        }
        self.push_handshake(index, now);
        self.listen(index, now);
        self.refresh(index, now);
        for i in 0.. {
            let Some(listener) = self.at(index).and_then(|leg| leg.listeners.get(i).copied()) else { break };
            self.refresh(listener, now);
        }
    }

    fn set_feed(&mut self, id: LegId, selector: Selector, now: Instant) {
        let Some((index, leg)) = self.leg_mut(id) else { return };
        if leg.feed.selector == selector && !matches!(selector, Selector::Prompt(_)) {
            return;
        }
        let former = leg.feed.sources;
        leg.listen_to(selector, now);
        match &mut leg.kind {
            Kind::Rtp(rtp) => rtp.outgoing.switch(),
            Kind::Stream(stream) => stream.switch(now),
            Kind::Ear => {}
        }
        self.disconnect(index, former, now);
        self.connect(index, now);
    }

    /// Looks up the legs a listener is to hear, and starts whatever serves the listener now.
    fn connect(&mut self, index: u32, now: Instant) {
        let Some(leg) = self.at(index) else { return };
        let (id, selector) = (leg.id, leg.feed.selector);
        for (place, wanted) in legs_of(selector).into_iter().enumerate() {
            let same_call = wanted.filter(|wanted| wanted.call == id.call);
            let mixed_with_itself =
                matches!(selector, Selector::Mix(one, other) if wanted == Some(id) || place == 1 && one == other);
            let source = same_call.and_then(|wanted| self.by_id.get(&wanted).copied()).filter(|_| !mixed_with_itself);
            let mut new = false;
            let mut missed_press = None;
            if let Some(source) = source.and_then(|slot| self.at_mut(slot))
                && !source.listeners.contains(&index)
            {
                new = true;
                source.listeners.push(index);
                missed_press = source.rtp_mut().and_then(|(rtp, _)| rtp.digits.latest());
            }
            let Some(leg) = self.at_mut(index) else { return };
            leg.feed.sources[place] = source;
            if new {
                leg.feed.keys.connect(place, missed_press);
            }
        }
        self.refresh(index, now);
    }

    fn disconnect(&mut self, index: u32, sources: [Option<u32>; 2], now: Instant) {
        for slot in sources.into_iter().flatten() {
            if let Some(source) = self.at_mut(slot) {
                source.listeners.retain(|listener| *listener != index);
            }
            self.listen(slot, now);
        }
    }

    /// Makes the leg's audio known where somebody needs more than its packets, and stops where nobody does.
    fn listen(&mut self, index: u32, now: Instant) {
        let Some(leg) = self.at(index) else { return };
        let Some((rtp, codec)) = leg.rtp().and_then(|rtp| Some((rtp, rtp.codec()?))) else { return };
        let mut listeners = leg.listeners.iter().filter_map(|listener| self.at(*listener));
        let needed = !codec.is_g711() || listeners.any(|listener| listener.hears_by_tick(rtp));
        let has = rtp.hearing.as_ref().map(|hearing| hearing.codec());
        let Some((rtp, _)) = self.at_mut(index).and_then(Leg::rtp_mut) else { return };
        if !needed {
            rtp.hearing = None;
        } else if has != Some(codec) {
            rtp.hearing = Some(Box::new(Hearing::new(codec)));
        }
        self.wake_pace(index, now);
    }

    /// After any change: decides whether the listener is served by its source's packets or by us.
    pub(crate) fn refresh(&mut self, index: u32, now: Instant) {
        let fill_after = self.config.fill_after;
        let Some(leg) = self.at(index) else { return };
        leg.feed.sources.into_iter().flatten().for_each(|source| self.listen(source, now));
        let Some(leg) = self.at(index) else { return };
        let by_packets = match leg.feed.only_source().and_then(|slot| self.at(slot)).map(|source| &source.kind) {
            Some(Kind::Stream(_)) => true,
            Some(Kind::Rtp(source)) if leg.hears_by_tick(source) => true,
            Some(Kind::Rtp(source)) => source.last_received.is_some_and(|at| now.since(at) < fill_after),
            Some(Kind::Ear) | None => false,
        };
        let Some((rtp, feed)) = self.at_mut(index).and_then(Leg::rtp_mut) else { return };
        if !rtp.may_send() {
            rtp.outgoing.pause();
        }
        let from_leg = matches!(feed.selector, Selector::Leg(_));
        feed.filling = from_leg && !by_packets;
        if from_leg && by_packets && !core::mem::replace(&mut rtp.armed.fill, true) {
            self.arm(index, TimerName::Fill, now + fill_after, now);
        }
        self.wake_pace(index, now);
    }

    fn close(&mut self, id: LegId, now: Instant) {
        let Some(index) = self.by_id.get(&id).copied() else { return };
        self.report_rtcp(index, true, now);
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let Some(leg) = slot.leg.take() else { return };
        slot.generation = slot.generation.wrapping_add(1);
        self.by_id.remove(&id);
        self.free.push(index);
        self.paced.retain(|paced| *paced != index);
        self.outputs.push_back(Output::Event(MediaEvent::Quality { leg: id, stats: leg.stats(), last: true }));
        self.disconnect(index, leg.feed.sources, now);
        for listener in leg.listeners {
            let Some(leg) = self.at_mut(listener) else { continue };
            leg.feed.sources.iter_mut().filter(|slot| **slot == Some(index)).for_each(|slot| *slot = None);
            if let (Kind::Rtp(rtp), None) = (&mut leg.kind, &leg.feed.mix) {
                rtp.outgoing.switch();
            }
            self.refresh(listener, now);
        }
    }

    pub(crate) fn slot(&self, index: u32) -> LegSlot {
        let generation = self.slots.get(index as usize).map_or(0, |slot| slot.generation);
        LegSlot { index, generation }
    }

    pub(crate) fn at(&self, index: u32) -> Option<&Leg> {
        self.slots.get(index as usize)?.leg.as_deref()
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut Leg> {
        self.slots.get_mut(index as usize)?.leg.as_deref_mut()
    }

    pub(crate) fn peer_mut(&mut self, index: u32) -> Option<&mut Peer> {
        self.at_mut(index)?.rtp_mut()?.0.peer.as_mut()
    }

    fn leg_mut(&mut self, id: LegId) -> Option<(u32, &mut Leg)> {
        let index = *self.by_id.get(&id)?;
        Some((index, self.at_mut(index)?))
    }

    fn stream_mut(&mut self, id: LegId) -> Option<&mut StreamLeg> {
        match &mut self.leg_mut(id)?.1.kind {
            Kind::Stream(stream) => Some(stream),
            Kind::Rtp(_) | Kind::Ear => None,
        }
    }

    fn legs_of_call(&self, id: LegId) -> Vec<u32> {
        let first = LegId { call: id.call, index: 0 };
        let last = LegId { call: id.call, index: u8::MAX };
        self.by_id.range(first..=last).map(|(_, index)| *index).collect()
    }
}
