//! `warmline verify` against a scripted desk on real sockets: a telephone that shows what a contact centre's emulator
//! makes of the INVITE, and types the score from there.

use call_model::{Codec, IdSource, Instant};
use contact_centres::receive;
use phone::{Answer, Arrival, OnRefer, Phone, PhoneConfig, PhoneEvent, PhoneOutput, Source};
use sip_proto::{Flow, Transport};
use sip_wire::{Framed, Malformed, Message, Method, StreamFramer};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the human does with what the screen shows.
#[derive(Clone, Copy)]
enum Types {
    TheScore,
    SomethingElse,
    Nothing,
}

/// A desk that runs until it is dropped.
struct Desk {
    sip: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where the desk hears SIP. Nothing here waits longer than the desk's RTP.
enum Wire {
    Udp(UdpSocket),
    Tcp(TcpListener, Option<(TcpStream, StreamFramer)>),
}

impl Wire {
    fn open(transport: Transport) -> (Self, SocketAddr) {
        if transport == Transport::Udp {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
            socket.set_nonblocking(true).expect("a mode");
            let at = socket.local_addr().expect("bound");
            return (Self::Udp(socket), at);
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        listener.set_nonblocking(true).expect("a mode");
        let at = listener.local_addr().expect("bound");
        (Self::Tcp(listener, None), at)
    }

    /// The next message and who sent it.
    fn read(&mut self) -> Option<(SocketAddr, Result<Message, Malformed>)> {
        let mut buffer = [0; 65_536];
        match self {
            Self::Udp(socket) => {
                let (len, from) = socket.recv_from(&mut buffer).ok()?;
                Some((from, Message::parse_datagram(&buffer[..len])))
            }
            Self::Tcp(listener, connection) => {
                if connection.is_none() {
                    let (stream, _) = listener.accept().ok()?;
                    stream.set_nonblocking(true).expect("a mode");
                    *connection = Some((stream, StreamFramer::new()));
                }
                let (stream, framer) = connection.as_mut()?;
                if let Ok(len) = stream.read(&mut buffer) {
                    framer.push(&buffer[..len]);
                }
                let from = stream.peer_addr().ok()?;
                match framer.next_frame()? {
                    Ok(Framed::Message(message)) => Some((from, Ok(*message))),
                    Ok(Framed::KeepAlive) => None,
                    Err(malformed) => Some((from, Err(malformed))),
                }
            }
        }
    }

    fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send_to(bytes, to)),
            Self::Tcp(_, Some((stream, _))) => drop(stream.write_all(bytes)),
            Self::Tcp(_, None) => panic!("nobody has called"),
        }
    }
}

impl Desk {
    fn start(product: &'static str, arrival: Arrival, types: Types) -> Self {
        Self::over(Transport::Udp, product, arrival, types)
    }

    fn over(transport: Transport, product: &'static str, arrival: Arrival, types: Types) -> Self {
        let (wire, address) = Wire::open(transport);
        let rtp = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        rtp.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout");
        let config = PhoneConfig {
            sip: address,
            transport,
            rtp: rtp.local_addr().expect("bound"),
            user: "desk".to_owned(),
            codecs: vec![Codec::Pcmu],
            srtp: Default::default(),
            source: Source::Silence,
            tones: vec![],
            arrival,
            on_refer: OnRefer::Refuse(603),
            late_offer: false,
            habits: sip_proto::EndpointConfig::default(),
        };
        let over = Arc::new(AtomicBool::new(false));
        let watch = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let here = Flow { transport, local: address, remote: address };
            answer(product, Phone::new(config, IdSource::from_u64(5)), here, wire, &rtp, types, &watch);
        });
        Self { sip: address, over, thread: Some(thread) }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the desk panicked");
        }
    }
}

