//! `[http]`: where the API and the desk page are served, and to whom.

use super::peers::http_url;
use super::reader::{Section, socket};
use super::settings::HttpSettings;
use http_api::ApiConfig;
use std::net::SocketAddr;

/// What a human may say became of a conversation, where the operator says nothing.
const DISPOSITIONS: [&str; 6] =
    ["resolved", "follow_up", "callback_promised", "passed_on", "wrong_number", "caller_gone"];

pub(super) fn read(mut section: Section) -> HttpSettings {
    let settings = HttpSettings {
        bind: section.text("listen", socket).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8088))),
        public_url: section.text("public_url", http_url),
        api: ApiConfig {
            desks: Vec::new(),
            admin_token: section.secret("admin_token"),
            host_names: section.list("host_names", |name| Ok(name.to_owned())).unwrap_or_default(),
            dispositions: dispositions(&mut section),
        },
    };
    if settings.bind.ip().is_unspecified() && settings.public_url.is_none() {
        section.complain(
            "listen",
            format!("{} means every address, so bots and desks must be told which: set http.public_url", settings.bind),
        );
    }
    section.finish();
    settings
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
