//! The peer's REFER that we carry out: its implicit subscription, with us as the notifier (RFC 3515, RFC 6665).
//!
//! A subscription is a usage of its dialog beside the INVITE's (RFC 5057): it lives on when either side sends BYE, and a
//! NOTIFY that is refused ends it and nothing else. At most one NOTIFY of it is under way, so that none overtakes
//! another; what happens meanwhile is reported with the next one.

use super::screen::Refusal;
use super::{Endpoint, Purpose};
use crate::dialog::State;
use crate::event::{DialogEvent, DialogId, EndedBecause, RequestId, SubscriptionId};
use crate::timer::TimerName;
use crate::transaction::TxId;
use call_model::Instant;
use core::time::Duration;
use sip_wire::{Message, Method, reason_phrase};

/// A BYE of ours waits at most so long for the NOTIFY before it to be answered: a peer that reads them in the other
/// order refuses the NOTIFY.
const BYE_AFTER_NOTIFY: Duration = Duration::from_secs(1);

/// What a REFER of the peer's subscribed it to.
#[derive(Debug)]
pub(super) struct Subscription {
    dialog: DialogId,
    /// CSeq number of the REFER: its name.
    cseq: u32,
    /// Not the first REFER of its dialog: `Event` has to say which (RFC 3515 §2.4.6).
    named: bool,
    /// `Refer-Sub: false`: nothing is to be sent (RFC 4488).
    silent: bool,
    /// What happened last.
    status: u16,
    until: Instant,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// All that happened is told and answered.
    Told,
    /// A NOTIFY is out; `again`: something happened since.
    Telling { again: bool },
    /// The last NOTIFY is out.
    Last,
}

/// Why the last NOTIFY is the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    /// The outcome is known.
    Outcome,
    /// It was cancelled, or it is too old.
    Timeout,
}

impl Endpoint {
    /// Answers a REFER that [`DialogEvent::Referred`] handed out with 202 and, behind it, NOTIFY 100. None when it can
    /// no longer be answered, or was.
    ///
    /// `notify_refer` has to follow until a final status. A peer that asked for no NOTIFYs gets none (RFC 4488).
    pub fn accept_refer(&mut self, request: RequestId, now: Instant) -> Option<SubscriptionId> {
        let tx = TxId(request.0);
        let dialog = self.transactions.server_dialog(tx).filter(|_| self.transactions.awaits_answer(tx))?;
        let (refer, _, _) = self.transactions.server_head(tx)?;
        let cseq = refer.cseq().ok().filter(|cseq| cseq.method == Method::Refer)?.number;
        let silent = refer.headers.get("Refer-Sub").is_some_and(says_false);
        let named = self.dialogs.get(&dialog)?.refers > 1;
        self.reply(tx, 202, "", now, |response| {
            if silent {
                response.headers.push("Refer-Sub", "false");
                response.headers.push("Supported", "norefersub");
            }
        });
        self.next_subscription += 1;
        let id = SubscriptionId(self.next_subscription);
        let until = now + self.config.refer_subscription;
        let stage = Stage::Told;
        self.subscriptions.insert(id, Subscription { dialog, cseq, named, silent, status: 100, until, stage });
        self.subscription_timers.start(id, TimerName::EndSubscription, until);
        self.tell(id, now);
        Some(id)
    }

    /// Reports how a REFER fares: 1xx while it is tried; a final status ends the subscription. Nothing happens when it
    /// has ended before.
    pub fn notify_refer(&mut self, subscription: SubscriptionId, status: u16, now: Instant) {
        let Some(entry) = self.subscriptions.get_mut(&subscription) else { return };
        if entry.stage == Stage::Last || entry.status >= 200 || entry.status == status {
            return;
        }
        entry.status = status;
        self.tell(subscription, now);
    }

    fn tell(&mut self, id: SubscriptionId, now: Instant) {
        let Some(entry) = self.subscriptions.get_mut(&id) else { return };
        let known = entry.status >= 200;
        match entry.stage {
            _ if entry.silent && known => self.end_subscription(id),
            _ if entry.silent => {}
            Stage::Telling { .. } => entry.stage = Stage::Telling { again: true },
            Stage::Told => self.send_notify(id, known.then_some(Over::Outcome), now),
            Stage::Last => {}
        }
    }

    fn send_notify(&mut self, id: SubscriptionId, over: Option<Over>, now: Instant) {
        let Some(entry) = self.subscriptions.get_mut(&id) else { return };
        entry.stage = if over.is_some() { Stage::Last } else { Stage::Telling { again: false } };
        let (dialog, status) = (entry.dialog, entry.status);
        let event = if entry.named { format!("refer;id={}", entry.cseq) } else { "refer".to_owned() };
        let state = match over {
            None => format!("active;expires={}", entry.until.since(now).as_secs()),
            Some(Over::Outcome) => "terminated;reason=noresource".to_owned(),
            Some(Over::Timeout) => "terminated;reason=timeout".to_owned(),
        };
        self.send_within(dialog, Method::Notify, Purpose::Notify(dialog, id), now, |notify| {
            notify.headers.push("Event", event);
            notify.headers.push("Subscription-State", state);
            notify.headers.push("Content-Type", "message/sipfrag;version=2.0");
            notify.body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes();
        });
    }

