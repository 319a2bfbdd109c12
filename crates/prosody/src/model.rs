//! stub
use std::path::PathBuf;

/// Which model and which runtime.
#[derive(Clone, Debug, Default)]
pub struct ModelConfig {
    /// An ONNX file that fulfils the contract; the shipped model when absent.
    pub path: Option<PathBuf>,
    /// libonnxruntime to use; pure-Rust tract when absent. `WARMLINE_ONNXRUNTIME` stands in.
    pub onnxruntime: Option<PathBuf>,
}

/// Why a model cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read the model {path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
}

/// A loaded model that passed its golden-vector check. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Model;

impl Model {
    /// Loads and checks a model.
    ///
    /// # Errors
    /// When the file is unreadable, no model of this contract, or fails its golden vector.
    pub fn load(_config: &ModelConfig) -> Result<Self, ModelError> {
        Ok(Self)
    }

    /// Name and version of the model.
    pub fn name(&self) -> &str {
        ""
    }

    /// `tract` or `onnxruntime 1.24.1`.
    pub fn backend(&self) -> &str {
        ""
    }
}
