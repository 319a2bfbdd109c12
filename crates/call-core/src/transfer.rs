//! From a decision to two people who hear each other: choose a desk, offer the pop, consult, prove that a human
//! answered, join. Every failure on the way goes to the next desk, and after the last one back to the bot.

use crate::beside::Attempt;
use crate::blind::BlindStep;
use crate::call::{Call, World};
use crate::join::{Proof, Told};
use crate::leg::{InPlaceOf, LegState, ReferralTarget};
use crate::pop::Pop;
use crate::release::ReleaseStep;
use crate::waiting::Line;
use call_model::{
    BotUpdate, Decision, DeskId, EndCause, HandoffId, HandoffOutcome, HandoffStage, Instant, LegId, Method, Party,
    PopUpdate, Role, TraceKind, TransferState,
};
use routing::{Choice, Wanted};

/// Where the transfer stands, with what matters there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// The bot has the caller, or is being dialled for a caller who is not answered yet.
    WithBot,
    /// No desk can be rung: the caller waits until then at most, and hears of their place meanwhile.
    Waiting { until: Instant, tell_at: Instant },
    /// The pop is offered; the phone does not ring yet.
    Offering { leg: LegId, until: Instant },
    /// The desk is dialled.
    /// `progress_by`: by then more than 100 should have come.
    Alerting { leg: LegId, give_up_at: Instant, progress_by: Option<Instant> },
    /// The trunk is asked to call the desk itself.
    Referring { leg: LegId, step: BlindStep },
    /// The desk answered and has yet to prove that it is human.
    Accepting { leg: LegId, give_up_at: Instant },
    /// Caller and human hear each other. `release_at`: when to look whether we may leave.
    Joined { leg: LegId, release_at: Option<Instant>, release: bool },
    /// Joined, and a REFER is out.
    Releasing { leg: LegId, by: Method, step: ReleaseStep },
    /// Caller and human talk without us.
    Released,
    /// The human, or the bot, has gone and the caller has not.
    Recovering(Recovery),
}

/// What is being done for a caller who has nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Recovery {
    /// The bot is dialled again and told why. Should it fail, a human is fetched where `or_human`; else, nobody being
    /// left, the call ends for this cause.
    Bot { or_else: EndCause, or_human: bool, told: Told },
    /// A human is about to be fetched.
    Human,
    /// Nobody is left; the caller is told, then hung up.
    Goodbye { cause: EndCause },
}

impl Phase {
    /// The desk has left a while ago without saying that it was replaced: the caller may be left.
    pub(crate) const fn awaits_proof(&self) -> bool {
        use crate::release::{Audio, ReleaseStep};
        let Self::Releasing { step: ReleaseStep::DeskLeft { replaced: false, audio, .. }, .. } = self else {
            return false;
        };
        !matches!(audio, Audio::Fresh)
    }

    pub(crate) const fn state(&self) -> TransferState {
        match self {
            Self::WithBot => TransferState::WithBot,
            Self::Waiting { .. } | Self::Offering { .. } | Self::Alerting { .. } | Self::Referring { .. } => {
                TransferState::Consulting
            }
            Self::Accepting { .. } => TransferState::Accepting,
            Self::Joined { .. } => TransferState::Joined,
            Self::Releasing { .. } => TransferState::Releasing,
            Self::Released => TransferState::Released,
            Self::Recovering(_) => TransferState::Recovering,
        }
    }

    /// Whether a desk is being fetched, or waited for.
    pub(crate) const fn is_consulting(&self) -> bool {
        matches!(
            self,
            Self::Waiting { .. }
                | Self::Offering { .. }
                | Self::Alerting { .. }
                | Self::Referring { .. }
                | Self::Accepting { .. }
        )
    }

    /// Whether no human has the caller.
    pub(crate) const fn before_join(&self) -> bool {
        !matches!(self, Self::Joined { .. } | Self::Releasing { .. } | Self::Released)
    }
}

