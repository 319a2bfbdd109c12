//! Calls between two endpoints.

use super::Dice;
use super::pair::{Pair, Weather, local};
use call_model::{Direction, RemoteMedia};
use core::time::Duration;
use sip_proto::{AcceptError, DialogEvent, DialogId};
use sip_wire::Method;

const STEPS: usize = 200;
const PAUSES: [u64; 6] = [0, 20, 500, 4_000, 33_000, 100_000];

/// Commands in any order on a network that loses, repeats and reorders, and damaged copies of what was sent; whatever
/// happens, nothing is left once everybody has hung up.
///
/// # Panics
/// Something is wrong.
pub fn transactions(octets: &[u8]) {
    let dice = &mut Dice(octets);
    let mut pair = Pair::new(dice);
    for _ in 0..STEPS {
        if dice.is_used_up() {
            break;
        }
        step(&mut pair, dice);
    }
    pair.end();
}

fn step(pair: &mut Pair, dice: &mut Dice<'_>) {
    let side = dice.below(2);
    let dialog = dialog(pair, side, dice);
    match dice.below(16) {
        0 | 1 => {
            let late_offer = dice.below(4) == 0;
            pair.invite(side, local(dice), late_offer);
        }
        2 | 3 => drop(pair.on(side, |endpoint, now| endpoint.accept(dialog, local(dice), &[], now))),
        4 => pair.on(side, |endpoint, now| endpoint.reject(dialog, dice.pick(&[302, 404, 486, 603]), "", &[], now)),
        5 => pair.on(side, |endpoint, now| endpoint.cancel(dialog, Some("SIP;cause=200"), now)),
        6 => pair.on(side, |endpoint, now| endpoint.bye(dialog, None, now)),
        7 => pair.on(side, |endpoint, now| endpoint.reinvite(dialog, local(dice), now)),
        8 => pair.on(side, |endpoint, now| endpoint.refer(dialog, "<sip:c@192.0.2.9>", "<sip:gw@192.0.2.1>", now)),
        9 => answer_refer(pair, side, dice),
        10 => pair.on(side, |endpoint, now| endpoint.request(dialog, Method::Info, &[], None, now)),
        11 => pair.weather = Weather { loses: dice.octet() % 8, doubles: dice.octet() % 8, jitter: dice.octet() % 64 },
        12 => inject(pair, dice),
        13 if dice.below(4) == 0 => {
            let flow = pair.flow(side);
            pair.on(side, |endpoint, now| endpoint.handle_flow_failed(flow, now));
        }
        _ => pair.pass(Duration::from_millis(dice.pick(&PAUSES))),
    }
}

fn dialog(pair: &Pair, side: usize, dice: &mut Dice<'_>) -> DialogId {
    let dialogs = &pair.sides[side].dialogs;
    let back = dice.below(4).min(dialogs.len().saturating_sub(1));
    dialogs.iter().rev().nth(back).copied().unwrap_or(DialogId(0))
}

fn answer_refer(pair: &mut Pair, side: usize, dice: &mut Dice<'_>) {
    if let Some(subscription) = pair.sides[side].subscriptions.last().copied() {
        pair.on(side, |endpoint, now| endpoint.notify_refer(subscription, dice.pick(&[180, 200, 486]), now));
    }
    if let Some(request) = pair.sides[side].referred.pop() {
        let accepted = pair.on(side, |endpoint, now| endpoint.accept_refer(request, now));
        pair.sides[side].subscriptions.extend(accepted);
    }
}

/// A copy of what was sent, with some octets changed, comes again.
fn inject(pair: &mut Pair, dice: &mut Dice<'_>) {
    if pair.history.is_empty() {
        return;
    }
    let (to, mut octets) = pair.history[usize::from(dice.octet()) % pair.history.len()].clone();
    for _ in 0..dice.below(4) {
        let at = (usize::from(dice.octet()) << 8 | usize::from(dice.octet())) % octets.len();
        octets[at] = dice.octet();
    }
    pair.deliver(to, &octets);
}

/// Offer and answer: undisturbed, both sides agree, or there was nothing to agree on; with descriptions that are changed
/// on the way, nothing breaks.
///
/// # Panics
/// Something is wrong.
pub fn negotiation(octets: &[u8]) {
    let dice = &mut Dice(octets);
    let mut pair = Pair::new(dice);
    let (ours, theirs) = (local(dice), local(dice));
    let common = ours.codecs.iter().any(|codec| theirs.codecs.contains(codec));
    let late_offer = dice.below(2) == 0;
    pair.invite(0, ours, late_offer);
    pair.pass(Duration::from_millis(100));
    let dialogs = [pair.sides[0].dialogs[0], *pair.sides[1].dialogs.first().expect("the INVITE came")];
    let accepted = pair.on(1, |endpoint, now| endpoint.accept(dialogs[1], theirs, &[], now));
    pair.pass(Duration::from_millis(500));
    match accepted {
        Err(error) => assert!(error == AcceptError::NoCommonCodec && !common && !late_offer, "{error}"),
        Ok(_) if !common => assert!(late_offer, "agreed on nothing"),
        Ok(at_once) => {
            let there = at_once.or_else(|| agreed(&pair, 1)).expect("the answer came");
            agree(agreed(&pair, 0).expect("answered"), there);
        }
    }
    while !dice.is_used_up() {
        let side = dice.below(2);
        pair.on(side, |endpoint, now| endpoint.reinvite(dialogs[side], local(dice), now));
        pair.pass(Duration::from_millis(dice.pick(&[0, 500])));
        pair.tamper = (dice.below(2) == 1).then(|| dice.octets().to_vec());
    }
    pair.end();
}

/// What holds for a side, as far as it was told.
fn agreed(pair: &Pair, side: usize) -> Option<RemoteMedia> {
    pair.sides[side].events.iter().rev().find_map(|event| match event {
        DialogEvent::Answered { media, .. } | DialogEvent::MediaChanged { media, .. } => Some(*media),
        DialogEvent::Confirmed { media, .. } => *media,
        _ => None,
    })
}

fn agree(here: RemoteMedia, there: RemoteMedia) {
    assert_eq!(here.codec, there.codec);
    assert_eq!(here.payload_type, there.payload_type, "one number for one codec");
    let mirrored = match there.direction {
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        other => other,
    };
    assert_eq!(here.direction, mirrored);
}
