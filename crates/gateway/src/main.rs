//! The `warmline` binary.

use clap::Parser;
use gateway::cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Serve(options) => {
            gateway::logging::init("info");
            gateway::serve::serve(options)
        }
        Command::Tail(options) => {
            gateway::logging::init("warn");
            gateway::tail::tail(options)
        }
        Command::Demo(options) => {
            gateway::logging::init("warn");
            gateway::demo::run(options)
        }
        Command::Config => gateway::serve::print_config().map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("warmline: {}", told(&error));
            ExitCode::FAILURE
        }
    }
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
