//! Packets that are covered with keys, and descriptions that name them.

use super::Dice;
use super::pair::{Pair, local};
use call_model::{Crypto, Fingerprint, LocalMedia, SrtpKey, SrtpSuite, SrtpUse};
use core::time::Duration;
use rtp_proto::{Protection, SRTP_ROOM};

/// Packets come back as they were, once each; what was damaged on the way, or made up, is not let in.
///
/// # Panics
/// Something is wrong.
pub fn srtp(octets: &[u8]) {
    let dice = &mut Dice(octets);
    let suite = dice.pick(&SrtpSuite::ALL);
    let key = |with: u8| SrtpKey { suite, key: [with; 32], salt: [with; 14] };
    let mut sender = Protection::new(Crypto { ours: key(1), theirs: key(2) }).expect("keys");
    let mut receiver = Protection::new(Crypto { ours: key(2), theirs: key(1) }).expect("keys");
    while !dice.is_used_up() {
        let mut packet = match dice.below(4) {
            // Made up from the first octet on.
            0 => dice.octets().to_vec(),
            kind => plain(dice, kind == 1),
        };
        if dice.below(2) == 0 {
            let _ = receiver.open_rtp(&mut packet);
            continue;
        }
        let before = packet.clone();
        packet.resize(before.len() + SRTP_ROOM, 0);
        let Some(length) = sender.seal_rtp(&mut packet, before.len()) else { continue };
        packet.truncate(length);
        let damage = dice.octet();
        if damage & 3 == 0 {
            let at = usize::from(dice.octet()) % length;
            packet[at] ^= 1 << (damage >> 5);
            let mut copy = packet.clone();
            assert_eq!(receiver.open_rtp(&mut copy), None, "damaged at {at}");
            continue;
        }
        let mut opened = packet.clone();
        if let Some(length) = receiver.open_rtp(&mut opened) {
            assert_eq!(opened[..length], before[..], "what was sealed");
            assert_eq!(receiver.open_rtp(&mut packet), None, "a packet comes in once");
        }
    }
}

/// A packet with a sound header: of a few sources, whose numbers leap, with or without list and extension.
fn plain(dice: &mut Dice<'_>, extended: bool) -> Vec<u8> {
    let mut packet = vec![0x80 | if extended { 0x11 } else { 0 }, dice.octet(), dice.octet(), dice.octet()];
    packet.extend([0, 0, 0, dice.octet(), 0, 0, 0, dice.octet() & 7]);
    if extended {
        packet.extend([0, 0, 0, 9, 0xbe, 0xde, 0, dice.octet() & 3]);
    }
    packet.extend(dice.octets());
    packet
}

/// Offer and answer of two who cover their audio, or would, with descriptions that are changed on the way.
///
/// # Panics
/// Something is wrong.
pub fn keying(octets: &[u8]) {
    let dice = &mut Dice(octets);
    let mut pair = Pair::new(dice);
    let (ours, theirs) = (covered(dice), covered(dice));
    let late_offer = dice.below(4) == 0;
    pair.tamper = Some(dice.octets().to_vec());
    pair.invite(0, ours, late_offer);
    pair.pass(Duration::from_millis(100));
    if let Some(dialog) = pair.sides[1].dialogs.first().copied() {
        let _ = pair.on(1, |endpoint, now| endpoint.accept(dialog, theirs, &[], now));
    }
    pair.pass(Duration::from_millis(500));
    while !dice.is_used_up() {
        let side = dice.below(2);
        let local = covered(dice);
        pair.tamper = (dice.below(2) == 1).then(|| dice.octets().to_vec());
        if let Some(dialog) = pair.sides[side].dialogs.first().copied() {
            pair.on(side, |endpoint, now| endpoint.reinvite(dialog, local, now));
        }
        pair.pass(Duration::from_millis(500));
    }
    pair.end();
}

fn covered(dice: &mut Dice<'_>) -> LocalMedia {
    let fingerprint = Fingerprint([dice.octet() & 1; 32]);
    let srtp = dice.pick(&[SrtpUse::Required, SrtpUse::Optional, SrtpUse::Dtls(fingerprint), SrtpUse::Off]);
    LocalMedia { srtp, ..local(dice) }
}
