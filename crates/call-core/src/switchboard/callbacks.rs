//! Promises to call back, across all calls: written down before they are told, kept at their time.
//!
//! Every change goes out as [`Output::Callback`]; what must not be forgotten waits for
//! [`Switchboard::handle_callback_kept`]: a promise before it is told, and that a caller is dialled before they are. After a
//! crash a caller who was being dialled is dialled again, but not before that call is over on every telephone network:
//! somebody may be called twice, never twice at once, and never not at all.

use super::{Entry, Link, Output, Switchboard, TimerName, incoming};
use crate::call::{About, Call};
use crate::callbacks::{CallbackRefusal, Callbacks, DAY_MS, millis, plain_number};
use crate::calling_back::{CallbackNews, CallbackStep, Missed};
use crate::config::{Consent, Record, Release, Route, RouteTo, Trunk};
use crate::known::Known;
use crate::leg::LegState;
use call_model::{
    CallId, Callback, CallbackId, CallbackNote, CallbackState, CallbackWish, HandoffPackage, Instant, InterfaceId,
    KeysBy, LegId, Redacted, Role, Secret, TraceKind,
};
use core::time::Duration;
use escalation::Engine;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A caller who is on the line, or for whom there is no room, is tried again after this.
const BUSY: Duration = Duration::from_secs(30);
/// No telephone rings for longer than this after a crash of ours (RFC 3261 §16.6, timer C).
const RUNG_OUT: Duration = Duration::from_secs(180);

/// All callbacks that are open, or were within the last day.
#[derive(Debug, Default)]
pub(super) struct Book {
    tasks: BTreeMap<CallbackId, Task>,
    news: VecDeque<(CallId, CallbackNews)>,
}

#[derive(Debug)]
struct Task {
    kept: Callback,
    /// Who waits for this version to be written down.
    awaits: Option<Awaits>,
    /// The call that is made for it.
    call: Option<CallId>,
    /// Not before.
    wake_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Awaits {
    /// A bot, to be told whether it is later than asked for.
    Promise { moved: bool },
    /// A human, with the caller about to be dialled.
    Dial,
}

/// Why a callback is not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallbackFixed {
    /// There is none of that name, or it is over.
    Unknown,
    /// It is being made.
    UnderWay,
    /// The new time will not do.
    Time(CallbackRefusal),
}

/// For the API.
impl Switchboard {
    /// Every callback that is open, or was within the last day; the oldest first.
    pub fn callbacks(&self) -> impl Iterator<Item = &Callback> + '_ {
        self.book.tasks.values().map(|task| &task.kept)
    }

    /// Takes a promise back. Gives the version that says so, once it is written down.
    ///
    /// # Errors
    /// There is none, or it is being made.
    pub fn cancel_callback(&mut self, id: CallbackId, now: Instant) -> Result<u32, CallbackFixed> {
        self.free_to_change(id)?;
        self.change(id, "cancelled", "by operations", now, |kept| kept.state = CallbackState::Cancelled);
        self.version(id)
    }

    /// Another time for a promise; `wish.number` is of no meaning. As for [`Self::cancel_callback`].
    ///
    /// # Errors
    /// There is none, it is being made, or nobody is there then.
    pub fn reschedule_callback(
        &mut self,
        id: CallbackId,
        wish: &CallbackWish,
        now: Instant,
    ) -> Result<u32, CallbackFixed> {
        self.free_to_change(id)?;
        let policy = self.config.callbacks.clone().ok_or(CallbackFixed::Time(CallbackRefusal::Off))?;
        let (at, moved) = policy.time(wish, self.wall.unix_ms(now)).map_err(CallbackFixed::Time)?;
        if moved {
            return Err(CallbackFixed::Time(CallbackRefusal::Closed));
        }
        let text = policy.hours.show(at);
        self.change(id, "rescheduled", &text, now, |kept| (kept.promised_ms, kept.due_ms) = (at, at));
        self.version(id)
    }

    fn free_to_change(&self, id: CallbackId) -> Result<(), CallbackFixed> {
        match self.book.tasks.get(&id) {
            Some(task) if task.is_ready() => Ok(()),
            Some(task) if task.kept.state.is_open() => Err(CallbackFixed::UnderWay),
            _ => Err(CallbackFixed::Unknown),
        }
    }

    fn version(&self, id: CallbackId) -> Result<u32, CallbackFixed> {
        self.book.tasks.get(&id).map(|task| task.kept.version).ok_or(CallbackFixed::Unknown)
    }
}

