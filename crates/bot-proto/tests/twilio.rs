//! Frames as they are on the wire.

use bot_proto::{BadFrame, BotInput, StreamParams, TwilioSession, twilio::MAX_FRAME};
use call_model::{BotUpdate, FactKind, HandoffId, IdSource, Instant, Redacted, Resumed, Secret, Speaker};
use core::time::Duration;
use serde_json::{Value, json};

#[test]
fn connected_and_start_come_first_and_say_what_bots_look_for() {
    let mut session = session();
    let [connected, start] = session.start_frames();
    assert_eq!(value(&connected), json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}));
    let sid = session.stream_sid().to_owned();
    assert!(sid.len() == 34 && sid.starts_with("MZ"), "{sid}");
    assert_eq!(
        value(&start),
        json!({
            "event": "start",
            "sequenceNumber": "1",
            "streamSid": sid,
            "start": {
                "streamSid": sid,
                "accountSid": "AC00000000000000000000000000000000",
                "callSid": "CA0123456789abcdef0123456789abcdef",
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": {
                    "from_number": "+447700900123",
                    "to_number": "+442079460000",
                    "warmline_session_id": "0123456789abcdef0123456789abcdef",
                    "warmline_control_url": "http://127.0.0.1:8088/v1/calls/X/control",
                    "warmline_control_token": "s3cret",
                },
            },
        })
    );
}

#[test]
fn media_counts_chunks_and_milliseconds_in_texts() {
    let mut session = started();
    let sid = session.stream_sid().to_owned();
    session.media(&[0xff; 160], Instant::from_millis(1_000));
    assert_eq!(
        value(&session.media(&[0, 1, 2, 3], Instant::from_millis(1_020))),
        json!({
            "event": "media", "sequenceNumber": "3", "streamSid": sid,
            "media": {"track": "inbound", "chunk": "2", "timestamp": "20", "payload": "AAECAw=="},
        })
    );
}

#[test]
fn keys_marks_and_the_end_have_twilios_shapes() {
    let mut session = started();
    let sid = session.stream_sid().to_owned();
    assert_eq!(
        value(&session.dtmf('#')),
        json!({"event": "dtmf", "sequenceNumber": "2", "streamSid": sid, "dtmf": {"track": "inbound_track", "digit": "#"}})
    );
    assert_eq!(
        value(&session.mark("said \"hi\"")),
        json!({"event": "mark", "sequenceNumber": "3", "streamSid": sid, "mark": {"name": "said \"hi\""}})
    );
    assert_eq!(
        value(&session.stop()),
        json!({
            "event": "stop", "sequenceNumber": "4", "streamSid": sid,
            "stop": {"accountSid": "AC00000000000000000000000000000000", "callSid": "CA0123456789abcdef0123456789abcdef"},
        })
    );
}

#[test]
fn news_of_the_handoff_are_events_that_others_ignore() {
    let mut session = started();
    let sid = session.stream_sid().to_owned();
    let update = BotUpdate::HandoffStarted { trigger: "asked", wait: Some(Duration::from_millis(24_200)) };
    assert_eq!(
        value(&session.tell(&update)),
        json!({
            "event": "warmline", "sequenceNumber": "2", "streamSid": sid,
            "type": "handoff.started", "trigger": "asked", "wait_s": 25,
        })
    );
}

#[test]
fn audio_of_any_length_is_taken_padded_or_not() {
    for (payload, audio) in [("AAECAw==", vec![0, 1, 2, 3]), ("AAECAw", vec![0, 1, 2, 3]), ("/w==", vec![0xff])] {
        let frame = json!({"event": "media", "streamSid": session().stream_sid(), "media": {"payload": payload}});
        assert_eq!(session().handle_text(&frame.to_string()), Ok(vec![BotInput::Audio(audio)]));
    }
    let second = "/".repeat(10_668); // 8001 octets
    let frame = json!({"event": "media", "media": {"payload": second}}).to_string();
    let Ok(inputs) = session().handle_text(&frame) else { panic!("a second of audio is taken") };
    assert!(matches!(&inputs[..], [BotInput::Audio(audio)] if audio.len() == 8001));
    let empty = r#"{"event": "media", "media": {"payload": ""}}"#;
    assert_eq!(session().handle_text(empty), Ok(vec![BotInput::Ignored]));
}

#[test]
fn marks_clear_stop_and_control_events_are_understood() {
    let mut session = session();
    for (frame, inputs) in [
        (json!({"event": "mark", "mark": {"name": "a"}}), vec![BotInput::Mark("a".to_owned())]),
        (json!({"event": "clear"}), vec![BotInput::Clear]),
        (json!({"event": "stop"}), vec![BotInput::Stop]),
        (json!({"event": "somethingNew", "x": [1]}), vec![BotInput::Ignored]),
        (
            json!({"event": "warmline", "asked_for_human": true, "turn": {"speaker": "caller", "text": "a human!"}}),
            vec![
                BotInput::Control(FactKind::Turn {
                    speaker: Speaker::Caller,
                    text: "a human!".to_owned(),
                    confidence: None,
                }),
                BotInput::Control(FactKind::AskedForHuman),
            ],
        ),
    ] {
        assert_eq!(session.handle_text(&frame.to_string()), Ok(inputs), "{frame}");
    }
}

