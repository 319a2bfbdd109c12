use core::fmt;

/// Something wrong with a rules file: where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    /// Such as `rule[3].threshold` or `line 12, column 5`.
    pub path: String,
    /// What is wrong and what to fix.
    pub text: String,
}

impl Complaint {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

impl core::error::Error for Complaint {}
