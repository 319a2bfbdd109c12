//! G.711 to linear (ITU-T G.711), by table.

/// One octet of mu-law as a 16-bit sample.
pub const fn mulaw(octet: u8) -> i16 {
    MULAW[octet as usize]
}

/// One octet of A-law as a 16-bit sample.
pub const fn alaw(octet: u8) -> i16 {
    ALAW[octet as usize]
}

static MULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = expand_mulaw(i as u8);
        i += 1;
    }
    table
};

static ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = expand_alaw(i as u8);
        i += 1;
    }
    table
};

const fn expand_mulaw(octet: u8) -> i16 {
    let bits = !octet;
    let magnitude = ((((bits & 0x0f) as i16) << 3) + 0x84) << ((bits >> 4) & 7);
    if bits & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

const fn expand_alaw(octet: u8) -> i16 {
    let bits = octet ^ 0x55;
    let step = ((bits & 0x0f) as i16) << 4;
    let magnitude = match (bits >> 4) & 7 {
        0 => step + 8,
        exponent => (step + 0x108) << (exponent - 1),
    };
    if bits & 0x80 != 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points_of_both_laws() {
        assert_eq!([mulaw(0xff), mulaw(0x7f), mulaw(0x00), mulaw(0x80)], [0, 0, -32124, 32124]);
        assert_eq!([alaw(0xd5), alaw(0x55), alaw(0xaa), alaw(0x2a)], [8, -8, 32256, -32256]);
    }

    #[test]
    fn both_laws_are_monotonic_on_the_positive_side() {
        let mu: Vec<_> = (0x80..=0xff).rev().map(mulaw).collect();
        assert!(mu.windows(2).all(|pair| pair[0] < pair[1]));
        let mut a: Vec<_> = (0x80..=0xff).map(alaw).collect();
        a.sort_unstable();
        a.dedup();
        assert_eq!((a.len(), a[0], a[127]), (128, 8, 32256));
    }
}
