//! The section that says who may be called back, when, and by which trunk.

use super::peers::target;
use super::reader::{Complaints, Section};
use super::settings::Settings;
use call_core::{Callbacks, Date, Hours, OpenSpan, Outbound, Route, RouteTo, Target, Voicemails, Way, plain_number};
use sip_wire::Uri;
use std::time::Duration;

const KEYS: [&str; 13] = [
    "allowed",
    "forbidden",
    "time_zone",
    "hours",
    "closed",
    "trunk",
    "per_number",
    "per_day",
    "attempts",
    "retry_after_s",
    "ring_s",
    "give_up_after_h",
    "days_ahead",
];

/// None where nothing is said: nobody is called back.
pub(super) fn callbacks(mut section: Section) -> Option<Callbacks> {
    if section.is_empty() {
        section.finish_known(&KEYS);
        return None;
    }
    let allowed = section.list("allowed", begins).unwrap_or_default();
    if allowed.is_empty() {
        section.complain(
            "allowed",
            "is empty: list what numbers must begin with, such as [\"+44\"], or remove [callbacks]",
        );
    }
    let forbidden = section.list("forbidden", begins).unwrap_or_default();
    let hours = section.required("time_zone", "\"Europe/London\"", Hours::always);
    let spans = section.list("hours", OpenSpan::parse).unwrap_or_default();
    let day = |text: &str| text.parse::<Date>().map_err(|_| format!("`{text}` is no date: write \"2026-12-25\""));
    let closed = section.list("closed", day).unwrap_or_default();
    let trunk = section.string("trunk");
    let mut number = |key, range, default| section.number(key, range, default);
    let (per_number, per_day) = (number("per_number", 1..=1000, 2), number("per_day", 1..=100_000, 200));
    let attempts = number("attempts", 1..=20, 3);
    let retry_after = Duration::from_secs(number("retry_after_s", 60..=86_400, 900));
    let ring = Duration::from_secs(number("ring_s", 5..=120, 30));
    let give_up_after = Duration::from_secs(number("give_up_after_h", 1..=720, 48) * 3600);
    let furthest = Duration::from_secs(number("days_ahead", 1..=365, 14) * 86_400);
    section.finish();
    let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
    Some(Callbacks {
        allowed,
        forbidden,
        hours: Hours { spans, closed, ..hours? },
        trunk,
        per_number: size(per_number),
        per_day: size(per_day),
        attempts: u8::try_from(attempts).unwrap_or(u8::MAX),
        retry_after,
        ring,
        give_up_after,
        furthest,
    })
}

/// None where nothing is said: nobody leaves a message.
pub(super) fn voicemail(mut section: Section) -> Option<Voicemails> {
    if section.is_empty() {
        section.finish_known(&["max_s", "silence_s"]);
        return None;
    }
    let max = Duration::from_secs(section.number("max_s", 5..=3600, 180));
    let silence = Duration::from_secs(section.number("silence_s", 2..=60, 6));
    section.finish();
    Some(Voicemails { max, silence })
}

/// The beginning of a number.
fn begins(text: &str) -> Result<String, String> {
    // As many digits as a beginning may lack.
    let fine = plain_number(&format!("{text}00")).is_some_and(|number| number == format!("{text}00"));
    fine.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` begins no number: write \"+44\" or \"020\""))
}

/// Where a trunk takes calls of ours.
pub(super) fn call_out(section: &mut Section) -> Option<Outbound> {
    section.text("call_out", |text| {
        let example = "write \"sip:{number}@192.0.2.1:5060\"";
        let (uri, hop) = target(text)?;
        let user = Uri::parse(&uri.replace("{number}", "NUMBER")).ok().and_then(|uri| uri.user().map(str::to_owned));
        if !user.is_some_and(|user| user.contains("NUMBER")) {
            return Err(format!("`{text}` says not where the number goes: {example}"));
        }
        let target = Target::new(hop.transport, hop.address().map_err(|why| format!("{why}; {example}"))?);
        Ok(Outbound { uri, target, host: hop.host() })
    })
}

/// What only shows across sections.
pub(super) fn check(settings: &Settings, complaints: &Complaints) {
    let board = &settings.switchboard;
    for (at, trunk) in board.trunks.iter().enumerate() {
        let Some(outbound) = &trunk.outbound else { continue };
        let ip = outbound.target.address.ip();
        if !trunk.addresses.iter().any(|network| call_core::contains(*network, ip)) {
            let what = format!("leads to {ip}, which is none of its addresses: its answers would be refused");
            complaints.add(format!("trunks[{at}].call_out"), what);
        }
        if trunk.signalling.number.is_none() {
            let what = "is missing: whoever is called back sees it; write number = \"+442079460000\"";
            complaints.add(format!("trunks[{at}].number"), what);
        }
    }
    let asks = |way| move |route: &Route| route.otherwise.iter().any(|one| one.then == way);
    if let Some(at) = board.routes.iter().position(asks(Way::Voicemail)).filter(|_| board.voicemail.is_none()) {
        complaints.add(format!("routes[{at}].otherwise"), "asks for messages, which [voicemail] has to allow");
    }
    let unasked = |route: &Route| matches!(route.to, RouteTo::Desk(_)) && !route.otherwise.is_empty();
    if let Some(at) = board.routes.iter().position(unasked) {
        complaints
            .add(format!("routes[{at}].otherwise"), "is for routes with a bot: one that leads to a desk ends there");
    }
    if board.voicemail.is_some() && settings.recordings.is_none() {
        complaints.add("voicemail", "keeps messages with the recordings: set recording.directory and recording.key");
    }
    if let Some(at) = board.routes.iter().position(asks(Way::Callback)).filter(|_| board.callbacks.is_none()) {
        complaints.add(format!("routes[{at}].otherwise"), "has callers called back, which [callbacks] has to allow");
    }
    let Some(callbacks) = &board.callbacks else { return };
    let reachable = |name: &str| board.trunks.iter().any(|trunk| trunk.name == name && trunk.outbound.is_some());
    match &callbacks.trunk {
        Some(name) if !reachable(name) => {
            complaints.add("callbacks.trunk", format!("there is no trunk `{name}` with call_out"));
        }
        None if !board.trunks.iter().any(|trunk| trunk.outbound.is_some()) => {
            complaints.add("callbacks", "needs a trunk that takes our calls: write call_out at one of [[trunks]]");
        }
        _ => {}
    }
    if settings.ledger == ledger::Place::Memory {
        complaints.add("callbacks", "are promises, which a ledger in memory forgets: set ledger.path to a file");
    }
}
