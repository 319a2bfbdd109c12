//! What must hold after every input, whatever happened. Asserted by the simulator after every step.

use crate::call::Call;
use crate::leg::Leg;
use crate::transfer::{Phase, Recovery};
use call_model::{Prompt, Selector};

impl Call {
    /// The invariants; what is broken, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.ending.is_some() {
            return Ok(());
        }
        let Some(caller) = self.leg(self.caller_id()) else {
            return match self.phase {
                Phase::Releasing { .. } | Phase::Referring { .. } => Ok(()),
                _ => Err(format!("call {} goes on in {} without a caller", self.about.id, self.state())),
            };
        };
        if !caller.is_up() {
            return Ok(());
        }
        let broken = |what: &str| Err(format!("call {}: {what} in {}", self.about.id, self.state()));
        match caller.feed {
            None => broken("nothing feeds the caller"),
            Some(Selector::Leg(source)) if !self.leg(source).is_some_and(Leg::is_up) => {
                broken("a leg that is not up feeds the caller")
            }
            Some(Selector::Mix(one, other)) if ![one, other].iter().any(|id| self.leg(*id).is_some_and(Leg::is_up)) => {
                broken("two legs that are not up feed the caller")
            }
            Some(Selector::Silence)
                if !matches!(self.phase, Phase::Releasing { .. })
                    && !self.is_referred_away()
                    && !self.is_leaving_message()
                    && !self.is_muted_by_page() =>
            {
                broken("silence feeds the caller")
            }
            _ => match &self.phase {
                Phase::WithBot if !self.bot_is_up() && !self.awaits_first_bot() => broken("no bot"),
                Phase::Joined { leg, .. } if !self.leg(*leg).is_some_and(Leg::is_up) => broken("no desk"),
                Phase::Recovering(_) if self.poll_phase_is_stuck() => broken("nothing will happen"),
                _ => Ok(()),
            },
        }
    }

    /// The caller was answered before there is a bot, to be told of the recording.
    fn awaits_first_bot(&self) -> bool {
        self.bot_deadline.is_some() || self.prompt.is_some_and(|(prompt, _)| prompt == Prompt::Recorded)
    }

    fn poll_phase_is_stuck(&self) -> bool {
        match self.phase {
            Phase::Recovering(Recovery::Bot { .. }) => self.bot_deadline.is_none(),
            Phase::Recovering(Recovery::Goodbye { .. }) => self.prompt.is_none(),
            Phase::Recovering(Recovery::Message { until }) => until.is_none() && self.prompt.is_none(),
            _ => true,
        }
    }
}
