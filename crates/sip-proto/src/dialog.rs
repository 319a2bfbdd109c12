//! One dialog (RFC 3261 §12): who is in it, the one builder of requests within it, the one counter of CSeq.

use crate::config::EndpointConfig;
use crate::digest::Challenges;
use crate::event::{AcceptError, DialogId, EndedBecause, Proposal};
use crate::flow::Flow;
use crate::message::{self, ALLOW, SUPPORTED};
use crate::offer_answer::Session;
use crate::reliable::{Branch, Progress};
use crate::session_id::SessionId;
use crate::session_timer::SessionTimer;
use crate::transaction::TxId;
use call_model::{IdSource, LocalMedia, RemoteMedia};
use core::time::Duration;
use sip_wire::{Message, Method, NameAddr, Uri};

/// Branches of a fork that are remembered while they ring; the next is not heard.
const MAX_EARLY: usize = 8;

/// One dialog.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub(crate) id: DialogId,
    /// Where its peer was heard last.
    pub(crate) flow: Flow,
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    /// Empty until the peer's is known.
    pub(crate) remote_tag: String,
    /// Those who ring, while the peer's tag is not known.
    pub(crate) branches: Vec<Branch>,
    /// What we have said of a call that waits for our answer.
    pub(crate) progress: Progress,
    /// `From` of our requests, with our tag.
    pub(crate) local: NameAddr,
    /// `To` of our requests, with the peer's tag once known.
    pub(crate) remote: NameAddr,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    pub(crate) route_set: Vec<NameAddr>,
    pub(crate) remote_target: Uri,
    pub(crate) peer: Peer,
    pub(crate) session: Option<Session>,
    pub(crate) state: State,
    /// We sent the first INVITE: the Call-ID is ours (it decides who backs off longer after glare).
    pub(crate) calling: bool,
    /// A 2xx of ours that waits for its ACK.
    pub(crate) unacknowledged: Option<Unacknowledged>,
    /// The ACK we sent last, for a 2xx that comes again.
    pub(crate) acknowledged: Option<Acknowledged>,
    pub(crate) change: Change,
    pub(crate) refer: Option<Refer>,
    /// REFERs the peer sent; from the second on NOTIFY has to say which it is about.
    pub(crate) refers: u32,
    /// A BYE that waits for a NOTIFY to be answered, with its `Reason`.
    pub(crate) parting: Option<Option<String>>,
    /// Nobody is to hear of it any more (a fork's losing branch, or the last event is out).
    pub(crate) quiet: bool,
    /// What relates it to other dialogs.
    pub(crate) session_id: SessionId,
    /// How long it lives without being refreshed.
    pub(crate) timer: SessionTimer,
    /// What its peer, or a proxy on the way, asked of us.
    pub(crate) challenges: Challenges,
    /// The credentials of our latest INVITE: its ACK carries them too (RFC 3261 §13.2.2.4).
    pub(crate) invite_credentials: Vec<(&'static str, String)>,
    /// An answer to our INVITE counts although we have given it up.
    pub(crate) take_late: bool,
}

/// Where a dialog stands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum State {
    /// Our INVITE is out.
    Calling { tx: TxId, heard: bool, ringing: u16, cancel: Cancel },
    /// The peer's INVITE waits for our answer.
    Arriving { tx: TxId, offer: Option<Vec<u8>> },
    /// Our 200 is out, its ACK has not come.
    Answering {
        /// A BYE that has to wait for the ACK (RFC 3261 §15), with its `Reason`.
        bye: Option<Option<String>>,
    },
    /// Both sides agree that it exists.
    Established,
    /// Our BYE is out.
    HangingUp { because: EndedBecause },
    /// Over; lingers to answer what is still under way.
    Over,
}

/// How far we are with giving our INVITE up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cancel {
    No,
    /// Wanted, but no provisional response has come yet (RFC 3261 §9.1).
    Wanted(Option<String>),
    Sent,
}

/// What the peer said it can do.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) supported: Vec<String>,
    pub(crate) allow: Vec<String>,
}

impl Peer {
    /// Takes what a message says, keeps what it does not mention.
    pub(crate) fn learn(&mut self, message: &Message) {
        if message.headers.contains("Supported") {
            self.supported = message.supported();
        }
        if message.headers.contains("Allow") {
            self.allow = message.tokens("Allow");
        }
    }
}

