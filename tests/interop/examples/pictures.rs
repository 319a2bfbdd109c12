//! Takes the pictures of the desk page again: `cargo run --release -p interop --example pictures`.
//!
//! They show the sample call of `cargo build --release -p http-api --example desk`, which has to be built before.

use interop::{Browser, free_port, target};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pictures");

/// Language, colours and size of a picture.
type Look = (&'static str, &'static str, (u32, u32));

fn main() {
    for (name, look, steps) in [
        ("desk", ("en", "light", (1360, 1000)), &[][..]),
        ("desk-talking", ("en", "light", (1360, 900)), &["a", "talk", "h", "held"][..]),
        ("desk-transfer", ("en", "light", (1360, 900)), &["a", "talk", "t", "transfer"][..]),
        ("desk-keys", ("en", "light", (1360, 900)), &["?"][..]),
        ("desk-dark", ("de", "dark", (1360, 1000)), &["a", "talk"][..]),
        ("desk-wrap-up", ("es", "light", (1360, 800)), &["a", "talk", "e", "end"][..]),
        ("desk-phone", ("fr", "light", (390, 844)), &["a", "talk"][..]),
    ] {
        take(name, look, steps);
    }
}

fn take(name: &str, (language, theme, size): Look, steps: &[&str]) {
    let port = free_port();
    let _server = Server(
        Command::new(target().join("release").join("examples").join("desk"))
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("the sample desk starts (cargo build --release -p http-api --example desk)"),
    );
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let mut page = Browser::open(&format!("http://127.0.0.1:{port}/desk"), size);
    page.until("!!document.querySelector('#language option')", SOON);
    page.eval(&format!(
        "localStorage.setItem('warmline-language', '{language}'); localStorage.setItem('warmline-theme', '{theme}')"
    ));
    page.eval(
        "sessionStorage.setItem('warmline-desk', JSON.stringify({desk: 'anna', token: 'sample'})); location.reload()",
    );
    page.until("!document.querySelector('#card')?.hidden && !!document.querySelector('#curve svg')", SOON);
    for step in steps {
        match *step {
            "talk" => page.until("!document.querySelector('#controls').hidden", SOON),
            "held" => page.until("document.querySelector('#hold').getAttribute('aria-pressed') === 'true'", SOON),
            "transfer" => page.until("document.querySelector('#d-pass').open", SOON),
            "end" => {
                page.until("document.querySelector('#d-end').open", SOON);
                page.click("#end-send");
                page.until("!document.querySelector('#wrap-up').hidden", SOON);
            }
            key => page.press(key),
        }
    }
    page.eval("document.fonts.ready.then(() => true)");
    page.screenshot(&Path::new(FOLDER).join(format!("{name}.png")));
}

/// Ends with the picture.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
