//! What the HTTP API may ask of the gateway: every request is a message to the switchboard thread.

use crate::inbox::{Inbox, Input};
use crate::rules_keeper::RulesKeeper;
use call_core::{
    CapabilityView, ControlRefused, DeskRefused, PeerKind, PresenceView, RecordingRefused, RegistrationStatus,
    Switchboard, WaitingView,
};
use call_model::{
    CallId, Callback, CallbackId, DeskAction, DeskId, DeskState, Disposition, FactKind, HandoffId, HandoffRefused,
    HandoffRequest, Instant, Party, RecordingWish, Secret,
};
use http_api::{
    AbilityView, CallbackChange, Control, PeerView, PresenceShown, QueueView, Readiness, Refused, RegistrationShown,
    Reply, RulesRefusal, RulesView, TelephoneShown, WaitingShown,
};
use sip_proto::Binding;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// Whether new calls are refused, for readiness probes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draining(Arc<AtomicBool>);

impl Draining {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

pub(crate) struct GatewayControl {
    pub(crate) inbox: Inbox,
    pub(crate) draining: Draining,
    pub(crate) keeper: RulesKeeper,
}

impl GatewayControl {
    /// A full channel drops the sender of the answer, which the API reports as 503.
    fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Reply<T> {
        let (reply, answer) = oneshot::channel();
        self.inbox.try_send(input(reply));
        answer
    }
}

impl Control for GatewayControl {
    fn desk_action(&self, desk: &DeskId, action: DeskAction) -> Reply<Result<(), Refused>> {
        self.ask(|reply| Input::Desk { desk: desk.clone(), action, reply })
    }

    fn desk_offer(&self, desk: &DeskId, handoff: HandoffId, sdp: String) -> Reply<Result<String, Refused>> {
        self.ask(|reply| Input::Offer { desk: desk.clone(), handoff, sdp, reply })
    }

    fn desk_state(&self, desk: &DeskId, state: DeskState) -> Reply<Result<(), Refused>> {
        self.ask(|reply| Input::State { desk: desk.clone(), state, reply })
    }

    fn disposition(
        &self,
        desk: &DeskId,
        about: (CallId, HandoffId),
        disposition: Disposition,
    ) -> Reply<Result<(), Refused>> {
        self.ask(|reply| Input::Disposition { desk: desk.clone(), about, disposition, reply })
    }

    fn peers(&self) -> Reply<Vec<PeerView>> {
        self.ask(|reply| Input::Peers { reply })
    }

    fn queue(&self) -> Reply<QueueView> {
        self.ask(|reply| Input::Queue { reply })
    }

    fn desk_page(&self, desk: &DeskId, open: bool) {
        // Without room the desk's presence stays what it was until the page comes or goes again.
        self.inbox.try_send(Input::Page { desk: desk.clone(), open });
    }

    fn parse_control(&self, body: &[u8]) -> Result<Vec<FactKind>, String> {
        let text = std::str::from_utf8(body).map_err(|error| format!("body: not UTF-8 ({error})"))?;
        bot_proto::control::parse(text).map_err(|error| error.to_string())
    }

    fn control(&self, call: CallId, token: Secret, facts: Vec<FactKind>) -> Reply<Result<(), Refused>> {
        self.ask(|reply| Input::Control { call, token, facts, reply })
    }

    fn request_handoff(
        &self,
        call: CallId,
        token: Option<Secret>,
        request: HandoffRequest,
    ) -> Reply<Result<HandoffId, HandoffRefused>> {
        self.ask(|reply| Input::Handoff { call, token, request: Box::new(request), reply })
    }

    fn check_token(&self, call: CallId, token: Secret) -> Reply<Result<(), HandoffRefused>> {
        self.ask(|reply| Input::Token { call, token, reply })
    }

    fn rules(&self) -> RulesView {
        self.keeper.view()
    }

    fn reload_rules(&self) -> Reply<Result<RulesView, RulesRefusal>> {
        self.keeper.reload()
    }

    fn recording(&self, call: CallId, wish: RecordingWish) -> Reply<Result<(), Refused>> {
        self.ask(|reply| Input::Recording { call, wish, reply })
    }

    fn callbacks(&self) -> Reply<Vec<Callback>> {
        self.ask(|reply| Input::Callbacks { reply })
    }

    fn change_callback(&self, id: CallbackId, change: CallbackChange) -> Reply<Result<(), Refused>> {
        self.ask(|reply| Input::Callback { id, change, reply })
    }

