//! The telephone: what it does by itself when a call arrives or a REFER comes, and what its owner makes it do.

use crate::media::Media;
use crate::source::Source;
use call_model::{Codec, Direction, IdSource, Instant, LocalMedia, RemoteMedia, SrtpUse};
use core::time::Duration;
use sip_proto::{
    Address, DialogEvent, DialogId, Endpoint, EndpointConfig, Flow, InviteRequest, RegisterRequest, RegistrationId,
    RequestId, Transport,
};
use sip_wire::{Malformed, Message, Method, NameAddr, Replaces, Uri};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// What a telephone is.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// Its SIP address.
    pub sip: SocketAddr,
    /// How it speaks SIP when it begins.
    pub transport: Transport,
    /// Where it wants RTP.
    pub rtp: SocketAddr,
    /// The user part of its address.
    pub user: String,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// Whether its audio is encrypted.
    pub srtp: SrtpUse,
    /// What it says.
    pub source: Source,
    /// The tones it listens for, in hertz.
    pub tones: Vec<f32>,
    /// What it does when a call arrives.
    pub arrival: Arrival,
    /// What it does when a REFER comes.
    pub on_refer: OnRefer,
    /// It calls without an offer, and answers ours.
    pub late_offer: bool,
    /// How its SIP behaves; the user agent and the contact are its own.
    pub habits: EndpointConfig,
}

/// What to do when a call arrives, after the given times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// Ring, then do something.
    Ring {
        /// 180 after this long.
        after: Duration,
        /// Then this.
        then: Answer,
    },
    /// Say at once that the call is in progress (182, 183), then do something.
    Progress(u16, Answer),
    /// Speak at once, with SDP in a 183, then do something.
    Early(Answer),
    /// Refuse at once with this status.
    Refuse(u16),
    /// Refuse at once with 503 and ask to be left alone for so many seconds.
    Overloaded(u32),
    /// Say nothing but 100.
    Ignore,
}

/// What to do after ringing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Answer this long after the ring began.
    After(Duration),
    /// Refuse this long after the ring began.
    Refuse(Duration, u16),
    /// Ring for ever.
    Never,
}

/// What to do when a REFER comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnRefer {
    /// Refuse with this status.
    Refuse(u16),
    /// Do it: 202, NOTIFY 100, INVITE the target (with `Replaces` when the URI says so), NOTIFY the outcome.
    Follow,
    /// Accept with 202, then say nothing more.
    Forget,
    /// Accept with 202, then report this final status without trying.
    Report(u16),
    /// The same, and then hang up: as Cisco's CUCM clears the call whose target answers 429.
    ReportAndClear(u16),
    /// Accept with 202, then hang up without a NOTIFY.
    HangUp,
    /// Refuse the first so many with this status, then do it.
    RefuseFirst(u16, u8),
    /// Say nothing at all.
    Ignore,
    /// Accept with 202, NOTIFY 100, then say nothing more.
    Stall,
    /// Do it; once the target has answered, NOTIFY 200 and BYE each follow after a time of their own, or never.
    Slowly {
        /// NOTIFY 200.
        notify: Option<Duration>,
        /// BYE in the dialog that the REFER came in.
        bye: Option<Duration>,
    },
}

/// What to do with its own line after sending REFER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AfterRefer {
    /// Nothing.
    #[default]
    Stay,
    /// Hang up so long after it was accepted, without waiting for the outcome.
    HangUpOnceAccepted(Duration),
    /// Hang up when told that it succeeded.
    HangUpOnSuccess,
}

/// What the owner of the telephone notices.
#[derive(Clone, PartialEq, Debug)]
pub enum PhoneEvent {
    /// A call arrived; the whole INVITE.
    Arrived(Box<Message>),
    /// We now ring: 180 left.
    Rings,
    /// The other side rings.
    Ringing(u16),
    /// A call is up.
    Up,
    /// Our call failed.
    Failed(u16),
    /// A call is over.
    Ended {
        /// By the other side.
        by_remote: bool,
        /// Its `Reason` header.
        reason: Option<String>,
    },
    /// The caller gave up while we rang.
    Cancelled,
    /// REFER came, with this `Refer-To`.
    Referred(String),
    /// Another dialog took the place of the one we had.
    Replaced,
    /// Our REFER was answered with this status.
    ReferAnswered(u16),
    /// NOTIFY came for our REFER.
    Notified {
        /// The status line in it.
        status: Option<u16>,
        /// It was the last.
        last: bool,
    },
    /// The second line is up: see [`Phone::consult`].
    ConsultUp,
    /// What goes which way has changed, by either side's wish; seen from here.
    Held(Direction),
    /// Our own wish to hold or resume was refused; all is as before.
    HoldRefused,
}

