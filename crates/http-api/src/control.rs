//! What the gateway implements so that the API can act on calls.

use call_model::{
    CallId, Callback, CallbackId, CallbackWish, DeskAction, DeskId, DeskState, Disposition, FactKind, HandoffId,
    HandoffRefused, HandoffRequest, Instant, Layer, RecordingWish, Secret, Trigger, Urgency,
};
use std::time::Duration;

/// An answer that comes from the switchboard loop. Dropping the sender means "shutting down".
pub type Reply<T> = tokio::sync::oneshot::Receiver<T>;

/// The gateway, seen from the API. No method may block: those that need the switchboard send it a message and return
/// the receiving end of the answer; the API waits for it with a deadline.
pub trait Control: Send + Sync + 'static {
    /// A human did something on the page of `desk`. The API has checked the desk's token.
    fn desk_action(&self, desk: &DeskId, action: DeskAction) -> Reply<Result<(), Refused>>;

    /// The page of `desk` brings the audio of a caller that it has accepted, or brings it again: its session description,
    /// and ours in return.
    fn desk_offer(&self, desk: &DeskId, handoff: HandoffId, sdp: String) -> Reply<Result<String, Refused>>;

    /// A human says whether they take callers. The desk's stream tells when it holds.
    fn desk_state(&self, desk: &DeskId, state: DeskState) -> Reply<Result<(), Refused>>;

    /// A human says what became of a conversation, which may be over.
    fn disposition(
        &self,
        desk: &DeskId,
        about: (CallId, HandoffId),
        disposition: Disposition,
    ) -> Reply<Result<(), Refused>>;

    /// What is known of trunks and desks.
    fn peers(&self) -> Reply<Vec<PeerView>>;

    /// Who waits for a desk.
    fn queue(&self) -> Reply<QueueView>;

    /// The first page of the desk was opened, or its last one is closed. Not waited for.
    fn desk_page(&self, desk: &DeskId, open: bool);

    /// Turns the body of `POST /v1/calls/{call}/control` into facts: `bot_proto::control::parse`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the body.
    fn parse_control(&self, body: &[u8]) -> Result<Vec<FactKind>, String>;

    /// Facts reported by the bot of `call`; `token` is what it presented and has *not* been checked.
    fn control(&self, call: CallId, token: Secret, facts: Vec<FactKind>) -> Reply<Result<(), Refused>>;

    /// Somebody asks for a handoff. `token`: what a bot presented, *not* checked; operations were checked by the API.
    fn request_handoff(
        &self,
        call: CallId,
        token: Option<Secret>,
        request: HandoffRequest,
    ) -> Reply<Result<HandoffId, HandoffRefused>>;

    /// Whether the token is that of the call.
    fn check_token(&self, call: CallId, token: Secret) -> Reply<Result<(), HandoffRefused>>;

    /// The rules in force.
    fn rules(&self) -> RulesView;

    /// Reads the rules file again; calls that begin from then on are judged by it.
    fn reload_rules(&self) -> Reply<Result<RulesView, RulesRefusal>>;

    /// Operations want something of the recording of a call.
    fn recording(&self, call: CallId, wish: RecordingWish) -> Reply<Result<(), Refused>>;

    /// Callbacks that are open, or were within the last day.
    fn callbacks(&self) -> Reply<Vec<Callback>>;

    /// Operations want another time for a callback, or none. Answered once that is written down.
    fn change_callback(&self, callback: CallbackId, change: CallbackChange) -> Reply<Result<(), Refused>>;

    /// Whether new calls are welcome.
    fn readiness(&self) -> Readiness;
}

/// What operations want of a callback.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallbackChange {
    /// It is not made.
    Cancel,
    /// It is made at another time.
    Reschedule(CallbackWish),
}

/// A trunk or a desk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerView {
    /// A trunk; otherwise a desk.
    pub trunk: bool,
    /// Its name in the configuration.
    pub name: String,
    /// Whether it answers, OPTIONS and calls; nothing when it is not asked. False while a desk is tried last.
    pub up: Option<bool>,
    /// Desks: where it is called (`192.0.2.7:5060/udp`), and whether it answers OPTIONS there.
    pub targets: Vec<(String, Option<bool>)>,
    /// Desks: callers that it has or is fetched for.
    pub busy: usize,
    /// Desks: what its human said of themselves.
    pub state: DeskState,
    /// Desks: what it is good at.
    pub skills: Vec<String>,
    /// Desks: what is spoken there.
    pub languages: Vec<String>,
    /// Desks: how experienced its human is.
    pub seniority: u8,
    /// Desks: whether the human is there.
    pub presence: Option<PresenceShown>,
    /// Whether it follows REFER.
    pub refer: AbilityView,
    /// Whether it takes an INVITE with Replaces.
    pub replaces: AbilityView,
    /// Trunks: whether it follows REFER without Replaces.
    pub blind: Option<AbilityView>,
    /// Trunks that we register at: how it stands.
    pub registration: Option<RegistrationShown>,
    /// Desks whose telephones register here: those that have.
    pub telephones: Option<Vec<TelephoneShown>>,
    /// It asked to be left alone until then.
    pub resting_until: Option<Instant>,
    /// Desks: handoffs joined.
    pub handoffs: u64,
    /// Desks: how many of these conversations ended soon.
    pub early_drops: u64,
}