    fn readiness(&self) -> Readiness {
        if self.draining.begun() { Readiness::NotReady("draining".to_owned()) } else { Readiness::Ready }
    }
}

pub(crate) fn refused_control(refused: ControlRefused) -> Refused {
    match refused {
        ControlRefused::UnknownCall => Refused::UnknownCall,
        ControlRefused::WrongToken => Refused::BadToken,
    }
}

pub(crate) fn refused_recording(refused: RecordingRefused) -> Refused {
    match refused {
        RecordingRefused::UnknownCall => Refused::UnknownCall,
        RecordingRefused::NotRecorded | RecordingRefused::NotNow => Refused::NotNow(refused.to_string()),
    }
}

pub(crate) fn refused_desk(refused: DeskRefused) -> Refused {
    match refused {
        DeskRefused::UnknownDesk => Refused::UnknownHandoff,
        DeskRefused::NotYours => Refused::OtherDesk,
        DeskRefused::NoSuchDesk => Refused::Invalid("There is no other desk of that name.".to_owned()),
        DeskRefused::NoHandBack | DeskRefused::NoBrowser | DeskRefused::NotAccepted => {
            Refused::NotNow(refused.to_string())
        }
        DeskRefused::Unusable(why) => Refused::Invalid(format!("The session description cannot be answered: {why}.")),
        DeskRefused::TooLate => Refused::NotNow("the caller is gone or with somebody else".to_owned()),
    }
}

/// What is known of trunks and desks, for the API.
pub(crate) fn peers(board: &Switchboard, now: Instant) -> Vec<PeerView> {
    let view = |peer: CapabilityView| {
        let trunk = peer.peer == PeerKind::Trunk;
        let about = if trunk { Party::Trunk } else { Party::Desk };
        let targets = board.targets(about, &peer.name).into_iter();
        let desk = board.config().desk(&peer.name).filter(|_| !trunk);
        PeerView {
            trunk,
            up: board.is_up(about, &peer.name, now),
            targets: targets.map(|one| (format!("{}/{}", one.target.address, one.target.transport), one.up)).collect(),
            busy: board.callers_at(&peer.name),
            state: board.desk_state(&peer.name, now),
            skills: desk.map(|desk| desk.skills.clone()).unwrap_or_default(),
            languages: desk.map(|desk| desk.languages.clone()).unwrap_or_default(),
            seniority: desk.map_or(0, |desk| desk.seniority),
            presence: desk.and_then(|desk| board.presence(&desk.name, now)).map(presence),
            refer: ability(peer.refer),
            replaces: ability(peer.replaces),
            blind: trunk.then(|| ability(peer.blind)),
            registration: board.registration(&peer.name).filter(|_| trunk).map(|status| registration(status, now)),
            telephones: board.telephones(&peer.name).filter(|_| !trunk).map(|all| all.iter().map(telephone).collect()),
            resting_until: peer.resting_until,
            handoffs: peer.handoffs,
            early_drops: peer.early_drops,
            name: peer.name,
        }
    };
    board.capabilities(now).into_iter().map(view).collect()
}

fn registration(status: RegistrationStatus, now: Instant) -> RegistrationShown {
    let RegistrationStatus { registrar, aor, view } = status;
    let until = view.until.filter(|until| *until > now);
    let since = until.and(view.since);
    RegistrationShown { registrar, aor, since, until, because: view.trouble, again: view.next }
}

/// Who waits for a desk, for the API.
pub(crate) fn queue(board: &Switchboard, now: Instant) -> QueueView {
    let view = |one: WaitingView| WaitingShown {
        handoff: one.handoff,
        call: one.call,
        trigger: one.wanted.trigger,
        urgency: one.wanted.urgency,
        desk: one.wanted.desk,
        skill: one.wanted.skill,
        language: one.wanted.language,
        since: one.since,
        until: one.until,
        expected: one.expected,
        tried: one.tried,
    };
    QueueView { service: board.service_time(), waiting: board.waiting(now).into_iter().map(view).collect() }
}

const fn presence(view: PresenceView) -> PresenceShown {
    let PresenceView { what, source, since } = view;
    PresenceShown { what, source, since }
}

fn telephone(binding: &Binding) -> TelephoneShown {
    TelephoneShown {
        at: format!("{} {}", binding.flow.transport, binding.flow.remote),
        agent: binding.user_agent.clone(),
        since: binding.since,
        until: binding.until,
    }
}

fn ability(view: call_core::AbilityView) -> AbilityView {
    AbilityView {
        evidence: view.evidence.as_str(),
        setting: view.manual.as_str(),
        usable: view.usable,
        because: view.because,
        since: view.since,
        until: view.until,
    }
}
