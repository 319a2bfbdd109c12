//! Which desks are taken. `routing` knows seats for one caller at a time; a queue takes several, so it is reserved
//! there only while it is full.

use crate::config::SwitchboardConfig;
use call_model::{DeskId, DeskState, HandoffId, Instant};
use core::time::Duration;
use routing::{Choice, Desks, Presence, Queue, Wanted};
use std::collections::BTreeMap;

/// All desks with the handoffs that have them.
#[derive(Debug)]
pub(crate) struct Seats {
    desks: Desks,
    rooms: BTreeMap<DeskId, Room>,
    health: BTreeMap<DeskId, Health>,
    /// What humans said of themselves, and until when it holds.
    said: BTreeMap<DeskId, Said>,
    /// Something has happened that may let somebody who waits be served.
    touched: bool,
}

/// What a human said of themselves.
#[derive(Clone, Copy, Debug)]
struct Said {
    state: DeskState,
    at: Instant,
    until: Option<Instant>,
}

/// Whether a desk's human is there, who says so and since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PresenceView {
    /// `available`, `busy`, `away`, `after_call`, `unregistered`, or `unknown`.
    pub what: &'static str,
    /// `human` (what they said on the page or over the API), `page` (whether it is open), `telephone` (whether it is
    /// registered); nothing where nobody says anything.
    pub source: Option<&'static str>,
    /// Since when; nothing where it was never otherwise.
    pub since: Option<Instant>,
}

/// What earlier attempts say about a desk's phone system.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    /// It asked to be left alone until then.
    rests_until: Option<Instant>,
    /// Attempts in a row that got no answer at all, and when the last one failed.
    failures: u8,
    failed: Option<Instant>,
}

/// So many attempts in a row without any answer, and a desk is tried last.
const AILING: u8 = 2;
/// For so long.
const AILING_FOR: Duration = Duration::from_secs(60);

impl Health {
    fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| until > now)
    }

    fn ails(&self, now: Instant) -> bool {
        self.failures >= AILING && self.failed.is_some_and(|failed| now.since(failed) < AILING_FOR)
    }
}

#[derive(Debug)]
struct Room {
    capacity: usize,
    /// How long its human writes after a conversation.
    after_call: Duration,
    /// By whom, and since when.
    taken: Vec<(HandoffId, Instant)>,
    /// In whose name it is reserved while it is full.
    full: Option<HandoffId>,
}

impl Seats {
    /// The configured desks, by priority, then in configured order.
    pub(crate) fn new(config: &SwitchboardConfig) -> Self {
        let mut sorted: Vec<_> = config.desks.iter().collect();
        sorted.sort_by_key(|desk| desk.priority);
        let room = |desk: &crate::Desk| Room {
            capacity: usize::from(desk.capacity.max(1)),
            after_call: desk.after_call,
            taken: Vec::new(),
            full: None,
        };
        let rooms = config.desks.iter().map(|desk| (DeskId(desk.name.clone()), room(desk))).collect();
        let desks = sorted.iter().map(|desk| routing::Desk {
            id: DeskId(desk.name.clone()),
            skills: desk.skills.clone(),
            languages: desk.languages.clone(),
            seniority: desk.seniority,
            priority: desk.priority,
        });
        let mut desks = Desks::new(desks).ordered(config.order);
        for desk in config.desks.iter().filter(|desk| desk.require_page) {
            desks.set_presence(&DeskId(desk.name.clone()), Presence::Away, Instant::ZERO);
        }
        for desk in config.desks.iter().filter(|desk| desk.signalling.seat.is_some()) {
            desks.set_reachable(&DeskId(desk.name.clone()), false, Instant::ZERO);
        }
        Self { desks, rooms, health: BTreeMap::new(), said: BTreeMap::new(), touched: false }
    }

    /// The best desk with room, taken in the handoff's name.
    pub(crate) fn take(
        &mut self,
        wanted: &Wanted,
        tried: &[DeskId],
        handoff: HandoffId,
        now: Instant,
    ) -> Result<Choice, String> {
        let Some(choice) = self.choose(wanted, tried, now) else {
            return Err(self.why_none(wanted, tried, now));
        };
        if let Some(room) = self.rooms.get_mut(&choice.desk) {
            room.taken.push((handoff, now));
            if room.taken.len() >= room.capacity {
                self.desks.reserve(&choice.desk, handoff).map_err(|refused| refused.to_string())?;
                room.full = Some(handoff);
            }
        }
        Ok(choice)
    }

