//! Session timers at work: asking for longer ones, refreshing, and ending what nobody refreshes (RFC 4028).

use super::screen::Refusal;
use super::{Endpoint, Purpose};
use crate::body;
use crate::dialog::{Change, State};
use crate::event::{DialogId, EndedBecause};
use crate::timer::TimerName;
use crate::transaction::TxId;
use call_model::Instant;
use core::time::Duration;
use sip_wire::{Message, Method};

/// A refresh that cannot be sent, or was refused for another reason than glare, is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(10);

impl Endpoint {
    /// Repeats the session as it is, timers or not, which no peer may leave without an answer; `Ended` follows if it does.
    pub fn refresh(&mut self, dialog: DialogId, now: Instant) {
        self.on_refresh_due(dialog, now);
    }

    /// Sends a request again that asked for too short a session (422). False: that is its answer.
    pub(super) fn ask_for_longer(&mut self, tx: TxId, purpose: &Purpose, response: &Message, now: Instant) -> bool {
        let (Some(least), Some((mut request, flow, tried))) = (response.min_se(), self.transactions.client_request(tx))
        else {
            return false;
        };
        let Some(dialog) = purpose.dialog().and_then(|id| self.dialogs.get_mut(&id)) else { return false };
        if !dialog.timer.raise(least) {
            return false;
        }
        dialog.timer.ask(&mut request, &self.config);
        self.send_again(tx, purpose, (flow, request, tried), now);
        true
    }

    /// A peer that asks for a shorter session than we take is told so, if it can understand that.
    pub(super) fn check_session(&self, request: &Message) -> Result<(), Refusal> {
        let least = self.config.min_se;
        match request.session_expires() {
            Some(wish) if wish.interval < least && request.supports("timer") => {
                Err(Refusal(422, "", vec![("Min-SE", least.to_string())]))
            }
            _ => Ok(()),
        }
    }

    /// The peer's answer says what holds from now on.
    pub(super) fn session_answered(&mut self, id: DialogId, response: &Message, now: Instant) {
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            dialog.timer.answered(response);
        }
        self.watch_session(id, now);
    }

    /// So does our answer.
    pub(super) fn settle_session(&mut self, id: DialogId, request: &Message, now: Instant) {
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            dialog.timer.settle(request, &self.config);
        }
        self.watch_session(id, now);
    }

    fn watch_session(&mut self, id: DialogId, now: Instant) {
        self.timers.stop(id, TimerName::RefreshSession);
        self.timers.stop(id, TimerName::SessionExpired);
        let Some(agreed) = self.dialogs.get(&id).and_then(|dialog| dialog.timer.agreed) else { return };
        self.timers.start(id, TimerName::SessionExpired, now + agreed.expires_after());
        if let Some(after) = agreed.refresh_after() {
            self.timers.start(id, TimerName::RefreshSession, now + after);
        }
    }

    pub(super) fn on_session_expired(&mut self, id: DialogId, now: Instant) {
        if self.dialogs.get(&id).is_some_and(|dialog| dialog.is_open()) {
            self.end_now(id, EndedBecause::Expired, now);
        }
    }

    /// UPDATE where the peer knows it; else a re-INVITE that repeats the session as it is.
    pub(super) fn on_refresh_due(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let update = dialog.peer.allow.iter().any(|method| method == "UPDATE");
        let free = dialog.change == Change::None && dialog.is_free_for_offer();
        if update && dialog.state == State::Established {
            self.send_within(id, Method::Update, Purpose::Refresh(id), now, |_| ());
        } else if free && let Some((sdp, local)) = dialog.session.as_mut().and_then(|session| session.repeat()) {
            let sent = self.send_within(id, Method::Invite, Purpose::Reinvite(id), now, |invite| {
                body::attach(invite, sdp, None, "");
            });
            let (Some((tx, _)), Some(dialog)) = (sent, self.dialogs.get_mut(&id)) else { return };
            dialog.change = Change::Sent { tx, proposal: Box::new(local.into()), tries: 0, next: None };
            dialog.timer.refreshing = true;
            self.timers.start(id, TimerName::GiveUpChange, now + self.timing.span());
        } else {
            // A change that is under way refreshes as well, if it gets through.
            self.refresh_after(id, TRY_AGAIN, now);
        }
    }

    /// The UPDATE was answered, or never will be (408, 503).
    pub(super) fn on_refreshed(&mut self, id: DialogId, code: u16, response: Option<&Message>, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| dialog.is_open()) else { return };
        match (code, response) {
            (200..300, Some(response)) => {
                dialog.refresh_target(response);
                dialog.peer.learn(response);
                self.session_answered(id, response, now);
            }
            (481 | 408, _) => self.end_now(id, EndedBecause::Gone(code), now),
            (405 | 501, _) => {
                dialog.peer.allow.retain(|method| method != "UPDATE");
                self.on_refresh_due(id, now);
            }
            _ => self.refresh_later(id, code, now),
        }
    }

    /// A refresh was refused; the session holds on until it expires.
    pub(super) fn refresh_later(&mut self, id: DialogId, code: u16, now: Instant) {
        let wait = if code == 491 { self.glare_wait(id) } else { TRY_AGAIN };
        self.refresh_after(id, wait, now);
    }

    /// A session that nothing was agreed for does not expire.
    fn refresh_after(&mut self, id: DialogId, wait: Duration, now: Instant) {
        if self.dialogs.get(&id).is_some_and(|dialog| dialog.timer.agreed.is_some()) {
            self.timers.start(id, TimerName::RefreshSession, now + wait);
        }
    }
}
