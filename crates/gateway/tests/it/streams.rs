//! TLS and WebSocket from outside: real sockets, real handshakes, certificates made for the occasion.

use crate::support::{PATIENCE, connect_from, next};
use gateway::{Gateway, config};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sip_proto::Transport;
use sip_wire::{Message, StreamFramer};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_tungstenite::tungstenite::{self, Message as Frame, client::IntoClientRequest};

/// A folder with a certificate authority and certificates it signed.
struct Authority {
    folder: PathBuf,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("warmline-tls-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.join("ca.pem"), certificate.pem()).expect("a file");
        Self { folder, issuer: rcgen::Issuer::new(params, key), certificate }
    }

    fn issue(&self, file: &str, names: &[&str]) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let params = rcgen::CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.folder.join(format!("{file}.pem")), certificate.pem()).expect("a file");
        std::fs::write(self.folder.join(format!("{file}.key")), key.serialize_pem()).expect("a file");
    }

    /// Believes this authority only; shows nothing.
    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(builder.expect("versions").with_root_certificates(roots).with_no_client_auth())
    }

    fn gateway(&self, sip: &str, desk: &str) -> Gateway {
        let text = format!(
            r#"
            [sip]
            listen = ["udp:127.0.0.1:0", "tls:127.0.0.1:0", "ws:127.0.0.1:0", "wss:127.0.0.1:0"]
            max_connections = 64
            [sip.tls]
            certificate = "gateway.pem"
            key = "gateway.key"
            ca = "ca.pem"
            {sip}
            [http]
            listen = "127.0.0.1:0"
            [rtp]
            ports = [41000, 41063]
            threads = 1
            [timers]
            ping_every_s = 1
            [[trunks]]
            name = "carrier"
            addresses = ["127.0.0.11", "127.0.0.21"]
            [[bots]]
            name = "helper"
            stream = "ws://127.0.0.1:9/media"
            [[routes]]
            dialled = "*"
            bot = "helper"
            listen = false
            {desk}
            "#
        );
        let settings = config::parse(&text, "test", &self.folder).unwrap_or_else(|error| panic!("{error}"));
        Gateway::start(settings).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn options(to: SocketAddr, transport: Transport) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/{} client.invalid;branch=z9hG4bKtest;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:probe@client.invalid>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: probe@client.invalid\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        transport.via()
    )
}

fn tls(authority: &Authority, ip: &str, to: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("gw.example.test").expect("a name");
    let session = ClientConnection::new(authority.client(), name).expect("a session");
    StreamOwned::new(session, connect_from(ip, to))
}

fn ask_tls(authority: &Authority, gateway: &Gateway) -> Option<Message> {
    let to = gateway.sip(Transport::Tls).expect("tls");
    let mut stream = tls(authority, "127.0.0.11", to);
    // A refused handshake shows while writing or while reading.
    let _ = stream.write_all(options(to, Transport::Tls).as_bytes());
    next(&mut stream, &mut StreamFramer::new())
}

#[test]
fn options_are_answered_over_tls() {
    let authority = Authority::new();
    authority.issue("gateway", &["gw.example.test"]);
    let gateway = authority.gateway("", "");
    let answer = ask_tls(&authority, &gateway).expect("an answer");
    assert_eq!(answer.code(), Some(200));
    assert!(answer.headers.get("Via").expect("a Via").starts_with("SIP/2.0/TLS"), "{answer:?}");
}

#[test]
fn whoever_must_show_a_certificate_and_has_none_is_not_served() {
    let authority = Authority::new();
    authority.issue("gateway", &["gw.example.test"]);
    let gateway = authority.gateway("client_ca = \"ca.pem\"", "");
    assert!(ask_tls(&authority, &gateway).is_none());
}

#[test]
fn options_are_answered_over_websocket_with_and_without_tls() {
    let authority = Authority::new();
    authority.issue("gateway", &["gw.example.test"]);
    let gateway = authority.gateway("", "");
    for transport in [Transport::Ws, Transport::Wss] {
        let to = gateway.sip(transport).expect("listening");
        let mut request = format!("{transport}://gw.example.test/").into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", "sip".parse().expect("a value"));
        let answer = match transport {
            Transport::Ws => exchange(request, connect_from("127.0.0.11", to), &options(to, transport)),
            _ => exchange(request, tls(&authority, "127.0.0.11", to), &options(to, transport)),
        };
        assert_eq!(answer.code(), Some(200), "{transport}");
    }
}

