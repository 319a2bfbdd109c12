//! Two audio streams in one description, as recording sessions have them (RFC 7866): a session beside the session, whose
//! lines stand behind those of the first.

use super::{Session, Unusable};
use call_model::{IdSource, LocalMedia, RemoteMedia};
use sdp_types::{Media, Session as Sdp};

impl Session {
    /// The same with another stream beside it: both are offered, labelled (RFC 4574), and agreed to, or neither is.
    pub(crate) fn with_second(self, ids: &mut IdSource, local: Option<LocalMedia>) -> Self {
        Self { second: local.map(|local| Box::new(Self::new(ids, local))), ..self }
    }

    /// Whether there are two streams, as only recording sessions have.
    pub(crate) const fn is_recording(&self) -> bool {
        self.second.is_some()
    }

    /// What holds now of the other stream.
    pub(crate) fn agreed_second(&self) -> Option<RemoteMedia> {
        self.second.as_ref()?.agreed
    }

    /// Takes the second of two lines out of an offer, and answers it, where there are two streams.
    #[expect(clippy::type_complexity, reason = "the other stream as it will be, and its lines")]
    pub(super) fn answer_second(&self, sdp: &mut Sdp) -> Result<Option<(Box<Self>, Vec<Media>)>, Unusable> {
        let Some(mut second) = self.second.clone() else { return Ok(None) };
        let (Some(line), 1) = (sdp.medias.pop(), sdp.medias.len()) else { return Err(Unusable::NoCommonCodec) };
        let alone = Sdp { medias: vec![line], ..sdp.clone() };
        let (medias, _) = second.respond(&alone, None)?;
        Ok(Some((second, medias)))
    }
}
