//! How SIP is spoken with one peer: the keys that trunks, bots and desks share.

use super::digits::keys_out;
use super::reader::Section;
use call_core::Signalling;
use call_model::SrtpUse;
use sip_proto::{Credentials, Transport};

/// What every peer may have.
pub(super) fn signalling(section: &mut Section) -> Signalling {
    let srtp = section.text("srtp", |text| match text {
        "off" => Ok(SrtpUse::Off),
        "optional" => Ok(SrtpUse::Optional),
        "required" => Ok(SrtpUse::Required),
        _ => Err(format!("`{text}` is not known: off, optional or required")),
    });
    Signalling {
        account: credentials(section),
        admits: None,
        srtp: srtp.unwrap_or_default(),
        keys: keys_out(section),
        early_media: false,
    }
}

/// The keys of SRTP travel in the session description, so whoever reads that hears everything.
pub(super) fn keys_need_tls(section: &Section, signalling: &Signalling, transport: Transport) {
    if signalling.srtp != SrtpUse::Off && !transport.is_secure() {
        let what = format!(
            "sends its keys over {transport}, where everybody can read them: reach it by TLS, or take srtp out"
        );
        section.complain("srtp", what);
    }
}

/// Who has to call on a trunk: its section `auth`.
pub(super) fn admits(section: &mut Section) -> Option<Credentials> {
    let mut auth = section.section("auth");
    let admits = credentials(&mut auth);
    auth.finish();
    admits
}

fn credentials(section: &mut Section) -> Option<Credentials> {
    let (username, password) = (section.string("username"), section.secret("password"));
    match (username, password, section.string("realm")) {
        (None, None, None) => None,
        (Some(username), Some(password), Some(realm)) => Some(Credentials { realm, username, password }),
        _ => {
            let what = "password and realm go together: give all three, realm as the peer's 401 or 407 names it";
            section.complain("username", what);
            None
        }
    }
}
