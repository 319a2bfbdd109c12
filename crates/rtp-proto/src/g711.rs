//! G.711 by table: both laws to and from 16-bit linear, and each law to the other in one look-up.

/// Silence in mu-law.
pub const MULAW_SILENCE: u8 = 0xff;
/// Silence in A-law.
pub const ALAW_SILENCE: u8 = 0xd5;

static MULAW_TO_ALAW: [u8; 256] = table(true);
static ALAW_TO_MULAW: [u8; 256] = table(false);

/// The A-law octet nearest to a mu-law one.
pub fn mulaw_to_alaw(octet: u8) -> u8 {
    MULAW_TO_ALAW[usize::from(octet)]
}

/// The mu-law octet nearest to an A-law one.
pub fn alaw_to_mulaw(octet: u8) -> u8 {
    ALAW_TO_MULAW[usize::from(octet)]
}

/// Converts a payload in place.
pub fn mulaw_to_alaw_in_place(payload: &mut [u8]) {
    translate(payload, &MULAW_TO_ALAW);
}

/// Converts a payload in place.
pub fn alaw_to_mulaw_in_place(payload: &mut [u8]) {
    translate(payload, &ALAW_TO_MULAW);
}

/// Eight octets at a time: one load and one store for eight look-ups.
fn translate(payload: &mut [u8], table: &[u8; 256]) {
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = chunk.map(|octet| table[usize::from(octet)]);
    }
    for octet in rest {
        *octet = table[usize::from(*octet)];
    }
}

/// 16-bit linear value of a mu-law octet (G.711 table 2).
pub const fn decode_mulaw(octet: u8) -> i16 {
    let bits = !octet;
    let magnitude = ((((bits & 0x0f) as i32) << 3) + 0x84) << ((bits & 0x70) >> 4);
    (if bits & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }) as i16
}

/// 16-bit linear value of an A-law octet (G.711 table 1).
pub const fn decode_alaw(octet: u8) -> i16 {
    let bits = octet ^ 0x55;
    let segment = (bits & 0x70) >> 4;
    let step = ((bits & 0x0f) as i32) << 4;
    let magnitude = if segment == 0 { step + 8 } else { (step + 0x108) << (segment - 1) };
    (if bits & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

/// The mu-law octet of a 16-bit linear value.
pub const fn encode_mulaw(sample: i16) -> u8 {
    let (mask, magnitude) = if sample < 0 { (0x7f, -(sample as i32)) } else { (0xff, sample as i32) };
    let clipped = if magnitude > 32635 { 32635 } else { magnitude };
    let value = (clipped + 0x84) >> 2;
    let segment = segment(value, 6);
    let octet = if segment >= 8 { 0x7f } else { (segment << 4) as u8 | (value >> (segment + 1) & 0x0f) as u8 };
    octet ^ mask
}

/// The A-law octet of a 16-bit linear value.
pub const fn encode_alaw(sample: i16) -> u8 {
    let shifted = (sample >> 3) as i32;
    let (mask, value) = if shifted >= 0 { (0xd5, shifted) } else { (0x55, -shifted - 1) };
    let segment = segment(value, 5);
    let octet = if segment >= 8 {
        0x7f
    } else {
        let shift = if segment < 2 { 1 } else { segment };
        (segment << 4) as u8 | (value >> shift & 0x0f) as u8
    };
    octet ^ mask
}

/// The first segment whose upper end (`2^(first_bits + segment) - 1`) holds `value`; 8 when none does.
const fn segment(value: i32, first_bits: u32) -> u32 {
    let mut segment = 0;
    while segment < 8 && value >= 1 << (first_bits + segment) {
        segment += 1;
    }
    segment
}

const fn table(from_mulaw: bool) -> [u8; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        let octet = i as u8;
        out[i] = if from_mulaw { encode_alaw(decode_mulaw(octet)) } else { encode_mulaw(decode_alaw(octet)) };
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_survives_its_own_law() {
        for octet in 0..=255u8 {
            assert_eq!(encode_alaw(decode_alaw(octet)), octet);
            // Mu-law has two zeros; the negative one comes back as the positive.
            let expected = if octet == 0x7f { MULAW_SILENCE } else { octet };
            assert_eq!(encode_mulaw(decode_mulaw(octet)), expected);
        }
    }

    #[test]
    fn silence_is_quiet_in_both_laws_and_stays_silence() {
        assert_eq!(decode_mulaw(MULAW_SILENCE), 0);
        assert_eq!(decode_alaw(ALAW_SILENCE), 8);
        assert_eq!(mulaw_to_alaw(MULAW_SILENCE), ALAW_SILENCE);
        assert!(decode_mulaw(alaw_to_mulaw(ALAW_SILENCE)).abs() <= 8);
    }

    #[test]
    fn the_other_law_is_within_one_quantisation_step() {
        for octet in 0..=255u8 {
            let (mu, a) = (i32::from(decode_mulaw(octet)), i32::from(decode_alaw(mulaw_to_alaw(octet))));
            assert!((mu - a).abs() <= 16 + mu.abs() / 16, "{octet:#x}: {mu} became {a}");
            let (a, mu) = (i32::from(decode_alaw(octet)), i32::from(decode_mulaw(alaw_to_mulaw(octet))));
            assert!((mu - a).abs() <= 16 + a.abs() / 16, "{octet:#x}: {a} became {mu}");
        }
    }

    #[test]
    fn the_tables_agree_with_an_independent_codec() {
        use audio_codec::Decoder;
        let all: Vec<u8> = (0..=255).collect();
        let mu = audio_codec::pcmu::PcmuDecoder::new().decode(&all);
        let a = audio_codec::pcma::PcmaDecoder::new().decode(&all);
        for (octet, (mu, a)) in (0..=255u8).zip(mu.into_iter().zip(a)) {
            assert_eq!(decode_mulaw(octet), mu, "mu-law {octet:#x}");
            assert_eq!(decode_alaw(octet), a, "A-law {octet:#x}");
        }
    }
}
