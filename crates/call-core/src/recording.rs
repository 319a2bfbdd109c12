//! The recording of a call: when it may begin, and what its ears hear.
//!
//! Recorded is what the parties say to each other, and nothing that is played to them: one ear hears the caller, the
//! other whomever the caller hears, the bot or the human. So music, prompts and whispers are in no recording, nor is what
//! a human says before they have the caller.

use crate::call::{Call, CallOutput, World};
use crate::config::{Consent, Record, RecordTo, Recorded, RouteTo};
use crate::switchboard::RecordingRefused;
use crate::transfer::Phase;
use call_model::{LegId, MediaCommand, Party, Prompt, RecordingCommand, RecordingWish, Role, Selector, TraceKind};
use core::time::Duration;

/// A notice that is never reported as played is given up after this. Operators have texts of their own.
const NOTICE_LIMIT: Duration = Duration::from_secs(60);

/// How far the recording of a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    /// Not begun: nobody has agreed.
    #[default]
    Unasked,
    /// The caller is being told of it.
    Notice,
    /// It runs whenever there is something to record.
    On,
    /// It has ended, and does not begin again.
    Over,
}

/// The recording of a call.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    stage: Stage,
    paused: bool,
    /// What hears, and what each of them hears: the caller's side first.
    ears: Vec<(LegId, Side, Selector)>,
}

/// Whom an ear hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Caller,
    Others,
}

/// When it begins and ends.
impl Call {
    /// Does what the route says; where the caller has to hear of the recording first, after that.
    pub(crate) fn follow_route_after_notice(&mut self, world: &mut World<'_>) {
        if self.about.recording.is_some() && world.config.recording.consent == Consent::Announced {
            self.recording.stage = Stage::Notice;
            return self.answer_caller(None);
        }
        self.follow_route(world);
    }

    fn follow_route(&mut self, world: &mut World<'_>) {
        match self.about.route.to.clone() {
            RouteTo::Bot(_) => self.dial_bot(world),
            RouteTo::Desk(desk) => self.dial_directly(&desk, world),
        }
    }

    /// The caller is answered.
    pub(crate) fn begin_recording(&mut self, world: &World<'_>) {
        match world.config.recording.consent {
            _ if self.about.recording.is_none() => {}
            Consent::Implied => self.recording.stage = Stage::On,
            Consent::Announced => self.prompt = Some((Prompt::Recorded, world.now + NOTICE_LIMIT)),
            Consent::Asked => {}
        }
    }

    /// The caller has heard all of it.
    pub(crate) fn on_notice_played(&mut self) {
        if self.recording.stage == Stage::Notice {
            self.recording.stage = Stage::On;
        }
    }

    /// The notice is over, played or not.
    pub(crate) fn after_notice(&mut self, world: &mut World<'_>) {
        if self.recording.stage == Stage::Notice {
            self.recording.stage = Stage::Over;
            self.note(Party::Gateway, "the caller did not hear of the recording: not recorded".to_owned());
        }
        self.follow_route(world);
    }

    /// A key of the caller's, which may say yes.
    pub(crate) fn consent_by_key(&mut self, digit: char, world: &World<'_>) {
        if world.config.recording.consent_key == Some(digit) {
            self.on_recording_wish(RecordingWish::Start, world);
        }
    }

    /// Operations want something.
    pub(crate) fn ask_of_recording(
        &mut self,
        wish: RecordingWish,
        world: &mut World<'_>,
    ) -> Result<(), RecordingRefused> {
        if self.about.recording.is_none() {
            return Err(RecordingRefused::NotRecorded);
        }
        let before = (self.recording.stage, self.recording.paused);
        self.on_recording_wish(wish, world);
        self.settle();
        if before == (self.recording.stage, self.recording.paused) { Err(RecordingRefused::NotNow) } else { Ok(()) }
    }

    /// Somebody wants something. What cannot be done is not; a bot may say "resume" twice.
    pub(crate) fn on_recording_wish(&mut self, wish: RecordingWish, world: &World<'_>) {
        let asked = world.config.recording.consent == Consent::Asked && self.about.recording.is_some();
        let running = self.recording.stage == Stage::On;
        match wish {
            RecordingWish::Start if asked && self.recording.stage == Stage::Unasked => {
                self.recording.stage = Stage::On;
            }
            RecordingWish::Pause if running && !self.recording.paused => {
                self.recording.paused = true;
                self.trace_recording("paused");
            }
            RecordingWish::Resume if running && self.recording.paused => {
                self.recording.paused = false;
                self.trace_recording("resumed");
            }
            RecordingWish::Stop => self.recording.stage = Stage::Over,
            _ => {}
        }
    }

