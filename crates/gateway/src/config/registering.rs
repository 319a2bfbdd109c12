//! Registrations: ours at trunks, and those of desks' telephones here.

use super::interfaces::unspoken;
use super::peers::target;
use super::reader::{Complaints, Section, network};
use super::sections::as_u32;
use super::settings::Settings;
use call_core::{Desk, Register, contains};
use sip_proto::{Registrar, Seat};
use sip_wire::{DigestAlgorithm, Uri};

/// Where a trunk is registered at: its section `register`.
pub(super) fn register(section: &mut Section) -> Option<Register> {
    let username = section.peek("username").map(str::to_owned);
    let mut section = section.section("register");
    if section.is_empty() {
        section.finish_known(&["registrar", "aor", "expires_s"]);
        return None;
    }
    let registrar = section.required("registrar", "\"sip:carrier.example\"", |text| {
        let (uri, hop) = target(text)?;
        Ok((uri, hop.transport, hop.address()?, hop.host()))
    });
    let aor = section.text("aor", address_of_record);
    let expires = as_u32(section.number("expires_s", 60..=86_400, 3600));
    let host = registrar.as_ref().and_then(|(uri, ..)| Some(Uri::parse(uri).ok()?.host()?.to_string()));
    let aor = aor.or_else(|| address_of_record(&format!("sip:{}@{}", username?, host?)).ok());
    if aor.is_none() {
        section.complain("aor", "is missing: write aor = \"sip:NUMBER@DOMAIN\", or username for the trunk");
    }
    section.finish();
    let (registrar, transport, address, host) = registrar?;
    Some(Register { registrar, transport, address, host, aor: aor?, expires })
}

fn address_of_record(text: &str) -> Result<String, String> {
    match Uri::parse(text) {
        Ok(uri) if uri.is_sip() && uri.user().is_some_and(|user| !user.is_empty()) => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no address to be called at: write sip:NUMBER@DOMAIN")),
    }
}

/// As what a desk's telephones register: its section `register`.
pub(super) fn seat(section: &mut Section) -> Option<Seat> {
    let mut section = section.section("register");
    if section.is_empty() {
        section.finish_known(&["user", "password", "from"]);
        return None;
    }
    let user = section.required("user", "\"ada\"", |user| {
        let fine = user.len() <= 64 && user.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c));
        if fine { Ok(user.to_owned()) } else { Err(format!("`{user}` should be at most 64 of a-z, 0-9, - _ . +")) }
    });
    let password = section.secret("password");
    if password.is_none() {
        section.complain("password", "is missing: write password = \"file:ada.secret\"");
    }
    let from = section.list("from", network);
    if from.as_ref().is_none_or(Vec::is_empty) {
        section.complain("from", "names nobody: list where its telephones may be, such as [\"192.0.2.0/24\"]");
    }
    section.finish();
    Some(Seat { user: user?, password: password?, from: from? })
}

/// What all telephones that register are told: `[sip.registrar]`.
pub(super) fn registrar(mut section: Section) -> Registrar {
    let usual = Registrar::default();
    let realm = section.text("realm", |realm| match realm {
        "" => Err("is empty: write the name that telephones are asked for a password in".to_owned()),
        _ if realm.chars().any(|c| c.is_control() || c == '"') => Err("holds quotes or control characters".to_owned()),
        _ => Ok(realm.to_owned()),
    });
    let hashes = section.text("digest", |digest| match digest {
        "md5" => Ok(vec![DigestAlgorithm::Md5]),
        "sha-256" => Ok(vec![DigestAlgorithm::Sha256]),
        "both" => Ok(vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5]),
        _ => Err(format!("`{digest}` is not known: md5, sha-256 or both")),
    });
    let hashes = hashes.unwrap_or(usual.hashes);
    let least = as_u32(section.number("min_expires_s", 10..=86_400, usual.expires.0.into()));
    let most = as_u32(section.number("max_expires_s", 60..=604_800, usual.expires.1.into()));
    if least > most {
        section.complain("min_expires_s", format!("is {least}, more than max_expires_s, which is {most}"));
    }
    section.finish();
    Registrar { realm: realm.unwrap_or(usual.realm), hashes, seats: Vec::new(), expires: (least, most) }
}

/// What only shows across sections.
pub(super) fn check(settings: &Settings, complaints: &Complaints) {
    let board = &settings.switchboard;
    for (index, trunk) in board.trunks.iter().enumerate() {
        let Some(register) = &trunk.signalling.register else { continue };
        let path = format!("trunks[{index}].register.registrar");
        let ip = register.address.ip();
        if !trunk.addresses.iter().any(|network| contains(*network, ip)) {
            let what = format!("is at {ip}, which is not in addresses, so its answers would be dropped: add it there");
            complaints.add(path.clone(), what);
        }
        if let Some(what) = unspoken(settings, &trunk.signalling, register.transport) {
            complaints.add(path, what);
        }
    }
    let user = |desk: &Desk| desk.signalling.seat.as_ref().map(|seat| seat.user.clone());
    for (index, desk) in board.desks.iter().enumerate() {
        let same = board.desks.iter().take(index).find(|other| user(other).is_some() && user(other) == user(desk));
        if let Some(other) = same {
            let what = format!("is also that of desk {}: a telephone could be either's", other.name);
            complaints.add(format!("desks[{index}].register.user"), what);
        }
    }
}
