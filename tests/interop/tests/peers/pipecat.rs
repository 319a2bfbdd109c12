//! A public Media Streams bot framework, unmodified, as the bot: audio both ways, then a handoff.

use call_model::Codec;
use interop::{CALLER, Callee, DESK, Does, Gateway, Pipecat, Sipp, Talker, Trunk, free_port, skipped};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn config(pipecat: &Pipecat, desk_port: u16, on_close: &str) -> String {
    format!(
        r#"
[[bots]]
name = "pipecat"
stream = "ws://127.0.0.1:{}/ws"
on_close = "{on_close}"
[[desks]]
name = "alice"
sip = "sip:alice@127.0.0.1:{desk_port}"
page_token = "only-for-tests"
[[routes]]
dialled = "*"
bot = "pipecat"
[timers]
ping_every_s = 0
"#,
        pipecat.port
    )
}

fn call(gateway: &Gateway, caller: &Talker, codec: Codec) -> Sipp {
    let trunk = Sipp::trunk(Trunk { dials: "7001", refer: 603, tcp: false, codec }, gateway.sip, caller);
    caller.connect(SOON);
    trunk
}

fn told(pipecat: &Pipecat, what: &str) -> Value {
    pipecat.until(what, SOON, |said| said["event"] == "warmline" && said["type"] == what)
}

#[test]
fn a_caller_talks_to_a_pipecat_bot_and_a_lone_0_fetches_a_human() {
    if skipped("pipecat") || skipped("sipp") {
        return;
    }
    // A-law on the trunk, so that conversion towards the WebSocket is part of the test.
    let (codec, desk_port, pipecat) = (Codec::Pcma, free_port(), Pipecat::start());
    let gateway = Gateway::start("stay", &config(&pipecat, desk_port, "hang_up"));
    let (caller, desk) = (Talker::new(CALLER, codec), Talker::new(DESK, Codec::Pcmu));
    let does = Does::Answer(Duration::from_millis(1000));
    let desk_sipp = Sipp::callee(Callee { port: desk_port, does, tcp: false, codec: Codec::Pcmu }, &desk);
    let mut trunk = call(&gateway, &caller, codec);

    let started = pipecat.until("a stream", SOON, |said| said["started"].is_string());
    assert_eq!((&started["from"], &started["to"]), (&"+447700900123".into(), &"7001".into()));
    // Only pipecat can bring the caller's own tone back.
    caller.hears(&[CALLER], 20, SOON);
    caller.mute(true);
    caller.hears(&[], 10, SOON);
    caller.mute(false);
    caller.hears(&[CALLER], 20, SOON);

    caller.press('0');
    let key = pipecat.until("the key", SOON, |said| said["event"] == "dtmf");
    assert_eq!(key["dtmf"]["digit"], "0");
    assert_eq!(told(&pipecat, "handoff.started")["trigger"], "dtmf");
    desk.connect(SOON);
    caller.hears(&[CALLER], 10, SOON);
    gateway.call_is("accepting", SOON);
    desk.hears(&[], 5, SOON);
    desk.press('1');
    caller.hears(&[DESK], 10, SOON);
    desk.hears(&[CALLER], 10, SOON);
    gateway.call_is("joined", SOON);

    told(&pipecat, "handoff.accepted");
    pipecat.until("stop", SOON, |said| said["event"] == "stop");
    let closed = pipecat.until("the close", SOON, |said| said.get("closed").is_some());
    // 1005: a close frame without a code, which is a goodbye; 1006 would be none.
    assert!([1000, 1005].map(Value::from).contains(&closed["closed"]), "{closed}");
    pipecat.until("the end of its pipeline", SOON, |said| said["ended"] == started["started"]);
    caller.hears(&[DESK], 10, SOON);
    caller.heard_one_unbroken_stream();

    consult_waited_no_longer_than_the_pop_may(&gateway);
    trunk.hang_up();
    trunk.succeeds(SOON);
    desk_sipp.succeeds(SOON);
    gateway.call_ends(SOON);
}

/// Nobody has the page open: the phone rings all the same. `pop_wait` is 20 ms; the rest is for a busy machine.
fn consult_waited_no_longer_than_the_pop_may(gateway: &Gateway) {
    let trace = gateway.trace();
    let at = |wanted: &dyn Fn(&Value) -> bool| {
        let event = trace.iter().find(|event| wanted(event)).unwrap_or_else(|| panic!("not traced: {trace:#?}"));
        event["at_unix_ms"].as_u64().expect("a time")
    };
    let decided = at(&|event| event["kind"] == "decided");
    let invited = at(&|event| {
        let invite = event["what"].as_str().is_some_and(|what| what.starts_with("INVITE"));
        event["kind"] == "sip" && event["role"] == "desk" && event["sent"] == true && invite
    });
    assert!(invited - decided <= 20 + 100, "the consult INVITE left {} ms after the decision", invited - decided);
}

#[test]
fn a_pipecat_bot_that_dies_leaves_its_caller_to_a_human() {
    if skipped("pipecat") || skipped("sipp") {
        return;
    }
    let (codec, desk_port, pipecat) = (Codec::Pcmu, free_port(), Pipecat::start());
    let gateway = Gateway::start("stay", &config(&pipecat, desk_port, "hang_up"));
    let (caller, desk) = (Talker::new(CALLER, codec), Talker::new(DESK, codec));
    let does = Does::Answer(Duration::from_millis(300));
    let desk_sipp = Sipp::callee(Callee { port: desk_port, does, tcp: false, codec }, &desk);
    let mut trunk = call(&gateway, &caller, codec);
    caller.hears(&[CALLER], 10, SOON);
    // Killed, without a goodbye.
    drop(pipecat);
    desk.connect(SOON);
    gateway.call_is("accepting", SOON);
    // Never in silence: the music shipped with the gateway.
    caller.hears_music(5, SOON);
    desk.press('1');
    caller.hears(&[DESK], 10, SOON);
    desk.hears(&[CALLER], 10, SOON);
    let call = gateway.call("joined", SOON, |call| call["state"] == "joined");
    assert_eq!(call["decision"]["trigger"], "bot_down", "{call:#}");
    trunk.hang_up();
    trunk.succeeds(SOON);
    desk_sipp.succeeds(SOON);
    gateway.call_ends(SOON);
}
