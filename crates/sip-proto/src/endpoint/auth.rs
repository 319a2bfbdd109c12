//! Who we are, when a peer asks (401, 407), and who a peer is, when we do.

use super::screen::Refusal;
use super::{Endpoint, Purpose};
use crate::config::{Account, Credentials, Guard, contains};
use crate::dialog::{Cancel, Change, State};
use crate::digest::{Asked, Challenges, Verdict};
use crate::event::DialogId;
use crate::flow::Flow;
use crate::timer::TimerName;
use crate::transaction::TxId;
use call_model::{IdSource, Instant};
use core::net::IpAddr;
use sip_wire::{DigestAlgorithm, Message, Method};

/// What trunks that have to say who they are may hash with, the stronger first (RFC 8760 §2.3).
const HASHES: [DigestAlgorithm; 2] = [DigestAlgorithm::Sha256, DigestAlgorithm::Md5];

impl Endpoint {
    /// What a refusal asks for is done if it can be: credentials (RFC 3261 §22.2), a longer session (RFC 4028 §7.4). False:
    /// the refusal is the request's answer.
    pub(super) fn try_again(&mut self, tx: TxId, purpose: &Purpose, response: &Message, now: Instant) -> bool {
        match response.code() {
            _ if self.is_given_up(tx, purpose) => false,
            Some(401 | 407) => self.answer_challenge(tx, purpose, response, now),
            Some(422) => self.ask_for_longer(tx, purpose, response, now),
            _ => false,
        }
    }

    fn answer_challenge(&mut self, tx: TxId, purpose: &Purpose, response: &Message, now: Instant) -> bool {
        let Some((request, flow, mut tried)) = self.transactions.client_request(tx) else { return false };
        let peer = flow.remote.ip();
        let worth = self.challenges_of(purpose).is_some_and(|(challenges, accounts, _)| {
            request.method() != Some(&Method::Cancel) && challenges.learn(accounts, peer, response, &mut tried)
        });
        if worth {
            self.send_again(tx, purpose, (flow, request, tried), now);
        }
        worth
    }

    /// Sends a request once more: same `Call-ID`, next CSeq.
    pub(super) fn send_again(
        &mut self,
        tx: TxId,
        purpose: &Purpose,
        (flow, mut request, tried): (Flow, Message, Vec<Asked>),
        now: Instant,
    ) {
        for name in ["Via", "Authorization", "Proxy-Authorization"] {
            request.headers.remove(name);
        }
        if let Some((challenges, accounts, ids)) = self.challenges_of(purpose) {
            challenges.sign(accounts, &mut request, ids);
        }
        let registration = if let Purpose::Register(id) = purpose { self.registrations.get_mut(id) } else { None };
        let cseq = match (purpose.dialog().and_then(|id| self.dialogs.get_mut(&id)), registration) {
            (Some(dialog), _) => dialog.next_cseq(),
            (None, Some(registration)) => registration.next_cseq(),
            (None, None) => request.cseq().map_or(1, |cseq| cseq.number.saturating_add(1)),
        };
        let method = request.method().cloned().unwrap_or(Method::Options);
        request.headers.set("CSeq", format!("{cseq} {method}"));
        let purpose = self.moved(purpose, cseq);
        let dialog = purpose.dialog();
        let new = self.send_tried(flow, request, purpose, tried, now);
        if let Some(dialog) = dialog {
            self.follow(dialog, tx, new, now);
        }
    }

    fn challenges_of(&mut self, purpose: &Purpose) -> Option<(&mut Challenges, &[Account], &mut IdSource)> {
        let challenges = match purpose {
            Purpose::Ping(ping) => self.pings.entry(*ping).or_default(),
            Purpose::Register(id) => {
                let registration = self.registrations.get_mut(id)?;
                return Some((&mut registration.challenges, &registration.account, &mut self.ids));
            }
            other => &mut self.dialogs.get_mut(&other.dialog()?)?.challenges,
        };
        Some((challenges, &self.config.accounts, &mut self.ids))
    }

