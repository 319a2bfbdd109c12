//! The binary, as an operator meets it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(super) fn warmline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warmline"));
    command.args(arguments).env_remove("WARMLINE_LOG").env_remove("WARMLINE_ADMIN_TOKEN");
    command
}

pub(super) fn output(arguments: &[&str]) -> (Output, String, String) {
    let output = warmline(arguments).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

pub(super) struct File(PathBuf);

impl File {
    pub(super) fn new(name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = std::env::temp_dir().join(format!("warmline-{}-{name}", std::process::id()));
        std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_ref())).expect("a temporary file");
        Self(path)
    }

    pub(super) fn path(&self) -> &str {
        self.0.to_str().expect("plain characters")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Left behind, it harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

pub(super) const SMALL: &str = r#"
[sip]
listen = ["udp:127.0.0.1:0"]
[http]
listen = "127.0.0.1:0"
[[trunks]]
name = "t"
addresses = ["127.0.0.11"]
[[bots]]
name = "b"
sip = "sip:{user}@127.0.0.12:5091"
[[routes]]
dialled = "*"
bot = "b"
listen = false
"#;

#[test]
fn without_arguments_it_says_where_to_begin() {
    let (_, out, err) = output(&[]);
    assert!(format!("{out}{err}").contains("warmline demo"), "{out}{err}");
}

#[test]
fn the_printed_configuration_passes_its_own_check() {
    let (_, config, _) = output(&["config"]);
    let file = File::new("printed.toml", &config);
    let (status, out, err) = output(&["serve", "--check", "--config", file.path()]);
    assert!(status.status.success(), "{err}");
    assert!(out.contains("The configuration is fine."), "{out}");
}

#[test]
fn a_wrong_file_gets_all_its_complaints_and_exit_code_1() {
    let file = File::new("wrong.toml", SMALL.replace("addresses", "adresses").replace("listen = false", "listen = 0"));
    let (status, _, err) = output(&["serve", "--config", file.path()]);
    assert_eq!(status.status.code(), Some(1));
    for part in ["trunks[0].adresses", "did you mean `addresses`?", "routes[0].listen", "true or false"] {
        assert!(err.contains(part), "{part} missing in {err}");
    }
}

#[test]
fn what_serve_would_refuse_is_found_by_the_check_too() {
    let junk = File::new("junk", "neither a model nor a library");
    let listening = SMALL.replace("listen = false", "listen = true");
    let with =
        |more: &str| format!("{listening}\n[ledger]\npath = \"/nonexistent/folder/w.sqlite\"\n[model]\n{more}\n");
    for (more, key) in [
        (format!("path = \"{}\"", junk.path()), "model.path: "),
        (format!("onnxruntime = \"{}\"", junk.path()), "model.onnxruntime: cannot use libonnxruntime"),
    ] {
        let file = File::new("refused.toml", with(&more));
        let (checked, out, err) = output(&["serve", "--check", "--config", file.path()]);
        assert_eq!(checked.status.code(), Some(1), "{out}");
        assert!(err.contains("2 things") && err.contains(key) && err.contains("ledger.path: "), "{err}");
        let only = File::new("refused-alone.toml", format!("{listening}\n[model]\n{more}\n"));
        let (served, _, err) = output(&["serve", "--config", only.path()]);
        assert_eq!(served.status.code(), Some(1), "{err}");
    }
}

#[test]
fn the_check_leaves_no_ledger_behind() {
    let ledger = std::env::temp_dir().join(format!("warmline-{}-unborn.sqlite", std::process::id()));
    let file = File::new("unborn.toml", format!("{SMALL}\n[ledger]\npath = \"{}\"\n", ledger.display()));
    let (checked, _, err) = output(&["serve", "--check", "--config", file.path()]);
    assert!(checked.status.success(), "{err}");
    assert!(!ledger.exists());
}

#[test]
fn a_file_in_another_encoding_is_told_so() {
    let file = File::new("latin1.toml", b"[sip]\n# caf\xe9\n");
    let (status, _, err) = output(&["serve", "--config", file.path()]);
    assert_eq!(status.status.code(), Some(1));
    assert!(err.contains("not UTF-8 text (line 2)") && !err.contains("to start from"), "{err}");
}

#[test]
fn a_recording_without_samples_is_refused() {
    let wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";
    let file = File::new("empty.wav", wav);
    let (status, _, err) = output(&["demo", "--caller", file.path()]);
    assert_eq!(status.status.code(), Some(1));
    assert!(err.contains("the recording has no samples"), "{err}");
}

#[test]
fn a_missing_file_is_named_with_how_to_make_one() {
    let (status, _, err) = output(&["serve", "--config", "/nonexistent/warmline.toml"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(err.contains("/nonexistent/warmline.toml") && err.contains("warmline config >"), "{err}");
}

#[test]
fn tail_says_when_there_is_no_gateway_or_no_token() {
    let (status, _, err) = output(&["tail", "--url", "http://127.0.0.1:1", "--token", "t"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(err.contains("is it running"), "{err}");
    let (_, _, err) = output(&["tail", "--url", "http://127.0.0.1:2"]);
    assert!(err.contains("WARMLINE_ADMIN_TOKEN"), "{err}");
}

#[test]
fn a_recording_that_is_none_is_refused_by_name() {
    let file = File::new("no.wav", "this is no recording");
    let (status, _, err) = output(&["demo", "--caller", file.path()]);
    assert_eq!(status.status.code(), Some(1));
    assert!(err.contains("no.wav") && err.contains("RIFF"), "{err}");
}

/// `Cpus_allowed_list` of a thread, by its name.
fn cores_of(pid: u32, thread: &str) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").map_while(Result::ok);
    let read = |task: &std::path::Path, file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
    let mut named = tasks.map(|task| task.path()).filter(|task| read(task, "comm").trim() == thread);
    let status = read(&named.next().expect("a thread of that name"), "status");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.expect("Linux says it").trim().to_owned()
}

/// Where there are cores enough, listening has some for itself; where there are not, it says so and leaves them all.
#[test]
fn listening_workers_and_media_threads_run_where_the_log_says() {
    let file = File::new(
        "cores.toml",
        SMALL.replace("listen = false", "listen = true") + "[rtp]\nports = [41000, 41099]\nthreads = 1\n",
    );
    let mut child = warmline(&["serve", "--config", file.path()]).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let told = lines.by_ref().find(|line| line.contains("cores: ")).expect("it says where");
    assert!(lines.any(|line| line.contains("ready")), "it says that it is ready");
    let (listening, media) = (cores_of(child.id(), "listen-0"), cores_of(child.id(), "media-0"));
    let all = cores_of(child.id(), "switchboard");
    child.kill().and_then(|()| child.wait()).expect("it ends");
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 3) {
        assert!(told.contains("share") && listening == all && media == all, "{told}: {listening}, {media}, {all}");
    } else {
        let wanted = format!("listening workers keep to {listening}, media threads to {media}");
        assert!(told.contains(&wanted) && listening != all && media != all, "{told}: {listening}, {media}, {all}");
    }
}

#[test]
fn sigterm_drains_and_exits_0() {
    let file = File::new("serve.toml", SMALL);
    let mut child = warmline(&["serve", "--config", file.path()]).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let up = lines.by_ref().map_while(Result::ok).find(|line| line.contains("desk page"));
    assert!(up.is_some(), "it starts");
    // The handler is installed right after the last start-up line.
    let ready = lines.by_ref().map_while(Result::ok).find(|line| line.contains("ready"));
    assert!(ready.is_some(), "it says that it is ready");
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("draining")), "{rest:?}");
}
