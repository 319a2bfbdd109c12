//! The operator's file: TOML in, [`Settings`] out, or every complaint at once.
//!
//! `config/warmline.toml` in the repository is the documentation of every setting and the default of the binary.

mod callbacks;
mod digits;
mod http;
mod interfaces;
mod pages;
mod peers;
mod prompts;
mod reader;
mod recording;
mod registering;
mod routes;
mod routing;
mod sections;
mod settings;
mod signalling;
mod warnings;

pub use reader::Complaint;
pub use settings::{
    HttpSettings, HttpsSettings, ListenSettings, RtpSettings, Settings, SipListen, SipSettings, TlsSettings,
};

pub use crate::resolve::Lookup;
pub(crate) use reader::secret;
pub(crate) use sections::package_url;

use reader::{Complaints, Section};
use std::fmt;
use std::path::{Path, PathBuf};

/// The commented default, as shipped: `config/warmline.toml`.
pub const DEFAULT: &str = include_str!("../../../../config/warmline.toml");

/// What complaints call [`DEFAULT`].
pub(crate) const BUILT_IN: &str = "the built-in configuration";

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
    /// It is not text in UTF-8.
    NotUtf8 {
        /// Which file.
        path: PathBuf,
        /// The first line that is not.
        line: usize,
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
            Self::Unreadable { path, source } => {
                write!(f, "cannot read the configuration {}: {source}", path.display())?;
                if source.kind() == std::io::ErrorKind::NotFound {
                    write!(f, "\n  write one to start from with: warmline config > {}", path.display())?;
                }
                Ok(())
            }
            Self::NotUtf8 { path, line } => {
                let path = path.display();
                write!(f, "the configuration {path} is not UTF-8 text (line {line}): save it with that encoding")
            }
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
    let (text, base) = read(path)?;
    parse(&text, &path.display().to_string(), base)
}

fn read(path: &Path) -> Result<(String, &Path), ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = good.split(|octet| *octet == b'\n').count();
        ConfigError::NotUtf8 { path: path.to_owned(), line }
    })?;
    Ok((text, path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))))
}

/// Checks the text of a configuration; `name` is for complaints, `base` is where relative paths start.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse(text: &str, name: &str, base: &Path) -> Result<Settings, ConfigError> {
    examine(text, name, base, |_| Vec::new())
}

/// Like [`load`] (of the built-in configuration without a path), and tries what `serve` would open or load.
///
/// # Errors
/// See [`ConfigError`].
pub(crate) fn check(path: Option<&Path>) -> Result<Settings, ConfigError> {
    let further = crate::preflight::complaints;
    let Some(path) = path else { return examine(DEFAULT, BUILT_IN, Path::new("."), further) };
    let (text, base) = read(path)?;
    examine(&text, &path.display().to_string(), base, further)
}

fn examine(
    text: &str,
    name: &str,
    base: &Path,
    further: impl FnOnce(&Settings) -> Vec<Complaint>,
) -> Result<Settings, ConfigError> {
    let table = toml::from_str(text)
        .map_err(|error: toml::de::Error| ConfigError::NotToml { name: name.to_owned(), text: error.to_string() })?;
    let complaints = Complaints::default();
    let settings = sections::read(Section::root(table, &complaints), &complaints, base);
    for complaint in settings.as_ref().map(further).unwrap_or_default() {
        complaints.add(complaint.path, complaint.problem);
    }
    match settings {
        Some(settings) if complaints.is_empty() => Ok(settings),
        _ => Err(ConfigError::Wrong { name: name.to_owned(), complaints: complaints.take() }),
    }
}

#[cfg(test)]
mod tests;