/// Whether a desk's human is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PresenceShown {
    /// `available`, `busy`, `away`, `after_call`, `unregistered`, `unknown`.
    pub what: &'static str,
    /// Who says so: `human`, `page`, `telephone`.
    pub source: Option<&'static str>,
    /// Since when.
    pub since: Option<Instant>,
}

/// Who waits for a desk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueView {
    /// How long a desk is taken by a conversation, on average; nothing before there were enough to say so.
    pub service: Option<Duration>,
    /// Everybody, the next first.
    pub waiting: Vec<WaitingShown>,
}

/// A caller who waits for a desk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingShown {
    /// The handoff.
    pub handoff: HandoffId,
    /// The call.
    pub call: CallId,
    /// Why a human is needed.
    pub trigger: Trigger,
    /// How quickly.
    pub urgency: Urgency,
    /// The desk that is asked for by name.
    pub desk: Option<DeskId>,
    /// The skill that is asked for.
    pub skill: Option<String>,
    /// What the caller speaks.
    pub language: Option<String>,
    /// Since when a human is sought.
    pub since: Instant,
    /// When the wait ends, whatever comes.
    pub until: Option<Instant>,
    /// How long it may still take, when known.
    pub expected: Option<Duration>,
    /// Desks that were rung.
    pub tried: usize,
}

/// The rules that calls beginning now are judged by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RulesView {
    /// The file they were read from; none: they are built in.
    pub file: Option<String>,
    /// A short name of this very text.
    pub version: String,
    /// Name, kind and layer of each, in the file's order.
    pub rules: Vec<(String, Trigger, Layer)>,
    /// What is wrong with the file as it was when it was last read, if it was refused.
    pub refused: Vec<String>,
}

/// Why the rules stay what they were.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RulesRefusal {
    /// No file is named in the configuration.
    BuiltIn,
    /// Everything that is wrong with the file.
    Wrong(Vec<String>),
    /// The gateway is stopping.
    Ending,
}

/// How it stands with our registration at a trunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrationShown {
    /// The registrar.
    pub registrar: String,
    /// What is registered.
    pub aor: String,
    /// Since when without a gap; nothing when it is not registered.
    pub since: Option<Instant>,
    /// How long the registrar's last yes holds.
    pub until: Option<Instant>,
    /// What went wrong last.
    pub because: Option<String>,
    /// When it is asked again.
    pub again: Option<Instant>,
}

/// A desk's telephone that has registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TelephoneShown {
    /// Where it is called: `udp 192.0.2.9:5060`.
    pub at: String,
    /// What it says it is.
    pub agent: String,
    /// Since when.
    pub since: Instant,
    /// Until when, unless it registers again.
    pub until: Instant,
}

/// One ability of a trunk or desk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbilityView {
    /// `unknown`, `advertised`, `proven`, `refused`, `broken`.
    pub evidence: &'static str,
    /// What the configuration says: `learn`, `yes`, `no`.
    pub setting: &'static str,
    /// Whether it is counted upon now.
    pub usable: bool,
    /// How we know, in words.
    pub because: String,
    /// Since when.
    pub since: Option<Instant>,
    /// Until when, for what is forgotten.
    pub until: Option<Instant>,
}

/// Why the switchboard did not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// No such call (any more). 404.
    UnknownCall,
    /// No such handoff (any more). 404.
    UnknownHandoff,
    /// No such callback (any more). 404.
    UnknownCallback,
    /// The handoff is on another desk. 404, so that ids cannot be probed.
    OtherDesk,
    /// The token is not this call's. 401.
    BadToken,
    /// Too late or too early, in words: `the caller hung up`. 409.
    NotNow(String),
    /// The content is not acceptable, in words. 422.
    Invalid(String),
}

/// Whether new calls are welcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// No, and why, in words: `draining`, `no trunk answers OPTIONS`.
    NotReady(String),
}
