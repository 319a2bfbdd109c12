//! Every kind of packet that the simulated calls of the hermetic tests made the gateway send, read by an independent
//! dissector: SIP, SDP, RTP, RTCP, telephone-events; none malformed, none with a warning.

use interop::{captures, skipped};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Wireshark's severities: warning and error.
const COMPLAINT: &str = "_ws.malformed or _ws.expert.severity >= 0x600000";

fn tshark(file: &Path, options: &[&str]) -> Vec<String> {
    let output = Command::new("tshark")
        .args(["-n", "-o", "rtp.heuristic_rtp:TRUE", "--enable-heuristic", "rtp_udp", "-d", "udp.port==5060,sip"])
        .arg("-r")
        .arg(file)
        .args(options)
        .output()
        .expect("tshark runs");
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn complaints(file: &Path) -> Vec<String> {
    tshark(
        file,
        &["-Y", COMPLAINT, "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message"],
    )
}

#[test]
fn nothing_the_gateway_sends_is_malformed() {
    if skipped("tshark") {
        return;
    }
    let files = captures();
    assert!(!files.is_empty(), "`cargo xtask hermetic` writes captures");
    let mut seen = BTreeMap::<String, usize>::new();
    for file in &files {
        let found = complaints(file);
        assert!(
            found.is_empty(),
            "{}: {} packets, the first: {:#?}",
            file.display(),
            found.len(),
            &found[..found.len().min(10)]
        );
        for protocol in tshark(file, &["-T", "fields", "-e", "_ws.col.Protocol"]) {
            *seen.entry(protocol).or_default() += 1;
        }
    }
    eprintln!("read without a complaint: {seen:?}");
    let expected = ["SIP", "SIP/SDP", "SIP/SDP/XML", "SIP/sipfrag", "RTP", "RTCP", "RTP EVENT", "OPUS"];
    // Captures hold no audio of encrypted calls; but an address that one of them named may be another call's later.
    let unknown: Vec<_> = seen.keys().filter(|kind| !expected.contains(&kind.as_str()) && *kind != "SRTP").collect();
    assert!(unknown.is_empty(), "taken for something else: {unknown:?}");
    for protocol in expected {
        assert!(seen.contains_key(protocol), "no {protocol} in {seen:?}");
    }
}

#[test]
fn damaged_packets_would_be_noticed() {
    if skipped("tshark") {
        return;
    }
    let size = |file: &PathBuf| file.metadata().map_or(u64::MAX, |of| of.len());
    let sound = captures().into_iter().min_by_key(size).expect("`cargo xtask hermetic` writes captures");
    let damaged = std::env::temp_dir().join(format!("warmline-damaged-{}.pcap", std::process::id()));
    let editcap = Command::new("editcap").args(["-E", "0.02", "--seed", "1"]).arg(&sound).arg(&damaged).status();
    assert!(editcap.is_ok_and(|status| status.success()));
    let found = complaints(&damaged);
    // Left behind, it harms nobody.
    let _ = std::fs::remove_file(&damaged);
    assert!(!found.is_empty(), "one octet in fifty is damaged");
}
