//! Session timers (RFC 4028): what was agreed on, and what messages say of it.

use crate::config::EndpointConfig;
use core::time::Duration;
use sip_wire::{Message, Refresher, SessionExpires};

/// No session is shorter (RFC 4028 §5); also what an absent `Min-SE` means.
pub(crate) const SHORTEST: u32 = 90;
/// How often the interval of one dialog is raised because the peer, or a proxy, finds it too small.
const MAX_RAISES: u8 = 3;

/// The session timer of one dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SessionTimer {
    pub(crate) agreed: Option<Agreed>,
    /// The largest `Min-SE` heard of.
    least: u32,
    raises: u8,
    /// A re-INVITE that only refreshes is out.
    pub(crate) refreshing: bool,
}

/// What holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Agreed {
    /// In seconds.
    interval: u32,
    /// It is ours to refresh.
    pub(crate) ours: bool,
}

impl Default for SessionTimer {
    fn default() -> Self {
        Self { agreed: None, least: SHORTEST, raises: 0, refreshing: false }
    }
}

impl Agreed {
    /// When to refresh, if it is ours to.
    pub(crate) fn refresh_after(self) -> Option<Duration> {
        self.ours.then(|| self.interval() / 2)
    }

    /// When to hang up unless it was refreshed (RFC 4028 §10): the other side a little earlier, so that its BYE still
    /// finds a dialog.
    pub(crate) fn expires_after(self) -> Duration {
        let early = if self.ours { Duration::ZERO } else { Duration::from_secs(32).min(self.interval() / 3) };
        self.interval() - early
    }

    fn interval(self) -> Duration {
        Duration::from_secs(self.interval.into())
    }
}

impl SessionTimer {
    /// Says in an INVITE or UPDATE of ours what we want; nothing when we want none and none holds.
    pub(crate) fn ask(&self, request: &mut Message, config: &EndpointConfig) {
        let interval = self.agreed.map_or(config.session_expires, |agreed| agreed.interval);
        if interval == 0 && self.raises == 0 {
            return;
        }
        let theirs = self.agreed.map_or(config.peer_refreshes, |agreed| !agreed.ours);
        let refresher = Some(if theirs { Refresher::Uas } else { Refresher::Uac });
        let wish = SessionExpires { interval: interval.max(self.least), refresher };
        request.headers.set("Session-Expires", wish.to_string());
        if self.least > SHORTEST {
            request.headers.set("Min-SE", self.least.to_string());
        }
    }

    /// Takes the peer's answer to that.
    pub(crate) fn answered(&mut self, response: &Message) {
        self.agreed = response.session_expires().map(|answer| Agreed {
            interval: answer.interval.max(SHORTEST),
            ours: answer.refresher != Some(Refresher::Uas),
        });
    }

    /// The peer's 422 asks for this much. False: it is not worth another attempt.
    pub(crate) fn raise(&mut self, least: u32) -> bool {
        let worth = least > self.least && self.raises < MAX_RAISES;
        if worth {
            self.least = least;
            self.raises += 1;
        }
        worth
    }

    /// Settles what a peer's INVITE or UPDATE asks for (RFC 4028 §9), to be said in our 2xx.
    pub(crate) fn settle(&mut self, request: &Message, config: &EndpointConfig) {
        let knows = request.supports("timer");
        self.agreed = match (request.session_expires(), self.agreed) {
            (Some(wish), _) => {
                // A peer that does not know timers has them from a proxy, and cannot refresh.
                let ours = !knows || wish.refresher == Some(Refresher::Uas);
                Some(Agreed { interval: wish.interval.max(SHORTEST), ours })
            }
            (None, Some(agreed)) => Some(Agreed { ours: agreed.ours || !knows, ..agreed }),
            (None, None) if knows && config.session_expires > 0 => {
                Some(Agreed { interval: config.session_expires.max(SHORTEST), ours: true })
            }
            (None, None) => None,
        };
    }

    /// Says in a 2xx of ours what holds.
    pub(crate) fn confirm(&self, response: &mut Message) {
        let Some(agreed) = self.agreed else { return };
        let refresher = Some(if agreed.ours { Refresher::Uas } else { Refresher::Uac });
        response.headers.push("Session-Expires", SessionExpires { interval: agreed.interval, refresher }.to_string());
        if !agreed.ours {
            response.headers.push("Require", "timer");
        }
    }
}