    /// This desk, if it has room, taken in the handoff's name.
    pub(crate) fn take_this(
        &mut self,
        desk: &DeskId,
        wanted: &Wanted,
        handoff: HandoffId,
        now: Instant,
    ) -> Option<Choice> {
        let named = Wanted { desk: Some(desk.clone()), ..wanted.clone() };
        self.take(&named, &[], handoff, now).ok()
    }

    /// Whether a desk could be taken now.
    pub(crate) fn any(&self, wanted: &Wanted, now: Instant) -> bool {
        self.any_but(wanted, &[], now)
    }

    /// Whether another desk could be taken now.
    pub(crate) fn any_but(&self, wanted: &Wanted, those: &[DeskId], now: Instant) -> bool {
        self.choose(wanted, those, now).is_some()
    }

    /// The best desk that neither rests nor ails; else the best that does not rest.
    fn choose(&self, wanted: &Wanted, tried: &[DeskId], now: Instant) -> Option<Choice> {
        let without = |unfit: &dyn Fn(&Health) -> bool| {
            let unfit = self.health.iter().filter(|(_, health)| unfit(health)).map(|(desk, _)| desk.clone());
            let exclude: Vec<DeskId> = tried.iter().cloned().chain(unfit).chain(self.unready(now)).collect();
            let choice = self.desks.choose(wanted, &exclude, now)?;
            // What it says about desks tried before counts only those of this caller.
            self.desks.choose(wanted, tried, now).filter(|plain| plain.desk == choice.desk).or(Some(choice))
        };
        without(&|health| health.rests(now) || health.ails(now)).or_else(|| without(&|health| health.rests(now)))
    }

    fn why_none(&self, wanted: &Wanted, tried: &[DeskId], now: Instant) -> String {
        let free = self.desks.why_none(wanted, tried, &self.shut(now));
        let resting = self.resting(now).map(|desk| format!("{desk} asked for a rest"));
        let unready = self.unready(now).map(|desk| format!("{desk} is {}", state_in_words(self.state(&desk.0, now))));
        let all = core::iter::once(free).filter(|free| !free.is_empty()).chain(resting).chain(unready);
        all.collect::<Vec<_>>().join("; ")
    }

    fn resting(&self, now: Instant) -> impl Iterator<Item = &DeskId> {
        self.health.iter().filter(move |(_, health)| health.rests(now)).map(|(desk, _)| desk)
    }

    /// Desks that are not to be rung, whoever wants them.
    fn shut(&self, now: Instant) -> Vec<DeskId> {
        self.resting(now).cloned().chain(self.unready(now)).collect()
    }

    /// The desk's phone system asked to be left alone until then.
    pub(crate) fn rest(&mut self, desk: &DeskId, until: Instant) {
        self.health.entry(desk.clone()).or_default().rests_until = Some(until);
    }

    /// The desk's phone system did not answer at all. What that means for the next callers, when it means something.
    pub(crate) fn charge(&mut self, desk: &DeskId, now: Instant) -> Option<String> {
        let health = self.health.entry(desk.clone()).or_default();
        health.failures = if health.failed.is_some_and(|failed| now.since(failed) < AILING_FOR) {
            health.failures.saturating_add(1)
        } else {
            1
        };
        health.failed = Some(now);
        let (failures, lasts) = (health.failures, AILING_FOR.as_secs());
        health.ails(now).then(|| format!("{desk} has not answered {failures} times: tried last for {lasts} s"))
    }

    /// Whether a desk is tried last.
    pub(crate) fn ails(&self, desk: &str, now: Instant) -> bool {
        self.health.get(&DeskId(desk.to_owned())).is_some_and(|health| health.ails(now))
    }

    /// It answers.
    pub(crate) fn clear(&mut self, desk: &DeskId) {
        self.health.remove(desk);
    }

    /// The handoff no longer needs the desk. How long it had it.
    pub(crate) fn give_back(&mut self, desk: &DeskId, handoff: HandoffId, now: Instant) -> Option<Duration> {
        let room = self.rooms.get_mut(desk)?;
        let place = room.taken.iter().position(|(taken, _)| *taken == handoff)?;
        let (_, since) = room.taken.swap_remove(place);
        if let Some(full) = room.full.take() {
            self.desks.release(desk, full, now);
        }
        self.touched = true;
        Some(now.since(since))
    }

    /// How long a human is left alone from now on, at most.
    pub(crate) fn after_call_left(&self, desk: &DeskId, now: Instant) -> Duration {
        let until = self.said.get(desk).filter(|said| said.state == DeskState::AfterCall).and_then(|said| said.until);
        until.map_or(Duration::ZERO, |until| until.since(now))
    }

