//! What a call wants of its legs, as SIP.

use super::targets::Attempt;
use super::{Link, Switchboard};
use crate::call::Call;
use crate::config::{BotReach, Network, ReferTo, Target};
use crate::invite::{ANONYMOUS, Outgoing, bare_size, consult_invite, host_text};
use crate::leg::{Consult, Dial, HandoffFacts, LegCommand, LegEvent, ReferProgress};
use crate::metadata;
use crate::passing;
use crate::profile::{Profile, ReferToScheme};
use call_model::{
    Codec, Direction, Instant, InterfaceId, KeysBy, LegId, LocalMedia, MediaCommand, Party, Role, SrtpUse, TraceKind,
};
use core::net::SocketAddr;
use sip_proto::{AcceptError, DialogId, Flow, InviteRequest, Seat};
use sip_wire::{Host, Method, Telephone, Uri};

/// The payload type we choose for telephone-event.
const TELEPHONE_EVENT: u8 = 101;

/// Where a leg may go.
struct Place {
    uri: Uri,
    targets: Vec<Target>,
    /// The way that a telephone came on which registered.
    flow: Option<Flow>,
    allowed: Vec<Network>,
}

/// What a leg's peer is told of its audio.
pub(super) const fn local_media(rtp: SocketAddr, codecs: Vec<Codec>, srtp: SrtpUse) -> LocalMedia {
    LocalMedia { rtp, codecs, telephone_event: TELEPHONE_EVENT, direction: Direction::SendRecv, srtp }
}

impl Place {
    /// Exactly there, on the same host: what is to be replaced lives in one telephone only.
    fn move_to(&mut self, uri: &str) -> Result<(), String> {
        self.uri = Uri::parse(uri).map_err(|error| format!("{uri} is not a URI: {error}"))?;
        let host = self.uri.host().and_then(Host::ip);
        if let Some(mut there) = self.targets.iter().find(|target| host == Some(target.address.ip())).copied() {
            there.address.set_port(self.uri.port().unwrap_or(there.transport.default_port()));
            self.targets = vec![there];
        }
        Ok(())
    }
}

/// Whose leg it is, for the trace.
pub(super) const fn party(role: Role) -> Party {
    match role {
        Role::Desk => Party::Desk,
        Role::Bot => Party::Bot,
        Role::Recorder => Party::Recorder,
        Role::Caller => Party::Trunk,
    }
}

impl Switchboard {
    pub(super) fn carry_out_leg(&mut self, call: &Call, leg: LegId, command: LegCommand, now: Instant) {
        if let LegCommand::Dial(dial) = command {
            if let Err(why) = self.dial(call, leg, *dial, now) {
                self.trace(Some(leg.call), TraceKind::Note { about: Party::Gateway, text: why }, now);
                self.feedback.push_back((leg, LegEvent::Refused { status: 503 }));
            }
            return;
        }
        if let LegCommand::Record(offer) = command {
            if let Err(why) = self.call_recorder(call, leg, &offer, now) {
                self.trace(Some(leg.call), TraceKind::Note { about: Party::Recorder, text: why }, now);
                self.feedback.push_back((leg, LegEvent::Refused { status: 503 }));
            }
            return;
        }
        let Some(dialog) = self.links.get(&leg).and_then(|link| link.dialog) else {
            if let LegCommand::HangUp { .. } = command {
                self.feedback.push_back((leg, LegEvent::Late));
            }
            return;
        };
        match command {
            LegCommand::Dial(_) | LegCommand::Record(_) => {}
            LegCommand::Describe(offer) => self.describe_to_recorder(call, leg, dialog, &offer, now),
            LegCommand::Ring => self.ring(call, leg, dialog, now),
            LegCommand::Answer { codecs } => self.answer(call, leg, codecs, now),
            LegCommand::Refuse { status } => {
                self.reject(dialog, status, now);
                self.unlink(leg, now);
            }
            LegCommand::TakeLateAnswer => self.endpoint.take_late_answer(dialog),
            LegCommand::HangUp { reason } => {
                self.charge_silent_desk(call, leg, dialog, now);
                self.settle_target(dialog);
                self.endpoint.bye(dialog, Some(&reason), now);
            }
            LegCommand::Refer { consult, facts } => self.refer(leg, consult, facts.as_ref(), now),
            LegCommand::ReferTo { desk, facts } => self.refer_blindly(call, leg, &desk, facts.as_ref(), now),
            LegCommand::GiveUpRefer => self.endpoint.give_up_refer(dialog, now),
            LegCommand::Progress { codecs } => self.progress(call, leg, dialog, codecs, now),
            LegCommand::Key { digit, held } => self.tell_key(call, leg, dialog, (digit, held), now),
            LegCommand::Probe => self.endpoint.request(dialog, Method::Options, &[], None, now),
            LegCommand::Refresh => self.endpoint.refresh(dialog, now),
        }
    }