    /// The operator wants every word of this call.
    pub(crate) const fn is_recorded_always(&self) -> bool {
        matches!(self.about.record, Record::Always)
    }

    pub(crate) fn trace_recording(&mut self, what: &'static str) {
        if let Some(name) = self.about.recording.clone() {
            self.trace(TraceKind::Recording { name, what });
        }
    }
}

/// What the ears hear.
impl Call {
    /// Brings the ears in line with the state. Runs at the end of every input.
    pub(crate) fn settle_recording(&mut self) {
        let Some(name) = self.about.recording.clone() else { return };
        let kept = match self.about.record_to {
            RecordTo::RecorderElseFile => self.recorder.is_lost(),
            to => to.may_be_kept(),
        };
        let on = kept && self.is_being_recorded();
        if on && self.recording.ears.is_empty() {
            self.open_ears(name);
        } else if !on && !self.recording.ears.is_empty() {
            return self.close_ears(name);
        }
        for place in 0..self.recording.ears.len() {
            let (leg, side, hears) = self.recording.ears[place];
            let wanted = self.source_for_ear(side);
            if wanted != hears {
                self.recording.ears[place].2 = wanted;
                self.send_media(MediaCommand::Feed { leg, from: wanted });
            }
        }
    }

    /// Whether what is said now is to be recorded, or would be but for a pause.
    pub(crate) fn is_being_recorded(&self) -> bool {
        self.recording.stage == Stage::On
            && self.caller_is_up()
            && self.ending.is_none()
            && self.phase != Phase::Released
    }

    pub(crate) const fn is_recording_paused(&self) -> bool {
        self.recording.paused
    }

    fn open_ears(&mut self, name: String) {
        let sides: &[Side] = match self.about.recorded {
            Recorded::Caller => &[Side::Caller],
            Recorded::Human => &[Side::Others],
            Recorded::Stereo | Recorded::Mixed => &[Side::Caller, Side::Others],
        };
        // A call that has had too many legs to number is not recorded any more.
        let ears: Vec<_> =
            sides.iter().filter_map(|side| Some((self.next_leg_id()?, *side, Selector::Silence))).collect();
        let legs: Vec<LegId> = ears.iter().map(|(leg, ..)| *leg).collect();
        self.recording.ears = ears;
        let stereo = self.about.recorded == Recorded::Stereo;
        self.outputs.push_back(CallOutput::Recording(RecordingCommand::Begin { name, ears: legs.clone(), stereo }));
        legs.into_iter().for_each(|leg| self.send_media(MediaCommand::OpenEar { leg }));
        self.trace_recording("began");
    }

    fn close_ears(&mut self, name: String) {
        self.recording.stage = Stage::Over;
        for (leg, ..) in core::mem::take(&mut self.recording.ears) {
            self.send_media(MediaCommand::Close { leg });
        }
        self.outputs.push_back(CallOutput::Recording(RecordingCommand::End { name }));
        self.trace_recording("ended");
    }

    pub(crate) fn source_for_ear(&self, side: Side) -> Selector {
        if self.recording.paused { Selector::Silence } else { self.source_unless_paused(side) }
    }

    pub(crate) fn source_unless_paused(&self, side: Side) -> Selector {
        let caller = self.caller_id();
        match side {
            Side::Caller => Selector::Leg(caller),
            Side::Others => match self.leg(caller).and_then(|caller| caller.feed) {
                Some(Selector::Leg(other)) if self.may_be_recorded(other) => Selector::Leg(other),
                Some(Selector::Mix(one, other)) => match (self.may_be_recorded(one), self.may_be_recorded(other)) {
                    (true, true) => Selector::Mix(one, other),
                    (true, false) => Selector::Leg(one),
                    (false, true) => Selector::Leg(other),
                    (false, false) => Selector::Silence,
                },
                _ => Selector::Silence,
            },
        }
    }

    fn may_be_recorded(&self, leg: LegId) -> bool {
        let role = self.leg(leg).map(|leg| leg.role);
        role.is_some_and(|role| role == Role::Desk || self.about.recorded != Recorded::Human)
    }
}
