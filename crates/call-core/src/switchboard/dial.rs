//! What a call wants of its legs, as SIP.

use super::incoming::ANONYMOUS;
use super::{Link, Switchboard};
use crate::call::Call;
use crate::config::{BotReach, Network};
use crate::leg::{Consult, Dial, HandoffFacts, LegCommand, LegEvent, ReferProgress};
use crate::metadata::{JSON_TYPE, Metadata, UDP_LIMIT, user_to_user};
use call_model::{Codec, Direction, Instant, LegId, LocalMedia, MediaCommand, Party, Role, TraceKind};
use core::net::{IpAddr, SocketAddr};
use sip_proto::{AcceptError, Address, BodyPart, Flow, InviteRequest, Transport};
use sip_wire::{Host, Method, Uri, text};

/// The payload type we choose for telephone-event.
const TELEPHONE_EVENT: u8 = 101;

/// Where a leg goes.
struct Target {
    uri: Uri,
    transport: Transport,
    address: SocketAddr,
    allowed: Vec<Network>,
    multipart: bool,
}

impl Target {
    /// Exactly there, on the same host: what is to be replaced lives in one telephone only.
    fn move_to(&mut self, uri: &str) -> Result<(), String> {
        self.uri = Uri::parse(uri).map_err(|error| format!("{uri} is not a URI: {error}"))?;
        if self.uri.host().and_then(Host::ip) == Some(self.address.ip()) {
            self.address.set_port(self.uri.port().unwrap_or(5060));
        }
        Ok(())
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
        let Some(dialog) = self.links.get(&leg).and_then(|link| link.dialog) else {
            if let LegCommand::HangUp { .. } = command {
                self.feedback.push_back((leg, LegEvent::Late));
            }
            return;
        };
        match command {
            LegCommand::Dial(_) => {}
            LegCommand::Ring => self.endpoint.ring(dialog, 180, now),
            LegCommand::Answer { codecs } => self.answer(leg, codecs, now),
            LegCommand::Refuse { status } => {
                self.reject(dialog, status, now);
                self.unlink(leg, now);
            }
            LegCommand::HangUp { reason } => self.endpoint.bye(dialog, Some(&reason), now),
            LegCommand::Refer { consult, facts } => self.refer(leg, consult, &facts, now),
            LegCommand::Probe => self.endpoint.request(dialog, Method::Options, &[], None, now),
        }
    }

    /// The dialog of a leg is over, as far as the leg is concerned.
    pub(super) fn unlink(&mut self, leg: LegId, now: Instant) {
        if let Some(link) = self.links.get_mut(&leg)
            && let Some(dialog) = link.dialog.take()
        {
            self.remember(dialog, now);
        }
    }

