//! The absences that make whole calls simulable: no runtime, clock, socket or global randomness under a pure crate.

use std::path::{Path, PathBuf};
use std::process::Command;

const PURE: [&str; 9] = [
    "call-model",
    "sip-wire",
    "sip-proto",
    "rtp-proto",
    "bot-proto",
    "escalation",
    "routing",
    "call-core",
    "call-trace",
];

/// Crates that bring a runtime, sockets, threads or ambient randomness.
const FORBIDDEN_CRATES: [&str; 9] =
    ["tokio", "async-std", "smol", "mio", "socket2", "axum", "hyper", "getrandom", "rusqlite"];

/// What a source file would say to reach for the world.
const FORBIDDEN_WORDS: [&str; 9] = [
    "Instant::now",
    "SystemTime::now",
    "std::time::Instant",
    "std::thread",
    "UdpSocket",
    "TcpStream",
    "thread_rng",
    "HashMap",
    "std::fs",
];

#[test]
fn no_pure_crate_depends_on_a_runtime_socket_or_ambient_randomness() {
    for pure in PURE {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--package", pure])
            .current_dir(root())
            .output()
            .expect("cargo tree runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).expect("cargo tree prints UTF-8");
        let names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.contains(&pure), "cargo tree shows {pure} itself");
        for forbidden in FORBIDDEN_CRATES {
            assert!(!names.contains(&forbidden), "{pure} depends on {forbidden}");
        }
    }
}

#[test]
fn no_pure_crate_reaches_for_clock_thread_socket_file_or_hash_order() {
    let mut read = 0;
    for pure in PURE {
        for file in sources(&root().join("crates").join(pure).join("src")) {
            read += 1;
            let text = std::fs::read_to_string(&file).expect("a source file is UTF-8");
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                for word in FORBIDDEN_WORDS {
                    assert!(!line.contains(word), "{}:{}: {word}", file.display(), number + 1);
                }
            }
        }
    }
    assert!(read > PURE.len(), "only {read} source files were found");
}

/// The bugs that the soak is to find are in no build but the soak's own.
#[test]
fn deliberate_bugs_are_in_nothing_that_is_built_by_default() {
    for pure in ["call-core", "sip-proto"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--workspace", "--edges", "features", "--prefix", "none", "--invert", pure])
            .current_dir(root())
            .output()
            .expect("cargo tree runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
        assert!(tree.contains(&format!("{pure} feature \"default\"")), "cargo tree shows features: {tree}");
        assert!(!tree.contains("mutations"), "{pure} is built with deliberate bugs: {tree}");
    }
    for folder in ["crates", "tests"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("the folder is there").flatten() {
            let text = std::fs::read_to_string(entry.path().join("Cargo.toml")).unwrap_or_default();
            let asks = text.lines().any(|line| line.contains("features") && line.contains("mutations"));
            assert!(!asks, "{} asks for deliberate bugs", entry.path().display());
        }
    }
}

#[test]
fn every_path_that_architecture_names_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let paths = text.split('`').skip(1).step_by(2).filter(|code| {
        ["crates/", "tests/", "config/", "models/", "deploy/", "docs/"].iter().any(|top| code.starts_with(top))
            && !code.contains([' ', '*', '<'])
    });
    let mut checked = 0;
    for path in paths {
        checked += 1;
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which does not exist");
    }
    assert!(checked > 10, "only {checked} paths found in ARCHITECTURE.md");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a crate has src").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
