//! A running gateway on ports of the system's choice, from outside.

use crate::support::{PATIENCE, connect_from, next};
use gateway::{Gateway, StartError, config};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sip_proto::Transport;
use sip_wire::{Message, StreamFramer};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;

fn settings(extra: &str) -> config::Settings {
    let text = format!(
        r#"
        [sip]
        listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
        [http]
        listen = "127.0.0.1:0"
        [rtp]
        ports = [40000, 40063]
        threads = 1
        [[trunks]]
        name = "carrier"
        addresses = ["127.0.0.11"]
        [[bots]]
        name = "helper"
        sip = "sip:{{user}}@127.0.0.12:5999"
        [[routes]]
        dialled = "*"
        bot = "helper"
        listen = false
        {extra}
        "#
    );
    config::parse(&text, "test", Path::new(".")).unwrap_or_else(|error| panic!("{error}"))
}

fn start() -> Gateway {
    Gateway::start(settings("")).unwrap_or_else(|error| panic!("{error}"))
}

fn options(gateway: SocketAddr, from: SocketAddr, transport: Transport) -> Vec<u8> {
    format!(
        "OPTIONS sip:{gateway} SIP/2.0\r\nVia: SIP/2.0/{} {from};branch=z9hG4bKtest;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:probe@{from}>;tag=1\r\nTo: <sip:{gateway}>\r\nCall-ID: probe@{from}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n",
        transport.via()
    )
    .into_bytes()
}