/// Written down, and read again.
impl Switchboard {
    /// What was written down before this start.
    pub fn restore_callbacks(&mut self, kept: Vec<Callback>, now: Instant) {
        let policy = self.config.callbacks.clone();
        for kept in kept {
            let (id, state) = (kept.id, kept.state);
            let task = Task { wake_ms: kept.due_ms, kept, awaits: None, call: None };
            self.book.tasks.insert(id, task);
            if state == CallbackState::Calling {
                let rest = policy.as_ref().map_or(RUNG_OUT, |policy| policy.retry_after.max(RUNG_OUT));
                self.uncount_attempt(id);
                self.again_or_never(id, "the gateway stopped while the caller was dialled", false, rest, now);
            }
        }
    }

    /// This version of a callback is on the disk, or will never be.
    pub fn handle_callback_kept(&mut self, id: CallbackId, version: u32, kept: bool, now: Instant) {
        let Some(task) = self.book.tasks.get_mut(&id).filter(|task| task.kept.version == version) else { return };
        let origin = task.kept.call;
        match (task.awaits.take(), task.call) {
            (Some(Awaits::Promise { moved }), _) if kept => {
                let (at_ms, number) = (task.kept.promised_ms, task.kept.number.clone());
                let at = self.config.callbacks.as_ref().map(|policy| policy.hours.show(at_ms)).unwrap_or_default();
                self.trace_callback(Some(origin), id, "promised", format!("{number} at {at}"), now);
                self.book.news.push_back((origin, CallbackNews::Accepted { callback: id, at, moved }));
            }
            (Some(Awaits::Promise { .. }), _) => {
                self.book.tasks.remove(&id);
                self.refuse_callback(origin, id, CallbackRefusal::NotKept, now);
            }
            (Some(Awaits::Dial), Some(call)) => {
                let news = if kept { CallbackNews::Dial } else { CallbackNews::NotWritten };
                self.book.news.push_back((call, news));
            }
            _ => {}
        }
        self.pump(now);
    }

    /// Changes a callback and has it written down.
    fn change(
        &mut self,
        id: CallbackId,
        what: &'static str,
        text: &str,
        now: Instant,
        act: impl FnOnce(&mut Callback),
    ) {
        let Some(task) = self.book.tasks.get_mut(&id) else { return };
        act(&mut task.kept);
        task.kept.version += 1;
        task.wake_ms = task.kept.due_ms;
        let (kept, call) = (task.kept.clone(), task.call);
        let about = call.unwrap_or(kept.call);
        self.outputs.push_back(Output::Callback(Box::new(kept)));
        self.trace_callback(Some(about), id, what, text.to_owned(), now);
    }

    fn trace_callback(
        &mut self,
        call: Option<CallId>,
        callback: CallbackId,
        what: &'static str,
        text: String,
        now: Instant,
    ) {
        self.trace(call, TraceKind::Callback { callback, what, text }, now);
    }

    fn refuse_callback(&mut self, call: CallId, id: CallbackId, refusal: CallbackRefusal, now: Instant) {
        self.trace_callback(Some(call), id, "refused", refusal.why().to_owned(), now);
        self.book.news.push_back((call, CallbackNews::Refused(refusal)));
    }

    /// The next call that is to hear something.
    pub(super) fn next_callback_news(&mut self) -> Option<(CallId, CallbackNews)> {
        self.book.news.pop_front()
    }
}

