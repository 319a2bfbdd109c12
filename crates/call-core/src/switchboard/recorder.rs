//! What a call wants of an external recorder, as SIP: one dialog about two streams (RFC 7866).

use super::dial::local_media;
use super::targets::SHUN;
use super::{Link, Switchboard};
use crate::call::Call;
use crate::invite::host_text;
use crate::leg::{Dial, RecordingOffer};
use crate::minutes;
use call_model::{Direction, Instant, InterfaceId, KeysBy, LegId, LocalMedia, MediaCommand, Party, RemoteMedia, Role};
use core::net::IpAddr;
use sip_proto::{Address, BodyPart, DialogId, InviteRequest, Proposal};
use sip_wire::{Host, Uri};
use std::sync::Arc;

impl Switchboard {
    pub(super) fn call_recorder(
        &mut self,
        call: &Call,
        leg: LegId,
        offer: &RecordingOffer,
        now: Instant,
    ) -> Result<(), String> {
        let config = Arc::clone(&self.config);
        let recorder = config.recorder.as_ref().ok_or("no recorder is configured")?;
        let mut targets = self.in_order(Role::Recorder, &recorder.name, &recorder.targets, now);
        let at = targets.pop_front().ok_or("the recorder has no address")?;
        let named = recorder.signalling.interface.as_deref();
        let flow = config.interfaces.flow_to(named, at.transport, at.address);
        let flow = flow.ok_or_else(|| format!("no local SIP address for {}", at.transport))?;
        let unwritable = |_| "our own address or the recorder's cannot be written in a URI";
        let target = Uri::parse(&recorder.uri).map_err(unwritable)?;
        let host = Host::parse(&host_text(flow.local.ip())).map_err(unwritable)?;
        for one in [leg, offer.second] {
            if let Some(old) = self.links.get_mut(&one).and_then(|link| link.dialog.take()) {
                self.remember(old, now);
            }
            let link = self.recorder_link(leg, config.interfaces.of(flow)).ok_or("the caller is gone")?;
            self.open(one, link, now)?;
        }
        let secure = at.transport.is_secure();
        let (local, second) = self.streams(leg, offer, secure).ok_or("srtp is required, and hides no keys there")?;
        let session_id = &call.about.session_id;
        let request = InviteRequest {
            flow,
            request_uri: target.clone(),
            to: Address::new(target),
            from: Address::new(Uri::sip("recording", &host, None)),
            call_id: None,
            max_forwards: 70,
            headers: vec![("Session-ID".to_owned(), format!("{session_id};remote={}", "0".repeat(32)))],
            extra_part: Some(metadata(call, offer, flow.local.ip())),
            local,
            second: Some(second),
            late_offer: false,
        };
        let dialog = self.endpoint.invite(request, now);
        if let Some(link) = self.links.get_mut(&leg) {
            (link.dialog, link.target, link.second) = (Some(dialog), Some(at), Some(offer.second));
        }
        self.dialogs.insert(dialog, (leg, Role::Recorder));
        Ok(())
    }

    /// Streams that are paused or go on, or people who came or went.
    pub(super) fn describe_to_recorder(
        &mut self,
        call: &Call,
        leg: LegId,
        dialog: DialogId,
        offer: &RecordingOffer,
        now: Instant,
    ) {
        let at = self.endpoint.local_address(dialog).map(|at| at.ip());
        let streams = self.streams(leg, offer, self.endpoint.is_secure(dialog));
        let (Some(at), Some((local, second))) = (at, streams) else { return };
        let proposal = Proposal { local, second: Some(second), part: Some(metadata(call, offer, at)) };
        self.endpoint.propose(dialog, proposal, now);
    }

    /// Both streams may flow, if it is the recorder's dialog.
    pub(super) fn open_to_recorder(&mut self, dialog: DialogId, media: RemoteMedia) {
        let Some((leg, Role::Recorder)) = self.current_leg(dialog) else { return };
        let second = self.links.get(&leg).and_then(|link| link.second).zip(self.endpoint.second_media(dialog));
        for (leg, media) in [Some((leg, media)), second].into_iter().flatten() {
            self.send_media(MediaCommand::Remote { leg, media });
        }
    }

    /// Another place of the recorder's is called next, if there is one.
    pub(super) fn shun_recorder(&mut self, dialog: DialogId, code: u16, now: Instant) {
        let Some((leg, Role::Recorder)) = self.current_leg(dialog).filter(|_| matches!(code, 408 | 503)) else {
            return;
        };
        let target = self.links.get(&leg).and_then(|link| link.target);
        if let Some((target, recorder)) = target.zip(self.config.recorder.as_ref()) {
            self.health.shun(Party::Recorder, &recorder.name, target, now + SHUN);
        }
    }

    fn recorder_link(&self, leg: LegId, interface: InterfaceId) -> Option<Link> {
        let recorder = self.config.recorder.as_ref()?;
        let first = self.links.get(&LegId { index: 0, ..leg })?;
        let dial = Dial {
            role: Role::Recorder,
            name: recorder.name.clone(),
            codecs: recorder.codecs.clone(),
            consult: None,
            resumed: None,
        };
        Some(self.link(first, &dial, interface, (Vec::new(), KeysBy::Rtp)))
    }

    fn streams(&self, leg: LegId, offer: &RecordingOffer, secure: bool) -> Option<(LocalMedia, LocalMedia)> {
        let recorder = self.config.recorder.as_ref()?;
        let srtp = recorder.signalling.srtp.over(secure)?;
        let stream = |leg, active| {
            let direction = if active { Direction::SendOnly } else { Direction::Inactive };
            Some(LocalMedia { direction, ..local_media(self.audio_of(leg)?, recorder.codecs.clone(), srtp) })
        };
        let [first, other] = offer.active;
        Some((stream(leg, first)?, stream(offer.second, other)?))
    }
}

fn metadata(call: &Call, offer: &RecordingOffer, at: IpAddr) -> BodyPart {
    BodyPart {
        content_type: minutes::TYPE.to_owned(),
        content_id: None,
        disposition: "recording-session",
        bytes: offer.minutes.xml(&call.about.session_id, &host_text(at)),
    }
}
