//! Why a model cannot be used, and what to do.

/// Why a model cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read the model {path}: {why}; give a readable file, or none for the shipped model")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The adapter cannot be read.
    #[error("cannot use the adapter {path}: {why}; models/CONTRACT.md describes the file")]
    Adapter {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file is no model of this contract.
    #[error("{model} does not fulfil the model contract: {why}; see models/CONTRACT.md")]
    Contract {
        /// The file.
        model: String,
        /// What is missing or wrong.
        why: String,
    },
    /// The runtime computes something else than the model's author saw.
    #[error(
        "{model} fails its golden vector on {backend}: {output} is {got:.4} instead of {wanted:.4}; the file is \
         damaged, or this runtime computes it wrongly (tract needs a float32 file exported with N = 1): use the \
         shipped model, or name libonnxruntime in WARMLINE_ONNXRUNTIME"
    )]
    Golden {
        /// The file.
        model: String,
        /// The runtime.
        backend: String,
        /// Which output.
        output: String,
        /// What came out.
        got: f32,
        /// What the metadata says.
        wanted: f32,
    },
    /// Loading and trying it took too long.
    #[error(
        "{model} was not ready after {seconds} s: it is too large for this machine, or made to hang; `warmline model \
         info` shows what it holds"
    )]
    Slow {
        /// The file.
        model: String,
        /// The deadline.
        seconds: u64,
    },
    /// The library asked for cannot be used.
    #[error(
        "cannot use libonnxruntime {path}: {why}; name libonnxruntime.so of version 1.24 or later, or none for the \
         pure-Rust backend"
    )]
    Library {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The runtime failed.
    #[error("the ONNX runtime failed: {0}")]
    Runtime(String),
    /// A thread could not be started.
    #[error("cannot start a listening thread: {0}")]
    Thread(String),
    /// A recording cannot be read.
    #[error("cannot read the recording {path}: {why}")]
    Recording {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}
