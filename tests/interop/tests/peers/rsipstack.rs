//! rsipstack, a SIP stack that shares nothing with ours, as the trunk and as a desk's telephone that registers: a whole
//! handoff over every transport, judged on what both sides saw and heard.

use call_model::Codec;
use interop::{BOT, CALLER, Callee, DESK, Does, Gateway, Rsipstack, Sipp, Talker, free_port, skipped};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

struct Cast {
    gateway: Gateway,
    caller: Talker,
    bot: Talker,
    bot_port: u16,
    human: Talker,
    trunk: Rsipstack,
    desk: Rsipstack,
}

/// Everybody is there, the caller has a human, and both hear each other.
fn joined(transport: &str, release: &str) -> Cast {
    let bot_port = free_port();
    let config = format!(
        r#"
[[bots]]
name = "helper"
sip = "sip:{{user}}@127.0.0.1:{bot_port}"
[[desks]]
name = "ada"
register = {{ user = "ada", password = "pass-for-tests", from = ["127.0.0.1"] }}
[[routes]]
dialled = "*"
bot = "helper"
[timers]
# SIPp scenarios know one call and nothing else.
ping_every_s = 0
"#
    );
    let gateway = Gateway::start(release, &config);
    let (caller, bot, human) =
        (Talker::new(CALLER, Codec::Pcmu), Talker::new(BOT, Codec::Pcmu), Talker::new(DESK, Codec::Pcmu));
    let bot_sipp = bot_at(bot_port, &bot);

    let desk = Rsipstack::desk(transport, "ada", "pass-for-tests", &gateway, &human);
    assert_eq!(desk.says("register"), "200 for 600");
    gateway.until("/metrics", SOON, |page| page.contains("\nwarmline_telephones_registered 1\n"));

    let mut trunk = Rsipstack::trunk(transport, "7001", &gateway, &caller);
    assert_eq!(trunk.says("answered"), "200");
    bot.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    bot.hears(&[CALLER], 10, SOON);
    trunk.order("options");
    assert_eq!(trunk.says("options"), "200");

    caller.press('0');
    human.connect(SOON);
    gateway.call_is("accepting", SOON);
    desk.says("confirmed");
    human.hears(&[], 5, SOON);
    human.press('1');
    caller.hears(&[DESK], 20, SOON);
    human.hears(&[CALLER], 10, SOON);
    bot_sipp.succeeds(SOON);
    Cast { gateway, caller, bot, bot_port, human, trunk, desk }
}

fn bot_at(port: u16, talker: &Talker) -> Sipp {
    let does = Does::Answer(Duration::from_millis(200));
    Sipp::callee(Callee { port, does, tcp: false, codec: Codec::Pcmu }, talker)
}

/// Hold and back by re-INVITE; then the human hangs up, the bot has the caller again, and the caller hangs up.
fn a_whole_handoff(transport: &str) {
    let Cast { gateway, caller, bot, bot_port, human, mut trunk, mut desk } = joined(transport, "stay");
    gateway.call_is("joined", SOON);
    trunk.order("hold");
    assert_eq!(trunk.says("hold"), "200 recvonly");
    trunk.order("resume");
    assert_eq!(trunk.says("resume"), "200 sendrecv");
    caller.hears(&[DESK], 20, SOON);
    human.hears(&[CALLER], 10, SOON);
    let bot_sipp = bot_at(bot_port, &bot);
    desk.order("bye");
    desk.says("ended UasBye");
    bot.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    trunk.order("bye");
    trunk.says("ended UacBye");
    bot_sipp.succeeds(SOON);
    let call = gateway.call_ends(SOON);
    assert_eq!((&call["ended_by"], &call["handoff"]["outcome"]), (&"caller".into(), &"joined".into()), "{call:#}");
    desk.order("unregister");
    assert_eq!(desk.says("register"), "200 for 0");
    gateway.until("/metrics", SOON, |page| page.contains("\nwarmline_telephones_registered 0\n"));
}

