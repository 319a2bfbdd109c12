//! `cargo xtask soak`.

use anyhow::{Context, Result, bail};
use sim::Storm;
use soak::Report;
use std::io::Write as _;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask soak [options]  random calls in random weather, judged on what the parties saw on the wire
  --calls N      storms to play, each with one or two calls (default 10000)
  --seed S       the first seed (default 0); storm n has seed S + n
  --threads T    default: all cores
  --json         the report as JSON
  --ladder       draw each storm; with --calls 1, the way to look at a bug report
  --mutations    check that deliberate bugs are found";

#[derive(Default)]
struct Options {
    calls: Option<u64>,
    seed: u64,
    threads: Option<usize>,
    json: bool,
    ladder: bool,
}

fn main() -> Result<ExitCode> {
    let mut options = Options::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|text| text.parse::<u64>().ok()).context(format!("{word} wants a number"));
        match word.as_str() {
            "--calls" => options.calls = Some(number()?),
            "--seed" => options.seed = number()?,
            "--threads" => options.threads = Some(number()? as usize),
            "--json" => options.json = true,
            "--ladder" => options.ladder = true,
            "--mutations" => return mutations(),
            "--help" | "-h" => {
                say(HELP);
                return Ok(ExitCode::SUCCESS);
            }
            other => bail!("unknown option `{other}`\n\n{HELP}"),
        }
    }
    let seeds = options.seed..options.seed + options.calls.unwrap_or(10_000);
    if options.ladder {
        for seed in seeds.clone() {
            let storm = Storm::of_seed(seed);
            let world = storm.play();
            say(&format!("{:#?}", storm.setup));
            let mut script = storm.script.clone();
            script.sort_by_key(|(at, _)| *at);
            script.iter().for_each(|(at, what)| say(&format!("{at:>8} {what:?}")));
            world.events().iter().for_each(|(at, party, event)| say(&format!("{at:?} party {party} {event:?}")));
            for (party, heard) in world.witness().heard.iter().enumerate() {
                let ends = heard.iter().map(|one| (one.from, one.to, one.voice, one.packets, one.ours));
                ends.for_each(|one| say(&format!("party {party} hears {one:?}")));
            }
            say(&world.ladder());
            if !world.switchboard.is_idle() || world.switchboard.sip_left() != (0, 0) {
                say(&format!("{:#?}", world.switchboard));
            }
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let progress = |report: &Report| {
        let text = format!(
            "{} storms of this thread, {} broken, {:.0} s",
            report.storms,
            report.broken.len(),
            report.took.as_secs_f64()
        );
        let _ = writeln!(std::io::stderr(), "{text}");
    };
    let report = soak::run(&seeds, options.threads.unwrap_or(cores), |_| {}, progress);
    say(&if options.json { report.json().to_string() } else { report.text() });
    Ok(if report.is_clean() && !report.is_blind() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(feature = "mutations")]
fn mutations() -> Result<ExitCode> {
    let mut missed = 0;
    for mutation in call_core::mutation::Mutation::ALL {
        match soak::mutations::hunt(mutation, 2_000) {
            Some(caught) => say(&format!("{mutation:?}: seed {}: {}", caught.seed, caught.by.join("; "))),
            None => {
                missed += 1;
                say(&format!("{mutation:?}: NOT FOUND"));
            }
        }
    }
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(not(feature = "mutations"))]
fn mutations() -> Result<ExitCode> {
    bail!("this build has no deliberate bugs; build it with `--features mutations`, as `cargo xtask soak` does")
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
