//! baresip as caller and as desk, over TLS with SRTP, while the others speak plain: whoever should hears whom.

use call_model::Codec;
use interop::{BOT, Baresip, CALLER, Callee, DESK, Does, Gateway, Sipp, Talker, Trunk, free_port, skipped};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// What follows the trunk in the configuration, which ends with the trunk's own keys.
fn config(trunk: &str, bot: u16, desk: &str) -> String {
    format!(
        r#"{trunk}
[[bots]]
name = "helper"
sip = "sip:{{user}}@127.0.0.1:{bot}"
[[desks]]
name = "alice"
{desk}
[[routes]]
dialled = "*"
bot = "helper"
[timers]
release_after_s = 1
# SIPp scenarios know one call and nothing else.
ping_every_s = 0
"#
    )
}

fn bot(port: u16) -> (Talker, Sipp) {
    let talker = Talker::new(BOT, Codec::Pcmu);
    let does = Does::Answer(Duration::from_millis(200));
    let sipp = Sipp::callee(Callee { port, does, tcp: false, codec: Codec::Pcmu }, &talker);
    (talker, sipp)
}

/// Unused in a call that nobody hands over.
const NOBODY: &str = "sip = \"sip:alice@127.0.0.1:9\"";

#[test]
fn a_caller_who_encrypts_and_a_bot_that_does_not_hear_each_other() {
    if skipped("baresip") || skipped("sipp") {
        return;
    }
    for (srtp, media) in [("required", "srtp-mand"), ("optional", "srtp")] {
        let port = free_port();
        let gateway = Gateway::start("stay", &config(&format!("srtp = \"{srtp}\""), port, NOBODY));
        let (ears, sipp) = bot(port);
        let caller = Baresip::start(CALLER, free_port() + 1, media, &gateway.certificate());
        caller.dial(&format!("sip:7001@127.0.0.1:{}", gateway.tls));
        ears.connect(SOON);
        ears.hears(&[CALLER], 30, SOON);
        caller.hang_up();
        gateway.call_ends(SOON);
        sipp.succeeds(SOON);
        assert!(caller.log().contains("a=crypto:"), "keys were agreed");
        caller.heard(&[BOT], 20);
    }
}

#[test]
fn a_caller_without_keys_is_refused_where_they_are_required() {
    if skipped("baresip") {
        return;
    }
    let gateway = Gateway::start("stay", &config("srtp = \"required\"", 9, NOBODY));
    let caller = Baresip::start(CALLER, free_port() + 1, "", &gateway.certificate());
    caller.dial(&format!("sip:7001@127.0.0.1:{}", gateway.tls));
    gateway.call_ends(SOON);
    assert!(caller.log().contains("SIP/2.0 488"), "{}", caller.log());
}

#[test]
fn a_desk_that_encrypts_and_a_caller_who_does_not_are_joined() {
    if skipped("baresip") || skipped("sipp") {
        return;
    }
    let (port, desk_port) = (free_port(), free_port() + 1);
    let desk = format!("sip = \"sips:phone@127.0.0.1:{desk_port}\"\nsrtp = \"required\"\npage_token = \"for-tests\"");
    joined(port, &desk, desk_port, "srtp-mand");
}

/// A plain caller asks for a human, whose telephone encrypts like this.
fn joined(port: u16, desk: &str, desk_port: u16, media: &str) {
    let gateway = Gateway::start("stay", &config("", port, desk));
    let human = Baresip::start(DESK, desk_port, media, &gateway.certificate());
    let (ears, bot_sipp) = bot(port);
    let caller = Talker::new(CALLER, Codec::Pcmu);
    let trunk = Trunk { dials: "7001", refer: 603, tcp: false, codec: Codec::Pcmu };
    let mut trunk_sipp = Sipp::trunk(trunk, gateway.sip, &caller);
    ears.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    caller.press('0');
    gateway.call_is("accepting", SOON);
    human.press('1');
    caller.hears(&[DESK], 20, SOON);
    gateway.call_is("joined", SOON);
    bot_sipp.succeeds(SOON);
    trunk_sipp.hang_up();
    let call = gateway.call_ends(SOON);
    assert_eq!(call["handoff"]["outcome"], "joined", "{call:#}");
    trunk_sipp.succeeds(SOON);
    human.heard(&[CALLER], 10);
}

#[test]
fn a_caller_who_makes_keys_by_dtls_and_a_plain_bot_hear_each_other() {
    if skipped("baresip") || skipped("sipp") {
        return;
    }
    let port = free_port();
    let gateway = Gateway::start("stay", &config("srtp = \"dtls\"", port, NOBODY));
    let (ears, sipp) = bot(port);
    let caller = Baresip::start(CALLER, free_port() + 1, "dtls_srtp", &gateway.certificate());
    caller.dial(&format!("sip:7001@127.0.0.1:{}", gateway.tls));
    ears.connect(SOON);
    ears.hears(&[CALLER], 30, SOON);
    caller.hang_up();
    gateway.call_ends(SOON);
    sipp.succeeds(SOON);
    assert!(caller.log().contains("a=fingerprint:sha-256") && !caller.log().contains("a=crypto:"));
    caller.heard(&[BOT], 20);
}

/// Here the gateway calls, so that the telephone chooses who begins the handshake.
#[test]
fn a_desk_that_makes_keys_by_dtls_and_a_plain_caller_are_joined() {
    if skipped("baresip") || skipped("sipp") {
        return;
    }
    let (port, desk_port) = (free_port(), free_port() + 1);
    let desk = format!("sip = \"sips:phone@127.0.0.1:{desk_port}\"\nsrtp = \"dtls\"\npage_token = \"for-tests\"");
    joined(port, &desk, desk_port, "dtls_srtp");
}
