//! The call that keeps a promise: a human is fetched as for any caller, and only when one has taken the callback is the
//! caller dialled and joined to them. A caller is never dialled for nobody.

use crate::call::{Call, CallOutput, World};
use crate::callbacks::CallbackRefusal;
use crate::config::{Otherwise, Way};
use crate::leg::{Dial, LegCommand, LegState};
use crate::transfer::{Phase, Recovery};
use call_model::{
    Because, BotUpdate, CallbackId, CallbackNote, CallbackWish, Decision, EndCause, EndReason, HandoffPackage, Layer,
    LegId, Party, Role, TraceKind, Trigger, Urgency,
};
use core::time::Duration;

/// The trunk is given this much longer than the caller's telephone rings.
const TRUNK_MARGIN: Duration = Duration::from_secs(5);

/// What a call is made for.
#[derive(Debug)]
pub(crate) struct CallingBack {
    pub(crate) note: CallbackNote,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// A human is sought.
    Seeking,
    /// A human is there; that the caller will be dialled is being written down.
    Noting(LegId),
    /// The caller is dialled, and the human waits.
    Dialling(LegId),
    /// They were joined.
    Met,
}

/// From a call to those who keep callbacks.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum CallbackStep {
    /// The caller wants to be called back.
    Wish { wish: CallbackWish, package: Box<HandoffPackage> },
    /// A human is there: may the caller be dialled?
    Dial(CallbackId),
    /// The two are joined.
    Kept(CallbackId),
    /// It did not come to that.
    Over(CallbackId, Missed),
}

/// Why human and caller were not joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Missed {
    /// No human took it: the caller was not dialled.
    NoHuman,
    /// The human left while the caller was dialled.
    HumanLeft,
    /// It was none of the caller's doing, and their telephone did not ring: it counts as no attempt.
    NotRung(String),
    /// The caller did not answer; `never`: and will not.
    Caller { why: String, never: bool },
}

/// From those who keep callbacks to a call.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum CallbackNews {
    /// It is promised, and that is written down.
    Accepted { callback: CallbackId, at: String, moved: bool },
    /// It is not promised.
    Refused(CallbackRefusal),
    /// The caller may be dialled.
    Dial,
    /// It could not be written down that the caller is dialled, so they are not.
    NotWritten,
}

/// The call in which it is asked for.
impl Call {
    /// Asks for what was wished; the answer is told to the bot.
    pub(crate) fn wish_callback(&mut self, wish: CallbackWish, world: &mut World<'_>) {
        let decided = self.handoff.as_ref().map(|handoff| handoff.decision.clone());
        let decision = decided.unwrap_or_else(|| Decision {
            at: world.now,
            rule: "callback".to_owned(),
            trigger: Trigger::Bot,
            layer: Layer::Tunable,
            urgency: Urgency::Normal,
            because: vec![Because { at: world.now, text: "the caller wants to be called back".to_owned() }],
        });
        let id = world.ids.handoff_id(world.wall.unix_ms(world.now));
        let package = Box::new(self.known.package(&self.about, id, &decision, 1));
        self.outputs.push_back(CallOutput::Callback(CallbackStep::Wish { wish, package }));
    }

    /// No human can take the caller: what the route says for one like this.
    pub(crate) fn go_another_way(&mut self, world: &mut World<'_>) {
        let Some(urgency) = self.handoff.as_ref().map(|handoff| handoff.decision.urgency) else { return };
        if self.calling_back.is_some() || self.retransfer.is_some() {
            return;
        }
        let now_ms = world.wall.unix_ms(world.now);
        let hours = world.config.callbacks.as_ref().map(|policy| &policy.hours);
        let is_open = hours.is_none_or(|hours| hours.next_open(now_ms) == Some(now_ms));
        let fits = |one: &&Otherwise| {
            one.urgency.is_none_or(|most| urgency <= most)
                && one.open.is_none_or(|open| open == is_open)
                && one.wish.as_deref().is_none_or(|wish| self.known.entity("wish") == Some(wish))
        };
        let way = self.about.route.otherwise.iter().find(fits).map_or(Way::Bot, |one| one.then);
        match way {
            Way::Bot => {}
            Way::Callback => self.wish_callback(CallbackWish::default(), world),
            Way::Voicemail => self.plan_message(world),
        }
    }

    /// What came of it.
    pub(crate) fn on_callback_news(&mut self, news: CallbackNews, world: &mut World<'_>) {
        if self.ending.is_some() {
            return;
        }
        match news {
            CallbackNews::Accepted { callback, at, moved } => {
                self.tell_bot(BotUpdate::CallbackAccepted { callback, at, moved });
                let sought =
                    matches!(self.phase, Phase::Waiting { .. } | Phase::Offering { .. } | Phase::Alerting { .. });
                if sought && self.calling_back.is_none() && !self.is_direct() {
                    self.withdraw(world);
                }
            }
            CallbackNews::Refused(refusal) => {
                self.tell_bot(BotUpdate::CallbackRefused { reason: refusal.as_str(), why: refusal.why() });
            }
            CallbackNews::Dial => self.dial_caller(world),
            CallbackNews::NotWritten => self.end(EndCause::new(Party::Gateway, EndReason::Fault), world),
        }
        self.settle();
    }
}

