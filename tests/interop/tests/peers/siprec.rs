//! An external recorder: SIPp takes the recording session, and either stream is judged by ear.

use crate::sipp::{MS, Play, SOON};
use call_model::Codec;
use interop::{BOT, CALLER, DESK, Does, Sipp, Talker, free_port, skipped};
use std::io::Write as _;
use std::process::{Command, Stdio};

fn recorded(port: u16, codec: Codec, more: &str) -> Play {
    let more = format!(
        "[recording]\ncalls = \"while_here\"\nto = \"recorder\"\n[recording.recorder]\n\
         sip = \"sip:recorder@127.0.0.1:{port};transport=tcp\"\ncodecs = [\"{}\"]\n{more}",
        codec.name()
    );
    Play { more, ..Play::new(false, Does::Answer(MS(200))) }
}

/// What an XML parser of other people finds wrong.
fn malformed(xml: &str) -> String {
    let check = "import sys, xml.dom.minidom as m; m.parseString(sys.stdin.buffer.read())";
    let python = Command::new("python3").args(["-c", check]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut python = python.expect("python3 runs");
    python.stdin.take().expect("a pipe").write_all(xml.as_bytes()).expect("python3 reads");
    String::from_utf8_lossy(&python.wait_with_output().expect("python3 ends").stderr).into_owned()
}

fn both_streams_are_heard_apart(codec: Codec) {
    let port = free_port();
    let ears = [Talker::new(CALLER, codec), Talker::new(BOT, codec)];
    let recorder = Sipp::recorder(port, codec, [&ears[0], &ears[1]]);
    // It only listens.
    ears.iter().for_each(|ear| ear.mute(true));
    let mut cast = recorded(port, codec, "").begin();
    ears.iter().for_each(|ear| ear.connect(SOON));
    ears[0].hears(&[CALLER], 10, SOON);
    ears[1].hears(&[BOT], 10, SOON);
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    ears[0].hears(&[CALLER], 10, SOON);
    ears[1].hears(&[DESK], 10, SOON);
    let id = cast.gateway.call("joined", SOON, |call| call["state"] == "joined")["id"].clone();
    let path = format!("/v1/calls/{}/recording", id.as_str().unwrap_or_default());
    let ask =
        |what: &str| cast.gateway.post(&path, &format!("{{\"recording\": \"{what}\"}}")).map(|(status, _)| status);
    assert_eq!(ask("pause"), Some(204));
    cast.caller.hears(&[DESK], 10, SOON);
    let before = ears[0].measured().received;
    cast.caller.hears(&[DESK], 10, SOON);
    assert_eq!(ears[0].measured().received, before, "nothing is sent in a pause");
    assert_eq!(ask("resume"), Some(204));
    ears[0].hears(&[CALLER], 10, SOON);
    ears[1].hears(&[DESK], 10, SOON);
    cast.caller.heard_one_unbroken_stream();
    cast.trunk_sipp.hang_up();
    cast.gateway.call_ends(SOON);
    for ear in &ears {
        let measured = ear.measured();
        assert_eq!((measured.sources.len(), measured.digits.len()), (1, 0), "{measured:?}");
    }
    let told = recorder.was_told_who_takes_part();
    assert!(told.len() >= 4, "begun, joined, paused and resumed: {told:#?}");
    for metadata in &told {
        assert_eq!(malformed(metadata), "", "{metadata}");
    }
    assert!(told.last().is_some_and(|last| last.contains("sip:alice@") && last.contains("disassociate-time")));
    recorder.succeeds(SOON);
    let traced: Vec<String> = cast
        .gateway
        .trace()
        .iter()
        .filter(|event| event["kind"] == "recording")
        .map(|event| event["what"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(traced, ["recorder began", "paused", "resumed", "recorder ended"]);
}

#[test]
fn the_caller_on_one_stream_and_whomever_the_caller_hears_on_the_other() {
    if !skipped("sipp") {
        both_streams_are_heard_apart(Codec::Pcmu);
        both_streams_are_heard_apart(Codec::Pcma);
    }
}

#[test]
fn where_no_recorder_is_calls_go_on() {
    if skipped("sipp") {
        return;
    }
    let mut cast = recorded(free_port(), Codec::Pcmu, "").begin();
    cast.gateway.until("/metrics", SOON, |page| page.contains("warmline_recorder_failures_total 2"));
    cast.caller.hears(&[BOT], 20, SOON);
    cast.caller.heard_one_unbroken_stream();
    cast.trunk_sipp.hang_up();
    cast.gateway.call_ends(SOON);
}
