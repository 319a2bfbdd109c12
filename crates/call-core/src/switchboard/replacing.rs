//! INVITE with `Replaces`: a telephone, or a contact centre, takes over a dialog of ours (RFC 3891). The leg stays the
//! same, with its port unless that could still bring the former telephone's audio; only who is at its other end changes.
//! The endpoint has found the dialog, or answered 400, 481, 486 or 603.

use super::Switchboard;
use super::dial::local_media;
use crate::call::reason;
use crate::leg::LegEvent;
use crate::peers::contains;
use call_model::{Codec, Instant, InterfaceId, LegId, Role};
use core::net::IpAddr;
use sip_proto::{AcceptError, DialogId, Flow};
use sip_wire::Message;

impl Switchboard {
    pub(super) fn on_replacing(&mut self, new: DialogId, old: DialogId, flow: Flow, request: &Message, now: Instant) {
        let Some((leg, role)) = self.current_leg(old) else {
            // It is being hung up, and nobody's any more.
            return self.refuse_peer(new, request, 603, "INVITE with Replaces", now);
        };
        self.claim(request.call_id(), new, leg, role);
        let verdict = self.may_replace(leg, role, flow.remote.ip()).and_then(|(codecs, name)| {
            Ok((codecs, self.srtp_with(role, name, flow.transport.is_secure()).ok_or(488u16)?))
        });
        let accepted = verdict.and_then(|(codecs, srtp)| {
            let (place, moves) = self.place_for_another(leg, self.config.interfaces.of(flow), now)?;
            let accepted =
                self.endpoint.accept(new, local_media(self.audio_at(place.0, place.1), codecs, srtp), &[], now);
            match accepted {
                Ok(_) if moves => self.move_port(leg, place, now),
                Err(_) if moves => self.ports.give_back(place.1, now),
                _ => {}
            }
            accepted.map(|media| (media, moves)).map_err(|error| match error {
                AcceptError::NoCommonCodec => 488,
                AcceptError::NotWaiting => 487,
            })
        });
        match accepted {
            Ok((media, moved)) => {
                if let Some(link) = self.links.get_mut(&leg) {
                    link.dialog = Some(new);
                }
                let by = self.other_desk_at(leg, role, flow.remote.ip());
                let sip_call_id = request.call_id().to_owned();
                let event = LegEvent::Replaced { media, by, sip_call_id, moved };
                self.with_call(leg.call, now, |call, world| call.handle_leg(leg, event, world));
                // Only now: had the new one failed, the old one would be untouched (RFC 3891 §3).
                self.endpoint.bye(old, Some(&reason(200, "Replaced")), now);
                self.remember(old, now);
            }
            Err(status) => {
                // The old dialog is untouched.
                self.reject(new, status, now);
                self.remember(new, now);
                let text = format!("INVITE with Replaces refused ({status})");
                self.note_dialog(new, crate::call::party(role), text, now);
            }
        }
    }

    /// Where the audio of who takes a leg over shall go. A telephone that is just answering has not said yet where it is,
    /// so that nothing but the port could tell its audio, and its keys, from those of the other one; and one who comes by
    /// another side of ours does not reach the port there is. And whether that is another place.
    fn place_for_another(
        &mut self,
        leg: LegId,
        by: InterfaceId,
        now: Instant,
    ) -> Result<((InterfaceId, u16), bool), u16> {
        let call = self.calls.get(&leg.call).map(|entry| &entry.call);
        let answering =
            call.and_then(|call| call.leg(leg)).is_some_and(|leg| leg.role == Role::Desk && leg.codec.is_none());
        let held = self.links.get(&leg).and_then(|link| Some((link.interface, link.port?)));
        match held.ok_or(603u16)? {
            held if !answering && held.0 == by => Ok((held, false)),
            _ => self.ports.take(now).map(|port| ((by, port), true)).ok_or(503),
        }
    }

    /// Whether an address may take over a leg, with which codecs, and whose it is; or the status that refuses it.
    fn may_replace(&self, leg: LegId, role: Role, from: IpAddr) -> Result<(Vec<Codec>, &str), u16> {
        let call = self.calls.get(&leg.call).map(|entry| &entry.call).filter(|call| call.can_be_replaced(leg));
        let call = call.ok_or(603u16)?;
        match role {
            Role::Desk => {
                let name = call.leg(leg).map(|leg| leg.name.as_str()).unwrap_or_default();
                let desk = self.config.desk(name).ok_or(403u16)?;
                let own = desk.replaces_from.is_empty() && self.is_at(desk, from);
                let listed = desk.replaces_from.iter().any(|network| contains(*network, from));
                let granted = (call.codecs_for(&desk.codecs), name);
                if own || listed { Ok(granted) } else { Err(403) }
            }
            Role::Caller => {
                let trunk = self.peers.trunk(from).and_then(|index| self.config.trunks.get(index));
                let same = trunk.is_some_and(|trunk| trunk.name == call.about.trunk);
                if same { Ok((call.about.codecs.clone(), call.about.trunk.as_str())) } else { Err(403) }
            }
            Role::Bot | Role::Recorder => Err(403),
        }
    }

    /// The desk whose telephone an address is, when it is not the one that the leg was made for.
    fn other_desk_at(&self, leg: LegId, role: Role, from: IpAddr) -> Option<String> {
        let name = self.calls.get(&leg.call)?.call.leg(leg).filter(|_| role == Role::Desk)?.name.clone();
        let mut there = self.config.desks.iter().filter(|desk| self.is_at(desk, from));
        let first = there.next()?;
        let alone = there.next().is_none();
        (alone && first.name != name).then(|| first.name.clone())
    }
}