/// What the telephone wants done.
#[derive(Clone, PartialEq, Debug)]
pub enum PhoneOutput {
    /// Send a SIP message.
    Sip {
        /// How and where.
        flow: Flow,
        /// The message.
        bytes: Vec<u8>,
        /// In a reader's words.
        what: String,
    },
    /// Send an RTP packet.
    Rtp {
        /// Where.
        to: SocketAddr,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// Something its owner notices.
    Event(PhoneEvent),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plan {
    Ring(u16),
    Answer,
    Refuse(u16),
    Overloaded(u32),
    HangUp,
    Report(u16),
    Leave,
}

/// A telephone with one line and one audio stream.
#[derive(Debug)]
pub struct Phone {
    config: PhoneConfig,
    endpoint: Endpoint,
    /// Its audio.
    pub media: Media,
    current: Option<DialogId>,
    up: bool,
    /// A call has come and is not answered.
    arriving: bool,
    plans: BTreeMap<(Instant, u64), (DialogId, Plan)>,
    planned: u64,
    /// The dialog a REFER came in, and the one it made us start.
    referral: Option<(DialogId, DialogId)>,
    after_refer: AfterRefer,
    /// A second line, without audio.
    second: Option<DialogId>,
    registration: Option<RegistrationId>,
    out: VecDeque<PhoneOutput>,
}

impl Phone {
    /// A telephone on the hook.
    pub fn new(config: PhoneConfig, mut ids: IdSource) -> Self {
        let media = Media::new(config.source.clone(), &config.tones, &mut ids);
        let endpoint_config =
            EndpointConfig { user_agent: "phone".into(), contact_user: config.user.clone(), ..config.habits.clone() };
        Self {
            endpoint: Endpoint::new(endpoint_config, ids),
            media,
            config,
            current: None,
            up: false,
            arriving: false,
            plans: BTreeMap::new(),
            planned: 0,
            referral: None,
            after_refer: AfterRefer::default(),
            second: None,
            registration: None,
            out: VecDeque::new(),
        }
    }

    /// Calls `uri` at `to`, with further headers.
    pub fn call(&mut self, uri: &Uri, to: SocketAddr, headers: Vec<(String, String)>, now: Instant) {
        let flow = Flow { transport: self.config.transport, local: self.config.sip, remote: to };
        let dialog = self.invite(uri, flow, headers, now);
        self.current = Some(dialog);
        self.drain(now);
    }

    /// Hangs up, gives up, or refuses, whatever fits.
    pub fn hang_up(&mut self, now: Instant) {
        if let Some(dialog) = self.current {
            self.endpoint.bye(dialog, None, now);
            if self.arriving {
                // Refused, and nothing more is heard of it.
                self.clear();
            }
        }
        self.drain(now);
    }

    /// Registers, and stays registered.
    pub fn register(&mut self, request: RegisterRequest, now: Instant) {
        self.registration = Some(self.endpoint.register(request, now));
        self.drain(now);
    }

    /// Takes the registration back.
    pub fn sign_off(&mut self, now: Instant) {
        if let Some(registration) = self.registration.take() {
            self.endpoint.unregister(registration, now);
        }
        self.drain(now);
    }

    /// Holds or resumes the call with a re-INVITE.
    pub fn hold(&mut self, direction: Direction, now: Instant) {
        if let Some(dialog) = self.current {
            self.endpoint.reinvite(dialog, LocalMedia { direction, ..self.local() }, now);
        }
        self.drain(now);
    }

    /// Holds or resumes the call with UPDATE (RFC 3311), and offers its first codec only. Its own audio goes on.
    pub fn update(&mut self, direction: Direction, now: Instant) {
        let LocalMedia { rtp, codecs, .. } = self.local();
        if let (Some(dialog), Some(codec)) = (self.current, codecs.first()) {
            let direction = match direction {
                Direction::SendRecv => "sendrecv",
                Direction::SendOnly => "sendonly",
                Direction::RecvOnly => "recvonly",
                Direction::Inactive => "inactive",
            };
            let family = if rtp.is_ipv4() { "IP4" } else { "IP6" };
            let sdp = format!(
                "v=0\r\no=phone 7 {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP {}\r\na={direction}\r\n",
                now.as_millis(),
                rtp.port(),
                codec.payload_type(),
                ip = rtp.ip(),
            );
            self.endpoint.request(dialog, Method::Update, &[], Some(("application/sdp", sdp.as_bytes())), now);
        }
        self.drain(now);
    }

    /// Asks the peer to go elsewhere.
    pub fn refer(&mut self, refer_to: &str, now: Instant) {
        if let Some(dialog) = self.current {
            self.endpoint.refer(dialog, refer_to, "sip:phone@invalid", now);
        }
        self.drain(now);
    }

    /// What it does with its line after sending REFER.
    pub fn after_refer(&mut self, what: AfterRefer) {
        self.after_refer = what;
    }

    /// How a third party must name our call to the one we are talking to, in `Replaces` (RFC 3891).
    pub fn replaces(&self) -> Option<Replaces> {
        self.endpoint.replaces_value(self.current?)
    }

    /// Calls somebody on a second line, to ask before passing the first call on (RFC 5589 §7). It carries no audio.
    pub fn consult(&mut self, uri: &Uri, to: SocketAddr, now: Instant) {
        let flow = Flow { transport: self.config.transport, local: self.config.sip, remote: to };
        self.second = Some(self.invite(uri, flow, vec![], now));
        self.drain(now);
    }

    /// Asks the peer of the first line to take our place on the second.
    pub fn refer_to_consult(&mut self, now: Instant) {
        let named = self.second.and_then(|second| {
            let target = self.endpoint.remote_target(second)?;
            Some(self.endpoint.replaces_value(second)?.refer_to(&target))
        });
        if let Some(refer_to) = named {
            self.refer(refer_to.as_str(), now);
        }
    }

    /// Presses a key for 100 ms.
    pub fn press(&mut self, key: char) {
        self.media.press(key, Duration::from_millis(100));
    }

    /// Changes what it does with later arrivals.
    pub fn on_arrival(&mut self, arrival: Arrival) {
        self.config.arrival = arrival;
    }

    /// Whether a call is up.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Whether it is in a call, or on its way into one.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, flow: Flow, bytes: &[u8], now: Instant) {
        self.handle_framed(flow, Message::parse_datagram(bytes), now);
    }

    /// Takes a message from a stream.
    pub fn handle_framed(&mut self, flow: Flow, message: Result<Message, Malformed>, now: Instant) {
        match message {
            Ok(message) => self.endpoint.handle_message(flow, message, now),
            Err(malformed) => self.endpoint.handle_malformed(flow, malformed, now),
        }
        self.drain(now);
    }

    /// Takes an RTP packet.
    pub fn handle_rtp(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        self.media.handle_rtp(from, bytes, now);
    }

    /// Lets what is due happen.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.drain(now);
        while let Some(entry) = self.plans.first_entry().filter(|entry| entry.key().0 <= now) {
            let (dialog, plan) = entry.remove();
            self.carry_out(dialog, plan, now);
            self.drain(now);
        }
        while self.media.poll_timeout().is_some_and(|due| due <= now) {
            if let Some(packet) = self.media.handle_timeout(now) {
                self.out.push_back(PhoneOutput::Rtp { to: packet.to, bytes: packet.bytes });
            }
        }
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let plan = self.plans.keys().next().map(|(at, _)| *at);
        let sip = self.endpoint.poll_timeout().map(|(at, _)| at);
        [plan, sip, self.media.poll_timeout()].into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<PhoneOutput> {
        let datagram = || self.media.poll_datagram().map(|out| PhoneOutput::Rtp { to: out.to, bytes: out.bytes });
        self.out.pop_front().or_else(datagram)
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                sip_proto::Output::Transmit { flow, bytes, note } => {
                    self.out.push_back(PhoneOutput::Sip { flow, bytes, what: note.what });
                }
                sip_proto::Output::Event(event) => self.on_event(event, now),
                sip_proto::Output::Seen(_) | sip_proto::Output::Dropped(_) | sip_proto::Output::Registration(_) => {}
            }
        }
    }

    fn on_event(&mut self, event: DialogEvent, now: Instant) {
        match event {
            DialogEvent::Incoming { dialog, request, replaces, .. } => self.on_incoming(dialog, request, replaces, now),
            // Heard, but not spoken to before the answer.
            DialogEvent::EarlyMedia { dialog, media } if Some(dialog) == self.current => {
                self.media.connect(RemoteMedia { direction: Direction::RecvOnly, ..media }, now);
            }
            DialogEvent::Ringing { dialog, code } if Some(dialog) == self.current => {
                self.tell(PhoneEvent::Ringing(code));
            }
            DialogEvent::Answered { dialog, .. } if Some(dialog) == self.second => self.tell(PhoneEvent::ConsultUp),
            DialogEvent::Ended { dialog, .. } | DialogEvent::Failed { dialog, .. } if Some(dialog) == self.second => {
                self.second = None;
            }
            DialogEvent::Answered { dialog, media } => self.on_answered(dialog, media, now),
            DialogEvent::Confirmed { dialog, media: Some(media) } if Some(dialog) == self.current => {
                self.media.connect(media, now);
            }
            DialogEvent::MediaChanged { dialog, media } if Some(dialog) == self.current => {
                self.media.connect(media, now);
                self.tell(PhoneEvent::Held(media.direction));
            }
            DialogEvent::ChangeRefused { dialog, .. } if Some(dialog) == self.current => {
                self.tell(PhoneEvent::HoldRefused);
            }
            DialogEvent::Failed { dialog, code, .. } => self.on_failed(dialog, code, now),
            // We had given up; it was answered all the same, and hung up by the endpoint.
            DialogEvent::Late { dialog } if Some(dialog) == self.current => {
                self.clear();
                self.tell(PhoneEvent::Ended { by_remote: false, reason: None });
            }
            DialogEvent::Cancelled { dialog, .. } if Some(dialog) == self.current => {
                self.clear();
                self.tell(PhoneEvent::Cancelled);
            }
            DialogEvent::Ended { dialog, by_remote, reason, .. } if Some(dialog) == self.current => {
                self.clear();
                self.tell(PhoneEvent::Ended { by_remote, reason });
            }
            DialogEvent::Referred { dialog, request, refer_to, .. } => self.on_refer(dialog, request, refer_to, now),
            DialogEvent::ReferAccepted { dialog, code } => {
                self.tell(PhoneEvent::ReferAnswered(code));
                if let AfterRefer::HangUpOnceAccepted(wait) = self.after_refer {
                    self.plan(now + wait, dialog, Plan::HangUp);
                }
            }
            DialogEvent::ReferRefused { code, .. } => self.tell(PhoneEvent::ReferAnswered(code)),
            DialogEvent::ReferNotify { dialog, status, terminated } => {
                self.tell(PhoneEvent::Notified { status, last: terminated });
                let succeeded = status.is_some_and(|status| (200..300).contains(&status));
                if succeeded && self.after_refer == AfterRefer::HangUpOnSuccess {
                    self.plan(now, dialog, Plan::HangUp);
                }
            }
            _ => {}
        }
    }

    fn on_incoming(&mut self, dialog: DialogId, request: Box<Message>, replaces: Option<DialogId>, now: Instant) {
        if let Some(old) = replaces.filter(|old| Some(*old) == self.current) {
            self.tell(PhoneEvent::Arrived(request));
            // RFC 3891 §3: answer the new one first, then end the one it replaces.
            self.current = Some(dialog);
            self.answer(dialog, now);
            self.endpoint.bye(old, Some("SIP;cause=200;text=\"Replaced\""), now);
            return self.tell(PhoneEvent::Replaced);
        }
        if self.current.is_some() {
            return self.endpoint.reject(dialog, 486, "", &[], now);
        }
        self.current = Some(dialog);
        self.arriving = true;
        self.tell(PhoneEvent::Arrived(request));
        match self.config.arrival {
            Arrival::Ring { after, .. } => self.plan(now + after, dialog, Plan::Ring(180)),
            Arrival::Progress(code, _) => self.plan(now, dialog, Plan::Ring(code)),
            Arrival::Early(_) => self.plan(now, dialog, Plan::Ring(183)),
            Arrival::Overloaded(seconds) => self.plan(now, dialog, Plan::Overloaded(seconds)),
            Arrival::Refuse(code) => self.plan(now, dialog, Plan::Refuse(code)),
            Arrival::Ignore => {}
        }
    }

    fn carry_out(&mut self, dialog: DialogId, plan: Plan, now: Instant) {
        // Some are about a dialog that another has taken the place of.
        if Some(dialog) != self.current && !matches!(plan, Plan::Report(_) | Plan::Leave) {
            return;
        }
        match plan {
            Plan::Ring(code) => {
                if let Arrival::Early(_) = self.config.arrival {
                    let early = self.endpoint.progress(dialog, code, self.local(), now);
                    early.ok().flatten().into_iter().for_each(|media| self.media.connect(media, now));
                } else {
                    self.endpoint.ring(dialog, code, now);
                }
                self.tell(PhoneEvent::Rings);
                match self.config.arrival {
                    Arrival::Ring { then: Answer::After(after), .. }
                    | Arrival::Progress(_, Answer::After(after))
                    | Arrival::Early(Answer::After(after)) => self.plan(now + after, dialog, Plan::Answer),
                    Arrival::Ring { then: Answer::Refuse(after, code), .. }
                    | Arrival::Early(Answer::Refuse(after, code)) => {
                        self.plan(now + after, dialog, Plan::Refuse(code));
                    }
                    _ => {}
                }
            }
            Plan::Answer => self.answer(dialog, now),
            Plan::Refuse(code) => {
                self.endpoint.reject(dialog, code, "", &[], now);
                self.clear();
            }
            Plan::HangUp | Plan::Leave => self.endpoint.bye(dialog, None, now),
            Plan::Report(code) => self.notify(dialog, code, now),
            Plan::Overloaded(seconds) => {
                let headers = [("Retry-After".to_owned(), seconds.to_string())];
                self.endpoint.reject(dialog, 503, "", &headers, now);
                self.clear();
            }
        }
    }

    fn answer(&mut self, dialog: DialogId, now: Instant) {
        match self.endpoint.accept(dialog, self.local(), &[], now) {
            Ok(media) => {
                if let Some(media) = media {
                    self.media.connect(media, now);
                }
                self.up = true;
                self.arriving = false;
                self.tell(PhoneEvent::Up);
            }
            Err(_) => {
                self.endpoint.reject(dialog, 488, "", &[], now);
                self.clear();
            }
        }
    }

    fn on_answered(&mut self, dialog: DialogId, media: RemoteMedia, now: Instant) {
        match self.referral {
            Some((old, new)) if new == dialog => {
                if let OnRefer::Slowly { notify, bye } = self.config.on_refer {
                    notify.into_iter().for_each(|after| self.plan(now + after, old, Plan::Report(200)));
                    bye.into_iter().for_each(|after| self.plan(now + after, old, Plan::Leave));
                } else {
                    self.notify(old, 200, now);
                }
                self.referral = None;
                // It has one line: what it did meanwhile is over.
                if let Some(other) = self.current.replace(dialog).filter(|other| *other != old) {
                    self.endpoint.bye(other, None, now);
                }
            }
            // A call for a REFER that another REFER has overtaken: it has one line.
            _ if Some(dialog) != self.current => return self.endpoint.bye(dialog, None, now),
            _ => {}
        }
        self.up = true;
        self.media.connect(media, now);
        self.tell(PhoneEvent::Up);
    }

    fn on_failed(&mut self, dialog: DialogId, code: u16, now: Instant) {
        if let Some((old, new)) = self.referral
            && new == dialog
        {
            self.referral = None;
            return self.notify(old, code, now);
        }
        if Some(dialog) == self.current {
            self.clear();
            self.tell(PhoneEvent::Failed(code));
        }
    }

    fn on_refer(&mut self, dialog: DialogId, request: RequestId, refer_to: String, now: Instant) {
        self.tell(PhoneEvent::Referred(refer_to.clone()));
        let target = NameAddr::parse(&refer_to).ok().map(|address| address.uri);
        let refused = match &mut self.config.on_refer {
            OnRefer::Ignore => return,
            OnRefer::Refuse(code) => Some(*code),
            OnRefer::RefuseFirst(code, times @ 1..) => {
                *times -= 1;
                Some(*code)
            }
            _ if target.is_none() => Some(400),
            _ => None,
        };
        if let Some(code) = refused {
            let headers =
                [("Retry-After".to_owned(), "20".to_owned()), ("Unsupported".to_owned(), "replaces".to_owned())];
            let headers = match code {
                503 => &headers[..1],
                420 => &headers[1..],
                _ => &[],
            };
            return self.endpoint.respond(request, code, "", headers, None, now);
        }
        self.endpoint.respond(request, 202, "", &[], None, now);
        match (self.config.on_refer, target) {
            (OnRefer::Follow | OnRefer::RefuseFirst(..) | OnRefer::Slowly { .. }, Some(target)) => {
                self.follow(dialog, &target, now);
            }
            (OnRefer::Report(code) | OnRefer::ReportAndClear(code), _) => {
                self.notify(dialog, 100, now);
                self.notify(dialog, code, now);
                if let OnRefer::ReportAndClear(_) = self.config.on_refer {
                    self.plan(now, dialog, Plan::HangUp);
                }
            }
            (OnRefer::Stall, _) => self.notify(dialog, 100, now),
            (OnRefer::HangUp, _) => self.plan(now, dialog, Plan::HangUp),
            _ => {}
        }
    }

    fn follow(&mut self, dialog: DialogId, target: &Uri, now: Instant) {
        self.notify(dialog, 100, now);
        let Some(remote) = address_of(target) else { return self.notify(dialog, 400, now) };
        let transport = target.param("transport").and_then(Transport::named).unwrap_or(Transport::Udp);
        let headers = ["Replaces", "Require", "User-to-User"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), target.header(name)?)))
            .collect();
        let flow = Flow { transport, local: self.config.sip, remote };
        let new = self.invite(&target.without_headers(), flow, headers, now);
        self.referral = Some((dialog, new));
    }

    fn notify(&mut self, dialog: DialogId, code: u16, now: Instant) {
        let state = if code < 200 { "active;expires=60" } else { "terminated;reason=noresource" };
        let headers = [("Event".to_owned(), "refer".to_owned()), ("Subscription-State".to_owned(), state.to_owned())];
        let fragment = format!("SIP/2.0 {code} {}\r\n", if code == 200 { "OK" } else { "Progress" });
        let body = Some(("message/sipfrag;version=2.0", fragment.as_bytes()));
        self.endpoint.request(dialog, Method::Notify, &headers, body, now);
    }

    fn invite(&mut self, uri: &Uri, flow: Flow, headers: Vec<(String, String)>, now: Instant) -> DialogId {
        let from = format!("sip:{}@{}", self.config.user, self.config.sip);
        let from = Uri::parse(&from).unwrap_or_else(|_| uri.clone());
        let request = InviteRequest {
            flow,
            request_uri: uri.clone(),
            to: Address::new(uri.clone()),
            from: Address::new(from),
            max_forwards: 70,
            headers,
            extra_part: None,
            local: self.local(),
            second: None,
            late_offer: self.config.late_offer,
            call_id: None,
        };
        self.endpoint.invite(request, now)
    }

    fn local(&self) -> LocalMedia {
        LocalMedia {
            rtp: self.config.rtp,
            codecs: self.config.codecs.clone(),
            telephone_event: 101,
            direction: Direction::SendRecv,
            srtp: self.config.srtp,
        }
    }

    fn plan(&mut self, at: Instant, dialog: DialogId, plan: Plan) {
        self.planned += 1;
        self.plans.insert((at, self.planned), (dialog, plan));
    }

    fn clear(&mut self) {
        self.current = None;
        self.up = false;
        self.arriving = false;
        self.media.stop();
    }

    fn tell(&mut self, event: PhoneEvent) {
        self.out.push_back(PhoneOutput::Event(event));
    }
}

/// The address a URI with an IP host means; port 5060 unless it says otherwise (RFC 3261 §19.1.2).
fn address_of(uri: &Uri) -> Option<SocketAddr> {
    Some(SocketAddr::new(uri.host()?.ip()?, uri.port().unwrap_or(5060)))
}
