//! Octets as what happens to two DTLS associations: a function that a fuzzer can call.

use crate::setup::IDENTITIES;
use call_model::{DtlsPeer, Fingerprint, Instant};
use core::time::Duration;
use rtp_proto::{Association, Dtls as _};

/// What a handshake takes at most, with everything said many times.
const BUSY: usize = 200;

/// Two of us, datagrams between them that are changed, lost, said twice or late, and datagrams of a stranger's. The keys
/// are drawn anew each time, so that the same octets need not do the same.
///
/// # Panics
/// Something is wrong.
pub fn handshakes(octets: &[u8]) {
    let octets = &mut Octets(octets);
    let peer = |active, certificate: Fingerprint| DtlsPeer { active, certificate };
    let [client, server] = &*IDENTITIES;
    let mut now = Instant::ZERO;
    let mut sides = [
        client.associate(peer(true, server.fingerprint()), now),
        server.associate(peer(false, client.fingerprint()), now),
    ];
    let (mut outcomes, mut sent, most) = ([0; 2], 0, BUSY + octets.0.len() * 10);
    let mut under_way: Vec<(usize, Vec<u8>)> = Vec::new();
    while !octets.0.is_empty() {
        for (index, side) in sides.iter_mut().enumerate() {
            outcomes[index] += usize::from(side.poll_outcome().is_some());
            assert!(outcomes[index] < 2, "an outcome is told once");
            while let Some(datagram) = side.poll_datagram() {
                sent += 1;
                under_way.push((1 - index, datagram));
            }
        }
        assert!(sent < most, "{sent} datagrams");
        step(&mut sides, &mut under_way, octets, &mut now);
    }
}

fn step(
    sides: &mut [Box<dyn Association>; 2],
    under_way: &mut Vec<(usize, Vec<u8>)>,
    octets: &mut Octets<'_>,
    now: &mut Instant,
) {
    let kind = octets.below(8);
    match kind {
        0 => {
            *now += Duration::from_millis(octets.below(256) as u64 * 20);
            sides.iter_mut().for_each(|side| side.handle_timeout(*now));
        }
        1 => sides[octets.below(2)].handle_datagram(octets.some(), *now),
        2 => sides[octets.below(2)].handle_datagram(&record(octets), *now),
        _ if under_way.is_empty() => {}
        _ => {
            let (to, mut datagram) = under_way.remove(octets.below(under_way.len().min(4)));
            if kind == 3 {
                for _ in 0..=octets.below(3) {
                    let at = (octets.below(256) << 8 | octets.below(256)) % datagram.len();
                    datagram[at] = octets.below(256) as u8;
                }
            }
            if kind == 4 {
                under_way.push((to, datagram.clone()));
            }
            sides[to].handle_datagram(&datagram, *now);
        }
    }
}

/// A record with a sound header, and within it, mostly, the beginning of a handshake message with one.
fn record(octets: &mut Octets<'_>) -> Vec<u8> {
    let (kind, epoch, sequence) = (20 + octets.below(5) as u8, octets.below(2) as u8, octets.below(256) as u8);
    let mut content = Vec::new();
    if kind == 22 && octets.below(4) != 0 {
        let (message, number, length) = (octets.below(25) as u8, octets.below(8) as u8, octets.below(256) as u8);
        content.extend([message, 0, 0, length, 0, number, 0, 0, 0, 0, 0, length]);
    }
    content.extend(octets.some());
    let mut record = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, sequence];
    record.extend((content.len() as u16).to_be_bytes());
    record.extend(content);
    record
}

/// As decisions; when they are used up, all are 0.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn below(&mut self, limit: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % limit
    }

    /// Themselves, as many as the next decision says.
    fn some(&mut self) -> &'a [u8] {
        let length = self.below(256).min(self.0.len());
        let (now, later) = self.0.split_at(length);
        self.0 = later;
        now
    }
}
