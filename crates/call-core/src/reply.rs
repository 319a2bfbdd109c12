//! Whose turn it is. A bot that is silent while it listens is a good bot; one that owes the caller an answer and gives
//! none for too long is a dead one whose connection has not noticed.

use crate::call::{Call, World, reason};
use call_model::{Direction, EndCause, EndReason, Instant, LegId, Party};
use core::time::Duration;

/// What is shorter is a cough, not a turn.
const TURN: Duration = Duration::from_millis(600);

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Turn {
    /// Since when the caller speaks.
    caller_since: Option<Instant>,
    /// By then the bot should have said something.
    pub(crate) reply_by: Option<Instant>,
}

impl Call {
    /// Somebody began to speak, or stopped.
    pub(crate) fn on_turn(&mut self, id: LegId, speaks: bool, world: &World<'_>) {
        if Some(id) == self.bot {
            self.turn.reply_by = None;
        } else if id == self.caller_id() && speaks {
            self.turn = Turn { caller_since: Some(world.now), reply_by: None };
        } else if id == self.caller_id() {
            let since = self.turn.caller_since.take();
            let heard_out = since.is_some_and(|since| world.now.since(since) >= TURN) && self.bot_hears_caller();
            let bot_speaks = self.bot.and_then(|bot| self.leg(bot)).is_some_and(|bot| bot.speaking);
            let timeout = world.config.timers.reply_timeout.filter(|_| heard_out && !bot_speaks);
            self.turn.reply_by = timeout.map(|timeout| world.now + timeout);
        }
    }

    /// The bot did something that only a living bot does.
    pub(crate) const fn bot_lives(&mut self) {
        self.turn.reply_by = None;
    }

    /// The bot has said nothing.
    pub(crate) fn on_no_reply(&mut self, world: &mut World<'_>) {
        self.turn.reply_by = None;
        // A caller on hold has not asked for anything.
        let listens = self.leg(self.caller_id()).is_some_and(|caller| caller.direction == Direction::SendRecv);
        let Some(bot) = self.bot.filter(|_| listens && self.bot_hears_caller() && self.bot_is_up()) else { return };
        let within = world.config.timers.reply_timeout.unwrap_or_default().as_secs();
        let cause = EndCause::new(Party::Bot, EndReason::TimedOut);
        self.hang_up(bot, &reason(408, "No reply"), cause);
        self.bot_gone(bot, false, &format!("the bot has not answered the caller for {within} s"), world);
    }
}
