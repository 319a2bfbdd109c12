//! `warmline model` and `warmline doctor`: whether a model can be used, what it is, and what it costs here.

use crate::cli::{self, Doctor, ModelFile};
use crate::config;
use prosody::onnx::{self, Inspection};
use prosody::{Adapter, Form, Metadata, Model, ModelConfig, cost};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

/// Something is not in order.
const NOT_IN_ORDER: u8 = 3;
/// Seconds of audio that a model is timed on.
const BENCH_S: usize = 60;

/// Does what the command says; the exit status.
///
/// # Errors
/// A file cannot be read, or standard output is closed.
pub fn model(command: &cli::ModelCommand) -> anyhow::Result<u8> {
    let (told, status) = match command {
        cli::ModelCommand::Check { choice } => check(choice),
        cli::ModelCommand::Bench { choice, json } => (bench(choice, *json)?, 0),
        cli::ModelCommand::Info { choice } => info(choice)?,
    };
    io::stdout().lock().write_all(told.as_bytes())?;
    Ok(status)
}

fn check(choice: &ModelFile) -> (String, u8) {
    match Model::load(&choice.engine.config(choice.file.as_ref())) {
        Err(error) => (format!("not in order: {error}\n"), NOT_IN_ORDER),
        Ok(model) => {
            let mut told = format!("in order: {}\n", runs(&model));
            if model.metadata().golden.is_none()
                && let Ok(golden) = model.golden_answer()
            {
                let golden: Vec<String> = golden.iter().map(|value| format!("{value:.6}")).collect();
                _ = writeln!(told, "no golden vector: write this into the adapter, and a damaged file is found out");
                _ = writeln!(told, "  golden_output = [{}]", golden.join(", "));
            }
            if model.metadata().calibration.hours <= 0.0 {
                told.push_str("not calibrated: no hours of calm speech stand behind its threshold\n");
            }
            (told, 0)
        }
    }
}

/// Name, backend and price.
fn runs(model: &Model) -> String {
    let library = model.library().map_or(String::new(), |path| format!(" ({})", path.display()));
    format!(
        "{} on {}{library}, {:.2} ms a window, up to {} at once: one core listens to about {} calls",
        model.name(),
        model.backend(),
        model.window_ms(),
        model.most_at_once(),
        calls_per_core(model)
    )
}

/// Callers who speak all the time, one window a hop, and nothing else on the core.
fn calls_per_core(model: &Model) -> u64 {
    (model.hop_frames() as f64 * 20.0 / model.window_ms().max(1e-3)) as u64
}

fn bench(choice: &ModelFile, as_json: bool) -> anyhow::Result<String> {
    let model = Model::load(&choice.engine.config(choice.file.as_ref()))?;
    let cost = cost::measure(&model, &cost::syllables(BENCH_S))?;
    if as_json {
        let line = serde_json::json!({
            "model": model.name(), "backend": model.backend(), "audio_s": cost.audio_s, "windows": cost.windows,
            "features_ms_per_s": cost.features, "model_ms_per_s": cost.model, "at_once": cost.at_once,
            "batched_ms_per_s": cost.model_batched, "all_ms_per_s": cost.features + cost.model_batched,
        });
        return Ok(format!("{line}\n"));
    }
    let mut told = format!("{} on {}, CPU of one thread for each second of speech:\n", model.name(), model.backend());
    _ = writeln!(told, "  features             {:8.3} ms", cost.features);
    _ = writeln!(told, "  model                {:8.3} ms", cost.model);
    if cost.at_once > 1 {
        _ = writeln!(told, "  model, {} at once     {:8.3} ms", cost.at_once, cost.model_batched);
    }
    let all = cost.features + cost.model_batched;
    _ = writeln!(
        told,
        "  together             {all:8.3} ms: {:.3} % of a core for a call, {:.0} calls a core",
        all / 10.0,
        1000.0 / all
    );
    if all > 100.0 {
        told.push_str("  that is too much for live calls: windows will be shed, and callers heard seldom\n");
    }
    Ok(told)
}

