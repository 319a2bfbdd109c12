//! Headless Chromium, driven by the Chrome DevTools Protocol over its pipe: no driver, no WebSocket, no npm.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// One page in a Chromium of its own, killed when dropped.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    folder: PathBuf,
    session: String,
    last: u64,
}

const ANSWER: Duration = Duration::from_secs(30);

/// The pipe is file descriptors 3 and 4; a shell moves them there. `exec` keeps the process id.
const START: &str = r#"exec chromium "$@" 3<&0 4>&1 </dev/null >"$LOG" 2>&1"#;

/// A tone that does not end is noise to a browser, and what it plays itself an echo: both would be taken out.
const PLAIN_MICROPHONE: &str = "const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); \
    navigator.mediaDevices.getUserMedia = () => real({audio: \
    {echoCancellation: false, noiseSuppression: false, autoGainControl: false}});";

/// What makes Chromium believe in a microphone: one second of the tone, over and over.
fn microphone(folder: &Path, tone: f32) -> Vec<String> {
    const RATE: u32 = 48_000;
    let at = |i: u32| (std::f32::consts::TAU * tone * i as f32 / RATE as f32).sin() * 8_000.0;
    let samples: Vec<u8> = (0..RATE).flat_map(|i| (at(i) as i16).to_le_bytes()).collect();
    let size = samples.len() as u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + size).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * 2).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(size.to_le_bytes());
    wav.extend(samples);
    let file = folder.join("microphone.wav");
    std::fs::write(&file, wav).expect("the sound can be written");
    [
        "--ignore-certificate-errors",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("--use-file-for-fake-audio-capture={}", file.display())])
    .collect()
}

impl Browser {
    /// Opens a page of `width` by `height` on `url`.
    ///
    /// # Panics
    /// When Chromium does not start, with what it printed.
    pub fn open(url: &str, size: (u32, u32)) -> Self {
        Self::start(url, size, None)
    }

    /// The same with a microphone that hears this tone, in hertz, nobody who has to be asked for it, and belief in every
    /// certificate.
    ///
    /// # Panics
    /// As [`Self::open`].
    pub fn with_microphone(url: &str, size: (u32, u32), tone: f32) -> Self {
        Self::start(url, size, Some(tone))
    }

    fn start(url: &str, (width, height): (u32, u32), tone: Option<f32>) -> Self {
        let folder = std::env::temp_dir().join(format!("warmline-chromium-{}", crate::free_port()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let mut child = Command::new("bash")
            .args(["-c", START, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .args(tone.map(|tone| microphone(&folder, tone)).into_iter().flatten())
            .arg("about:blank")
            .env("LOG", folder.join("log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash runs");
        let commands = child.stdin.take().expect("stdin is piped");
        let output = child.stdout.take().expect("stdout is piped");
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                if let Ok(message) = serde_json::from_slice(&message) {
                    drop(sender.send(message));
                }
            }
        });
        let mut browser = Self { child, commands, answers, folder, session: String::new(), last: 0 };
        let target = browser.command("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.command("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        browser.command("Emulation.setDeviceMetricsOverride", size);
        browser.command("Page.enable", json!({}));
        if tone.is_some() {
            browser.command("Page.addScriptToEvaluateOnNewDocument", json!({"source": PLAIN_MICROPHONE}));
        }
        browser.command("Page.navigate", json!({"url": url}));
        browser
    }

    /// What the JavaScript expression is worth on the page; promises are awaited.
    ///
    /// # Panics
    /// When it throws.
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.command("Runtime.evaluate", parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}\n{answer:#}");
        answer["result"]["value"].clone()
    }

    /// Waits until the JavaScript expression is true on the page.
    ///
    /// # Panics
    /// When that does not happen in time; shows the text on the page.
    pub fn until(&mut self, expression: &str, within: Duration) {
        let deadline = Instant::now() + within;
        while self.eval(expression) != Value::Bool(true) {
            if Instant::now() > deadline {
                panic!("never true: {expression}\nThe page says:\n{}", self.text());
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Clicks in the middle of the element, as a mouse does.
    ///
    /// # Panics
    /// When it is not there or not visible.
    pub fn click(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const b = document.querySelector({selector:?}).getBoundingClientRect(); \
             return b.width ? [b.x + b.width / 2, b.y + b.height / 2] : null }})()"
        );
        let at = self.eval(&middle);
        assert!(at.is_array(), "{selector} is not visible\n{}", self.text());
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.command("Input.dispatchMouseEvent", event);
        }
    }

    /// Types into the element.
    ///
    /// # Panics
    /// When it is not there or not visible.
    pub fn write(&mut self, selector: &str, text: &str) {
        self.click(selector);
        self.command("Input.insertText", json!({"text": text}));
    }

    /// Presses a key, with nothing in particular focused.
    pub fn press(&mut self, key: &str) {
        self.eval("document.activeElement?.blur()");
        for kind in ["keyDown", "keyUp"] {
            let text = if key.chars().count() == 1 && kind == "keyDown" { key } else { "" };
            self.command("Input.dispatchKeyEvent", json!({"type": kind, "key": key, "text": text}));
        }
    }

    /// Writes a picture of the page.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn screenshot(&mut self, file: &Path) {
        let answer = self.command("Page.captureScreenshot", json!({"format": "png"}));
        let picture = BASE64.decode(answer["data"].as_str().expect("a picture")).expect("base64");
        std::fs::create_dir_all(file.parent().expect("a file in a folder")).expect("the folder can be made");
        std::fs::write(file, picture).expect("the picture can be written");
    }

    /// The text a reader sees.
    pub fn text(&mut self) -> String {
        self.eval("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let written = self.commands.write_all(&bytes).and_then(|()| self.commands.flush());
        written.unwrap_or_else(|error| panic!("{method}: {error}\n{}", self.log()));
        let deadline = Instant::now() + ANSWER;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(answer) = self.answers.recv_timeout(left) else { panic!("{method}: no answer\n{}", self.log()) };
            if answer["id"] == self.last {
                assert!(answer.get("error").is_none(), "{method}: {answer:#}");
                return answer["result"].clone();
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what is wanted. Its helpers end with it.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