    /// The dialog of a leg is over, as far as the leg is concerned.
    pub(super) fn unlink(&mut self, leg: LegId, now: Instant) {
        if let Some(link) = self.links.get_mut(&leg)
            && let Some(dialog) = link.dialog.take()
        {
            link.last = Some(dialog);
            self.remember(dialog, now);
        }
    }

    /// Where our offer is due in what is said first, it is there.
    fn ring(&mut self, call: &Call, leg: LegId, dialog: DialogId, now: Instant) {
        let place = self.audio_of(leg);
        let srtp = self.srtp_with(Role::Caller, &call.about.trunk, self.endpoint.is_secure(dialog));
        if let (Some(place), Some(srtp)) = (place.filter(|_| self.endpoint.offer_is_due(dialog)), srtp) {
            let local = local_media(place, call.about.codecs.clone(), srtp);
            // It fails only for an offer of the peer's, or a call that was cancelled meanwhile.
            let _ = self.endpoint.progress(dialog, 180, local, now);
        } else {
            self.endpoint.ring(dialog, 180, now);
        }
    }

    /// Where the caller is to be heard and to hear, before it is answered.
    fn progress(&mut self, call: &Call, leg: LegId, dialog: DialogId, codecs: Vec<Codec>, now: Instant) {
        let Some(place) = self.audio_of(leg) else { return };
        let srtp = self.srtp_with(Role::Caller, &call.about.trunk, self.endpoint.is_secure(dialog));
        let Some(local) = srtp.map(|srtp| local_media(place, codecs, srtp)) else { return };
        // Without an offer there is nothing to answer yet, and what fails here fails again when it is answered.
        if let Ok(Some(media)) = self.endpoint.progress(dialog, 183, local, now) {
            self.feedback.push_back((leg, LegEvent::Progressed { media }));
        }
    }

    fn answer(&mut self, call: &Call, leg: LegId, codecs: Vec<Codec>, now: Instant) {
        let dialog = self.links.get(&leg).and_then(|link| link.dialog);
        let (Some(dialog), Some(place)) = (dialog, self.audio_of(leg)) else { return };
        let srtp = self.srtp_with(Role::Caller, &call.about.trunk, self.endpoint.is_secure(dialog));
        let local = srtp.map(|srtp| local_media(place, codecs, srtp)).ok_or(AcceptError::NoCommonCodec);
        let event = match local.and_then(|local| self.endpoint.accept(dialog, local, &[], now)) {
            Ok(media) => LegEvent::Answered { media },
            Err(AcceptError::NoCommonCodec) => {
                self.reject(dialog, 488, now);
                self.unlink(leg, now);
                LegEvent::Refused { status: 488 }
            }
            // It was cancelled meanwhile; that event is on its way.
            Err(AcceptError::NotWaiting) => return,
        };
        self.feedback.push_back((leg, event));
    }

    /// Whether audio with a trunk, bot or desk is encrypted, when it is agreed on a way that is `secure` or not; none where
    /// it may not be agreed there.
    pub(super) fn srtp_with(&self, role: Role, name: &str, secure: bool) -> Option<SrtpUse> {
        self.signalling_of(role, name).map(|signalling| signalling.srtp).unwrap_or_default().over(secure)
    }

    /// Where the leg's audio comes and goes, as its peer is told.
    pub(super) fn audio_of(&self, leg: LegId) -> Option<SocketAddr> {
        let link = self.links.get(&leg)?;
        Some(self.audio_at(link.interface, link.port?))
    }

    pub(super) fn audio_at(&self, interface: InterfaceId, port: u16) -> SocketAddr {
        SocketAddr::new(self.config.interfaces.get(interface).media_ip, port)
    }

