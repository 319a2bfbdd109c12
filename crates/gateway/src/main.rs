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
            // The whole chain of causes, without a backtrace: it is written for operators.
            eprintln!("warmline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
