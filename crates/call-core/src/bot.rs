//! The bot's side of a call: dialled, up, gone, and fetched again when a human has gone.
//!
//! A bot on a stream is told how a handoff fares; a SIP bot is not (there is no common way to say it in SIP), it only
//! hears its leg end.

use crate::call::{Call, PROMPT_LIMIT, World, reason};
use crate::config::{BotReach, OnBotClose, OnBotRefusal};
use crate::leg::{Dial, LegCommand, LegEvent, LegState};
use crate::transfer::{Phase, Recovery};
use call_model::{
    Because, BotCommand, BotEvent, Decision, EndCause, EndReason, FactKind, Layer, LegId, MediaCommand, Party, Prompt,
    Role, Trigger, Urgency,
};

impl Call {
    /// Something happened to a bot that is reached by WebSocket.
    pub(crate) fn handle_bot(&mut self, id: LegId, event: BotEvent, world: &mut World<'_>) {
        let Some(leg) = self.leg(id).filter(|leg| leg.role == Role::Bot && leg.stream) else { return };
        let ending = leg.state == LegState::Ending;
        match event {
            BotEvent::Fact(kind) => {
                self.bot_lives();
                return self.observe(kind, world);
            }
            BotEvent::Up if !ending => {
                if let Some(leg) = self.leg_mut(id) {
                    leg.state = LegState::Up;
                }
                self.note(Party::Bot, "its stream is up".to_owned());
                self.on_bot(id, LegEvent::Answered { media: None }, world);
            }
            BotEvent::Up => {}
            BotEvent::Finished | BotEvent::Down { .. } if ending => {}
            BotEvent::Finished => {
                self.remove_leg(id, EndCause::new(Party::Bot, EndReason::Finished));
                self.bot_gone(id, true, "the bot closed the stream", world);
            }
            BotEvent::Down { why } => {
                self.remove_leg(id, EndCause::new(Party::Bot, EndReason::Unreachable));
                self.bot_gone(id, false, &why, world);
            }
        }
        self.settle();
    }

    /// Dials the bot of the route.
    pub(crate) fn dial_bot(&mut self, world: &mut World<'_>) {
        let Some(bot) = self.bot_config(world) else {
            return self.bot_refused(404, world);
        };
        let Some(leg) = self.add_leg(Role::Bot, &bot.name, LegState::Dialling) else {
            return self.bot_refused(503, world);
        };
        self.bot = Some(leg);
        self.bot_deadline = Some(world.now + world.config.timers.bot_timeout);
        match &bot.reach {
            BotReach::Sip { .. } => {
                let codecs = self.codecs_for(&bot.codecs);
                let dial = Dial {
                    role: Role::Bot,
                    name: bot.name.clone(),
                    codecs,
                    consult: None,
                    resumed: self.resumed.clone(),
                };
                self.command(leg, LegCommand::Dial(Box::new(dial)));
            }
            BotReach::Stream { url } => self.dial_stream(leg, url.clone()),
        }
    }

    fn dial_stream(&mut self, id: LegId, url: String) {
        if let Some(leg) = self.leg_mut(id) {
            leg.stream = true;
        }
        self.ring_caller();
        self.send_media(MediaCommand::OpenStream { leg: id });
        let about = &self.about;
        let command = BotCommand::Dial {
            url,
            from: about.from.clone(),
            to: about.to.clone(),
            session_id: about.session_id.clone(),
            call: about.id,
            control_token: about.control_token.clone(),
            resumed: self.resumed.clone(),
        };
        self.send_bot(id, command);
    }

    /// Something happened to a bot leg, apart from the media that was taken already.
    pub(crate) fn on_bot(&mut self, id: LegId, event: LegEvent, world: &mut World<'_>) {
        match event {
            LegEvent::Ringing if Some(id) == self.bot => self.ring_caller(),
            LegEvent::Answered { .. } if Some(id) == self.bot => self.on_bot_up(id, world),
            LegEvent::Refused { status } if Some(id) == self.bot && self.bot_deadline.is_some() => {
                self.bot_refused(status, world);
            }
            LegEvent::Refused { .. } => self.bot_gone(id, false, "its leg failed", world),
            LegEvent::Ended { by_remote: true, .. } => self.bot_gone(id, true, "the bot hung up", world),
            LegEvent::Ended { status, .. } => {
                let why =
                    status.map_or_else(|| "its leg broke".to_owned(), |status| format!("its leg broke ({status})"));
                self.bot_gone(id, false, &why, world);
            }
            _ => {}
        }
    }

    /// A caller who waits for the bot hears ringing, not nothing.
    pub(crate) fn ring_caller(&mut self) {
        if self.leg(self.caller_id()).is_some_and(|caller| caller.state == LegState::Arriving) {
            self.command(self.caller_id(), LegCommand::Ring);
        }
    }

    fn on_bot_up(&mut self, id: LegId, world: &mut World<'_>) {
        self.bot_deadline = None;
        self.bot_left = false;
        if self.hand_back.is_some() {
            return self.finish_hand_back(world);
        }
        if !self.caller_is_up() {
            let codec = self.leg(id).and_then(|leg| leg.codec);
            return self.answer_caller(codec);
        }
        if let Phase::Recovering(Recovery::Bot { told, .. }) = self.phase {
            self.back_to_bot(told, world);
        }
        if let Some(decision) = self.waiting.take() {
            self.on_ready_decision(decision, world);
        }
    }