    fn dial(&mut self, call: &Call, leg: LegId, dial: Dial, now: Instant) -> Result<(), String> {
        let caller = self.links.get(&LegId { call: leg.call, index: 0 }).ok_or("the caller is gone")?;
        if self.config.desk(&dial.name).is_some_and(|desk| dial.role == Role::Desk && desk.browser) {
            return self.await_page(leg, dial, now);
        }
        let place = self.place(&dial, (&caller.caller_user, &caller.dialled_user))?;
        let again = dial.consult.as_ref().is_some_and(|consult| consult.again);
        let same = self.links.get(&leg).and_then(|link| link.target).filter(|_| again);
        let mut left = match same {
            Some(same) => [same].into(),
            None => self.in_order(dial.role, &dial.name, &place.targets, now),
        };
        let at = left.pop_front().ok_or_else(|| format!("{} {} has no address", dial.role, dial.name))?;
        self.dial_at(call, leg, Attempt { dial, at, left }, now)
    }

    /// Calls one target.
    pub(super) fn dial_at(&mut self, call: &Call, leg: LegId, attempt: Attempt, now: Instant) -> Result<(), String> {
        let caller = LegId { call: leg.call, index: 0 };
        let first = self.links.get(&caller).ok_or("the caller is gone")?;
        let Attempt { dial, at, .. } = &attempt;
        let place = self.place(dial, (&first.caller_user, &first.dialled_user))?;
        let signalling = self.signalling_of(dial.role, &dial.name);
        let keys_by = signalling.map(crate::Signalling::keys_by).unwrap_or_default();
        let named = signalling.and_then(|signalling| signalling.interface.as_deref());
        let flow = place.flow.or_else(|| self.config.interfaces.flow_to(named, at.transport, at.address));
        let flow = flow.ok_or_else(|| format!("no local SIP address for {}", at.transport))?;
        let link = self.link(first, dial, self.config.interfaces.of(flow), (place.allowed, keys_by));
        let srtp = self.srtp_with(dial.role, &dial.name, at.transport.is_secure());
        let srtp = srtp.ok_or_else(|| format!("srtp is required, and {} hides no keys", at.transport))?;
        let interface = link.interface;
        let port = self.open(leg, link, now)?;
        let media = local_media(self.audio_at(interface, port), dial.codecs.clone(), srtp);
        let refused = self.links.get(&leg).and_then(|link| link.last);
        let refused = refused.filter(|_| dial.consult.as_ref().is_some_and(|consult| consult.again));
        let (role, resumed) = (dial.role, dial.resumed.clone());
        let mut request =
            self.invite_request(call, leg, place.uri, flow, media, &dial.name, dial.consult.clone(), now)?;
        if let Some(resumed) = &resumed {
            let room = self.room(&request, now);
            request.headers.extend(metadata::resumed(resumed, room));
        }
        self.pass_on(leg, &mut request, now);
        let refusable = self.is_refusable(call, &attempt.dial.name, role).then(|| Box::new(request.clone()));
        let dialog = match refused {
            Some(refused) => self.endpoint.invite_again(refused, request, now),
            None => self.endpoint.invite(request, now),
        };
        if let Some(link) = self.links.get_mut(&leg) {
            link.dialog = Some(dialog);
            link.dialled = Some(now);
            link.target = Some(attempt.at);
            link.attempt = Some(attempt);
            link.refusable = refusable;
        }
        self.dialogs.insert(dialog, (leg, role));
        self.await_target(leg, dialog, now);
        Ok(())
    }

    /// What a leg that is dialled begins with.
    pub(super) fn link(
        &self,
        first: &Link,
        dial: &Dial,
        interface: InterfaceId,
        (allowed, keys_by): (Vec<Network>, KeysBy),
    ) -> Link {
        let desk = self.config.desk(&dial.name).filter(|_| dial.role == Role::Desk);
        Link {
            role: dial.role,
            dialog: None,
            port: None,
            interface,
            allowed,
            keys_by,
            last: None,
            dialled: None,
            target: None,
            attempt: None,
            second: None,
            max_forwards: first.max_forwards,
            first_call_id: first.first_call_id.clone(),
            caller_user: first.caller_user.clone(),
            dialled_user: first.dialled_user.clone(),
            withheld_user: first.withheld_user.clone(),
            refusable: None,
            passed: first.passed.clone(),
            profile: desk.map(|desk| std::sync::Arc::clone(&desk.profile)),
            codecs: dial.codecs.clone(),
        }
    }

