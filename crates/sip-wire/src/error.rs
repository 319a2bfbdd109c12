//! Why one header, or one value, cannot be read.

use thiserror::Error;

/// A value that does not follow its grammar. The text says what is wrong, never the value itself (it may be private).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ParseError(pub &'static str);

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The header is not there.
    #[error("no {0} header")]
    Missing(&'static str),
    /// The header is there and does not follow its grammar.
    #[error("bad {name} header: {why}")]
    Bad {
        /// Canonical header name.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A header that may stand once stands more than once.
    #[error("{0} header stands more than once")]
    Repeated(&'static str),
}

impl HeaderError {
    pub(crate) fn bad(name: &'static str) -> impl Fn(ParseError) -> HeaderError {
        move |error| HeaderError::Bad { name, why: error.0 }
    }
}
