//! SIPp as trunk, bot and desk, over UDP and TCP: in every state every receiver hears exactly the tones it should.

use call_model::Codec;
use interop::{BOT, CALLER, Callee, DESK, Gateway, Sipp, Talker, Trunk, free_port, skipped};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);
const CALL: Duration = Duration::from_secs(40);

struct Cast {
    gateway: Gateway,
    caller: Talker,
    bot: Talker,
    desk: Talker,
    trunk_sipp: Sipp,
    bot_sipp: Sipp,
    desk_sipp: Sipp,
}

/// Calls; on return the bot has the caller.
fn cast(tcp: bool, codecs: [Codec; 3], release: &str, refer: u16, hold: Duration, ring: Duration) -> Cast {
    let (bot_port, desk_port) = (free_port(), free_port());
    let suffix = if tcp { ";transport=tcp" } else { "" };
    let more = format!(
        r#"
[[bots]]
name = "helper"
sip = "sip:{{user}}@127.0.0.1:{bot_port}{suffix}"
[[desks]]
name = "alice"
sip = "sip:alice@127.0.0.1:{desk_port}{suffix}"
page_token = "only-for-tests"
[[routes]]
dialled = "*"
bot = "helper"
[timers]
release_after_s = 1
"#
    );
    let gateway = Gateway::start(release, &more);
    let (caller, bot, desk) =
        (Talker::new(CALLER, codecs[0]), Talker::new(BOT, codecs[1]), Talker::new(DESK, codecs[2]));
    let bot_ring = Duration::from_millis(200);
    let bot_sipp = Sipp::callee(Callee { port: bot_port, ring: bot_ring, tcp, codec: codecs[1] }, &bot);
    let desk_sipp = Sipp::callee(Callee { port: desk_port, ring, tcp, codec: codecs[2] }, &desk);
    let trunk = Trunk { dials: "7001", port: free_port(), hold, refer, tcp, codec: codecs[0] };
    let trunk_sipp = Sipp::trunk(trunk, gateway.sip, &caller);
    bot.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    bot.hears(&[CALLER], 10, SOON);
    Cast { gateway, caller, bot, desk, trunk_sipp, bot_sipp, desk_sipp }
}

/// Escalates by a lone 0, accepts with 1, and judges every state by ear until the caller hangs up.
fn handoff(tcp: bool, codecs: [Codec; 3]) {
    let hold = Duration::from_secs(14);
    let cast = cast(tcp, codecs, "stay", 603, hold, Duration::from_millis(1500));
    cast.caller.press('0');
    cast.desk.connect(SOON);
    // Ringing and, after the answer, waiting for the key: the bot keeps the caller, the human hears no one.
    cast.caller.hears(&[BOT], 10, SOON);
    cast.bot.hears(&[CALLER], 10, SOON);
    cast.gateway.until("/v1/calls", SOON, |calls| calls.contains("Accepting"));
    cast.desk.hears(&[], 5, SOON);
    cast.caller.hears(&[BOT], 10, SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    cast.desk.hears(&[CALLER], 10, SOON);
    cast.gateway.until("/v1/calls", SOON, |calls| calls.contains("Joined"));
    cast.bot_sipp.succeeds(CALL);
    cast.caller.hears(&[DESK], 20, SOON);
    cast.trunk_sipp.succeeds(CALL);
    cast.desk_sipp.succeeds(CALL);
    let heard = cast.caller.measured();
    assert_eq!((heard.sources.len(), heard.timestamp_faults), (1, 0), "one unbroken stream for the caller: {heard:?}");
    assert!(cast.caller.longest_gap() < Duration::from_millis(500), "{:?}", heard.gaps);
    cast.gateway.until("/v1/calls", SOON, |calls| !calls.contains("Joined"));
}

#[test]
fn over_udp_every_state_sounds_as_it_should() {
    if !skipped("sipp") {
        handoff(false, [Codec::Pcmu; 3]);
    }
}

#[test]
fn over_tcp_with_different_codecs_every_state_sounds_as_it_should() {
    if !skipped("sipp") {
        handoff(true, [Codec::Pcmu, Codec::Pcma, Codec::Pcma]);
    }
}

#[test]
fn a_refused_refer_leaves_the_two_people_talking() {
    if skipped("sipp") {
        return;
    }
    let cast = cast(false, [Codec::Pcma; 3], "auto", 603, Duration::from_secs(12), Duration::from_millis(300));
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.gateway.until("/v1/calls", SOON, |calls| calls.contains("Accepting"));
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    cast.gateway.until("/v1/calls", SOON, |calls| calls.contains("Joined"));
    // release_after is one second: the REFER has been refused long before these stretches have been heard.
    cast.caller.hears(&[DESK], 50, SOON);
    cast.desk.hears(&[CALLER], 10, SOON);
    cast.trunk_sipp.succeeds(CALL);
    cast.desk_sipp.succeeds(CALL);
    let metrics = cast.gateway.get("/metrics").expect("metrics are served").1;
    assert!(metrics.contains("joined"), "{metrics}");
}