    /// A request whose answer no longer matters is not worth another attempt.
    fn is_given_up(&self, tx: TxId, purpose: &Purpose) -> bool {
        let Some(dialog) = purpose.dialog().and_then(|id| self.dialogs.get(&id)) else { return false };
        match purpose {
            Purpose::Invite(_) => {
                !matches!(&dialog.state, State::Calling { tx: current, cancel: Cancel::No, .. } if *current == tx)
            }
            Purpose::Reinvite(_) => {
                !dialog.is_open() || !matches!(&dialog.change, Change::Sent { tx: current, .. } if *current == tx)
            }
            Purpose::Refresh(_) => !dialog.is_open(),
            Purpose::Bye(_) => dialog.state == State::Over,
            _ => false,
        }
    }

    /// A REFER is known by its CSeq number, which is another one now.
    fn moved(&mut self, purpose: &Purpose, cseq: u32) -> Purpose {
        let Purpose::Refer(id, before) = *purpose else { return purpose.clone() };
        let refer = self.dialogs.get_mut(&id).and_then(|dialog| dialog.refer.as_mut());
        if let Some(refer) = refer.filter(|refer| refer.cseq == before) {
            refer.cseq = cseq;
        }
        Purpose::Refer(id, cseq)
    }

    /// The dialog waits for another transaction now.
    fn follow(&mut self, id: DialogId, old: TxId, new: TxId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        match (&mut dialog.state, &mut dialog.change) {
            (State::Calling { tx, heard, .. }, _) if *tx == old => {
                *tx = new;
                *heard = false;
            }
            (_, Change::Sent { tx, .. }) if *tx == old => {
                *tx = new;
                self.timers.start(id, TimerName::GiveUpChange, now + self.timing.span());
            }
            _ => {}
        }
    }

    /// What a request of ours within a dialog carries of the credentials that were asked for in it before.
    pub(super) fn sign(&mut self, id: DialogId, request: &mut Message) {
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            dialog.challenges.sign(&self.config.accounts, request, &mut self.ids);
        }
    }

    // --- the peer

    /// A new call from somebody who has to say who they are. Everything that is wrong with the credentials gets the same
    /// answer, and nothing else is looked at before, so that nobody learns what we know (RFC 3261 §22.4).
    pub(super) fn admit(&mut self, flow: Flow, request: &Message, now: Instant) -> Result<(), Refusal> {
        self.admit_if(|_| true, flow, request, now)
    }

    /// The same within a dialog.
    pub(super) fn admit_within(&mut self, flow: Flow, request: &Message, now: Instant) -> Result<(), Refusal> {
        self.admit_if(|within| within, flow, request, now)
    }

    fn admit_if(&mut self, asks: fn(bool) -> bool, flow: Flow, request: &Message, now: Instant) -> Result<(), Refusal> {
        let source = flow.remote.ip();
        let guard = guard_of(&self.config.guards, source).filter(|guard| asks(guard.within));
        let Some(credentials) = guard.map(|guard| guard.credentials.clone()) else { return Ok(()) };
        self.prove((&credentials, &HASHES), flow, request, now)
    }

    /// Whether a request proves that its sender is this one; asked for, by one of these hashes, if not.
    pub(super) fn prove(
        &mut self,
        (credentials, hashes): (&Credentials, &[DigestAlgorithm]),
        flow: Flow,
        request: &Message,
        now: Instant,
    ) -> Result<(), Refusal> {
        let source = flow.remote.ip();
        let Some(door) = self.door.as_mut() else { return Ok(()) };
        let verdict = door.judge(credentials, source, request, now);
        if verdict == Verdict::Right {
            return Ok(());
        }
        let challenges = door.challenges((credentials, hashes), source, verdict == Verdict::Stale, now);
        if verdict == Verdict::Wrong {
            let times = door.note_wrong(source);
            self.dropped(format!("wrong credentials from {source}, {times} in all"));
        }
        Err(Refusal(401, "", challenges.into_iter().map(|value| ("WWW-Authenticate", value)).collect()))
    }
}

fn guard_of(guards: &[Guard], source: IpAddr) -> Option<&Guard> {
    let networks = guards.iter().flat_map(|guard| guard.peer.iter().map(move |peer| (*peer, guard)));
    let here = networks.filter(|(peer, _)| contains(*peer, source));
    here.max_by_key(|((_, prefix), _)| *prefix).map(|(_, guard)| guard)
}

/// The credentials that a request carries.
pub(super) fn credentials_of(request: &Message) -> Vec<(&'static str, String)> {
    let of = |name| request.headers.get_all(name).map(move |value| (name, value.to_owned())).collect::<Vec<_>>();
    [of("Authorization"), of("Proxy-Authorization")].concat()
}
