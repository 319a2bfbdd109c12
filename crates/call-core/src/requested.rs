//! A handoff that somebody asks for through the API, operations or the bot that has the caller; or by stopping us.

use crate::call::{Call, World};
use crate::transfer::{Phase, Target};
use call_model::{
    Because, Decision, FactKind, HandoffId, HandoffRefused, HandoffRequest, Layer, TraceKind, Trigger, Urgency,
};

impl Call {
    /// Begins the handoff that was asked for, or says why not.
    pub(crate) fn request_handoff(
        &mut self,
        request: &HandoffRequest,
        world: &mut World<'_>,
    ) -> Result<HandoffId, HandoffRefused> {
        if let Some(handoff) = &self.handoff {
            return Err(HandoffRefused::UnderWay(handoff.id));
        }
        if self.ending.is_some() {
            return Err(HandoffRefused::UnknownCall);
        }
        match self.phase {
            _ if self.is_direct() => return Err(HandoffRefused::NotNow("this number goes straight to a human")),
            Phase::WithBot if self.caller_is_up() && self.bot_is_up() => {}
            Phase::WithBot => return Err(HandoffRefused::NotNow("the caller has no bot yet")),
            _ => return Err(HandoffRefused::NotNow("the call is just getting its bot back, or a human")),
        }
        if let Some(summary) = &request.summary {
            self.observe(FactKind::Summary(summary.clone()), world);
        }
        let decision = decision(request, world);
        self.trace(TraceKind::Decided(decision.clone()));
        let target = Target { desk: request.desk.clone(), skill: request.skill.clone() };
        let id = self.start_handoff_to(target, Vec::new(), decision, world);
        self.settle();
        Ok(id)
    }

    /// The gateway is about to stop. A human can be left alone with the caller by a release, or says goodbye in time.
    pub(crate) fn leave_the_bot(&mut self, world: &mut World<'_>) {
        let talks = self.phase == Phase::WithBot && self.caller_is_up() && self.ending.is_none();
        if !talks || !world.seats.any(&Trigger::Operator.into(), world.now) {
            return;
        }
        self.on_decision(by_hand("drain", Trigger::Operator, "the gateway is about to stop".to_owned(), world), world);
        self.settle();
    }
}

fn decision(request: &HandoffRequest, world: &World<'_>) -> Decision {
    let (trigger, who) = if request.by_bot {
        (Trigger::Bot, "the bot asked for it")
    } else {
        (Trigger::Operator, "operations asked for it")
    };
    by_hand("request", trigger, request.because.clone().unwrap_or_else(|| who.to_owned()), world)
}

fn by_hand(rule: &str, trigger: Trigger, text: String, world: &World<'_>) -> Decision {
    Decision {
        at: world.now,
        rule: rule.to_owned(),
        trigger,
        layer: Layer::Hard,
        urgency: Urgency::Normal,
        because: vec![Because { at: world.now, text }],
    }
}
