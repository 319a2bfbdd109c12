//! What of a datagram is shown to the handshake: an unprotected record that nobody honest sends would end it.

/// Octets of a record's header (RFC 6347 §4.1).
const HEADER: usize = 13;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;

/// Whether a datagram consists of whole records, each of which may come. Others are dropped unseen (RFC 6347 §4.1.2.7).
pub(crate) fn are_sound(mut datagram: &[u8]) -> bool {
    while let Some((header, rest)) = datagram.split_first_chunk::<HEADER>() {
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let Some((content, rest)) = rest.split_at_checked(length) else { return false };
        if !is_sound(header, content) {
            return false;
        }
        if rest.is_empty() {
            return true;
        }
        datagram = rest;
    }
    false
}

/// The header of a handshake message's fragment: which part of which message it is.
pub(crate) type Fragment = [u8; 12];

/// What a sound datagram brings of the handshake, if it brings nothing else.
pub(crate) fn fragments(mut datagram: &[u8]) -> Option<Vec<Fragment>> {
    let mut fragments = Vec::new();
    while let Some((header, rest)) = datagram.split_first_chunk::<HEADER>() {
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let (mut content, rest) = rest.split_at_checked(length)?;
        if header[0] != HANDSHAKE || header[3..5] != [0; 2] {
            return None;
        }
        while let Some((fragment, text)) = content.split_first_chunk::<12>() {
            let length = u32::from_be_bytes([0, fragment[9], fragment[10], fragment[11]]);
            content = text.get(length as usize..)?;
            fragments.push(*fragment);
        }
        datagram = rest;
    }
    Some(fragments)
}

pub(crate) fn is_first_message(fragment: &Fragment) -> bool {
    fragment[4..6] == [0; 2]
}

fn is_sound(header: &[u8; HEADER], content: &[u8]) -> bool {
    let [kind, major, _, epoch @ .., _, _, _, _, _, _, _, _] = header;
    // DTLS 1.0 and 1.2; a ClientHello comes as 1.0.
    if *major != 0xfe || content.is_empty() {
        return false;
    }
    match (*kind, epoch == &[0; 2][..]) {
        (HANDSHAKE, _) | (CHANGE_CIPHER_SPEC | ALERT | 23, false) => true,
        (CHANGE_CIPHER_SPEC, true) => content == [1],
        (ALERT, true) => matches!(content, [FATAL, _] | [_, CLOSE_NOTIFY]),
        _ => false,
    }
}