fn answer(
    product: &str,
    mut phone: Phone,
    here: Flow,
    mut wire: Wire,
    rtp: &UdpSocket,
    types: Types,
    over: &AtomicBool,
) {
    let began = std::time::Instant::now();
    let now = || Instant::from_nanos(began.elapsed().as_nanos() as u64);
    let (mut buffer, mut score) = ([0; 65_536], String::new());
    while !over.load(Ordering::Relaxed) {
        while let Some((remote, message)) = wire.read() {
            if let Ok(message) = &message
                && message.is_request()
                && message.method() == Some(&Method::Invite)
                && let Some(Ok(screen)) = receive(product, &message.to_bytes())
            {
                assert!(message.headers.contains("Allow"), "as every INVITE of ours");
                score = screen.fact("s").unwrap_or_default().to_owned();
                assert!(screen.fact("h").is_none_or(|id| id.starts_with("0000000000TEST")), "{screen:?}");
            }
            phone.handle_framed(Flow { remote, ..here }, message, now());
        }
        if let Ok((len, from)) = rtp.recv_from(&mut buffer) {
            phone.handle_rtp(from, &buffer[..len], now());
        }
        phone.handle_timeout(now());
        while let Some(output) = phone.poll_output() {
            match output {
                PhoneOutput::Sip { flow, bytes, .. } => wire.send(flow.remote, &bytes),
                PhoneOutput::Rtp { to, bytes } => drop(rtp.send_to(&bytes, to)),
                PhoneOutput::Event(PhoneEvent::Up) => {
                    let keys = match types {
                        Types::TheScore => score.clone(),
                        Types::SomethingElse => if score == "11" { "12" } else { "11" }.to_owned(),
                        Types::Nothing => String::new(),
                    };
                    keys.chars().for_each(|key| phone.press(key));
                }
                PhoneOutput::Event(_) => {}
            }
        }
    }
}

const AT_ONCE: Arrival = Arrival::Ring { after: Duration::ZERO, then: Answer::After(Duration::from_millis(20)) };

fn verify(desk: SocketAddr, profile: &str, more: &[&str]) -> (Option<i32>, String) {
    verify_at(&desk.to_string(), profile, more)
}

