//! A desk behind a host name, from outside: a real name server, real sockets.

#[path = "support/dns.rs"]
mod dns;

use dns::{NameServer, a, naptr, srv};
use gateway::{Gateway, config};
use sip_proto::Transport;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

/// Long enough for a busy machine; every wait ends as soon as the answer is there.
const PATIENCE: Duration = Duration::from_secs(20);

fn udp(ip: &str) -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((ip, 0)).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let port = socket.local_addr().expect("bound").port();
    (socket, port)
}

fn hears(socket: &UdpSocket) -> String {
    let mut buffer = [0; 65_536];
    let len = socket.recv(&mut buffer).expect("a request");
    String::from_utf8_lossy(&buffer[..len]).into_owned()
}

fn gateway(dns: &NameServer) -> Gateway {
    let text = format!(
        r#"
        [sip]
        listen = ["udp:127.0.0.1:0"]
        dns = ["{}"]
        [http]
        listen = "127.0.0.1:0"
        [rtp]
        ports = [40100, 40163]
        threads = 1
        [ledger]
        path = ":memory:"
        [timers]
        ping_every_s = 0
        [[trunks]]
        name = "carrier"
        addresses = ["127.0.0.11"]
        [[desks]]
        name = "ada"
        sip = "sip:ada@cc.example.test"
        [[routes]]
        dialled = "*"
        desk = "ada"
        listen = false
        "#,
        dns.at
    );
    let settings = config::parse(&text, "test", Path::new(".")).unwrap_or_else(|error| panic!("{error}"));
    Gateway::start(settings).unwrap_or_else(|error| panic!("{error}"))
}

fn calls(gateway: &Gateway) {
    let (caller, port) = udp("127.0.0.11");
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    let to = gateway.sip(Transport::Udp).expect("udp");
    let invite = format!(
        "INVITE sip:7001@{to} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.11:{port};branch=z9hG4bKnames;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:1@127.0.0.11>;tag=1\r\nTo: <sip:7001@{to}>\r\nCall-ID: names\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:1@127.0.0.11:{port}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    caller.send_to(invite.as_bytes(), to).expect("loopback");
}

/// Nobody answers at the first of two; within the caller's patience the second rings.
#[test]
fn the_second_target_rings_when_the_first_is_dead() {
    let ((dead, dead_port), (alive, port)) = (udp("127.0.0.13"), udp("127.0.0.14"));
    let dns = NameServer::start(vec![
        naptr("cc.example.test.", 10, "SIP+D2U", "_sip._udp.cc.example.test."),
        srv("_sip._udp.cc.example.test.", (10, 0, dead_port), "one.example.test."),
        srv("_sip._udp.cc.example.test.", (20, 0, port), "two.example.test."),
        a("one.example.test.", 60, [127, 0, 0, 13]),
        a("two.example.test.", 60, [127, 0, 0, 14]),
    ]);
    let gateway = gateway(&dns);
    // Calls go on without it.
    dns.say(None);
    let began = Instant::now();
    calls(&gateway);
    let (first, second) = (hears(&dead), hears(&alive));
    assert!(first.starts_with("INVITE sip:ada@cc.example.test SIP/2.0\r\n"), "{first}");
    assert!(second.starts_with("INVITE sip:ada@cc.example.test SIP/2.0\r\n"), "{second}");
    assert!(began.elapsed() >= Duration::from_secs(2), "the first had its time");
    gateway.stop();
}

#[test]
fn a_gateway_starts_when_no_name_server_answers_and_says_so_when_asked() {
    let dns = NameServer::start(Vec::new());
    dns.say(None);
    let gateway = gateway(&dns);
    gateway.stop();
}
