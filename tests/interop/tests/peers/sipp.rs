//! SIPp as trunk, bot and desk, over UDP and TCP: in every state every receiver hears exactly the tones it should.

use call_model::Codec;
use interop::{
    BOT, CALLER, COLLEAGUE, Callee, DESK, Does, Gateway, Proxy, Sipp, Talker, Trunk, free_port, skipped, verify,
};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

pub(crate) const SOON: Duration = Duration::from_secs(10);
pub(crate) const MS: fn(u64) -> Duration = Duration::from_millis;

pub(crate) struct Cast {
    pub(crate) gateway: Gateway,
    pub(crate) caller: Talker,
    pub(crate) bot: Talker,
    pub(crate) desk: Talker,
    pub(crate) trunk_sipp: Sipp,
    pub(crate) bot_sipp: Sipp,
    pub(crate) desk_sipp: Sipp,
    _proxies: Vec<Proxy>,
}

pub(crate) struct Play {
    pub(crate) tcp: bool,
    pub(crate) codecs: [Codec; 3],
    pub(crate) release: &'static str,
    pub(crate) while_consulting: &'static str,
    pub(crate) bot: Does,
    pub(crate) desk: Does,
    /// The port of a second desk.
    pub(crate) colleague: Option<u16>,
    /// The carrier is two proxies away, and the nearer one speaks TCP with us.
    pub(crate) far: bool,
    /// Further lines of the configuration.
    pub(crate) more: String,
}

impl Play {
    pub(crate) fn new(tcp: bool, desk: Does) -> Self {
        Self {
            tcp,
            codecs: [Codec::Pcmu; 3],
            release: "stay",
            while_consulting: "bot",
            bot: Does::Answer(MS(200)),
            desk,
            colleague: None,
            far: false,
            more: String::new(),
        }
    }

    /// Calls; on return the bot has the caller.
    pub(crate) fn begin(self) -> Cast {
        let Self { tcp, codecs, release, while_consulting, bot: does, desk, colleague, far, more: further } = self;
        let (bot_port, desk_port) = (free_port(), free_port());
        let suffix = if tcp { ";transport=tcp" } else { "" };
        let colleague = colleague.map_or_else(String::new, |port| {
            format!("[[desks]]\nname = \"bob\"\nsip = \"sip:bob@127.0.0.1:{port}{suffix}\"\npage_token = \"another\"\n")
        });
        let more = format!(
            r#"
[[bots]]
name = "helper"
sip = "sip:{{user}}@127.0.0.1:{bot_port}{suffix}"
[[desks]]
name = "alice"
sip = "sip:alice@127.0.0.1:{desk_port}{suffix}"
page_token = "only-for-tests"
{colleague}
[[routes]]
dialled = "*"
bot = "helper"
while_consulting = "{while_consulting}"
[timers]
release_after_s = 1
# SIPp scenarios know one call and nothing else.
ping_every_s = 0
{further}
"#
        );
        let gateway = Gateway::start(release, &more);
        let (caller, bot) = (Talker::new(CALLER, codecs[0]), Talker::new(BOT, codecs[1]));
        let human = Talker::new(DESK, codecs[2]);
        let bot_sipp = Sipp::callee(Callee { port: bot_port, does, tcp, codec: codecs[1] }, &bot);
        let desk_sipp = Sipp::callee(Callee { port: desk_port, does: desk, tcp, codec: codecs[2] }, &human);
        let trunk = Trunk { dials: "7001", refer: 603, tcp, codec: codecs[0] };
        let mut proxies = Vec::new();
        for near in [true, false].into_iter().filter(|_| far) {
            let next = proxies.last().map_or(gateway.sip, |proxy: &Proxy| proxy.port);
            proxies.push(Proxy::start(next, near));
        }
        let door = proxies.last().map_or(gateway.sip, |proxy| proxy.port);
        let trunk_sipp = Sipp::trunk(trunk, door, &caller);
        bot.connect(SOON);
        caller.connect(SOON);
        caller.hears(&[BOT], 10, SOON);
        bot.hears(&[CALLER], 10, SOON);
        Cast { gateway, caller, bot, desk: human, trunk_sipp, bot_sipp, desk_sipp, _proxies: proxies }
    }
}

