//! `warmline listen`: what the voice model hears in recordings.

use crate::cli::Listen;
use anyhow::Context;
use prosody::{Heard, Model, Recordings, Shift};
use prosody_features::wav;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Something is not in order.
const NOT_IN_ORDER: u8 = 3;
/// A recording is read whole; two hours of CD sound fit.
const MOST_BYTES: u64 = 2 << 30;
const PLOT_WIDTH: usize = 72;
const PLOT_HEIGHT: usize = 8;

/// Hears every file; those that cannot be read are told, and the others go on. The exit status.
///
/// # Errors
/// The model cannot be used, the list cannot be read, or standard output is closed.
pub fn listen(options: &Listen) -> anyhow::Result<u8> {
    let mut files = options.files.clone();
    if let Some(list) = &options.list {
        let text = std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
        files.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(PathBuf::from));
    }
    let model = Model::load(&options.choice.engine.config(options.choice.model.as_ref()))?;
    let mut recordings = Recordings::new(&model)?;
    let mut out = io::stdout().lock();
    let mut bad = 0;
    for file in &files {
        let heard =
            read(file).and_then(|samples| Ok((samples.len(), recordings.hear(&samples, options.alarms_per_hour)?)));
        let told = match &heard {
            Ok((samples, heard)) if options.json => line(file, &model, *samples, heard),
            Ok((samples, heard)) => story(file, &model, *samples, heard),
            Err(why) if options.json => {
                format!("{}\n", json!({"file": shown(file), "error": why.to_string(), "windows": []}))
            }
            Err(_) => String::new(),
        };
        if let Err(why) = heard {
            bad += 1;
            writeln!(io::stderr(), "warmline: {}: {why}", file.display())?;
        }
        out.write_all(told.as_bytes())?;
    }
    Ok(if bad == 0 { 0 } else { NOT_IN_ORDER })
}

fn read(file: &Path) -> anyhow::Result<Vec<i16>> {
    let size = std::fs::metadata(file)?.len();
    anyhow::ensure!(size <= MOST_BYTES, "it has {size} octets; the limit is {MOST_BYTES}");
    Ok(wav::read(&std::fs::read(file)?)?)
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

fn line(file: &Path, model: &Model, samples: usize, heard: &[(f32, Heard)]) -> String {
    let windows: Vec<Value> = heard.iter().map(|(t, heard)| window(*t, heard)).collect();
    let line = json!({
        "file": shown(file), "model": model.name(), "backend": model.backend(), "seconds": seconds(samples),
        "windows": windows,
    });
    format!("{line}\n")
}

fn window(t: f32, heard: &Heard) -> Value {
    let score = &heard.score;
    json!({
        "t": t, "anger": score.anger, "arousal": score.arousal, "distress": score.distress,
        "emotion": score.emotion.to_string(), "confidence": score.confidence, "speech_ratio": score.speech_ratio,
        "distress_before_baseline": heard.uncorrected, "baselined": score.baselined, "corrected": heard.corrected,
        "shift": heard.shift.map(|shift| format!("{shift:?}")),
    })
}

fn seconds(samples: usize) -> f64 {
    samples as f64 / 8000.0
}

fn story(file: &Path, model: &Model, samples: usize, heard: &[(f32, Heard)]) -> String {
    let mut told = format!(
        "{}: {:.1} s, {} windows with speech, {} on {}\n",
        file.display(),
        seconds(samples),
        heard.len(),
        model.name(),
        model.backend()
    );
    if heard.is_empty() {
        told.push_str("  nobody speaks: nothing is judged\n\n");
        return told;
    }
    told.push_str("      s  distress  before baseline  anger  arousal  speech  sounds\n");
    for (t, heard) in heard {
        let score = &heard.score;
        let shift = match heard.shift {
            Some(Shift::Upset) => "  <- upset",
            Some(Shift::Settled) => "  <- settled",
            None => "",
        };
        _ = writeln!(
            told,
            "{t:7.1}  {:8.2}  {:15.2}  {:5.2}  {:7.2}  {:6.2}  {}{shift}",
            score.distress, heard.uncorrected, score.anger, score.arousal, score.speech_ratio, score.emotion
        );
    }
    plot(&mut told, heard);
    told
}

/// Distress over time; the threshold lies at 0.5.
fn plot(told: &mut String, heard: &[(f32, Heard)]) {
    let end = heard.last().map_or(1.0, |(t, _)| t.max(1.0));
    let width = PLOT_WIDTH.min(end.ceil() as usize);
    let mut columns = vec![None::<f32>; width];
    for (t, heard) in heard {
        let column = ((t / end * width as f32).ceil() as usize).clamp(1, width) - 1;
        let slot = &mut columns[column];
        *slot = Some(slot.unwrap_or(0.0).max(heard.score.distress));
    }
    told.push('\n');
    for row in (0..PLOT_HEIGHT).rev() {
        let label = match row {
            7 => "1.0",
            4 => "0.5",
            0 => "0.0",
            _ => "   ",
        };
        let bars: String = columns.iter().map(|value| bar(*value, row)).collect();
        _ = writeln!(told, "  {label} |{}", bars.trim_end());
    }
    _ = writeln!(told, "       0 s{:>1$}\n", format!("{end:.0} s"), width.saturating_sub(3).max(6));
}

fn bar(value: Option<f32>, row: usize) -> char {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let empty = if row == 4 { '·' } else { ' ' };
    let Some(value) = value else { return empty };
    let filled = (value * (PLOT_HEIGHT * 8) as f32).round() as usize;
    match filled.saturating_sub(row * 8).min(8) {
        0 if row == 0 => EIGHTHS[1],
        0 => empty,
        eighths => EIGHTHS[eighths],
    }
}
