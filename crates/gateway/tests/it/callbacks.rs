//! A promise outlives the process: the real binary promises a callback, is killed, is started again, and keeps it.

use crate::support::PATIENCE;
use call_model::{Codec, IdSource, Instant};
use phone::{Answer, Arrival, OnRefer, Phone, PhoneConfig, PhoneEvent, PhoneOutput, Source};
use sip_proto::{Flow, Transport};
use sip_wire::Uri;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

const CALLER_TONE: f32 = 400.0;
const DESK_TONE: f32 = 800.0;

/// A telephone on a thread of its own, until it is dropped.
struct Party {
    over: Option<Sender<()>>,
    /// `up`, `heard`.
    noticed: Receiver<&'static str>,
    thread: Option<JoinHandle<()>>,
}

struct Part {
    sip: SocketAddr,
    source: f32,
    listens_for: f32,
    /// Calls this at once.
    calls: Option<SocketAddr>,
    /// Presses it when its call is up.
    key: Option<char>,
}

impl Party {
    fn start(part: Part) -> Self {
        let socket = UdpSocket::bind(part.sip).expect("the port is free");
        socket.set_nonblocking(true).expect("a mode");
        let rtp = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        rtp.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout");
        let (over, watch) = channel();
        let (notice, noticed) = channel();
        let thread = std::thread::spawn(move || part.play(&socket, &rtp, &watch, &notice));
        Self { over: Some(over), noticed, thread: Some(thread) }
    }