    /// A human came or went.
    pub(crate) fn set_presence(&mut self, desk: &DeskId, presence: Presence, now: Instant) -> bool {
        self.touched = true;
        self.desks.set_presence(desk, presence, now)
    }

    /// A human says whether they take callers.
    pub(crate) fn set_state(&mut self, desk: &DeskId, state: DeskState, until: Option<Instant>, now: Instant) {
        self.touched = true;
        self.said.insert(desk.clone(), Said { state, at: now, until });
    }

    /// Whether the human at a desk takes callers, as far as they said.
    pub(crate) fn state(&self, desk: &str, now: Instant) -> DeskState {
        let said = self.said.get(&DeskId(desk.to_owned()));
        said.filter(|said| said.until.is_none_or(|until| until > now)).map_or(DeskState::Available, |said| said.state)
    }

    /// Whether a desk's human is there; the human's own word goes before the telephone, and that before the page.
    pub(crate) fn presence(&self, desk: &DeskId, now: Instant) -> Option<PresenceView> {
        let standing = self.desks.standing(desk)?;
        let state = self.state(&desk.0, now);
        let view = |what, source, since| PresenceView { what, source, since };
        Some(match standing.presence {
            _ if state != DeskState::Available => {
                view(state.as_str(), Some("human"), self.said.get(desk).map(|said| said.at))
            }
            _ if !standing.reachable => view("unregistered", Some("telephone"), standing.reachable_since),
            Presence::Available => view("available", Some("page"), standing.since),
            Presence::Away => view("away", Some("page"), standing.since),
            Presence::Unknown => match standing.reachable_since {
                Some(since) => view("available", Some("telephone"), Some(since)),
                None => view("unknown", None, None),
            },
        })
    }

    /// The human had a caller and has time to write it down. Until when; nothing where no time is given, where the next
    /// caller is there already, or where they are not available anyway.
    pub(crate) fn begin_after_call(&mut self, desk: &DeskId, now: Instant) -> Option<Instant> {
        let room = self.rooms.get(desk).filter(|room| !room.after_call.is_zero() && room.taken.is_empty())?;
        let until = now + room.after_call;
        if self.state(&desk.0, now) != DeskState::Available {
            return None;
        }
        self.set_state(desk, DeskState::AfterCall, Some(until), now);
        Some(until)
    }

    fn unready(&self, now: Instant) -> impl Iterator<Item = DeskId> + '_ {
        let said = self.said.keys().filter(move |desk| self.state(&desk.0, now) != DeskState::Available);
        said.cloned()
    }

    /// Its telephone has registered, or no longer is.
    pub(crate) fn set_reachable(&mut self, desk: &DeskId, reachable: bool, now: Instant) {
        self.touched = true;
        self.desks.set_reachable(desk, reachable, now);
    }

    /// Who waits has changed.
    pub(crate) const fn touch(&mut self) {
        self.touched = true;
    }

    /// Whether something has happened, since this was last asked, that may let somebody who waits be served.
    pub(crate) const fn take_touched(&mut self) -> bool {
        core::mem::replace(&mut self.touched, false)
    }

    /// Who of those who wait is to be offered to a desk now.
    pub(crate) fn next_waiting(&self, queue: &Queue, now: Instant) -> Option<HandoffId> {
        queue.next(&self.desks, &self.shut(now), now)
    }

    /// When a desk is there again by itself: its human has written, or its phone system has rested.
    pub(crate) fn next_opening(&self, now: Instant) -> Option<Instant> {
        let written = self.said.values().filter_map(|said| said.until);
        let rested = self.health.values().filter_map(|health| health.rests_until);
        written.chain(rested).filter(|at| *at > now).min()
    }

    /// How many callers those desks take at once that may come free for one like this.
    pub(crate) fn staffed(&self, wanted: &Wanted, without: &[DeskId], now: Instant) -> usize {
        let there = self.desks.staffed(wanted, without).filter(|desk| self.state(&desk.0, now) != DeskState::Away);
        there.filter_map(|desk| self.rooms.get(desk)).map(|room| room.capacity).sum()
    }

    /// Handoffs that have this desk.
    pub(crate) fn taken_at(&self, desk: &str) -> usize {
        self.rooms.get(&DeskId(desk.to_owned())).map_or(0, |room| room.taken.len())
    }

    /// Desks taken, counted per handoff.
    pub(crate) fn taken(&self) -> usize {
        self.rooms.values().map(|room| room.taken.len()).sum()
    }
}

const fn state_in_words(state: DeskState) -> &'static str {
    match state {
        DeskState::Available => "available",
        DeskState::Busy => "busy",
        DeskState::Away => "away",
        DeskState::AfterCall => "still writing about the last caller",
    }
}
