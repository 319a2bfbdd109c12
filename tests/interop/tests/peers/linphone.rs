//! linphone as caller and as desk, over TLS with SRTP and Opus, while the others speak plain G.711.

use call_model::Codec;
use interop::{BOT, CALLER, Callee, DESK, Does, Gateway, Linphone, Sipp, Talker, Trunk, free_port, skipped};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

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

fn agreed_on_keys_and_opus(phone: &Linphone) {
    let trace = phone.trace();
    assert!(
        trace.contains("m=audio ") && trace.contains("a=crypto:") && trace.contains("RTP/SAVP"),
        "keys were agreed"
    );
    assert!(trace.contains(" opus/48000/2"), "Opus was agreed");
}

#[test]
fn a_caller_with_linphone_talks_to_a_plain_bot() {
    if skipped("linphonec") || skipped("sipp") {
        return;
    }
    let port = free_port();
    // It names an address of the machine's in its description, as behind NAT, and sends from this one.
    let trunk = "srtp = \"required\"\ncodecs = [\"opus\"]\nallowed_media = [\"127.0.0.1\"]";
    let nobody = "sip = \"sip:alice@127.0.0.1:9\"";
    let gateway = Gateway::start("stay", &config(trunk, port, nobody));
    let (ears, sipp) = bot(port);
    let mut caller = Linphone::start(CALLER, None, &gateway.certificate());
    caller.dial(&format!("sip:7001@127.0.0.1:{};transport=tls", gateway.tls));
    ears.connect(SOON);
    ears.hears(&[CALLER], 30, SOON);
    caller.says("Media streams established");
    agreed_on_keys_and_opus(&caller);
    caller.hang_up();
    gateway.call_ends(SOON);
    sipp.succeeds(SOON);
    caller.heard(&[BOT], 10);
}

/// Its telephone registers over TLS, is called on that connection, and says yes with a key.
#[test]
fn a_desk_with_linphone_and_a_plain_caller_are_joined() {
    if skipped("linphonec") || skipped("sipp") {
        return;
    }
    let port = free_port();
    let desk = "register = { user = \"ada\", password = \"for-tests\", from = [\"127.0.0.1\"] }\n\
                srtp = \"required\"\ncodecs = [\"opus\"]";
    let gateway = Gateway::start("stay", &config("", port, desk));
    let mut human = Linphone::start(DESK, Some(gateway.tls), &gateway.certificate());
    gateway.until("/metrics", SOON, |page| page.contains("\nwarmline_telephones_registered 1\n"));
    let (ears, bot_sipp) = bot(port);
    let caller = Talker::new(CALLER, Codec::Pcmu);
    let trunk = Trunk { dials: "7001", refer: 603, tcp: false, codec: Codec::Pcmu };
    let mut trunk_sipp = Sipp::trunk(trunk, gateway.sip, &caller);
    ears.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    caller.press('0');
    gateway.call_is("accepting", SOON);
    human.says("Media streams established");
    human.press('1');
    caller.hears(&[DESK], 20, SOON);
    gateway.call_is("joined", SOON);
    agreed_on_keys_and_opus(&human);
    bot_sipp.succeeds(SOON);
    trunk_sipp.hang_up();
    let call = gateway.call_ends(SOON);
    assert_eq!(call["handoff"]["outcome"], "joined", "{call:#}");
    trunk_sipp.succeeds(SOON);
    human.heard(&[CALLER], 10);
}
