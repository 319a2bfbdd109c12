//! The gateway as a user runs it: `warmline serve --config FILE`.

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `warmline serve` in a process of its own, killed when dropped.
pub struct Gateway {
    child: Child,
    folder: PathBuf,
    /// Its SIP port, UDP and TCP.
    pub sip: u16,
    /// Its SIP port for TLS.
    pub tls: u16,
    /// Its HTTP port.
    pub http: u16,
    /// Its HTTPS port on loopback, with a certificate of its own making.
    pub https: u16,
}

/// The token operators present.
pub(crate) const ADMIN: &str = "an-admin-token-for-tests-only";

impl Gateway {
    /// Starts it with one trunk on loopback and the given further configuration, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; shows what it printed.
    pub fn start(release: &str, more: &str) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), release, more)
    }

    /// The same with SIP and RTP at another address of loopback.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_at(ip: IpAddr, release: &str, more: &str) -> Self {
        let (sip, http, rtp) = (crate::free_port(), crate::free_port(), rtp_range());
        let https = http + 1;
        let folder = std::env::temp_dir().join(format!("warmline-gateway-{}-{sip}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let tls = sip + 1;
        make_certificate(&folder.join("certificate.pem"));
        let config = format!(
            r#"[sip]
listen = ["udp:{at}", "tcp:{at}", "tls:127.0.0.1:{tls}"]
[sip.tls]
certificate = "certificate.pem"
key = "certificate.pem"
ca = "certificate.pem"
[http]
listen = "127.0.0.1:{http}"
https_listen = "127.0.0.1:{https}"
admin_token = "{ADMIN}"
[rtp]
address = "{ip}"
ports = [{rtp}, {}]
[ledger]
path = "ledger.sqlite"
[[trunks]]
name = "sipp"
addresses = ["{ip}"]
release = "{release}"
{more}
"#,
            rtp + 199,
            at = SocketAddr::new(ip, sip),
        );
        let file = folder.join("warmline.toml");
        std::fs::write(&file, config).expect("a temporary file can be written");
        let log = std::fs::File::create(folder.join("log")).expect("a temporary file can be written");
        let errors = log.try_clone().expect("a file handle can be cloned");
        let child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("warmline starts (cargo build --release -p gateway)");
        let mut gateway = Self { child, folder, sip, tls, http, https };
        let deadline = Instant::now() + Duration::from_secs(60);
        while gateway.get("/readyz").is_none_or(|(status, _)| status != 200) {
            let ended = gateway.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none() && Instant::now() < deadline, "not ready: {ended:?}\n{}", gateway.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        gateway
    }

    /// One HTTP request with the operator's token: status and body, or none when the server does not answer.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.request("GET", path, ADMIN, "")
    }

    /// The same with a body to be taken.
    pub fn post(&self, path: &str, body: &str) -> Option<(u16, String)> {
        self.request("POST", path, ADMIN, body)
    }

    /// One HTTP request: status and body, or none when the server does not answer.
    pub fn request(&self, method: &str, path: &str, token: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.http
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Waits until `path` answers with a body that satisfies `wanted`, and returns it.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn until(&self, path: &str, within: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + within;
        loop {
            let answer = self.get(path);
            if let Some((200, body)) = &answer
                && wanted(body)
            {
                return body.clone();
            }
            assert!(Instant::now() < deadline, "{path} never said it: {answer:?}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Its one call, once it is as `wanted`.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn call(&self, what: &str, within: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + within;
        loop {
            let calls = self.get("/v1/calls").and_then(|(_, body)| serde_json::from_str::<Value>(&body).ok());
            let call = calls.map(|calls| calls["calls"][0].clone()).unwrap_or_default();
            if wanted(&call) {
                return call;
            }
            assert!(Instant::now() < deadline, "the call was never {what}: {call:#}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until its one call is in `state`, as `/v1/calls` names it.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn call_is(&self, state: &str, within: Duration) {
        self.call(state, within, |call| call["state"] == state);
    }

    /// Waits until its one call is over.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn call_ends(&self, within: Duration) -> Value {
        self.call("over", within, |call| call["ended_unix_ms"].is_u64())
    }

    /// The trace of its one call so far, oldest first.
    ///
    /// # Panics
    /// When there is none.
    pub fn trace(&self) -> Vec<Value> {
        let id = self.call("there", Duration::from_secs(1), |call| call["id"].is_string())["id"].clone();
        let path = format!("/v1/calls/{}", id.as_str().unwrap_or_default());
        let (_, body) = self.get(&path).expect("the gateway answers");
        let call: Value = serde_json::from_str(&body).expect("the API speaks JSON");
        call["events"].as_array().unwrap_or_else(|| panic!("no trace: {body}")).clone()
    }

    /// The trace of its one call as lines for people; empty when there is none.
    fn lines(&self) -> String {
        let parsed = |path: &str| serde_json::from_str::<Value>(&self.get(path)?.1).ok();
        let id = parsed("/v1/calls").map(|calls| calls["calls"][0]["id"].as_str().unwrap_or_default().to_owned());
        let call = parsed(&format!("/v1/calls/{}", id.unwrap_or_default())).unwrap_or_default();
        let lines = call["events"].as_array().into_iter().flatten().filter_map(|event| event["line"].as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What a metric stands at; nothing when it is not served.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let (_, page) = self.get("/metrics")?;
        page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The certificate and key of everybody here, whom it trusts.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// Ends it without a warning, as a power cut would. Its files stay until this is dropped.
    ///
    /// # Panics
    /// When it does not end.
    pub fn crash(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it can be killed");
    }

    /// A file that it made, by its path in the configuration.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("The gateway's log:\n{}\nThe call's trace:\n{}", self.log(), self.lines());
        }
        // Already ended, or ended now: either is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// What `warmline verify` says of a desk with this SIP URI, and its exit status.
///
/// # Panics
/// When it cannot be run.
pub fn verify(desk: &str) -> (Option<i32>, String) {
    let file = std::env::temp_dir().join(format!("warmline-verify-{}-{}.toml", std::process::id(), crate::free_port()));
    let config = format!(
        r#"[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
[[trunks]]
name = "trunk"
addresses = ["127.0.0.11"]
[[bots]]
name = "helper"
sip = "sip:helper@127.0.0.12"
[[desks]]
name = "alice"
sip = "{desk}"
[[routes]]
dialled = "*"
bot = "helper"
"#
    );
    std::fs::write(&file, config).expect("a temporary file can be written");
    let run = Command::new(binary()).args(["verify", "alice", "--config"]).arg(&file).output().expect("it runs");
    std::fs::remove_file(&file).expect("it is ours");
    (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr))
}

/// What `warmline recording decrypt` says of a recording, its exit status, and the WAV file that it wrote.
///
/// # Panics
/// When it cannot be run.
pub fn decrypt(recording: &Path, key: &str) -> (Option<i32>, String, Vec<u8>) {
    let run = Command::new(binary())
        .args(["recording", "decrypt", "--key", "env:KEY"])
        .arg(recording)
        .env("KEY", key)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    (run.status.code(), said, std::fs::read(recording.with_extension("wav")).unwrap_or_default())
}

/// The binary of this build.
pub(crate) fn binary() -> PathBuf {
    crate::target().join("release").join("warmline")
}

/// For 127.0.0.1, signed by itself.
fn make_certificate(file: &Path) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    let text = made.cert.pem() + &made.signing_key.serialize_pem();
    std::fs::write(file, text).expect("a temporary file can be written");
}

/// The first port of a range of 200 that nobody else in this process uses.
fn rtp_range() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(22_000);
    NEXT.fetch_add(200, Ordering::Relaxed)
}