/// What calls say.
impl Switchboard {
    pub(super) fn on_callback_step(&mut self, call: &Call, step: CallbackStep, now: Instant) {
        match step {
            CallbackStep::Wish { wish, package } => self.promise(call, &wish, package, now),
            CallbackStep::Dial(id) => {
                let dial = |kept: &mut Callback| {
                    kept.state = CallbackState::Calling;
                    kept.attempts = kept.attempts.saturating_add(1);
                };
                self.change(id, "calling", "a human is there", now, dial);
                if let Some(task) = self.book.tasks.get_mut(&id) {
                    task.awaits = Some(Awaits::Dial);
                }
            }
            CallbackStep::Kept(id) => {
                self.change(id, "kept", "human and caller are joined", now, |kept| kept.state = CallbackState::Kept);
                self.let_go(id);
            }
            CallbackStep::Over(id, missed) => {
                let (why, never) = match missed {
                    Missed::NoHuman => ("no human took it".to_owned(), false),
                    Missed::HumanLeft => ("the human left while the caller was dialled".to_owned(), false),
                    Missed::NotRung(why) => {
                        self.uncount_attempt(id);
                        (why, false)
                    }
                    Missed::Caller { why, never } => (why, never),
                };
                let rest = self.config.callbacks.as_ref().map_or(RUNG_OUT, |policy| policy.retry_after);
                self.again_or_never(id, &why, never, rest, now);
                self.let_go(id);
            }
        }
    }

    /// The last attempt was cut short by something that is not the caller's: it is made up for.
    fn uncount_attempt(&mut self, id: CallbackId) {
        if let Some(task) = self.book.tasks.get_mut(&id) {
            task.kept.attempts = task.kept.attempts.saturating_sub(1);
        }
    }

    fn let_go(&mut self, id: CallbackId) {
        if let Some(task) = self.book.tasks.get_mut(&id) {
            (task.call, task.awaits) = (None, None);
        }
    }

    fn promise(&mut self, call: &Call, wish: &CallbackWish, package: Box<HandoffPackage>, now: Instant) {
        let now_ms = self.wall.unix_ms(now);
        self.book.tasks.retain(|_, task| task.kept.state.is_open() || task.kept.asked_ms + DAY_MS > now_ms);
        let id = self.ids.callback_id(now_ms);
        let about = &call.about;
        let config = Arc::clone(&self.config);
        let policy =
            config.callbacks.as_ref().and_then(|policy| Some((policy, trunk_of(&config.trunks, policy, about)?)));
        let judged = policy.ok_or(CallbackRefusal::Off).and_then(|(policy, trunk)| {
            let promised = self.book.tasks.values().map(|task| &task.kept);
            Ok((policy.judge(wish, about.from.reveal(), promised, now_ms)?, trunk))
        });
        let (promise, trunk) = match judged {
            Ok(judged) => judged,
            Err(refusal) => return self.refuse_callback(about.id, id, refusal, now),
        };
        let kept = Callback {
            id,
            version: 1,
            state: CallbackState::Promised,
            number: Redacted::new(promise.number),
            trunk: trunk.name.clone(),
            call: about.id,
            asked_ms: now_ms,
            promised_ms: promise.at_ms,
            due_ms: promise.at_ms,
            attempts: 0,
            note: String::new(),
            package: Arc::new(*package),
        };
        self.outputs.push_back(Output::Callback(Box::new(kept.clone())));
        let awaits = Some(Awaits::Promise { moved: promise.moved });
        self.book.tasks.insert(id, Task { wake_ms: kept.due_ms, kept, awaits, call: None });
    }

