//! Which ONNX runtime this process uses: libonnxruntime when one is given and loads, pure-Rust tract otherwise.
//!
//! `ort` has one runtime per process, so the first model loaded decides.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The environment variable that names libonnxruntime when the config does not.
pub const LIBRARY_VARIABLE: &str = "WARMLINE_ONNXRUNTIME";

/// The runtime in use.
pub(crate) struct Runtime {
    pub(crate) environment: ort::environment::Environment,
    /// `tract` or `onnxruntime`.
    pub(crate) name: &'static str,
}

/// The process's runtime, started on first use.
pub(crate) fn get(library: Option<&Path>) -> Result<&'static Runtime, String> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let chosen = RUNTIME.get_or_init(|| {
        let library = library.map(PathBuf::from).or_else(|| std::env::var_os(LIBRARY_VARIABLE).map(PathBuf::from));
        match library.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => start_library(&path).or_else(|why| {
                tracing::warn!(library = %path.display(), %why, "libonnxruntime is not used; pure-Rust tract is");
                start_tract()
            }),
            None => start_tract(),
        }
    });
    chosen.as_ref().map_err(Clone::clone)
}

fn start_library(path: &Path) -> Result<Runtime, String> {
    if !path.is_file() {
        return Err("there is no such file".into());
    }
    // ort panics on a library that is older than the API it was built for.
    let started = catch_unwind(AssertUnwindSafe(|| {
        ort::init_from(path).map_err(|e| e.to_string())?.build().map_err(|e| e.to_string())
    }));
    let environment = started.map_err(|_| "it is older than ONNX Runtime 1.24, or no ONNX Runtime")??;
    Ok(Runtime { environment, name: "onnxruntime" })
}

fn start_tract() -> Result<Runtime, String> {
    ort::set_api(ort_tract::api());
    let environment = ort::init().build().map_err(|e| format!("no ONNX runtime starts: {e}"))?;
    Ok(Runtime { environment, name: "tract" })
}
