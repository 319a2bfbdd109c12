//! Registrations with real peers: SIPp as the registrar of a trunk, baresip as a desk's telephone.

use call_model::Codec;
use interop::{Account, BOT, CALLER, Callee, DESK, DeskPhone, Does, Gateway, Sipp, Talker, Trunk, free_port, skipped};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// A bot, and whoever else is given.
fn config(bot: u16, more: &str) -> String {
    format!(
        r#"{more}
[[bots]]
name = "helper"
sip = "sip:{{user}}@127.0.0.1:{bot}"
[[routes]]
dialled = "*"
bot = "helper"
[timers]
# SIPp scenarios know one call and nothing else.
ping_every_s = 0
"#
    )
}

fn trunks(gateway: &Gateway, wanted: impl Fn(&Value) -> bool) -> Value {
    let read = |body: &str| serde_json::from_str::<Value>(body).unwrap_or_default();
    read(&gateway.until("/v1/trunks", SOON, |body| wanted(&read(body))))
}

#[test]
fn a_registrar_is_told_who_we_are_asked_for_longer_refreshed_and_left() {
    if skipped("sipp") {
        return;
    }
    let port = free_port();
    let registrar = Sipp::registrar(port, "1234", "pass-for-tests");
    let register = format!(
        "username = \"1234\"\npassword = \"pass-for-tests\"\nrealm = \"registrar.example\"\n\
         register = {{ registrar = \"sip:127.0.0.1:{port}\", expires_s = 60 }}\n"
    );
    let gateway = Gateway::start("stay", &config(free_port(), &register));
    let shown = trunks(&gateway, |value| value["trunks"][0]["registration"]["registered"] == true);
    let registration = &shown["trunks"][0]["registration"];
    assert_eq!(registration["aor"], "sip:1234@127.0.0.1", "{registration:#}");
    assert_eq!(shown["trunks"][0]["up"], true);
    gateway.until("/metrics", SOON, |page| page.contains("\nwarmline_trunks_registered 1\n"));
    let since = registration["until_unix_ms"].as_u64().expect("a time");
    trunks(&gateway, |value| {
        value["trunks"][0]["registration"]["until_unix_ms"].as_u64().is_some_and(|until| until > since)
    });
    let stopped = Command::new("kill").args(["-TERM", &gateway.pid().to_string()]).status().expect("it runs");
    assert!(stopped.success());
    registrar.succeeds(SOON);
}

/// The telephone rings where it registered from, both hear each other, and it is not rung once it has signed off.
fn a_desk_telephone_registers(transport: &str) {
    if skipped("sipp") || skipped("baresip") {
        return;
    }
    let bot_port = free_port();
    let desk = "[[desks]]\nname = \"ada\"\npage_token = \"only-for-tests\"\n\
                register = { user = \"ada\", password = \"pass-for-tests\", from = [\"127.0.0.1\"] }\n";
    let gateway = Gateway::start("stay", &config(bot_port, desk));
    let (caller, bot) = (Talker::new(CALLER, Codec::Pcmu), Talker::new(BOT, Codec::Pcmu));
    let does = Does::Answer(Duration::from_millis(200));
    let bot_sipp = Sipp::callee(Callee { port: bot_port, does, tcp: false, codec: Codec::Pcmu }, &bot);
    assert_eq!(trunks(&gateway, |_| true)["desks"][0]["up"], false);

    let account = Account { user: "ada", password: "pass-for-tests", registrar: gateway.sip, transport };
    let telephone = DeskPhone::start(account, DESK);
    let shown = trunks(&gateway, |value| value["desks"][0]["telephones"][0].is_object());
    let one = &shown["desks"][0]["telephones"][0];
    assert!(one["agent"].as_str().is_some_and(|agent| agent.starts_with("baresip")), "{one:#}");
    assert!(one["at"].as_str().is_some_and(|at| at.starts_with(&format!("{transport} 127.0.0.1:"))), "{one:#}");
    assert_eq!(shown["desks"][0]["up"], true);

    let trunk = Trunk { dials: "7001", refer: 603, tcp: false, codec: Codec::Pcmu };
    let mut trunk_sipp = Sipp::trunk(trunk, gateway.sip, &caller);
    bot.connect(SOON);
    caller.connect(SOON);
    caller.hears(&[BOT], 10, SOON);
    caller.press('0');
    gateway.call_is("accepting", SOON);
    let id = gateway.call("offered", SOON, |call| call["handoff"]["id"].is_string())["handoff"]["id"].clone();
    let path = format!("/v1/desks/ada/handoffs/{}/accept", id.as_str().unwrap_or_default());
    let (status, body) = gateway.request("POST", &path, "only-for-tests", "{}").expect("an answer");
    assert_eq!(status, 200, "{body}");
    caller.hears(&[DESK], 20, SOON);
    gateway.call_is("joined", SOON);
    bot_sipp.succeeds(SOON);
    trunk_sipp.hang_up();
    let call = gateway.call_ends(SOON);
    assert_eq!(call["handoff"]["outcome"], "joined", "{call:#}");
    trunk_sipp.succeeds(SOON);
    // It signs off as it goes.
    telephone.quits(SOON);
    trunks(&gateway, |value| value["desks"][0]["telephones"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn a_desk_telephone_registers_over_udp() {
    a_desk_telephone_registers("udp");
}

#[test]
fn a_desk_telephone_registers_over_tcp_and_is_called_over_its_connection() {
    a_desk_telephone_registers("tcp");
}

#[test]
fn a_telephone_with_another_password_is_not_let_in() {
    if skipped("baresip") {
        return;
    }
    let desk = "[[desks]]\nname = \"ada\"\n\
                register = { user = \"ada\", password = \"pass-for-tests\", from = [\"127.0.0.1\"] }\n";
    let gateway = Gateway::start("stay", &config(free_port(), desk));
    let account = Account { user: "ada", password: "guess", registrar: gateway.sip, transport: "udp" };
    let telephone = DeskPhone::start(account, DESK);
    telephone.says("401 Unauthorized", SOON);
    let shown = trunks(&gateway, |_| true);
    assert_eq!(shown["desks"][0]["telephones"], serde_json::json!([]), "{shown:#}");
}