/// The call that is made for it.
impl Call {
    /// Fetches a human, for the reason that the caller had.
    pub(crate) fn begin_callback(&mut self, note: CallbackNote, package: &HandoffPackage, world: &mut World<'_>) {
        let about = &self.about;
        let began = TraceKind::Began {
            from: about.from.clone(),
            to: about.to.clone(),
            trunk: about.trunk.clone(),
            session_id: about.session_id.clone(),
        };
        self.trace(began);
        let attempt = note.attempt;
        self.trace(TraceKind::Callback { callback: note.id, what: "due", text: format!("attempt {attempt}") });
        self.calling_back = Some(CallingBack { note, stage: Stage::Seeking });
        self.enter(Phase::Recovering(Recovery::Human), world.now);
        let decision = Decision {
            at: world.now,
            rule: package.rule.clone(),
            trigger: package.trigger,
            layer: Layer::Tunable,
            urgency: package.urgency,
            because: package.because.clone(),
        };
        self.on_decision(decision, world);
        self.settle();
    }

    fn stage(&self) -> Option<Stage> {
        self.calling_back.as_ref().map(|calling| calling.stage)
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(calling) = self.calling_back.as_mut() {
            calling.stage = stage;
        }
    }

    /// The human who waits for the caller to answer.
    pub(crate) fn waits_for_caller(&self) -> Option<LegId> {
        match self.stage()? {
            Stage::Noting(leg) | Stage::Dialling(leg) => Some(leg),
            Stage::Seeking | Stage::Met => None,
        }
    }

    /// No caller has been there yet.
    pub(crate) fn has_no_caller_yet(&self) -> bool {
        self.stage().is_some_and(|stage| stage != Stage::Met)
    }

    /// A human has taken the callback: it is written down, and then the caller is dialled.
    pub(crate) fn call_back(&mut self, leg: LegId, world: &mut World<'_>) {
        let Some((Stage::Seeking, id)) = self.calling_back.as_ref().map(|calling| (calling.stage, calling.note.id))
        else {
            return;
        };
        self.only_this_desk(world);
        self.set_stage(Stage::Noting(leg));
        let rings = world.config.callbacks.as_ref().map_or(Duration::ZERO, |policy| policy.ring) + TRUNK_MARGIN;
        self.enter(Phase::Accepting { leg, give_up_at: world.now + rings }, world.now);
        if let Some(desk) = self.leg_mut(leg) {
            desk.whisper = None;
        }
        self.outputs.push_back(CallOutput::Callback(CallbackStep::Dial(id)));
    }

    fn dial_caller(&mut self, world: &World<'_>) {
        let Some(Stage::Noting(leg)) = self.stage() else { return };
        self.set_stage(Stage::Dialling(leg));
        let rings = world.config.callbacks.as_ref().map_or(Duration::ZERO, |policy| policy.ring);
        self.phase = Phase::Accepting { leg, give_up_at: world.now + rings };
        let codecs = self.codecs_preferring(self.leg(leg).and_then(|desk| desk.codec));
        let caller = self.caller_id();
        if let Some(caller) = self.leg_mut(caller) {
            caller.state = LegState::Dialling;
        }
        let name = self.about.trunk.clone();
        let dial = Dial { role: Role::Caller, name, codecs, consult: None, resumed: None };
        self.command(caller, LegCommand::Dial(Box::new(dial)));
    }

    /// The caller is there. False: this is no callback, or they met before.
    pub(crate) fn meet(&mut self, world: &mut World<'_>) -> bool {
        let Some(leg) = self.waits_for_caller() else { return false };
        if let Some(id) = self.calling_back.as_ref().map(|calling| calling.note.id) {
            self.outputs.push_back(CallOutput::Callback(CallbackStep::Kept(id)));
        }
        self.set_stage(Stage::Met);
        self.join(leg, world);
        true
    }

    /// The caller who is dialled does not come: the human is told.
    pub(crate) fn on_caller_missed(&mut self, status: Option<u16>, world: &mut World<'_>) {
        let (reason, why, never) = match status {
            None | Some(408) => (EndReason::TimedOut, "the caller did not answer".to_owned(), false),
            Some(486 | 600) => (EndReason::Refused, "the caller's line is busy".to_owned(), false),
            Some(480) => (EndReason::Refused, "the caller cannot be reached now".to_owned(), false),
            Some(603) => (EndReason::Refused, "the caller does not want to be called".to_owned(), true),
            Some(status @ (404 | 410 | 484 | 604)) => {
                (EndReason::Refused, format!("there is no such number ({status})"), true)
            }
            Some(status) => (EndReason::Refused, format!("the trunk does not put it through ({status})"), false),
        };
        let trunk_fails = status.is_some_and(|status| (500..600).contains(&status));
        self.over(if trunk_fails { Missed::NotRung(why) } else { Missed::Caller { why, never } });
        let cause =
            status.map_or(EndCause::new(Party::Caller, reason), |status| EndCause::sip(Party::Caller, reason, status));
        self.end(cause, world);
    }

    /// The call ends: what that means for the promise, unless it was said.
    pub(crate) fn end_callback(&mut self) {
        match self.stage() {
            Some(Stage::Seeking) => self.over(Missed::NoHuman),
            Some(Stage::Noting(_)) => self.over(Missed::NotRung("the caller was not dialled".to_owned())),
            Some(Stage::Dialling(_)) => self.over(Missed::HumanLeft),
            Some(Stage::Met) | None => {}
        }
    }

    fn over(&mut self, missed: Missed) {
        if let Some(id) =
            self.calling_back.as_ref().filter(|calling| calling.stage != Stage::Met).map(|one| one.note.id)
        {
            self.set_stage(Stage::Met);
            self.outputs.push_back(CallOutput::Callback(CallbackStep::Over(id, missed)));
        }
    }
}
