//! What being registered somewhere means (RFC 3261 §10.2), and what a registrar keeps of telephones (§10.3).

use crate::config::{Account, Credentials, Network};
use crate::digest::Challenges;
use crate::flow::Flow;
use call_model::{IdSource, Instant, Secret};
use core::time::Duration;
use sip_wire::{DigestAlgorithm, Host, Message, Uri};

/// Who registers, where, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisterRequest {
    /// How the registrar is reached; our side of it is where calls are to come to.
    pub flow: Flow,
    /// The Request-URI: the registrar's domain.
    pub registrar: Uri,
    /// The address that is registered: `From` and `To`.
    pub aor: Uri,
    /// The user part of the `Contact`, by which the registrar's calls can be told from others.
    pub contact_user: String,
    /// How long it shall last, in seconds, before it is refreshed.
    pub expires: u32,
    /// Who we are, when asked.
    pub credentials: Option<Credentials>,
}

/// A place where we are registered, or try to be. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegistrationId(pub u64);

/// How it stands with one registration of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrationView {
    /// The registrar's last yes holds until then.
    pub until: Option<Instant>,
    /// Since when there has been a yes without a gap.
    pub since: Option<Instant>,
    /// What went wrong last, in a sentence; nothing once it went well.
    pub trouble: Option<String>,
    /// When it is tried again.
    pub next: Option<Instant>,
}

/// What became of registrations: of ours elsewhere, and of telephones here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistrationEvent {
    /// The registrar has said yes, for so long; `first`: after a no, or nothing.
    Registered {
        /// Which.
        id: RegistrationId,
        /// For how long.
        lasts: Duration,
        /// It is no mere refresh.
        first: bool,
    },
    /// It has not, and is asked again after a while.
    NotRegistered {
        /// Which.
        id: RegistrationId,
        /// Why, in a sentence.
        why: String,
        /// How long until the next attempt.
        again: Duration,
    },
    /// We have taken leave, or the registrar has not answered that.
    Left {
        /// Which.
        id: RegistrationId,
    },
    /// A telephone can be reached, for so long; `first`: under an address not known before.
    Bound {
        /// Its user.
        user: String,
        /// Where.
        binding: Binding,
        /// It is no mere refresh.
        first: bool,
    },
    /// It no longer can, there.
    Unbound {
        /// Its user.
        user: String,
        /// Where it was.
        binding: Binding,
        /// Why, in words.
        why: &'static str,
    },
}

/// Who may register here, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registrar {
    /// The realm that telephones prove themselves in.
    pub realm: String,
    /// The hashes that they may prove themselves by, the stronger first. Many telephones give up on hearing of any but MD5.
    pub hashes: Vec<DigestAlgorithm>,
    /// The telephones' users.
    pub seats: Vec<Seat>,
    /// The shortest and the longest time that a registration lasts, in seconds.
    pub expires: (u32, u32),
}

impl Default for Registrar {
    fn default() -> Self {
        let hashes = vec![DigestAlgorithm::Md5];
        Self { realm: "warmline".to_owned(), hashes, seats: Vec::new(), expires: (60, 3600) }
    }
}

/// A user that telephones register as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seat {
    /// The user part of the address, and the user of the digest.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// Where its telephones may be.
    pub from: Vec<Network>,
}

/// Where a telephone can be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The Request-URI: its `Contact`, byte for byte.
    pub contact: Uri,
    /// How it is called: over the connection it came by, or at the address it came from. What its `Contact` says counts
    /// for no more than the port at that address, or a password would be enough to have us call anybody.
    pub flow: Flow,
    /// What it says it is.
    pub user_agent: String,
    /// Since when it has been registered without a gap.
    pub since: Instant,
    /// Until when, if it is not refreshed.
    pub until: Instant,
    /// `Call-ID` and CSeq number of the REGISTER.
    pub(crate) order: (String, u32),
}

impl Binding {
    /// How a telephone with this `Contact` is called that registered over `flow`.
    pub(crate) fn reach(contact: &Uri, flow: Flow) -> Flow {
        let at_home = contact.host().and_then(Host::ip).map(|ip| ip.to_canonical());
        if flow.transport.is_reliable() || at_home != Some(flow.remote.ip().to_canonical()) {
            return flow;
        }
        let mut flow = flow;
        flow.remote.set_port(contact.port().filter(|port| *port != 0).unwrap_or(flow.transport.default_port()));
        flow
    }
}

/// One registration of ours.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Registration {
    pub(crate) asked: RegisterRequest,
    /// Ours and nobody else's: two trunks may share a registrar and a realm.
    pub(crate) account: Vec<Account>,
    pub(crate) challenges: Challenges,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    pub(crate) cseq: u32,
    /// What is asked for; a registrar may have wanted more (423).
    pub(crate) expires: u32,
    pub(crate) raised: u8,
    /// A REGISTER waits for its answer.
    pub(crate) pending: bool,
    pub(crate) leaving: Leaving,
    pub(crate) failures: u32,
    pub(crate) view: RegistrationView,
}

