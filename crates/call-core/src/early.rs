//! What a caller hears before it is answered: the early audio of the bot, or of the desk it dialled, where its trunk
//! takes that (RFC 3960 §2).
//!
//! Of several branches of a fork the one that spoke of its audio last is heard, and no other: the media path takes packets
//! from nowhere else.

use crate::call::{Call, World};
use crate::leg::{LegCommand, LegState};
use call_model::{Codec, LegId, MediaCommand, RemoteMedia, Selector};

impl Call {
    /// Who is dialled for a caller can be heard already.
    pub(crate) fn on_early_media(&mut self, id: LegId, media: RemoteMedia, world: &World<'_>) {
        let trunk = world.config.trunks.iter().find(|trunk| trunk.name == self.about.trunk);
        let welcome = trunk.is_some_and(|trunk| trunk.signalling.early_media) && self.ending.is_none();
        let awaited = self.bot == Some(id) || self.is_direct() && self.is_alerting(id);
        let arriving = self.leg(self.caller_id()).is_some_and(|caller| caller.state == LegState::Arriving);
        if !(welcome && awaited && arriving) {
            return;
        }
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.state == LegState::Dialling) else { return };
        leg.codec = Some(media.codec);
        self.early = Some(id);
        self.send_media(MediaCommand::Remote { leg: id, media });
        let codecs = self.codecs_preferring(Some(media.codec));
        self.command(self.caller_id(), LegCommand::Progress { codecs });
    }

    /// The caller was told where to send and hear, and is not answered yet.
    pub(crate) fn on_caller_progressed(&mut self, media: RemoteMedia) {
        let caller = self.caller_id();
        if let Some(leg) = self.leg_mut(caller).filter(|leg| leg.state == LegState::Arriving) {
            leg.codec = Some(media.codec);
            self.send_media(MediaCommand::Remote { leg: caller, media });
        }
    }

    /// What a leg hears that is not up.
    pub(crate) fn early_source(&self, id: LegId) -> Option<Selector> {
        let caller = self.leg(id).filter(|leg| id == self.caller_id() && leg.state == LegState::Arriving)?;
        let heard = caller.codec.and(self.early).filter(|early| self.leg(*early).is_some())?;
        Some(Selector::Leg(heard))
    }

    /// What the caller may be answered with: this codec first, if it is one of them.
    pub(crate) fn codecs_preferring(&self, other: Option<Codec>) -> Vec<Codec> {
        let preferred = other.filter(|codec| self.about.codecs.contains(codec));
        let rest = self.about.codecs.iter().copied().filter(|codec| Some(*codec) != preferred);
        preferred.into_iter().chain(rest).collect()
    }
}
