//! A trunk or a desk's telephone on rsipstack, another SIP stack in Rust: the program in `rsipstack/`.

use crate::lines::Lines;
use crate::{Gateway, Talker};
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// The program with one role. Killed when dropped.
pub struct Rsipstack {
    child: Child,
    orders: ChildStdin,
    lines: Lines,
}

impl Rsipstack {
    /// Calls the gateway over `udp`, `tcp` or `tls`.
    pub fn trunk(transport: &str, dials: &str, gateway: &Gateway, talker: &Talker) -> Self {
        Self::start("trunk", (transport, crate::free_port()), &[dials], gateway, talker)
    }

    /// Registers at the gateway over `udp`, `tcp` or `tls`, and answers when it is called.
    pub fn desk(transport: &str, user: &str, password: &str, gateway: &Gateway, talker: &Talker) -> Self {
        Self::start("desk", (transport, crate::free_port()), &[user, password], gateway, talker)
    }

    /// Answers when it is called at this port, and registers nowhere.
    pub fn phone(transport: &str, user: &str, port: u16, gateway: &Gateway, talker: &Talker) -> Self {
        Self::start("phone", (transport, port), &[user], gateway, talker)
    }

    fn start(role: &str, (transport, port): (&str, u16), who: &[&str], gateway: &Gateway, talker: &Talker) -> Self {
        let registrar = if transport == "tls" { gateway.tls } else { gateway.sip };
        let program = crate::target().join("rsipstack").join("debug").join("rsipstack-peer");
        let mut child = Command::new(program)
            .args([role, &format!("127.0.0.1:{port}"), transport])
            .args([talker.port.to_string(), talker.report_port().to_string(), format!("127.0.0.1:{registrar}")])
            .arg(gateway.certificate())
            .args(who)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rsipstack-peer runs (`cargo xtask peers` builds it)");
        let orders = child.stdin.take().expect("it was asked for");
        let lines = Lines::of(&mut child);
        Self { child, orders, lines }
    }

    /// Waits until it says a line that begins like this, and returns the rest of it.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn says(&self, what: &str) -> String {
        self.lines.until(what, SOON, |line| line.strip_prefix(what).map(|rest| rest.trim().to_owned()))
    }

    /// Tells it to do something; see its source for what it can.
    ///
    /// # Panics
    /// When it has ended.
    pub fn order(&mut self, what: &str) {
        writeln!(self.orders, "{what}").and_then(|()| self.orders.flush()).expect("it reads");
    }

    /// Everything it has said.
    pub fn said(&self) -> String {
        self.lines.all()
    }
}

impl Drop for Rsipstack {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("rsipstack said:\n{}", self.said());
        }
    }
}
