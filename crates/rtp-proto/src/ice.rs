//! ICE as its passive side (RFC 8445, lite): a browser checks whether it reaches us, and we say that it does. Who knows the
//! password that our session description told is the peer, wherever it is.

use call_model::IceLite;
use core::net::{IpAddr, SocketAddr};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// The same value in every message (RFC 8489 §5).
const COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const HEAD: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;

/// Octets of an HMAC-SHA1, and of that attribute.
const DIGEST: usize = 20;
const INTEGRITY: usize = 4 + DIGEST;
/// Of the fingerprint.
const CHECKSUM: usize = 8;

/// Whether a datagram on the RTP port is STUN (RFC 7983).
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(0..=3)) && datagram.get(4..8) == Some(&COOKIE)
}

/// A check that is the peer's.
#[derive(Debug, PartialEq)]
pub(crate) struct Check {
    /// The peer wants to be sent to there.
    pub(crate) nominated: bool,
    /// What it is told.
    pub(crate) answer: Vec<u8>,
}

/// Judges a check. None for what is no check, or nobody's who knows the password.
pub(crate) fn check(ice: &IceLite, from: SocketAddr, request: &[u8]) -> Option<Check> {
    let length = usize::from(u16::from_be_bytes([*request.get(2)?, *request.get(3)?]));
    if !request.starts_with(&BINDING_REQUEST) || request.len() != HEAD + length || length % 4 != 0 {
        return None;
    }
    let (mut named, mut nominated, mut at) = (false, false, HEAD);
    loop {
        let (kind, value) = attribute(request.get(at..)?)?;
        match kind {
            USERNAME => named = value.strip_prefix(&ice.user).is_some_and(|rest| rest.first() == Some(&b':')),
            USE_CANDIDATE => nominated = true,
            MESSAGE_INTEGRITY if named && proves(ice, request, at, value) => break,
            MESSAGE_INTEGRITY => return None,
            // What has to be understood and is not (RFC 8489 §14).
            0..0x8000 if kind != PRIORITY => return None,
            _ => {}
        }
        at += 4 + value.len().next_multiple_of(4);
    }
    let after = request.get(at + INTEGRITY..)?;
    let sound = after.is_empty()
        || attribute(after).is_some_and(|(kind, value)| {
            kind == FINGERPRINT
                && after.len() == CHECKSUM
                && value == checksum(&request[..at + INTEGRITY]).to_be_bytes()
        });
    sound.then(|| Check { nominated, answer: answer(ice, from, &request[8..HEAD]) })
}

/// The first attribute: its type and value.
fn attribute(octets: &[u8]) -> Option<(u16, &[u8])> {
    let [a, b, c, d, rest @ ..] = octets else { return None };
    let (kind, length) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
    Some((kind, rest.get(..length)?))
}

/// Whether the digest at that place is right (RFC 8489 §14.5).
fn proves(ice: &IceLite, request: &[u8], at: usize, digest: &[u8]) -> bool {
    let mut head = [0; HEAD];
    head.copy_from_slice(&request[..HEAD]);
    head[2..4].copy_from_slice(&length_of(at + INTEGRITY));
    keyed(ice, &head, &request[HEAD..at]).is_some_and(|keyed| keyed.verify_slice(digest).is_ok())
}

fn keyed(ice: &IceLite, head: &[u8], rest: &[u8]) -> Option<Hmac<Sha1>> {
    let mut keyed = Hmac::<Sha1>::new_from_slice(&ice.password).ok()?;
    keyed.update(head);
    keyed.update(rest);
    Some(keyed)
}

/// What the head says of a message of so many octets.
const fn length_of(octets: usize) -> [u8; 2] {
    ((octets - HEAD) as u16).to_be_bytes()
}

fn answer(ice: &IceLite, to: SocketAddr, transaction: &[u8]) -> Vec<u8> {
    let mask = [&COOKIE[..], transaction].concat();
    let masked = |octets: &[u8]| -> Vec<u8> { octets.iter().zip(&mask).map(|(octet, mask)| octet ^ mask).collect() };
    let (family, address) = match to.ip().to_canonical() {
        IpAddr::V4(v4) => (1, masked(&v4.octets())),
        IpAddr::V6(v6) => (2, masked(&v6.octets())),
    };
    let mapped = [&[0, family], &masked(&to.port().to_be_bytes())[..], &address].concat();
    let mut message = [&BINDING_SUCCESS[..], &[0; 2], &mask].concat();
    push(&mut message, XOR_MAPPED_ADDRESS, &mapped);
    sign(ice, &mut message);
    message
}

/// The two attributes that every message ends with.
fn sign(ice: &IceLite, message: &mut Vec<u8>) {
    let length = length_of(message.len() + INTEGRITY);
    message[2..4].copy_from_slice(&length);
    let digest = keyed(ice, message, &[]).map(|keyed| keyed.finalize().into_bytes()).unwrap_or_default();
    push(message, MESSAGE_INTEGRITY, &digest);
    let length = length_of(message.len() + CHECKSUM);
    message[2..4].copy_from_slice(&length);
    let checksum = checksum(message);
    push(message, FINGERPRINT, &checksum.to_be_bytes());
}