/// A 2xx of ours to an INVITE, sent again until acknowledged (RFC 3261 §13.3.1.4).
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Unacknowledged {
    pub(crate) cseq: u32,
    pub(crate) flow: Flow,
    pub(crate) bytes: Vec<u8>,
    pub(crate) interval: Duration,
    /// Our offer is in it; the answer comes in the ACK.
    pub(crate) offering: bool,
    /// What was agreed before, and is still to be reported.
    pub(crate) media: Option<RemoteMedia>,
}

/// An ACK we sent for a 2xx.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) cseq: u32,
    pub(crate) flow: Flow,
    pub(crate) bytes: Vec<u8>,
}

/// A change of the session that we want (re-INVITE).
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Change {
    /// None.
    None,
    /// To be sent when the dialog is free for it.
    Wanted(Box<Proposal>),
    /// Sent.
    Sent {
        tx: TxId,
        proposal: Box<Proposal>,
        tries: u8,
        /// A wish that came meanwhile.
        next: Option<Box<Proposal>>,
    },
    /// Crossed with one of the peer's; waits (RFC 3261 §14.1).
    BackingOff { proposal: Box<Proposal>, tries: u8 },
}

/// A REFER of ours and its implicit subscription (RFC 3515).
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Refer {
    /// Of the latest attempt; names the subscription too (`Event: refer;id=`).
    pub(crate) cseq: u32,
    /// Those before it in this dialog that were accepted.
    pub(crate) earlier: Vec<u32>,
    pub(crate) refer_to: String,
    pub(crate) referred_by: String,
    pub(crate) tries: u8,
    /// Its acceptance is reported; NOTIFY may overtake the 2xx.
    pub(crate) accepted: bool,
    pub(crate) state: ReferState,
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReferState {
    /// Sent, or waiting to be sent again after 491.
    Asked,
    /// Accepted, or NOTIFY came before the response did.
    Subscribed,
    /// We stopped waiting; the result may still come.
    GivenUp,
    /// The result is known.
    Done,
}

impl Dialog {
    /// Begins the session of a call that waits for our answer: our answer to its offer, or our offer.
    pub(crate) fn describe(
        &mut self,
        ids: &mut IdSource,
        local: LocalMedia,
    ) -> Result<(Vec<u8>, Option<RemoteMedia>), AcceptError> {
        let State::Arriving { offer, .. } = &self.state else { return Err(AcceptError::NotWaiting) };
        let mut session = Session::new(ids, local.clone());
        let (sdp, media) = match offer {
            Some(offer) => {
                let (sdp, media) = session.answer(offer, Some(local)).map_err(|_| AcceptError::NoCommonCodec)?;
                (sdp, Some(media))
            }
            None => (session.offer(local), None),
        };
        self.session = Some(session);
        Ok((sdp, media))
    }

    /// Whether requests of ours may be sent in it.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Answering { .. } | State::Established)
    }

    /// Whether a new offer of ours may go out now.
    pub(crate) fn is_free_for_offer(&self) -> bool {
        self.state == State::Established
            && self.unacknowledged.is_none()
            && self.session.as_ref().is_none_or(|session| !session.is_offering())
    }

    /// Whether it is a recording session of ours with a recorder (RFC 7866).
    pub(crate) fn is_recording(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_recording)
    }

    /// Our `Contact`; a recorder is told that we are its client.
    pub(crate) fn contact(&self, user: &str, flow: Flow) -> String {
        let feature = if self.is_recording() { ";+sip.src" } else { "" };
        message::contact(user, flow) + feature
    }

    /// What was last agreed.
    pub(crate) fn agreed(&self) -> Option<RemoteMedia> {
        self.session.as_ref().and_then(Session::agreed)
    }

    /// Takes what a response that makes or refreshes the dialog says about the peer (RFC 3261 §12.1.2, §12.2.1.2).
    pub(crate) fn learn_from_answer(&mut self, response: &Message) {
        if self.remote_tag.is_empty() {
            if let Some(branch) = self.branch_of(response) {
                let branch = self.branches.remove(branch);
                self.session = branch.session.or(self.session.take());
                self.remote_cseq = branch.remote_cseq.max(self.remote_cseq);
            }
            if let Ok(to) = response.to() {
                self.remote_tag = to.tag().unwrap_or_default().to_owned();
                self.remote = to;
            }
            self.route_set = response.record_routes();
            self.route_set.reverse();
        }
        self.refresh_target(response);
        self.peer.learn(response);
    }

    /// Takes note of one who rings.
    pub(crate) fn note_branch(&mut self, response: &Message) -> Option<&mut Branch> {
        if self.branch_of(response).is_none() && self.branches.len() < MAX_EARLY {
            self.branches.extend(Branch::of(response, &self.remote_target));
        }
        let index = self.branch_of(response)?;
        self.branches.get_mut(index)
    }

    fn branch_of(&self, response: &Message) -> Option<usize> {
        let tag = response.to_tag()?;
        self.branches.iter().position(|branch| branch.tag == tag)
    }

    /// The session that a request of the peer with this tag is about: its branch's own, while it rings.
    pub(crate) fn session_with(&mut self, tag: &str) -> Option<&mut Session> {
        match self.state {
            State::Calling { .. } => {
                self.branches.iter_mut().find(|branch| branch.tag == tag).and_then(|branch| branch.session.as_mut())
            }
            _ => self.session.as_mut(),
        }
    }

    /// Takes a request's number in the peer's count. False: it was overtaken by a later one (RFC 3261 §12.2.2).
    pub(crate) fn count(&mut self, tag: &str, number: u32) -> bool {
        let ringing = matches!(self.state, State::Calling { .. });
        let branch = self.branches.iter_mut().find(|branch| ringing && branch.tag == tag);
        let latest = branch.map_or(&mut self.remote_cseq, |branch| &mut branch.remote_cseq);
        let next = latest.is_none_or(|latest| number > latest);
        *latest = (*latest).max(Some(number));
        next
    }

    /// Takes the peer's new `Contact`.
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Ok(Some(contact)) = message.contact()
            && contact.uri.is_sip()
        {
            self.remote_target = contact.uri;
        }
    }

    /// The next CSeq number: the only place that counts.
    pub(crate) const fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// A request within the dialog, complete but for `Via` and body, and where to send it (RFC 3261 §12.2.1.1). ACK
    /// carries the number of its INVITE, everything else the next one.
    pub(crate) fn request(&self, method: Method, cseq: u32, config: &EndpointConfig) -> (Message, Flow) {
        self.request_to((&self.remote, &self.remote_target, &self.route_set), method, cseq, config)
    }

    /// The same to one of those who ring.
    pub(crate) fn request_to(
        &self,
        (remote, target, route_set): (&NameAddr, &Uri, &[NameAddr]),
        method: Method,
        cseq: u32,
        config: &EndpointConfig,
    ) -> (Message, Flow) {
        let loose = route_set.first().is_none_or(|route| route.uri.param("lr").is_some());
        let (uri, routes) = match route_set.split_first() {
            // Strict routing: the first hop takes the place of the target, which goes to the end of the list.
            Some((first, rest)) if !loose => {
                let mut routes = rest.to_vec();
                routes.push(NameAddr::new(target.clone()));
                (first.uri.without_headers(), routes)
            }
            _ => (target.clone(), route_set.to_vec()),
        };
        let hop = if loose { routes.first().map_or(&uri, |route| &route.uri) } else { &uri };
        let flow = message::next_hop(hop, self.flow);
        let mut request = Message::request(method.clone(), uri);
        let headers = &mut request.headers;
        for route in &routes {
            headers.push("Route", route.to_string());
        }
        headers.push("Max-Forwards", "70");
        headers.push("From", self.local.to_string());
        headers.push("To", remote.to_string());
        headers.push("Call-ID", self.call_id.as_str());
        headers.push("CSeq", format!("{cseq} {method}"));
        if matches!(method, Method::Invite | Method::Update | Method::Refer | Method::Subscribe | Method::Notify) {
            headers.push("Contact", self.contact(&config.contact_user, self.flow));
        }
        if self.is_recording() && matches!(method, Method::Invite | Method::Update) {
            headers.push("Require", "siprec");
        }
        if matches!(method, Method::Invite | Method::Update | Method::Refer) {
            headers.push("Allow", ALLOW);
            headers.push("Supported", SUPPORTED.join(","));
        }
        self.session_id.write(&mut request);
        if matches!(method, Method::Invite | Method::Update) {
            self.timer.ask(&mut request, config);
        }
        let headers = &mut request.headers;
        headers.push("User-Agent", config.user_agent.as_str());
        (request, flow)
    }
}