/// Whether a registration is being taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leaving {
    No,
    /// As soon as the answer to an earlier REGISTER has come.
    Wanted,
    /// The registrar has been told.
    Said,
}

/// Longest time that is asked for because a registrar wants it, or believed when it says so: a week.
const LONGEST: u32 = 7 * 86_400;
/// A registrar that wants ever longer times is not humoured more often.
const MAX_RAISED: u8 = 3;
/// RFC 5626 §4.5: the waits after failures begin with this and end with that.
const BASE: Duration = Duration::from_secs(30);
const MOST: Duration = Duration::from_secs(1800);

impl Registration {
    pub(crate) fn new(asked: RegisterRequest, ids: &mut IdSource, first: Instant) -> Self {
        let here = (asked.flow.remote.ip(), 128);
        let account =
            asked.credentials.iter().map(|credentials| Account { peer: vec![here], credentials: credentials.clone() });
        Self {
            account: account.collect(),
            challenges: Challenges::default(),
            call_id: format!("{}@{}", ids.hex(20), asked.flow.local.ip()),
            tag: ids.hex(12),
            cseq: 0,
            expires: asked.expires,
            raised: 0,
            pending: false,
            leaving: Leaving::No,
            failures: 0,
            view: RegistrationView { until: None, since: None, trouble: None, next: Some(first) },
            asked,
        }
    }

    pub(crate) fn next_cseq(&mut self) -> u32 {
        self.cseq += 1;
        self.cseq
    }

    /// Takes a yes for as long as it says.
    pub(crate) fn granted(&mut self, response: &Message, contact: &Uri) -> u32 {
        let listed = response.contacts().unwrap_or_default();
        let time =
            |address: &sip_wire::NameAddr| address.params.get("expires").and_then(|text| text.trim().parse().ok());
        let ours = listed.iter().find(|address| address.uri.equivalent(contact)).and_then(time);
        let header = response.expires().ok().flatten();
        // A registrar behind whose back an address was rewritten lists something else.
        let least = || listed.iter().filter_map(time).min();
        ours.or(header).or_else(least).unwrap_or(self.expires).min(LONGEST)
    }

    /// Takes a 423; false: it is no reason to ask again.
    pub(crate) fn raise(&mut self, response: &Message) -> bool {
        let least = response.headers.get("Min-Expires").and_then(|text| text.trim().parse().ok());
        match least.filter(|least| (self.expires + 1..=LONGEST).contains(least) && self.raised < MAX_RAISED) {
            Some(least) => {
                self.expires = least;
                self.raised += 1;
                true
            }
            None => false,
        }
    }

    /// How long to wait after one failure more (RFC 5626 §4.5).
    pub(crate) fn back_off(&mut self, retry_after: Option<u32>, ids: &mut IdSource) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let most = BASE.saturating_mul(1 << self.failures.min(10)).min(MOST);
        let wait = most / 2 + Duration::from_millis(ids.below(most.as_millis() as u64 / 2));
        wait.max(Duration::from_secs(retry_after.unwrap_or(0).min(3600).into()))
    }

    /// Why there is no registration, for whoever has to do something about it.
    pub(crate) fn trouble(&self, code: u16, response: Option<&Message>) -> String {
        let aor = &self.asked.aor;
        let Some(response) = response else {
            let what = if code == 408 { "does not answer" } else { "cannot be reached" };
            return format!("{} {what}", self.asked.flow.remote);
        };
        let reason: String = response.reason().unwrap_or_default().chars().take(60).collect();
        let status = format!("{code} {reason}");
        match code {
            200..300 => "says yes and grants no time".to_owned(),
            300..=399 => {
                let to = response.contact().ok().flatten().map_or("nowhere".to_owned(), |to| to.uri.to_string());
                format!("{status} to {to}: not followed; if it is right, set registrar to it")
            }
            401 | 407 => format!("{status}: {}", self.challenge_trouble(code, response)),
            403 => format!("{status}: {aor} is barred, or may not register from {}", self.asked.flow.local.ip()),
            404 => format!("{status}: it does not know {aor}"),
            423 => format!("{status}: it wants registrations to last longer than it should"),
            _ => status,
        }
    }

    fn challenge_trouble(&self, code: u16, response: &Message) -> String {
        let name = if code == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let challenge = response.headers.get_all(name).find_map(|value| sip_wire::DigestChallenge::parse(value).ok());
        match (&self.asked.credentials, challenge) {
            (_, None) => "it asks for something else than a digest by MD5 or SHA-256".to_owned(),
            (None, Some(asked)) => format!("set username, password and realm = {:?}", asked.realm),
            (Some(ours), Some(asked)) if ours.realm != asked.realm => {
                format!("it asks for the realm {:?}, and realm is {:?} here", asked.realm, ours.realm)
            }
            (Some(ours), Some(_)) => format!("the password of {} is not the one it knows", ours.username),
        }
    }
}