    fn notices(&self, what: &str) {
        let noticed = self.noticed.recv_timeout(PATIENCE);
        assert_eq!(noticed, Ok(what).map_err(|()| unreachable!()), "waited for {what}");
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        drop(self.over.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Part {
    fn play(&self, sip: &UdpSocket, rtp: &UdpSocket, over: &Receiver<()>, notice: &Sender<&'static str>) {
        let config = PhoneConfig {
            sip: self.sip,
            transport: Transport::Udp,
            rtp: rtp.local_addr().expect("bound"),
            user: "+442079460001".to_owned(),
            codecs: vec![Codec::Pcmu],
            srtp: Default::default(),
            source: Source::Tone(self.source),
            tones: vec![CALLER_TONE, DESK_TONE],
            arrival: Arrival::Ring { after: Duration::ZERO, then: Answer::After(Duration::from_millis(100)) },
            on_refer: OnRefer::Refuse(603),
            late_offer: false,
            habits: sip_proto::EndpointConfig::default(),
        };
        let mut phone = Phone::new(config, IdSource::from_u64(u64::from(self.sip.port())));
        let began = std::time::Instant::now();
        let now = || Instant::from_nanos(began.elapsed().as_nanos() as u64);
        if let Some(to) = self.calls {
            let uri = Uri::parse(&format!("sip:7001@{to}")).expect("a URI");
            phone.call(&uri, to, Vec::new(), now());
        }
        let (mut buffer, mut heard) = ([0; 65_536], false);
        while over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            while let Ok((len, remote)) = sip.recv_from(&mut buffer) {
                let flow = Flow { transport: Transport::Udp, local: self.sip, remote };
                phone.handle_datagram(flow, &buffer[..len], now());
            }
            if let Ok((len, from)) = rtp.recv_from(&mut buffer) {
                phone.handle_rtp(from, &buffer[..len], now());
            }
            phone.handle_timeout(now());
            while let Some(output) = phone.poll_output() {
                match output {
                    PhoneOutput::Sip { flow, bytes, .. } => drop(sip.send_to(&bytes, flow.remote)),
                    PhoneOutput::Rtp { to, bytes } => drop(rtp.send_to(&bytes, to)),
                    PhoneOutput::Event(PhoneEvent::Up) => {
                        self.key.into_iter().for_each(|key| phone.press(key));
                        _ = notice.send("up");
                    }
                    PhoneOutput::Event(_) => {}
                }
            }
            if !heard && phone.media.ear.heard().iter().any(|block| block.tones == [self.listens_for]) {
                heard = true;
                _ = notice.send("heard");
            }
        }
    }
}

/// `warmline serve`, killed when dropped.
struct Served(Child);

impl Served {
    fn start(folder: &std::path::Path, http: u16) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_warmline"))
            .args(["serve", "--config"])
            .arg(folder.join("warmline.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        let served = Self(child);
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", http)).is_err() {
            let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "it does not listen: {}", log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL: it has no time to say or write anything.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Asks for a callback in so many seconds, and says what it is told.
fn bot(listener: &TcpListener, seconds: u64) -> serde_json::Value {
    let (stream, _) = listener.accept().expect("the gateway calls");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut socket = tungstenite::accept(stream).expect("a WebSocket");
    let mut asked = false;
    loop {
        let Frame::Text(text) = socket.read().expect("a frame") else { continue };
        let frame: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        if frame["event"] == "media" && !std::mem::replace(&mut asked, true) {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + seconds;
            let at = jiff::Timestamp::from_second(i64::try_from(at).expect("a time")).expect("a time");
            let wish = serde_json::json!({
                "event": "warmline", "summary": "Wants the refund of an order.",
                "callback": {"number": "+44 20 7946 0001", "at": at.to_string()},
            });
            socket.send(Frame::text(wish.to_string())).expect("the gateway listens");
        }
        if frame["event"] == "warmline" {
            return frame;
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0");
    listener.and_then(|listener| listener.local_addr()).map(|at| at.port()).expect("a free port")
}

#[test]
fn a_promise_outlives_a_gateway_that_is_killed() {
    let folder = std::env::temp_dir().join(format!("warmline-callback-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let (sip, http, rtp) = (free_port(), free_port(), 42_000 + (std::process::id() % 300) as u16 * 40);
    let [caller, desk]: [SocketAddr; 2] =
        [12, 13].map(|last| format!("127.0.0.{last}:{}", free_port()).parse().expect("an address"));
    let config = format!(
        r#"[sip]
listen = ["udp:127.0.0.1:{sip}"]
[rtp]
address = "127.0.0.1"
ports = [{rtp}, {}]
[http]
listen = "127.0.0.1:{http}"
[ledger]
path = "ledger.sqlite"
[[trunks]]
name = "carrier"
addresses = ["127.0.0.12"]
release = "stay"
number = "+442079460000"
call_out = "sip:{{number}}@{caller}"
allowed_media = ["127.0.0.0/8"]
[[bots]]
name = "helper"
stream = "ws://{}/"
[[desks]]
name = "alice"
sip = "sip:alice@{desk}"
allowed_media = ["127.0.0.0/8"]
[[routes]]
dialled = "*"
bot = "helper"
listen = false
[callbacks]
allowed = ["+4420"]
time_zone = "Europe/London"
[timers]
ping_every_s = 0
"#,
        rtp + 39,
        listener.local_addr().expect("bound"),
    );
    std::fs::write(folder.join("warmline.toml"), config).expect("a file");
    let served = Served::start(&folder, http);
    let gateway: SocketAddr = format!("127.0.0.1:{sip}").parse().expect("an address");
    let part = |calls| Part { sip: caller, source: CALLER_TONE, listens_for: DESK_TONE, calls, key: None };
    let first = Party::start(part(Some(gateway)));
    let told = bot(&listener, 4);
    assert_eq!((&told["type"], &told["moved"]), (&"callback.accepted".into(), &false.into()), "{told}");
    drop((served, first));

    let human =
        Party::start(Part { sip: desk, source: DESK_TONE, listens_for: CALLER_TONE, calls: None, key: Some('1') });
    let waits = Party::start(part(None));
    let _served = Served::start(&folder, http);
    human.notices("up");
    waits.notices("up");
    waits.notices("heard");
    human.notices("heard");
    drop(std::fs::remove_dir_all(&folder));
}
