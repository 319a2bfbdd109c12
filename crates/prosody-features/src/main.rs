//! The training side's door to the features the gateway computes.
//!
//! `prosody-features --out DIR FILE.wav...` (or `--list FILE`, one path a line) writes one `.npy` per recording:
//! float32 `[65, frames]`, rows 0-63 as in the model contract, row 64 the speech gate (0 or 1).
//!
//! `prosody-features --pipe` answers clips on stdin with features on stdout, for augmentation in the training loop:
//! a clip is its sample count (u32, little-endian) and that many 16-bit samples; the answer is the frame count (u32)
//! and for every frame its 64 rows and the speech flag, float32.

use prosody_features::{Extractor, FrameFeatures, ROWS, wav};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longest clip accepted by `--pipe`: an hour.
const MOST_SAMPLES: usize = 8000 * 3600;

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "prosody-features: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let mut out = None;
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--pipe" => return pipe(BufReader::new(io::stdin().lock()), BufWriter::new(io::stdout().lock())),
            "--out" => out = Some(PathBuf::from(args.next().ok_or("--out needs a folder")?)),
            "--list" => files.extend(listed(&args.next().ok_or("--list needs a file")?)?),
            option if option.starts_with("--") => return Err(format!("unknown option {option}; {USAGE}")),
            file => files.push(file.into()),
        }
    }
    let out = out.ok_or(USAGE)?;
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    for file in &files {
        convert(file, &out)?;
    }
    Ok(())
}

const USAGE: &str = "usage: prosody-features --pipe | --out DIR [--list FILE] FILE.wav...";

fn listed(path: &str) -> Result<Vec<PathBuf>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(PathBuf::from).collect())
}

fn convert(file: &Path, out: &Path) -> Result<(), String> {
    let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let samples = wav::read(&bytes).map_err(|e| format!("{}: {e}", file.display()))?;
    let target = out.join(file.file_stem().unwrap_or_default()).with_extension("npy");
    std::fs::write(&target, npy(&Extractor::recording(&samples))).map_err(|e| format!("{}: {e}", target.display()))
}

fn npy(frames: &[FrameFeatures]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", ROWS + 1, frames.len());
    // The header ends in a newline and aligns the values to 64 octets.
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(header.as_bytes());
    for row in 0..=ROWS {
        out.extend(frames.iter().flat_map(|frame| value(frame, row).to_le_bytes()));
    }
    out
}

fn value(frame: &FrameFeatures, row: usize) -> f32 {
    frame.rows.get(row).copied().unwrap_or(if frame.speech { 1.0 } else { 0.0 })
}

fn pipe(mut input: impl Read, mut output: impl Write) -> Result<(), String> {
    let failed = |e: io::Error| format!("pipe: {e}");
    loop {
        let mut count = [0; 4];
        match input.read_exact(&mut count) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other.map_err(failed)?,
        }
        let count = u32::from_le_bytes(count) as usize;
        if count > MOST_SAMPLES {
            return Err(format!("a clip of {count} samples is longer than an hour: is the count wrong?"));
        }
        let mut bytes = vec![0; 2 * count];
        input.read_exact(&mut bytes).map_err(failed)?;
        let samples: Vec<i16> = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        let frames = Extractor::recording(&samples);
        let answer: Vec<u8> =
            frames.iter().flat_map(|frame| (0..=ROWS).flat_map(|row| value(frame, row).to_le_bytes())).collect();
        output.write_all(&u32::try_from(frames.len()).unwrap_or(0).to_le_bytes()).map_err(failed)?;
        output.write_all(&answer).map_err(failed)?;
        output.flush().map_err(failed)?;
    }
}
