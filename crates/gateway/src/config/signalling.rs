//! How SIP is spoken with one peer: the keys that trunks, bots and desks share.

use super::digits::keys_out;
use super::reader::{Complaints, Section};
use super::settings::Settings;
use crate::identity::identity;
use call_core::{CallerId, Signalling, passable};
use call_model::SrtpUse;
use sip_proto::{Credentials, Transport};

/// What every peer may have.
pub(super) fn signalling(section: &mut Section) -> Signalling {
    let srtp = section.text("srtp", |text| match text {
        "off" => Ok(SrtpUse::Off),
        "optional" => Ok(SrtpUse::Optional),
        "required" => Ok(SrtpUse::Required),
        "dtls" => match identity() {
            Ok(identity) => Ok(SrtpUse::Dtls(identity.fingerprint())),
            Err(error) => Err(format!("no certificate can be made for it: {error}")),
        },
        _ => Err(format!("`{text}` is not known: off, optional, required or dtls")),
    });
    Signalling {
        account: credentials(section),
        interface: section.string("interface"),
        srtp: srtp.unwrap_or_default(),
        keys: keys_out(section),
        ..Signalling::default()
    }
}

/// The keys of SRTP travel in the session description, so whoever reads that hears everything.
pub(super) fn keys_need_tls(section: &Section, signalling: &Signalling, transport: Transport) {
    if matches!(signalling.srtp, SrtpUse::Optional | SrtpUse::Required) && !transport.is_secure() {
        let what = format!(
            "sends its keys over {transport}, where everybody can read them: reach it by TLS, or take srtp out"
        );
        section.complain("srtp", what);
    }
}

/// What a trunk's callers say that bots and desks are to hear.
pub(super) fn pass_headers(section: &mut Section) -> Vec<String> {
    section.list("pass_headers", passable).unwrap_or_default()
}

/// Whose number a desk is shown.
pub(super) fn caller_id(section: &mut Section) -> CallerId {
    let trunks = section.text("caller_id", |text| match text {
        "caller" => Ok(false),
        "trunk" => Ok(true),
        _ => Err(format!("`{text}` is not known: caller (anonymous ones stay so) or trunk (the trunk's number)")),
    });
    let fallback = section.codes("caller_id_fallback", 400..=699);
    CallerId {
        trunks: trunks.unwrap_or_default(),
        fallback: fallback.unwrap_or_else(|| vec![433]),
        trusted: section.flag("trusted_with_withheld", false),
    }
}

/// A trunk's own number.
pub(super) fn number(section: &mut Section) -> Option<String> {
    section.text("number", |text| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fine = (1..=32).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
        if fine { Ok(text.to_owned()) } else { Err(format!("`{text}` is no number: write \"+442079460000\"")) }
    })
}

/// A desk that is to be shown a trunk's number, whichever trunk it is.
pub(super) fn check_numbers(settings: &Settings, complaints: &Complaints) {
    let board = &settings.switchboard;
    let Some(without) = board.trunks.iter().find(|trunk| trunk.signalling.number.is_none()) else { return };
    let shown = board.desks.iter().enumerate().filter(|(_, desk)| desk.signalling.caller_id.trunks);
    for (index, _) in shown {
        let what = format!("is \"trunk\", and trunk {} has no number: give it one", without.name);
        complaints.add(format!("desks[{index}].caller_id"), what);
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
