//! What an endpoint is told once.

use crate::registration::Registrar;
use call_model::Secret;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// A network: address and prefix length.
pub type Network = (IpAddr, u8);

/// Whether the network holds the address. IPv4 in IPv6 clothing (`::ffff:a.b.c.d`) counts as IPv4.
pub fn contains((network, prefix): Network, ip: IpAddr) -> bool {
    match (network.to_canonical(), ip.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            network.to_bits() & mask == ip.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            network.to_bits() & mask == ip.to_bits() & mask
        }
        _ => false,
    }
}

/// A user of a realm, and the proof.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// The realm, exactly as the challenge names it.
    pub realm: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// What we say when a peer asks who we are. Nobody else is told, and no other realm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Where the peer is.
    pub peer: Vec<Network>,
    /// Who we are there.
    pub credentials: Credentials,
}

/// Whom we ask who they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guard {
    /// Where the peer is. The longest prefix decides which guard it meets.
    pub peer: Vec<Network>,
    /// Who it has to be.
    pub credentials: Credentials,
    /// Requests within dialogs are asked as well, not only new calls.
    pub within: bool,
}

/// What an [`Endpoint`](crate::Endpoint) is told once. The defaults are those of RFC 3261 §17.1.1.1 and of the design.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointConfig {
    /// `User-Agent` of requests and `Server` of responses.
    pub user_agent: String,
    /// The user part of our `Contact`.
    pub contact_user: String,
    /// Where we speak TCP beside UDP, the address for UDP first: an INVITE that is too big for a datagram goes from there
    /// (RFC 3261 §18.1.1).
    pub tcp: Vec<(SocketAddr, SocketAddr)>,
    /// T1, round-trip estimate. Too small floods slow peers; too big repairs losses late. 500 ms.
    pub t1: Duration,
    /// T2, the longest interval between retransmissions. 4 s.
    pub t2: Duration,
    /// T4, the longest a message stays in the network. 5 s.
    pub t4: Duration,
    /// How long to wait, after REFER was accepted, for the NOTIFY that says how it ended. 30 s.
    pub refer_result_timeout: Duration,
    /// How long a peer that sent REFER is told how it fares. Longer than any handoff takes. 180 s.
    pub refer_subscription: Duration,
    /// Transactions held at once; above it, requests outside dialogs get 503 with `Retry-After`. A call
    /// leaves about six behind for 32 s each. 50,000.
    pub max_transactions: usize,
    /// Requests outside dialogs that one address may send per second, two seconds' worth at once; above it, they get 503
    /// with `Retry-After`, and no state is kept. 0, the default: as many as it likes.
    pub new_requests_per_s: u32,
    /// Dialogs held at once, lingering ones included; above it, INVITE gets 503 with `Retry-After`. 20,000.
    pub max_dialogs: usize,
    /// The value of `Retry-After` in such a 503, in seconds. 5.
    pub retry_after: u32,
    /// How long a session of ours lives without being refreshed, in seconds (RFC 4028); 0: we ask for no such thing, and
    /// do it where the peer asks. 1800.
    pub session_expires: u32,
    /// The shortest such time that a peer may ask for, in seconds. 90.
    pub min_se: u32,
    /// The peers refresh the sessions that we began, rather than we.
    pub peer_refreshes: bool,
    /// Our provisional responses are acknowledged wherever the caller can (RFC 3262), and our INVITEs demand the same; else
    /// only where the peer demands it.
    pub reliable: bool,
    /// The addresses of each peer. A dialog's identifiers are no secret, so a request within it has to come from where its
    /// peer was heard, or from another address of the same peer; from anybody else it gets 481. None: from anywhere.
    pub peers: Vec<Vec<Network>>,
    /// Whom we tell who we are, when asked.
    pub accounts: Vec<Account>,
    /// Whom we ask.
    pub guards: Vec<Guard>,
    /// Who may register here; nobody, by default.
    pub registrar: Registrar,
    /// How long a nonce of ours may be used. 60 s.
    pub nonce_lifetime: Duration,
    /// A deliberate bug: answers that come too late are not hung up.
    #[cfg(feature = "mutations")]
    pub honours_late_ok: bool,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            user_agent: "Warmline".to_owned(),
            contact_user: "gw".to_owned(),
            tcp: Vec::new(),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            refer_result_timeout: Duration::from_secs(30),
            refer_subscription: Duration::from_secs(180),
            max_transactions: 50_000,
            new_requests_per_s: 0,
            max_dialogs: 20_000,
            retry_after: 5,
            session_expires: 1800,
            min_se: crate::session_timer::SHORTEST,
            peer_refreshes: false,
            reliable: false,
            peers: Vec::new(),
            accounts: Vec::new(),
            guards: Vec::new(),
            registrar: Registrar::default(),
            nonce_lifetime: Duration::from_secs(60),
            #[cfg(feature = "mutations")]
            honours_late_ok: false,
        }
    }
}
