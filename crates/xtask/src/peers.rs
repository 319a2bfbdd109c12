//! The real programs Warmline is tested against, installed while the workspace compiles.

use crate::run::{exists, say, target};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

/// Debian packages by the program they bring.
const DEBIAN: [(&str, &str); 6] = [
    ("sipp", "sip-tester"),
    ("baresip", "baresip-core"),
    ("chromium", "chromium"),
    ("tshark", "tshark"),
    ("kamailio", "kamailio"),
    ("linphonec", "linphone-cli"),
];

/// The public Media Streams bot framework, unmodified, and what serves its WebSocket.
const PYTHON: [&str; 3] = ["pipecat-ai==1.14.0", "fastapi", "uvicorn[standard]"];

/// A peer on another SIP stack in Rust. It has a workspace and a lock file of its own, so that nothing of it gets into ours.
pub(crate) const RSIPSTACK: &str = "tests/interop/rsipstack/Cargo.toml";

/// An installation under way.
pub(crate) struct Installing(JoinHandle<Peers>);

/// What is there, and why the rest is not.
pub(crate) struct Peers {
    /// The interpreter that has the bot framework.
    pub(crate) python: Option<PathBuf>,
    problems: Vec<(String, String)>,
}

/// Starts installing what is missing, saying so.
pub(crate) fn install_in_background() -> Installing {
    let missing: Vec<_> = DEBIAN.iter().filter(|(program, _)| !exists(program)).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        say(&format!("installing with apt-get meanwhile: {}", missing.join(" ")));
    }
    let venv = Path::new("target").join("peers");
    if !venv.join("ready").exists() {
        say(&format!("installing with pip into {} meanwhile: {}", venv.display(), PYTHON.join(" ")));
    }
    say(&format!("building meanwhile: {RSIPSTACK}"));
    Installing(std::thread::spawn(move || install(&missing, &venv)))
}

impl Installing {
    /// Waits for the installation to end.
    pub(crate) fn wait(self) -> Peers {
        self.0.join().unwrap_or_else(|_| Peers {
            python: None,
            problems: vec![("peers".into(), "the installer itself failed".into())],
        })
    }
}

impl Peers {
    /// Names of the peers that are not to be had.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.problems.iter().map(|(name, _)| name.clone()).collect()
    }

    /// A line for each peer that is missing, with the reason.
    pub(crate) fn report(&self) -> Vec<String> {
        if self.problems.is_empty() {
            return vec!["all peers are installed".into()];
        }
        self.problems.iter().map(|(name, why)| format!("SKIPPED without {name}: {why}")).collect()
    }
}

fn install(packages: &[&str], venv: &Path) -> Peers {
    let apt = if packages.is_empty() { Ok(()) } else { apt(packages) };
    let why = apt.err().unwrap_or_else(|| "its package did not bring the program".into());
    let mut problems: Vec<_> = DEBIAN
        .iter()
        .filter(|(program, _)| !exists(program))
        .map(|(program, _)| ((*program).to_owned(), why.clone()))
        .collect();
    if let Err(why) = build() {
        problems.push(("rsipstack".into(), why));
    }
    let python = match pip(venv) {
        Ok(python) => Some(python),
        Err(why) => {
            problems.push(("pipecat".into(), why));
            None
        }
    };
    Peers { python, problems }
}

fn apt(packages: &[&str]) -> Result<(), String> {
    if !exists("apt-get") {
        return Err("there is no apt-get here; install it by hand".into());
    }
    let log = Path::new("target").join("peers-apt.log");
    let quiet = |arguments: &[&str]| {
        logged(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments), &log)
    };
    quiet(&["update", "-q"])?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    quiet(&arguments)
}

fn pip(venv: &Path) -> Result<PathBuf, String> {
    let python = std::path::absolute(venv.join("bin").join("python")).map_err(|error| error.to_string())?;
    let ready = venv.join("ready");
    if ready.exists() {
        return Ok(python);
    }
    if !exists("python3") {
        return Err("there is no python3 here; install it by hand".into());
    }
    let log = Path::new("target").join("peers-pip.log");
    logged(Command::new("python3").args(["-m", "venv"]).arg(venv), &log)?;
    logged(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(PYTHON), &log)?;
    File::create(ready).map_err(|error| error.to_string())?;
    Ok(python)
}

/// Into a folder of its own, without optimisation: it is compiled while others compile, and does little.
fn build() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let (folder, log) = (target().join("rsipstack"), target().join("peers-cargo.log"));
    let arguments = ["build", "--locked", "--manifest-path", RSIPSTACK, "--target-dir"];
    logged(Command::new(cargo).args(arguments).arg(folder), &log)
}

fn logged(command: &mut Command, log: &Path) -> Result<(), String> {
    let out = File::options().create(true).append(true).open(log).map_err(|error| error.to_string())?;
    let err = out.try_clone().map_err(|error| error.to_string())?;
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("installation failed, see {}", log.display())) }
}
