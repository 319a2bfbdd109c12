//! The gateway under test: a child process with a configuration of its own, pinned to one core.

use crate::sys;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start (the voice model is loaded and checked first) and to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom it serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties {
    /// The bot's SIP address.
    pub(crate) callee: SocketAddrV4,
    /// The desk's.
    pub(crate) desk: SocketAddrV4,
    /// Whether callers' voices are scored.
    pub(crate) listen: bool,
    /// Calls at once.
    pub(crate) limit: usize,
}

/// Killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    folder: PathBuf,
    pub(crate) sip: SocketAddrV4,
    /// The same over TLS.
    pub(crate) sips: SocketAddrV4,
    pub(crate) http: SocketAddrV4,
}

impl Gateway {
    /// Starts one, and waits until it is ready.
    pub(crate) fn start(program: &Path, core: Option<usize>, parties: &Parties) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("warmline-load-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let sip = free(|address| UdpSocket::bind(address)?.local_addr())?;
        let [sips, http] = [(); 2].map(|()| free(|address| TcpListener::bind(address)?.local_addr()));
        let (sips, http) = (sips?, http?);
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(folder.join("certificate.pem"), pair.cert.pem())?;
        std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem())?;
        std::fs::write(folder.join("warmline.toml"), config([sip, sips, http], parties))?;
        std::fs::write(folder.join("rules.toml"), include_str!("../rules.toml"))?;
        let log = std::fs::File::create(folder.join("log"))?;
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(folder.join("warmline.toml")).env("WARMLINE_LOG", "warn");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        sys::pinned(&mut command, core);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut gateway = Self { child, folder, sip, sips, http };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A counter of its metrics page, summed over labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").unwrap_or_default();
        let lines = page.lines().filter_map(|line| line.strip_prefix(name));
        let lines = lines.filter(|rest| rest.starts_with([' ', '{']));
        lines.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.get("/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway ended with {status}:\n{}", self.log());
            }
            if Instant::now() > end {
                bail!("the gateway is not ready after {PATIENCE:?}:\n{}", self.log());
            }
            sys::wait(&[], Duration::from_millis(50));
        }
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.http)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// What it complained about.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let serious = |line: &&str| [" WARN ", " ERROR ", "panicked"].iter().any(|word| line.contains(word));
        self.log().lines().filter(serious).map(str::to_owned).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A port that is free now.
fn free(bind: impl FnOnce(SocketAddrV4) -> std::io::Result<std::net::SocketAddr>) -> Result<SocketAddrV4> {
    let address = bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, address.port()))
}

fn config([sip, sips, http]: [SocketAddrV4; 3], parties: &Parties) -> String {
    let caller = crate::traffic::CALLER;
    let Parties { callee, desk, listen, limit } = parties;
    let operator = crate::trigger::OPERATOR;
    let attackers = crate::attack::NETWORK;
    let pages: String = (0..crate::trigger::DESKS)
        .map(|n| {
            let token = crate::trigger::page_token(n);
            format!(
                "[[desks]]\nname = \"desk{n}\"\nsip = \"sip:desk{n}@{desk}\"\npage_token = \"{token}\"\n\
                 accept = \"auto\"\ncapacity = 2000\npriority = 20\n"
            )
        })
        .collect();
    format!(
        r#"
[sip]
listen = ["udp:{sip}", "tcp:{sip}", "tls:{sips}"]
[sip.tls]
certificate = "certificate.pem"
key = "key.pem"
[http]
listen = "{http}"
admin_token = "{operator}"
[rtp]
address = "127.0.0.1"
ports = [10000, 31999]
[[trunks]]
name = "generator"
addresses = ["{caller}"]
release = "stay"
[[trunks]]
name = "attackers"
addresses = ["{attackers}"]
[[bots]]
name = "callee"
sip = "sip:{{user}}@{callee}"
[[desks]]
name = "human"
sip = "sip:human@{desk}"
accept = "auto"
capacity = 2000
{pages}[[routes]]
dialled = "*"
bot = "callee"
listen = {listen}
[rules]
file = "rules.toml"
[ledger]
path = "ledger.sqlite"
[timers]
ping_every_s = 0
[limits]
calls = {limit}
"#
    )
}
