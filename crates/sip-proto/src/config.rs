//! What an endpoint is told once.

use core::time::Duration;

/// What an [`Endpoint`](crate::Endpoint) is told once. The defaults are those of RFC 3261 §17.1.1.1 and of the design.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointConfig {
    /// `User-Agent` of requests and `Server` of responses.
    pub user_agent: String,
    /// The user part of our `Contact`.
    pub contact_user: String,
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
    /// Dialogs held at once, lingering ones included; above it, INVITE gets 503 with `Retry-After`. 20,000.
    pub max_dialogs: usize,
    /// The value of `Retry-After` in such a 503, in seconds. 5.
    pub retry_after: u32,
    /// A deliberate bug: answers that come too late are not hung up.
    #[cfg(feature = "mutations")]
    pub honours_late_ok: bool,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            user_agent: "Warmline".to_owned(),
            contact_user: "gw".to_owned(),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            refer_result_timeout: Duration::from_secs(30),
            refer_subscription: Duration::from_secs(180),
            max_transactions: 50_000,
            max_dialogs: 20_000,
            retry_after: 5,
            #[cfg(feature = "mutations")]
            honours_late_ok: false,
        }
    }
}
