//! A whole call over IPv6: SIP, SDP and RTP, from the trunk to the human.

use call_model::Codec;
use interop::{BOT, CALLER, Callee, DESK, Does, Gateway, Sipp, Talker, Trunk, free_port, skipped};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn a_caller_is_handed_over(tcp: bool) {
    if skipped("sipp") {
        return;
    }
    let here = IpAddr::from(Ipv6Addr::LOCALHOST);
    let (bot_port, desk_port) = (free_port(), free_port());
    let suffix = if tcp { ";transport=tcp" } else { "" };
    let more = format!(
        r#"
[[bots]]
name = "helper"
sip = "sip:{{user}}@[::1]:{bot_port}{suffix}"
[[desks]]
name = "alice"
sip = "sip:alice@[::1]:{desk_port}{suffix}"
[[routes]]
dialled = "*"
bot = "helper"
[timers]
# SIPp scenarios know one call and nothing else.
ping_every_s = 0
"#
    );
    let gateway = Gateway::start_at(here, "stay", &more);
    let [caller, bot, desk] = [CALLER, BOT, DESK].map(|tone| Talker::at(here, tone, Codec::Pcmu));
    let answers = |after| Does::Answer(Duration::from_millis(after));
    let codec = Codec::Pcmu;
    let bot_sipp = Sipp::callee(Callee { port: bot_port, does: answers(200), tcp, codec }, &bot);
    let desk_sipp = Sipp::callee(Callee { port: desk_port, does: answers(500), tcp, codec }, &desk);
    let mut trunk_sipp = Sipp::trunk(Trunk { dials: "7001", refer: 603, tcp, codec }, gateway.sip, &caller);
    bot.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    bot.hears(&[CALLER], 10, SOON);
    caller.press('0');
    desk.connect(SOON);
    gateway.call_is("accepting", SOON);
    desk.press('1');
    caller.hears(&[DESK], 10, SOON);
    desk.hears(&[CALLER], 10, SOON);
    gateway.call_is("joined", SOON);
    bot_sipp.succeeds(SOON);
    caller.heard_one_unbroken_stream();
    trunk_sipp.hang_up();
    gateway.call_ends(SOON);
    trunk_sipp.succeeds(SOON);
    desk_sipp.succeeds(SOON);
}

#[test]
fn a_caller_is_handed_over_udp() {
    a_caller_is_handed_over(false);
}

#[test]
fn a_caller_is_handed_over_tcp() {
    a_caller_is_handed_over(true);
}
