//! One-command checks: `cargo xtask test` is what the README names and what CI runs.

mod peers;
mod run;

use anyhow::{Result, bail};
use run::{built, cargo, heading};

const HELP: &str = "\
cargo xtask test      everything: checks, hermetic tests, then real peers (installed when missing)
cargo xtask check     formatting, lints and documentation only
cargo xtask hermetic  tests that need nothing but this repository
cargo xtask peers     the real-peer tests only: SIPp, kamailio, baresip, linphone, rsipstack, a Media Streams bot
                      framework, Chromium, tshark
cargo xtask soak      random calls by the thousand, judged on what passed on the wire; --help for options
cargo xtask load      the load table (never part of `test`): CPU per call, latency, loss, memory, joins, listening; --help for options";

fn main() -> Result<()> {
    let task = std::env::args().nth(1).unwrap_or_default();
    match task.as_str() {
        "test" => {
            let installing = peers::install_in_background();
            check()?;
            hermetic()?;
            // The hermetic tests have built the binary.
            real_peers(installing.wait())
        }
        "check" => check(),
        "hermetic" => hermetic(),
        "peers" => {
            let installing = peers::install_in_background();
            cargo(&["build", "--release", "--package", "gateway"], &[])?;
            cargo(&["test", "--release", "--package", "scenarios"], &[("WARMLINE_CAPTURES", &captures()?)])?;
            real_peers(installing.wait())
        }
        "load" => load(),
        "soak" => soak(),
        "" | "help" | "-h" | "--help" => {
            run::say(HELP);
            Ok(())
        }
        other => bail!("unknown task `{other}`\n\n{HELP}"),
    }
}

fn check() -> Result<()> {
    heading("formatting");
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["fmt", "--manifest-path", peers::RSIPSTACK, "--check"], &[])?;
    heading("lints");
    cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
}

fn hermetic() -> Result<()> {
    heading("hermetic tests");
    let captures = captures()?;
    let environment = [("WARMLINE_CAPTURES", captures.as_str())];
    cargo(&["test", "--release", "--workspace", "--exclude", "interop", "--no-fail-fast"], &environment)?;
    heading("deliberate bugs");
    cargo(&["test", "--release", "--package", "soak", "--features", "mutations"], &[])
}

/// An empty folder for what the simulated calls make the gateway send; tshark reads it afterwards.
fn captures() -> Result<String> {
    let folder = run::target().join("captures");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(std::path::absolute(folder)?.display().to_string())
}

/// What follows `load` on the command line is passed on.
fn load() -> Result<()> {
    cargo(&["build", "--release", "--workspace", "--bin", "warmline", "--bin", "load"], &[])?;
    built("load")
}

/// What follows `soak` on the command line is passed on; with `--mutations` it is built with deliberate bugs, which no
/// other build has.
fn soak() -> Result<()> {
    if std::env::args().any(|option| option == "--mutations") {
        cargo(&["build", "--release", "--package", "soak", "--features", "mutations"], &[])?;
    } else {
        cargo(&["build", "--release", "--workspace", "--bin", "soak"], &[])?;
    }
    built("soak")
}

fn real_peers(found: peers::Peers) -> Result<()> {
    heading("real peers");
    for line in found.report() {
        run::say(&line);
    }
    let missing = found.missing();
    if !missing.is_empty() && std::env::var_os("CI").is_some() {
        bail!("CI is set and these peers are missing: {}", missing.join(", "));
    }
    let skip = missing.join(",");
    let python = found.python.map(|path| path.display().to_string()).unwrap_or_default();
    // `--workspace`, so that features are unified as in the hermetic tests and nothing is compiled twice.
    let arguments = ["test", "--release", "--workspace", "--no-fail-fast", "--test", "peers", "--", "--test-threads=1"];
    cargo(&arguments, &[("WARMLINE_SKIP_PEERS", &skip), ("WARMLINE_PEERS_PYTHON", &python)])
}
