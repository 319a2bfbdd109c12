//! A message from a caller whom no human can take: a prompt with a tone, and then the caller alone is recorded until they
//! hang up, press #, or say nothing more.

use crate::call::{Call, CallOutput, World};
use crate::transfer::{Phase, Recovery};
use call_model::{
    BotUpdate, EndCause, EndReason, HandoffPackage, Instant, LegId, MediaCommand, Party, Prompt, RecordingCommand,
    Selector, TraceKind, Voicemail,
};
use core::time::Duration;
use std::sync::Arc;

/// A prompt that is never reported as played is over after this. Operators have texts of their own.
const ASKING: Duration = Duration::from_secs(60);

/// What a caller is about to leave, or leaves.
#[derive(Debug)]
pub(crate) struct Message {
    package: Box<HandoffPackage>,
    recording: String,
    running: Option<Running>,
}

/// While it is recorded.
#[derive(Clone, Copy, Debug)]
struct Running {
    ear: LegId,
    began: Instant,
    /// Since when the caller has said nothing; none while they speak.
    quiet_since: Option<Instant>,
    spoke: bool,
}

impl Call {
    /// The caller shall leave a message, as soon as the handoff is over.
    pub(crate) fn plan_message(&mut self, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_ref().filter(|_| world.config.voicemail.is_some()) else { return };
        let (id, decision) = (handoff.id, handoff.decision.clone());
        let package = Box::new(self.known.package(&self.about, id, &decision, 1));
        self.message = Some(Message { package, recording: world.ids.hex(32), running: None });
    }

    /// Asks for the message that was planned. False: none was.
    pub(crate) fn ask_for_message(&mut self, world: &World<'_>) -> bool {
        if self.message.is_none() || !self.caller_is_up() {
            return false;
        }
        self.trace_message("asked", String::new());
        self.tell_bot(BotUpdate::VoicemailBegun);
        self.enter(Phase::Recovering(Recovery::Message { until: None }), world.now);
        self.prompt = Some((Prompt::LeaveMessage, world.now + ASKING));
        self.settle();
        true
    }

    pub(crate) const fn is_leaving_message(&self) -> bool {
        matches!(self.phase, Phase::Recovering(Recovery::Message { .. }))
    }

    /// The tone has sounded.
    pub(crate) fn after_message_prompt(&mut self, world: &mut World<'_>) {
        if !self.is_leaving_message() {
            return;
        }
        // A call that has had too many legs to number leaves no message.
        let Some(ear) = self.next_leg_id() else { return self.end_message("want of room", world) };
        let Some(message) = self.message.as_mut() else { return };
        let name = message.recording.clone();
        message.running = Some(Running { ear, began: world.now, quiet_since: Some(world.now), spoke: false });
        self.outputs.push_back(CallOutput::Recording(RecordingCommand::Begin { name, ears: vec![ear], stereo: false }));
        // What was said before the tone is no message.
        self.attend_afresh(self.caller_id());
        self.send_media(MediaCommand::OpenEar { leg: ear });
        self.send_media(MediaCommand::Feed { leg: ear, from: Selector::Leg(self.caller_id()) });
        self.trace_message("began", String::new());
        self.await_message(world);
    }

    /// The caller begins or ends to speak.
    pub(crate) fn on_message_speech(&mut self, speaks: bool, world: &World<'_>) {
        let Some(running) = self.message.as_mut().and_then(|message| message.running.as_mut()) else { return };
        running.spoke |= speaks;
        running.quiet_since = (!speaks).then_some(world.now);
        self.await_message(world);
    }

    /// When it is over, should nothing happen.
    fn await_message(&mut self, world: &World<'_>) {
        let running = self.message.as_ref().and_then(|message| message.running);
        let (Some(running), Some(limits)) = (running, world.config.voicemail.as_ref()) else { return };
        let quiet = running.quiet_since.map(|since| since + limits.silence);
        let until = quiet.into_iter().chain([running.began + limits.max]).min();
        if self.is_leaving_message() {
            self.phase = Phase::Recovering(Recovery::Message { until });
        }
    }

    pub(crate) fn on_message_timeout(&mut self, world: &mut World<'_>) {
        let began = self.message.as_ref().and_then(|message| message.running).map(|running| running.began);
        let limit = world.config.voicemail.as_ref().map(|limits| limits.max);
        let full = began.zip(limit).is_some_and(|(began, limit)| began + limit <= world.now);
        self.end_message(if full { "too long" } else { "silence" }, world);
    }

    /// The caller presses a key. True: that was all it meant.
    pub(crate) fn on_message_key(&mut self, digit: char, world: &mut World<'_>) -> bool {
        let running = self.message.as_ref().is_some_and(|message| message.running.is_some());
        if running && digit == '#' {
            self.end_message("#", world);
        }
        running
    }

    /// It is over, and the caller is there: the bot goes on, or nobody.
    fn end_message(&mut self, how: &'static str, world: &mut World<'_>) {
        self.finish_message(how, world);
        if !self.bot_is_up() {
            return self.end(EndCause::new(Party::Gateway, EndReason::Finished), world);
        }
        self.resume_bot(BotUpdate::VoicemailOver, world);
    }

    /// Whatever was said is kept.
    pub(crate) fn finish_message(&mut self, how: &'static str, world: &World<'_>) {
        let Some(Message { package, recording, running }) = self.message.take() else { return };
        let Some(Running { ear, began, spoke, .. }) = running else { return };
        self.send_media(MediaCommand::Close { leg: ear });
        self.outputs.push_back(CallOutput::Recording(RecordingCommand::End { name: recording.clone() }));
        let lasted = world.now.since(began);
        let what = if spoke { "left" } else { "empty" };
        self.trace_message(what, format!("{} s, ended by {how}: {recording}", lasted.as_secs()));
        if spoke {
            let voicemail = Voicemail {
                id: package.id,
                call: self.about.id,
                number: self.about.from.clone(),
                at_ms: world.wall.unix_ms(began),
                lasted,
                recording,
                package: Arc::new(*package),
            };
            self.outputs.push_back(CallOutput::Voicemail(Box::new(voicemail)));
        }
    }

    fn trace_message(&mut self, what: &'static str, text: String) {
        self.trace(TraceKind::Voicemail { what, text });
    }
}