#[test]
fn a_bad_frame_is_refused_with_advice_and_the_stream_goes_on() {
    let mut session = session();
    let sid = session.stream_sid().to_owned();
    for (frame, complaint) in [
        ("", "not a JSON object: EOF while parsing a value at line 1 column 0"),
        ("[1]", "not a JSON object: invalid type: sequence, expected a map at line 1 column 0"),
        ("{}", "event: missing; every frame names its event in a text"),
        (r#"{"event": 3}"#, "event: missing; every frame names its event in a text"),
        (r#"{"event": "media"}"#, "media.payload: missing; base64 of mu-law, 8000 Hz"),
        (r#"{"event": "media", "media": "x"}"#, "media.payload: missing; base64 of mu-law, 8000 Hz"),
        (r#"{"event": "media", "media": {"payload": 7}}"#, "media.payload: missing; base64 of mu-law, 8000 Hz"),
        (
            r#"{"event": "media", "media": {"payload": "%%%%"}}"#,
            "media.payload: not base64: Invalid symbol 37, offset 0.",
        ),
        (
            r#"{"event": "mark", "mark": {}}"#,
            "mark.name: missing; a text that is sent back when the audio before it was played",
        ),
        (
            r#"{"event": "warmline", "turn": {"speaker": "dog", "text": "x"}}"#,
            "control event refused: turn.speaker: `dog` is not \"caller\" or \"bot\"",
        ),
    ] {
        assert_eq!(session.handle_text(frame).map_err(|bad| bad.to_string()), Err(complaint.to_owned()), "{frame}");
    }
    let other = json!({"event": "clear", "streamSid": "MZ1"}).to_string();
    let complaint = format!("streamSid: is not this stream's; send {sid}");
    assert_eq!(session.handle_text(&other).map_err(|bad| bad.to_string()), Err(complaint));
    assert_eq!(session.handle_text(r#"{"event": "clear"}"#), Ok(vec![BotInput::Clear]));
}

#[test]
fn sizes_are_bounded() {
    let mut session = session();
    let long = format!("{{\"event\":\"media\",\"media\":{{\"payload\":\"{}\"}}}}", "A".repeat(MAX_FRAME));
    assert_eq!(session.handle_text(&long), Err(BadFrame::TooLong(long.len())));
    let deep = "[".repeat(100_000);
    assert!(matches!(session.handle_text(&format!("{{\"event\":\"x\",\"y\":{deep}")), Err(BadFrame::NotJson(_))));
    let mark = json!({"event": "mark", "mark": {"name": "m".repeat(257)}}).to_string();
    assert!(session.handle_text(&mark).is_err_and(|bad| bad.to_string() == "mark.name: longer than 256 characters"));
}

#[test]
fn every_cut_of_a_good_frame_is_refused_without_panic() {
    let frame =
        json!({"event": "warmline", "turn": {"speaker": "bot", "text": "é\u{1f600}", "confidence": 0.5}}).to_string();
    for end in (0..frame.len()).filter(|end| frame.is_char_boundary(*end)) {
        assert!(session().handle_text(&frame[..end]).is_err(), "{}", &frame[..end]);
    }
    assert!(session().handle_text(&frame).is_ok());
}

#[test]
fn a_bot_that_gets_a_caller_back_learns_it_in_start() {
    let resumed = Resumed {
        handoff: HandoffId(7),
        how: "handed_back",
        notes: "say \"sorry\"".to_owned(),
        summary: "a fee".to_owned(),
    };
    let mut ids = IdSource::from_u64(1);
    let [_, start] = TwilioSession::new(params(Some(resumed)), &mut ids, Instant::ZERO).start_frames();
    let told = &value(&start)["start"]["customParameters"];
    assert_eq!(told["warmline_resumed"], "handed_back");
    assert_eq!(told["warmline_handoff_id"], HandoffId(7).to_string());
    assert_eq!(told["warmline_handoff_notes"], "say \"sorry\"");
    assert_eq!(told["warmline_summary"], "a fee");
    let [_, first] = session().start_frames();
    assert!(!first.contains("warmline_resumed"), "{first}");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let shown = format!("{:?}", session());
    assert!(!shown.contains("s3cret") && !shown.contains("447700900123"), "{shown}");
}

fn session() -> TwilioSession {
    TwilioSession::new(params(None), &mut IdSource::from_u64(1), Instant::from_millis(1_000))
}

fn params(resumed: Option<Resumed>) -> StreamParams {
    StreamParams {
        from: Redacted::new("+447700900123"),
        to: Redacted::new("+442079460000"),
        session_id: "0123456789abcdef0123456789abcdef".to_owned(),
        control_url: Some("http://127.0.0.1:8088/v1/calls/X/control".to_owned()),
        control_token: Secret::new("s3cret"),
        resumed: resumed.map(Box::new),
    }
}

fn started() -> TwilioSession {
    let mut session = session();
    session.start_frames();
    session
}

fn value(frame: &str) -> Value {
    serde_json::from_str(frame).expect("our frames are JSON")
}
