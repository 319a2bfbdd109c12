//! The sixteen keys as pairs of tones (ITU-T Q.23).

use crate::frame::{Frame, Rate};
use core::f32::consts::TAU;

/// The keys in the order of their events (RFC 4733 §3.2).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// The same, by row and column of the keypad.
const PAD: [[u8; 4]; 4] = [*b"123A", *b"456B", *b"789C", *b"*0#D"];
/// One of these for each row, hertz.
pub(crate) const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// And one of these for each column.
pub(crate) const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// -8 and -6 dBm0, of 32,768: the high tone is the louder one, since lines weaken it.
const LEVELS: [f32; 2] = [9_090.0, 11_440.0];

/// The event of a key.
pub(crate) fn event(digit: char) -> Option<u8> {
    KEYS.iter().position(|key| char::from(*key) == digit).map(|event| event as u8)
}

/// The key of an event.
pub(crate) fn digit(event: u8) -> Option<char> {
    KEYS.get(usize::from(event)).map(|key| char::from(*key))
}

/// The event of the key in this row and column.
pub(crate) fn event_at(row: usize, column: usize) -> Option<u8> {
    event(char::from(*PAD.get(row)?.get(column)?))
}

/// The two tones of an event.
fn hertz(event: u8) -> Option<[f32; 2]> {
    let key = *KEYS.get(usize::from(event))?;
    let place = PAD.iter().enumerate().find_map(|(row, keys)| Some((row, keys.iter().position(|one| *one == key)?)));
    place.map(|(row, column)| [ROWS[row], COLUMNS[column]])
}

/// 20 ms of a key, that many milliseconds after its beginning.
pub(crate) fn frame(event: u8, after_ms: u16, rate: Rate) -> Frame {
    let mut frame = Frame::silence(rate);
    let Some(tones) = hertz(event) else { return frame };
    let per_second = rate.hertz() as f32;
    for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
        let seconds = f32::from(after_ms) / 1000.0 + i as f32 / per_second;
        let both: f32 =
            tones.iter().zip(LEVELS).map(|(hertz, level)| level * (TAU * (hertz * seconds).fract()).sin()).sum();
        *sample = both as i16;
    }
    frame
}
