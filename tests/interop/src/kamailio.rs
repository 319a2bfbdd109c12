//! kamailio, a proxy that stays in the path: a hop of somebody else's between the carrier and us.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A proxy process. Killed when dropped.
pub struct Proxy {
    child: Child,
    folder: PathBuf,
    /// Its SIP port, UDP and TCP.
    pub port: u16,
}

impl Proxy {
    /// Starts one that sends new calls to the `next` port, and what belongs to a call where its Route says.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(next: u16, tcp: bool) -> Self {
        let port = crate::free_port();
        let folder = std::env::temp_dir().join(format!("warmline-kamailio-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let file = folder.join("kamailio.cfg");
        let transport = if tcp { ";transport=tcp" } else { "" };
        let text = format!(
            "listen=udp:127.0.0.1:{port}\nlisten=tcp:127.0.0.1:{port}\n{}",
            ROUTES.replace("@next@", &format!("127.0.0.1:{next}{transport}"))
        );
        std::fs::File::create(&file).and_then(|mut file| file.write_all(text.as_bytes())).expect("a temporary file");
        let log = std::fs::File::create(folder.join("log")).expect("a temporary file");
        let child = Command::new("kamailio")
            .args(["-DD", "-E", "-m", "64", "-M", "8", "-w"])
            .arg(&folder)
            .arg("-Y")
            .arg(&folder)
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("kamailio runs (Debian package kamailio)");
        let mut proxy = Self { child, folder, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = proxy.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none() && Instant::now() < deadline, "kamailio: {ended:?}\n{}", proxy.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        proxy
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kamailio's log:\n{}", self.log());
        }
        // Its main process takes its children with it, when it is asked rather than killed.
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

const ROUTES: &str = r#"
debug=1
children=2
tcp_children=2
auto_aliases=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (method == "CANCEL") { if (t_check_trans()) { t_relay(); } exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (method == "ACK" && t_check_trans()) { t_relay(); exit; }
        sl_send_reply("404", "Not here");
        exit;
    }
    record_route();
    $du = "sip:@next@";
    t_relay();
}
"#;