/// Escalates by a lone 0, accepts with 1, and judges every state by ear until the caller hangs up.
fn every_state_sounds_as_it_should(tcp: bool, codecs: [Codec; 3]) {
    let mut cast = Play { codecs, ..Play::new(tcp, Does::Answer(MS(1500))) }.begin();
    cast.caller.press('0');
    cast.desk.connect(SOON);
    // Ringing and, after the answer, waiting for the key: the bot keeps the caller, the human hears no one.
    cast.caller.hears(&[BOT], 10, SOON);
    cast.bot.hears(&[CALLER], 10, SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.desk.hears(&[], 5, SOON);
    cast.caller.hears(&[BOT], 10, SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    cast.desk.hears(&[CALLER], 10, SOON);
    cast.gateway.call_is("joined", SOON);
    cast.bot_sipp.succeeds(SOON);
    cast.caller.hears(&[DESK], 20, SOON);
    cast.caller.heard_one_unbroken_stream();
    cast.trunk_sipp.hang_up();
    let call = cast.gateway.call_ends(SOON);
    assert_eq!((&call["ended_by"], &call["handoff"]["outcome"]), (&"caller".into(), &"joined".into()), "{call:#}");
    cast.trunk_sipp.succeeds(SOON);
    cast.desk_sipp.succeeds(SOON);
}

/// A 5 does nothing; a 0 calls a human, who declines: music meanwhile, then the bot again.
fn a_desk_that_declines_gives_the_caller_back(tcp: bool) {
    let mut cast = Play { while_consulting: "music", ..Play::new(tcp, Does::Decline(MS(2000))) }.begin();
    cast.caller.press('5');
    // More than the 3 s for which a 0 would not be a lone one.
    cast.caller.hears(&[BOT], 60, SOON);
    assert_eq!(cast.bot.measured().digits.iter().map(|(_, key)| *key).collect::<String>(), "5");
    let call = cast.gateway.call("there", SOON, |call| call["id"].is_string());
    assert_eq!((&call["state"], &call["decision"]), (&"with_bot".into(), &serde_json::Value::Null), "{call:#}");
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.caller.hears_music(8, SOON);
    cast.bot.hears(&[], 5, SOON);
    cast.gateway.call("declined", SOON, |call| call["handoff"]["outcome"] == "declined");
    cast.desk_sipp.succeeds(SOON);
    cast.caller.hears(&[BOT], 20, SOON);
    cast.bot.hears(&[CALLER], 10, SOON);
    cast.gateway.call_is("with_bot", SOON);
    cast.trunk_sipp.hang_up();
    cast.trunk_sipp.succeeds(SOON);
    cast.bot_sipp.succeeds(SOON);
    cast.gateway.call_ends(SOON);
}

/// The desk's SIPp insists on a CANCEL.
fn a_caller_who_hangs_up_while_the_desk_rings_silences_it(tcp: bool) {
    let mut cast = Play::new(tcp, Does::Ring).begin();
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.gateway.call_is("consulting", SOON);
    cast.trunk_sipp.hang_up();
    cast.trunk_sipp.succeeds(SOON);
    cast.desk_sipp.succeeds(SOON);
    cast.bot_sipp.succeeds(SOON);
    let call = cast.gateway.call_ends(SOON);
    assert_eq!(call["handoff"]["outcome"], "caller_gone", "{call:#}");
}

#[test]
fn over_udp_every_state_sounds_as_it_should() {
    if !skipped("sipp") {
        every_state_sounds_as_it_should(false, [Codec::Pcmu; 3]);
    }
}

#[test]
fn over_tcp_with_different_codecs_every_state_sounds_as_it_should() {
    if !skipped("sipp") {
        every_state_sounds_as_it_should(true, [Codec::Pcmu, Codec::Pcma, Codec::Pcma]);
    }
}

#[test]
fn over_udp_a_desk_that_declines_gives_the_caller_back_to_the_bot() {
    if !skipped("sipp") {
        a_desk_that_declines_gives_the_caller_back(false);
    }
}

#[test]
fn over_tcp_a_desk_that_declines_gives_the_caller_back_to_the_bot() {
    if !skipped("sipp") {
        a_desk_that_declines_gives_the_caller_back(true);
    }
}

#[test]
fn over_udp_a_caller_who_hangs_up_while_the_desk_rings_silences_it() {
    if !skipped("sipp") {
        a_caller_who_hangs_up_while_the_desk_rings_silences_it(false);
    }
}

#[test]
fn over_tcp_a_caller_who_hangs_up_while_the_desk_rings_silences_it() {
    if !skipped("sipp") {
        a_caller_who_hangs_up_while_the_desk_rings_silences_it(true);
    }
}

#[test]
fn a_refused_refer_leaves_the_two_people_talking() {
    if !skipped("sipp") {
        a_refused_refer(false);
    }
}

/// The REFER, and what the caller's BYE ends, find their way along the proxies' Record-Routes.
#[test]
fn behind_two_proxies_it_is_the_same() {
    if !skipped("sipp") && !skipped("kamailio") {
        a_refused_refer(true);
    }
}

fn a_refused_refer(far: bool) {
    let play = Play { codecs: [Codec::Pcma; 3], release: "auto", far, ..Play::new(false, Does::Answer(MS(300))) };
    let mut cast = play.begin();
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    let refused = |event: &serde_json::Value| event["kind"] == "release" && event["status"] == 603;
    cast.gateway.call("refused a REFER", SOON, |_| cast.gateway.trace().iter().any(refused));
    cast.caller.hears(&[DESK], 30, SOON);
    cast.desk.hears(&[CALLER], 10, SOON);
    cast.gateway.call_is("joined", SOON);
    cast.trunk_sipp.hang_up();
    cast.trunk_sipp.succeeds(SOON);
    cast.desk_sipp.succeeds(SOON);
}

/// The bot's SIPp insists on 202, NOTIFY 100, NOTIFY 180, a last NOTIFY 200, and only then a BYE.
fn a_refer_from_the_bot_becomes_a_warm_handoff(tcp: bool) {
    let mut cast = Play { bot: Does::Refer, ..Play::new(tcp, Does::Answer(MS(500))) }.begin();
    cast.bot_sipp.refer();
    cast.desk.connect(SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.caller.hears(&[BOT], 5, SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    cast.desk.hears(&[CALLER], 10, SOON);
    cast.bot_sipp.succeeds(SOON);
    cast.caller.hears(&[DESK], 10, SOON);
    cast.caller.heard_one_unbroken_stream();
    let call = cast.gateway.call("joined", SOON, |call| call["state"] == "joined");
    assert_eq!(call["decision"]["trigger"], "bot", "{call:#}");
    cast.trunk_sipp.hang_up();
    cast.trunk_sipp.succeeds(SOON);
    cast.desk_sipp.succeeds(SOON);
}

#[test]
fn over_udp_a_refer_from_the_bot_becomes_a_warm_handoff() {
    if !skipped("sipp") {
        a_refer_from_the_bot_becomes_a_warm_handoff(false);
    }
}

#[test]
fn over_tcp_a_refer_from_the_bot_becomes_a_warm_handoff() {
    if !skipped("sipp") {
        a_refer_from_the_bot_becomes_a_warm_handoff(true);
    }
}

/// The first human's SIPp insists on the same, and the caller has one of the two all the time.
fn a_refer_from_the_human_passes_the_caller_on(tcp: bool) {
    let port = free_port();
    let mut cast = Play { colleague: Some(port), ..Play::new(tcp, Does::Refer) }.begin();
    let colleague = Talker::new(COLLEAGUE, Codec::Pcmu);
    let does = Does::Answer(MS(500));
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    let other = Sipp::callee(Callee { port, does, tcp, codec: Codec::Pcmu }, &colleague);
    cast.desk_sipp.refer();
    colleague.connect(SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.caller.hears(&[DESK], 5, SOON);
    colleague.press('1');
    cast.caller.hears(&[COLLEAGUE], 10, SOON);
    colleague.hears(&[CALLER], 10, SOON);
    cast.desk_sipp.succeeds(SOON);
    cast.caller.heard_one_unbroken_stream();
    let call = cast.gateway.call("joined", SOON, |call| call["state"] == "joined");
    assert_eq!(call["decision"]["trigger"], "passed_on", "{call:#}");
    cast.trunk_sipp.hang_up();
    cast.trunk_sipp.succeeds(SOON);
    other.succeeds(SOON);
}

#[test]
fn over_udp_a_refer_from_the_human_passes_the_caller_on() {
    if !skipped("sipp") {
        a_refer_from_the_human_passes_the_caller_on(false);
    }
}

#[test]
fn over_tcp_a_refer_from_the_human_passes_the_caller_on() {
    if !skipped("sipp") {
        a_refer_from_the_human_passes_the_caller_on(true);
    }
}

/// INVITE with Replaces after the join: the old telephone gets BYE, the caller one stream without a break.
fn another_telephone_takes_the_call_over(tcp: bool) {
    let mut cast = Play::new(tcp, Does::Answer(MS(500))).begin();
    cast.caller.press('0');
    cast.desk.connect(SOON);
    cast.gateway.call_is("accepting", SOON);
    cast.desk.press('1');
    cast.caller.hears(&[DESK], 10, SOON);
    let colleague = Talker::new(COLLEAGUE, Codec::Pcmu);
    let other = Sipp::replacing(&cast.desk_sipp, cast.gateway.sip, Codec::Pcmu, &colleague);
    colleague.connect(SOON);
    cast.desk_sipp.succeeds(SOON);
    cast.caller.hears(&[COLLEAGUE], 10, SOON);
    colleague.hears(&[CALLER], 10, SOON);
    cast.gateway.call_is("joined", SOON);
    cast.caller.heard_one_unbroken_stream();
    cast.trunk_sipp.hang_up();
    cast.trunk_sipp.succeeds(SOON);
    other.succeeds(SOON);
}

#[test]
fn over_udp_another_telephone_takes_the_call_over() {
    if !skipped("sipp") {
        another_telephone_takes_the_call_over(false);
    }
}

#[test]
fn over_tcp_another_telephone_takes_the_call_over() {
    if !skipped("sipp") {
        another_telephone_takes_the_call_over(true);
    }
}

/// SIPp reads the score from the header that a screen shows, and types it by INFO.
#[test]
fn verify_proves_that_the_score_arrives() {
    if skipped("sipp") {
        return;
    }
    let (port, human) = (free_port(), Talker::new(DESK, Codec::Pcmu));
    for (tcp, suffix) in [(false, ""), (true, ";transport=tcp")] {
        let desk = Sipp::callee(Callee { port, does: Does::TypeScore, tcp, codec: Codec::Pcmu }, &human);
        let (status, said) = verify(&format!("sip:alice@127.0.0.1:{port}{suffix}"));
        assert_eq!((status, said.contains("ARRIVED")), (Some(0), true), "{said}");
        desk.succeeds(SOON);
    }
    let (status, said) = verify(&format!("sip:alice@127.0.0.1:{port};transport=tcp"));
    assert_eq!((status, said.contains("NOT REACHED")), (Some(3), true), "nobody is there any more: {said}");
}

const STRANGERS: &str = "warmline_sip_unknown_source_total";
const QUESTION: &str = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-stranger;rport\r\n\
    From: <sip:a@127.0.0.2>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: stranger@127.0.0.2\r\nCSeq: 1 OPTIONS\r\n\
    Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

#[test]
fn options_are_answered_for_a_trunk_and_dropped_and_counted_for_a_stranger() {
    if skipped("sipp") {
        return;
    }
    let bot = "[[bots]]\nname = \"helper\"\nsip = \"sip:{user}@127.0.0.1:9\"\n[[routes]]\ndialled = \"*\"\nbot = \"helper\"\n";
    let gateway = Gateway::start("stay", bot);
    Sipp::options(gateway.sip, false).succeeds(SOON);
    Sipp::options(gateway.sip, true).succeeds(SOON);
    assert_eq!(gateway.metric(STRANGERS), Some(0.0));

    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    stranger.send_to(QUESTION.as_bytes(), ("127.0.0.1", gateway.sip)).unwrap();
    stranger.send_to(b"\xff\xfe not SIP at all", ("127.0.0.1", gateway.sip)).unwrap();
    gateway.until("/metrics", SOON, |page| page.contains(&format!("{STRANGERS} 2")));
    stranger.set_read_timeout(Some(MS(300))).unwrap();
    assert!(stranger.recv(&mut [0; 2048]).is_err(), "a stranger over UDP got an answer");
    assert_eq!(gateway.metric("warmline_sip_malformed_total"), Some(0.0), "a stranger's bytes were parsed");

    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], gateway.sip)).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SOON)).unwrap();
    // Closed at once: writing may fail already.
    drop(stream.write_all(QUESTION.as_bytes()));
    let mut answer = Vec::new();
    let closed = stream.read_to_end(&mut answer);
    let over = closed.as_ref().map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |_| true);
    assert!(over && answer.is_empty(), "a stranger over TCP was not turned away: {closed:?} {answer:?}");
    gateway.until("/metrics", SOON, |page| page.contains(&format!("{STRANGERS} 3")));

    // The trunk is served as before.
    Sipp::options(gateway.sip, false).succeeds(SOON);
}