    pub(crate) fn on_bot_timeout(&mut self, world: &mut World<'_>) {
        self.bot_deadline = None;
        if let Some(bot) = self.bot {
            self.hang_up(bot, &reason(408, "No answer"), EndCause::new(Party::Bot, EndReason::TimedOut));
        }
        self.bot_refused(408, world);
    }

    /// The bot cannot be had.
    fn bot_refused(&mut self, status: u16, world: &mut World<'_>) {
        self.bot = None;
        self.bot_deadline = None;
        let why = match status {
            408 => "the bot did not answer".to_owned(),
            status => format!("the bot refused the call ({status})"),
        };
        if let Phase::Joined { .. } = self.phase
            && self.hand_back.is_some()
        {
            return self.on_hand_back_failed(why, world);
        }
        if let Phase::Recovering(Recovery::Bot { or_else, or_human, .. }) = self.phase {
            self.hand_back = None;
            if or_human && !mutated!(world.config, NobodyAfterBot) {
                return self.lose_bot(why, world);
            }
            self.note(Party::Bot, why);
            return self.say_goodbye(or_else, world);
        }
        if self.caller_is_up() {
            return self.lose_bot(why, world);
        }
        // Without a desk there is nothing to answer the caller for: the trunk may know another way.
        let desk = world.seats.any(&Trigger::BotDown.into(), world.now);
        match self.on_refusal(world) {
            OnBotRefusal::Handoff if desk => self.lose_bot(why, world),
            OnBotRefusal::Refuse | OnBotRefusal::Handoff => {
                let cause = if status == 408 { EndReason::TimedOut } else { EndReason::Refused };
                self.end(EndCause::sip(Party::Bot, cause, status), world);
            }
        }
    }

    /// A bot leg is gone. `finished`: in good order.
    pub(crate) fn bot_gone(&mut self, id: LegId, finished: bool, why: &str, world: &mut World<'_>) {
        if self.bot != Some(id) || self.ending.is_some() {
            return;
        }
        if self.bot_deadline.is_some() {
            return self.bot_refused(503, world);
        }
        self.bot = None;
        match self.phase {
            _ if finished && self.phase.is_consulting() && self.bot_has_referred() => {
                // It has passed the caller on and need not wait for the outcome (RFC 5589 §6).
                self.bot_left = true;
                self.note(Party::Bot, "has gone, the caller being passed on".to_owned());
            }
            Phase::WithBot if !self.caller_is_up() => self.bot_refused(503, world),
            Phase::WithBot if finished && self.on_close(world) == OnBotClose::HangUp => {
                self.end(EndCause::new(Party::Bot, EndReason::Finished), world);
            }
            Phase::WithBot => self.lose_bot(why.to_owned(), world),
            _ if self.phase.is_consulting() => {
                // Should no desk take the caller, it is asked once more.
                self.bot_left = true;
                self.prompt = Some((Prompt::BotLost, world.now + PROMPT_LIMIT));
                self.settle();
                self.observe(FactKind::BotDown { why: why.to_owned() }, world);
                self.on_announced(world);
            }
            Phase::Joined { .. } => {
                self.end_introduction("the bot has gone", world);
                self.trio = None;
                self.on_media_proof(world);
            }
            _ => {}
        }
    }

    /// The caller has nobody: say so at once, and get a human.
    fn lose_bot(&mut self, why: String, world: &mut World<'_>) {
        // Should no desk take the caller, it is called once more: often it was the connection, not the bot. A bot that
        // dies on every call would keep the caller for ever.
        self.bot_left = self.caller_is_up() && !core::mem::replace(&mut self.bot_lost_before, true);
        self.prompt = Some((Prompt::BotLost, world.now + PROMPT_LIMIT));
        self.enter(Phase::Recovering(Recovery::Human), world.now);
        if !self.caller_is_up() {
            self.answer_caller(None);
        }
        self.settle();
        self.observe(FactKind::BotDown { why: why.clone() }, world);
        if self.phase == Phase::Recovering(Recovery::Human) && self.ending.is_none() {
            self.on_decision(bot_down(why, world), world);
        }
    }

    /// The prompt to the caller is over.
    pub(crate) fn after_prompt(&mut self, world: &mut World<'_>) {
        let over = self.prompt.take();
        if over.is_some_and(|(prompt, _)| prompt == Prompt::Recorded) {
            self.after_notice(world);
        }
        if over.is_some_and(|(prompt, _)| prompt == Prompt::LeaveMessage) {
            self.after_message_prompt(world);
        }
        if let Phase::Recovering(Recovery::Goodbye { cause }) = self.phase {
            self.end(cause, world);
        }
    }

    /// The bot is not needed any more.
    pub(crate) fn drop_bot(&mut self, cause: EndCause, why: &str) {
        if let Some(bot) = self.bot.take() {
            self.bot_deadline = None;
            self.hang_up(bot, &reason(200, why), cause);
        }
    }
}

/// The decision that no rules file can take away: a caller without a bot gets a human.
fn bot_down(why: String, world: &World<'_>) -> Decision {
    Decision {
        at: world.now,
        rule: "bot_down".to_owned(),
        trigger: Trigger::BotDown,
        layer: Layer::Hard,
        urgency: Urgency::High,
        because: vec![Because { at: world.now, text: why }],
    }
}