    fn answer(&mut self, leg: LegId, codecs: Vec<Codec>, now: Instant) {
        let Some(link) = self.links.get(&leg) else { return };
        let (Some(dialog), Some(port)) = (link.dialog, link.port) else { return };
        let local = self.local_media(port, codecs);
        let event = match self.endpoint.accept(dialog, local, &[], now) {
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

    fn local_media(&self, port: u16, codecs: Vec<Codec>) -> LocalMedia {
        LocalMedia {
            rtp: SocketAddr::new(self.config.media_ip, port),
            codecs,
            telephone_event: TELEPHONE_EVENT,
            direction: Direction::SendRecv,
        }
    }

    fn dial(&mut self, call: &Call, leg: LegId, dial: Dial, now: Instant) -> Result<(), String> {
        let caller = LegId { call: leg.call, index: 0 };
        let first = self.links.get(&caller).ok_or("the caller is gone")?;
        let link = Link {
            role: dial.role,
            dialog: None,
            port: None,
            max_forwards: first.max_forwards,
            first_call_id: first.first_call_id.clone(),
            caller_user: first.caller_user.clone(),
            dialled_user: first.dialled_user.clone(),
        };
        let mut target = self.target(&dial, &link.dialled_user)?;
        if let Some(place) = dial.consult.as_ref().and_then(|consult| consult.in_place_of.as_ref()) {
            target.move_to(&place.uri)?;
        }
        let local = self.config.sip.of(target.transport);
        let local = local.ok_or_else(|| format!("no local SIP address for {}", target.transport))?;
        let flow = Flow { transport: target.transport, local, remote: target.address };
        let port = self.open(leg, link, target.allowed.clone(), now)?;
        let media = self.local_media(port, dial.codecs);
        let request = self.invite_request(call, leg, &target, flow, media, dial.consult, now)?;
        let dialog = self.endpoint.invite(request, now);
        if let Some(link) = self.links.get_mut(&leg) {
            link.dialog = Some(dialog);
        }
        self.dialogs.insert(dialog, (leg, dial.role));
        Ok(())
    }

    /// A port for the leg: the one it has, when it is dialled again, or a new one.
    fn open(&mut self, leg: LegId, link: Link, allowed: Vec<Network>, now: Instant) -> Result<u16, String> {
        if let Some(port) = self.links.get(&leg).and_then(|link| link.port) {
            return Ok(port);
        }
        let port = self.ports.take(now).ok_or("no RTP port is free")?;
        let role = link.role;
        self.links.insert(leg, Link { port: Some(port), ..link });
        self.send_media(MediaCommand::Open { leg, role, port, allowed });
        Ok(port)
    }

    fn target(&self, dial: &Dial, dialled: &str) -> Result<Target, String> {
        let unknown = || format!("no {} named {} is configured", dial.role, dial.name);
        let (uri, transport, address, allowed, multipart) = match dial.role {
            Role::Desk => {
                let desk = self.config.desk(&dial.name).ok_or_else(unknown)?;
                (&desk.uri, desk.transport, desk.address, desk.allowed_media.clone(), desk.multipart)
            }
            _ => {
                let bot = self.config.bot(&dial.name).ok_or_else(unknown)?;
                let BotReach::Sip { uri, transport, address } = &bot.reach else { return Err(unknown()) };
                (uri, *transport, *address, bot.allowed_media.clone(), false)
            }
        };
        let uri = uri.replace("{user}", dialled);
        let uri =
            Uri::parse(&uri).map_err(|error| format!("{} {}: {uri} is not a URI: {error}", dial.role, dial.name))?;
        Ok(Target { uri, transport, address, allowed, multipart })
    }

    #[expect(clippy::too_many_arguments, reason = "one INVITE is made of this much")]
    fn invite_request(
        &mut self,
        call: &Call,
        leg: LegId,
        target: &Target,
        flow: Flow,
        local: LocalMedia,
        consult: Option<Consult>,
        now: Instant,
    ) -> Result<InviteRequest, String> {
        let link = self.links.get(&leg).ok_or("the leg is gone")?;
        let host = Host::parse(&host_text(flow.local.ip())).map_err(|error| error.to_string())?;
        let (from, assertion) = identity_headers(&link.caller_user, &host);
        let about = &call.about;
        let mut headers = vec![
            assertion,
            ("Session-ID".to_owned(), format!("{};remote={}", about.session_id, "0".repeat(32))),
            ("X-Call-ID".to_owned(), link.first_call_id.clone()),
        ];
        let max_forwards = link.max_forwards;
        let mut request = InviteRequest {
            flow,
            request_uri: target.uri.clone(),
            to: Address::new(target.uri.clone()),
            from: Address { display: about.caller_name.as_ref().map(|name| name.reveal().to_owned()), uri: from },
            call_id: consult.as_ref().map(|consult| consult.sip_call_id.clone()),
            max_forwards,
            headers: Vec::new(),
            extra_part: None,
            local,
            late_offer: false,
        };
        if let Some(consult) = consult {
            if let Some(place) = &consult.in_place_of {
                headers.push(("Replaces".to_owned(), place.replaces.clone()));
                headers.push(("Require".to_owned(), "replaces".to_owned()));
            }
            let base = self.config.package_url_base.as_deref();
            let multipart = target.multipart && !consult.plain;
            let host = host_text(flow.local.ip());
            let mut metadata = Metadata::new(&consult.facts, base, multipart, consult.plain, &host);
            if flow.transport == Transport::Udp {
                let room = UDP_LIMIT.saturating_sub(bare_size(&request, &headers, &self.config.user_agent));
                let dropped = metadata.fit(room);
                if !dropped.is_empty() {
                    let text = format!("consult INVITE trimmed to {UDP_LIMIT} octets: without {}", dropped.join(", "));
                    self.trace(Some(leg.call), TraceKind::Note { about: Party::Gateway, text }, now);
                }
            }
            headers.extend(metadata.headers);
            request.extra_part = metadata.part.map(|(content_id, bytes)| BodyPart {
                content_type: JSON_TYPE.to_owned(),
                content_id: Some(content_id),
                bytes,
            });
        }
        request.headers = headers;
        Ok(request)
    }

    /// REFER with Replaces: the peer of `leg` shall call the peer of `consult`, who takes it for us (RFC 5589 §7).
    fn refer(&mut self, leg: LegId, consult: LegId, facts: &HandoffFacts, now: Instant) {
        let dialog_of = |leg: &LegId| self.links.get(leg).and_then(|link| link.dialog);
        let named = dialog_of(&consult).and_then(|consult| {
            let replaces = self.endpoint.replaces_value(consult)?;
            Some(replaces.refer_to(&self.endpoint.remote_target(consult)?))
        });
        let (Some(dialog), Some(refer_to)) = (dialog_of(&leg), named) else {
            self.feedback.push_back((leg, LegEvent::Refer(ReferProgress::Unsendable)));
            return;
        };
        let refer_to = refer_to.with_header("User-to-User", &user_to_user(facts));
        let host = self.config.sip.udp.or(self.config.sip.tcp).map_or(self.config.media_ip, |address| address.ip());
        let referred_by = format!("sip:handoff@{}", host_text(host));
        self.endpoint.refer(dialog, refer_to.as_str(), &referred_by, now);
    }
}

/// Octets of the INVITE without metadata: exact but for the digits of the SDP's session id, counted at their most.
fn bare_size(request: &InviteRequest, headers: &[(String, String)], user_agent: &str) -> usize {
    /// Everything the endpoint writes that does not depend on the call: header names, branch, tag, Allow, Supported,
    /// and the SDP with two codecs. A test keeps it honest.
    const FIXED: usize = 543;
    let uris = 2 * request.request_uri.as_str().len() + request.from.uri.as_str().len();
    let addresses = 2 * request.flow.local.to_string().len() + 2 * request.local.rtp.ip().to_string().len();
    let display = request.from.display.as_ref().map_or(0, |name| text::quote(name).len() + 1);
    let call_id = request.call_id.as_ref().map_or(64, String::len);
    let listed: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    FIXED + uris + addresses + display + call_id + listed + user_agent.len()
}

fn host_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// `From`, and the header that says how far it is to be believed: asserted (RFC 3325), or withheld (RFC 3323 §4.1).
fn identity_headers(user: &str, host: &Host) -> (Uri, (String, String)) {
    let nobody = Host::parse("anonymous.invalid").unwrap_or_else(|_| host.clone());
    if user == ANONYMOUS {
        return (Uri::sip(user, &nobody, None), ("Privacy".to_owned(), "id".to_owned()));
    }
    let from = Uri::parse(&format!("sip:{user}@{host}")).unwrap_or_else(|_| Uri::sip("", host, None));
    let assertion = ("P-Asserted-Identity".to_owned(), format!("<{}>", from.as_str()));
    (from, assertion)
}