    /// What the trunk said of the way the call came, as far as there is room.
    fn pass_on(&mut self, leg: LegId, request: &mut InviteRequest, now: Instant) {
        let room = self.room(request, now);
        let Some(link) = self.links.get(&leg) else { return };
        let (fit, left_out) = passing::fitting(&link.passed, room);
        request.headers.extend(fit);
        if !left_out.is_empty() {
            let text = format!("INVITE: no room for the caller's {}", left_out.join(", "));
            self.trace(Some(leg.call), TraceKind::Note { about: Party::Gateway, text }, now);
        }
    }

    /// Octets that an INVITE may still take.
    fn room(&self, request: &InviteRequest, now: Instant) -> usize {
        if self.endpoint.may_grow(request.flow, &request.request_uri, now) {
            return usize::MAX;
        }
        let part = request.extra_part.as_ref().map_or(0, |part| part.bytes.len() + 400);
        metadata::UDP_LIMIT.saturating_sub(bare_size(request, &self.config.user_agent) + part)
    }

    /// A port for the leg: the one it has, when it is dialled again on the same side of ours, or a new one.
    pub(super) fn open(&mut self, leg: LegId, link: Link, now: Instant) -> Result<u16, String> {
        let interface = link.interface;
        if let Some(held) = self.links.get(&leg)
            && let Some(port) = held.port
        {
            if held.interface == interface {
                return Ok(port);
            }
            let port = self.ports.take(now).ok_or("no RTP port is free")?;
            self.move_port(leg, (interface, port), now);
            return Ok(port);
        }
        let port = self.ports.take(now).ok_or("no RTP port is free")?;
        self.links.insert(leg, link);
        self.open_at(leg, (interface, port));
        Ok(port)
    }

    /// The leg's audio comes and goes there from now on.
    pub(super) fn move_port(&mut self, leg: LegId, place: (InterfaceId, u16), now: Instant) {
        self.free_port(leg, now);
        self.send_media(MediaCommand::Close { leg });
        self.open_at(leg, place);
    }

    pub(super) fn open_at(&mut self, leg: LegId, (interface, port): (InterfaceId, u16)) {
        let Some(link) = self.links.get_mut(&leg) else { return };
        (link.port, link.interface) = (Some(port), interface);
        let (role, allowed, keys_by) = (link.role, link.allowed.clone(), link.keys_by);
        self.send_media(MediaCommand::Open { leg, role, port, interface, allowed, keys_by });
    }

    fn place(&self, dial: &Dial, (caller, dialled): (&str, &str)) -> Result<Place, String> {
        let unknown = || format!("no {} named {} is configured", dial.role, dial.name);
        if let Some(seat) = self.seat_of(dial) {
            return self.registered_place(dial, seat);
        }
        let (uri, targets, allowed) = match dial.role {
            Role::Caller => return self.trunk_place(dial, caller),
            Role::Desk => {
                let desk = self.config.desk(&dial.name).ok_or_else(unknown)?;
                (&desk.uri, &desk.targets, &desk.allowed_media)
            }
            _ => {
                let bot = self.config.bot(&dial.name).ok_or_else(unknown)?;
                let BotReach::Sip { uri, targets, .. } = &bot.reach else { return Err(unknown()) };
                (uri, targets, &bot.allowed_media)
            }
        };
        let uri = uri.replace("{user}", dialled);
        let uri =
            Uri::parse(&uri).map_err(|error| format!("{} {}: {uri} is not a URI: {error}", dial.role, dial.name))?;
        let mut place = Place { uri, targets: targets.clone(), flow: None, allowed: allowed.clone() };
        if let Some(other) = dial.consult.as_ref().and_then(|consult| consult.in_place_of.as_ref()) {
            place.move_to(&other.uri)?;
        }
        Ok(place)
    }

    /// Somebody who is called back: the number was checked, and is nothing but digits.
    fn trunk_place(&self, dial: &Dial, number: &str) -> Result<Place, String> {
        let trunk = self.config.trunks.iter().find(|trunk| trunk.name == dial.name);
        let outbound = trunk.and_then(|trunk| Some((trunk.outbound.as_ref()?, trunk)));
        let (outbound, trunk) = outbound.ok_or_else(|| format!("trunk {} takes no calls of ours", dial.name))?;
        let uri = outbound.uri.replace("{number}", number);
        let uri = Uri::parse(&uri).map_err(|error| format!("trunk {}: {uri} is not a URI: {error}", dial.name))?;
        Ok(Place { uri, targets: vec![outbound.target], flow: None, allowed: trunk.allowed_media.clone() })
    }

