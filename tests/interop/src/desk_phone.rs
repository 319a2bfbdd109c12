//! baresip as a desk's telephone that registers.

use crate::lines::Lines;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// A baresip process that registers and answers by itself. Killed when dropped.
pub struct DeskPhone {
    child: Child,
    keys: ChildStdin,
    lines: Lines,
    folder: PathBuf,
}

/// What it registers as, and where.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The user.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// The registrar's port on loopback.
    pub registrar: u16,
    /// `udp` or `tcp`.
    pub transport: &'a str,
}

impl DeskPhone {
    /// Starts it with one account; it says this tone, in hertz, when it is called.
    ///
    /// # Panics
    /// When it cannot be run.
    pub fn start(account: Account<'_>, tone: f32) -> Self {
        let Account { user, password, registrar, transport } = account;
        let (sip, rtp) = (crate::free_port(), crate::free_port());
        let folder = std::env::temp_dir().join(format!("warmline-baresip-{}-{sip}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let sound = folder.join("tone.wav");
        let config = format!(
            "module_path /usr/lib/baresip/modules\nmodule stdio.so\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\n\
             module_app account.so\nmodule_app menu.so\naudio_source aufile,{}\naudio_player aubridge,ear\n\
             audio_alert aubridge,bell\nsip_listen 127.0.0.1:{sip}\nrtp_ports {rtp}-{}\nnet_interface 127.0.0.1\n",
            sound.display(),
            rtp + 1
        );
        let line = format!(
            "<sip:{user}@127.0.0.1:{registrar};transport={transport}>;auth_user={user};auth_pass={password};\
             answermode=auto;regint=60;audio_codecs=pcmu\n"
        );
        for (name, text) in [("config", config), ("accounts", line), ("contacts", String::new())] {
            std::fs::write(folder.join(name), text).expect("a temporary file can be written");
        }
        std::fs::write(&sound, crate::sound::tone_file(tone)).expect("a temporary file can be written");
        let mut child = Command::new("baresip")
            .arg("-f")
            .arg(&folder)
            .arg("-v")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("baresip runs (Debian package baresip-core)");
        let keys = child.stdin.take().expect("it was asked for");
        let lines = Lines::of(&mut child);
        Self { child, keys, lines, folder }
    }

    /// Waits until it prints a line with this in it.
    pub fn says(&self, what: &str, within: Duration) {
        self.lines.until(what, within, |line| line.contains(what).then_some(()));
    }

    /// Tells it to end, as a user does, and waits until it has.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn quits(mut self, within: Duration) {
        let deadline = Instant::now() + within;
        self.keys.write_all(b"q").and_then(|()| self.keys.flush()).expect("baresip reads");
        while self.child.try_wait().expect("baresip can be waited for").is_none() {
            assert!(Instant::now() < deadline, "baresip did not end in time");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for DeskPhone {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("baresip said:\n{}", self.lines.all());
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