/// What the file says, without running it.
fn info(choice: &ModelFile) -> anyhow::Result<(String, u8)> {
    let Some(path) = &choice.file else {
        let model = Model::load(&ModelConfig::default())?;
        return Ok((format!("the shipped model\n{}", about(model.metadata(), model.form())), 0));
    };
    let adapter = choice.engine.adapter.as_deref().map(Adapter::load).transpose().map_err(anyhow::Error::msg)?;
    let bytes = prosody::model::read(path, adapter.as_ref().map_or(onnx::MOST_BYTES, Adapter::most_bytes))?;
    let seen = match Inspection::read(&bytes) {
        Ok(seen) => seen,
        Err(why) => return Ok((format!("{}: {why}\n", path.display()), NOT_IN_ORDER)),
    };
    let mut told = format!(
        "{}: {} octets, {} weights, {} operators, opset {}\n",
        path.display(),
        bytes.len(),
        seen.weights,
        seen.nodes(),
        seen.opset
    );
    let kinds: Vec<String> = seen.operators.iter().map(|(name, count)| format!("{name} {count}")).collect();
    _ = writeln!(told, "  operators      {}", kinds.join(", "));
    let described = match &adapter {
        Some(adapter) => Ok(about(adapter.metadata(), adapter.form())),
        None => Metadata::of_props(&seen.props).map(|metadata| about(&metadata, Form::Features)),
    };
    Ok(match described {
        Ok(text) => (told + &text, 0),
        Err(why) => {
            (format!("{told}  no model of the contract: {why}; an adapter can say how it is asked\n"), NOT_IN_ORDER)
        }
    })
}

fn about(metadata: &Metadata, form: Form) -> String {
    let calibration = &metadata.calibration;
    let window = match form {
        Form::Features => "3 s of features".to_owned(),
        Form::Waveform { rate, frames, .. } => format!("{:.2} s of samples at {rate} Hz", frames as f64 / 50.0),
    };
    let mut told = format!("  name           {} {}\n", metadata.name, metadata.version);
    _ = writeln!(told, "  licence        {}", metadata.licence);
    _ = writeln!(told, "  trained on     {}", metadata.training_sets);
    _ = writeln!(told, "  window         {window}");
    _ = writeln!(told, "  golden vector  {}", if metadata.golden.is_some() { "yes" } else { "no" });
    _ = writeln!(told, "  calibrated on  {} h of calm speech", calibration.hours);
    for (rate, threshold) in &calibration.threshold_per_hour {
        _ = writeln!(told, "    {rate:>4} false alarms an hour: threshold {threshold:.2}");
    }
    told
}

/// Says whether this machine and configuration can listen, and with what.
///
/// # Errors
/// Standard output is closed.
pub fn doctor(options: &Doctor) -> anyhow::Result<u8> {
    let usual = Path::new(crate::serve::USUAL);
    let path = options.config.as_deref().or_else(|| Some(usual).filter(|path| path.is_file()));
    let mut told = format!("  processors     {}\n", std::thread::available_parallelism().map_or(1, usize::from));
    let mut status = 0;
    let settings = match path {
        Some(path) => config::load(path),
        None => config::parse(config::DEFAULT, config::BUILT_IN, Path::new(".")),
    };
    let shown = path.map_or("built in".to_owned(), |path| path.display().to_string());
    let wanted = match &settings {
        Ok(settings) => {
            _ = writeln!(told, "  configuration  {shown}: fine");
            _ = writeln!(told, "  workers        {}", settings.listen.workers);
            _ = writeln!(told, "  cores          {}", crate::cores::Cores::of(settings));
            settings.listen.model_config()
        }
        Err(error) => {
            status = NOT_IN_ORDER;
            _ = writeln!(told, "  configuration  {shown}: {error}");
            ModelConfig::default()
        }
    };
    let variable = prosody::runtime::LIBRARY_VARIABLE;
    let named = std::env::var_os(variable).filter(|named| !named.is_empty()).map(|named| named.display().to_string());
    match (&wanted.onnxruntime, named) {
        (Some(path), _) => _ = writeln!(told, "  libonnxruntime model.onnxruntime: {}", path.display()),
        (None, Some(path)) => _ = writeln!(told, "  libonnxruntime {variable}: {path}"),
        (None, None) => told.push_str("  libonnxruntime not named: deploy/install-onnxruntime.sh brings it\n"),
    }
    match Model::load(&wanted) {
        Ok(model) => _ = writeln!(told, "  model          {}", runs(&model)),
        Err(error) => {
            status = NOT_IN_ORDER;
            _ = writeln!(told, "  model          {error}");
        }
    }
    io::stdout().lock().write_all(told.as_bytes())?;
    Ok(status)
}
