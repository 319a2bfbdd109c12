//! The `warmline` binary.

use clap::Parser;
use gateway::cli::{Cli, Command, Recording};
use std::process::ExitCode;

/// What a flood took goes back to the system within the minute; glibc keeps it, and so its fragments.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = run(&cli.command);
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("warmline: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<u8> {
    let level = if matches!(command, Command::Serve(_)) { "info" } else { "warn" };
    let _log = gateway::logging::init(level)?;
    match command {
        Command::Serve(options) => gateway::serve::serve(options)?,
        Command::Tail(options) => gateway::tail::tail(options)?,
        Command::Trunks(options) => gateway::show::trunks(options)?,
        Command::Queue(options) => gateway::show::queue(options)?,
        Command::Callbacks(options) => gateway::show::callbacks(options)?,
        Command::Voicemails(options) => gateway::show::voicemails(options)?,
        Command::Demo(options) => gateway::demo::run(options)?,
        Command::Verify(options) => return gateway::verify::verify(options),
        Command::Rules(command) => return gateway::rule_files::rules(command),
        Command::Recording(Recording::Decrypt(options)) => return gateway::recording::decrypt(options),
        Command::Listen(options) => return gateway::listen_files::listen(options),
        Command::Model(command) => return gateway::model_files::model(command),
        Command::Doctor(options) => return gateway::model_files::doctor(options),
        Command::Config => gateway::serve::print_config()?,
    }
    Ok(0)
}

/// The error and those of its causes that its text does not tell already: it is written for operators.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let cause = std::io::Error::other("the disk is full");
        assert_eq!(told(&anyhow::Error::from(cause).context("cannot write")), "cannot write: the disk is full");
        let cause = std::io::Error::other("the disk is full");
        let error = anyhow::Error::from(cause).context("the disk is full: make room");
        assert_eq!(told(&error), "the disk is full: make room");
    }
}
