//! How good a conversation sounds, estimated from what the network did to it: the E-model of ITU-T G.107, with its default
//! values for everything but loss and delay, and the codec values of ITU-T G.113 Appendix I.
//!
//! Loss is taken as random (`BurstR` = 1), the listener's buffer as twice the jitter, and echo as cancelled.

use call_model::Codec;

/// R of a call without loss and delay: all of G.107 at its defaults.
const BEST: f32 = 93.2;
/// Audio in one packet has to be collected before it leaves, milliseconds.
const PACKET_MS: f32 = 20.0;

/// `Ie` and `Bpl` (G.113 tables I.1 and I.4): G.711 whose losses are concealed (its Appendix I), as telephones and we do.
///
/// There are no narrow-band values for G.722 and Opus; on this scale, which ends at the quality of G.711, they count as
/// that.
const fn impairment(codec: Codec) -> (f32, f32) {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus => (0.0, 25.1),
    }
}

/// The mean opinion score, 1 to 4.5, of a stream that lost this share of its packets.
pub(crate) fn mos(codec: Codec, loss: f32, jitter_ms: f32, round_trip_ms: Option<f32>) -> f32 {
    let delay = round_trip_ms.unwrap_or(0.0) / 2.0 + 2.0 * jitter_ms + PACKET_MS;
    opinion(BEST - delay_impairment(delay) - loss_impairment(codec, loss))
}

/// `Ie,eff` (G.107 §7.5).
fn loss_impairment(codec: Codec, loss: f32) -> f32 {
    let (equipment, robustness) = impairment(codec);
    let percent = 100.0 * loss.clamp(0.0, 1.0);
    equipment + (95.0 - equipment) * percent / (percent + robustness)
}

/// `Idd` of a one-way delay in milliseconds (G.107 §7.4).
fn delay_impairment(ms: f32) -> f32 {
    if ms <= 100.0 {
        return 0.0;
    }
    let x = (ms / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// MOS of R (G.107 Annex B).
fn opinion(rating: f32) -> f32 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(value: f32, expected: f32) {
        assert!((value - expected).abs() < 0.02, "{value}, not {expected}");
    }

    #[test]
    fn the_opinion_follows_the_table_of_annex_b() {
        for (rating, expected) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (0.0, 1.0)] {
            near(opinion(rating), expected);
        }
    }

    #[test]
    fn delay_costs_nothing_up_to_a_tenth_of_a_second_and_then_more_and_more() {
        near(delay_impairment(100.0), 0.0);
        near(delay_impairment(400.0), 24.07);
        assert!(delay_impairment(200.0) < 4.0 && delay_impairment(300.0) > 10.0);
    }

    #[test]
    fn loss_and_delay_lower_the_score() {
        near(mos(Codec::Pcmu, 0.0, 0.0, None), 4.41);
        // 5 % of 25.1: R = 93.2 - 95 * 5 / 30.1 = 77.4.
        near(mos(Codec::Pcma, 0.05, 0.0, Some(20.0)), 3.93);
        near(mos(Codec::Pcmu, 1.0, 0.0, None), 1.18);
        assert!(mos(Codec::Opus, 0.0, 0.0, Some(800.0)) < 3.6);
        assert!(mos(Codec::G722, 0.0, 150.0, None) < mos(Codec::G722, 0.0, 5.0, None));
    }
}
