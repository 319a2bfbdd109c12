//! Who stays and who waits around a join: the bot that introduces the human or stays on as co-pilot, and the
//! announcement that is played to its end before the human gets the caller.

use crate::call::{Call, World};
use crate::config::{CoPilot, HandBack, Introduce};
use crate::join::Proof;
use crate::leg::Leg;
use crate::transfer::Phase;
use call_model::{BotUpdate, EndCause, EndReason, FactKind, Instant, LegId, Party};
use std::collections::VecDeque;

/// Marks remembered: an announcement may be declared after it was played.
const MARKS: usize = 16;

/// Why the bot is still there after the join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trio {
    /// It introduces the human, until it says that it has, or until then.
    Introducing { until: Instant },
    /// It listens, and the human may hear it.
    CoPilot { heard: bool },
}

/// What the bot says to the caller that must not be cut off.
#[derive(Debug, Default)]
pub(crate) struct Announcement {
    /// Declared and not over; by its mark, if it has one.
    awaited: Option<Option<String>>,
    /// The latest marks played.
    played: VecDeque<String>,
}

/// Introduction and co-pilot.
impl Call {
    /// Two people hear each other from now on. Does the bot stay?
    pub(crate) fn begin_trio(&mut self, leg: LegId, world: &World<'_>) {
        let introduces = self.about.route.choreography.introduce == Introduce::ThreeWay && self.bot_is_up();
        let until = world.now + world.config.timers.introduce_timeout;
        self.trio = if introduces { Some(Trio::Introducing { until }) } else { self.co_pilot() };
        let desk = self.leg(leg).map(|leg| leg.name.clone()).unwrap_or_default();
        match self.trio {
            Some(Trio::Introducing { .. }) => self.tell_bot(BotUpdate::Introduce { display: desk.clone(), desk }),
            Some(Trio::CoPilot { .. }) => self.tell_bot(BotUpdate::CoPilot { desk }),
            None => self.tell_bot(BotUpdate::HandoffAccepted),
        }
    }

    fn co_pilot(&self) -> Option<Trio> {
        let heard = match self.about.route.choreography.co_pilot {
            CoPilot::Off => return None,
            CoPilot::Silent => false,
            CoPilot::Heard => true,
        };
        self.bot_is_up().then_some(Trio::CoPilot { heard })
    }

    /// The bot has introduced the human, or has had the time for it.
    pub(crate) fn end_introduction(&mut self, why: &str, world: &mut World<'_>) {
        let (Some(Trio::Introducing { .. }), Phase::Joined { leg, .. }) = (self.trio, &self.phase) else { return };
        let leg = *leg;
        self.note(Party::Bot, format!("introduction over: {why}"));
        self.trio = self.co_pilot();
        let desk = self.leg(leg).map(|leg| leg.name.clone()).unwrap_or_default();
        match self.trio {
            Some(_) => self.tell_bot(BotUpdate::CoPilot { desk }),
            None => self.tell_bot(BotUpdate::HandoffAccepted),
        }
        if self.handoff.as_ref().is_some_and(|handoff| handoff.proof == Proof::Given) {
            self.let_bot_go();
        }
        self.settle();
        self.on_media_proof(world);
    }

    /// The join is proven: the bot may go, unless it is wanted.
    pub(crate) fn let_bot_go(&mut self) {
        if self.trio.is_none() && self.hand_back.is_none() {
            self.drop_bot(EndCause::new(Party::Gateway, EndReason::Finished), "Handed over");
        }
    }

    /// When the introduction is over at last.
    pub(crate) fn trio_deadline(&self) -> Option<Instant> {
        match self.trio {
            Some(Trio::Introducing { until }) => Some(until),
            _ => None,
        }
    }

    /// Whether something is on that only works while we are in the path.
    pub(crate) const fn is_needed_now(&self) -> bool {
        self.trio.is_some() || self.hand_back.is_some()
    }

    /// Whether the operator asks for something that only works while we are in the path, for as long as the call lasts.
    pub(crate) fn is_needed_always(&self) -> bool {
        let choreography = &self.about.route.choreography;
        choreography.co_pilot != CoPilot::Off
            || choreography.hand_back == HandBack::Required
            || self.is_recorded_always()
    }

    /// The bot and the leg it stays for, when it is there and heard or hearing.
    pub(crate) fn third(&self) -> Option<(LegId, Trio)> {
        self.bot.filter(|_| self.bot_is_up()).zip(self.trio)
    }
}

/// The announcement.
impl Call {
    /// The bot's word on introduction and announcement.
    pub(crate) fn on_stage_direction(&mut self, kind: &FactKind, world: &mut World<'_>) {
        match kind {
            FactKind::Introduced => self.end_introduction("the bot says so", world),
            FactKind::Announcement { mark } if self.phase.before_join() => {
                let over = mark.as_ref().is_some_and(|mark| self.announcement.played.contains(mark));
                self.announcement.awaited = (!over).then(|| mark.clone());
            }
            _ => {}
        }
    }

    /// The human has taken the caller. They are joined now, or as soon as the announcement is over.
    pub(crate) fn accept(&mut self, leg: LegId, world: &mut World<'_>) {
        if !self.is_announcing() {
            return self.join(leg, world);
        }
        let until = world.now + world.config.timers.announcement_max;
        let Some(handoff) = self.handoff.as_mut().filter(|handoff| handoff.join_by.is_none()) else { return };
        handoff.join_by = Some(until);
        self.only_this_desk(world);
        self.note(Party::Gateway, "the join waits for the announcement".to_owned());
        if let Some(desk) = self.leg_mut(leg) {
            desk.whisper = None;
        }
        self.settle();
    }

    /// The join that waits for the announcement, and until when at most.
    pub(crate) fn join_by(&self) -> Option<Instant> {
        self.handoff.as_ref().filter(|_| self.phase.is_consulting())?.join_by
    }

    /// Something ended that a join may have waited for.
    pub(crate) fn on_announced(&mut self, world: &mut World<'_>) {
        if let Phase::Accepting { leg, .. } = self.phase
            && self.join_by().is_some()
            && !self.is_announcing()
        {
            self.join(leg, world);
        }
    }

    /// A mark of the bot's was played.
    pub(crate) fn on_mark(&mut self, id: LegId, name: String, world: &mut World<'_>) {
        if Some(id) != self.bot {
            return;
        }
        if self.announcement.awaited.as_ref().is_some_and(|mark| mark.as_ref() == Some(&name)) {
            self.announcement.awaited = None;
        }
        if self.announcement.played.len() == MARKS {
            self.announcement.played.pop_front();
        }
        self.announcement.played.push_back(name);
        self.on_announced(world);
    }

    /// Whether the caller hears something from the bot that must not be cut off. Without a mark it lasts as long as the
    /// bot speaks.
    fn is_announcing(&self) -> bool {
        let heard = self.phase.is_consulting() && self.bot_is_up() && self.bot_hears_caller();
        match &self.announcement.awaited {
            _ if !heard => false,
            None => false,
            Some(Some(_)) => true,
            Some(None) => self.bot.and_then(|bot| self.leg(bot)).is_some_and(|leg: &Leg| leg.speaking),
        }
    }
}
