//! baresip, a telephone that speaks TLS and SRTP.

use crate::sound::{self, RATE};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// baresip in a process of its own, killed when dropped. It answers when it is called.
pub struct Baresip {
    child: Child,
    folder: PathBuf,
    control: u16,
}

impl Baresip {
    /// Says `tone`, takes SIP over TLS on `tls`, and encrypts as its module `media` does (`srtp`, `srtp-mand`,
    /// `dtls_srtp`).
    /// `certificate` is a PEM file with certificate and key.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(tone: f32, tls: u16, media: &str, certificate: &Path) -> Self {
        let control = crate::free_port();
        let folder = std::env::temp_dir().join(format!("warmline-baresip-{}-{tls}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let place = folder.display();
        // It takes TLS on the port after the one it is told.
        let config = format!(
            "poll_method epoll\nnet_interface 127.0.0.1\nsip_listen 127.0.0.1:{}\nsip_certificate {}\n\
             audio_source aufile,{place}/says.wav\naudio_player aubridge,nobody\naudio_alert aubridge,nobody\nsnd_path {place}\n\
             ausrc_srate {RATE}\nauplay_srate {RATE}\nausrc_channels 1\nauplay_channels 1\n\
             module_path {}\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\nmodule srtp.so\n\
             module dtls_srtp.so\nrtcp_mux yes\n\
             module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n",
            tls - 1,
            certificate.display(),
            modules().display(),
        );
        let account = format!(
            "<sip:phone@127.0.0.1:{tls};transport=tls>;regint=0;answermode=auto;mediaenc={media};audio_codecs=PCMU\n"
        );
        for (name, text) in [("config", config), ("accounts", account), ("contacts", String::new())] {
            std::fs::write(folder.join(name), text).expect("a temporary file can be written");
        }
        std::fs::write(folder.join("says.wav"), sound::tone_file(tone)).expect("a temporary file can be written");
        let log = std::fs::File::create(folder.join("log")).expect("a temporary file can be written");
        let errors = log.try_clone().expect("a file handle can be cloned");
        let child = Command::new("baresip")
            .arg("-f")
            .arg(&folder)
            .args(["-v", "-s"])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("baresip runs (Debian package baresip-core)");
        let phone = Self { child, folder, control };
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", control)).is_err() {
            assert!(std::time::Instant::now() < deadline, "baresip did not start:\n{}", phone.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        phone
    }

    /// Calls.
    pub fn dial(&self, uri: &str) {
        self.order("dial", uri);
    }

    /// Presses a key.
    pub fn press(&self, key: char) {
        self.order("sndcode", &key.to_string());
    }

    /// Hangs up.
    pub fn hang_up(&self) {
        self.order("hangup", "");
    }

    /// Its command language: netstrings of JSON.
    fn order(&self, command: &str, params: &str) {
        let order = json!({ "command": command, "params": params }).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.control)).expect("baresip takes orders");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        write!(stream, "{}:{order},", order.len()).expect("baresip takes orders");
        // It reports what happens on the way as well.
        loop {
            let message = netstring(&mut stream);
            let message: Value = serde_json::from_str(&message).unwrap_or_default();
            if message["response"] == true {
                return assert_eq!(
                    message["ok"],
                    true,
                    "baresip refused {command} {params}: {message}\n{}",
                    self.log()
                );
            }
        }
    }

    /// What it printed, SIP included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits until its record of the call, which it writes at the end, has a stretch of so many blocks with exactly these
    /// tones.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn heard(&self, tones: &[f32], blocks: usize) {
        sound::heard(tones, blocks, || {
            let entries = std::fs::read_dir(&self.folder).expect("the folder is ours").flatten();
            entries.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with("-dec.wav"))
        });
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("baresip said:\n{}", self.log());
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn netstring(stream: &mut TcpStream) -> String {
    let mut octet = [0];
    let mut length = 0;
    loop {
        stream.read_exact(&mut octet).expect("baresip answers");
        match octet[0] {
            digit @ b'0'..=b'9' => length = 10 * length + usize::from(digit - b'0'),
            _ => break,
        }
    }
    let mut text = vec![0; length + 1];
    stream.read_exact(&mut text).expect("baresip answers");
    text.pop();
    String::from_utf8_lossy(&text).into_owned()
}

/// Where Debian keeps its modules.
fn modules() -> PathBuf {
    let places = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
    places.iter().map(PathBuf::from).find(|place| place.exists()).expect("baresip has its modules")
}
