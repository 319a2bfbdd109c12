//! Recordings of real calls, decrypted by the binary and judged on the tones in each channel.

use crate::sipp::{Cast, MS, Play, SOON};
use call_model::Instant;
use interop::{BOT, CALLER, DESK, Does, decrypt, skipped};
use phone::{Ear, Heard};
use std::path::PathBuf;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

fn recorded(directory: &str) -> Play {
    let more = format!("[recording]\ndirectory = \"{directory}\"\nkey = \"{KEY}\"\ncalls = \"while_here\"\n");
    Play { more, ..Play::new(false, Does::Answer(MS(200))) }
}

/// The bot has handed the caller to the human.
fn join(cast: &Cast) {
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    cast.desk.hears(&[CALLER], 10, SOON);
}

/// What the trace says of the recording, and where it is.
fn traced(cast: &Cast) -> (Vec<String>, PathBuf) {
    let trace = cast.gateway.trace();
    let about: Vec<_> = trace.iter().filter(|event| event["kind"] == "recording").collect();
    let name = about.first().and_then(|event| event["name"].as_str()).expect("a recording is in the trace");
    let what = about.iter().map(|event| event["what"].as_str().unwrap_or_default().to_owned()).collect();
    (what, cast.gateway.file(&format!("recordings/{name}.wrec")))
}

/// Both channels of a WAV file, in blocks of 60 ms.
fn channels(wav: &[u8]) -> [Vec<Heard>; 2] {
    assert_eq!((&wav[..4], wav[22], &wav[24..28]), (b"RIFF".as_slice(), 2, 8000u32.to_le_bytes().as_slice()));
    [0, 2].map(|at| {
        let samples: Vec<i16> =
            wav[44..].chunks_exact(4).map(|pair| i16::from_le_bytes([pair[at], pair[at + 1]])).collect();
        let mut ear = Ear::new(&[CALLER, BOT, DESK]);
        ear.hear(&samples, Instant::ZERO);
        ear.take()
    })
}

fn count(blocks: &[Heard], tones: &[f32]) -> usize {
    blocks.iter().filter(|block| block.tones == tones).count()
}

#[test]
fn a_call_is_recorded_and_a_card_number_is_not() {
    if skipped("sipp") {
        return;
    }
    let mut cast = recorded("recordings").begin();
    join(&cast);
    let id = cast.gateway.call("joined", SOON, |call| call["state"] == "joined")["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let ask = |what: &str| {
        let body = format!("{{\"recording\": \"{what}\"}}");
        cast.gateway.post(&format!("/v1/calls/{id}/recording"), &body).map(|(status, _)| status)
    };
    assert_eq!(ask("pause"), Some(204));
    assert_eq!(ask("pause"), Some(409), "once is enough");
    assert_eq!(ask("erase"), Some(422));
    cast.caller.hears(&[DESK], 25, SOON);
    assert_eq!(ask("resume"), Some(204));
    cast.caller.hears(&[DESK], 25, SOON);
    cast.caller.heard_one_unbroken_stream();
    cast.trunk_sipp.hang_up();
    cast.gateway.call_ends(SOON);
    let (what, file) = traced(&cast);
    assert_eq!(what, ["began", "paused", "resumed", "ended"]);
    cast.gateway.until("/metrics", SOON, |page| page.contains("warmline_recordings_running 0"));
    let sealed = std::fs::read(&file).expect("it is where the trace says");

    let (status, said, _) = decrypt(&file, &KEY.replace('0', "1"));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("this is not its key") && !said.contains("1112233"), "{said}");
    let (status, said, wav) = decrypt(&file, KEY);
    assert_eq!(status, Some(0), "{said}");
    assert!(!sealed.windows(16).any(|part| part == &wav[44 + 64_000..][..16]), "nothing of it lies open");

    let [left, right] = channels(&wav);
    let heard =
        |blocks: &[Heard]| blocks.iter().map(|block| format!("{:?}", block.tones)).collect::<Vec<_>>().join(" ");
    let first_of_desk = right.iter().position(|block| block.tones == [DESK]).expect("the human is on the right");
    assert!(count(&right[..first_of_desk], &[BOT]) >= 15, "first the bot: {}", heard(&right));
    assert_eq!(count(&right[first_of_desk + 2..], &[BOT]), 0, "then the human alone: {}", heard(&right));
    assert!(count(&right, &[DESK]) >= 25, "{}", heard(&right));
    assert_eq!(right.iter().filter(|block| block.tones.contains(&CALLER)).count(), 0, "{}", heard(&right));
    assert!(count(&left, &[CALLER]) >= 40, "{}", heard(&left));
    assert_eq!(
        left.iter().filter(|block| block.tones.iter().any(|tone| *tone != CALLER)).count(),
        0,
        "{}",
        heard(&left)
    );
    let quiet: Vec<bool> = left.iter().zip(&right).map(|(l, r)| l.level < 0.001 && r.level < 0.001).collect();
    let pause = quiet[first_of_desk..].split(|quiet| !quiet).map(<[bool]>::len).max().unwrap_or_default();
    assert!((20..60).contains(&pause), "a pause of some 1.5 s on both sides: {pause} blocks");
}

#[test]
fn a_crash_leaves_a_recording_that_is_good_to_the_last_second() {
    if skipped("sipp") {
        return;
    }
    let mut cast = recorded("recordings").begin();
    join(&cast);
    cast.caller.hears(&[DESK], 40, SOON);
    let (_, file) = traced(&cast);
    cast.gateway.crash();
    let (status, said, wav) = decrypt(&file, KEY);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("it breaks off there"), "{said}");
    let [left, right] = channels(&wav);
    assert!(count(&left, &[CALLER]) >= 15 && count(&right, &[BOT]) >= 10, "{said}");
}

#[test]
fn a_disk_that_takes_nothing_costs_the_recording_and_not_the_call() {
    if skipped("sipp") {
        return;
    }
    let mut cast = recorded("/proc/recordings").begin();
    join(&cast);
    cast.caller.hears(&[DESK], 20, SOON);
    cast.caller.heard_one_unbroken_stream();
    cast.trunk_sipp.hang_up();
    let call = cast.gateway.call_ends(SOON);
    assert_eq!(call["handoff"]["outcome"], "joined", "{call:#}");
    cast.gateway.until("/metrics", SOON, |page| {
        page.contains("warmline_recordings_incomplete_total 1") && page.contains("warmline_recordings_running 0")
    });
    assert!(traced(&cast).0.iter().any(|what| what == "incomplete"));
    assert!(cast.gateway.metric("warmline_recording_frames_lost_total").is_some_and(|lost| lost >= 50.0));
    assert_eq!(cast.gateway.log().matches("some of a recording cannot be written").count(), 1, "once, not for ever");
}
