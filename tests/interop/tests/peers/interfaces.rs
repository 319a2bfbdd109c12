//! The trunk on one side of ours, the desk on another, the bot on a third: each is told the addresses of its side only.

use call_model::Codec;
use interop::{BOT, CALLER, Callee, DESK, Does, Gateway, Sipp, Talker, Trunk, free_port, skipped};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
const DESKS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const BOTS: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn each_is_told_the_addresses_of_its_side(tcp: bool) {
    if skipped("sipp") {
        return;
    }
    let (bot_port, desk_port, inside, six) = (free_port(), free_port(), free_port(), free_port());
    let suffix = if tcp { ";transport=tcp" } else { "" };
    let more = format!(
        r#"
[[interfaces]]
name = "inside"
listen = ["udp:{DESKS}:{inside}", "tcp:{DESKS}:{inside}"]
[[interfaces]]
name = "six"
listen = ["udp:[::1]:{six}", "tcp:[::1]:{six}"]
[[bots]]
name = "helper"
sip = "sip:{{user}}@[::1]:{bot_port}{suffix}"
[[desks]]
name = "alice"
sip = "sip:alice@{DESKS}:{desk_port}{suffix}"
interface = "inside"
[[routes]]
dialled = "*"
bot = "helper"
[timers]
# SIPp scenarios know one call and nothing else.
ping_every_s = 0
"#
    );
    let gateway = Gateway::start("stay", &more);
    let caller = Talker::new(CALLER, Codec::Pcmu);
    let bot = Talker::at(BOTS, BOT, Codec::Pcmu);
    let desk = Talker::at(DESKS, DESK, Codec::Pcmu);
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
    caller.heard_one_unbroken_stream();
    for (sipp, ours, kind) in
        [(&desk_sipp, format!("{DESKS}:{inside}"), "IP4 127.0.0.2"), (&bot_sipp, format!("[::1]:{six}"), "IP6 ::1")]
    {
        for header in ["Via", "Contact"] {
            let told = sipp.was_told(header).expect("an INVITE");
            assert!(told.contains(&ours), "{header}: {told}");
        }
        let told = sipp.was_told("From").expect("an INVITE");
        assert!(told.contains(ours.rsplit_once(':').expect("a port").0), "From: {told}");
        assert_eq!(sipp.was_told_where_audio_goes().as_deref(), Some(kind));
    }
    bot_sipp.succeeds(SOON);
    assert_eq!(trunk_sipp.was_told_where_audio_goes().as_deref(), Some("IP4 127.0.0.1"));
    trunk_sipp.hang_up();
    gateway.call_ends(SOON);
    trunk_sipp.succeeds(SOON);
    desk_sipp.succeeds(SOON);
}

#[test]
fn each_is_told_the_addresses_of_its_side_udp() {
    each_is_told_the_addresses_of_its_side(false);
}

#[test]
fn each_is_told_the_addresses_of_its_side_tcp() {
    each_is_told_the_addresses_of_its_side(true);
}