#[test]
fn over_udp_both_ends_see_a_whole_handoff() {
    if !skipped("rsipstack") && !skipped("sipp") {
        a_whole_handoff("udp");
    }
}

#[test]
fn over_tcp_both_ends_see_a_whole_handoff() {
    if !skipped("rsipstack") && !skipped("sipp") {
        a_whole_handoff("tcp");
    }
}

#[test]
fn over_tls_both_ends_see_a_whole_handoff() {
    if !skipped("rsipstack") && !skipped("sipp") {
        a_whole_handoff("tls");
    }
}

/// Our registrar lets it in by its password only, and its answer to our OPTIONS tells us what it can do.
fn a_telephone_proves_itself(transport: &str) {
    if skipped("rsipstack") {
        return;
    }
    let port = free_port();
    let scheme = if transport == "tls" { "sips" } else { "sip" };
    let config = format!(
        r#"
[[bots]]
name = "helper"
stream = "ws://127.0.0.1:9/"
[[desks]]
name = "ada"
register = {{ user = "ada", password = "pass-for-tests", from = ["127.0.0.1"] }}
[[desks]]
name = "bob"
sip = "{scheme}:bob@127.0.0.1:{port};transport={transport}"
[[routes]]
dialled = "*"
bot = "helper"
[timers]
ping_every_s = 1
"#
    );
    let gateway = Gateway::start("stay", &config);
    let human = Talker::new(DESK, Codec::Pcmu);
    let stranger = Rsipstack::desk(transport, "ada", "guess", &gateway, &human);
    assert_eq!(stranger.says("register"), "401 for 600");
    assert_eq!(gateway.metric("warmline_telephones_registered"), Some(0.0));

    let phone = Rsipstack::phone(transport, "bob", port, &gateway, &human);
    phone.says("received OPTIONS");
    let shown = gateway.until("/v1/trunks", SOON, |body| body.contains("answer to OPTIONS"));
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("the API speaks JSON");
    assert_eq!((&shown["desks"][1]["name"], &shown["desks"][1]["up"]), (&"bob".into(), &true.into()), "{shown:#}");
}

#[test]
fn over_udp_a_telephone_proves_itself() {
    a_telephone_proves_itself("udp");
}

#[test]
fn over_tcp_a_telephone_proves_itself() {
    a_telephone_proves_itself("tcp");
}

#[test]
fn over_tls_a_telephone_proves_itself() {
    a_telephone_proves_itself("tls");
}

/// The trunk calls the desk with Replaces, as our REFER says; then the two talk without us.
fn we_leave(transport: &str) {
    let Cast { gateway, caller, human, mut trunk, desk, .. } = joined(transport, "auto");
    let referred = trunk.says("referred to");
    assert!(referred.starts_with("sip:ada@127.0.0.1:") && referred.contains("to-tag="), "{referred}");
    assert_eq!(trunk.says("notified 100,"), "answered Some(200)");
    desk.says("replaced");
    assert_eq!(trunk.says("answered"), "200");
    assert_eq!(trunk.says("notified 200,"), "answered Some(200)");
    caller.connect(SOON);
    human.connect(SOON);
    let call = gateway.call_ends(SOON);
    assert_eq!(call["handoff"]["outcome"], "released", "{call:#}");
    // One BYE from the desk to us, one from us to the trunk, and the two still hear each other.
    desk.says("ended");
    trunk.says("ended UasBye");
    caller.hears(&[DESK], 20, SOON);
    human.hears(&[CALLER], 20, SOON);
    trunk.order("bye");
    desk.says("received BYE");
}

#[test]
fn over_udp_the_trunk_takes_us_out_of_the_path() {
    if !skipped("rsipstack") && !skipped("sipp") {
        we_leave("udp");
    }
}

#[test]
fn over_tcp_the_trunk_takes_us_out_of_the_path() {
    if !skipped("rsipstack") && !skipped("sipp") {
        we_leave("tcp");
    }
}

#[test]
fn over_tls_the_trunk_takes_us_out_of_the_path() {
    if !skipped("rsipstack") && !skipped("sipp") {
        we_leave("tls");
    }
}
