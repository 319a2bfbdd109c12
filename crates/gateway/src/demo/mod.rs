//! `warmline demo`: the gateway in this process, three scripted parties on real sockets, one handoff, measured.

mod bot;
mod curve;
mod figures;
mod page;
mod party;
mod script;
mod stage;

use crate::cli::Demo;
use anyhow::Context;
use bot::BotLog;
use figures::{Evidence, Figures};
use script::Script;
use stage::Stage;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Plays it.
///
/// # Errors
/// Something cannot be started, or the caller's recording cannot be read.
pub fn run(options: &Demo) -> anyhow::Result<()> {
    let script = Arc::new(match &options.caller {
        Some(path) => Script::own(&recording(path)?),
        None if options.calm => Script::calm(),
        None => Script::upset(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let log = Arc::new(BotLog::default());
    let bot = runtime.block_on(bot::listen(script.clone(), log.clone())).context("the demo's bot cannot listen")?;
    let stage = Stage::set(script, bot)?;
    let mut out = io::stdout();
    if !options.json {
        writeln!(out, "{}", introduction(options))?;
        writeln!(out, "The desk page, if you want to watch it: {}\n", stage.desk_page())?;
    }
    let mut evidence = stage.play(!options.json)?;
    evidence.bot_lost = log.lost.load(Ordering::Relaxed);
    evidence.bot_frames = log.frames.load(Ordering::Relaxed);
    let figures = Figures::of(&evidence, stage.gateway.model());
    if options.json {
        writeln!(out, "{}", figures.json())?;
    } else {
        writeln!(out, "\n{}\n{}", drawn(&evidence), figures.text())?;
    }
    if options.keep {
        keep(&stage)?;
    }
    Ok(())
}

/// The voice over time.
fn drawn(evidence: &Evidence) -> String {
    let began = evidence.trace.first().map(|event| event.at);
    let decided = evidence.decision().zip(began).map(|(decision, began)| decision.at.since(began).as_secs_f32());
    curve::plot(&evidence.voice(), decided)
}

/// Leaves everything standing: the page with the story, and further calls on demand with the user as the human.
fn keep(stage: &Stage) -> anyhow::Result<()> {
    eprintln!("The gateway keeps running. Desk page: {}", stage.desk_page());
    if !io::stdin().is_terminal() {
        stage.gateway.wait_for_signal()?;
        return Ok(());
    }
    stage.leave_the_page_to_you();
    let mut line = String::new();
    loop {
        eprintln!("Enter: another call, which you accept on the page once its phone was picked up. Ctrl-C: the end.");
        line.clear();
        if io::stdin().read_line(&mut line)? == 0 {
            return Ok(());
        }
        stage.play(true)?;
    }
}

fn introduction(options: &Demo) -> &'static str {
    match (&options.caller, options.calm) {
        (Some(_), _) => {
            "Your recording calls Acorn Energy; a bot answers. Warmline listens to the voice and decides whether a human \
             is needed."
        }
        (None, true) => "A caller who stays calm talks to a bot. Warmline listens, and nobody should be fetched.",
        (None, false) => {
            "A caller talks to a bot and loses patience. Warmline hears it, fetches Alice with the story on her screen,\n\
             joins the two without a gap, and then takes itself out of the path."
        }
    }
}

fn recording(path: &Path) -> anyhow::Result<Vec<i16>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the recording {}", path.display()))?;
    let samples =
        prosody_features::wav::read(&bytes).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    anyhow::ensure!(!samples.is_empty(), "{}: the recording has no samples", path.display());
    Ok(samples)
}
