//! Running other programs, with what they print left visible.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Prints a line for the person who waits.
#[allow(clippy::print_stdout, reason = "this is the command line")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Announces a part of a long task.
pub(crate) fn heading(what: &str) {
    say(&format!("\n== {what}"));
}

/// Runs cargo in this workspace; its exit status is ours.
pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let what = format!("cargo {}", arguments.join(" "));
    succeed(Command::new(program).args(arguments).envs(environment.iter().copied()), &what)
}

/// Runs a program of this workspace that was built, with what follows the task on our own command line.
pub(crate) fn built(program: &str) -> Result<()> {
    succeed(Command::new(target().join("release").join(program)).args(std::env::args_os().skip(2)), program)
}

fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {what}"))?;
    if !status.success() {
        bail!("{what} failed");
    }
    Ok(())
}

/// Whether `program` can be found.
pub(crate) fn exists(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|paths| std::env::split_paths(&paths).any(|folder| folder.join(program).is_file()))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}
