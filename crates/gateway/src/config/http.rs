//! `[http]`: where the API and the desk page are served, and to whom.

use super::peers::http_url;
use super::reader::{Section, socket};
use super::settings::{HttpSettings, HttpsSettings};
use http_api::{ApiConfig, IceServer};
use std::net::SocketAddr;
use std::path::Path;

/// What a human may say became of a conversation, where the operator says nothing.
const DISPOSITIONS: [&str; 6] =
    ["resolved", "follow_up", "callback_promised", "passed_on", "wrong_number", "caller_gone"];

pub(super) fn read(mut section: Section, base: &Path) -> HttpSettings {
    let https = https(&mut section, base);
    let mut settings = HttpSettings {
        https,
        bind: section.text("listen", socket).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8088))),
        public_url: section.text("public_url", http_url),
        api: ApiConfig {
            desks: Vec::new(),
            admin_token: section.secret("admin_token"),
            host_names: section.list("host_names", |name| Ok(name.to_owned())).unwrap_or_default(),
            dispositions: dispositions(&mut section),
            ice_servers: section.sections("ice_servers").into_iter().map(ice_server).collect(),
        },
    };
    if settings.bind.ip().is_unspecified() && settings.public_url.is_none() {
        section.complain(
            "listen",
            format!("{} means every address, so bots and desks must be told which: set http.public_url", settings.bind),
        );
    }
    if let Some(https) = settings.https.as_mut() {
        https.names.clone_from(&settings.api.host_names);
        if https.bind == settings.bind && https.bind.port() != 0 {
            section.complain("https_listen", "is the address of listen: each needs a port of its own");
        }
        // One of our own is made at the start, not by looking at the configuration.
        if https.certificate.is_some()
            && let Err(problem) = crate::https::load(https)
        {
            section.complain("certificate", problem);
        }
    }
    section.finish();
    settings
}

fn https(section: &mut Section, base: &Path) -> Option<HttpsSettings> {
    let bind = section.text("https_listen", socket);
    let mut file = |key| section.text(key, |text| Ok(base.join(text)));
    let (certificate, key, own) = (file("certificate"), file("key"), file("self_signed"));
    if certificate.is_some() != key.is_some() {
        section.complain("certificate", "and key belong together: set both, or neither for one of our own making");
    }
    if bind.is_none() && (certificate.is_some() || own.is_some()) {
        section.complain("https_listen", "is missing: nothing would be served with that certificate");
    }
    let own = own.unwrap_or_else(|| base.join("warmline-self-signed"));
    Some(HttpsSettings { bind: bind?, certificate: certificate.zip(key), own, names: Vec::new() })
}

/// A STUN or TURN server for browsers. They ask it, not we.
fn ice_server(mut section: Section) -> IceServer {
    let url = |url: &str| match url.split_once(':') {
        Some(("stun" | "stuns" | "turn" | "turns", host)) if !host.is_empty() => Ok(url.to_owned()),
        _ => Err(format!("`{url}` is not known: stun:host:port or turn:host:port")),
    };
    let urls = section.list("urls", url).unwrap_or_default();
    if urls.is_empty() {
        section.complain("urls", "names no server: list one, such as [\"turn:turn.example.com:3478\"]");
    }
    let (username, credential) = (section.string("username"), section.secret("credential"));
    let turn = urls.iter().any(|url| url.starts_with("turn"));
    if username.is_some() != credential.is_some() || turn && username.is_none() {
        section.complain("username", "and credential belong together, and TURN needs them");
    }
    section.finish();
    IceServer { urls, username, credential }
}

/// What a human may say became of a conversation.
fn dispositions(section: &mut Section) -> Vec<String> {
    let listed = section.list("dispositions", |code| match code.len() {
        1..=64 if code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') => {
            Ok(code.to_owned())
        }
        _ => Err(format!("`{code}` is not a word of 1 to 64 lowercase letters, digits and underscores")),
    });
    listed.unwrap_or_else(|| DISPOSITIONS.map(str::to_owned).into())
}