fn push(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// The CRC-32 of ITU-T V.42, as STUN has it (RFC 8489 §14.7). Some hundred octets every few seconds need no table.
fn checksum(octets: &[u8]) -> u32 {
    let crc = octets.iter().fold(u32::MAX, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    });
    !crc ^ 0x5354_554E
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ice(user: &[u8; 8], password: &[u8; 32]) -> IceLite {
        IceLite { user: *user, password: *password }
    }

    fn ours() -> IceLite {
        ice(b"evtjh6vY", b"0123456789abcdef0123456789abcdef")
    }

    fn from() -> SocketAddr {
        "192.0.2.1:32853".parse().expect("an address")
    }

    /// A check as a browser sends it, with what one test wants different.
    fn request(ice: &IceLite, attributes: &[(u16, &[u8])], fingerprint: bool) -> Vec<u8> {
        let mut message = [&BINDING_REQUEST[..], &[0; 2], &COOKIE, b"transaction!"].concat();
        attributes.iter().for_each(|(kind, value)| push(&mut message, *kind, value));
        sign(ice, &mut message);
        if !fingerprint {
            message.truncate(message.len() - CHECKSUM);
            let length = length_of(message.len());
            message[2..4].copy_from_slice(&length);
        }
        message
    }

    fn usual() -> Vec<u8> {
        let attributes: [(u16, &[u8]); 5] = [
            (USERNAME, b"evtjh6vY:9b4k"),
            (0xC057, &[0, 1, 0, 10]),
            (0x802A, &[7; 8]),
            (USE_CANDIDATE, &[]),
            (PRIORITY, &[1; 4]),
        ];
        request(&ours(), &attributes, true)
    }

    #[test]
    fn a_check_of_who_knows_the_password_is_answered_with_where_it_came_from() {
        let check = check(&ours(), from(), &usual()).expect("ours");
        assert!(check.nominated);
        let answer = &check.answer[..];
        assert_eq!(
            (&answer[..2], &answer[4..8], &answer[8..20]),
            (&BINDING_SUCCESS[..], &COOKIE[..], &b"transaction!"[..])
        );
        assert_eq!(usize::from(u16::from_be_bytes([answer[2], answer[3]])), answer.len() - HEAD);
        // The example address of RFC 5769 §2.2.
        let (kind, value) = attribute(&answer[HEAD..]).expect("an attribute");
        assert_eq!((kind, value), (XOR_MAPPED_ADDRESS, &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43][..]));
        let (kind, digest) = attribute(&answer[32..]).expect("an attribute");
        assert!(kind == MESSAGE_INTEGRITY && proves(&ours(), answer, 32, digest));
        let (kind, value) = attribute(&answer[56..]).expect("an attribute");
        assert_eq!((kind, value), (FINGERPRINT, &checksum(&answer[..56]).to_be_bytes()[..]));
    }

    #[test]
    fn the_sample_of_the_standard_is_checked_as_it_says() {
        // RFC 5769 §2.1: user "evtj:h6vY", password "VOkJxbRl1RmTxUk/WvJxBt".
        const SAMPLE: [u8; 108] = [
            0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87,
            0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c,
            0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f,
            0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
            0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
            0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
        ];
        let mut head = [0; HEAD];
        head.copy_from_slice(&SAMPLE[..HEAD]);
        head[2..4].copy_from_slice(&length_of(76 + INTEGRITY));
        let mut digest = Hmac::<Sha1>::new_from_slice(b"VOkJxbRl1RmTxUk/WvJxBt").expect("a key");
        digest.update(&head);
        digest.update(&SAMPLE[HEAD..76]);
        assert_eq!(digest.finalize().into_bytes()[..], SAMPLE[80..100]);
        assert_eq!(checksum(&SAMPLE[..100]).to_be_bytes(), SAMPLE[104..]);
        assert!(is_stun(&SAMPLE));
    }

    #[test]
    fn strangers_and_damaged_checks_get_no_answer() {
        let named: (u16, &[u8]) = (USERNAME, b"evtjh6vY:9b4k");
        let other = ice(b"evtjh6vY", &[b'x'; 32]);
        for (what, request) in [
            ("another password", request(&other, &[named], true)),
            ("another name", request(&ours(), &[(USERNAME, b"somebody:9b4k")], true)),
            ("a name that only begins alike", request(&ours(), &[(USERNAME, b"evtjh6vYx:9b4k")], true)),
            ("no name", request(&ours(), &[], true)),
            ("a name behind the digest", [request(&ours(), &[], false), vec![0, 6, 0, 4, 1, 1, 1, 1]].concat()),
            ("something that must be understood", request(&ours(), &[named, (0x0030, &[0; 4])], true)),
        ] {
            assert_eq!(check(&ours(), from(), &request), None, "{what}");
        }
        let whole = usual();
        for length in 0..whole.len() {
            assert_eq!(check(&ours(), from(), &whole[..length]), None, "{length} octets");
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            assert_eq!(check(&ours(), from(), &damaged), None, "octet {place}");
        }
        assert!(check(&ours(), from(), &request(&ours(), &[named], false)).is_some_and(|check| !check.nominated));
    }

    #[test]
    fn where_it_came_from_is_told_in_either_family() {
        let request = usual();
        let mapped = |from: &str| {
            let check = check(&ours(), from.parse().expect("an address"), &request).expect("ours");
            attribute(&check.answer[HEAD..]).map(|(_, value)| value.to_vec()).expect("an attribute")
        };
        assert_eq!(mapped("[::ffff:192.0.2.1]:32853"), mapped("192.0.2.1:32853"));
        let wide = mapped("[2001:db8::1]:32853");
        let mask = [&COOKIE[..], b"transaction!"].concat();
        let address: Vec<u8> = wide[4..].iter().zip(mask).map(|(octet, mask)| octet ^ mask).collect();
        assert_eq!(
            (wide[1], address),
            (2, "2001:db8::1".parse::<core::net::Ipv6Addr>().expect("v6").octets().to_vec())
        );
    }
}
