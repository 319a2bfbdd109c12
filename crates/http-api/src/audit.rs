//! Who saw which caller's story: in the log and, where there is one, the ledger.

use crate::guard;
use crate::server::{Api, Peer};
use crate::session::Sessions;
use axum::Extension;
use axum::http::HeaderMap;
use call_model::{CallId, DeskId, HandoffId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Somebody who asks for stories, over one connection or event stream.
pub(crate) struct Viewer {
    who: String,
    ledger: Option<Arc<ledger::Ledger>>,
    /// A page's; others bring their token along.
    session: Option<(Sessions, String)>,
    /// Amendments of a story that was seen are no further view.
    seen: BTreeSet<HandoffId>,
}

impl Viewer {
    pub(crate) fn of(api: &Api, desk: &DeskId, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> Self {
        let session = guard::session_of(api, desk, headers).map(|id| (api.sessions.clone(), id));
        Self { who: who(api, desk, peer, headers), ledger: api.ledger.clone(), session, seen: BTreeSet::new() }
    }

    pub(crate) fn operator(api: &Api, peer: Option<Extension<Peer>>) -> Self {
        let who = format!("operator{}", from(peer));
        Self { who, ledger: api.ledger.clone(), session: None, seen: BTreeSet::new() }
    }

    /// These were sent to them.
    pub(crate) fn saw(&mut self, shown: &[(CallId, HandoffId)]) {
        for (call, handoff) in shown {
            if !self.seen.insert(*handoff) {
                continue;
            }
            tracing::info!(%call, %handoff, who = self.who, "a package was viewed");
            if let Some(ledger) = &self.ledger {
                ledger.viewed(*call, *handoff, &self.who, now_ms());
            }
        }
    }

    /// Whether they may go on.
    pub(crate) fn may_see(&self) -> bool {
        self.session.as_ref().is_none_or(|(sessions, id)| sessions.is_open(id, Instant::now()))
    }
}

/// A desk, by page or by token, and from where.
pub(crate) fn who(api: &Api, desk: &DeskId, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> String {
    let by = if guard::session_of(api, desk, headers).is_some() { "page" } else { "token" };
    format!("{desk} by {by}{}", from(peer))
}

fn from(peer: Option<Extension<Peer>>) -> String {
    peer.map_or(String::new(), |Extension(peer)| format!(" from {}", peer.address.ip().to_canonical()))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
