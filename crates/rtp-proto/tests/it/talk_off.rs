//! How much speech is taken for keys. Needs recordings: 8000 Hz mu-law WAV files below the folder in WARMLINE_SPEECH.
//!
//! ```text
//! WARMLINE_SPEECH=/path/to/speech cargo test --release -p rtp-proto talk_off -- --ignored --nocapture
//! ```

#![allow(clippy::print_stdout, reason = "its figures are what it is run for")]

use crate::world::*;
use call_model::{Codec, MediaCommand, RemoteMedia};
use std::path::{Path, PathBuf};

fn recordings(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            recordings(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "wav") {
            found.push(entry);
        }
    }
}

/// What comes after the header of the data chunk.
fn audio(wav: &[u8]) -> &[u8] {
    let at = wav.windows(4).position(|four| four == b"data").expect("a data chunk");
    &wav[at + 8..]
}

#[test]
#[ignore = "needs recordings, see above"]
fn speech_is_not_taken_for_keys() {
    let folder = std::env::var_os("WARMLINE_SPEECH").expect("WARMLINE_SPEECH names a folder of recordings");
    let mut files = Vec::new();
    recordings(Path::new(&folder), &mut files);
    files.sort();
    let mut world = World::new();
    world.open(CALLER);
    let media = RemoteMedia { telephone_event: None, ..remote(CALLER, Codec::Pcmu) };
    world.command(MediaCommand::Remote { leg: leg(CALLER), media });
    let mut speaker = Sender::new(CALLER, 0xff);
    let mut packets = 0u32;
    for file in &files {
        let before = world.digits().len();
        for part in audio(&std::fs::read(file).expect("readable")).chunks_exact(160) {
            let packet = speaker.build(0, speaker.timestamp, false, part);
            speaker.timestamp += 160;
            world.deliver(leg(CALLER), speaker.from, &packet);
            world.pass(20);
            packets += 1;
        }
        for (_, digit) in &world.digits()[before..] {
            println!("{digit} in {}", file.display());
        }
    }
    let (hours, keys) = (f64::from(packets) / 180_000.0, world.digits().len());
    println!("{keys} keys in {hours:.2} hours of speech: {:.1} an hour", keys as f64 / hours);
    assert!(hours > 0.1, "too little speech to say anything");
    assert!(keys as f64 <= 1.0 + hours * 5.0, "more than 5 an hour");
}
