//! SIPp, the independent SIP stack.

use crate::talker::Talker;
use call_model::Codec;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A SIPp process with one call. Killed when dropped.
pub struct Sipp {
    child: Child,
    folder: PathBuf,
    name: String,
    ip: IpAddr,
    port: u16,
    tcp: bool,
    told: Option<TcpStream>,
}

/// How the trunk behaves.
#[derive(Clone, Copy, Debug)]
pub struct Trunk<'a> {
    /// What it dials.
    pub dials: &'a str,
    /// The status for a REFER.
    pub refer: u16,
    /// SIP over TCP instead of UDP.
    pub tcp: bool,
    /// Its codec.
    pub codec: Codec,
}

/// What a bot or a desk telephone does when it is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Does {
    /// Rings so long, then answers, and waits to be hung up.
    Answer(Duration),
    /// Rings so long, then sends 603.
    Decline(Duration),
    /// Rings, and expects a CANCEL.
    Ring,
    /// Answers at once, and sends REFER for a human when it is told to go on.
    Refer,
    /// Answers at once, types the score that the INVITE says, and waits to be hung up.
    TypeScore,
}

/// How a bot or a desk telephone behaves.
#[derive(Clone, Copy, Debug)]
pub struct Callee {
    /// Its own SIP port.
    pub port: u16,
    /// What it does when it is called.
    pub does: Does,
    /// SIP over TCP instead of UDP.
    pub tcp: bool,
    /// Its codec.
    pub codec: Codec,
}

impl Sipp {
    /// Calls the gateway.
    pub fn trunk(trunk: Trunk<'_>, gateway: u16, talker: &Talker) -> Self {
        let keys = media(trunk.codec, talker, [("refer", trunk.refer.to_string())]);
        let (target, ip) = (SocketAddr::new(talker.ip, gateway).to_string(), talker.ip);
        Self::start_at(ip, "trunk", &keys, crate::free_port(), trunk.tcp, &[target.as_str(), "-s", trunk.dials])
    }

    /// Waits to be called.
    pub fn callee(callee: Callee, talker: &Talker) -> Self {
        let (scenario, ring) = match callee.does {
            Does::Answer(ring) => ("callee", ring),
            Does::Decline(ring) => ("declining", ring),
            Does::Ring => ("ringing", Duration::ZERO),
            Does::Refer => ("referring", Duration::ZERO),
            Does::TypeScore => ("typing", Duration::ZERO),
        };
        let keys = media(callee.codec, talker, [("ring", ring.as_millis().to_string())]);
        let sipp = Self::start_at(talker.ip, scenario, &keys, callee.port, callee.tcp, &[]);
        sipp.wait_for_socket();
        sipp
    }

    /// Waits to be called as a recorder, which hears either stream with one of these talkers, over TCP.
    pub fn recorder(port: u16, codec: Codec, talkers: [&Talker; 2]) -> Self {
        let [first, second] = talkers;
        let mut keys = media(codec, first, [("rtp2", second.port.to_string())]);
        keys.push(("report2", second.report_port().to_string()));
        let sipp = Self::start("recorder", &keys, port, true, &[]);
        sipp.wait_for_socket();
        sipp
    }

    /// The metadata of every INVITE that it got as a recorder.
    pub fn was_told_who_takes_part(&self) -> Vec<String> {
        let log = self.complaints();
        let parts = log.split("<?xml ").skip(1);
        let parts = parts.filter_map(|part| part.split_once("</recording>"));
        parts.map(|(metadata, _)| format!("<?xml {metadata}</recording>")).collect()
    }

    /// Takes over a call of another SIPp's with the gateway: INVITE with Replaces.
    ///
    /// # Panics
    /// When that other one has not been called.
    pub fn replacing(other: &Self, gateway: u16, codec: Codec, talker: &Talker) -> Self {
        let replaces = other.names_its_call().expect("it has been called");
        let keys = media(codec, talker, [("replaces", replaces)]);
        let target = format!("127.0.0.1:{gateway}");
        Self::start("replacing", &keys, crate::free_port(), other.tcp, &[target.as_str(), "-s", "gw"])
    }

    /// The call it answered, as the value of a `Replaces` for the gateway: the tag of the INVITE's `From` is the gateway's.
    fn names_its_call(&self) -> Option<String> {
        let (call_id, from) = (self.was_told("Call-ID")?, self.was_told("From")?);
        let from_tag = from.split("tag=").nth(1)?;
        Some(format!("{call_id};to-tag={from_tag};from-tag=callee-{}-1", self.child.id()))
    }

    /// A header of the INVITE that called it.
    pub fn was_told(&self, header: &str) -> Option<String> {
        let seen = self.complaints();
        let (_, invite) = seen.split_once("\nINVITE ")?;
        let head = invite.lines().take_while(|line| !line.trim().is_empty());
        let value = head.filter_map(|line| line.split_once(':')).find(|(name, _)| *name == header);
        value.map(|(_, value)| value.trim().to_owned())
    }

