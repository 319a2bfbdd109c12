//! Who hears whom: computed from the state in one place, after every input.

use crate::call::{Call, CallOutput};
use crate::choreography::Trio;
use crate::config::WhileConsulting;
use crate::controls::Controls;
use crate::leg::{Leg, LegState};
use crate::transfer::{Phase, Recovery};
use call_model::{Direction, LegId, MediaCommand, Prompt, Role, Selector, TraceKind};

impl Call {
    /// Brings every leg's feed and the tap in line with the state. Runs at the end of every input.
    pub(crate) fn settle(&mut self) {
        for index in 0..self.legs.len() {
            let leg = &self.legs[index];
            let (id, role) = (leg.id, leg.role);
            let wanted = if leg.is_up() { self.source_for(leg) } else { self.early_source(id) };
            if let Some(from) = wanted
                && self.legs[index].feed != Some(from)
            {
                self.legs[index].feed = Some(from);
                let source = match from {
                    Selector::Leg(source) | Selector::Mix(source, _) => self.leg(source).map(|leg| leg.role),
                    _ => None,
                };
                self.outputs.push_back(CallOutput::Media(MediaCommand::Feed { leg: id, from }));
                self.trace(TraceKind::Fed { leg: id, role, from, source });
            }
        }
        let listen = self.about.route.listen && self.caller_is_up() && self.ending.is_none() && self.nobody_human_yet();
        if listen != self.tapped {
            self.tapped = listen;
            if self.leg(self.caller_id()).is_some() {
                self.outputs.push_back(CallOutput::Media(MediaCommand::Tap { leg: self.caller_id(), on: listen }));
            }
        }
        self.settle_recording();
        self.close_when_empty();
    }

    /// A leg was closed and opened anew: everybody is told again whom to hear.
    pub(crate) fn open_ears_anew(&mut self) {
        self.tapped = false;
        self.legs.iter_mut().for_each(|leg| leg.feed = None);
    }

    fn source_for(&self, leg: &Leg) -> Option<Selector> {
        match leg.role {
            Role::Caller if self.ending.is_some() => None,
            Role::Caller => Some(self.source_for_caller()),
            _ if self.leg(self.caller_id()).is_some_and(|caller| caller.state == LegState::Arriving) => None,
            Role::Bot if Some(leg.id) == self.bot && self.bot_hears_caller() => Some(Selector::Leg(self.caller_id())),
            Role::Bot => Some(self.source_for_third(leg.id)),
            Role::Desk => Some(self.source_for_desk(leg.id)),
            Role::Recorder => None,
        }
    }

    fn source_for_caller(&self) -> Selector {
        match &self.phase {
            // The desk has the caller: we only wait for the trunk to hang up.
            _ if self.is_referred_away() => Selector::Silence,
            _ if self.passing_human().is_some() && self.phase.is_consulting() => {
                self.source_of_passing_human().unwrap_or(Selector::Music)
            }
            Phase::WithBot
            | Phase::Waiting { .. }
            | Phase::Offering { .. }
            | Phase::Alerting { .. }
            | Phase::Referring { .. }
            | Phase::Accepting { .. } => {
                match self.bot.filter(|_| self.bot_is_up() && (self.is_with_bot() || self.bot_keeps_caller())) {
                    Some(bot) => Selector::Leg(bot),
                    None => self.comfort(),
                }
            }
            Phase::Joined { leg, .. } | Phase::Releasing { leg, .. } => {
                match self.leg(*leg).filter(|desk| desk.is_up()) {
                    Some(_) if let Some((bot, Trio::Introducing { .. })) = self.third() => match self.controls {
                        Controls { muted: true, held: false } => Selector::Leg(bot),
                        _ => self.heard_of_human(Selector::Mix(bot, *leg)),
                    },
                    Some(desk) if desk.can_be_heard() => self.heard_of_human(Selector::Leg(*leg)),
                    Some(_) => Selector::Music,
                    None if self.phase.awaits_proof() => Selector::Music,
                    None => Selector::Silence,
                }
            }
            Phase::Recovering(Recovery::Message { .. }) if self.prompt.is_none() => Selector::Silence,
            Phase::Recovering(_) | Phase::Released => self.comfort(),
        }
    }

    /// A bot that is there after the join hears both, though not the desk's music while it holds.
    fn source_for_third(&self, bot: LegId) -> Selector {
        let desk = match &self.phase {
            Phase::Joined { leg, .. } | Phase::Releasing { leg, .. } => self.leg(*leg),
            _ => None,
        };
        match desk {
            Some(desk) if self.third().is_some_and(|(third, _)| third == bot) && self.caller_is_up() => {
                if desk.is_up() && desk.direction == Direction::SendRecv && !self.controls.held {
                    Selector::Mix(self.caller_id(), desk.id)
                } else {
                    Selector::Leg(self.caller_id())
                }
            }
            _ => Selector::Silence,
        }
    }

    fn source_for_desk(&self, desk: LegId) -> Selector {
        let caller = self.heard_by_human(Selector::Leg(self.caller_id()));
        match &self.phase {
            _ if self.farewell.iter().any(|(leg, _)| *leg == desk) => Selector::Prompt(Prompt::CallerGone),
            Phase::Joined { leg, .. } | Phase::Releasing { leg, .. } if *leg == desk && self.caller_is_up() => {
                match self.third() {
                    Some((bot, Trio::Introducing { .. } | Trio::CoPilot { heard: true })) => {
                        self.heard_by_human(Selector::Mix(self.caller_id(), bot))
                    }
                    _ => caller,
                }
            }
            _ if self.passing_human() == Some(desk) && self.phase.is_consulting() && self.caller_is_up() => caller,
            _ if self.waits_for_caller() == Some(desk) => Selector::Music,
            _ => self.whispered_to(desk).unwrap_or(Selector::Silence),
        }
    }

    /// What a caller hears who has nobody: the prompt that is due, else music.
    fn comfort(&self) -> Selector {
        self.prompt.map_or(Selector::Music, |(prompt, _)| Selector::Prompt(prompt))
    }

    pub(crate) fn bot_hears_caller(&self) -> bool {
        self.caller_is_up()
            && !self.is_referred_away()
            && (self.is_with_bot() || (self.phase.is_consulting() && self.bot_keeps_caller()))
    }

    fn bot_keeps_caller(&self) -> bool {
        self.about.route.while_consulting == WhileConsulting::Bot
    }

    /// Whether no human has, or had, the caller in this handoff.
    fn nobody_human_yet(&self) -> bool {
        self.phase.before_join() && self.retransfer.is_none()
    }

    const fn is_with_bot(&self) -> bool {
        matches!(self.phase, Phase::WithBot)
    }
}