    /// The final response to a NOTIFY, or none (408, 503).
    pub(super) fn on_notify_done(&mut self, dialog: DialogId, id: SubscriptionId, code: u16, now: Instant) {
        if let Some(entry) = self.subscriptions.get_mut(&id) {
            let told = (200..300).contains(&code);
            match entry.stage {
                Stage::Telling { again } if told => {
                    entry.stage = Stage::Told;
                    if again {
                        self.tell(id, now);
                    }
                }
                Stage::Last if told => self.end_subscription(id),
                // The peer does not want to know, or is not there: this usage of the dialog is over, no other.
                _ => {
                    self.end_subscription(id);
                    self.emit(DialogEvent::Unsubscribed { dialog, subscription: id, code });
                }
            }
        }
        if !self.owes_notify(dialog) {
            self.hang_up_at_last(dialog, now);
        }
    }

    /// It has lasted long enough.
    pub(super) fn on_subscription_due(&mut self, id: SubscriptionId, now: Instant) {
        let Some(entry) = self.subscriptions.get(&id) else { return };
        let (dialog, silent, stage) = (entry.dialog, entry.silent, entry.stage);
        if stage == Stage::Last {
            return;
        }
        if silent {
            self.end_subscription(id);
        } else {
            self.send_notify(id, Some(Over::Timeout), now);
        }
        self.emit(DialogEvent::Unsubscribed { dialog, subscription: id, code: 408 });
    }

    /// SUBSCRIBE to the events of a REFER: refreshes or ends what the REFER began (RFC 6665 §4.4.1).
    pub(super) fn on_subscribe(&mut self, dialog: DialogId, tx: TxId, request: &Message, now: Instant) {
        let Some(id) = self.subscription_of(dialog, request) else {
            return self.refuse(tx, &Refusal(481, "", Vec::new()), now);
        };
        let Ok(wanted) = request.expires() else {
            return self.refuse(tx, &Refusal(400, "Bad Expires", Vec::new()), now);
        };
        let most = self.config.refer_subscription;
        let granted = wanted.map_or(most, |seconds| Duration::from_secs(u64::from(seconds)).min(most));
        self.reply(tx, 200, "", now, |response| response.headers.push("Expires", granted.as_secs().to_string()));
        if granted.is_zero() {
            self.send_notify(id, Some(Over::Timeout), now);
            return self.emit(DialogEvent::Unsubscribed { dialog, subscription: id, code: 0 });
        }
        if let Some(entry) = self.subscriptions.get_mut(&id) {
            entry.until = now + granted;
            self.subscription_timers.start(id, TimerName::EndSubscription, now + granted);
            self.tell(id, now);
        }
    }

    /// The subscription that a SUBSCRIBE names: by the REFER's CSeq number, or the first one without.
    fn subscription_of(&self, dialog: DialogId, request: &Message) -> Option<SubscriptionId> {
        let wanted = match request.event() {
            Some(Ok(event)) => event.params.get_unquoted("id"),
            _ => None,
        };
        let matches = |entry: &Subscription| match &wanted {
            Some(id) => id.trim() == entry.cseq.to_string(),
            None => !entry.named,
        };
        let alive = |entry: &Subscription| entry.dialog == dialog && entry.stage != Stage::Last && !entry.silent;
        self.subscriptions.iter().find(|(_, entry)| alive(entry) && matches(entry)).map(|(id, _)| *id)
    }

    /// Whether a dialog has a subscription, so that it must not be forgotten.
    pub(super) fn is_subscribed(&self, dialog: DialogId) -> bool {
        self.subscriptions.values().any(|entry| entry.dialog == dialog)
    }

    /// Whether the outcome of a REFER is on its way to the peer and not known to have arrived.
    pub(super) fn owes_notify(&self, dialog: DialogId) -> bool {
        self.subscriptions.values().any(|entry| entry.dialog == dialog && entry.status >= 200 && !entry.silent)
    }

    fn end_subscription(&mut self, id: SubscriptionId) {
        self.subscriptions.remove(&id);
        self.subscription_timers.stop_all(id);
    }

    // --- a BYE of ours that waits for the NOTIFY before it

    /// Hangs up as soon as the peer has the outcome of its REFER.
    pub(super) fn hang_up_after_notify(&mut self, id: DialogId, reason: Option<&str>, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if dialog.parting.is_none() {
            dialog.parting = Some(reason.map(str::to_owned));
            self.timers.start(id, TimerName::HangUpAfterNotify, now + BYE_AFTER_NOTIFY);
        }
    }

    pub(super) fn hang_up_at_last(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| dialog.state == State::Established) else {
            return;
        };
        if let Some(reason) = dialog.parting.take() {
            self.hang_up(id, EndedBecause::Bye, reason.as_deref(), now);
        }
    }
}

fn says_false(value: &str) -> bool {
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
}
