//! Recordings, voice models and the doctor, as an operator meets them.

use crate::cli::{File, SMALL, output, warmline};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn asset(name: &str) -> String {
    format!("{}/assets/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> String {
    format!("{}/../../models/prosody.onnx", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn one_line_a_file_and_a_bad_one_does_not_stop_the_rest() {
    let bad = File::new("song.wav", "ID3 not a WAV file");
    let list = File::new("list.txt", format!("{}\n\n/nonexistent.wav\n", asset("caller-calm.wav")));
    let (done, out, err) = output(&["listen", "--json", &asset("caller-upset.wav"), bad.path(), "--list", list.path()]);
    assert_eq!(done.status.code(), Some(3), "{err}");
    assert!(err.contains("song.wav: not a WAV file") && err.contains("/nonexistent.wav: "), "{err}");
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 4);
    let peak = |i: usize, key: &str| {
        let windows = lines[i]["windows"].as_array().expect("windows");
        windows.iter().filter_map(|window| window[key].as_f64()).fold(0.0, f64::max)
    };
    assert!(peak(0, "distress") > 0.7 && peak(2, "distress") < 0.5, "upset and calm");
    assert!(lines[0]["file"].as_str().is_some_and(|file| file.ends_with("caller-upset.wav")));
    let first = &lines[0]["windows"][0];
    for key in ["t", "anger", "arousal", "distress", "emotion", "speech_ratio", "distress_before_baseline"] {
        assert!(!first[key].is_null(), "{key}: {first}");
    }
    assert!(lines[1]["error"].is_string() && lines[3]["windows"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn the_story_has_a_plot_and_says_when_the_caller_becomes_upset() {
    let (done, out, err) = output(&["listen", &asset("caller-upset.wav")]);
    assert!(done.status.success(), "{err}");
    assert!(out.contains("<- upset") && out.contains("0.5 |") && out.contains('█'), "{out}");
}

#[test]
fn a_model_is_checked_timed_and_described() {
    let (done, out, _) = output(&["model", "check", &shipped()]);
    assert!(done.status.success() && out.contains("in order: warmline-prosody"), "{out}");
    let (done, out, _) = output(&["model", "info", &shipped()]);
    assert!(done.status.success() && out.contains("emodb") && out.contains("Conv "), "{out}");
    let (done, out, err) = output(&["model", "bench", "--json"]);
    let cost: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(done.status.success() && cost["all_ms_per_s"].as_f64().is_some_and(|ms| ms > 0.0), "{out} {err}");
    let junk = File::new("junk.onnx", "not a model");
    for command in ["check", "info"] {
        let (done, out, _) = output(&["model", command, junk.path()]);
        assert!(done.status.code() == Some(3) && out.contains("not an ONNX file"), "{out}");
    }
}

#[test]
fn the_doctor_names_model_runtime_and_what_is_wrong() {
    let (done, out, err) = output(&["doctor"]);
    assert!(done.status.success() && out.contains("warmline-prosody") && out.contains(" on "), "{out} {err}");
    let wrong = File::new("ill.toml", SMALL.replace("dialled", "called"));
    let (done, out, _) = output(&["doctor", "--config", wrong.path()]);
    assert!(done.status.code() == Some(3) && out.contains("called"), "{out}");
}

#[test]
fn a_hangup_reads_the_model_again_and_a_broken_one_changes_nothing() {
    let model = File::new("live.onnx", std::fs::read(shipped()).expect("shipped"));
    let config = SMALL.replace("listen = false", "listen = true");
    let config = File::new("live.toml", format!("{config}[model]\npath = \"{}\"\n", model.path()));
    let serve = ["serve", "--config", config.path()];
    let mut child = warmline(&serve).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mut said = |what: &str| lines.by_ref().any(|line| line.contains(what));
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    };
    assert!(said("ready"));
    signal("-HUP");
    assert!(said("listening goes on with the model as it is now"));
    std::fs::write(model.path(), "damaged").expect("written");
    signal("-HUP");
    assert!(said("listening goes on with the one before"));
    signal("-TERM");
    assert!(said("stopped"));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
