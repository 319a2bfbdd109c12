//! Session descriptions, as offers and as answers.

use super::Dice;
use super::pair::{Pair, local};
use core::time::Duration;
use sip_wire::Message;

/// Takes the octets for the description in an INVITE, and for the one in the answer to ours.
///
/// # Panics
/// Something is wrong.
pub fn description(octets: &[u8]) {
    let dice = &mut Dice(&[]);
    for asks in [0, 1] {
        let mut pair = Pair::new(dice);
        pair.invite(0, local(dice), false);
        if asks == 1 {
            pair.pass(Duration::from_millis(100));
            let dialog = pair.sides[1].dialogs[0];
            let _ = pair.on(1, |endpoint, now| endpoint.accept(dialog, local(dice), &[], now));
        }
        let sent =
            pair.history.iter().rfind(|(to, octets)| *to == 1 - asks && octets.windows(4).any(|end| end == b"v=0\r"));
        let (to, sent) = sent.expect("a description was sent").clone();
        let mut message = Message::parse_datagram(&sent).expect("what we sent can be read");
        message.body = octets.to_vec();
        pair.deliver(to, &message.to_bytes());
        if let Some(dialog) = pair.sides[to].dialogs.first().copied() {
            let _ = pair.on(to, |endpoint, now| endpoint.accept(dialog, local(dice), &[], now));
        }
        pair.pass(Duration::from_millis(500));
        pair.end();
    }
}

/// Removes, repeats or overwrites lines.
pub(super) fn edit(description: &mut Vec<u8>, dice: &mut Dice<'_>) {
    let mut lines: Vec<Vec<u8>> = description.split(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
    while !dice.is_used_up() {
        let at = dice.below(lines.len().clamp(1, 256));
        match dice.below(4) {
            0 => drop(lines.remove(at)),
            1 => lines.push(lines[at].clone()),
            2 => lines[at] = dice.octets().to_vec(),
            _ => {
                let within = usize::from(dice.octet()) % lines[at].len().max(1);
                let octet = dice.octet();
                lines[at].splice(within..within, [octet]);
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    *description = lines.join(&b'\n');
}
