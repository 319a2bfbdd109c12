//! The operator's file: TOML in, [`Settings`] out, or every complaint at once.
//!
//! `config/warmline.toml` in the repository is the documentation of every setting and the default of the binary.

mod peers;
mod reader;
mod sections;
mod settings;

pub use reader::Complaint;
pub use settings::{HttpSettings, ListenSettings, RtpSettings, Settings, SipListen, SipSettings};

pub(crate) use sections::package_url;

use reader::{Complaints, Section};
use std::fmt;
use std::path::{Path, PathBuf};

/// The commented default, as shipped: `config/warmline.toml`.
pub const DEFAULT: &str = include_str!("../../../../config/warmline.toml");

/// Why a configuration cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML; the text shows the line.
    NotToml {
        /// Which file.
        name: String,
        /// Where and why.
        text: String,
    },
    /// It is TOML, and these things are wrong with it.
    Wrong {
        /// Which file.
        name: String,
        /// All of them.
        complaints: Vec<Complaint>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => write!(
                f,
                "cannot read the configuration {}: {source}\n  write one to start from with: warmline config > {}",
                path.display(),
                path.display()
            ),
            Self::NotToml { name, text } => write!(f, "{name} is not valid TOML: {text}"),
            Self::Wrong { name, complaints } => {
                let things =
                    if complaints.len() == 1 { "1 thing".to_owned() } else { format!("{} things", complaints.len()) };
                write!(f, "{name}: {things} to fix")?;
                complaints.iter().try_for_each(|complaint| write!(f, "\n  {complaint}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Reads and checks a file. Relative paths in it are relative to the file.
///
/// # Errors
/// See [`ConfigError`].
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let base = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    parse(&text, &path.display().to_string(), base)
}

/// Checks the text of a configuration; `name` is for complaints, `base` is where relative paths start.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse(text: &str, name: &str, base: &Path) -> Result<Settings, ConfigError> {
    let table = toml::from_str(text)
        .map_err(|error: toml::de::Error| ConfigError::NotToml { name: name.to_owned(), text: error.to_string() })?;
    let complaints = Complaints::default();
    let settings = sections::read(Section::root(table, &complaints), &complaints, base);
    match settings {
        Some(settings) if complaints.is_empty() => Ok(settings),
        _ => Err(ConfigError::Wrong { name: name.to_owned(), complaints: complaints.take() }),
    }
}

#[cfg(test)]
mod tests;
