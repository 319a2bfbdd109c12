//! What is no mistake, but worth knowing.

use super::routes;
use super::settings::Settings;
use call_core::{Record, Release};

/// In sentences.
pub(super) fn warnings(settings: &Settings, desk_has_page: &[bool]) -> Vec<String> {
    let board = &settings.switchboard;
    let mut out = Vec::new();
    for trunk in board.trunks.iter().filter(|trunk| trunk.release != Release::Stay) {
        out.push(format!(
            "trunk {}: after a proven handoff Warmline leaves the path by REFER where trunk or contact centre is known to \
             take it. From then on that call has no early-drop watchdog, no hand-back, no re-transfer, no recovery to \
             the bot when the human's line drops, no hold music and no quality figures. release = \"stay\" keeps them",
            trunk.name
        ));
    }
    for trunk in board.trunks.iter().filter(|trunk| trunk.addresses.iter().any(|(_, prefix)| *prefix == 0)) {
        out.push(format!("trunk {}: takes calls from every address there is; list the carrier's", trunk.name));
    }
    for (desk, page) in board.desks.iter().zip(desk_has_page) {
        if !page {
            out.push(format!(
                "desk {}: has no page_token, so no page: the phone rings without a screen pop",
                desk.name
            ));
        }
    }
    if board.desks.is_empty() {
        out.push("there is no desk: when a human is needed nobody can be rung".to_owned());
    }
    let http = &settings.http;
    let proxied = http.public_url.as_ref().is_some_and(|url| url.starts_with("https:"));
    if !http.bind.ip().is_loopback() && !proxied {
        out.push(format!(
            "http.listen {} faces a network without encryption: tokens and callers' stories can be read on the way; keep it \
             to 127.0.0.1 and set http.https_listen, or put a proxy with TLS before it and name that in http.public_url",
            http.bind
        ));
    }
    if settings.ledger == ledger::Place::Memory {
        out.push("ledger.path is :memory:, so the record of calls ends with the process".to_owned());
    }
    let recorded = |record: Option<Record>| record.unwrap_or(board.recording.calls) == Record::WhileHere;
    let released =
        board.trunks.iter().filter(|trunk| trunk.release != Release::Stay).find(|trunk| recorded(trunk.record));
    if let Some(trunk) = released {
        out.push(format!(
            "trunk {}: recordings end when Warmline leaves the path; record = \"always\" keeps it there",
            trunk.name
        ));
    }
    out.extend(routes::never_reached(&board.routes));
    out
}