fn exchange(request: tungstenite::handshake::client::Request, stream: impl Read + Write, message: &str) -> Message {
    let Ok((mut socket, response)) = tungstenite::client(request, stream) else { panic!("no WebSocket") };
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
    socket.send(Frame::text("\r\n\r\n")).expect("a reader");
    assert_eq!(socket.read().expect("an answer"), Frame::text("\r\n"));
    socket.send(Frame::text(message)).expect("a reader");
    Message::parse_datagram(&socket.read().expect("an answer").into_data()).expect("SIP")
}

#[test]
fn a_websocket_that_does_not_speak_sip_is_refused() {
    let authority = Authority::new();
    authority.issue("gateway", &["gw.example.test"]);
    let gateway = authority.gateway("", "");
    let stream = connect_from("127.0.0.11", gateway.sip(Transport::Ws).expect("ws"));
    let refused = tungstenite::client("ws://gw.example.test/", stream).expect_err("refused");
    let tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(response.status().as_u16(), 400);
}

#[test]
fn connections_that_never_finish_their_handshake_leave_room_for_other_trunks() {
    let authority = Authority::new();
    authority.issue("gateway", &["gw.example.test"]);
    let gateway = authority.gateway("", "");
    let to = gateway.sip(Transport::Tls).expect("tls");
    let slow: Vec<TcpStream> = (0..200).map(|_| connect_from("127.0.0.21", to)).collect();
    assert_eq!(ask_tls(&authority, &gateway).expect("an answer").code(), Some(200));
    drop(slow);
}

/// What the desk at the other end of a TLS connection of ours gets first.
fn desk_hears(authority: &Authority, name: &str) -> Option<Message> {
    authority.issue("gateway", &["gw.example.test"]);
    authority.issue("desk", &[name]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let desk = format!("[[desks]]\nname = \"ada\"\nsip = \"sips:ada@localhost:{port}\"");
    let gateway = authority.gateway("", &desk);
    let (stream, _) = listener.accept().expect("our gateway");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let chain = rustls_pem(&authority.folder.join("desk.pem"));
    let key = rustls::pki_types::pem::PemObject::from_pem_file(authority.folder.join("desk.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate");
    let session = rustls::ServerConnection::new(Arc::new(config)).expect("a session");
    let message = next(&mut StreamOwned::new(session, stream), &mut StreamFramer::new());
    gateway.stop();
    message
}

fn rustls_pem(file: &std::path::Path) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::pem_file_iter(file).expect("a file").map(|one| one.expect("PEM")).collect()
}

#[test]
fn a_desk_is_called_over_tls_when_its_certificate_holds_the_configured_name() {
    let message = desk_hears(&Authority::new(), "localhost").expect("a request");
    assert!(message.headers.get("Via").expect("a Via").starts_with("SIP/2.0/TLS"));
    assert!(message.headers.get("Contact").expect("a Contact").contains("transport=tls"));
}

#[test]
fn a_desk_whose_certificate_holds_another_name_gets_nothing() {
    assert!(desk_hears(&Authority::new(), "impostor.example.test").is_none());
}

#[test]
fn a_certificate_that_cannot_be_used_is_a_complaint() {
    let authority = Authority::new();
    authority.issue("gateway", &["gw.example.test"]);
    authority.issue("other", &["gw.example.test"]);
    let text = "[sip]\nlisten = [\"tls:127.0.0.1:0\"]\n[sip.tls]\ncertificate = \"gateway.pem\"\nkey = \"other.key\"\n";
    let complaint = config::parse(text, "test", &authority.folder).expect_err("wrong key").to_string();
    assert!(complaint.contains("do not belong together"), "{complaint}");
    let text = "[sip]\nlisten = [\"tls:127.0.0.1:0\"]\n";
    let complaint = config::parse(text, "test", &authority.folder).expect_err("no certificate").to_string();
    assert!(complaint.contains("needs [sip.tls]"), "{complaint}");
}
