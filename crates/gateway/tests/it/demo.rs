//! The README's first command, from end to end: real sockets, the voice model, a human, and we are out of the path.

use serde_json::Value;
use std::process::Command;

fn demo(options: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_warmline"))
        .args(["demo", "--json"])
        .args(options)
        .env("WARMLINE_LOG", "warn")
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output:?}"))
}

#[test]
fn a_caller_who_loses_patience_reaches_the_human_and_a_calm_one_stays_with_the_bot() {
    let (upset, calm) = std::thread::scope(|scope| {
        let calm = scope.spawn(|| demo(&["--calm"]));
        (demo(&[]), calm.join().expect("the calm demo ends"))
    });
    assert_eq!(upset["handed_over"], true, "{upset}");
    assert_eq!(upset["pop_before_ring"], true, "{upset}");
    assert_eq!(upset["refer_outcome"], "released", "{upset}");
    let trigger = upset["trigger"].as_str().expect("it is told");
    assert!(["distress", "frustration"].contains(&trigger), "the voice, before a human is asked for: {upset}");
    assert_eq!(calm["handed_over"], false, "{calm}");
}