    /// Once more when somebody is there, or never.
    fn again_or_never(&mut self, id: CallbackId, why: &str, never: bool, rest: Duration, now: Instant) {
        let policy = self.config.callbacks.clone();
        let Some(kept) = self.book.tasks.get(&id).map(|task| &task.kept) else { return };
        let again = policy.as_ref().and_then(|policy| {
            let now_ms = self.wall.unix_ms(now);
            let spent = never || kept.attempts >= policy.attempts;
            let at = policy.hours.next_open(now_ms + millis(rest)).filter(|_| !spent)?;
            let too_late = now_ms > kept.promised_ms.saturating_add(millis(policy.give_up_after));
            (!too_late).then(|| (at, policy.hours.show(at)))
        });
        match again {
            Some((at, shown)) => self.change(id, "postponed", &format!("{why}; again at {shown}"), now, |kept| {
                (kept.state, kept.due_ms, kept.note) = (CallbackState::Promised, at, why.to_owned());
            }),
            None => self.change(id, "given_up", why, now, |kept| {
                (kept.state, kept.note) = (CallbackState::GivenUp, why.to_owned());
            }),
        }
    }
}

/// At their time.
impl Switchboard {
    /// When the next is to be made.
    pub(super) fn next_callback(&self) -> Option<(Instant, TimerName)> {
        let ready = self.book.tasks.values().filter(|task| task.is_ready() && !self.draining);
        ready.map(|task| self.wall.instant(task.wake_ms)).min().map(|at| (at, TimerName::Callback))
    }

    pub(super) fn make_due_callbacks(&mut self, now: Instant) {
        if self.draining {
            return;
        }
        let now_ms = self.wall.unix_ms(now);
        let due = self.book.tasks.values().filter(|task| task.is_ready() && task.wake_ms <= now_ms);
        for id in due.map(|task| task.kept.id).collect::<Vec<_>>() {
            self.make(id, now);
        }
    }

    fn make(&mut self, id: CallbackId, now: Instant) {
        let config = Arc::clone(&self.config);
        let Some(kept) = self.book.tasks.get(&id).map(|task| task.kept.clone()) else { return };
        let now_ms = self.wall.unix_ms(now);
        let trunk = config.trunks.iter().find(|trunk| trunk.name == kept.trunk && trunk.outbound.is_some());
        let policy = config.callbacks.as_ref().filter(|policy| policy.allows(kept.number.reveal()));
        let Some((trunk, policy)) = trunk.zip(policy) else {
            return self.again_or_never(id, "the number or the trunk is not allowed any more", true, BUSY, now);
        };
        if now_ms > kept.promised_ms.saturating_add(millis(policy.give_up_after)) {
            return self.again_or_never(id, "its time has long passed", true, BUSY, now);
        }
        // Where nobody is there any more, the promise waits for the next opening.
        if let Some(open) = policy.hours.next_open(now_ms).filter(|open| *open > now_ms) {
            let text = format!("nobody is there; again at {}", policy.hours.show(open));
            return self.change(id, "postponed", &text, now, |kept| kept.due_ms = open);
        }
        let on_the_line = |entry: &Entry| entry.call.about.id == kept.call || is_from(&entry.call, &kept);
        if self.calls.len() >= config.call_limit || self.calls.values().any(on_the_line) {
            if let Some(task) = self.book.tasks.get_mut(&id) {
                task.wake_ms = now_ms + millis(BUSY);
            }
            return;
        }
        self.begin_callback(&kept, trunk, now);
    }

