//! linphone on the console, a telephone that speaks TLS, SRTP and Opus.

use crate::{CALLER, sound};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// linphonec in a process of its own, killed when dropped. It answers when it is called.
pub struct Linphone {
    child: Child,
    folder: PathBuf,
}

impl Linphone {
    /// Says `tone`, and neither says nor takes anything that is not encrypted. Whoever shows another certificate than
    /// `trusted` is not talked to. With a port, it registers there as `ada`, over TLS.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(tone: f32, registers: Option<u16>, trusted: &Path) -> Self {
        let (sip, rtp) = (crate::free_port(), crate::free_port());
        let folder = std::env::temp_dir().join(format!("warmline-linphone-{}-{sip}", std::process::id()));
        std::fs::create_dir_all(folder.join(".local/share/linphone")).expect("a temporary folder can be made");
        let account = registers.map_or_else(String::new, |port| {
            format!(
                "[proxy_0]\nreg_proxy=<sip:127.0.0.1:{port};transport=tls>\nreg_identity=<sip:ada@127.0.0.1>\n\
                 reg_sendregister=1\nreg_expires=600\n\
                 [auth_info_0]\nusername=ada\npasswd=for-tests\nrealm=warmline\n"
            )
        });
        let config = format!(
            "[sip]\nsip_port=-1\nsip_tcp_port=-1\nsip_tls_port={sip}\nbind_address=127.0.0.1\nguess_hostname=0\n\
             auto_net_state_mon=0\nipv6_migration_done=1\nuse_ipv6=0\nregister_only_when_network_is_up=0\nroot_ca={}\nverify_server_certs=1\nverify_server_cn=0\n\
             media_encryption=srtp\nmedia_encryption_mandatory=1\ndefault_proxy={}\n\
             contact=<sip:{}@127.0.0.1>\n[rtp]\naudio_rtp_port={rtp}\n[sound]\nechocancellation=0\n{account}",
            trusted.display(),
            if registers.is_some() { 0 } else { -1 },
            if tone == CALLER { "caller" } else { "ada" },
        );
        std::fs::write(folder.join("linphonerc"), config).expect("a temporary file can be written");
        std::fs::write(folder.join("says.wav"), sound::tone_file(tone)).expect("a temporary file can be written");
        let log = std::fs::File::create(folder.join("log")).expect("a temporary file can be written");
        let errors = log.try_clone().expect("a file handle can be cloned");
        let child = Command::new("linphonec")
            .env("HOME", &folder)
            .args(["-a", "-d", "6", "-l"])
            .arg(folder.join("trace"))
            .arg("-c")
            .arg(folder.join("linphonerc"))
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("linphonec runs (Debian package linphone-cli)");
        let mut phone = Self { child, folder };
        let place = phone.folder.display().to_string();
        phone.order("soundcard use files");
        phone.order(&format!("play {place}/says.wav"));
        phone.order(&format!("record {place}/heard.wav"));
        phone.says("linphonec> record");
        phone
    }

    /// Calls.
    pub fn dial(&mut self, uri: &str) {
        self.order(&format!("call {uri}"));
    }

    /// Presses a key.
    pub fn press(&mut self, key: char) {
        self.order(&key.to_string());
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.order("terminate");
    }

    fn order(&mut self, line: &str) {
        let orders = self.child.stdin.as_mut().expect("it takes orders");
        writeln!(orders, "{line}").expect("it takes orders");
    }

    /// Waits until it prints this.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn says(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.read("log").contains(what) {
            assert!(Instant::now() < deadline, "linphone never said `{what}`");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Every SIP message, and what it thought.
    pub fn trace(&self) -> String {
        self.read("trace")
    }

    fn read(&self, file: &str) -> String {
        std::fs::read(self.folder.join(file))
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// Waits until what it records of the call has a stretch of so many blocks with exactly these tones.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn heard(&self, tones: &[f32], blocks: usize) {
        sound::heard(tones, blocks, || Some(self.folder.join("heard.wav")));
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let trace = self.trace();
            let lines: Vec<&str> = trace.lines().filter(|line| !line.contains("mediastreamer")).collect();
            let last = lines.len().saturating_sub(400);
            eprintln!("linphone said:\n{}\nand traced:\n{}", self.read("log"), lines[last..].join("\n"));
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