    /// Where its telephone registered from, and nowhere else, whatever takes the place of what.
    fn registered_place(&self, dial: &Dial, seat: &Seat) -> Result<Place, String> {
        let binding = self.endpoint.bindings(&seat.user).last();
        let binding = binding.ok_or_else(|| format!("no telephone of {} is registered", dial.name))?;
        let other = dial.consult.as_ref().and_then(|consult| consult.in_place_of.as_ref());
        let uri = other.map_or(binding.contact.as_str(), |other| other.uri.as_str());
        let uri = Uri::parse(uri).map_err(|error| format!("{uri} is not a URI: {error}"))?;
        let allowed = self.config.desk(&dial.name).map(|desk| desk.allowed_media.clone()).unwrap_or_default();
        let flow @ Flow { transport, remote, .. } = binding.flow;
        Ok(Place { uri, targets: vec![Target::new(transport, remote)], flow: Some(flow), allowed })
    }

    fn seat_of(&self, dial: &Dial) -> Option<&Seat> {
        self.config.desk(&dial.name).filter(|_| dial.role == Role::Desk)?.signalling.seat.as_ref()
    }

    #[expect(clippy::too_many_arguments, reason = "one INVITE is made of this much")]
    fn invite_request(
        &mut self,
        call: &Call,
        leg: LegId,
        target: Uri,
        flow: Flow,
        local: LocalMedia,
        desk: &str,
        consult: Option<Consult>,
        now: Instant,
    ) -> Result<InviteRequest, String> {
        let link = self.links.get(&leg).ok_or("the leg is gone")?;
        let about = &call.about;
        let caller_id = self.config.desk(desk).map(|desk| &desk.signalling.caller_id);
        let back = link.role == Role::Caller;
        let trunks = back || caller_id.is_some_and(|one| one.trunks);
        let shown = self.number_of(&about.trunk).filter(|_| trunks).map(str::to_owned);
        let outgoing = Outgoing {
            flow,
            may_grow: self.endpoint.may_grow(flow, &target, now),
            target,
            caller_user: match &shown {
                None if back => ANONYMOUS,
                None => &link.caller_user,
                Some(shown) => shown,
            },
            withheld: link
                .withheld_user
                .as_deref()
                .filter(|_| shown.is_none() && caller_id.is_some_and(|one| one.trusted)),
            caller_name: about
                .caller_name
                .as_ref()
                .filter(|_| shown.is_none() && !back)
                .map(|name| name.reveal().to_owned()),
            session_id: &about.session_id,
            first_call_id: &link.first_call_id,
            call_id: consult.as_ref().map(|consult| consult.sip_call_id.clone()),
            max_forwards: link.max_forwards,
            replaces: consult.as_ref().and_then(|consult| Some(consult.in_place_of.as_ref()?.replaces.clone())),
            local,
        };
        let unwritable = || format!("{} cannot be written in a URI", flow.local.ip());
        let config = std::sync::Arc::clone(&self.config);
        let desk = config.desk(desk).filter(|_| !back);
        let (Some(consult), Some(desk)) = (consult, desk) else {
            return outgoing.request(desk.is_some_and(|desk| desk.profile.user_phone)).ok_or_else(unwritable);
        };
        let base = config.package_url_base.as_deref();
        let invite = consult_invite(outgoing, desk, &consult.facts, base, consult.plain, &config.user_agent);
        let invite = invite.ok_or_else(unwritable)?;
        for text in invite.notes {
            self.trace(Some(leg.call), TraceKind::Note { about: Party::Gateway, text }, now);
        }
        Ok(invite.request)
    }

