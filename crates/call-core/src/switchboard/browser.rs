//! A desk's page as the other end of a leg: it is not called, but says when it is there.

use super::dial::local_media;
use super::{DeskRefused, Switchboard};
use crate::leg::{Dial, LegEvent};
use call_model::{Codec, DeskId, HandoffId, Instant, InterfaceId, KeysBy, LegId};

impl Switchboard {
    /// The pop is all the ringing there is. The port is open from now on, so that the page's answer names one.
    pub(super) fn await_page(&mut self, leg: LegId, dial: Dial, now: Instant) -> Result<(), String> {
        let first = self.links.get(&LegId { call: leg.call, index: 0 }).ok_or("the caller is gone")?;
        let named = self.config.desk(&dial.name).and_then(|desk| desk.signalling.interface.as_deref());
        let named = named.and_then(|name| self.config.interfaces.all().position(|one| one.name == name));
        let mut link = self.link(first, &dial, named.map(InterfaceId).unwrap_or_default(), (Vec::new(), KeysBy::Rtp));
        // Every browser has these, and both are relayed as they are.
        link.codecs.retain(|codec| codec.is_g711());
        [Codec::Pcmu, Codec::Pcma].into_iter().for_each(|codec| {
            if !link.codecs.contains(&codec) {
                link.codecs.push(codec);
            }
        });
        self.open(leg, link, now)?;
        self.feedback.push_back((leg, LegEvent::Ringing));
        Ok(())
    }

    /// The page of a desk brings the audio of a caller that it has accepted, or brings it again: what to tell the browser.
    ///
    /// # Errors
    /// When the caller is not this desk's, or the description cannot be answered; what was agreed before holds on.
    pub fn handle_offer(
        &mut self,
        desk: &DeskId,
        handoff: HandoffId,
        offer: &str,
        now: Instant,
    ) -> Result<String, DeskRefused> {
        let seat = self.config.desk(&desk.0).ok_or(DeskRefused::UnknownDesk)?;
        if !seat.browser {
            return Err(DeskRefused::NoBrowser);
        }
        let srtp = seat.signalling.srtp;
        let call = self.handoffs.get(&handoff).copied().ok_or(DeskRefused::NotYours)?;
        let entry = self.calls.get(&call).ok_or(DeskRefused::NotYours)?;
        let leg = entry.call.browser_leg(desk, handoff)?.id;
        let codecs = self.links.get(&leg).map(|link| link.codecs.clone()).unwrap_or_default();
        let at = self.audio_of(leg).ok_or(DeskRefused::TooLate)?;
        let (answer, media) = sip_proto::answer_browser(offer, local_media(at, codecs, srtp), &mut self.ids)
            .map_err(DeskRefused::Unusable)?;
        self.with_call(call, now, |call, world| call.on_page_audio(leg, media, world));
        self.pump(now);
        Ok(answer)
    }
}
