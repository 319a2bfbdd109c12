//! The recording of a call at an external recorder (RFC 7866): when it is called, what it is told, and that a call never
//! suffers from it.
//!
//! It is no leg of the call, and nobody waits for it: it has two streams, which hear what the ears of a file would hear,
//! and one dialog, which belongs to the first of them.

use crate::call::{Call, CallOutput, World, reason};
use crate::config::Recorded;
use crate::leg::{LegCommand, LegEvent, RecordingOffer};
use crate::minutes::{Minutes, Who};
use crate::recording::Side;
use call_model::{Instant, LegId, MediaCommand, Party, Redacted, Role, Selector};
use core::time::Duration;

/// It has so long to answer.
const ANSWER: Duration = Duration::from_secs(8);
/// It is called again after these; then no more in this call.
const RESTS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
/// One that has recorded for so long has earned as many attempts again.
const PROVEN: Duration = Duration::from_secs(60);
/// It sends nothing by which its death would be noticed, so it is asked.
const ASK_EVERY: Duration = Duration::from_secs(20);
/// Three copies of the question are lost before it is taken for gone.
const REPLY: Duration = Duration::from_secs(6);

/// What each of its streams hears.
const SIDES: [Side; 2] = [Side::Caller, Side::Others];

/// How far we are with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// There was nothing to record yet.
    #[default]
    Idle,
    Calling {
        until: Instant,
    },
    Up {
        since: Instant,
        /// It is asked then whether it is still there; or, where it was, to have answered.
        next: Instant,
        asked: bool,
    },
    /// It failed, and is called again then.
    Resting {
        until: Instant,
    },
    /// It failed too often.
    Lost,
    Over,
}

/// An external recorder, as a call sees it.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    state: State,
    streams: Option<[LegId; 2]>,
    hears: [Option<Selector>; 2],
    /// Failures in a row.
    failures: usize,
    minutes: Minutes,
    /// Whether there was anything to be heard on each stream when it was last told.
    active: [bool; 2],
    /// It has not been told of all that has changed.
    stale: bool,
}

impl Recorder {
    /// It is not tried any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// It has streams open.
    fn is_engaged(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Up { .. })
    }
}

impl Call {
    /// Brings the recorder in line with the state. Runs after every input.
    pub(crate) fn follow_recorder(&mut self, world: &mut World<'_>) {
        if !self.about.record_to.is_sent() || self.about.recording.is_none() {
            return;
        }
        let due = |at: Instant| at <= world.now;
        match self.recorder.state {
            State::Lost | State::Over => return,
            State::Idle if !self.is_being_recorded() => return,
            _ if !self.is_being_recorded() => return self.leave_recorder(),
            State::Idle => self.call_recorder(world),
            State::Resting { until } if due(until) => self.call_recorder(world),
            State::Calling { until } if due(until) => self.lose_recorder("does not answer", true, world),
            State::Up { next, asked: true, .. } if due(next) => {
                self.lose_recorder("has not answered OPTIONS", true, world);
            }
            State::Up { since, next, asked: false } if due(next) => {
                self.recorder.state = State::Up { since, next: world.now + REPLY, asked: true };
                self.command_recorder(LegCommand::Probe);
            }
            _ => {}
        }
        self.feed_recorder();
        self.tell_recorder(world);
    }

    pub(crate) fn is_recorder(&self, leg: LegId) -> bool {
        self.recorder.streams.is_some_and(|streams| streams.contains(&leg))
    }

    pub(crate) const fn recorder_deadline(&self) -> Option<Instant> {
        match self.recorder.state {
            State::Calling { until } | State::Resting { until } => Some(until),
            State::Up { next, .. } => Some(next),
            State::Idle | State::Lost | State::Over => None,
        }
    }

    /// Something happened to its dialog.
    pub(crate) fn on_recorder(&mut self, event: &LegEvent, world: &mut World<'_>) {
        match (event, self.recorder.state) {
            (LegEvent::Answered { .. }, State::Calling { .. }) => {
                self.recorder.state = State::Up { since: world.now, next: world.now + ASK_EVERY, asked: false };
                self.trace_recording("recorder began");
            }
            (LegEvent::MetadataWanted, State::Up { .. }) => self.recorder.stale = true,
            (LegEvent::Asked { answered: true, .. }, State::Up { since, .. }) => {
                self.recorder.state = State::Up { since, next: world.now + ASK_EVERY, asked: false };
            }
            (LegEvent::Asked { .. }, State::Up { .. }) => {
                self.lose_recorder("has not answered OPTIONS", true, world);
            }
            (LegEvent::Refused { status }, _) if self.recorder.is_engaged() => {
                self.lose_recorder(&format!("refused ({status})"), false, world);
            }
            (LegEvent::Ended { by_remote: true, .. }, _) if self.recorder.is_engaged() => {
                self.lose_recorder("hung up", false, world);
            }
            (LegEvent::Ended { .. } | LegEvent::Late | LegEvent::Cancelled, _) if self.recorder.is_engaged() => {
                self.lose_recorder("is gone", false, world);
            }
            _ => {}
        }
    }

    /// One of its streams cannot carry audio.
    pub(crate) fn on_recorder_deaf(&mut self, why: &str, world: &mut World<'_>) {
        if self.recorder.is_engaged() {
            self.lose_recorder(&format!("gets no audio: {why}"), true, world);
        }
    }

