//! The limits of ITU-T Q.24, as far as it gives any, with tones that come in any phase.

use super::*;
use core::f32::consts::TAU;

/// A press to be heard.
#[derive(Clone, Copy)]
struct Tone {
    /// Each tone's, over the nominal one.
    deviation: [f32; 2],
    /// dBm0 of the low and of the high tone.
    levels: [f32; 2],
    /// Of the noise, dBm0.
    noise: f32,
    ms: f32,
    /// Where the press lies among the looks, in samples.
    offset: usize,
}

const USUAL: Tone = Tone { deviation: [1.0; 2], levels: [-10.0, -8.0], noise: -80.0, ms: 40.0, offset: 0 };

fn amplitude(dbm0: f32) -> f32 {
    32_124.0 * 10f32.powf((dbm0 - 3.17) / 20.0)
}

/// White noise, the same each time.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

impl Tone {
    fn samples(self, row: usize, column: usize) -> Vec<i16> {
        let hertz = [ROWS[row] * self.deviation[0], COLUMNS[column] * self.deviation[1]];
        // Uniform noise has a third of the power of its peak squared, a sine half.
        let noise = amplitude(self.noise) * 1.5f32.sqrt();
        let mut random = Noise(row as u32 * 4 + column as u32);
        let (begin, length) = (400 + self.offset, (self.ms * 8.0) as usize);
        let sample = |i: usize| {
            let sound = match i.checked_sub(begin).filter(|i| *i < length) {
                Some(i) => (0..2)
                    .map(|n| {
                        amplitude(self.levels[n]) * (TAU * (hertz[n] * i as f32 / 8_000.0).fract() + n as f32).sin()
                    })
                    .sum(),
                None => 0.0,
            };
            (sound + noise * random.next()).clamp(-32_768.0, 32_767.0) as i16
        };
        (0..begin + length + 800).map(sample).collect()
    }
}

fn heard(samples: &[i16]) -> Vec<Pressed> {
    let mut detector = ToneDetector::default();
    // In packets.
    samples.chunks(160).filter_map(|packet| detector.hear(packet.iter().copied())).collect()
}

/// How many of all keys at 13 places among the looks are heard, once and right; more than one never is.
fn share(tone: Tone) -> f32 {
    let mut right = 0;
    for (row, column) in (0..16).map(|key| (key / 4, key % 4)) {
        for offset in (0..HOP).step_by(4) {
            let keys = heard(&Tone { offset, ..tone }.samples(row, column));
            let expected = tones::event_at(row, column).and_then(tones::digit);
            assert!(keys.len() < 2, "{keys:?}");
            right += usize::from(keys.first().map(|pressed| pressed.digit) == expected && expected.is_some());
        }
    }
    right as f32 / (16 * HOP.div_ceil(4)) as f32
}

#[test]
fn every_key_of_forty_milliseconds_is_heard_and_none_of_twenty() {
    assert_eq!(share(USUAL), 1.0);
    assert_eq!(share(Tone { ms: 20.0, ..USUAL }), 0.0);
    assert!(share(Tone { ms: 23.0, ..USUAL }) < 0.02);
}

#[test]
fn frequencies_may_be_off_by_one_and_a_half_percent_and_not_by_three_and_a_half() {
    let off = |row: f32, column: f32| share(Tone { deviation: [row, column], ..USUAL });
    for (row, column) in [(1.015, 1.015), (0.985, 0.985), (1.015, 0.985), (0.985, 1.015)] {
        assert_eq!(off(row, column), 1.0, "{row} {column}");
    }
    for (row, column) in [(1.035, 1.0), (0.965, 1.0), (1.0, 1.035), (1.0, 0.965), (1.035, 1.035)] {
        assert_eq!(off(row, column), 0.0, "{row} {column}");
    }
}

#[test]
fn levels_from_loud_to_faint_and_the_twist_of_lines_are_heard() {
    for levels in [[0.0, 0.0], [-3.0, -3.0], [-25.0, -25.0], [-10.0, -6.0], [-6.0, -14.0], [-25.0, -21.0]] {
        assert_eq!(share(Tone { levels, ..USUAL }), 1.0, "{levels:?}");
    }
    for levels in [[-40.0, -40.0], [-20.0, -8.0], [-6.0, -20.0]] {
        assert_eq!(share(Tone { levels, ..USUAL }), 0.0, "{levels:?}");
    }
}

#[test]
fn noise_fifteen_decibels_below_hides_no_key_of_fifty_milliseconds() {
    assert_eq!(share(Tone { noise: -23.0, ms: 50.0, ..USUAL }), 1.0);
}

#[test]
fn one_tone_alone_is_no_key() {
    assert_eq!(share(Tone { levels: [-10.0, -90.0], ms: 500.0, ..USUAL }), 0.0);
    assert_eq!(share(Tone { levels: [-90.0, -10.0], ms: 500.0, ..USUAL }), 0.0);
}

#[test]
fn a_press_is_as_long_as_it_was_and_an_interruption_does_not_make_it_two() {
    let mut press = Tone { ms: 200.0, ..USUAL }.samples(1, 1);
    let held = |samples: &[i16]| heard(samples).iter().map(|p| (p.digit, p.held.as_millis())).collect::<Vec<_>>();
    let whole = held(&press);
    assert!(matches!(whole[..], [('5', 185..=215)]), "{whole:?}");
    press[1_000..1_080].fill(0);
    let interrupted = held(&press);
    assert!(matches!(interrupted[..], [('5', 185..=215)]), "{interrupted:?}");
}

#[test]
fn the_same_key_after_forty_milliseconds_is_another_press() {
    let press = Tone { ms: 50.0, ..USUAL }.samples(2, 2);
    let two = [&press[..400 + 400], &press[400 - 320..]].concat();
    let keys: String = heard(&two).iter().map(|pressed| pressed.digit).collect();
    assert_eq!(keys, "99");
}

#[test]
fn what_we_press_ourselves_is_heard() {
    for (event, key) in "0123456789*#ABCD".chars().enumerate() {
        let frame = |i: u16| crate::tones::frame(event as u8, i * 20, crate::frame::Rate::Narrow);
        let mut samples: Vec<i16> = (0..4).flat_map(|i| frame(i).samples().to_vec()).collect();
        samples.extend([0; 800]);
        let keys: String = heard(&samples).iter().map(|pressed| pressed.digit).collect();
        assert_eq!(keys, key.to_string());
    }
}