    /// The `c=` line of the first session description that it was sent.
    pub fn was_told_where_audio_goes(&self) -> Option<String> {
        let log = self.complaints();
        let received = log.split("----------").filter(|entry| entry.contains(" message received "));
        received.flat_map(str::lines).find_map(|line| Some(line.trim().strip_prefix("c=IN ")?.to_owned()))
    }

    /// Waits to be registered at: see `sipp/registrar.xml`.
    pub fn registrar(port: u16, user: &str, password: &str) -> Self {
        let keys = [("user", user.to_owned()), ("password", password.to_owned())];
        let sipp = Self::start("registrar", &keys, port, false, &[]);
        sipp.wait_for_socket();
        sipp
    }

    /// Asks the gateway whether it is there.
    pub fn options(gateway: u16, tcp: bool) -> Self {
        Self::start("options", &[], crate::free_port(), tcp, &[&format!("127.0.0.1:{gateway}")])
    }

    /// Hangs up now (the trunk only).
    ///
    /// # Panics
    /// When SIPp cannot be reached.
    pub fn hang_up(&mut self) {
        self.tell(&call_id(self.port));
    }

    /// Sends the REFER (a [`Does::Refer`] that was called only).
    ///
    /// # Panics
    /// When SIPp cannot be reached, or was not called.
    pub fn refer(&mut self) {
        self.tell(&self.was_told("Call-ID").expect("it has been called"));
    }

    /// Tells it to go on. Its scenario waits for a MESSAGE of its own call, which no gateway sends.
    fn tell(&mut self, call_id: &str) {
        let port = self.port;
        let transport = if self.tcp { "TCP" } else { "UDP" };
        let message = format!(
            "MESSAGE sip:trunk@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK-go-on\r\n\
             From: <sip:harness@127.0.0.1>;tag=harness\r\nTo: <sip:trunk@127.0.0.1>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
        );
        if self.tcp {
            let mut stream = TcpStream::connect((self.ip, port)).expect("SIPp listens");
            stream.write_all(message.as_bytes()).expect("SIPp reads");
            self.told = Some(stream);
        } else {
            let socket = UdpSocket::bind((self.ip, 0)).expect("a loopback socket binds");
            socket.send_to(message.as_bytes(), (self.ip, port)).expect("loopback takes a datagram");
        }
    }

    /// Waits until the call is over and SIPp says whether everything came as its scenario expects.
    ///
    /// # Panics
    /// When SIPp met something else, with what it complained about.
    pub fn succeeds(mut self, within: Duration) {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("SIPp can be waited for") {
                break status;
            }
            assert!(Instant::now() < deadline, "SIPp {} did not end in time", self.name);
            std::thread::park_timeout(Duration::from_millis(20));
        };
        assert!(status.success(), "SIPp {} ended with {status}", self.name);
    }

    fn start(scenario: &str, keys: &[(&str, String)], port: u16, tcp: bool, more: &[&str]) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), scenario, keys, port, tcp, more)
    }

    fn start_at(ip: IpAddr, scenario: &str, keys: &[(&str, String)], port: u16, tcp: bool, more: &[&str]) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(format!("{scenario}.xml"));
        let mut text = std::fs::read_to_string(&source).expect("the scenario is there");
        for (key, value) in keys {
            text = text.replace(&format!("@{key}@"), value);
        }
        let folder = std::env::temp_dir().join(format!("warmline-sipp-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let file = folder.join(format!("{scenario}.xml"));
        std::fs::write(&file, text).expect("a temporary file can be written");
        let child = Command::new("sipp")
            .args(more)
            .arg("-sf")
            .arg(&file)
            .args([
                "-i",
                &ip.to_string(),
                "-mi",
                &ip.to_string(),
                "-p",
                &port.to_string(),
                "-t",
                if tcp { "t1" } else { "u1" },
            ])
            .args(["-m", "1", "-cid_str", &call_id(port), "-nostdin", "-trace_err", "-trace_msg"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp runs (Debian package sip-tester)");
        Self { child, folder, name: format!("{scenario} on port {port}"), ip, port, tcp, told: None }
    }

    /// Returns once its port is open: what is sent before is lost, or refused.
    fn wait_for_socket(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let version = if self.ip.is_ipv6() { "6" } else { "" };
        let table = format!("/proc/net/{}{version}", if self.tcp { "tcp" } else { "udp" });
        let local = format!(":{:04X} ", self.port);
        while !std::fs::read_to_string(&table).is_ok_and(|sockets| sockets.contains(&local)) {
            assert!(Instant::now() < deadline, "SIPp {} did not start", self.name);
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// SIPp's own error log and the messages it saw.
    fn complaints(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                text += &std::fs::read_to_string(entry.path()).unwrap_or_default();
            }
        }
        text
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("SIPp {} saw:\n{}", self.name, self.complaints());
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn call_id(port: u16) -> String {
    format!("interop-{}-{port}@127.0.0.1", std::process::id())
}

fn media<'a>(codec: Codec, talker: &Talker, more: [(&'a str, String); 1]) -> Vec<(&'a str, String)> {
    let mut keys = vec![
        ("codec", codec.name().to_owned()),
        ("pt", codec.payload_type().to_string()),
        ("rtp", talker.port.to_string()),
        ("report", talker.report_port().to_string()),
    ];
    keys.extend(more);
    keys
}