fn udp(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn ask_udp(gateway: SocketAddr, socket: &UdpSocket) -> Message {
    let from = socket.local_addr().expect("bound");
    socket.send_to(&options(gateway, from, Transport::Udp), gateway).expect("loopback");
    let mut buffer = [0; 4096];
    let len = socket.recv(&mut buffer).expect("an answer");
    Message::parse_datagram(&buffer[..len]).expect("a SIP message")
}

fn get(http: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(http).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").expect("a reader");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The same over HTTPS, by a client that believes this certificate and no other.
fn get_encrypted(https: SocketAddr, certificate: &Path, path: &str) -> String {
    let mut roots = rustls::RootCertStore::empty();
    let chain = CertificateDer::pem_file_iter(certificate).expect("a file");
    chain.for_each(|one| roots.add(one.expect("PEM")).expect("a certificate"));
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::IpAddress(https.ip().into());
    let connection = rustls::ClientConnection::new(config.into(), name).expect("a configuration");
    let stream = TcpStream::connect(https).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut stream = rustls::StreamOwned::new(connection, stream);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {https}\r\nConnection: close\r\n\r\n").expect("a reader");
    let mut answer = Vec::new();
    // Without close_notify that is an error, after all of it has come.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

#[test]
fn the_desk_page_is_served_over_https_with_a_certificate_of_our_own_making() {
    let folder = std::env::temp_dir().join(format!("warmline-desk-https-{}", std::process::id()));
    let mut settings = settings("");
    settings.http.https = Some(config::HttpsSettings {
        bind: ([127, 0, 0, 1], 0).into(),
        certificate: None,
        own: folder.join("own"),
        names: Vec::new(),
    });
    let gateway = Gateway::start(settings).unwrap_or_else(|error| panic!("{error}"));
    let https = gateway.https().expect("HTTPS");
    let answer = get_encrypted(https, &folder.join("own.pem"), "/desk");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<title>Warmline desk</title>"), "{answer}");
    assert!(get(gateway.http(), "/desk").starts_with("HTTP/1.1 200"), "and without, on this machine");

    // Who speaks without encryption there is cut off, and harms nobody.
    let mut plain = TcpStream::connect(https).expect("a server");
    plain.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    plain.write_all(b"GET /desk HTTP/1.1\r\n\r\n").expect("a reader");
    let mut told = Vec::new();
    let _ = plain.read_to_end(&mut told);
    assert!(!told.starts_with(b"HTTP"), "{told:?}");
    assert!(get_encrypted(https, &folder.join("own.pem"), "/healthz").ends_with("ok\n"));
    std::fs::remove_dir_all(&folder).expect("the folder");
}

#[test]
fn options_from_a_trunk_are_answered_over_udp_and_tcp() {
    let gateway = start();
    let sip = gateway.sip(Transport::Udp).expect("udp");
    assert_eq!(ask_udp(sip, &udp("127.0.0.11")).code(), Some(200));

    let sip = gateway.sip(Transport::Tcp).expect("tcp");
    let mut stream = connect_from("127.0.0.11", sip);
    let from = stream.local_addr().expect("connected");
    // In two pieces, as a network may deliver it.
    let request = options(sip, from, Transport::Tcp);
    let (first, second) = request.split_at(40);
    stream.write_all(first).expect("a reader");
    stream.flush().expect("a reader");
    stream.write_all(second).expect("a reader");
    let answer = next(&mut stream, &mut StreamFramer::new()).expect("an answer");
    assert_eq!(answer.code(), Some(200));
}

#[test]
fn strangers_get_no_answer_and_are_counted() {
    let gateway = start();
    let sip = gateway.sip(Transport::Udp).expect("udp");
    let stranger = udp("127.0.0.99");
    stranger.send_to(&options(sip, stranger.local_addr().expect("bound"), Transport::Udp), sip).expect("loopback");
    // The trunk's request came after it, so once that is answered the stranger's has been dropped.
    assert_eq!(ask_udp(sip, &udp("127.0.0.11")).code(), Some(200));
    stranger.set_nonblocking(true).expect("a mode");
    assert_eq!(stranger.recv(&mut [0; 64]).expect_err("silence").kind(), std::io::ErrorKind::WouldBlock);

    let mut stream = connect_from("127.0.0.99", gateway.sip(Transport::Tcp).expect("tcp"));
    assert!(next(&mut stream, &mut StreamFramer::new()).is_none(), "closed at once");
    assert_eq!(gateway.hub().metrics().get(http_api::Metric::UnknownSource), 2);
}

#[test]
fn a_stream_that_cannot_be_followed_is_closed_and_the_next_one_works() {
    let gateway = start();
    let sip = gateway.sip(Transport::Tcp).expect("tcp");
    let mut stream = connect_from("127.0.0.11", sip);
    stream.write_all(b"\x16\x03\x01 this is no SIP\r\n\r\n\r\n").expect("a reader");
    let mut framer = StreamFramer::new();
    while next(&mut stream, &mut framer).is_some() {}

    let mut stream = connect_from("127.0.0.11", sip);
    let from = stream.local_addr().expect("connected");
    stream.write_all(&options(sip, from, Transport::Tcp)).expect("a reader");
    assert_eq!(next(&mut stream, &mut StreamFramer::new()).expect("an answer").code(), Some(200));
}

#[test]
fn a_keep_alive_over_tcp_is_answered_with_one_line_break() {
    let gateway = start();
    let mut stream = connect_from("127.0.0.11", gateway.sip(Transport::Tcp).expect("tcp"));
    stream.write_all(b"\r\n\r\n").expect("a reader");
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"\r\n");
}

#[test]
fn draining_refuses_calls_and_says_so_on_the_readiness_probe() {
    let gateway = start();
    assert!(get(gateway.http(), "/readyz").starts_with("HTTP/1.1 200"));
    assert!(gateway.drain(PATIENCE), "nothing is up, so nothing has to end");
    assert!(get(gateway.http(), "/readyz").starts_with("HTTP/1.1 503"));
    assert!(get(gateway.http(), "/healthz").starts_with("HTTP/1.1 200"));
    assert_eq!(ask_udp(gateway.sip(Transport::Udp).expect("udp"), &udp("127.0.0.11")).code(), Some(503));
    gateway.stop();
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut settings = settings("");
    settings.http.bind = taken.local_addr().expect("bound");
    let Err(error) = Gateway::start(settings) else { panic!("it cannot have that port") };
    assert!(matches!(error, StartError::Listen { what: "HTTP", .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("http.listen") && text.contains(&taken.local_addr().expect("bound").to_string()), "{text}");
}

#[test]
fn a_broken_model_file_is_a_clear_error() {
    let path = std::env::temp_dir().join(format!("warmline-no-model-{}.onnx", std::process::id()));
    std::fs::write(&path, b"this is no model").expect("a temporary directory");
    let mut settings = settings("");
    settings.switchboard.routes[0].listen = true;
    settings.listen.model = Some(path.clone());
    let result = Gateway::start(settings);
    std::fs::remove_file(&path).expect("it is ours");
    let Err(error) = result else { panic!("it cannot listen with that") };
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("listen = false"), "{text}");
}
