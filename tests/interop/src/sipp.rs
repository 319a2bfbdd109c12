//! SIPp, the independent SIP stack.

use crate::talker::Talker;
use call_model::Codec;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A SIPp process with one call. Killed when dropped.
pub struct Sipp {
    child: Child,
    folder: PathBuf,
    name: String,
}

/// How the trunk behaves.
#[derive(Clone, Copy, Debug)]
pub struct Trunk<'a> {
    /// What it dials.
    pub dials: &'a str,
    /// Its own SIP port.
    pub port: u16,
    /// Hangs up after this long, unless the gateway did before.
    pub hold: Duration,
    /// The status for a REFER.
    pub refer: u16,
    /// SIP over TCP instead of UDP.
    pub tcp: bool,
    /// Its codec.
    pub codec: Codec,
}

/// How a bot or a desk telephone behaves.
#[derive(Clone, Copy, Debug)]
pub struct Callee {
    /// Its own SIP port.
    pub port: u16,
    /// Answers after this long.
    pub ring: Duration,
    /// SIP over TCP instead of UDP.
    pub tcp: bool,
    /// Its codec.
    pub codec: Codec,
}

impl Sipp {
    /// Calls the gateway.
    pub fn trunk(trunk: Trunk<'_>, gateway: u16, talker: &Talker) -> Self {
        let keys = [
            ("hold", trunk.hold.as_millis().to_string()),
            ("refer", trunk.refer.to_string()),
            ("codec", trunk.codec.name().to_owned()),
            ("pt", trunk.codec.payload_type().to_string()),
        ];
        let target = format!("127.0.0.1:{gateway}");
        Self::start("trunk", &keys, talker, trunk.port, trunk.tcp, &[target.as_str(), "-s", trunk.dials])
    }

    /// Waits to be called.
    pub fn callee(callee: Callee, talker: &Talker) -> Self {
        let keys = [
            ("ring", callee.ring.as_millis().to_string()),
            ("codec", callee.codec.name().to_owned()),
            ("pt", callee.codec.payload_type().to_string()),
        ];
        Self::start("callee", &keys, talker, callee.port, callee.tcp, &[])
    }

    /// Waits until the call is over and SIPp says whether everything came as its scenario expects.
    ///
    /// # Panics
    /// When SIPp met something else, with what it complained about.
    pub fn succeeds(mut self, within: Duration) {
        let deadline = std::time::Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("SIPp can be waited for") {
                break status;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "SIPp {} did not end in time\n{}",
                self.name,
                self.complaints()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        };
        assert!(status.success(), "SIPp {} ended with {status}\n{}", self.name, self.complaints());
    }

    fn start(scenario: &str, keys: &[(&str, String)], talker: &Talker, port: u16, tcp: bool, more: &[&str]) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(format!("{scenario}.xml"));
        let mut text = std::fs::read_to_string(&source).expect("the scenario is there");
        let own = [("rtp", talker.port.to_string()), ("report", talker.report_port().to_string())];
        for (key, value) in keys.iter().chain(&own) {
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
                "127.0.0.1",
                "-m",
                "1",
                "-nostdin",
                "-trace_err",
                "-trace_msg",
                "-t",
                if tcp { "t1" } else { "u1" },
            ])
            .args(["-p", &port.to_string()])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp runs (Debian package sip-tester)");
        Self { child, folder, name: format!("{scenario} on port {port}") }
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
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
