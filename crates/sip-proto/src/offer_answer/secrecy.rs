//! How a session is encrypted: by keys in the description (RFC 4568), or by DTLS where RTP goes (RFC 5763, RFC 8842).

use super::{Unusable, attribute_values, crypto};
use call_model::{Crypto, DtlsPeer, Fingerprint, IdSource, Keying, SrtpKey, SrtpSuite, SrtpUse};
use sdp_types::{Attribute, Media, Session as Sdp};

/// What a stream of the peer's says about it.
pub(super) struct Theirs {
    /// It must not go unencrypted.
    pub(super) secure: bool,
    /// It names keys, usable or not.
    says_keys: bool,
    /// Those that are usable, in the peer's order, under their tags.
    keys: Vec<(u32, SrtpKey)>,
    /// Who begins the handshake, and whose certificate it is that the peer shows.
    dtls: Option<(Setup, Fingerprint)>,
    /// RTCP may come and go where RTP does (RFC 5761).
    mux: bool,
}

/// Who opens an association (RFC 4145 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Setup {
    Active,
    Passive,
    ActPass,
}

impl Setup {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Active, "active"), (Self::Passive, "passive"), (Self::ActPass, "actpass")];

    /// None for a connection that is not to be.
    fn read(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(value.trim())).map(|(setup, _)| setup)
    }

    const fn of(active: bool) -> Self {
        if active { Self::Active } else { Self::Passive }
    }
}

/// What of an offer is taken.
#[derive(Clone, Copy)]
pub(super) enum Taken {
    Key(u32, SrtpKey),
    Dtls(DtlsPeer),
}

impl Theirs {
    pub(super) fn read(sdp: &Sdp, media: &Media, secure: bool) -> Self {
        let of_session = |name: &str| {
            let found = sdp.attributes.iter().find(|attribute| attribute.attribute.eq_ignore_ascii_case(name));
            found.and_then(|attribute| attribute.value.as_deref())
        };
        let said = |name| attribute_values(media, name).next().or_else(|| of_session(name));
        // What is left out in an offer is taken to be active, in an answer passive: either way it is not for both to say.
        let setup = said("setup").map_or(Some(Setup::ActPass), Setup::read);
        let certificate = attribute_values(media, "fingerprint").chain(of_session("fingerprint")).find_map(fingerprint);
        Self {
            secure,
            says_keys: attribute_values(media, "crypto").next().is_some(),
            keys: attribute_values(media, "crypto").filter_map(crypto::read).collect(),
            dtls: setup.zip(certificate),
            mux: media.attributes.iter().any(|attribute| attribute.attribute.eq_ignore_ascii_case("rtcp-mux")),
        }
    }

    /// Whether it can be answered.
    pub(super) fn suits(&self, srtp: SrtpUse) -> bool {
        self.take(srtp, None).is_some()
    }

    /// What to take: some none where it goes unencrypted, none where it may not. What is in use stays in use, if that is
    /// possible.
    #[expect(clippy::option_option, reason = "unencrypted is an agreement too")]
    pub(super) fn take(&self, srtp: SrtpUse, in_use: Option<Keying>) -> Option<Option<Taken>> {
        if let SrtpUse::Dtls(_) = srtp {
            let (setup, certificate) = self.dtls?;
            let active = match setup {
                Setup::Active => false,
                Setup::Passive => true,
                // The peer's first message is on its way as soon as it has our answer; ours would wait for its ACK.
                Setup::ActPass => {
                    matches!(in_use, Some(Keying::Dtls(peer)) if peer.active && peer.certificate == certificate)
                }
            };
            return Some(Some(Taken::Dtls(DtlsPeer { active, certificate })));
        }
        let suite = match in_use {
            Some(Keying::Told(crypto)) => Some(crypto.theirs.suite),
            _ => None,
        };
        let kept = self.keys.iter().find(|(_, key)| Some(key.suite) == suite);
        let key = kept.or(self.keys.first()).filter(|_| srtp != SrtpUse::Off);
        let needed = self.secure || srtp == SrtpUse::Required;
        (key.is_some() || !needed).then_some(key.map(|(tag, key)| Taken::Key(*tag, *key)))
    }
}

/// Our side of it, as we last offered or agreed to it.
#[derive(Clone)]
pub(super) struct Ours {
    /// Under their tags.
    keys: Vec<(u32, SrtpKey)>,
    setup: Setup,
    mux: bool,
    /// For new keys.
    ids: IdSource,
}

impl Ours {
    pub(super) const fn new(ids: IdSource) -> Self {
        Self { keys: Vec::new(), setup: Setup::ActPass, mux: true, ids }
    }