    fn begin_callback(&mut self, kept: &Callback, trunk: &Trunk, now: Instant) {
        let about = self.about_callback(kept, trunk, now);
        let id = about.id;
        let link = Link {
            role: Role::Caller,
            dialog: None,
            port: None,
            interface: InterfaceId::default(),
            allowed: trunk.allowed_media.clone(),
            keys_by: KeysBy::default(),
            last: None,
            dialled: None,
            target: None,
            attempt: None,
            second: None,
            max_forwards: 70,
            first_call_id: format!("{}@callback.invalid", about.session_id),
            caller_user: kept.number.reveal().to_owned(),
            dialled_user: kept.package.called.reveal().to_owned(),
            withheld_user: None,
            refusable: None,
            passed: Vec::new(),
            profile: None,
            codecs: Vec::new(),
        };
        self.links.insert(LegId { call: id, index: 0 }, link);
        let mut call = Call::new(about, Engine::new(Arc::clone(&self.config.rules)));
        call.known = Known::from_package(&kept.package);
        if let Some(caller) = call.legs.first_mut() {
            caller.state = LegState::Planned;
        }
        self.calls.insert(id, Entry { call, deadline: None });
        if let Some(task) = self.book.tasks.get_mut(&kept.id) {
            task.call = Some(id);
        }
        let Callback { id: callback, asked_ms, promised_ms, attempts, .. } = *kept;
        let note = CallbackNote { id: callback, asked_ms, promised_ms, attempt: attempts.saturating_add(1) };
        let package = Arc::clone(&kept.package);
        self.with_call(id, now, |call, world| call.begin_callback(note, &package, world));
    }

    fn about_callback(&mut self, kept: &Callback, trunk: &Trunk, now: Instant) -> About {
        let route = self.config.route(kept.package.called.reveal()).cloned();
        let route = route.filter(|route| matches!(route.to, RouteTo::Bot(_)));
        let route = route.unwrap_or(Route { to: RouteTo::Bot(String::new()), ..incoming::no_route() });
        let wanted = route.record.or(trunk.record).unwrap_or(self.config.recording.calls);
        // Nobody tells a caller who is called back that it is recorded, or asks.
        let implied = self.config.recording.consent == Consent::Implied;
        let record = if implied { wanted } else { Record::Never };
        let record_to = route.record_to.unwrap_or(self.config.recording.to);
        About {
            id: self.ids.call_id(),
            session_id: self.ids.hex(32),
            trunk: trunk.name.clone(),
            from: kept.number.clone(),
            caller_name: kept.package.caller_name.clone(),
            to: kept.package.called.clone(),
            began: now,
            began_unix_ms: self.wall.unix_ms(now),
            route,
            codecs: trunk.codecs.clone(),
            control_token: Secret::new(self.ids.hex(32)),
            // What a trunk does with REFER in a call that it did not begin is not known.
            release: Release::Stay,
            record,
            recorded: self.config.recording.what,
            record_to,
            recording: (record != Record::Never).then(|| self.ids.hex(32)),
        }
    }

    /// Somebody calls who was promised a callback: whoever talks to them knows.
    pub(super) fn note_promise(&mut self, call: CallId, now: Instant) {
        let Some(entry) = self.calls.get(&call) else { return };
        let open = |task: &&Task| task.kept.state.is_open() && is_from(&entry.call, &task.kept) && task.call.is_none();
        let Some(kept) = self.book.tasks.values().find(open).map(|task| task.kept.clone()) else { return };
        let at = self.config.callbacks.as_ref().map(|policy| policy.hours.show(kept.due_ms)).unwrap_or_default();
        let value = format!("{} promised for {at}", kept.id);
        let fact = call_model::FactKind::Entity { name: "callback".to_owned(), value };
        self.with_call(call, now, |call, world| call.observe(fact, world));
    }
}

impl Task {
    fn is_ready(&self) -> bool {
        self.kept.state == CallbackState::Promised && self.call.is_none() && self.awaits.is_none()
    }
}

/// Whether it is the caller who was promised it, as far as the trunk says who calls.
fn is_from(call: &Call, kept: &Callback) -> bool {
    plain_number(call.about.from.reveal()).is_some_and(|number| number == kept.number.reveal())
}

/// The trunk by which a caller is called back: it has to have a place where it is called.
fn trunk_of<'a>(trunks: &'a [Trunk], policy: &Callbacks, about: &About) -> Option<&'a Trunk> {
    let name = policy.trunk.as_ref().unwrap_or(&about.trunk);
    trunks.iter().find(|trunk| trunk.name == *name && trunk.outbound.is_some())
}