    /// REFER with Replaces: the peer of `leg` shall call the peer of `consult`, who takes it for us (RFC 5589 §7).
    fn refer(&mut self, leg: LegId, consult: LegId, facts: Option<&HandoffFacts>, now: Instant) {
        let dialog_of = |leg: &LegId| self.links.get(leg).and_then(|link| link.dialog);
        let named = dialog_of(&consult).and_then(|consult| {
            let replaces = self.endpoint.replaces_value(consult)?;
            Some(replaces.refer_to(&self.endpoint.remote_target(consult)?))
        });
        let (Some(dialog), Some(refer_to)) = (dialog_of(&leg), named) else {
            self.feedback.push_back((leg, LegEvent::Refer(ReferProgress::Unsendable)));
            return;
        };
        let refer_to = match facts {
            Some(facts) => match self.refer_to_as_the_desk_wants(leg, consult, refer_to, facts, now) {
                Some(refer_to) => refer_to,
                None => return self.feedback.push_back((leg, LegEvent::Refer(ReferProgress::Unsendable))),
            },
            None => refer_to,
        };
        let referred_by = self.referred_by(dialog);
        self.endpoint.refer(dialog, refer_to.as_str(), &referred_by, now);
    }

    fn referred_by(&self, dialog: DialogId) -> String {
        let host = self.endpoint.local_address(dialog).map(|address| format!("@{}", host_text(address.ip())));
        format!("sip:handoff{}", host.unwrap_or_default())
    }

    /// REFER without Replaces: the trunk shall call the desk. Its URI goes out byte for byte unless the trunk wants
    /// telephone numbers in a form of its own; behind it stands what the desk's profile wants to be told.
    fn refer_blindly(&mut self, call: &Call, leg: LegId, desk: &str, facts: Option<&HandoffFacts>, now: Instant) {
        let link = self.links.get(&leg).and_then(|link| Some((link.dialog?, link.dialled_user.as_str())));
        let config = std::sync::Arc::clone(&self.config);
        let (Some((dialog, dialled)), Some(desk)) = (link, config.desk(desk)) else {
            return self.feedback.push_back((leg, LegEvent::Refer(ReferProgress::Unsendable)));
        };
        let uri = desk.uri.replace("{user}", dialled);
        let trunk = config.trunks.iter().find(|trunk| trunk.name == call.about.trunk);
        let form = trunk.map(|trunk| trunk.refer_to.clone()).unwrap_or_default();
        let form = match (form, desk.profile.refer_to_scheme) {
            (ReferTo::AsIs, ReferToScheme::Tel) => ReferTo::Tel,
            (form, _) => form,
        };
        let number = Uri::parse(&uri).ok().and_then(|uri| Telephone::of(&uri));
        let rewritten = match (form, number) {
            (ReferTo::Tel, Some(number)) => number.tel(),
            (ReferTo::Domain(host), Some(number)) => number.sip_at(&host),
            _ => None,
        };
        let refer_to = match (rewritten.or_else(|| Uri::parse(&uri).ok()), facts) {
            (Some(target), Some(facts)) if target.host().is_some() => {
                self.with_facts(leg, &desk.profile, target, facts, now).as_str().to_owned()
            }
            (target, _) => target.map_or(uri, |target| target.as_str().to_owned()),
        };
        let referred_by = self.referred_by(dialog);
        self.endpoint.refer(dialog, &refer_to, &referred_by, now);
    }

    /// With the facts, in the form that the desk's product takes; none when it takes none that names a dialog.
    fn refer_to_as_the_desk_wants(
        &mut self,
        leg: LegId,
        consult: LegId,
        refer_to: Uri,
        facts: &HandoffFacts,
        now: Instant,
    ) -> Option<Uri> {
        let profile = self.links.get(&consult).and_then(|link| link.profile.clone()).unwrap_or_default();
        if profile.refer_to_scheme == ReferToScheme::Tel {
            let text = format!("profile {}: a tel: URI cannot carry Replaces", profile.name);
            self.trace(Some(leg.call), TraceKind::Note { about: Party::Gateway, text }, now);
            return None;
        }
        Some(self.with_facts(leg, &profile, refer_to, facts, now))
    }

    fn with_facts(&mut self, leg: LegId, profile: &Profile, refer_to: Uri, facts: &HandoffFacts, now: Instant) -> Uri {
        let (refer_to, left_out) = metadata::refer_to(profile, refer_to, facts);
        if !left_out.is_empty() {
            let text = format!("Refer-To: profile {} has no room for {}", profile.name, left_out.join(", "));
            self.trace(Some(leg.call), TraceKind::Note { about: Party::Gateway, text }, now);
        }
        refer_to
    }
}