    fn call_recorder(&mut self, world: &mut World<'_>) {
        if self.recorder.streams.is_none() {
            self.recorder.minutes = Minutes::begin(world.wall.unix_ms(world.now), world.ids);
            self.recorder.streams = self.next_leg_id().zip(self.next_leg_id()).map(|(one, other)| [one, other]);
        }
        // A call that has had too many legs to number is not recorded there.
        if self.recorder.streams.is_none() {
            self.recorder.state = State::Over;
            return;
        }
        self.recorder.state = State::Calling { until: world.now + ANSWER };
        self.recorder.hears = [None; 2];
        self.take_minutes(world);
        self.offer_to_recorder(LegCommand::Record);
    }

    /// It fails. The call goes on, and so does a file.
    fn lose_recorder(&mut self, why: &str, hang_up: bool, world: &World<'_>) {
        if let State::Up { since, .. } = self.recorder.state
            && world.now.since(since) >= PROVEN
        {
            self.recorder.failures = 0;
        }
        self.close_streams();
        if hang_up {
            self.command_recorder(LegCommand::HangUp { reason: reason(408, "No answer") });
        }
        let rest = RESTS.get(self.recorder.failures);
        self.recorder.failures += 1;
        let (state, then, what) = match rest {
            Some(rest) => {
                let then = format!("called again in {} s", rest.as_secs());
                (State::Resting { until: world.now + *rest }, then, "recorder failed")
            }
            None => (State::Lost, "not called again in this call".to_owned(), "recorder lost"),
        };
        self.recorder.state = state;
        self.note(Party::Recorder, format!("the recorder {why}: {then}"));
        self.trace_recording(what);
        self.settle_recording();
    }

    /// There is nothing more to record.
    fn leave_recorder(&mut self) {
        let began = matches!(self.recorder.state, State::Up { .. });
        if self.recorder.is_engaged() {
            self.close_streams();
            self.command_recorder(LegCommand::HangUp { reason: reason(200, "Recording ended") });
        }
        self.recorder.state = State::Over;
        if began {
            self.trace_recording("recorder ended");
        }
    }

    fn close_streams(&mut self) {
        for leg in self.recorder.streams.into_iter().flatten() {
            self.outputs.push_back(CallOutput::CloseMedia { leg, role: Role::Recorder, name: "recorder".to_owned() });
        }
    }

    fn command_recorder(&mut self, command: LegCommand) {
        if let Some([first, _]) = self.recorder.streams {
            self.command(first, command);
        }
    }

    fn offer_to_recorder(&mut self, command: fn(Box<RecordingOffer>) -> LegCommand) {
        let Some([_, second]) = self.recorder.streams else { return };
        let active = SIDES.map(|side| self.is_side_recorded(side) && !self.is_recording_paused());
        (self.recorder.active, self.recorder.stale) = (active, false);
        let offer = RecordingOffer { second, active, minutes: self.recorder.minutes.clone() };
        self.command_recorder(command(Box::new(offer)));
    }

    fn is_side_recorded(&self, side: Side) -> bool {
        match self.about.recorded {
            Recorded::Stereo | Recorded::Mixed => true,
            Recorded::Caller => side == Side::Caller,
            Recorded::Human => side == Side::Others,
        }
    }

    fn feed_recorder(&mut self) {
        let Some(streams) = self.recorder.streams.filter(|_| self.recorder.is_engaged()) else { return };
        for (place, (leg, side)) in streams.into_iter().zip(SIDES).enumerate() {
            let from = if self.is_side_recorded(side) { self.source_for_ear(side) } else { Selector::Silence };
            if self.recorder.hears[place].replace(from) != Some(from) {
                self.send_media(MediaCommand::Feed { leg, from });
            }
        }
    }

    /// While it is being called, what changes waits for its answer.
    fn tell_recorder(&mut self, world: &mut World<'_>) {
        self.take_minutes(world);
        let paused = self.is_recording_paused();
        let active = SIDES.map(|side| self.is_side_recorded(side) && !paused);
        if matches!(self.recorder.state, State::Up { .. }) && (self.recorder.stale || active != self.recorder.active) {
            self.offer_to_recorder(LegCommand::Describe);
        }
    }

    /// Who is heard on which stream, a pause aside.
    fn take_minutes(&mut self, world: &mut World<'_>) {
        let mut heard = Vec::with_capacity(3);
        for (place, side) in SIDES.into_iter().enumerate().filter(|(_, side)| self.is_side_recorded(*side)) {
            match self.source_unless_paused(side) {
                Selector::Leg(leg) => heard.push((leg, place)),
                Selector::Mix(one, other) => heard.extend([(one, place), (other, place)]),
                Selector::Prompt(_) | Selector::Music | Selector::Silence => {}
            }
        }
        let (about, legs) = (&self.about, &self.legs);
        let leg = |id: LegId| legs.iter().find(|leg| leg.id == id && leg.is_up());
        let who = |id: LegId| {
            let leg = leg(id)?;
            Some(match leg.role {
                Role::Caller => Who { user: about.from.clone(), name: about.caller_name.clone() },
                _ => Who { user: Redacted::new(leg.name.clone()), name: Some(Redacted::new(leg.name.clone())) },
            })
        };
        let now = world.wall.unix_ms(world.now);
        let minutes = &mut self.recorder.minutes;
        self.recorder.stale |= minutes.follow(&heard, |id| leg(id).is_some(), who, now, world.ids);
    }
}