/// Who is to have the caller, when somebody asked for one in particular.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Target {
    pub(crate) desk: Option<DeskId>,
    pub(crate) skill: Option<String>,
}

/// A desk that was rung for this caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tried {
    pub(crate) desk: DeskId,
    /// When it may be rung again, should the caller wait for so long; nothing: not in this handoff.
    pub(crate) again: Option<Instant>,
}

impl Tried {
    pub(crate) const fn new(desk: DeskId) -> Self {
        Self { desk, again: None }
    }
}

/// One handoff, from the decision to its one outcome.
#[derive(Debug)]
pub(crate) struct Handoff {
    pub(crate) id: HandoffId,
    pub(crate) decision: Decision,
    /// Who was asked for.
    pub(crate) target: Target,
    pub(crate) version: u32,
    pub(crate) tried: Vec<Tried>,
    /// The caller waits, or has waited.
    pub(crate) line: Option<Line>,
    /// The desk that has it now, and the `Call-ID` under which it rings.
    pub(crate) desk: Option<(DeskId, String)>,
    /// The desk that records were told of last.
    pub(crate) named: Option<DeskId>,
    pub(crate) pop: Option<Pop>,
    /// The human said yes on the page.
    pub(crate) accepted_on_page: bool,
    /// The human has said yes, and the join waits for the bot's announcement until then at most.
    pub(crate) join_by: Option<Instant>,
    /// The rich INVITE was refused by this desk.
    pub(crate) plain: bool,
    /// Desks that are being fetched at the same time.
    pub(crate) beside: Vec<Attempt>,
    /// How the latest attempt failed.
    pub(crate) last: Option<(HandoffOutcome, HandoffStage, Option<u16>)>,
    /// When the two were joined, while their conversation is watched.
    pub(crate) joined_at: Option<Instant>,
    /// Whether media has proved that they hear each other.
    pub(crate) proof: Proof,
    /// How caller and human are, or will be, together.
    pub(crate) method: Method,
    /// The same, as long as we stay in the path.
    pub(crate) in_path: Method,
    /// It takes the place of a conversation that a human had with the target.
    pub(crate) in_place_of: Option<InPlaceOf>,
    /// Its outcome was told.
    pub(crate) finished: bool,
}

/// Deciding and starting.
impl Call {
    /// The rules say that a human is needed.
    pub(crate) fn on_decision(&mut self, decision: Decision, world: &mut World<'_>) {
        self.trace(TraceKind::Decided(decision.clone()));
        if self.ending.is_none() {
            self.on_ready_decision(decision, world);
        }
    }

    /// Starts a handoff where that makes sense; keeps the decision for later where it will.
    pub(crate) fn on_ready_decision(&mut self, decision: Decision, world: &mut World<'_>) {
        if self.grow_urgent(&decision, world) {
            return;
        }
        match &self.phase {
            _ if self.is_direct() => {}
            Phase::WithBot if self.caller_is_up() && self.bot_is_up() => self.start_handoff(decision, world),
            Phase::Recovering(Recovery::Human) => self.start_handoff(decision, world),
            Phase::WithBot | Phase::Recovering(Recovery::Bot { .. }) => self.waiting = Some(decision),
            _ => self.note(Party::Gateway, format!("rule {} changes nothing: a handoff is under way", decision.rule)),
        }
    }

    pub(crate) fn start_handoff(&mut self, decision: Decision, world: &mut World<'_>) {
        self.start_handoff_to(Target::default(), Vec::new(), decision, world);
    }

