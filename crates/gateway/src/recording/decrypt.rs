//! `warmline recording decrypt`.

use super::RecordingSettings;
use super::sealed::{self, Key};
use crate::cli::Decrypt;
use crate::config::secret;
use anyhow::{Context, anyhow};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

/// Reads recordings for who may hear them, as far as they go.
pub(crate) fn reader(settings: RecordingSettings) -> http_api::Recordings {
    Arc::new(move |name| {
        let from = BufReader::new(File::open(super::path(&settings.directory, name))?);
        let mut wav = Cursor::new(Vec::new());
        sealed::open(&settings.key, from, &mut wav).map_err(io::Error::other)?;
        Ok(wav.into_inner())
    })
}

/// Reads a recording and writes it as a WAV file beside it. The exit status: 0, or 3 when something of it is missing.
///
/// # Errors
/// When nothing of it can be read, or the WAV file cannot be written.
pub fn decrypt(options: &Decrypt) -> anyhow::Result<u8> {
    let key = secret(&options.key).and_then(|secret| Key::read(&secret)).map_err(|why| anyhow!("--key {why}"))?;
    let name = options.file.display();
    let from = File::open(&options.file).with_context(|| format!("cannot read {name}"))?;
    let target = options.out.clone().unwrap_or_else(|| options.file.with_extension("wav"));
    let shown = target.display();
    let to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target);
    let mut to = BufWriter::new(to.with_context(|| format!("cannot make {shown}"))?);
    let opened = sealed::open(&key, BufReader::new(from), &mut to);
    let opened = opened.and_then(|opened| Ok(to.flush().map(|()| opened)?)).inspect_err(|_| {
        // Nothing is worth keeping of it, and an error is on its way already.
        let _ = std::fs::remove_file(&target);
    });
    let opened = opened.with_context(|| name.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{shown}: {} s", opened.seconds)?;
    if opened.changed {
        writeln!(out, "  the file was changed or damaged there; what follows cannot be read")?;
    } else if opened.broken_off {
        writeln!(out, "  it breaks off there: Warmline or its machine was stopped")?;
    }
    if opened.missing > 0 {
        let seconds = opened.missing as f64 / 50.0;
        writeln!(out, "  {seconds:.1} s of it are missing: silence in their place")?;
    }
    Ok(if opened.changed || opened.broken_off || opened.missing > 0 { 3 } else { 0 })
}