/// `desk`: host and port, and what follows them in a SIP URI.
fn verify_at(desk: &str, profile: &str, more: &[&str]) -> (Option<i32>, String) {
    static TESTS: AtomicUsize = AtomicUsize::new(0);
    let this = TESTS.fetch_add(1, Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("warmline-verify-{}-{this}.toml", std::process::id()));
    let text = format!(
        "[sip]\nlisten = [\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]\n[[trunks]]\nname = \"t\"\naddresses = [\"127.0.0.11\"]\n\
         [[bots]]\nname = \"b\"\nsip = \"sip:b@127.0.0.12\"\n[[desks]]\nname = \"d\"\nsip = \"sip:care@{desk}\"\n\
         profile = \"{profile}\"\n[[routes]]\ndialled = \"*\"\nbot = \"b\"\n"
    );
    std::fs::write(&file, text).expect("a temporary directory");
    let path = file.to_str().expect("plain characters");
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_warmline"))
        .args(["verify", "d", "--config", path])
        .args(more)
        .output()
        .expect("the binary runs");
    std::fs::remove_file(&file).expect("it is ours");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn the_score_arrives_by_way_of_every_product_that_shows_one() {
    for product in call_core::profile::names().filter(|name| *name != "microsoft-teams") {
        let desk = Desk::start(product, AT_ONCE, Types::TheScore);
        let (status, said) = verify(desk.sip, product, &[]);
        assert_eq!(status, Some(0), "{product}: {said}");
        for part in ["ARRIVED", "answer    180 ringing", "answer    200 answered", "REFER yes, Replaces yes", "PCMU"] {
            assert!(said.contains(part), "{product}: {part} is missing in {said}");
        }
        assert!(!said.contains("nothing was heard"), "{product}: audio both ways: {said}");
        let fetched_from = "X-Handoff-Url: http://127.0.0.1:8088/v1/handoffs/0000000000TEST";
        assert!(said.contains(fetched_from) || product != "generic-pbx", "{said}");
    }
}

#[test]
fn over_tcp_it_is_the_same() {
    for product in ["genesys-cloud-byoc", "avaya"] {
        let desk = Desk::over(Transport::Tcp, product, AT_ONCE, Types::TheScore);
        let (status, said) = verify_at(&format!("{};transport=tcp", desk.sip), product, &[]);
        assert_eq!(status, Some(0), "{product}: {said}");
        for part in ["over TCP", "ARRIVED", "answer    180 ringing", "answer    200 answered"] {
            assert!(said.contains(part), "{product}: {part} is missing in {said}");
        }
    }
    let desk = Desk::over(Transport::Tcp, "generic-pbx", Arrival::Refuse(404), Types::Nothing);
    let (status, said) = verify_at(&format!("{};transport=tcp", desk.sip), "generic-pbx", &[]);
    assert_eq!((status, said.contains("does not know the number")), (Some(3), true), "{said}");
}

#[test]
fn where_nothing_listens_it_is_not_reached() {
    for at in ["127.0.0.1:9", "127.0.0.1:9;transport=tcp"] {
        let (status, said) = verify_at(at, "generic-pbx", &["--ring-s", "1"]);
        assert_eq!((status, said.contains("NOT REACHED")), (Some(3), true), "{said}");
        assert!(!said.contains("answer  "), "nobody said anything: {said}");
    }
    // One that says 503 itself is there.
    let desk = Desk::start("generic-pbx", Arrival::Refuse(503), Types::Nothing);
    let (status, said) = verify(desk.sip, "generic-pbx", &[]);
    assert_eq!((status, said.contains("REFUSED with 503")), (Some(3), true), "{said}");
}

#[test]
fn a_profile_of_another_product_is_found_out() {
    // The generic form at Genesys' strips nothing it needs; Avaya's finds no information element of its own.
    let desk = Desk::start("avaya", AT_ONCE, Types::TheScore);
    let (status, said) = verify(desk.sip, "generic-pbx", &["--wait-s", "2"]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("NOT PROVEN: nothing was typed in time"), "{said}");
}

#[test]
fn wrong_digits_and_none_are_told_apart() {
    let desk = Desk::start("genesys-cloud-byoc", AT_ONCE, Types::SomethingElse);
    let (status, said) = verify(desk.sip, "genesys-cloud-byoc", &["--json"]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("\"outcome\":\"wrong\"") && said.contains("\"trigger\":\"verify\""), "{said}");
    let desk = Desk::start("five9", AT_ONCE, Types::Nothing);
    let (status, said) = verify(desk.sip, "five9", &["--wait-s", "1", "--trigger", "distress"]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("NOT PROVEN") && said.contains("X-Handoff-Trigger: distress"), "{said}");
}

#[test]
fn where_nothing_can_be_shown_it_says_so() {
    let desk = Desk::start("microsoft-teams", AT_ONCE, Types::Nothing);
    let (status, said) = verify(desk.sip, "microsoft-teams", &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("nothing to prove") && said.contains("desk page alone"), "{said}");
}

#[test]
fn refusals_are_told_with_what_to_do() {
    for (code, what) in
        [(404, "does not know the number"), (403, "does not take calls from us"), (603, "REFUSED with 603")]
    {
        let desk = Desk::start("generic-pbx", Arrival::Refuse(code), Types::Nothing);
        let (status, said) = verify(desk.sip, "genesys-cloud-byoc", &[]);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains(what), "{code}: {said}");
    }
    let desk = Desk::start("generic-pbx", Arrival::Refuse(488), Types::Nothing);
    let (status, said) = verify(desk.sip, "generic-pbx", &[]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("INVITE (rich") && said.contains("INVITE (plain)"), "once more: {said}");
    let never = Arrival::Ring { after: Duration::ZERO, then: Answer::Never };
    let desk = Desk::start("generic-pbx", never, Types::Nothing);
    let (status, said) = verify(desk.sip, "generic-pbx", &["--ring-s", "1"]);
    assert_eq!((status, said.contains("NO ANSWER")), (Some(3), true), "{said}");
}

#[test]
fn an_unknown_desk_or_trigger_names_the_choices() {
    let nobody = "127.0.0.1:9".parse().expect("an address");
    let (status, said) = verify(nobody, "generic-pbx", &["--trigger", "whim"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("`whim` is no trigger: verify (the default) or one of asked"), "{said}");
    let run = Command::new(env!("CARGO_BIN_EXE_warmline")).args(["verify", "nobody"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("there is no desk `nobody`") && said.contains("alice"), "{said}");
}