    /// Starts a handoff to a target, or to anybody but those who have been tried.
    pub(crate) fn start_handoff_to(
        &mut self,
        target: Target,
        tried: Vec<DeskId>,
        decision: Decision,
        world: &mut World<'_>,
    ) -> HandoffId {
        let id = world.ids.handoff_id(world.wall.unix_ms(world.now));
        self.tell_bot(BotUpdate::HandoffStarted { trigger: decision.trigger.as_str(), wait: None });
        self.handoff = Some(Handoff {
            id,
            decision,
            target,
            version: 0,
            tried: tried.into_iter().chain(self.passed_on_by()).map(Tried::new).collect(),
            line: None,
            desk: None,
            named: None,
            pop: None,
            accepted_on_page: false,
            join_by: None,
            plain: false,
            beside: Vec::new(),
            last: None,
            joined_at: None,
            proof: Proof::NotYet,
            method: Method::Stay,
            in_path: Method::Stay,
            in_place_of: None,
            finished: false,
        });
        self.try_next_desk(world);
        id
    }

    /// Rings the next desk, or gives up.
    pub(crate) fn try_next_desk(&mut self, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_ref() else { return };
        let (id, first) = (handoff.id, handoff.last.is_none());
        let Some(wanted) = self.wanted() else { return };
        let choice = match self.choose_desk(&wanted, world) {
            Ok(choice) => choice,
            Err(_) if self.resume_another(false, world.now) => return,
            Err(why) if self.wait_in_line(&wanted, &why, world) => return,
            Err(why) => {
                if first {
                    self.note(Party::Gateway, format!("no desk: {why}"));
                }
                self.go_another_way(world);
                return self.on_handoff_failed(world);
            }
        };
        let Some(leg) = self.add_leg(Role::Desk, &choice.desk.0, LegState::Planned) else {
            world.seats.give_back(&choice.desk, id, world.now);
            return self.on_handoff_failed(world);
        };
        let sip_call_id = self.fresh_call_id(world);
        let desk = choice.desk;
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.tried.push(Tried::new(desk.clone()));
            handoff.desk = Some((desk.clone(), sip_call_id.clone()));
            handoff.accepted_on_page = false;
            handoff.join_by = None;
            handoff.plain = false;
            handoff.in_path = Method::Stay;
            handoff.pop = Some(Pop::new(desk.clone(), world.now));
        }
        self.trace_desk(choice.because);
        self.enter(Phase::Offering { leg, until: world.now + world.config.timers.pop_wait }, world.now);
        if let Some(package) = self.next_package() {
            self.pop(PopUpdate::Offered { desk, sip_call_id, package: Box::new(package) });
            self.trace_pop("offered");
        }
    }
    /// Says which desk has the handoff from now on.
    pub(crate) fn trace_desk(&mut self, because: String) {
        let Some(handoff) = self.handoff.as_mut() else { return };
        let (id, Some((desk, _))) = (handoff.id, handoff.desk.clone()) else { return };
        handoff.named = Some(desk.clone());
        self.trace(TraceKind::Routed { handoff: id, desk, because });
    }

    /// The desk that was asked for, or the best one, taken.
    fn choose_desk(&mut self, wanted: &Wanted, world: &mut World<'_>) -> Result<Choice, String> {
        let only = self.only_the_named();
        let Some(handoff) = self.handoff.as_mut() else { return Err("no handoff".to_owned()) };
        let (asked_for, in_place_of) = match self.preferred.take() {
            Some(ReferralTarget::Desk(desk)) => (Some(desk), None),
            Some(ReferralTarget::InPlaceOf(place)) => (Some(place.desk.clone()), Some(place)),
            Some(ReferralTarget::Anybody) | None => (None, None),
        };
        handoff.in_place_of = in_place_of;
        let asked_for = asked_for.and_then(|desk| world.seats.take_this(&DeskId(desk), wanted, handoff.id, world.now));
        match asked_for {
            Some(choice) => Ok(choice),
            None if only => {
                handoff.last.get_or_insert((HandoffOutcome::Busy, HandoffStage::Route, None));
                Err("the one asked for has a caller".to_owned())
            }
            None => world.seats.take(wanted, &handoff.excluded(), handoff.id, world.now),
        }
    }
}
