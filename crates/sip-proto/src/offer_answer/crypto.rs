//! `a=crypto`: the keys of SRTP in a session description (RFC 4568, RFC 7714 §14.2).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use call_model::{IdSource, SrtpKey, SrtpSuite};
use sdp_types::Attribute;

/// Padded, as we write it; some leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A fresh key.
pub(super) fn draw(suite: SrtpSuite, ids: &mut IdSource) -> SrtpKey {
    let mut key = SrtpKey { suite, key: [0; 32], salt: [0; 14] };
    let octets = key.key.iter_mut().take(suite.key_len()).chain(key.salt.iter_mut().take(suite.salt_len()));
    octets.for_each(|octet| *octet = ids.next_u32() as u8);
    key
}

/// A key under its tag. None for a suite we have not, and for what would change the packets: a key identifier in each
/// of them, more keys than one, and session parameters that switch something off (RFC 4568 §6.1, §6.3).
pub(super) fn read(value: &str) -> Option<(u32, SrtpKey)> {
    let mut words = value.split_ascii_whitespace();
    let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
    let name = words.next()?;
    let suite = SrtpSuite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))?;
    let (method, material) = words.next()?.split_once(':')?;
    let mut parts = material.split('|');
    let key = parts.next()?;
    // What is left is how long it lives, which no call outlasts; with a colon it is a key identifier.
    if !method.eq_ignore_ascii_case("inline") || parts.any(|part| part.contains(':')) || material.contains(';') {
        return None;
    }
    // How large a window we keep is ours to say, and what begins with a minus need not be understood.
    if !words.all(|word| word.starts_with('-') || word.starts_with("WSH=")) {
        return None;
    }
    Some((tag, SrtpKey::new(suite, &BASE64.decode(key).ok()?)?))
}

pub(super) fn write(tag: u32, key: &SrtpKey) -> Attribute {
    let SrtpKey { suite, key, salt } = key;
    let material = [&key[..suite.key_len()], &salt[..suite.salt_len()]].concat();
    let value = format!("{tag} {} inline:{}", suite.name(), BASE64.encode(material));
    Attribute { attribute: "crypto".to_owned(), value: Some(value) }
}
