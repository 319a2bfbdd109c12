//! Keys as tones, for telephones that know no telephone-events.

use crate::source::FRAME;
use audio_codec::Encoder;
use audio_codec::pcma::PcmaEncoder;
use audio_codec::pcmu::PcmuEncoder;
use call_model::Codec;
use core::f64::consts::TAU;

/// 20 ms of a key (its event of RFC 4733), that many samples of 8000 Hz after its beginning, in G.711; silence for what
/// is no key.
pub(crate) fn tone(event: Option<u8>, position: u64, codec: Codec) -> Option<Vec<u8>> {
    let pad = [(941, 1336), (697, 1209), (697, 1336), (697, 1477), (770, 1209), (770, 1336), (770, 1477), (852, 1209)];
    let more = [(852, 1336), (852, 1477), (941, 1209), (941, 1477), (697, 1633), (770, 1633), (852, 1633), (941, 1633)];
    let tones = event.and_then(|event| pad.iter().chain(&more).nth(usize::from(event)));
    let sample = |i: u64| {
        let part = |hertz: i32| (f64::from(hertz) * (position + i) as f64 / 8_000.0 * TAU).sin() * 7_000.0;
        tones.map_or(0, |(low, high)| (part(*low) + part(*high)) as i16)
    };
    let samples: Vec<i16> = (0..FRAME as u64).map(sample).collect();
    match codec {
        Codec::Pcmu => Some(PcmuEncoder::new().encode(&samples)),
        Codec::Pcma => Some(PcmaEncoder::new().encode(&samples)),
        Codec::G722 | Codec::Opus => None,
    }
}
