//! Which ONNX runtime this process uses: libonnxruntime when the config names one, or the environment does and it
//! loads; pure-Rust tract otherwise.
//!
//! `ort` has one runtime per process, so the first model loaded decides.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The environment variable that names libonnxruntime when the config does not.
pub const LIBRARY_VARIABLE: &str = "WARMLINE_ONNXRUNTIME";

/// The runtime in use.
pub(crate) struct Runtime {
    pub(crate) environment: ort::environment::Environment,
    /// `tract` or `onnxruntime`.
    pub(crate) name: &'static str,
    /// Where libonnxruntime was loaded from.
    pub(crate) library: Option<PathBuf>,
}

impl Runtime {
    /// Whether several windows at once are worth asking.
    pub(crate) const fn batches(&self) -> bool {
        self.library.is_some()
    }
}

const MISSING: &str = "there is no such file";

/// Why there is no runtime.
pub(crate) enum Refused {
    /// Not this library.
    Library { path: String, why: String },
    /// None at all.
    Runtime(String),
}

/// The process's runtime, started on first use.
pub(crate) fn get(library: Option<&Path>) -> Result<&'static Runtime, Refused> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    static CHOOSING: Mutex<()> = Mutex::new(());
    let _alone = CHOOSING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = library {
        // Named by the config, it is wanted: nothing else stands in for it.
        let refused = |why| Refused::Library { path: path.display().to_string(), why };
        let Some(chosen) = RUNTIME.get() else {
            let runtime = start_library(path).map_err(refused)?;
            return RUNTIME.get_or_init(|| Ok(runtime)).as_ref().map_err(|why| Refused::Runtime(why.clone()));
        };
        return match chosen {
            Ok(runtime) if runtime.library.as_deref() == Some(path) => Ok(runtime),
            _ if !path.is_file() => Err(refused(MISSING.to_owned())),
            _ => Err(refused("this process already uses another runtime".to_owned())),
        };
    }
    let chosen = RUNTIME.get_or_init(|| {
        let library = std::env::var_os(LIBRARY_VARIABLE).map(PathBuf::from);
        match library.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => start_library(&path).or_else(|why| {
                tracing::warn!(library = %path.display(), %why, "libonnxruntime is not used; pure-Rust tract is");
                start_tract()
            }),
            None => start_tract(),
        }
    });
    chosen.as_ref().map_err(|why| Refused::Runtime(why.clone()))
}

fn start_library(path: &Path) -> Result<Runtime, String> {
    if !path.is_file() {
        return Err(MISSING.to_owned());
    }
    // ort panics on a library that is older than the API it was built for.
    let started = catch_unwind(AssertUnwindSafe(|| {
        ort::init_from(path).map_err(|e| e.to_string())?.build().map_err(|e| e.to_string())
    }));
    let environment = started.map_err(|_| "it is older than ONNX Runtime 1.24, or no ONNX Runtime")??;
    Ok(Runtime { environment, name: "onnxruntime", library: Some(path.to_owned()) })
}

fn start_tract() -> Result<Runtime, String> {
    ort::set_api(ort_tract::api());
    let environment = ort::init().build().map_err(|e| format!("no ONNX runtime starts: {e}"))?;
    Ok(Runtime { environment, name: "tract", library: None })
}