    /// For the first offer a key for each suite, and either part in DTLS; later what was agreed.
    pub(super) fn offer(&mut self, srtp: SrtpUse, agreed: Option<Option<Keying>>) {
        self.mux = true;
        self.setup = match agreed {
            Some(Some(Keying::Dtls(peer))) => Setup::of(peer.active),
            _ => Setup::ActPass,
        };
        match (agreed, srtp) {
            (Some(Some(Keying::Told(crypto))), _) => self.keys.retain(|(_, key)| *key == crypto.ours),
            (Some(_), _) | (None, SrtpUse::Off | SrtpUse::Dtls(_)) => self.keys.clear(),
            (None, SrtpUse::Optional | SrtpUse::Required) => {
                let keys = SrtpSuite::ALL.map(|suite| crypto::draw(suite, &mut self.ids));
                self.keys = (1..).zip(keys).collect();
            }
        }
    }

    /// What the answer to our offer makes of it.
    ///
    /// # Errors
    /// When the peer had to take one of our keys or our handshake and did not, or took a key that we did not offer.
    pub(super) fn answered(&self, answer: &Theirs, srtp: SrtpUse) -> Result<Option<Keying>, Unusable> {
        if let SrtpUse::Dtls(_) = srtp {
            let (setup, certificate) = answer.dtls.ok_or(Unusable::NoCommonCodec)?;
            return Ok(Some(Keying::Dtls(DtlsPeer { active: setup != Setup::Active, certificate })));
        }
        let with_ours = |(tag, theirs): &(u32, SrtpKey)| {
            let (_, ours) = self.keys.iter().find(|(ours, key)| ours == tag && key.suite == theirs.suite)?;
            Some(Crypto { ours: *ours, theirs: *theirs })
        };
        let crypto = answer.keys.iter().find_map(with_ours);
        let needed = answer.secure || answer.says_keys || srtp == SrtpUse::Required;
        if crypto.is_none() && needed { Err(Unusable::NoCommonCodec) } else { Ok(crypto.map(Keying::Told)) }
    }

    /// Takes this of the peer's offer.
    pub(super) fn answer(&mut self, taken: Option<Taken>, offer: &Theirs, in_use: Option<Keying>) -> Option<Keying> {
        self.keys.clear();
        self.mux = offer.mux;
        match taken? {
            Taken::Dtls(peer) => {
                self.setup = Setup::of(peer.active);
                Some(Keying::Dtls(peer))
            }
            Taken::Key(tag, theirs) => {
                // A key is never taken up again, for its packets would be numbered as some that were sent before.
                let ours = match in_use {
                    Some(Keying::Told(crypto)) if crypto.ours.suite == theirs.suite => crypto.ours,
                    _ => crypto::draw(theirs.suite, &mut self.ids),
                };
                self.keys.push((tag, ours));
                Some(Keying::Told(Crypto { ours, theirs }))
            }
        }
    }

    /// Whether RTCP goes where RTP does: only where DTLS would have to be spoken twice else.
    pub(super) fn is_muxed(&self, theirs: &Theirs, keying: Option<Keying>) -> bool {
        theirs.mux && self.mux && matches!(keying, Some(Keying::Dtls(_)))
    }

    pub(super) fn attributes(&self, srtp: SrtpUse) -> Vec<Attribute> {
        let SrtpUse::Dtls(certificate) = srtp else {
            return self.keys.iter().map(|(tag, key)| crypto::write(*tag, key)).collect();
        };
        let setup = Setup::ALL.into_iter().find(|(setup, _)| *setup == self.setup).map_or("", |(_, name)| name);
        let attribute = |name: &str, value| Attribute { attribute: name.to_owned(), value };
        let octets: Vec<String> = certificate.0.iter().map(|octet| format!("{octet:02X}")).collect();
        let mux = self.mux.then(|| attribute("rtcp-mux", None));
        let certificate = attribute("fingerprint", Some(format!("sha-256 {}", octets.join(":"))));
        [certificate, attribute("setup", Some(setup.to_owned()))].into_iter().chain(mux).collect()
    }
}

/// The SHA-256 among the fingerprints (RFC 8122 §5), which everybody has to have.
fn fingerprint(value: &str) -> Option<Fingerprint> {
    let (hash, octets) = value.trim().split_once(char::is_whitespace)?;
    let mut fingerprint = [0; 32];
    let mut octets = octets.trim().split(':');
    for octet in &mut fingerprint {
        let digits = octets.next().filter(|digits| digits.len() == 2 && !digits.starts_with('+'))?;
        *octet = u8::from_str_radix(digits, 16).ok()?;
    }
    (hash.eq_ignore_ascii_case("sha-256") && octets.next().is_none()).then_some(Fingerprint(fingerprint))
}
